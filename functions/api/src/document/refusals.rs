//! The refusals that an operation can give: by what it asks of its caller, takes and does. Each with the codes it may carry.

use serde_json::{Map, Value, json};

use super::complete::Operation;

/// Adds the refusals that the handler has not described itself, and to all of them examples of their codes.
pub fn add(of: &Operation, responses: &mut Map<String, Value>) {
    if of.open {
        return;
    }
    for (status, description) in statuses(of) {
        responses.entry(status).or_insert_with(|| json!({"description": description}));
    }
    for (status, response) in responses.iter_mut().filter(|(status, _)| status.starts_with(['4', '5'])) {
        let examples: Map<String, Value> = codes(of, status)
            .into_iter()
            .map(|(code, words)| (code.to_owned(), example(status, code, words)))
            .collect();
        assert!(!examples.is_empty(), "say which codes {} gives with {status}", of.id);
        let schema = json!({"$ref": "#/components/schemas/ErrorBody"});
        response["content"] = json!({"application/json": {"schema": schema, "examples": examples}});
    }
}

fn example(status: &str, code: &str, words: &str) -> Value {
    let mut value =
        json!({"success": false, "error": words, "code": code, "requestId": "5f0c6a52-2f1c-4f0e-9d1b-0e6f0c1b2a3d"});
    if status == "402" {
        value["limit"] = if code == "quota_exceeded" { "integrations".into() } else { "sync_frequency".into() };
        value["allowed"] = "1".into();
        value["plan"] = "free".into();
        value["upgrade"] = "pro".into();
    }
    json!({ "value": value })
}

/// The statuses that follow from what the operation is like.
fn statuses(of: &Operation) -> Vec<(&'static str, &'static str)> {
    let mut found = vec![
        ("401", "No token, or one that does not hold"),
        ("403", "Not allowed: the role, the plan, a page of another origin, or a deactivated account"),
        ("413", "The body is larger than 1 MiB"),
        ("500", "A fault of ours"),
        ("503", "A dependency is down; Retry-After says when to ask again"),
    ];
    if of.path.contains('{') {
        found.push(("404", "Unknown, or not yours"));
    }
    if of.has_body || of.has_query || of.takes_key() {
        found.push(("400", "The body, the query, the cursor or the Idempotency-Key cannot be read"));
        found.push(("422", "A value that is not taken; the message names the field"));
    }
    if of.takes_key() {
        found.push(("409", "Not in this state; or the same request is under way"));
    }
    if of.administrative() && of.path.contains("{slug}") && of.changes() {
        found.push(("422", "A value that is not taken; the message names the field"));
    }
    found
}

/// The codes that a status may carry here, with words for people.
fn codes(of: &Operation, status: &str) -> Vec<(&'static str, &'static str)> {
    let mut found = Vec::new();
    let mut add = |when: bool, code: &'static str, words: &'static str| {
        if when {
            found.push((code, words));
        }
    };
    let id = of.id.as_str();
    match status {
        "400" => {
            add(of.has_body, "malformed", "the body is not valid JSON");
            add(of.has_query && !of.has_body, "malformed", "the query cannot be read");
            add(of.has_cursor, "bad_cursor", "cursor: not a cursor of this list");
            add(of.takes_key(), "bad_idempotency_key", "Idempotency-Key: from 1 to 255 visible characters");
        }
        "401" => {
            add(true, "unauthenticated", "please sign in");
            add(true, "invalid_token", "the token is not valid; please sign in again");
            add(true, "session_expired", "the session has expired; please sign in again");
        }
        "402" => add(
            true,
            "quota_exceeded",
            "the plan free allows 1 integration; disconnect one first, or change to the plan pro",
        ),
        "403" => {
            add(of.administrative(), "not_an_admin", "only administrators of the platform may do this");
            let admins_only = of.changes() || id == "browse_integration";
            add(
                of.of_organization() && admins_only,
                "role_too_low",
                "only administrators of the organization may do this",
            );
            add(of.changes(), "foreign_origin", "this page may not act for you here");
            let connects =
                matches!(id, "connect_integration" | "put_credentials" | "set_credentials" | "store_credentials");
            add(connects, "provider_disabled", "this provider is switched off at present");
            add(connects, "not_in_plan", "this provider is not part of the plan free; it is in pro, enterprise");
            add(true, "account_inactive", "this account has been deactivated");
        }
        "404" => {
            add(of.of_organization(), "unknown_organization", "there is no such organization, or you are no member");
            add(of.path.contains("{provider}"), "unknown_provider", "there is no such provider");
            add(
                of.path.contains("{provider}") && !of.administrative(),
                "not_connected",
                "this provider is not connected",
            );
            add(id == "browse_integration", "unknown_parent", "parent: there is nothing of this id to look into");
            add(of.path.contains("{jobId}"), "unknown_job", "there is no such sync");
            add(of.administrative() && of.path.contains("{userId}"), "unknown_user", "this cannot be a user's id");
            add(
                of.administrative() && of.path.contains("{slug}"),
                "unknown_organization",
                "there is no such organization",
            );
        }
        "409" => {
            add(
                id == "connect_integration",
                "provider_not_configured",
                "this provider has not been set up by the operator yet",
            );
            add(id == "connect_integration", "not_oauth", "this provider is not connected by signing in there");
            add(id.contains("credentials"), "not_by_credentials", "this provider is connected by signing in there");
            add(
                matches!(id, "sync_integration" | "resume_integration" | "browse_integration"),
                "reconnect_needed",
                "the provider no longer accepts this connection; connect it again",
            );
            add(id == "sync_integration", "paused", "this integration is paused; resume it first");
            add(id == "cancel_sync_job", "job_ended", "this sync has ended already");
            add(id.ends_with("_deletes"), "nothing_pending", "no deletions wait for a decision");
            let connected = of.path.contains("{provider}") && !of.administrative() && !id.starts_with("connect");
            add(connected, "not_connected", "this integration is disconnected; connect it again first");
            add(of.takes_key(), "request_in_progress", "the same request is under way; ask again for its answer");
        }
        "413" => add(true, "too_large", "the body is larger than 1 MiB"),
        "422" => {
            add(true, "invalid_value", "limit: must be from 1 to 100");
            add(
                id == "configure_integration" || id == "put_registry_entry",
                "invalid_config",
                "config: folders: must be a list",
            );
            add(id.contains("credentials"), "credentials_refused", "the provider does not accept these credentials");
            add(
                of.takes_key(),
                "idempotency_key_reused",
                "this Idempotency-Key was used for another body; use a new one",
            );
        }
        "429" => add(true, "rate_limited", "the account's limit at the provider is reached; please try again later"),
        "503" => add(true, "unavailable", "this cannot be done right now; please try again shortly"),
        "500" => add(true, "internal", "something went wrong on our side"),
        _ => {}
    }
    found
}
