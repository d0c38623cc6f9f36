//! Webhooks as Notion sends them: signed with the verification token, several changes in one message, tried again up to eight times.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, header};
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use super::{
    news::News,
    state::{Hook, Notion, uuid},
};
use crate::{
    clock::rfc3339,
    sending::{self, Outgoing, Schedule},
    state::{Sandbox, Shared},
};

const ATTEMPTS: u32 = 8;
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(30);

/// Sends messages after changes, until the process ends.
pub async fn keep_telling(sandbox: Shared) {
    let mut changes = sandbox.changes();
    while changes.changed().await.is_ok() {
        if sandbox.read(|world| world.notion.news.is_empty()) {
            continue;
        }
        let aggregate = sandbox.read(|world| world.notion.settings.aggregate_ms);
        tokio::time::sleep(Duration::from_millis(aggregate)).await;
        let (hook, messages, first) = sandbox.write(|world| {
            let notion = &mut world.notion;
            let news = std::mem::take(&mut notion.news);
            (notion.hook.clone(), messages(notion, news), notion.settings.webhook_retry_ms)
        });
        let Some(url) = address(&sandbox, &hook) else { continue };
        for message in messages {
            tokio::spawn(deliver(sandbox.clone(), hook.clone(), url.clone(), message, first));
        }
    }
}

/// Where messages go: the subscription's address, or the product's where its API is known.
fn address(sandbox: &Sandbox, hook: &Hook) -> Option<String> {
    let own = || sandbox.app.as_ref().map(|app| format!("{}/api/webhooks/integrations/notion", app.api_url));
    hook.url.clone().or_else(own)
}

/// A message to be sent, without its attempt's number.
struct Message {
    account: String,
    kind: String,
    body: Value,
}

/// One message for each thing that changed in one way; none about what no connection sees.
fn messages(notion: &Notion, news: Vec<News>) -> Vec<Message> {
    let mut all: Vec<News> = Vec::new();
    for one in news {
        match all.iter_mut().find(|earlier| earlier.entity == one.entity && earlier.kind == one.kind) {
            Some(earlier) => {
                merge(&mut earlier.data, &one.data);
                earlier.at = one.at;
            }
            None => all.push(one),
        }
    }
    all.into_iter().filter_map(|news| message(notion, &news)).collect()
}

fn merge(earlier: &mut Value, later: &Value) {
    for name in ["updated_blocks", "updated_properties"] {
        let more = later.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
        if let Some(list) = earlier.get_mut(name).and_then(Value::as_array_mut) {
            list.extend(more);
        }
    }
}

fn message(notion: &Notion, news: &News) -> Option<Message> {
    // What is gone for good is seen by whoever is in the workspace.
    let about = notion.nodes.get(&news.about);
    let sees = |bot: &&super::grants::Bot| {
        bot.workspace == news.workspace
            && about.is_none_or(|node| notion.is_shared(node, &bot.workspace, bot.pages.as_ref()))
    };
    let bots: Vec<_> = notion.grants.live().filter(sees).collect();
    let account = bots.first()?.account.clone();
    let body = json!({
        "id": uuid(),
        "timestamp": rfc3339(news.at),
        "workspace_id": news.workspace,
        "workspace_name": notion.workspaces.get(&news.workspace).map(|workspace| workspace.name.clone()),
        "subscription_id": notion.hook.id,
        "integration_id": notion.hook.id,
        "type": news.kind,
        "authors": [{ "id": news.author, "type": "person" }],
        "accessible_by": bots.iter().map(|bot| json!({ "id": bot.id, "type": "bot" })).collect::<Vec<_>>(),
        "api_version": "2026-03-11",
        "entity": { "id": news.entity.0, "type": news.entity.1 },
        "data": news.data,
    });
    Some(Message { account, kind: news.kind.clone(), body })
}

