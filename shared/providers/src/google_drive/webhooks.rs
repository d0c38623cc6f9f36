//! Notification channels: one per change feed. A delivery says that something changed, never what.

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta};
use domain::IntegrationConfig;
use domain::subscription::{Subscription, WebhookEvent};
use subtle::ConstantTimeEq as _;

use super::client::{Api, malformed};
use super::cursor::ChangeCursor;
use crate::error::ProviderError;
use crate::http::Http;
use crate::provider::{Access, Delivery, Expected, NewSubscription, NotAuthentic, Registered, Webhooks};
use crate::signature;

/// Name of the scope that is the person's own feed; every other scope is a shared drive's id.
const USER: &str = "user";
/// Longest life of a channel on a change feed.
const LIFE: TimeDelta = TimeDelta::days(7);
/// Life of a channel whose end Drive does not say: its default.
const UNSAID_LIFE: TimeDelta = TimeDelta::hours(1);

/// Drive's channels over this client.
pub struct Channels {
    http: Http,
}

impl Channels {
    /// Channels over this client.
    pub const fn new(http: Http) -> Self {
        Self { http }
    }
}

fn drive_of(scope: &str) -> Option<&str> {
    (scope != USER).then_some(scope)
}

#[async_trait]
impl Webhooks for Channels {
    fn subscription_id(&self, delivery: &Delivery) -> Option<String> {
        delivery.header("x-goog-channel-id").filter(|id| !id.is_empty() && id.len() <= 64).map(str::to_owned)
    }

    fn needs_settings(&self) -> bool {
        false
    }

    /// There is no signature: the channel's token must be the one that we gave it, and channel and resource must be the stored ones.
    fn verify(&self, delivery: &Delivery, expected: Expected<'_>) -> Result<(), NotAuthentic> {
        let subscription = expected.subscription.ok_or(NotAuthentic("unknown channel"))?;
        let token = delivery.header("x-goog-channel-token").ok_or(NotAuthentic("no token"))?;
        if !signature::token_matches(token, &subscription.token_sha256) {
            return Err(NotAuthentic("wrong token"));
        }
        if delivery.header("x-goog-channel-id") != Some(subscription.id.as_str()) {
            return Err(NotAuthentic("another channel"));
        }
        // The first message may arrive before the answer that tells the resource's id was stored; the token has to do then.
        if let Some(resource) = &subscription.provider_id {
            let given = delivery.header("x-goog-resource-id").ok_or(NotAuthentic("no resource"))?;
            if !bool::from(given.as_bytes().ct_eq(resource.as_bytes())) {
                return Err(NotAuthentic("another resource"));
            }
        }
        Ok(())
    }

    /// Message numbers grow within a channel.
    fn delivery_id(&self, delivery: &Delivery) -> Option<String> {
        let channel = self.subscription_id(delivery)?;
        let number = delivery.header("x-goog-message-number")?;
        let is_number = !number.is_empty() && number.len() <= 20 && number.bytes().all(|b| b.is_ascii_digit());
        is_number.then(|| format!("{channel}:{number}"))
    }

    /// `sync` is the handshake. The guide and a sample of Google's write the other state differently (`change`, `changed`), and file
    /// channels have states of their own: all of them mean that the feed has news.
    fn parse(&self, delivery: &Delivery) -> Result<Vec<WebhookEvent>, ProviderError> {
        match delivery.header("x-goog-resource-state") {
            None | Some("") => Err(malformed("a notification without a state")),
            Some("sync") => Ok(vec![WebhookEvent::Nothing]),
            Some(_) => Ok(vec![WebhookEvent::Changed]),
        }
    }

    fn scopes(&self, _config: &IntegrationConfig, change_cursor: Option<&str>) -> Vec<String> {
        let drives = change_cursor.and_then(|text| ChangeCursor::read(text).ok()).map(|cursor| cursor.drives);
        std::iter::once(USER.to_owned()).chain(drives.into_iter().flatten().map(|(id, _)| id)).collect()
    }

