//! What deliveries mean, and which are refused.

use std::collections::BTreeMap;

use chrono::DateTime;
use domain::ProviderSettings;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::json;
use sha2::Sha256;

use super::*;
use crate::error::Kind;
use crate::testing::{config, settings};

const SECRET: &str = "signing-secret";
const NOW: i64 = 1_767_323_050;

fn delivery(body: impl ToString) -> Delivery {
    Delivery { headers: BTreeMap::new(), body: body.to_string().into_bytes() }
}

fn signed(body: impl ToString, at: i64) -> Delivery {
    let mut delivery = delivery(body);
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(format!("v0:{at}:").as_bytes());
    mac.update(&delivery.body);
    let signature = format!("v0={}", hex::encode(mac.finalize().into_bytes()));
    delivery.headers.insert("x-slack-request-timestamp".to_owned(), at.to_string());
    delivery.headers.insert("x-slack-signature".to_owned(), signature);
    delivery
}

fn expected(settings: Option<&ProviderSettings>) -> Expected<'_> {
    Expected { settings, subscription: None, now: DateTime::from_timestamp(NOW, 0).unwrap() }
}

fn with_secret() -> ProviderSettings {
    ProviderSettings { signing_secret: Some(SECRET.into()), ..settings(&[]) }
}

fn callback(event: Value) -> Value {
    json!({"token": "legacy", "team_id": "T0ACME", "enterprise_id": null, "api_app_id": "A0APP", "type": "event_callback",
        "event_id": "Ev0ABC123", "event_time": 1_767_323_045, "event": event,
        "authorizations": [{"enterprise_id": null, "team_id": "T0ACME", "user_id": "U0BOT", "is_bot": true, "is_enterprise_install": false}]})
}

fn said(event: Value) -> Result<Vec<String>, Kind> {
    let words = |event: WebhookEvent| match event {
        WebhookEvent::Touched { external_id, .. } => format!("touched {external_id}"),
        WebhookEvent::Gone { external_id, .. } => format!("gone {external_id}"),
        other => format!("{other:?}"),
    };
    let events = Events.parse(&delivery(callback(event))).map_err(|error| error.kind)?;
    Ok(events.into_iter().map(words).collect())
}

fn check(event: Value, expected: &[&str]) {
    assert_eq!(said(event.clone()).unwrap(), expected, "{event}");
}

#[test]
fn a_message_touches_its_thread() {
    let message = |more: Value| {
        let mut event = json!({"type": "message", "channel": "C0GEN", "channel_type": "channel", "user": "U0ANA", "text": "hi",
            "ts": "1767323045.000200", "event_ts": "1767323045.000200"});
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        event
    };
    check(message(json!({})), &["touched C0GEN/1767323045.000200"]);
    check(message(json!({"thread_ts": "1767322000.000100"})), &["touched C0GEN/1767322000.000100"]);
    check(
        message(json!({"subtype": "thread_broadcast", "thread_ts": "1767322000.000100"})),
        &["touched C0GEN/1767322000.000100"],
    );
    check(
        message(json!({"subtype": "file_share", "files": [{"id": "F1"}]})),
        &["touched C0GEN/1767323045.000200", "touched C0GEN/F1"],
    );
    check(message(json!({"subtype": "bot_message", "bot_id": "B1"})), &["touched C0GEN/1767323045.000200"]);
    check(message(json!({"subtype": "channel_join"})), &["Nothing"]);
    check(message(json!({"channel_type": "mpim"})), &["Changed"]);
}

#[test]
fn a_change_or_deletion_is_about_the_message_inside_and_not_about_its_own_ts() {
    let event = |subtype: &str, more: Value| {
        let mut event = json!({"type": "message", "subtype": subtype, "channel": "C0GEN", "channel_type": "channel", "hidden": true,
            "ts": "1767323045.000200", "event_ts": "1767323045.000200"});
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        event
    };
    let old = "1767322000.000100";
    check(
        event("message_changed", json!({"message": {"ts": old, "text": "new"}})),
        &["touched C0GEN/1767322000.000100"],
    );
    let reply = json!({"ts": "1767322900.000100", "thread_ts": old});
    check(event("message_changed", json!({"message": reply})), &["touched C0GEN/1767322000.000100"]);
    // A deleted parent whose replies live on.
    let tombstone = json!({"ts": old, "thread_ts": old, "subtype": "tombstone", "reply_count": 1});
    check(event("message_changed", json!({"message": tombstone})), &["touched C0GEN/1767322000.000100"]);
    let without_replies = json!({"ts": old, "subtype": "tombstone"});
    check(event("message_changed", json!({"message": without_replies})), &["gone C0GEN/1767322000.000100"]);
    let file_gone = json!({"ts": old, "text": "see", "files": [{"id": "F1", "mode": "tombstone"}]});
    check(
        event("message_changed", json!({"message": file_gone})),
        &["touched C0GEN/1767322000.000100", "gone C0GEN/F1"],
    );
    let deleted = |before: Value| event("message_deleted", json!({"deleted_ts": old, "previous_message": before}));
    check(deleted(json!({"ts": old})), &["gone C0GEN/1767322000.000100"]);
    check(deleted(json!({"ts": old, "thread_ts": "1767321000.000100"})), &["touched C0GEN/1767321000.000100"]);
    check(deleted(json!({"ts": old, "reply_count": 3})), &["touched C0GEN/1767322000.000100"]);
    check(deleted(json!({"ts": old, "files": [{"id": "F1"}]})), &["gone C0GEN/1767322000.000100", "touched C0GEN/F1"]);
    check(event("message_deleted", json!({"deleted_ts": old})), &["gone C0GEN/1767322000.000100"]);
}

