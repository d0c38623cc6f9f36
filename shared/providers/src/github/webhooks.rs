//! Deliveries: how they are verified and registered. What they say is read in `events`.
//!
//! They come two ways. A hook that we make in a repository is delivered to its integration's own address, which carries the name of our
//! subscription; its secret is derived from that subscription and the operator's registration, and is nowhere stored. A GitHub App has
//! one hook for all that it is installed in, with the secret that the operator gave it (`signingSecret`); such a delivery is about the account
//! that owns the repository.

use async_trait::async_trait;
use chrono::TimeDelta;
use domain::subscription::{Subscription, WebhookEvent};
use domain::{AccountId, IntegrationConfig, ProviderSettings};
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::client::{Api, malformed};
use super::config::Config;
use super::cursor::ChangeCursor;
use super::events::{self, Payload};
use super::ids::Name;
use crate::error::{Kind, ProviderError};
use crate::http::Http;
use crate::provider::{
    Access, Delivery, Expected, NewSubscription, NotAuthentic, Registered, SUBSCRIPTION_HEADER, Webhooks,
};
use crate::signature;

/// The parameter of that address.
const PARAMETER: &str = "subscription";
/// Hooks that an integration makes. What else it syncs is pulled.
const MAX_HOOKS: usize = 50;
/// When a repository is tried again that does not let us make a hook: twice as long, since successors are made half way.
const REFUSED_FOR: TimeDelta = TimeDelta::days(14);
/// What hooks announce.
const EVENTS: &[&str] = &[
    "push",
    "issues",
    "issue_comment",
    "pull_request",
    "pull_request_review",
    "pull_request_review_comment",
    "discussion",
    "discussion_comment",
    "release",
    "repository",
];

/// GitHub's hooks over this client.
pub struct Hooks {
    http: Http,
}

impl Hooks {
    /// Hooks over this client.
    pub const fn new(http: Http) -> Self {
        Self { http }
    }
}

/// The secret of a subscription's hook. It follows from what both sides have, so that none needs to be kept.
fn secret(settings: &ProviderSettings, subscription: &str, token_sha256: &[u8; 32]) -> Option<SecretString> {
    let key = settings.client_secret.expose_secret().as_bytes();
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok().filter(|_| !key.is_empty())?;
    mac.update(b"github hook\n");
    mac.update(subscription.as_bytes());
    mac.update(b"\n");
    mac.update(token_sha256);
    Some(hex::encode(mac.finalize().into_bytes()).into())
}

#[async_trait]
impl Webhooks for Hooks {
    fn subscription_id(&self, delivery: &Delivery) -> Option<String> {
        delivery.header(SUBSCRIPTION_HEADER).filter(|id| !id.is_empty() && id.len() <= 64).map(str::to_owned)
    }

    fn account_id(&self, delivery: &Delivery) -> Option<AccountId> {
        if delivery.header(SUBSCRIPTION_HEADER).is_some() {
            return None;
        }
        let account = Payload::read(delivery).ok()?.account()?;
        AccountId::new(account.to_string()).ok()
    }

    fn needs_settings(&self) -> bool {
        true
    }

    fn verify(&self, delivery: &Delivery, expected: Expected<'_>) -> Result<(), NotAuthentic> {
        let settings = expected.settings.ok_or(NotAuthentic("no settings"))?;
        match (delivery.header(SUBSCRIPTION_HEADER), expected.subscription) {
            (Some(named), Some(subscription)) if named == subscription.id => {
                let secret = secret(settings, &subscription.id, &subscription.token_sha256);
                let secret = secret.ok_or(NotAuthentic("there is no secret"))?;
                signature::GITHUB.verify(delivery, secret.expose_secret().as_bytes())
            }
            (Some(_), _) => Err(NotAuthentic("unknown subscription")),
            (None, _) => {
                let secret = settings.signing_secret.as_ref().ok_or(NotAuthentic("there is no secret"))?;
                signature::GITHUB.verify(delivery, secret.expose_secret().as_bytes())
            }
        }
    }

