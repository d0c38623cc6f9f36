//! Hooks of repositories and of the App: making them, and what they are sent. GitHub does not try a delivery again by itself.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use bytes::Bytes;
use serde_json::{Value, json};
use sha2::Digest;

use super::{
    api::{Answer, Said},
    error::ApiError,
    shapes,
    state::{Event, GitHub, Hook, Repo, now},
};
use crate::{
    random,
    sending::{self, Outgoing, Schedule},
    state::{Sandbox, Shared},
};

/// Events that are delivered to the App whatever it subscribed to.
const ALWAYS: &[&str] = &["installation", "installation_repositories", "github_app_authorization"];

/// The hooks of a repository.
pub fn list(github: &GitHub, repo: &Repo) -> Vec<Value> {
    github.hooks.values().filter(|hook| hook.repo == repo.id).map(|hook| shapes::hook(repo, hook)).collect()
}

/// `POST …/hooks`.
pub fn make(github: &mut GitHub, repo: u64, login: &str, body: &[u8]) -> Answer {
    let body: Value = serde_json::from_slice(body)
        .map_err(|_| ApiError::new(axum::http::StatusCode::BAD_REQUEST, "Problems parsing JSON"))?;
    let text = |name: &str| body.pointer(&format!("/config/{name}")).and_then(Value::as_str).map(str::to_owned);
    let url = text("url").filter(|url| url::Url::parse(url).is_ok());
    let Some(url) = url else {
        return Err(ApiError::invalid(vec![json!({ "resource": "Hook", "field": "url", "code": "missing_field" })]));
    };
    let same = github.hooks.values().any(|hook| hook.repo == repo && hook.url == url);
    if same {
        return Err(ApiError::invalid(vec![
            json!({ "resource": "Hook", "code": "custom", "message": "Hook already exists on this repository" }),
        ]));
    }
    if github.hooks.values().filter(|hook| hook.repo == repo).count() >= 20 {
        return Err(ApiError::invalid(vec![
            json!({ "resource": "Hook", "code": "custom", "message": "The \"push\" event cannot have more than 20 hooks" }),
        ]));
    }
    let events = body
        .get("events")
        .and_then(Value::as_array)
        .map(|events| events.iter().filter_map(Value::as_str).map(str::to_owned).collect());
    let hook = Hook {
        id: github.next_id(),
        repo,
        url,
        secret: text("secret").filter(|secret| !secret.is_empty()),
        content_type: text("content_type").unwrap_or_else(|| "form".to_owned()),
        events: events.unwrap_or_else(|| vec!["push".to_owned()]),
        active: body.get("active").and_then(Value::as_bool).unwrap_or(true),
        created: now(),
        account: login.to_owned(),
    };
    let id = hook.id;
    github.hooks.insert(id, hook.clone());
    let Some(found) = github.repos.get(&repo) else { return Err(ApiError::not_found()) };
    let shown = shapes::hook(found, &hook);
    let ping = json!({ "zen": "Keep it logically awesome.", "hook_id": id, "hook": shown });
    github.announce(repo, "ping", ping, login);
    Ok(Said::Made(shown))
}

/// `DELETE …/hooks/{id}`.
pub fn delete(github: &mut GitHub, repo: u64, hook: &str) -> Answer {
    let id = hook.parse().ok().filter(|id: &u64| github.hooks.get(id).is_some_and(|hook| hook.repo == repo));
    let id = id.ok_or_else(ApiError::not_found)?;
    github.hooks.remove(&id);
    Ok(Said::Nothing)
}

