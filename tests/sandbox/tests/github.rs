//! The emulated GitHub against what GitHub published: its OpenAPI description, its collection of deliveries, and Octokit.
//!
//! `SANDBOX_GITHUB_NODE` names the `node_modules` that `@octokit/openapi`, `@octokit/webhooks-examples`, `@octokit/rest` and
//! `@octokit/webhooks-methods` are installed in.
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "this is a test"
)]

#[allow(dead_code, reason = "each test uses a part of it")]
mod running;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    process::Command,
};

use running::Running;
use serde_json::{Map, Value, json};

fn node_modules() -> String {
    std::env::var("SANDBOX_GITHUB_NODE")
        .expect("SANDBOX_GITHUB_NODE must name node_modules with @octokit; `make test` sets it")
}

fn read(file: &str) -> Value {
    let path = format!("{}/@octokit/{file}", node_modules());
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("cannot read {path}: {error}"));
    serde_json::from_str(&text).unwrap()
}

/// The description's schemas as JSON Schema in which no field may be unknown.
struct Official(Value);

impl Official {
    fn load() -> Self {
        let document = read("openapi/generated/api.github.com.json");
        Self(translated(&document["components"]["schemas"]))
    }

    fn check(&self, what: &str, schema: &str, answer: &Value) {
        let schema = json!({ "$ref": format!("#/components/schemas/{schema}"), "components": { "schemas": self.0 } });
        let validator = jsonschema::validator_for(&schema).unwrap();
        let errors: Vec<String> =
            validator.iter_errors(answer).map(|error| format!("{}: {error:.300}", error.instance_path())).collect();
        assert!(errors.is_empty(), "{what}: {errors:#?}");
    }

    fn check_all(&self, what: &str, schema: &str, answer: &Value) {
        let items = answer.as_array().unwrap();
        assert!(!items.is_empty(), "{what} is empty");
        items.iter().for_each(|item| self.check(what, schema, item));
    }
}

/// An OpenAPI 3.0 schema as JSON Schema: null is a type of its own there, and what is not named is not allowed.
fn translated(schema: &Value) -> Value {
    let Some(fields) = schema.as_object() else {
        return match schema {
            Value::Array(items) => Value::Array(items.iter().map(translated).collect()),
            other => other.clone(),
        };
    };
    let ignored = [
        "example",
        "examples",
        "discriminator",
        "xml",
        "externalDocs",
        "deprecated",
        "format",
        "description",
        "default",
    ];
    let is_schema = fields.contains_key("type") || fields.contains_key("properties");
    let mut out: Map<String, Value> = Map::new();
    for (name, value) in fields {
        // A property may be called like a keyword.
        if name == "properties" {
            let properties = value.as_object().unwrap();
            out.insert(
                name.clone(),
                properties
                    .iter()
                    .map(|(name, schema)| (name.clone(), translated(schema)))
                    .collect::<Map<_, _>>()
                    .into(),
            );
        } else if !ignored.contains(&name.as_str()) || (!is_schema && value.is_object()) {
            out.insert(name.clone(), translated(value));
        }
    }
    let is_closed = out.contains_key("properties")
        && !["allOf", "anyOf", "oneOf", "additionalProperties"].iter().any(|word| out.contains_key(*word));
    if is_closed {
        out.insert("additionalProperties".to_owned(), json!(false));
    }
    match out.remove("nullable") {
        Some(Value::Bool(true)) => json!({ "anyOf": [out, { "type": "null" }] }),
        _ => Value::Object(out),
    }
}

struct GitHub {
    sandbox: Running,
    token: String,
    lamp: u64,
}

impl GitHub {
    async fn start() -> Self {
        let sandbox = Running::start(&[]);
        let form = [
            ("client_id", "sandbox-client"),
            ("redirect_uri", "http://localhost/callback"),
            ("scope", "repo"),
            ("account", "ada"),
            ("decision", "allow"),
        ];
        let web = format!("{}/github/web/login/oauth", sandbox.url);
        let decided = sandbox.http.post(format!("{web}/authorize")).form(&form).send().await.unwrap();
        let back = url::Url::parse(decided.headers()["location"].to_str().unwrap()).unwrap();
        let code = back.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
        let form = [("client_id", "sandbox-client"), ("client_secret", "sandbox-secret"), ("code", &code)];
        let request = sandbox.http.post(format!("{web}/access_token")).header("accept", "application/json").form(&form);
        let tokens: Value = request.send().await.unwrap().json().await.unwrap();
        let token = tokens["access_token"].as_str().unwrap().to_owned();
        let mut github = Self { sandbox, token, lamp: 0 };
        github.lamp = github.get("repos/lighthouse/lamp").await["id"].as_u64().unwrap();
        github
    }