#[test]
fn files_channels_and_the_app_itself_are_told_of() {
    check(json!({"type": "file_shared", "file_id": "F1", "channel_id": "C1"}), &["touched C1/F1"]);
    check(json!({"type": "file_change", "file_id": "F1"}), &["Changed"]);
    check(json!({"type": "file_deleted", "file_id": "F1", "channel_ids": ["C1", "C2"]}), &["gone C1/F1", "gone C2/F1"]);
    check(json!({"type": "file_deleted", "file_id": "F1"}), &["Nothing"]);
    for kind in ["channel_deleted", "channel_left", "group_left", "channel_archive"] {
        check(json!({"type": kind, "channel": "C1"}), &["Rearranged"]);
    }
    check(json!({"type": "channel_rename", "channel": {"id": "C1", "name": "new"}}), &["Rearranged"]);
    check(json!({"type": "member_joined_channel", "user": "U0BOT", "channel": "C1"}), &["Changed"]);
    check(json!({"type": "member_joined_channel", "user": "U0ANA", "channel": "C1"}), &["Nothing"]);
    check(json!({"type": "member_left_channel", "user": "U0BOT", "channel": "C1"}), &["Rearranged"]);
    check(json!({"type": "app_uninstalled"}), &["Revoked"]);
    check(json!({"type": "tokens_revoked", "tokens": {"oauth": ["U1"], "bot": ["U0BOT"]}}), &["Revoked"]);
    check(json!({"type": "reaction_added"}), &["Nothing"]);
    check(json!({}), &["Nothing"]);
    let limited =
        delivery(json!({"type": "app_rate_limited", "team_id": "T0ACME", "minute_rate_limited": 1_767_323_040}));
    assert_eq!(Events.parse(&limited).unwrap(), [WebhookEvent::Changed]);
}

#[test]
fn what_makes_no_sense_is_malformed_and_a_pressed_button_is_ignored() {
    let malformed = |event: Value| assert!(matches!(said(event.clone()), Err(Kind::Malformed(_))), "{event}");
    malformed(json!({"type": "message", "channel": "C1"}));
    malformed(json!({"type": "message", "channel": "../x", "ts": "1767323045.000200"}));
    malformed(json!({"type": "message", "channel": "C1", "ts": "1767323045.0002"}));
    malformed(json!({"type": "message", "subtype": "message_changed", "channel": "C1", "ts": "1767323045.000200"}));
    malformed(json!({"type": "message", "subtype": "message_deleted", "channel": "C1", "ts": "1767323045.000200"}));
    malformed(json!({"type": "file_shared", "channel_id": "C1"}));
    for body in ["", "{", "[]", "7", "{}", r#"{"type":"event_callback"}"#] {
        assert!(Events.parse(&delivery(body)).is_err(), "{body}");
    }
    assert_eq!(Events.parse(&delivery("payload=%7B%7D")).unwrap(), [WebhookEvent::Nothing]);
}

#[test]
fn guarantee_34_only_what_is_signed_within_five_minutes_passes() {
    let (settings, body) = (with_secret(), callback(json!({"type": "app_uninstalled"})));
    let verdict = |delivery: &Delivery, settings| Events.verify(delivery, expected(settings)).is_ok();
    let good = signed(&body, NOW);
    assert!(verdict(&good, Some(&settings)));
    assert!(
        verdict(&signed(&body, NOW - 300), Some(&settings)) && !verdict(&signed(&body, NOW - 301), Some(&settings))
    );
    let without_secret = crate::testing::settings(&[]);
    assert!(!verdict(&good, None) && !verdict(&good, Some(&without_secret)));
    assert!(!verdict(&delivery(&body), Some(&settings)));
    let mut altered = good.clone();
    altered.body[10] ^= 1;
    assert!(!verdict(&altered, Some(&settings)));
    let mut later = good;
    later.headers.insert("x-slack-request-timestamp".to_owned(), (NOW + 1).to_string());
    assert!(!verdict(&later, Some(&settings)));
}

