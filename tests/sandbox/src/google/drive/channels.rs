//! `changes.watch`, `files.watch` and `channels.stop`.

use std::collections::HashMap;

use axum::{
    Json,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode},
};
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use sha2::Digest;
use url::{Host, Url};

use super::{
    caller::{Caller, Need},
    changes,
    channel::{Channel, Subject},
    content,
    params::Params,
    push, shapes,
};
use crate::{clock, google::error::ApiError, state::Shared};

const DEFAULT_LIFE: TimeDelta = TimeDelta::hours(1);
const CHANGES_MAX_LIFE: TimeDelta = TimeDelta::days(7);
const FILE_MAX_LIFE: TimeDelta = TimeDelta::hours(24);

type Fields = HashMap<String, String>;

/// `POST /changes/watch?pageToken=`.
pub async fn watch_changes(
    State(sandbox): State<Shared>,
    Query(query): Query<Fields>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, ApiError> {
    let params = Params(query);
    let wanted = Wanted::parse(&body, CHANGES_MAX_LIFE)?;
    let (channel, selection) = sandbox.write(|world| {
        let google = &mut world.google;
        let caller = Caller::recognize(google, &headers, params.text("access_token"), Need::Metadata)?;
        let selection = params.selection(shapes::CHANNEL, "*")?;
        let key = changes::feed(google, &params, &caller)?;
        let token = params.text("pageToken").ok_or_else(|| ApiError::required("pageToken"))?;
        google.feeds.place(&key, token).ok_or_else(|| ApiError::invalid_value("pageToken"))?;
        let resource_id = resource_id(&key.to_string());
        let uri = format!("https://www.googleapis.com/drive/v3/changes?alt=json&pageToken={token}");
        let channel = wanted.open(&caller, Subject::Changes(key), resource_id, uri, (0, false));
        insert(&mut google.channels, channel).map(|channel| (channel, selection))
    })?;
    push::sync(&sandbox, &channel.id);
    Ok(Json(selection.apply(shown(&channel))))
}

/// `POST /files/{id}/watch`.
pub async fn watch_file(
    State(sandbox): State<Shared>,
    Path(id): Path<String>,
    Query(query): Query<Fields>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, ApiError> {
    let params = Params(query);
    let wanted = Wanted::parse(&body, FILE_MAX_LIFE)?;
    let (channel, selection) = sandbox.write(|world| {
        let google = &mut world.google;
        let caller = Caller::recognize(google, &headers, params.text("access_token"), Need::Metadata)?;
        let selection = params.selection(shapes::CHANNEL, "*")?;
        let file = content::find(google, &id, &params, &caller)?;
        let told = (file.version, google.is_trashed(file));
        let uri = format!("https://www.googleapis.com/drive/v3/files/{id}?alt=json");
        let channel = wanted.open(&caller, Subject::File(file.id.clone()), resource_id(&id), uri, told);
        insert(&mut google.channels, channel).map(|channel| (channel, selection))
    })?;
    push::sync(&sandbox, &channel.id);
    Ok(Json(selection.apply(shown(&channel))))
}

/// `POST /channels/stop`: only for whoever opened it, through the same client.
pub async fn stop(
    State(sandbox): State<Shared>,
    Query(query): Query<Fields>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, ApiError> {
    let params = Params(query);
    let json: Value = serde_json::from_slice(&body).map_err(|_| parse_error())?;
    let text = |name: &str| json.get(name).and_then(Value::as_str).map(str::to_owned);
    let id = text("id").ok_or_else(|| ApiError::required("id"))?;
    let resource_id = text("resourceId").ok_or_else(|| ApiError::required("resourceId"))?;
    sandbox.write(|world| {
        let google = &mut world.google;
        let caller = Caller::recognize(google, &headers, params.text("access_token"), Need::Metadata)?;
        let own = google.channels.get(&id).is_some_and(|channel| {
            channel.resource_id == resource_id
                && channel.account == caller.account.email
                && channel.client == caller.client
                && channel.expires > clock::now()
        });
        if !own {
            let message = format!("Channel '{id}' not found for project");
            return Err(ApiError::new(StatusCode::NOT_FOUND, "notFound", message));
        }
        google.channels.remove(&id);
        Ok(StatusCode::NO_CONTENT)
    })
}

/// A channel as asked for, checked.
struct Wanted {
    id: String,
    address: String,
    token: Option<String>,
    expires: DateTime<Utc>,
}

impl Wanted {
    fn parse(body: &[u8], max_life: TimeDelta) -> Result<Self, ApiError> {
        let json: Value = serde_json::from_slice(body).map_err(|_| parse_error())?;
        let text = |name: &str| json.get(name).and_then(Value::as_str);
        let wrong = |reason: &str, message: &str| ApiError::new(StatusCode::BAD_REQUEST, reason, message);
        if !matches!(text("type"), Some("web_hook" | "webhook")) {
            return Err(wrong("channelTypeUnknown", "Unknown channel type"));
        }
        let id = text("id").ok_or_else(|| ApiError::required("id"))?;
        let legal = |c: char| c.is_ascii_alphanumeric() || "-_+/=".contains(c);
        if id.is_empty() || id.len() > 64 || !id.chars().all(legal) {
            return Err(wrong("channelIdInvalid", "Invalid channel id"));
        }
        let address = text("address").ok_or_else(|| ApiError::required("address"))?;
        if !is_allowed_address(address) {
            return Err(wrong("push.webhookUrlNotHttps", "WebHook callback must be HTTPS"));
        }
        let token = text("token").map(str::to_owned);
        if token.as_ref().is_some_and(|token| token.len() > 256) {
            return Err(wrong("channelTokenInvalid", "The channel token is too long"));
        }
        let now = clock::now();
        let expires = match json.get("expiration") {
            None | Some(Value::Null) => now + DEFAULT_LIFE,
            Some(value) => {
                let millis = value.as_i64().or_else(|| value.as_str()?.parse().ok());
                let asked = millis.and_then(DateTime::from_timestamp_millis).filter(|asked| *asked > now);
                asked.ok_or_else(|| wrong("invalid", "Invalid ttl value"))?.min(now + max_life)
            }
        };
        Ok(Self { id: id.to_owned(), address: address.to_owned(), token, expires })
    }

    fn open(self, caller: &Caller, subject: Subject, resource_id: String, uri: String, told: (u64, bool)) -> Channel {
        Channel {
            id: self.id,
            resource_id,
            resource_uri: uri,
            address: self.address,
            token: self.token,
            subject,
            account: caller.account.email.clone(),
            client: caller.client.clone(),
            created: clock::now(),
            expires: self.expires,
            last_message: 0,
            told,
        }
    }
}

fn insert(channels: &mut std::collections::BTreeMap<String, Channel>, channel: Channel) -> Result<Channel, ApiError> {
    channels.retain(|_, old| old.expires > clock::now());
    if channels.contains_key(&channel.id) {
        let message = format!("Channel id {} not unique", channel.id);
        return Err(ApiError::new(StatusCode::BAD_REQUEST, "channelIdNotUnique", message));
    }
    channels.insert(channel.id.clone(), channel.clone());
    Ok(channel)
}

/// HTTPS, as Google demands; plain HTTP only to this machine, since the sandbox's users have no certificates there.
fn is_allowed_address(address: &str) -> bool {
    let Ok(url) = Url::parse(address) else { return false };
    let local = match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => return false,
    };
    url.scheme() == "https" || (url.scheme() == "http" && local)
}

/// Opaque and stable: the same resource has the same id on every channel.
fn resource_id(subject: &str) -> String {
    use base64::Engine;
    let digest = sha2::Sha256::digest(subject.as_bytes());
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(digest.get(..20).unwrap_or_default())
}

fn parse_error() -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, "parseError", "Parse Error")
}

