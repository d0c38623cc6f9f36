//! Receiving, judged without a table, and with a provider that signs: what only the later providers will exercise from outside.

use std::collections::BTreeMap;

use async_trait::async_trait;
use domain::IntegrationConfig;
use domain::subscription::Subscription;
use domain::testing::ManualClock;
use domain::{IntegrationId, UserId};
use providers::http::Http;
use providers::{Access, NewSubscription, NotAuthentic, ProviderError, Registered, signature};
use secrecy::ExposeSecret as _;
use sha2::Digest as _;

use super::*;

fn at(second: i64) -> Timestamp {
    chrono::DateTime::from_timestamp(second, 0).unwrap()
}

/// A change as Drive delivers it, and what the table knows of its channel.
fn change() -> (Delivery, Known) {
    let integration_id = IntegrationId::new(at(0));
    let id = format!("{integration_id}-01JD0000000000000000000000");
    let headers = [
        ("x-goog-channel-id", id.as_str()),
        ("x-goog-channel-token", "token"),
        ("x-goog-resource-id", "resource"),
        ("x-goog-resource-state", "change"),
        ("x-goog-message-number", "7"),
    ];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let subscription = Subscription {
        id: id.clone(),
        integration_id,
        scope: "user".to_owned(),
        provider_id: Some("resource".to_owned()),
        token_sha256: sha2::Sha256::digest("token").into(),
        created_at: at(0),
        expires_at: None,
        heard_at: None,
        doubt: None,
    };
    let owner = Owner::User(UserId::new("ada").unwrap());
    let reference = IntegrationRef { owner, provider: ProviderId::GoogleDrive, integration_id };
    let found = KnownDelivery { subscription: Some((reference, subscription)), seen: false };
    let known = Known { found, account: None, settings: None, key: None };
    (Delivery { headers: BTreeMap::from(headers), body: Vec::new() }, known)
}

fn judged(delivery: &Delivery, known: &Known, named: Option<&str>) -> Result<About, Answer> {
    let registry = providers::Registry::new(Http::new());
    let webhooks = registry.get(ProviderId::GoogleDrive).webhooks().unwrap();
    judge(webhooks, known, named, delivery, at(0))
}

#[test]
fn an_authentic_delivery_belongs_to_its_subscriptions_integration() {
    let (delivery, known) = change();
    let reference = known.found.subscription.as_ref().unwrap().0.clone();
    let named = reference.integration_id.to_string();
    assert_eq!(judged(&delivery, &known, None), Ok(About::Integration(reference.clone())));
    assert_eq!(judged(&delivery, &known, Some(&named)), Ok(About::Integration(reference)));
}

#[test]
fn what_is_forged_unknown_or_misdirected_gets_one_answer() {
    let (delivery, known) = change();
    let mut forged = delivery.clone();
    forged.headers.insert("x-goog-channel-token".to_owned(), "tokem".to_owned());
    let mut bare = delivery.clone();
    bare.headers.remove("x-goog-channel-token");
    let stranger = IntegrationId::new(at(1)).to_string();
    assert_eq!(judged(&forged, &known, None), Err(Answer::InvalidSignature));
    assert_eq!(judged(&bare, &known, None), Err(Answer::InvalidSignature));
    assert_eq!(judged(&delivery, &known, Some(&stranger)), Err(Answer::InvalidSignature));
    assert_eq!(judged(&delivery, &known, Some("nonsense")), Err(Answer::InvalidSignature));
    let unknown = Known { found: KnownDelivery::default(), ..known };
    assert_eq!(judged(&delivery, &unknown, None), Err(Answer::InvalidSignature));
}

#[test]
fn the_same_number_of_another_subscription_is_another_delivery() {
    let key = |subscription| delivery_key(ProviderId::GoogleDrive, subscription, "7");
    assert_eq!(key(Some("a")), "google_drive#a#7");
    assert_ne!(key(Some("a")), key(Some("b")));
}

#[test]
fn an_id_that_no_key_can_hold_is_not_looked_up() {
    assert!(is_plausible("01JD0000000000000000000000-01JD0000000000000000000001"));
    for id in ["", "a#b", "a b", "ä", &"x".repeat(65)] {
        assert!(!is_plausible(id), "{id}");
    }
}

/// A provider that signs as Slack does and names accounts instead of subscriptions.
struct Signing;

#[async_trait]
impl Webhooks for Signing {
    fn subscription_id(&self, _: &Delivery) -> Option<String> {
        None
    }

    fn account_id(&self, delivery: &Delivery) -> Option<AccountId> {
        AccountId::new(delivery.header("x-team")?).ok()
    }

    fn needs_settings(&self) -> bool {
        true
    }

    fn verify(&self, delivery: &Delivery, expected: Expected<'_>) -> Result<(), NotAuthentic> {
        let secret = expected.settings.and_then(|settings| settings.signing_secret.as_ref());
        let secret = secret.ok_or(NotAuthentic("there is no secret"))?.expose_secret();
        signature::slack(delivery, secret.as_bytes(), expected.now)
    }

