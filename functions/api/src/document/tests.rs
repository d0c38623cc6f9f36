//! The document is what the handlers say, leads nowhere, and promises every route of the contract.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use super::complete::complete;
use super::*;

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
        "GET /{provider}/browse",
        "POST /{provider}/credentials",
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
        "GET /api/admin/integrations/sync-jobs",
        "GET /api/admin/integrations/sync-jobs/{jobId}",
        "GET /api/admin/integrations/stats",
        "GET /api/admin/audit",
        "GET /api/admin/users",
        "GET /api/admin/users/{userId}",
        "PUT /api/admin/users/{userId}",
        "GET /api/admin/organizations",
        "GET /api/admin/organizations/{slug}",
        "PUT /api/admin/organizations/{slug}",
        "GET /api/admin/organizations/{slug}/members",
        "PUT /api/admin/organizations/{slug}/members/{userId}",
        "DELETE /api/admin/organizations/{slug}/members/{userId}",
    ] {
        check(route.to_owned());
    }
}