    /// GitHub's id of the delivery, the same when it is delivered again.
    fn delivery_id(&self, delivery: &Delivery) -> Option<String> {
        let id = delivery.header("x-github-delivery")?;
        let is_id = !id.is_empty() && id.len() <= 64 && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        is_id.then(|| id.to_owned())
    }

    fn parse(&self, delivery: &Delivery) -> Result<Vec<WebhookEvent>, ProviderError> {
        let event = delivery.header("x-github-event").ok_or_else(|| malformed("a delivery without an event"))?;
        events::meaning(event, &Payload::read(delivery)?)
    }

    fn concerns(&self, config: &IntegrationConfig, event: &WebhookEvent) -> bool {
        let Ok(config) = Config::read(config) else { return false };
        match event {
            WebhookEvent::Touched { external_id, .. } | WebhookEvent::Gone { external_id, .. } => {
                let name = Name::read(external_id.as_str());
                name.is_some_and(|name| config.has_repository(name.repository) && config.has(name.what))
            }
            _ => true,
        }
    }

    /// A hook for each repository that is synced, by its number.
    fn scopes(&self, config: &IntegrationConfig, change_cursor: Option<&str>) -> Vec<String> {
        let chosen = Config::read(config).ok().and_then(|config| config.repositories);
        let found = || change_cursor.and_then(|text| ChangeCursor::read(text).ok()).map(|cursor| cursor.marks);
        let ids: Vec<u64> = match chosen {
            Some(ids) => ids.into_iter().collect(),
            None => found().into_iter().flatten().map(|mark| mark.id).collect(),
        };
        ids.into_iter().take(MAX_HOOKS).map(|id| id.to_string()).collect()
    }

    async fn register(&self, access: &Access, new: &NewSubscription<'_>) -> Result<Registered, ProviderError> {
        let repository: u64 = new.scope.parse().map_err(|_| malformed("a scope that is no repository"))?;
        let token_sha256: [u8; 32] = Sha256::digest(new.token.expose_secret()).into();
        let secret = secret(&access.settings, new.id, &token_sha256);
        let secret = secret.ok_or_else(|| super::client::error(Kind::Misconfigured("no client secret".to_owned())))?;
        let mut address = new.address.clone();
        address.query_pairs_mut().append_pair(PARAMETER, new.id);
        let body = json!({
            "name": "web",
            "active": true,
            "events": EVENTS,
            "config": {
                "url": address.as_str(),
                "content_type": "json",
                "insecure_ssl": "0",
                "secret": secret.expose_secret(),
            },
        });
        match Api::new(&self.http, access).make_hook(repository, body).await {
            Ok(hook) => Ok(Registered { provider_id: Some(hook.id.to_string()), expires_at: None }),
            // Hooks are for a repository's administrators, and few may stand on one. Such a repository is pulled, and tried again.
            Err(refused) if matches!(refused.kind, Kind::NotFound | Kind::Forbidden(_) | Kind::Rejected(_)) => {
                tracing::info!(repository, "no hook may be made in a repository; it is pulled");
                Ok(Registered { provider_id: None, expires_at: Some(new.now + REFUSED_FOR) })
            }
            Err(refused) => Err(refused),
        }
    }

    async fn unregister(&self, access: &Access, subscription: &Subscription) -> Result<(), ProviderError> {
        let (Some(hook), Ok(repository)) = (&subscription.provider_id, subscription.scope.parse()) else {
            return Ok(());
        };
        match Api::new(&self.http, access).delete_hook(repository, hook).await {
            // Whoever lost the repository lost its hooks, too.
            Err(refused) if matches!(refused.kind, Kind::NotFound | Kind::Forbidden(_)) => Ok(()),
            deleted => deleted,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use base64::Engine as _;
    use domain::{IntegrationId, Timestamp};
    use serde::Deserialize;
    use serde_json::Value;

    use super::*;
    use crate::testing::{Reply, Seen, Server, config, settings};

    #[derive(Deserialize)]
    struct Vector {
        id: String,
        provider: String,
        secret: String,
        headers: BTreeMap<String, String>,
        body_base64: String,
        verdict: String,
    }

    fn vectors() -> Vec<Vector> {
        #[derive(Deserialize)]
        struct File {
            vectors: Vec<Value>,
        }
        let file: File = serde_json::from_str(include_str!("../../tests/data/webhook-signatures.json")).unwrap();
        let ours = file.vectors.into_iter().filter(|vector| vector["provider"] == "github");
        ours.map(|vector| serde_json::from_value(vector).unwrap()).collect()
    }

    fn delivery(vector: &Vector) -> Delivery {
        let headers = vector.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone())).collect();
        Delivery { headers, body: base64::engine::general_purpose::STANDARD.decode(&vector.body_base64).unwrap() }
    }

