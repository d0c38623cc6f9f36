//! The operations of the API, out of the document that it serves.

use anyhow::{Context as _, bail};
use serde_json::Value;
use testkit::{Actor, Stack};

/// An operation.
#[derive(Debug, Clone)]
pub struct Operation {
    pub method: String,
    /// With its parameters in braces.
    pub path: String,
    /// Whether anybody may call it.
    pub open: bool,
    /// The schema of its JSON body, its references followed one step.
    pub body: Option<Value>,
    /// Whether the body may be left out.
    pub body_optional: bool,
    /// Names of its query's parameters.
    pub query: Vec<String>,
    /// Whether it takes an `Idempotency-Key`.
    pub takes_key: bool,
}

/// What fills the gaps in a path.
#[derive(Debug, Clone)]
pub struct Names<'a> {
    pub provider: &'a str,
    pub slug: &'a str,
    pub job: &'a str,
    pub user: &'a str,
}

impl Operation {
    /// Whose integrations it is about, if it is about any.
    pub fn of_organization(&self) -> bool {
        self.path.starts_with("/api/organizations/")
    }

    pub fn of_person(&self) -> bool {
        self.path.starts_with("/api/integrations")
    }

    pub fn administrative(&self) -> bool {
        self.path.starts_with("/api/admin/")
    }

    pub fn changes(&self) -> bool {
        self.method != "GET"
    }

    pub fn has(&self, parameter: &str) -> bool {
        self.path.contains(&format!("{{{parameter}}}"))
    }

    /// Whether only an organization's administrators may call it. Looking through the account shows names of all that is in it.
    pub fn for_administrators(&self) -> bool {
        self.changes() || self.path.ends_with("/browse")
    }

    /// The path with its gaps filled.
    pub fn at(&self, names: &Names) -> anyhow::Result<String> {
        let path = self.path.replace("{provider}", names.provider).replace("{slug}", names.slug);
        let path = path.replace("{jobId}", names.job).replace("{userId}", names.user);
        if path.contains('{') {
            bail!("say what fills the gap in {path}");
        }
        Ok(path)
    }
}

/// The document as it is served.
pub async fn document(stack: &Stack) -> anyhow::Result<Value> {
    let answer = Actor::new(&stack.api_url, None)?.get("/api/openapi.json").await?;
    assert_eq!(answer.status, 200, "{}", answer.body);
    Ok(answer.body)
}

/// Every operation of the document.
pub async fn all(stack: &Stack) -> anyhow::Result<Vec<Operation>> {
    let document = document(stack).await?;
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().context("a document without paths")? {
        for (method, operation) in item.as_object().context("a path without operations")? {
            found.push(read(&document, path, method, operation));
        }
    }
    assert!(found.len() > 50, "only {} operations", found.len());
    Ok(found)
}

fn read(document: &Value, path: &str, method: &str, operation: &Value) -> Operation {
    let named = |place: &str| -> Vec<String> {
        let all = operation["parameters"].as_array().into_iter().flatten();
        let here = all.filter(|parameter| parameter["in"] == place);
        here.filter_map(|parameter| parameter["name"].as_str().map(str::to_owned)).collect()
    };
    let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
    let followed = match schema["$ref"].as_str().and_then(|reference| reference.rsplit('/').next()) {
        Some(name) => &document["components"]["schemas"][name],
        None => schema,
    };
    Operation {
        method: method.to_uppercase(),
        path: path.to_owned(),
        open: operation.get("security").is_some(),
        body: (!followed.is_null()).then(|| followed.clone()),
        body_optional: operation["requestBody"]["required"] != true,
        query: named("query"),
        takes_key: named("header").iter().any(|name| name == "Idempotency-Key"),
    }
}