fn shown(channel: &Channel) -> Value {
    let mut shown = json!({
        "kind": "api#channel",
        "id": channel.id,
        "resourceId": channel.resource_id,
        "resourceUri": channel.resource_uri,
        "expiration": channel.expires.timestamp_millis().to_string(),
    });
    if let (Some(token), Some(shown)) = (&channel.token, shown.as_object_mut()) {
        shown.insert("token".to_owned(), json!(token));
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(changes: Value, expected: Result<i64, &str>) {
        let mut body = json!({ "id": "c1", "type": "web_hook", "address": "https://example.com/hook" });
        for (key, value) in changes.as_object().unwrap() {
            body[key] = value.clone();
        }
        let found = Wanted::parse(body.to_string().as_bytes(), CHANGES_MAX_LIFE);
        let minutes = found.map(|wanted| (wanted.expires - clock::now() + TimeDelta::seconds(30)).num_minutes());
        assert_eq!(minutes.map_err(|error| error.reason), expected.map_err(str::to_owned), "{changes}");
    }

    #[test]
    fn a_channel_lives_an_hour_unless_asked_and_a_week_at_most() {
        let at = |time: DateTime<Utc>| json!({ "expiration": time.timestamp_millis() });
        check(json!({}), Ok(60));
        check(at(clock::now() + TimeDelta::hours(5)), Ok(300));
        check(at(clock::now() + TimeDelta::days(30)), Ok(7 * 24 * 60));
        check(json!({ "expiration": (clock::now() + TimeDelta::hours(2)).timestamp_millis().to_string() }), Ok(120));
        check(at(clock::now() - TimeDelta::hours(1)), Err("invalid"));
        check(json!({ "expiration": "2026-12-01T00:00:00Z" }), Err("invalid"));
    }

    #[test]
    fn channels_have_a_type_an_id_and_a_safe_address() {
        check(json!({ "type": "email" }), Err("channelTypeUnknown"));
        check(json!({ "id": "x".repeat(65) }), Err("channelIdInvalid"));
        check(json!({ "token": "x".repeat(257) }), Err("channelTokenInvalid"));
        check(json!({ "address": "http://example.com/hook" }), Err("push.webhookUrlNotHttps"));
        check(json!({ "address": "http://127.0.0.1:4566/hook" }), Ok(60));
        check(json!({ "address": "http://x.execute-api.localhost:4566/hook" }), Ok(60));
    }
}