    fn now() -> Timestamp {
        "2026-11-25T02:00:00Z".parse().unwrap()
    }

    fn subscription() -> Subscription {
        Subscription {
            id: "01JD-ours".to_owned(),
            integration_id: IntegrationId::new(now()),
            scope: "501".to_owned(),
            provider_id: Some("77".to_owned()),
            token_sha256: Sha256::digest("the-token").into(),
            created_at: now(),
            expires_at: None,
            heard_at: None,
            doubt: None,
        }
    }

    #[test]
    fn every_vector_gets_its_verdict_from_the_apps_secret() {
        let vectors = vectors();
        assert!(vectors.len() >= 10);
        for vector in vectors {
            assert_eq!(vector.provider, "github");
            let mut settings = settings(&[]);
            settings.signing_secret = Some(vector.secret.clone().into());
            let expected = Expected { settings: Some(&settings), subscription: None, now: now() };
            let verdict = Hooks::new(Http::new()).verify(&delivery(&vector), expected);
            assert_eq!(verdict.is_ok(), vector.verdict == "accept", "{}", vector.id);
        }
    }

    #[test]
    fn the_sample_event_is_authentic_and_names_issue_and_account() {
        let event: Value = serde_json::from_str(include_str!("../../../../events/webhook-github-issue.json")).unwrap();
        let headers = event["headers"].as_object().unwrap().iter();
        let headers = headers.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect();
        let sample = Delivery { headers, body: event["body"].as_str().unwrap().as_bytes().to_vec() };
        let (hooks, mut settings) = (Hooks::new(Http::new()), settings(&[]));
        settings.signing_secret = Some("sample-secret".into());
        let expected = Expected { settings: Some(&settings), subscription: None, now: now() };
        assert_eq!(hooks.verify(&sample, expected), Ok(()));
        let id = domain::ExternalId::new("501/issues/12").unwrap();
        let at = "2026-01-03T00:00:00Z".parse().unwrap();
        assert_eq!(hooks.parse(&sample).unwrap(), [WebhookEvent::Touched { external_id: id, at }]);
        assert_eq!(hooks.account_id(&sample).unwrap().as_str(), "44");
        assert_eq!(hooks.delivery_id(&sample).unwrap(), "0b989ba4-242f-11e5-81e1-c7b6966d2516");
    }