    async fn register(&self, access: &Access, new: &NewSubscription<'_>) -> Result<Registered, ProviderError> {
        let api = Api::new(&self.http, access);
        let drive = drive_of(new.scope);
        // The token must come from the very feed that is watched.
        let token = api.start_token(drive).await?;
        let channel = api.watch(drive, &token, new, new.now + LIFE).await?;
        let said = channel.expiration.and_then(|ms| DateTime::from_timestamp_millis(i64::try_from(ms).ok()?));
        Ok(Registered { provider_id: channel.resource_id, expires_at: Some(said.unwrap_or(new.now + UNSAID_LIFE)) })
    }

    async fn unregister(&self, access: &Access, subscription: &Subscription) -> Result<(), ProviderError> {
        // Without the resource's id it cannot be stopped; it ends by itself, and what it sends until then matches no stored channel.
        let Some(resource) = &subscription.provider_id else { return Ok(()) };
        Api::new(&self.http, access).stop(&subscription.id, resource).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Reply, Seen, Server, google};
    use base64::Engine as _;
    use domain::IntegrationId;
    use serde::Deserialize;
    use serde_json::json;
    use sha2::Digest as _;
    use std::collections::BTreeMap;

    #[derive(Deserialize)]
    struct Vector {
        id: String,
        secret: String,
        headers: BTreeMap<String, String>,
        body_base64: String,
        verdict: String,
    }

    fn vectors() -> Vec<Vector> {
        serde_json::from_str(include_str!("fixtures/webhooks.json")).unwrap()
    }

