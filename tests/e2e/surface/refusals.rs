//! Bad input, for every route: the status, the code, the envelope, and that nothing has changed.

use anyhow::ensure;
use serde_json::{Value, json};
use testkit::people::{self, Wanted};
use testkit::{Actor, Answer};

use crate::cast::{Cast, REGISTRY};
use crate::routes::{self, Names, Operation};

/// A sync that nobody has.
const NO_JOB: &str = "01JD0000000000000000000001";

/// A request that is to be refused.
struct Case<'a> {
    why: &'static str,
    actor: &'a Actor,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: Option<String>,
    status: u16,
    code: &'static str,
}

impl<'a> Case<'a> {
    fn new(why: &'static str, actor: &'a Actor, path: String, status: u16, code: &'static str) -> Self {
        Self { why, actor, path, headers: Vec::new(), body: None, status, code }
    }

    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    fn json(mut self, body: impl Into<String>) -> Self {
        self.body = Some(body.into());
        self.with("content-type", "application/json")
    }
}

/// Callers whose credential is worth nothing, or not enough.
struct Credentials {
    nobody: Actor,
    nonsense: Actor,
    unsigned: Actor,
    expired: Actor,
    /// A good token, to be sent as a cookie.
    cookie: String,
}

impl Credentials {
    async fn of(cast: &Cast) -> anyhow::Result<Self> {
        let (stack, store) = (&cast.world.stack, &cast.world.store);
        let at = |token: Option<&str>| Actor::new(&stack.api_url, token.map(str::to_owned));
        let wanted = Wanted::user(cast.world.user.as_str());
        let expired = people::token(stack, store, &wanted.clone().for_seconds(-5)).await?;
        Ok(Self {
            nobody: at(None)?,
            nonsense: at(Some("x.y.z"))?,
            unsigned: at(Some("eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZGEiLCJleHAiOjQxMDI0NDQ4MDB9."))?,
            expired: at(Some(&expired))?,
            cookie: people::token(stack, store, &wanted).await?,
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_refuses_bad_input_in_its_words_and_nothing_changes() -> anyhow::Result<()> {
    let cast = Cast::new("refused").await?;
    // What may be connected stays the same meanwhile.
    let _same = REGISTRY.read().await;
    let credentials = Credentials::of(&cast).await?;
    let operations = routes::all(&cast.world.stack).await?;
    let before = cast.traces().await?;
    let mut wrong = Vec::new();
    let mut sent = 0;
    for operation in &operations {
        for case in cases(operation, &cast, &credentials)? {
            let headers: Vec<_> = case.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let answer = case.actor.send_with(&operation.method, &case.path, &headers, case.body.clone()).await?;
            sent += 1;
            if let Err(reason) = check(&answer, case.status, case.code) {
                wrong.push(format!("{} {} ({}): {reason:#}", operation.method, operation.path, case.why));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {sent} requests:\n{}", wrong.len(), wrong.join("\n"));
    assert!(sent > 500, "only {sent} requests");
    let after = cast.traces().await?;
    assert_eq!(before, after, "a request that was refused has left a trace");
    Ok(())
}

/// A refusal as the contract has it.
fn check(answer: &Answer, status: u16, code: &str) -> anyhow::Result<()> {
    let body = &answer.body;
    ensure!(
        answer.status == status && answer.code() == Some(code),
        "wanted {status} {code}, got {} {body}",
        answer.status
    );
    ensure!(body["success"] == false, "no envelope: {body}");
    ensure!(body["error"].as_str().is_some_and(|text| !text.is_empty()), "no words for people: {body}");
    ensure!(body["requestId"].as_str().is_some_and(|text| !text.is_empty()), "no request id: {body}");
    let kind = answer.headers.get("content-type").map(String::as_str);
    ensure!(kind == Some("application/json"), "announced as {kind:?}");
    ensure!(status != 401 || answer.headers.contains_key("www-authenticate"), "a 401 says how to sign in");
    Ok(())
}

/// Everything that is wrong with one operation's requests.
fn cases<'a>(of: &'a Operation, cast: &'a Cast, by: &'a Credentials) -> anyhow::Result<Vec<Case<'a>>> {
    if of.open {
        return Ok(Vec::new());
    }
    let there = cast.names(of.of_organization());
    let path = of.at(&there)?;
    // Who may do it, so that nothing but the input is wrong.
    let able = if of.administrative() {
        &cast.platform
    } else if of.of_organization() {
        &cast.admin
    } else {
        &cast.world.person
    };
    let mut cases = credentials(of, &path, by, cast);
    cases.extend(rights(of, &path, &there, cast)?);
    cases.extend(ids(of, &there, able)?);
    cases.extend(queries(of, &path, able));
    cases.extend(bodies(of, &path, able));
    if of.takes_key {
        for key in ["", "two words", &"k".repeat(256)] {
            let case = Case::new("a key that is none", able, path.clone(), 400, "bad_idempotency_key");
            cases.push(case.with("idempotency-key", key).json("{}"));
        }
    }
    Ok(cases)
}

fn credentials<'a>(of: &Operation, path: &str, by: &'a Credentials, cast: &'a Cast) -> Vec<Case<'a>> {
    let case = |why, actor, status, code| Case::new(why, actor, path.to_owned(), status, code);
    let mut cases = vec![
        case("no token", &by.nobody, 401, "unauthenticated"),
        case("a token that is none", &by.nonsense, 401, "invalid_token"),
        case("a token that nobody signed", &by.unsigned, 401, "invalid_token"),
        case("a token that has expired", &by.expired, 401, "session_expired"),
        case("another scheme", &by.nobody, 401, "invalid_token").with("authorization", "Basic YWRhOmE="),
        case("an account that was deactivated", &cast.inactive, 403, "account_inactive"),
    ];
    if of.changes() {
        let cookie = format!("cognia_session={}", by.cookie);
        for origin in [None, Some("https://evil.example"), Some("null")] {
            let mut from =
                case("a cookie from another's page", &by.nobody, 403, "foreign_origin").with("cookie", &cookie);
            if let Some(origin) = origin {
                from = from.with("origin", origin);
            }
            cases.push(from);
        }
    }
    cases
}

fn rights<'a>(of: &Operation, path: &str, there: &Names, cast: &'a Cast) -> anyhow::Result<Vec<Case<'a>>> {
    let mut cases = Vec::new();
    if of.administrative() {
        for (why, actor) in [("a person", &cast.world.person), ("an organization's administrator", &cast.admin)] {
            cases.push(Case::new(why, actor, path.to_owned(), 403, "not_an_admin").json("{}"));
        }
        return Ok(cases);
    }
    if of.of_organization() {
        for (why, actor) in [
            ("a stranger", &cast.other),
            ("who was a member", &cast.former),
            ("another organization's administrator", &cast.neighbour),
            ("an administrator of the platform, who is no member", &cast.platform),
        ] {
            cases.push(Case::new(why, actor, path.to_owned(), 404, "unknown_organization").json("{}"));
        }
        let nowhere = of.at(&Names { slug: "nowhere-at-all", ..there.clone() })?;
        cases.push(Case::new("no such organization", &cast.admin, nowhere, 404, "unknown_organization").json("{}"));
        if of.for_administrators() {
            for (why, actor) in [("a viewer", &cast.viewer), ("an editor", &cast.editor)] {
                cases.push(Case::new(why, actor, path.to_owned(), 403, "role_too_low").json("{}"));
            }
        }
    }
    Ok(cases)
}

fn ids<'a>(of: &Operation, there: &Names, able: &'a Actor) -> anyhow::Result<Vec<Case<'a>>> {
    let mut cases = Vec::new();
    let mut add = |why, names: Names, code| -> anyhow::Result<()> {
        cases.push(Case::new(why, able, of.at(&names)?, 404, code));
        Ok(())
    };
    if of.has("provider") {
        for provider in ["nowhere", "GOOGLE_DRIVE", "google-drive", "%00", "%F0%9F%92%A9"] {
            add("an unknown provider", Names { provider, ..there.clone() }, "unknown_provider")?;
        }
    }
    if of.has("jobId") {
        for job in [NO_JOB, "not-a-job", "%20", "00000000000000000000000000000000000000000"] {
            add("an unknown sync", Names { job, ..there.clone() }, "unknown_job")?;
        }
    }
    Ok(cases)
}

fn queries<'a>(of: &Operation, path: &str, able: &'a Actor) -> Vec<Case<'a>> {
    let mut cases = Vec::new();
    let mut add = |why, query: &str, status, code| {
        cases.push(Case::new(why, able, format!("{path}?{query}"), status, code));
    };
    for name in &of.query {
        match name.as_str() {
            "cursor" => {
                // One of another list is a cursor too; it leads to an empty page.
                for cursor in ["!!!", "%00", "AA", "gIA", &"A".repeat(3000)] {
                    add("a cursor that is none of this list's", &format!("cursor={cursor}"), 400, "bad_cursor");
                }
            }
            "limit" => {
                for limit in ["0", "101", "-1", "many", "1.5", "", "99999999999999999999"] {
                    add("a limit out of bounds", &format!("limit={limit}"), 422, "invalid_value");
                }
            }
            "purge" => add("a word that is neither true nor false", "purge=perhaps", 422, "invalid_value"),
            "status" | "queue" | "action" | "provider" | "from" | "to" => {
                add("a word that is none of the set", &format!("{name}=nonsense"), 422, "invalid_value");
            }
            // Free words: whatever they are, they only find nothing.
            _ => {}
        }
    }
    cases
}