    #[test]
    fn without_a_secret_or_with_an_unknown_subscription_nothing_passes() {
        let mut good = delivery(&vectors().into_iter().find(|vector| vector.verdict == "accept").unwrap());
        let (hooks, settings) = (Hooks::new(Http::new()), settings(&[]));
        let check = |delivery: &Delivery, subscription: Option<&Subscription>, reason: &'static str| {
            let expected = Expected { settings: Some(&settings), subscription, now: now() };
            assert_eq!(hooks.verify(delivery, expected), Err(NotAuthentic(reason)));
        };
        check(&good, None, "there is no secret");
        good.headers.insert(SUBSCRIPTION_HEADER.to_owned(), "01JD-theirs".to_owned());
        check(&good, None, "unknown subscription");
        check(&good, Some(&subscription()), "unknown subscription");
        good.headers.insert(SUBSCRIPTION_HEADER.to_owned(), "01JD-ours".to_owned());
        check(&good, Some(&subscription()), "wrong signature");
        assert_eq!(hooks.account_id(&good), None, "a subscription is no account");
    }

    async fn registered(status: u16) -> (Result<Registered, Kind>, Vec<Seen>, ProviderSettings) {
        let server = Server::start(move |request: &Seen| match request.path.as_str() {
            "/repositories/501" => Reply::json(200, json!({"id": 501, "full_name": "acme/app"})),
            "/repos/acme/app/hooks" => Reply::json(status, json!({"id": 77})),
            other => panic!("{other}"),
        })
        .await;
        let settings = settings(&[("https://api.github.com", server.url())]);
        let access = Access { token: "canary".into(), settings: std::sync::Arc::new(settings.clone()) };
        let (token, address) = ("the-token".into(), "https://us.example/hook".parse().unwrap());
        let new = NewSubscription { id: "01JD-ours", token: &token, address: &address, scope: "501", now: now() };
        let made = Hooks::new(Http::new()).register(&access, &new).await.map_err(|error| error.kind);
        (made, server.seen(), settings)
    }

    #[tokio::test]
    async fn a_hook_is_made_with_a_secret_that_its_deliveries_verify_by() {
        let (made, seen, settings) = registered(201).await;
        assert_eq!(made.unwrap(), Registered { provider_id: Some("77".to_owned()), expires_at: None });
        let body: Value = serde_json::from_str(&seen[1].body).unwrap();
        assert_eq!(body["config"]["url"], "https://us.example/hook?subscription=01JD-ours");
        assert_eq!((body["config"]["content_type"].as_str(), body["active"].as_bool()), (Some("json"), Some(true)));
        let secret = body["config"]["secret"].as_str().unwrap();
        assert!(
            secret.len() == 64 && secret != hex::encode(subscription().token_sha256),
            "what is stored does not sign"
        );
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(b"{}");
        let signature = format!("sha256={}", hex::encode(mac.finalize().into_bytes()));
        let headers = [(SUBSCRIPTION_HEADER, "01JD-ours"), ("x-hub-signature-256", &signature)];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let delivery = Delivery { headers: headers.into(), body: b"{}".to_vec() };
        let subscription = subscription();
        let expected = Expected { settings: Some(&settings), subscription: Some(&subscription), now: now() };
        assert_eq!(Hooks::new(Http::new()).verify(&delivery, expected), Ok(()));
    }

    #[tokio::test]
    async fn where_no_hook_may_be_made_the_repository_is_pulled_and_tried_again_later() {
        for status in [403, 404, 422] {
            let (made, ..) = registered(status).await;
            assert_eq!(
                made.unwrap(),
                Registered { provider_id: None, expires_at: Some(now() + REFUSED_FOR) },
                "{status}"
            );
        }
        assert_eq!(registered(503).await.0.unwrap_err(), Kind::Unavailable);
        assert_eq!(registered(401).await.0.unwrap_err(), Kind::TokenRejected);
    }

    #[test]
    fn there_is_a_hook_for_each_repository_that_is_synced_up_to_fifty() {
        let scopes = |json: Value, cursor| Hooks::new(Http::new()).scopes(&config(json), cursor);
        assert_eq!(scopes(json!({"repositories": ["7", "5"]}), None), ["5", "7"]);
        assert_eq!(scopes(json!({}), Some(r#"{"v":1,"t":1,"r":[{"i":5},{"i":9}]}"#)), ["5", "9"]);
        assert_eq!(scopes(json!({}), Some("garbage")), [""; 0]);
        let many: Vec<String> = (1..=60).map(|id| id.to_string()).collect();
        assert_eq!(scopes(json!({ "repositories": many }), None).len(), MAX_HOOKS);
    }

    #[test]
    fn an_event_concerns_whoever_syncs_its_repository_and_kind() {
        let check = |json: Value, id: &str, expected: bool| {
            let event = WebhookEvent::Touched { external_id: domain::ExternalId::new(id).unwrap(), at: now() };
            assert_eq!(Hooks::new(Http::new()).concerns(&config(json.clone()), &event), expected, "{json} {id}");
        };
        check(json!({}), "501/issues/1", true);
        check(json!({"repositories": ["501"]}), "501/issues/1", true);
        check(json!({"repositories": ["502"]}), "501/issues/1", false);
        check(json!({"what": ["pulls"]}), "501/issues/1", false);
        check(json!({"what": ["pulls"]}), "501/pulls/1", true);
        assert!(Hooks::new(Http::new()).concerns(&config(json!({"what": ["pulls"]})), &WebhookEvent::Changed));
    }
}
