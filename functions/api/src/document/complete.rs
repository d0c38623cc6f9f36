//! What holds for every operation, whoever wrote it: its path's parameters, the security it asks for, the refusals it can give,
//! the headers of its answers, and an example of everything.

use domain::ProviderId;
use http::Method;
use serde_json::{Map, Value, json};
use utoipa::openapi::OpenApi;

use super::{examples, refusals};
use crate::idempotency;

const ORGANIZATIONS: &str = "/api/organizations/{slug}/";
const ADMINISTRATION: &str = "/api/admin/";

/// An operation that is being completed.
pub struct Operation<'a> {
    pub path: &'a str,
    pub method: Method,
    /// Its id, without the word `organization`.
    pub id: String,
    /// Whether anybody may call it.
    pub open: bool,
    pub has_body: bool,
    pub has_query: bool,
    pub has_cursor: bool,
}

impl Operation<'_> {
    pub fn of_organization(&self) -> bool {
        self.path.starts_with(ORGANIZATIONS)
    }

    pub fn administrative(&self) -> bool {
        self.path.starts_with(ADMINISTRATION)
    }

    pub fn takes_key(&self) -> bool {
        idempotency::kept_for(&self.method, self.path).is_some()
    }

    pub fn changes(&self) -> bool {
        self.method != Method::GET
    }
}

/// The handlers' document, completed.
pub fn complete(document: OpenApi) -> Value {
    let mut document = serde_json::to_value(document).unwrap();
    document["components"]["securitySchemes"] = json!({
        "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
        "cookie": {"type": "apiKey", "in": "cookie", "name": web::access::SESSION_COOKIE,
            "description": "What changes something is believed only with an Origin of the application or of this API."},
    });
    document["security"] = json!([{"bearer": []}, {"cookie": []}]);
    let components = document["components"]["schemas"].clone();
    for (path, item) in document["paths"].as_object_mut().unwrap() {
        for (method, operation) in item.as_object_mut().unwrap() {
            complete_operation(path, method, operation.as_object_mut().unwrap());
            examples::fill(operation, &components);
        }
    }
    document
}

fn complete_operation(path: &str, method: &str, operation: &mut Map<String, Value>) {
    let id = operation["operationId"].as_str().unwrap().to_owned();
    let given = operation.remove("parameters").and_then(|given| given.as_array().cloned()).unwrap_or_default();
    let of = Operation {
        path,
        method: method.to_uppercase().parse().unwrap(),
        id: id.clone(),
        open: operation.contains_key("security"),
        has_body: operation.contains_key("requestBody"),
        has_query: given.iter().any(|parameter| parameter["in"] == "query"),
        has_cursor: given.iter().any(|parameter| parameter["name"] == "cursor"),
    };
    let names = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let mut parameters: Vec<Value> = names.map(parameter).collect();
    parameters.extend(given);
    if of.takes_key() {
        parameters.push(key_parameter());
    }
    if !parameters.is_empty() {
        operation.insert("parameters".into(), parameters.into());
    }
    if of.of_organization() {
        let (verb, rest) = id.split_once('_').unwrap();
        operation.insert("operationId".into(), format!("{verb}_organization_{rest}").into());
        operation.insert("tags".into(), json!(["integrations of organizations"]));
    }
    // What a form may send, may be left out altogether.
    if operation.get("requestBody").is_some_and(|body| !body["content"]["application/x-www-form-urlencoded"].is_null())
    {
        operation["requestBody"]["required"] = false.into();
    }
    let responses = operation["responses"].as_object_mut().unwrap();
    refusals::add(&of, responses);
    for (status, response) in responses.iter_mut() {
        headers(&of, status, response.as_object_mut().unwrap());
    }
}

/// What path parameters mean, and what they may be.
fn parameter(name: &str) -> Value {
    let providers: Vec<&str> = ProviderId::ALL.iter().map(|id| id.as_str()).collect();
    let ulid = json!({"type": "string", "pattern": "^[0-7][0-9A-HJKMNP-TV-Z]{25}$"});
    let (meaning, example, schema) = match name {
        "provider" => ("The provider's id", "google_drive", json!({"type": "string", "enum": providers})),
        "slug" => (
            "The organization's slug",
            "acme",
            json!({"type": "string", "pattern": "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", "minLength": 1, "maxLength": 64}),
        ),
        "jobId" => ("The sync's id", "01JD0000000000000000000001", ulid),
        "userId" => ("The person's id", "ada", json!({"type": "string", "minLength": 1, "maxLength": 128})),
        other => panic!("say what the path parameter {other} means"),
    };
    json!({"name": name, "in": "path", "required": true, "description": meaning, "schema": schema, "example": example})
}

fn key_parameter() -> Value {
    json!({
        "name": "Idempotency-Key", "in": "header", "required": false,
        "description": "A word of the client's own, such as a UUID. The same request under the same key is done once; its answer is \
                        given again for a day (of `connect`, for ten minutes).",
        "schema": {"type": "string", "minLength": 1, "maxLength": idempotency::MAX_KEY_CHARS, "pattern": "^[!-~]+$"},
        "example": "8e03978e-40d5-43dd-bc93-6894a57f9324",
    })
}

/// The headers that answers of a status carry.
fn headers(of: &Operation, status: &str, response: &mut Map<String, Value>) {
    let mut headers = response.remove("headers").and_then(|given| given.as_object().cloned()).unwrap_or_default();
    let mut add = |name: &str, meaning: &str, schema: Value| {
        headers.entry(name).or_insert_with(|| json!({"description": meaning, "schema": schema}));
    };
    let text = || json!({"type": "string"});
    match status {
        "401" => add("WWW-Authenticate", "How to sign in", json!({"type": "string", "enum": ["Bearer"]})),
        "429" | "503" => {
            add("Retry-After", "Seconds until it is worth asking again", json!({"type": "integer", "minimum": 1}))
        }
        "302" | "303" => add("Location", "Where the browser goes on", json!({"type": "string", "format": "uri"})),
        _ => {}
    }
    if status.starts_with('2') && of.takes_key() {
        add(
            "Idempotency-Replayed",
            "There if the answer was given before, under the same key",
            json!({"type": "string", "enum": ["true"]}),
        );
    }
    if of.id == "connect_integration" && matches!(status, "200" | "303") {
        add("Set-Cookie", "Ties the flow to this browser; the callback needs it", text());
    }
    if !headers.is_empty() {
        response.insert("headers".into(), headers.into());
    }
}