#[test]
fn the_handshake_gives_the_challenge_back_only_where_it_is_signed() {
    let settings = with_secret();
    let asked = json!({"token": "t", "challenge": "3eZbrw1aBm2rZgRNFdxV", "type": "url_verification"});
    let answer = Events.handshake(&signed(&asked, NOW), expected(Some(&settings))).unwrap().unwrap();
    assert_eq!((answer.content_type, answer.body.as_str()), ("text/plain", "3eZbrw1aBm2rZgRNFdxV"));
    assert!(Events.handshake(&delivery(&asked), expected(Some(&settings))).unwrap().is_err());
    assert!(Events.handshake(&signed(&asked, NOW), expected(None)).unwrap().is_err());
    for challenge in [json!(null), json!("x".repeat(257)), json!("a b"), json!("<script>\n")] {
        let asked = json!({"challenge": challenge, "type": "url_verification"});
        assert!(Events.handshake(&signed(&asked, NOW), expected(Some(&settings))).unwrap().is_err(), "{challenge}");
    }
    let other = signed(callback(json!({"type": "app_uninstalled"})), NOW);
    assert!(Events.handshake(&other, expected(Some(&settings))).is_none());
}

#[test]
fn a_delivery_names_the_installation_and_itself() {
    let of = |body: Value| Events.account_id(&delivery(body)).map(|id| id.to_string());
    assert_eq!(of(callback(json!({}))).as_deref(), Some("T0ACME"));
    let shared =
        json!({"team_id": "T0OTHER", "authorizations": [{"team_id": "T0ACME", "is_enterprise_install": false}]});
    assert_eq!(of(shared).as_deref(), Some("T0ACME"));
    let whole = json!({"authorizations": [{"enterprise_id": "E1", "team_id": "T1", "is_enterprise_install": true}]});
    assert_eq!(of(whole).as_deref(), Some("E1"));
    assert_eq!(of(json!({"type": "app_rate_limited", "team_id": "T0ACME"})).as_deref(), Some("T0ACME"));
    assert_eq!(of(json!({"type": "url_verification"})), None);
    let id = |body: Value| Events.delivery_id(&delivery(body));
    assert_eq!(id(callback(json!({}))).as_deref(), Some("Ev0ABC123"));
    assert_eq!((id(json!({"event_id": "a#b"})), id(json!({"event_id": ""}))), (None, None));
}

#[test]
fn an_event_concerns_those_who_sync_its_channel() {
    let at = DateTime::UNIX_EPOCH;
    let check = |settings: Value, id: &str, concerns: bool| {
        let event = WebhookEvent::Touched { external_id: ExternalId::new(id).unwrap(), at };
        assert_eq!(Events.concerns(&config(settings.clone()), &event), concerns, "{settings} {id}");
    };
    check(json!({}), "C1/1767323045.000200", true);
    check(json!({}), "D1/1767323045.000200", false);
    check(json!({"directMessages": true}), "D1/1767323045.000200", true);
    check(json!({"channels": ["C2"]}), "C1/1767323045.000200", false);
    check(json!({"channels": ["C2"]}), "C2/F1", true);
    check(json!({"files": false}), "C2/F1", false);
    check(json!({"since": "2026-02-01T00:00:00Z"}), "C1/1767323045.000200", false);
    let gone = WebhookEvent::Gone { external_id: ExternalId::new("C1/F1").unwrap(), reason: DeleteReason::Removed, at };
    assert!(Events.concerns(&config(json!({"channels": ["C2"]})), &gone));
}

#[test]
fn the_samples_are_authentic_and_mean_what_they_say() {
    let sample = |text: &str, at: i64| {
        let event: Value = serde_json::from_str(text).unwrap();
        let headers = event["headers"].as_object().unwrap().iter();
        let headers = headers.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect();
        let delivery = Delivery { headers, body: event["body"].as_str().unwrap().as_bytes().to_vec() };
        let settings = ProviderSettings { signing_secret: Some("cognia-test-secret".into()), ..settings(&[]) };
        let expected =
            Expected { settings: Some(&settings), subscription: None, now: DateTime::from_timestamp(at, 0).unwrap() };
        Events.verify(&delivery, expected).unwrap();
        (Events.handshake(&delivery, expected), Events.parse(&delivery).unwrap())
    };
    let handshake = include_str!("../../../../../events/webhook-slack-handshake.json");
    assert_eq!(sample(handshake, 1_700_000_000).0.unwrap().unwrap().body, "abc");
    let (handshake, events) = sample(include_str!("../../../../../events/webhook-slack-message.json"), 1_767_323_045);
    assert!(
        handshake.is_none()
            && matches!(events.as_slice(), [WebhookEvent::Touched { external_id, .. }] if external_id.as_str() == "C0GENERAL/1767323045.000200")
    );
}