    async fn get(&self, path: &str) -> Value {
        self.get_as(path, "application/vnd.github+json").await
    }

    async fn get_as(&self, path: &str, accept: &str) -> Value {
        let request = self.sandbox.http.get(format!("{}/github/api/{path}", self.sandbox.url)).bearer_auth(&self.token);
        let answer = request.header("accept", accept).header("user-agent", "test").send().await.unwrap();
        let status = answer.status();
        let said: Value = answer.json().await.unwrap_or(Value::Null);
        assert!(status.is_success(), "{path}: {status} {said}");
        said
    }

    async fn act(&self, act: Value) -> Value {
        self.sandbox.control("POST", "github/do", act).await
    }
}

#[tokio::test]
async fn every_kind_of_answer_fits_githubs_openapi_description() {
    let official = Official::load();
    let github = GitHub::start().await;
    official.check("GET /user", "public-user", &github.get("user").await);
    official.check_all("GET /user/repos", "repository", &github.get("user/repos").await);
    let lamp = "repos/lighthouse/lamp";
    official.check("a repository by number", "repository", &github.get(&format!("repositories/{}", github.lamp)).await);
    let issues = github.get(&format!("{lamp}/issues?state=all")).await;
    official.check_all("issues", "issue", &issues);
    let pull =
        issues.as_array().unwrap().iter().find(|issue| issue.get("pull_request").is_some()).unwrap()["number"].clone();
    official.check("an issue", "issue", &github.get(&format!("{lamp}/issues/1")).await);
    official.check_all("comments", "issue-comment", &github.get(&format!("{lamp}/issues/1/comments")).await);
    official.check_all(
        "all comments",
        "issue-comment",
        &github.get(&format!("{lamp}/issues/comments?since=2000-01-01T00:00:00Z")).await,
    );
    official.check_all("reviews", "pull-request-review", &github.get(&format!("{lamp}/pulls/{pull}/reviews")).await);
    official.check_all(
        "remarks on lines",
        "pull-request-review-comment",
        &github.get(&format!("{lamp}/pulls/{pull}/comments")).await,
    );
    let releases = github.get(&format!("{lamp}/releases")).await;
    official.check_all("releases", "release", &releases);
    official.check("a release", "release", &github.get(&format!("{lamp}/releases/{}", releases[0]["id"])).await);
    let tree = github.get(&format!("{lamp}/git/trees/main?recursive=1")).await;
    official.check("a tree", "git-tree", &tree);
    let blob = tree["tree"].as_array().unwrap().iter().find(|entry| entry["type"] == "blob").unwrap()["sha"]
        .as_str()
        .unwrap()
        .to_owned();
    official.check("a blob", "blob", &github.get(&format!("{lamp}/git/blobs/{blob}")).await);
    official.check("a file", "content-file", &github.get(&format!("{lamp}/contents/docs/guide.md")).await);
    let commits = github.get(&format!("{lamp}/commits?path=docs/guide.md")).await;
    official.check_all("commits", "commit", &commits);
    let base = commits[0]["sha"].as_str().unwrap();
    let texts = json!({ "README.md": null, "docs/new.md": "New.", "docs/guide.md": "Changed." });
    github.act(json!({ "act": "push", "repo": github.lamp, "by": "ada", "message": "m", "texts": texts })).await;
    let comparison = github.get(&format!("{lamp}/compare/{base}...main")).await;
    official.check("a comparison", "commit-comparison", &comparison);
    assert_eq!(comparison["files"].as_array().unwrap().len(), 3);
    let hook = json!({ "name": "web", "events": ["issues"], "config": { "url": "https://127.0.0.1:9/x", "content_type": "json", "secret": "s" } });
    let made =
        github.sandbox.http.post(format!("{}/github/api/{lamp}/hooks", github.sandbox.url)).bearer_auth(&github.token);
    let made = made.header("user-agent", "test").json(&hook).send().await.unwrap();
    assert_eq!(made.status(), 201);
    official.check("a hook", "hook", &made.json().await.unwrap());
}

/// The names and kinds of an object's fields, at any depth, as paths. What is in lists counts for all of them.
fn shape(value: &Value, path: &str, found: &mut BTreeMap<String, BTreeSet<&'static str>>) {
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
    };
    found.entry(path.to_owned()).or_default().insert(kind);
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| shape(value, &format!("{path}.{name}"), found)),
        Value::Array(items) => items.iter().for_each(|item| shape(item, &format!("{path}[]"), found)),
        _ => {}
    }
}