fn bodies<'a>(of: &Operation, path: &str, able: &'a Actor) -> Vec<Case<'a>> {
    let case = |why, status, code| Case::new(why, able, path.to_owned(), status, code);
    let mut cases = Vec::new();
    if of.changes() {
        let large = format!("{{\"a\":\"{}\"}}", "x".repeat(1024 * 1024 + 1));
        cases.push(case("a body beyond the limit", 413, "too_large").json(large));
    }
    let Some(schema) = &of.body else { return cases };
    for broken in ["{", "{\"a\":}", "\u{0}", "nonsense", "{} {}"] {
        cases.push(case("no JSON", 400, "malformed").json(broken));
    }
    if !of.body_optional {
        cases.push(case("no body", 400, "malformed").json(""));
        cases.push(case("a body that is not announced as JSON", 400, "malformed").with("content-type", "text/plain"));
    }
    cases.push(Case {
        body: Some("<a/>".into()),
        ..case("XML", 400, "malformed").with("content-type", "application/xml")
    });
    for other in ["[]", "null", "1", "\"text\""] {
        cases.push(case("JSON that is no object", 422, "invalid_value").json(other));
    }
    cases.push(case("a field that is unknown", 422, "invalid_value").json(json!({"nonsense": 1}).to_string()));
    for (name, field) in fields(schema) {
        for value in wrong_types(field) {
            cases.push(case("a value of the wrong type", 422, "invalid_value").json(json!({name: value}).to_string()));
        }
    }
    cases
}

/// The fields of a body, in whichever of its forms they stand.
fn fields(schema: &Value) -> Vec<(&String, &Value)> {
    let own = schema["properties"].as_object().into_iter().flatten();
    let forms = ["oneOf", "anyOf"].into_iter().flat_map(|choice| schema[choice].as_array().into_iter().flatten());
    own.chain(forms.flat_map(|form| form["properties"].as_object().into_iter().flatten())).collect()
}

/// Values that a field of this schema cannot take.
fn wrong_types(field: &Value) -> Vec<Value> {
    let kinds: Vec<&str> = match &field["type"] {
        Value::String(kind) => vec![kind],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => return Vec::new(),
    };
    let all = [
        ("object", json!({"a": 1})),
        ("array", json!([[1]])),
        ("string", json!("\u{1}nonsense")),
        ("number", json!(1.5)),
        ("boolean", json!(true)),
    ];
    let fits = |kind: &str| kinds.contains(&kind) || (kind == "number" && kinds.contains(&"integer"));
    let mut values: Vec<Value> = all.into_iter().filter(|(kind, _)| !fits(kind)).map(|(_, value)| value).collect();
    if field.get("enum").is_some() {
        values.push(json!("NONSENSE"));
    }
    values
}