    fn delivery(vector: &Vector) -> Delivery {
        let headers = vector.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone())).collect();
        Delivery { headers, body: base64::engine::general_purpose::STANDARD.decode(&vector.body_base64).unwrap() }
    }

    fn subscription(token: &str, provider_id: Option<&str>) -> Subscription {
        Subscription {
            id: "4ba78bf0-6a47-11e2-bcfd-0800200c9a66".to_owned(),
            integration_id: IntegrationId::new(DateTime::UNIX_EPOCH),
            scope: USER.to_owned(),
            provider_id: provider_id.map(str::to_owned),
            token_sha256: sha2::Sha256::digest(token).into(),
            created_at: DateTime::UNIX_EPOCH,
            expires_at: None,
            heard_at: None,
            doubt: None,
        }
    }

    fn verify(delivery: &Delivery, subscription: Option<&Subscription>) -> Result<(), NotAuthentic> {
        let expected = Expected { settings: None, subscription, now: DateTime::UNIX_EPOCH };
        Channels::new(Http::new()).verify(delivery, expected)
    }

    #[test]
    fn every_vector_gets_its_verdict() {
        let vectors = vectors();
        assert_eq!(vectors.len(), 6);
        for vector in &vectors {
            for resource in [None, Some("ret08u3rv24htgh289g")] {
                let verdict = verify(&delivery(vector), Some(&subscription(&vector.secret, resource)));
                assert_eq!(verdict.is_ok(), vector.verdict == "accept", "{} {resource:?}", vector.id);
            }
        }
    }

    #[test]
    fn a_good_token_on_another_channel_or_resource_is_refused() {
        let vector = vectors().remove(0);
        let good = delivery(&vector);
        let check = |delivery: &Delivery, subscription: &Subscription, reason: &'static str| {
            assert_eq!(verify(delivery, Some(subscription)), Err(NotAuthentic(reason)));
        };
        assert_eq!(verify(&good, None), Err(NotAuthentic("unknown channel")));
        check(&good, &subscription(&vector.secret, Some("another")), "another resource");
        let elsewhere = Subscription { id: "other".to_owned(), ..subscription(&vector.secret, None) };
        check(&good, &elsewhere, "another channel");
        let mut bare = good.clone();
        bare.headers.remove("x-goog-resource-id");
        check(&bare, &subscription(&vector.secret, Some("ret08u3rv24htgh289g")), "no resource");
    }

    #[test]
    fn the_handshake_starts_nothing_and_any_other_state_asks_for_the_feed() {
        let check = |state: &str, events: Option<Vec<WebhookEvent>>| {
            let headers = BTreeMap::from([("x-goog-resource-state".to_owned(), state.to_owned())]);
            let delivery = Delivery { headers, body: br#"{"kind":"drive#changes"}"#.to_vec() };
            assert_eq!(Channels::new(Http::new()).parse(&delivery).ok(), events, "{state}");
        };
        check("sync", Some(vec![WebhookEvent::Nothing]));
        for state in ["change", "changed", "add", "trash", "new-word"] {
            check(state, Some(vec![WebhookEvent::Changed]));
        }
        check("", None);
    }

    #[test]
    fn the_same_delivery_has_the_same_id_and_nonsense_has_none() {
        let channels = Channels::new(Http::new());
        let mut delivery = delivery(&vectors().remove(0));
        assert_eq!(channels.delivery_id(&delivery).unwrap(), "4ba78bf0-6a47-11e2-bcfd-0800200c9a66:10");
        delivery.headers.insert("x-goog-message-number".to_owned(), "1#2".to_owned());
        assert_eq!(channels.delivery_id(&delivery), None);
        delivery.headers.insert("x-goog-channel-id".to_owned(), "x".repeat(65));
        assert_eq!(channels.subscription_id(&delivery), None);
    }

    #[test]
    fn there_is_a_channel_for_every_feed() {
        let scopes = |cursor| Channels::new(Http::new()).scopes(&IntegrationConfig::default(), cursor);
        assert_eq!(scopes(None), ["user"]);
        assert_eq!(scopes(Some("garbage")), ["user"]);
        assert_eq!(scopes(Some(r#"{"v":1,"user":"1","drives":{"0A":"2","0B":"3"}}"#)), ["user", "0A", "0B"]);
    }

    #[tokio::test]
    async fn a_channel_is_made_on_the_feed_whose_token_it_watches() {
        let answer = async |expiration: serde_json::Value| {
            let server = Server::start(move |request: &Seen| match request.path.as_str() {
                "/drive/v3/changes/startPageToken" => Reply::json(200, json!({"startPageToken": "4711"})),
                _ => Reply::json(200, json!({"resourceId": "res", "expiration": expiration})),
            })
            .await;
            let address = "https://us.example/hook".parse().unwrap();
            let token = "channel-token".into();
            let new = NewSubscription {
                id: "channel",
                token: &token,
                address: &address,
                scope: "0A",
                now: DateTime::UNIX_EPOCH,
            };
            let made = Channels::new(Http::new()).register(&google(&server), &new).await.unwrap();
            (made, server.seen())
        };
        let week = DateTime::UNIX_EPOCH + LIFE;
        let (made, seen) = answer(json!("604800000")).await;
        assert_eq!(made, Registered { provider_id: Some("res".to_owned()), expires_at: Some(week) });
        assert_eq!((seen[0].query("driveId"), seen[1].query("driveId")), ("0A", "0A"));
        assert_eq!((seen[0].method.as_str(), seen[1].method.as_str()), ("GET", "POST"));
        assert_eq!((seen[1].query("pageToken"), seen[1].path.as_str()), ("4711", "/drive/v3/changes/watch"));
        let body: serde_json::Value = serde_json::from_str(&seen[1].body).unwrap();
        assert_eq!(
            body,
            json!({"id": "channel", "type": "web_hook", "address": "https://us.example/hook",
            "token": "channel-token", "expiration": 604_800_000})
        );
        assert_eq!(answer(json!(604_800_000)).await.0.expires_at, Some(week));
        assert_eq!(answer(json!(null)).await.0.expires_at, Some(DateTime::UNIX_EPOCH + UNSAID_LIFE));
    }

    #[tokio::test]
    async fn a_channel_that_is_gone_counts_as_stopped() {
        let check = async |status, stops: bool| {
            let server = Server::start(move |_| Reply::json(status, "")).await;
            let stopped =
                Channels::new(Http::new()).unregister(&google(&server), &subscription("t", Some("res"))).await;
            assert_eq!(stopped.is_ok(), stops, "{status}");
            let body: serde_json::Value = serde_json::from_str(&server.seen()[0].body).unwrap();
            assert_eq!(body["resourceId"], "res");
        };
        check(204, true).await;
        check(404, true).await;
        check(503, false).await;
    }
}