async fn deliver(sandbox: Shared, hook: Hook, url: String, message: Message, first_pause_ms: u64) {
    let outgoing = Outgoing {
        provider: "notion",
        hook: hook.id.clone(),
        number: 0,
        event: message.kind,
        account: message.account,
        address: url.clone(),
        body: Bytes::new(),
    };
    let pauses = (0..ATTEMPTS - 1).map(|number| Duration::from_millis(first_pause_ms.saturating_mul(1 << number)));
    let schedule = Schedule {
        pauses: pauses.collect(),
        timeout: ATTEMPT_TIMEOUT,
        is_taken: |status| (200..300).contains(&status),
        is_retried: |_| true,
    };
    let body = message.body;
    let make = move |number: u32, _: Option<&crate::deliveries::Attempt>| {
        let mut body = body.clone();
        if let Some(fields) = body.as_object_mut() {
            fields.insert("attempt_number".to_owned(), json!(number));
        }
        let bytes = Bytes::from(body.to_string());
        (headers(Some(&hook.secret), &bytes), bytes)
    };
    sending::send_each(sandbox, outgoing, schedule, make, move |sandbox| {
        address(sandbox, &sandbox.read(|world| world.notion.hook.clone())).as_deref() == Some(url.as_str())
    })
    .await;
}

/// Offers the verification token to an address, as when a subscription is made: once, and unsigned.
pub async fn offer(sandbox: Shared, url: String) {
    let hook = sandbox.read(|world| world.notion.hook.clone());
    let body = Bytes::from(json!({ "verification_token": hook.secret }).to_string());
    let outgoing = Outgoing {
        provider: "notion",
        hook: hook.id,
        number: 0,
        event: "verification".to_owned(),
        account: String::new(),
        address: url,
        body: body.clone(),
    };
    let schedule = Schedule {
        pauses: Vec::new(),
        timeout: ATTEMPT_TIMEOUT,
        is_taken: |status| (200..300).contains(&status),
        is_retried: |_| false,
    };
    sending::send(sandbox, outgoing, schedule, |_, _| headers(None, &body), |_| false).await;
}

fn headers(secret: Option<&str>, body: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(value) = secret.and_then(|secret| HeaderValue::from_str(&signature(secret, body)).ok()) {
        headers.insert("x-notion-signature", value);
    }
    headers
}

/// HMAC-SHA256 of the body under the verification token.
fn signature(secret: &str, body: &[u8]) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return String::new() };
    mac.update(body);
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notion::change::NewPage;

    #[test]
    fn the_documented_example_is_signed_so() {
        let body = br#"{"verification_token":"secret_tMrlL1qK5vuQAh1b6cZGhFChZTSYJlce98V0pYn7yBl"}"#;
        assert_eq!(
            signature("secret_tMrlL1qK5vuQAh1b6cZGhFChZTSYJlce98V0pYn7yBl", body),
            "sha256=461e8cbcba8a75c3edd866f0e71280f5a85cbf21eff040ebd10fe266df38a735"
        );
    }

    #[test]
    fn changes_of_one_kind_share_a_message_and_nobody_hears_of_what_is_not_shared() {
        let mut notion = Notion::default();
        notion.add_person("ada", "Ada", None);
        let page = notion.add_page("ada", NewPage { title: "A", text: "x", ..NewPage::default() }).unwrap();
        for text in ["y", "z"] {
            notion.write_page("ada", &page, text).unwrap();
        }
        let news = std::mem::take(&mut notion.news);
        assert!(messages(&notion, news.clone()).is_empty(), "nobody is connected");
        let code = crate::notion::grants::Code {
            client: "sandbox-client".into(),
            account: "ada".into(),
            pages: None,
            redirect_uri: String::new(),
            expires: crate::clock::now(),
        };
        let workspace = notion.people["ada"].workspace.clone();
        let bot = notion.grants.connect(&code, &workspace);
        notion.grants.issue_refresh(&bot.id);
        let sent = messages(&notion, news);
        let kinds: Vec<&str> = sent.iter().map(|message| message.kind.as_str()).collect();
        assert_eq!(kinds, ["page.created", "page.content_updated"]);
        assert_eq!(sent[1].body["data"]["updated_blocks"].as_array().unwrap().len(), 2);
        assert_eq!(sent[0].body["accessible_by"][0]["id"], json!(bot.id));
    }
}
