//! Every delivery of GitHub's own collection (npm `@octokit/webhooks-examples`) is read, and means what it should.
//!
//! `SANDBOX_GITHUB_NODE` names the `node_modules` that it is installed in.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "what is missing fails the test")]

use std::collections::BTreeMap;

use domain::ProviderId;
use domain::subscription::WebhookEvent;
use providers::{Delivery, Http, Registry};
use serde_json::Value;

#[expect(clippy::disallowed_methods, reason = "the test is told by its caller where the examples are installed")]
fn examples() -> Vec<Value> {
    let place = std::env::var("SANDBOX_GITHUB_NODE")
        .expect("SANDBOX_GITHUB_NODE names node_modules with @octokit; `make test` sets it");
    let text =
        std::fs::read_to_string(format!("{place}/@octokit/webhooks-examples/api.github.com/index.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn word(event: &WebhookEvent) -> &'static str {
    match event {
        WebhookEvent::Changed => "changed",
        WebhookEvent::Touched { .. } => "touched",
        WebhookEvent::Gone { .. } => "gone",
        WebhookEvent::Rearranged => "rearranged",
        WebhookEvent::Revoked => "revoked",
        WebhookEvent::Nothing => "nothing",
    }
}

#[test]
fn every_example_is_understood() {
    let registry = Registry::new(Http::new());
    let webhooks = registry.get(ProviderId::Github).webhooks().unwrap();
    let mut meant: BTreeMap<(String, String), String> = BTreeMap::new();
    let mut read = 0;
    for event in examples() {
        let name = event["name"].as_str().unwrap();
        for example in event["examples"].as_array().unwrap() {
            let headers = [("x-github-event", name), ("content-type", "application/json")];
            let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
            let delivery = Delivery { headers: headers.into(), body: example.to_string().into_bytes() };
            let events =
                webhooks.parse(&delivery).unwrap_or_else(|error| panic!("{name} {}: {error}", example["action"]));
            let action = example["action"].as_str().unwrap_or("-").to_owned();
            let words: Vec<&str> = events.iter().map(word).collect();
            meant.insert((name.to_owned(), action), words.join(" "));
            if example.get("repository").is_some_and(Value::is_object) {
                let owner = example["repository"]["owner"]["id"].to_string();
                let installed = &example["installation"]["account"]["id"];
                let expected = if installed.is_null() { owner } else { installed.to_string() };
                assert_eq!(webhooks.account_id(&delivery).unwrap().as_str(), expected, "{name}");
            }
            read += 1;
        }
    }
    assert!(read > 200, "{read} examples");
    let means = |name: &str, action: &str| meant.get(&(name.to_owned(), action.to_owned())).map(String::as_str);
    for (name, action, expected) in [
        ("issues", "opened", "touched"),
        ("issues", "edited", "touched"),
        ("issues", "deleted", "gone"),
        ("issues", "transferred", "gone"),
        ("issue_comment", "created", "touched"),
        ("issue_comment", "deleted", "touched"),
        ("pull_request", "opened", "touched"),
        ("pull_request_review", "submitted", "touched"),
        ("pull_request_review_comment", "edited", "touched"),
        ("pull_request_review_thread", "resolved", "touched"),
        ("discussion", "created", "touched"),
        ("discussion", "transferred", "gone"),
        ("discussion_comment", "edited", "touched"),
        ("release", "published", "touched"),
        ("release", "deleted", "gone"),
        ("repository", "renamed", "changed"),
        ("repository", "transferred", "rearranged"),
        ("installation", "deleted", "revoked"),
        ("installation", "suspend", "rearranged"),
        ("installation_repositories", "removed", "rearranged"),
        ("github_app_authorization", "revoked", "revoked"),
        ("ping", "-", "nothing"),
        ("star", "created", "nothing"),
        ("fork", "-", "nothing"),
        ("check_run", "completed", "nothing"),
    ] {
        assert_eq!(means(name, action), Some(expected), "{name} {action}");
    }
}