    fn delivery_id(&self, delivery: &Delivery) -> Option<String> {
        delivery.header("x-event").map(str::to_owned)
    }

    fn parse(&self, _: &Delivery) -> Result<Vec<WebhookEvent>, ProviderError> {
        Ok(vec![WebhookEvent::Changed])
    }

    fn scopes(&self, _: &IntegrationConfig, _: Option<&str>) -> Vec<String> {
        Vec::new()
    }

    async fn register(&self, _: &Access, _: &NewSubscription<'_>) -> Result<Registered, ProviderError> {
        Ok(Registered { provider_id: None, expires_at: None })
    }

    async fn unregister(&self, _: &Access, _: &Subscription) -> Result<(), ProviderError> {
        Ok(())
    }
}

/// A delivery of team T1, signed with the secret "s" at second 1000.
fn signed() -> Delivery {
    let headers = [
        ("x-team", "T1"),
        ("x-event", "Ev1"),
        ("x-slack-request-timestamp", "1000"),
        ("x-slack-signature", "v0=e007453c0b1de422f81a684068536ca1e35e78bfd8f96abd9e38360dca63f56e"),
    ];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Delivery { headers: BTreeMap::from(headers), body: b"{}".to_vec() }
}

fn known_to(secret: Option<&str>, delivery: &Delivery) -> Known {
    let settings = serde_json::json!({ "clientId": "app", "signingSecret": secret });
    Known {
        found: KnownDelivery::default(),
        account: Signing.account_id(delivery),
        settings: Some(Arc::new(serde_json::from_value(settings).unwrap())),
        key: None,
    }
}

#[test]
fn guarantee_32_a_replay_with_a_new_timestamp_or_after_its_window_is_refused() {
    let judged = |delivery: &Delivery, now| judge(&Signing, &known_to(Some("s"), delivery), None, delivery, at(now));
    let about = Ok(About::Account(AccountId::new("T1").unwrap()));
    assert_eq!(judged(&signed(), 1001), about);
    assert_eq!(judged(&signed(), 1300), about);
    assert_eq!(judged(&signed(), 1000 + 6 * 60), Err(Answer::InvalidSignature));
    assert_eq!(judged(&signed(), 1000 + 6 * 86_400), Err(Answer::InvalidSignature));
    let mut fresh = signed();
    fresh.headers.insert("x-slack-request-timestamp".to_owned(), "1360".to_owned());
    assert_eq!(judged(&fresh, 1360), Err(Answer::InvalidSignature));
    let to_somebody = judge(&Signing, &known_to(Some("s"), &signed()), Some("01JD"), &signed(), at(1001));
    assert_eq!(to_somebody, Err(Answer::InvalidSignature), "to an integration's address");
    let unset = judge(&Signing, &known_to(None, &signed()), None, &signed(), at(1001));
    assert_eq!(unset, Err(Answer::InvalidSignature), "no secret");
}

#[test]
fn guarantee_33_the_same_id_of_another_account_is_another_delivery() {
    let key = |hook| delivery_key(ProviderId::GoogleDrive, hook, "Ev1");
    assert_eq!(key(Some("T1")), "google_drive#T1#Ev1");
    assert_ne!(key(Some("T1")), key(Some("T2")));
}

#[test]
fn an_accounts_deliveries_are_a_group_of_their_own() {
    let group = |account: &str| group_of(ProviderId::GoogleDrive, &About::Account(AccountId::new(account).unwrap()));
    assert_eq!(group("T1").unwrap().to_string(), "organization/google_drive:T1");
    assert_ne!(group("T1"), group("T2"));
    assert!(group(&"ä".repeat(128)).is_some());
}

#[tokio::test]
async fn guarantee_31_with_the_secrets_down_nothing_is_acknowledged() {
    let aws = testkit::nowhere::aws_config();
    let clock = Arc::new(ManualClock::at(at(1001)));
    let secrets = connections::SecretsClient::new(&aws);
    let tables = store::Tables {
        integrations: "i".to_owned(),
        limits: "l".to_owned(),
        jobs: String::new(),
        records: String::new(),
        directory: String::new(),
    };
    let backoff = queue::Backoff { base: std::time::Duration::from_secs(1), attempts: 5 };
    let receiver = Receiver::new(
        Store::new(store::Client::new(&aws), tables),
        Queue::new(queue::Client::new(&aws), "http://127.0.0.1:9/q", backoff),
        Bodies::new(move || sink::S3Client::new(&aws), "bucket"),
        Settings::new(secrets, "providers/".to_owned(), std::time::Duration::from_secs(60), clock.clone()),
        Arc::new(providers::Registry::new(Http::new())),
        clock,
    );
    // It names no delivery, so no table is asked: the secrets are the only thing that is down for it.
    let mut delivery = signed();
    delivery.headers.remove("x-event");
    let receive = async |delivery| receiver.receive_from(ProviderId::GoogleDrive, &Signing, None, delivery).await;
    assert_eq!(receive(delivery).await, Answer::Unavailable);
    assert_eq!(receive(signed()).await, Answer::Unavailable, "with the tables down, too");
}
