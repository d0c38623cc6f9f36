//! The OpenAPI document: written by the handlers' annotations, completed by rules that hold for all of them, and committed as
//! `infra/openapi.json`, which is what is served. A test compares the two; `UPDATE_OPENAPI=1 cargo test -p api` writes it anew.

use utoipa::openapi::{InfoBuilder, OpenApi, OpenApiBuilder};

/// The document as it is served.
pub const COMMITTED: &str = include_str!("../../../infra/openapi.json");

/// What the document says of the API as a whole.
pub fn head() -> OpenApi {
    let description = "Connects accounts at other services and keeps their content in Cognia's memory. Answers are \
                       {\"success\":true,\"data\":…}, refusals {\"success\":false,\"error\":…,\"code\":…,\"requestId\":…}; codes are stable. \
                       Times are RFC 3339, UTC.";
    let info = InfoBuilder::new()
        .title("Cognia Integrations")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(description))
        .build();
    OpenApiBuilder::new().info(info).build()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use serde_json::{Map, Value, json};

    use super::*;

    const ORGANIZATIONS: &str = "/api/organizations/{slug}/";

    /// What path parameters mean.
    fn parameter(name: &str) -> Value {
        let (meaning, example) = match name {
            "provider" => ("The provider's id", "google_drive"),
            "slug" => ("The organization's slug", "acme"),
            "jobId" => ("The sync's id", "01JD0000000000000000000001"),
            "userId" => ("The person's id", "ada"),
            other => panic!("say what the path parameter {other} means"),
        };
        json!({"name": name, "in": "path", "required": true, "description": meaning, "schema": {"type": "string"}, "example": example})
    }

    /// Adds what holds for every operation: its path's parameters, the security it asks for, the refusals it can give.
    fn complete(document: OpenApi) -> Value {
        let mut document = serde_json::to_value(document).unwrap();
        document["components"]["securitySchemes"] = json!({
            "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
            "cookie": {"type": "apiKey", "in": "cookie", "name": web::access::SESSION_COOKIE,
                "description": "What changes something is believed only with an Origin of the application or of this API."},
        });
        document["security"] = json!([{"bearer": []}, {"cookie": []}]);
        for (path, item) in document["paths"].as_object_mut().unwrap() {
            for (method, operation) in item.as_object_mut().unwrap() {
                complete_operation(path, method, operation.as_object_mut().unwrap());
            }
        }
        document
    }

    fn complete_operation(path: &str, method: &str, operation: &mut Map<String, Value>) {
        let names = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
        let mut parameters: Vec<Value> = names.map(parameter).collect();
        parameters
            .extend(operation.remove("parameters").iter_mut().flat_map(|given| given.as_array().cloned().unwrap()));
        let has_query = parameters.iter().any(|parameter| parameter["in"] == "query");
        if !parameters.is_empty() {
            operation.insert("parameters".into(), parameters.into());
        }
        if path.starts_with(ORGANIZATIONS) {
            let id = operation["operationId"].as_str().unwrap().to_owned();
            let (verb, rest) = id.split_once('_').unwrap();
            operation.insert("operationId".into(), format!("{verb}_organization_{rest}").into());
            operation.insert("tags".into(), json!(["integrations of organizations"]));
        }
        let open = operation.contains_key("security");
        let has_body = operation.contains_key("requestBody");
        // What a form may send, may be left out altogether.
        if operation
            .get("requestBody")
            .is_some_and(|body| !body["content"]["application/x-www-form-urlencoded"].is_null())
        {
            operation["requestBody"]["required"] = false.into();
        }
        let responses = operation["responses"].as_object_mut().unwrap();
        let mut add = |status: &str, description: &str| {
            let body = json!({"application/json": {"schema": {"$ref": "#/components/schemas/ErrorBody"}}});
            responses.entry(status).or_insert_with(|| json!({"description": description, "content": body}));
        };
        if open {
            return;
        }
        add("401", "No token, or one that does not hold");
        add("403", "Not allowed: the role, the plan, a page of another origin, or a deactivated account");
        add("413", "The body is larger than 1 MiB");
        add("500", "A fault of ours");
        add("503", "A dependency is down; Retry-After says when to ask again");
        if path.contains('{') {
            add("404", "Unknown, or not yours");
        }
        if has_body {
            add("400", "The body cannot be read");
        }
        if has_query {
            add("400", "The query cannot be read, or the cursor is none of this list's");
        }
        if has_body || has_query || path.contains("{slug}") && method == "put" {
            add("422", "A value that is not taken; the message names the field");
        }
    }

    fn generated() -> Value {
        complete(crate::routes::all(&crate::tests::api()).into_openapi())
    }

    #[test]
    fn the_committed_document_is_what_the_handlers_say() {
        let text = format!("{}\n", serde_json::to_string_pretty(&generated()).unwrap());
        #[expect(clippy::disallowed_methods, reason = "a switch for developers, not configuration")]
        if std::env::var("UPDATE_OPENAPI").is_ok() {
            let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/openapi.json");
            std::fs::write(file, text).unwrap();
            return;
        }
        assert!(text == COMMITTED, "infra/openapi.json is out of date: run UPDATE_OPENAPI=1 cargo test -p api");
    }

    #[test]
    fn operations_have_unique_ids_and_every_reference_leads_somewhere() {
        let document = generated();
        let mut ids = BTreeSet::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                let id = operation["operationId"].as_str().unwrap();
                assert!(ids.insert(id.to_owned()), "{method} {path}: {id} is there twice");
                assert!(operation["summary"].as_str().is_some_and(|text| text.len() > 10), "{method} {path}");
            }
        }
        let text = document.to_string();
        for reference in text.split("\"#/components/schemas/").skip(1) {
            let name = reference.split('"').next().unwrap();
            assert!(!document["components"]["schemas"][name].is_null(), "{name}");
        }
    }

    #[test]
    fn every_promised_route_is_there() {
        let document = generated();
        let personal = [
            "GET ",
            "GET /connected",
            "POST /{provider}/connect",
            "GET /{provider}/callback",
            "GET /{provider}",
            "PUT /{provider}/config",
            "POST /{provider}/sync",
            "POST /{provider}/pause",
            "POST /{provider}/resume",
            "DELETE /{provider}",
            "GET /{provider}/sync-jobs",
            "GET /{provider}/sync-jobs/{jobId}",
            "POST /{provider}/sync-jobs/{jobId}/cancel",
            "GET /{provider}/resources",
            "POST /{provider}/pending-deletes/confirm",
            "POST /{provider}/pending-deletes/discard",
        ];
        let check = |route: String| {
            let (method, path) = route.split_once(' ').unwrap();
            assert!(!document["paths"][path][method.to_lowercase()].is_null(), "{route}");
        };
        for route in personal {
            check(route.replacen(' ', " /api/integrations", 1));
            check(route.replacen(' ', " /api/organizations/{slug}/integrations", 1));
        }
        for route in [
            "GET /health",
            "GET /api/openapi.json",
            "GET /api/docs",
            "GET /api/organizations/{slug}/integrations/settings",
            "PUT /api/organizations/{slug}/integrations/settings",
            "GET /api/admin/integrations/registry",
            "PUT /api/admin/integrations/registry/{provider}",
            "GET /api/admin/integrations/dead-letters",
            "POST /api/admin/integrations/dead-letters/redrive",
            "PUT /api/admin/users/{userId}",
            "PUT /api/admin/organizations/{slug}",
            "PUT /api/admin/organizations/{slug}/members/{userId}",
            "DELETE /api/admin/organizations/{slug}/members/{userId}",
        ] {
            check(route.to_owned());
        }
    }
}
