//! Announcements: a true one passes, a forged, bare, stale or altered one does not, and what it says leads to the change.

use domain::subscription::{Subscription, WebhookEvent};
use domain::{AccountId, ExternalId, IntegrationId, SystemClock, Timestamp, clock::Clock as _};
use providers::provider::{Expected, NewSubscription};
use providers::{Delivery, Webhooks};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::deliveries::Receiver;
use crate::fixtures::{Change, Fixture};
use crate::for_each;
use crate::provider::Connected;

/// A connection whose changes are delivered here.
struct Heard {
    connected: Connected,
    receiver: Receiver,
    subscriptions: Vec<Subscription>,
    account: AccountId,
}

impl Heard {
    /// Subscribes as `connections` does, or has the application's address set where that is no API. `None` if it announces nothing.
    async fn new(fixture: &'static Fixture) -> Option<Self> {
        let connected = Connected::new(fixture).await;
        connected.provider().webhooks()?;
        let account = connected.provider().test_connection(&connected.access()).await.unwrap().id;
        let receiver = Receiver::start().await;
        if connected.can("hook").await {
            connected.act("hook", json!({ "url": receiver.url.as_str() })).await;
        }
        let mut heard = Self { connected, receiver, subscriptions: Vec::new(), account };
        let cursor = heard.connected.start_cursor().await;
        for scope in heard.webhooks().scopes(&heard.connected.config, Some(&cursor)) {
            heard.subscribe(&scope).await;
        }
        Some(heard)
    }

    async fn subscribe(&mut self, scope: &str) {
        let now = SystemClock.now();
        let integration_id = IntegrationId::new(now);
        let id = format!("{integration_id}-{}", domain::JobId::new(now));
        let token = SecretString::from("a-token-that-deliveries-must-carry");
        let new = NewSubscription { id: &id, token: &token, address: &self.receiver.url, scope, now };
        let registered =
            self.webhooks().register(&self.connected.access(), &new).await.expect("a subscription is made");
        self.subscriptions.push(Subscription {
            id,
            integration_id,
            scope: scope.to_owned(),
            provider_id: registered.provider_id,
            token_sha256: Sha256::digest(token.expose_secret()).into(),
            created_at: now,
            expires_at: registered.expires_at,
            heard_at: None,
            doubt: None,
        });
    }

    fn webhooks(&self) -> &dyn Webhooks {
        self.connected.provider().webhooks().unwrap()
    }

    /// The subscription that a delivery names.
    fn subscription_of(&self, delivery: &Delivery) -> Option<&Subscription> {
        let id = self.webhooks().subscription_id(delivery)?;
        self.subscriptions.iter().find(|one| one.id == id)
    }

    fn is_authentic_at(&self, delivery: &Delivery, now: Timestamp) -> bool {
        let settings = self.webhooks().needs_settings().then_some(&*self.connected.settings);
        let expected = Expected { settings, subscription: self.subscription_of(delivery), now };
        self.webhooks().verify(delivery, expected).is_ok()
    }

    fn is_authentic(&self, delivery: &Delivery) -> bool {
        self.is_authentic_at(delivery, SystemClock.now())
    }

    /// The events that a delivery brings, as `webhook-worker` reads them: without the headers that prove it.
    fn events(&self, delivery: &Delivery) -> Vec<WebhookEvent> {
        let mut carried = delivery.clone();
        let secret = |name: &str| ["authorization", "cookie", "token", "secret"].iter().any(|word| name.contains(word));
        carried.headers.retain(|name, _| !secret(name));
        let events = self.webhooks().parse(&carried).expect("it is understood");
        assert_eq!(events, self.webhooks().parse(delivery).unwrap(), "what proves a delivery says nothing more");
        events
    }

    /// Whether a delivery leads to a change of this resource: it names it, or has the changes looked at.
    fn leads_to(&self, delivery: &Delivery, id: &ExternalId, change: Change) -> bool {
        let pulls = self.connected.fixture.pulled.contains(&change);
        let leads = |event: &WebhookEvent| match event {
            WebhookEvent::Changed => pulls,
            WebhookEvent::Touched { external_id, .. } => external_id == id && change != Change::Delete,
            // A thread whose message went is looked at; a look finds what is gone.
            WebhookEvent::Gone { external_id, .. } => external_id == id && change == Change::Delete,
            WebhookEvent::Rearranged => true,
            WebhookEvent::Revoked | WebhookEvent::Nothing => false,
        };
        self.is_authentic(delivery) && self.events(delivery).iter().any(leads)
    }

