//! The Events API: each change is told to the app's one address, signed, and tried again three times.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use bytes::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use super::state::{Slack, Untold};
use crate::{
    clock,
    deliveries::Attempt,
    random,
    sending::{Outgoing, Schedule, send},
    state::Shared,
};

/// How long Slack waits for an answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// Sends events after changes, until the process ends.
pub async fn keep_telling(sandbox: Shared) {
    let mut changes = sandbox.changes();
    // Where nothing is set, events go where the host application's API takes them.
    let usual = sandbox.app.as_ref().map(|app| format!("{}/api/webhooks/integrations/slack", app.api_url));
    while changes.changed().await.is_ok() {
        // Asked first, because a write rings the bell again.
        if sandbox.read(|world| world.slack.untold.is_empty()) {
            continue;
        }
        let (outgoing, secret, retry_ms) = sandbox.write(|world| {
            let slack = &mut world.slack;
            let untold = std::mem::take(&mut slack.untold);
            let outgoing: Vec<Outgoing> =
                untold.iter().filter_map(|event| last_words(slack, event, usual.as_deref())).collect();
            (outgoing, slack.app.signing_secret.clone(), slack.settings.webhook_retry_ms)
        });
        for message in outgoing {
            let (secret, body) = (secret.clone(), message.body.clone());
            let headers = move |attempt: u32, last: Option<&Attempt>| headers(&secret, &body, attempt, last);
            tokio::spawn(send(sandbox.clone(), message, schedule(retry_ms), headers, |_| true));
        }
    }
}

/// The delivery of an event. That it was removed is the last that an app hears of a workspace.
fn last_words(slack: &mut Slack, untold: &Untold, usual: Option<&str>) -> Option<Outgoing> {
    let outgoing = outgoing(slack, untold, usual);
    if untold.event.get("type").and_then(Value::as_str) == Some("app_uninstalled")
        && let Some(workspace) = slack.workspaces.get_mut(&untold.team)
    {
        workspace.installed = false;
    }
    outgoing
}

/// At once, after a minute, after five.
fn schedule(retry_ms: u64) -> Schedule {
    let pauses = [0, retry_ms, retry_ms.saturating_mul(5)];
    Schedule {
        pauses: pauses.into_iter().map(Duration::from_millis).collect(),
        timeout: PATIENCE,
        is_taken: |status| (200..300).contains(&status),
        is_retried: |_| true,
    }
}

/// The delivery of an event, if the app has an address and anybody of it sees what happened.
fn outgoing(slack: &Slack, untold: &Untold, usual: Option<&str>) -> Option<Outgoing> {
    let address = slack.app.request_url.clone().or_else(|| usual.map(str::to_owned))?;
    let workspace = slack.workspaces.get(&untold.team).filter(|workspace| workspace.installed)?;
    let sees = |user: &str| match &untold.channel {
        Some(channel) => workspace.channels.get(channel).is_some_and(|channel| channel.members.contains(user)),
        None => true,
    };
    // The app itself where it sees it, else somebody who has let it act for them.
    let people = slack.grants.of(&untold.team).filter(|token| !token.is_bot).map(|token| token.user.as_str());
    let user = std::iter::once(workspace.bot.as_str()).chain(people).find(|user| sees(user))?;
    let event_id = format!("Ev0{}", random::letters(10).to_ascii_uppercase());
    let kind = untold.event.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
    let body = json!({
        "token": "legacy-verification-token",
        "team_id": workspace.id,
        "context_team_id": workspace.id,
        "context_enterprise_id": null,
        "api_app_id": slack.app.id,
        "event": untold.event,
        "type": "event_callback",
        "event_id": event_id,
        "event_time": clock::now().timestamp(),
        "authorizations": [{ "enterprise_id": null, "team_id": workspace.id, "user_id": user,
            "is_bot": user == workspace.bot, "is_enterprise_install": false }],
        "is_ext_shared_channel": false,
        "event_context": format!("4-{event_id}"),
    });
    Some(Outgoing {
        provider: "slack",
        hook: slack.app.id.clone(),
        number: 0,
        event: kind,
        account: workspace.id.clone(),
        address,
        body: Bytes::from(body.to_string()),
    })
}