/// A delivery to be made.
struct Delivery {
    /// The hook's number; 0 for the App's.
    hook: u64,
    url: String,
    secret: Option<String>,
    is_form: bool,
    event: &'static str,
    account: String,
    payload: Value,
    target: (&'static str, u64),
}

/// Sends deliveries after changes, until the process ends.
pub async fn keep_telling(sandbox: Shared) {
    let mut changes = sandbox.changes();
    while changes.changed().await.is_ok() {
        if sandbox.read(|world| world.github.outbox.is_empty()) {
            continue;
        }
        for delivery in sandbox.write(|world| deliveries(&mut world.github)) {
            tokio::spawn(deliver(sandbox.clone(), delivery));
        }
    }
}

/// What is to be sent to whom.
fn deliveries(github: &mut GitHub) -> Vec<Delivery> {
    let events: Vec<Event> = std::mem::take(&mut github.outbox);
    let mut due = Vec::new();
    for event in events {
        let pinged = event.payload.get("hook_id").and_then(Value::as_u64);
        let hears = |hook: &&Hook| {
            let wants = hook.events.iter().any(|wanted| wanted == event.name || wanted == "*");
            Some(hook.repo) == event.repo && hook.active && pinged.map_or(wants, |id| id == hook.id)
        };
        due.extend(github.hooks.values().filter(hears).map(|hook| Delivery {
            hook: hook.id,
            url: hook.url.clone(),
            secret: hook.secret.clone(),
            is_form: hook.content_type == "form",
            event: event.name,
            account: hook.account.clone(),
            payload: event.payload.clone(),
            target: ("repository", hook.repo),
        }));
        let is_for_app = pinged.is_none() || ALWAYS.contains(&event.name);
        if let Some(app) = github.app_hook.as_ref().filter(|_| is_for_app) {
            let mut payload = event.payload.clone();
            if payload.get("installation").is_none() && event.repo.is_some() {
                shapes::merge(&mut payload, json!({ "installation": { "id": 777, "node_id": "MDIz" } }));
            }
            due.push(Delivery {
                hook: 0,
                url: app.url.clone(),
                secret: app.secret.clone(),
                is_form: false,
                event: event.name,
                account: String::new(),
                payload,
                target: ("integration", 1),
            });
        }
    }
    due
}

async fn deliver(sandbox: Shared, delivery: Delivery) {
    let json = delivery.payload.to_string();
    let body = match delivery.is_form {
        true => url::form_urlencoded::Serializer::new(String::new()).append_pair("payload", &json).finish(),
        false => json,
    };
    let headers = headers(&delivery, body.as_bytes());
    let outgoing = Outgoing {
        provider: "github",
        hook: delivery.hook.to_string(),
        number: 0,
        event: delivery.event.to_owned(),
        account: delivery.account,
        address: delivery.url,
        body: Bytes::from(body),
    };
    let schedule = Schedule {
        pauses: Vec::new(),
        timeout: Duration::from_secs(10),
        is_taken: |status| (200..300).contains(&status),
        is_retried: |_| false,
    };
    sending::send(sandbox, outgoing, schedule, move |_, _| headers.clone(), |_: &Sandbox| true).await;
}

fn headers(delivery: &Delivery, body: &[u8]) -> HeaderMap {
    let id = format!("{:08x}-{}", rand::random::<u32>(), random::letters(12).to_lowercase());
    let kind = if delivery.is_form { "application/x-www-form-urlencoded" } else { "application/json" };
    let hook = if delivery.hook == 0 { 1 } else { delivery.hook };
    let pairs = [
        ("accept", Some("*/*".to_owned())),
        ("user-agent", Some("GitHub-Hookshot/sandbox".to_owned())),
        ("content-type", Some(kind.to_owned())),
        ("x-github-event", Some(delivery.event.to_owned())),
        ("x-github-delivery", Some(id)),
        ("x-github-hook-id", Some(hook.to_string())),
        ("x-github-hook-installation-target-type", Some(delivery.target.0.to_owned())),
        ("x-github-hook-installation-target-id", Some(delivery.target.1.to_string())),
        (
            "x-hub-signature-256",
            delivery.secret.as_deref().map(|secret| format!("sha256={}", mac(secret.as_bytes(), body))),
        ),
    ];
    pairs
        .into_iter()
        .filter_map(|(name, value)| Some((HeaderName::from_static(name), HeaderValue::from_str(&value?).ok()?)))
        .collect()
}

/// HMAC-SHA256 in hexadecimal digits, RFC 2104.
fn mac(key: &[u8], body: &[u8]) -> String {
    const BLOCK: usize = 64;
    let mut block = [0_u8; BLOCK];
    let short = if key.len() > BLOCK { sha2::Sha256::digest(key).to_vec() } else { key.to_vec() };
    for (place, byte) in block.iter_mut().zip(short) {
        *place = byte;
    }
    let padded = |pad: u8| block.map(|byte| byte ^ pad);
    let inner = sha2::Sha256::new().chain_update(padded(0x36)).chain_update(body).finalize();
    hex::encode(sha2::Sha256::new().chain_update(padded(0x5c)).chain_update(inner).finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_the_one_that_githubs_documentation_shows() {
        let documented = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        assert_eq!(mac(b"It's a Secret to Everybody", b"Hello, World!"), documented);
    }

    #[test]
    fn a_hook_hears_what_it_asked_for_and_a_new_one_is_pinged() {
        let mut github = GitHub::empty();
        github.add_account("ada", "Ada", false);
        let repo = github.add_repo("ada", "app", true).unwrap();
        github.outbox.clear();
        let body =
            br#"{"events":["issues"],"config":{"url":"http://localhost/hook","content_type":"json","secret":"s"}}"#;
        assert!(make(&mut github, repo, "ada", body).is_ok());
        assert!(make(&mut github, repo, "ada", body).is_err(), "the same again");
        github.open_issue(repo, "ada", "One", "", false).unwrap();
        github.open_issue(repo, "ada", "Two", "", true).unwrap();
        let sent = deliveries(&mut github);
        assert_eq!(sent.iter().map(|one| one.event).collect::<Vec<_>>(), ["ping", "issues"]);
        assert!(headers(&sent[1], b"{}").contains_key("x-hub-signature-256"));
    }
}