    /// Waits for the delivery that leads to a change.
    async fn told(&self, what: &str, id: &ExternalId, change: Change) -> Delivery {
        let wanted = |delivery: &Delivery| self.leads_to(delivery, id, change).then_some(());
        let (delivery, ()) = self.receiver.wait_for(what, wanted).await;
        self.receiver.forget();
        delivery
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_change_is_announced_to_the_right_account() {
    for_each(async |fixture: &'static Fixture| {
        let Some(heard) = Heard::new(fixture).await else { return };
        let connected = &heard.connected;
        let made = connected.create("Announced", "This is announced.").await;
        let id = connected.external_id(&made);
        let delivery = heard.told("a new resource", &id, Change::Create).await;
        match heard.subscription_of(&delivery) {
            Some(_) => {}
            None => {
                assert_eq!(heard.webhooks().account_id(&delivery), Some(heard.account.clone()), "it names the account")
            }
        }
        let first = heard.webhooks().delivery_id(&delivery).expect("deliveries are told apart");
        connected.edit(&made, "This was announced and edited.").await;
        let delivery = heard.told("an edited text", &id, Change::Edit).await;
        assert_ne!(heard.webhooks().delivery_id(&delivery), Some(first), "another delivery, another id");
        if connected.can("rename").await {
            connected.rename(&made, "Announced anew").await;
            heard.told("another title", &id, Change::Rename).await;
        }
        connected.delete(&made).await;
        heard.told("a deletion", &id, Change::Delete).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_that_is_not_what_it_claims_is_refused() {
    for_each(async |fixture: &'static Fixture| {
        let Some(heard) = Heard::new(fixture).await else { return };
        let id = heard.connected.external_id(&heard.connected.create("Announced", "This is announced.").await);
        let delivery = heard.told("a new resource", &id, Change::Create).await;
        let altered = |change: &dyn Fn(&mut Delivery)| {
            let mut other = delivery.clone();
            change(&mut other);
            other
        };
        let proof = delivery.header(fixture.proof).expect("the header that proves it").to_owned();
        let bare = altered(&|delivery| drop(delivery.headers.remove(fixture.proof)));
        assert!(!heard.is_authentic(&bare), "without proof");
        let empty = altered(&|delivery| drop(delivery.headers.insert(fixture.proof.to_owned(), String::new())));
        assert!(!heard.is_authentic(&empty), "with an empty proof");
        for place in [0, proof.len() / 2, proof.len() - 1] {
            let mut letters: Vec<char> = proof.chars().collect();
            letters[place] = if letters[place] == '0' { '1' } else { '0' };
            let forged: String = letters.into_iter().collect();
            let forged = altered(&|delivery| drop(delivery.headers.insert(fixture.proof.to_owned(), forged.clone())));
            assert!(!heard.is_authentic(&forged), "with a proof that is off by a letter");
        }
        if !delivery.body.is_empty() {
            for place in [0, delivery.body.len() / 2, delivery.body.len() - 1] {
                assert!(!heard.is_authentic(&altered(&|delivery| delivery.body[place] ^= 1)), "with another byte");
            }
            assert!(!heard.is_authentic(&altered(&|delivery| delivery.body.push(b' '))), "with a byte more");
        }
        if fixture.is_dated {
            let later = SystemClock.now() + chrono::TimeDelta::hours(1);
            assert!(!heard.is_authentic_at(&delivery, later), "an hour later");
        }
        let unset = Expected { settings: None, subscription: None, now: SystemClock.now() };
        assert!(heard.webhooks().verify(&delivery, unset).is_err(), "with nothing to verify it by");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_makes_no_sense_is_told_and_not_believed() {
    for_each(async |fixture: &'static Fixture| {
        let Some(heard) = Heard::new(fixture).await else { return };
        let bodies: [&[u8]; 6] = [b"", b"null", b"[]", b"{}", b"{\"event\":{}}", b"\xff\xfe"];
        for body in bodies {
            let delivery = Delivery { headers: Default::default(), body: body.to_vec() };
            assert!(!heard.is_authentic(&delivery), "{:?}", String::from_utf8_lossy(body));
            if let Ok(events) = heard.webhooks().parse(&delivery) {
                let says = |event: &WebhookEvent| !matches!(event, WebhookEvent::Nothing | WebhookEvent::Changed);
                assert!(!events.iter().any(says), "{events:?}");
            }
            let _ = (heard.webhooks().account_id(&delivery), heard.webhooks().delivery_id(&delivery));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_can_be_stopped_twice_and_is_silent_then() {
    for_each(async |fixture: &'static Fixture| {
        let Some(heard) = Heard::new(fixture).await else { return };
        if heard.subscriptions.is_empty() {
            return;
        }
        for subscription in heard.subscriptions.iter().chain(&heard.subscriptions) {
            heard.webhooks().unregister(&heard.connected.access(), subscription).await.expect("it is stopped");
        }
        heard.receiver.forget();
        heard.connected.create("Unannounced", "Nobody is told of this.").await;
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        let told = heard.receiver.come();
        assert!(
            told.iter().all(|delivery| heard.events(delivery).iter().all(|event| *event == WebhookEvent::Nothing)),
            "{told:?}"
        );
    })
    .await;
}