/// The headers of an attempt. Each is signed anew, for its own moment.
pub fn headers(secret: &str, body: &[u8], attempt: u32, last: Option<&Attempt>) -> HeaderMap {
    let timestamp = clock::now().timestamp().to_string();
    let signature = format!("v0={}", hex::encode(mac(secret.as_bytes(), &[b"v0:", timestamp.as_bytes(), b":", body])));
    let mut pairs = vec![
        ("content-type", "application/json".to_owned()),
        ("user-agent", "Slackbot 1.0 (+https://api.slack.com/robots)".to_owned()),
        ("x-slack-request-timestamp", timestamp),
        ("x-slack-signature", signature),
    ];
    if let Some(last) = last {
        let reason = match (last.status, &last.error) {
            (Some(_), _) => "http_error",
            (None, Some(error)) if error.contains("timed out") || error.contains("operation timed") => "http_timeout",
            (None, _) => "connection_failed",
        };
        pairs.push(("x-slack-retry-num", (attempt - 1).to_string()));
        pairs.push(("x-slack-retry-reason", reason.to_owned()));
    }
    let pair = |(name, value): (&'static str, String)| {
        Some((HeaderName::from_static(name), HeaderValue::from_str(&value).ok()?))
    };
    pairs.into_iter().filter_map(pair).collect()
}

/// HMAC-SHA256 over all parts in a row.
fn mac(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    // Keys of any length are taken.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Vec::new() };
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().to_vec()
}

/// Asks a new address for what only its owner's program answers: the challenge. Nothing is saved that does not.
pub async fn verify(sandbox: &Shared, address: &str) -> Result<(), String> {
    let challenge = random::letters(52);
    let body =
        json!({ "token": "legacy-verification-token", "challenge": challenge, "type": "url_verification" }).to_string();
    let secret = sandbox.read(|world| world.slack.app.signing_secret.clone());
    let request = sandbox.http.post(address).headers(headers(&secret, body.as_bytes(), 1, None)).body(body);
    let answer = request.timeout(PATIENCE).send().await.map_err(|error| error.without_url().to_string())?;
    let status = answer.status();
    let said = answer.text().await.unwrap_or_default();
    let in_json = serde_json::from_str::<Value>(&said).ok();
    let in_json = in_json.as_ref().and_then(|json| json.get("challenge")?.as_str());
    if status.is_success() && (said.trim() == challenge || in_json == Some(&challenge)) {
        return Ok(());
    }
    Err(format!("the address answered {status} and not the challenge"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slack::{change::Post, state::Kind};

    #[test]
    fn the_signature_is_the_one_in_slacks_documents() {
        let body = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
        let signed = mac(b"8f742231b10e8888abcd99yyyzzz85a5", &[b"v0:", b"1531420618", b":", body.as_bytes()]);
        assert_eq!(hex::encode(signed), "a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503");
    }

    #[test]
    fn only_what_the_app_sees_is_told_and_only_where_it_is_installed() {
        let mut slack = Slack::default();
        let team = slack.add_workspace(None, "Acme", "acme").unwrap();
        let ada = slack.add_person(&team, "ada@example.com", "Ada").unwrap();
        let open = slack.add_channel(&team, None, "general", Kind::Public, std::slice::from_ref(&ada), true).unwrap();
        let closed = slack.add_channel(&team, None, "secret", Kind::Private, &[ada], false).unwrap();
        slack.app.request_url = Some("http://localhost/hook".to_owned());
        slack.untold.clear();
        for channel in [&open, &closed] {
            slack.post(Post { channel: channel.clone(), text: "hi".to_owned(), ..Post::default() }).unwrap();
        }
        let told = |slack: &Slack| slack.untold.iter().filter_map(|event| outgoing(slack, event, None)).count();
        assert_eq!(told(&slack), 0, "it is not installed");
        slack.workspaces.get_mut(&team).unwrap().installed = true;
        assert_eq!((slack.untold.len(), told(&slack)), (2, 1));
    }
}