/// Fields that GitHub's examples are too old for, and two that some of them do not happen to show.
const NEWER: &[&str] = &[
    "has_discussions",
    "web_commit_signoff_required",
    "reactions",
    "state_reason",
    "draft",
    "performed_via_github_app",
    "active_lock_reason",
    "allow_forking",
    "timeline_url",
    "release.updated_at",
    "changes.title",
    ".organization",
];

#[tokio::test]
async fn what_deliveries_say_is_what_githubs_own_examples_say() {
    let examples = read("webhooks-examples/api.github.com/index.json");
    let github = GitHub::start().await;
    let inbox = std::sync::Arc::new(std::sync::Mutex::new(Vec::<(String, Value)>::new()));
    let kept = inbox.clone();
    let take = move |headers: axum::http::HeaderMap, body: bytes::Bytes| {
        let event = headers["x-github-event"].to_str().unwrap().to_owned();
        kept.lock().unwrap().push((event, serde_json::from_slice(&body).unwrap()));
        async { "ok" }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(take)).await });
    github.act(json!({ "act": "appHook", "url": url, "secret": "s" })).await;
    let repo = github.lamp;
    for act in [
        json!({ "act": "openIssue", "repo": repo, "by": "ada", "title": "One", "body": "1" }),
        json!({ "act": "editIssue", "repo": repo, "number": 1, "by": "ada", "title": "Uno" }),
        json!({ "act": "comment", "repo": repo, "number": 1, "by": "bob", "body": "Yes" }),
        json!({ "act": "deleteIssue", "repo": repo, "number": 1, "by": "ada" }),
        json!({ "act": "openIssue", "repo": repo, "by": "ada", "title": "Pull", "body": "2", "pull": true }),
        json!({ "act": "publish", "repo": repo, "by": "ada", "tag": "v2", "name": "Two", "body": "2" }),
        json!({ "act": "discuss", "repo": repo, "by": "ada", "title": "Talk", "body": "3" }),
        json!({ "act": "push", "repo": repo, "by": "ada", "message": "m", "texts": { "a.md": "A" } }),
        json!({ "act": "renameRepo", "repo": repo, "by": "ada", "name": "lantern" }),
        json!({ "act": "uninstall", "login": "ada" }),
        json!({ "act": "revoke", "login": "ada" }),
    ] {
        github.act(act).await;
    }
    for _ in 0..100 {
        if inbox.lock().unwrap().len() >= 11 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let come = inbox.lock().unwrap().clone();
    assert!(come.len() >= 11, "{} came", come.len());
    let mut events = BTreeSet::new();
    for (event, payload) in &come {
        let official = examples.as_array().unwrap().iter().find(|one| one["name"] == json!(event));
        let official = official.unwrap_or_else(|| panic!("GitHub sends no {event}"));
        let mut known = BTreeMap::new();
        official["examples"].as_array().unwrap().iter().for_each(|example| shape(example, "", &mut known));
        let mut ours = BTreeMap::new();
        shape(payload, "", &mut ours);
        for (path, kinds) in &ours {
            // Examples are of some years ago; fields that came later are in the description of the REST API.
            let is_newer = NEWER.iter().any(|newer| path.contains(newer));
            match known.get(path) {
                Some(_) if kinds.contains("null") => {}
                Some(known) if known == &BTreeSet::from(["null"]) => {}
                Some(known) => assert!(kinds.is_subset(known), "{event}{path}: {kinds:?}, GitHub says {known:?}"),
                None => assert!(is_newer, "{event}{path} is in no example of GitHub's"),
            }
        }
        for always in ["action", "sender"] {
            assert!(payload.get(always).is_some() || event == "push", "{event} has {always}");
        }
        events.insert(event.clone());
    }
    let wanted = [
        "discussion",
        "github_app_authorization",
        "installation",
        "issue_comment",
        "issues",
        "pull_request",
        "push",
        "release",
        "repository",
    ];
    assert_eq!(events.iter().map(String::as_str).collect::<Vec<_>>(), wanted);
}

#[test]
fn octokit_lists_fetches_and_hears() {
    let sandbox = Running::start(&[]);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("official/github_octokit.mjs");
    let run = Command::new("node").arg(script).arg(node_modules()).arg(&sandbox.url).output().expect("node starts");
    let said = format!("{}{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success() && said.contains("all checks passed"), "{said}");
}
