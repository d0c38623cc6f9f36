//! Webhooks: one subscription of the integration's owner, made by hand at Notion, announces what happens in every connected workspace.
//!
//! Deliveries name a workspace and what changed in it, never the content. They are signed with the verification token that Notion sends
//! once, unsigned, when the subscription is made.

use async_trait::async_trait;
use domain::resource::DeleteReason;
use domain::subscription::{Subscription, WebhookEvent};
use domain::{AccountId, IntegrationConfig};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use super::client::{dashed, error, external_id, malformed};
use super::config::Config;
use super::wire::Event;
use crate::error::{Kind, ProviderError};
use crate::provider::{Access, Delivery, Expected, Handshake, NewSubscription, NotAuthentic, Registered, Webhooks};
use crate::signature::NOTION;

/// Notion's webhooks.
pub struct Hooks;

#[derive(Deserialize)]
struct Offer {
    verification_token: SecretString,
    #[serde(default, rename = "type")]
    kind: Option<serde::de::IgnoredAny>,
}

fn offer(delivery: &Delivery) -> Option<SecretString> {
    let offer: Offer = serde_json::from_slice(&delivery.body).ok()?;
    let token = offer.verification_token.expose_secret();
    (offer.kind.is_none() && !token.is_empty() && token.len() <= 200).then_some(offer.verification_token)
}

fn event(delivery: &Delivery) -> Option<Event> {
    serde_json::from_slice(&delivery.body).ok()
}

#[async_trait]
impl Webhooks for Hooks {
    /// Deliveries name the one subscription of the integration's owner, which tells nothing; they are told apart by workspace.
    fn subscription_id(&self, _delivery: &Delivery) -> Option<String> {
        None
    }

    fn account_id(&self, delivery: &Delivery) -> Option<AccountId> {
        account(&event(delivery)?.workspace_id)
    }

    /// While no verification token is configured, anybody's offer is answered, and only kept for an operator to compare. Later ones must
    /// be signed with the configured one: otherwise anybody could put theirs in its place.
    fn handshake(&self, delivery: &Delivery, expected: Expected<'_>) -> Option<Result<Handshake, NotAuthentic>> {
        offer(delivery)?;
        let answer = Handshake { content_type: "application/json", body: r#"{"received":true}"#.to_owned() };
        let configured = expected.settings.and_then(|settings| settings.signing_secret.as_ref());
        Some(match configured {
            None => Ok(answer),
            Some(key) => NOTION.verify(delivery, key.expose_secret().as_bytes()).map(|()| answer),
        })
    }

    fn offered_key(&self, delivery: &Delivery) -> Option<SecretString> {
        offer(delivery)
    }

    /// Events name pages, and a page alone does not tell whether it lies in what was chosen. So a page's event comes in two forms: the page,
    /// for those who sync everything, and "something changed", for those who chose.
    fn concerns(&self, config: &IntegrationConfig, event: &WebhookEvent) -> bool {
        let is_selective = Config::read(config).is_ok_and(|config| config.is_selective());
        match event {
            WebhookEvent::Touched { .. } => !is_selective,
            WebhookEvent::Changed => is_selective,
            _ => true,
        }
    }

    fn needs_settings(&self) -> bool {
        true
    }

    fn verify(&self, delivery: &Delivery, expected: Expected<'_>) -> Result<(), NotAuthentic> {
        let key = expected.settings.and_then(|settings| settings.signing_secret.as_ref());
        let key = key.ok_or(NotAuthentic("no verification token is configured"))?;
        NOTION.verify(delivery, key.expose_secret().as_bytes())
    }

    fn delivery_id(&self, delivery: &Delivery) -> Option<String> {
        event(delivery).and_then(|event| dashed(&event.id))
    }

    fn parse(&self, delivery: &Delivery) -> Result<Vec<WebhookEvent>, ProviderError> {
        read(&event(delivery).ok_or_else(|| malformed("a notification that is none"))?)
    }

    /// None: there is no call that makes subscriptions.
    fn scopes(&self, _config: &IntegrationConfig, _change_cursor: Option<&str>) -> Vec<String> {
        Vec::new()
    }

    async fn register(&self, _access: &Access, _new: &NewSubscription<'_>) -> Result<Registered, ProviderError> {
        Err(error(Kind::Rejected("Notion's webhook subscriptions are made by hand".to_owned())))
    }

    async fn unregister(&self, _access: &Access, _subscription: &Subscription) -> Result<(), ProviderError> {
        Ok(())
    }
}

/// A workspace as the account it is to us.
pub fn account(workspace: &str) -> Option<AccountId> {
    AccountId::new(dashed(workspace)?).ok()
}

/// What an event says. Where something that holds others came, went or moved, everything is listed anew: the others get no events.
fn read(event: &Event) -> Result<Vec<WebhookEvent>, ProviderError> {
    let at = event.timestamp;
    let touched = |id: &str| -> Result<Vec<WebhookEvent>, ProviderError> {
        Ok(vec![WebhookEvent::Touched { external_id: external_id(id)?, at }, WebhookEvent::Changed])
    };
    let is_source = event.entity.kind == "data_source";
    Ok(match event.kind.as_str() {
        "page.created"
        | "page.content_updated"
        | "page.properties_updated"
        | "page.moved"
        | "page.undeleted"
        | "page.locked"
        | "page.unlocked"
        | "page.transcription_block.transcript_deleted" => touched(&event.entity.id)?,
        "page.deleted" => vec![gone(event)?],
        "comment.created" | "comment.updated" | "comment.deleted" => {
            match event.data.as_ref().and_then(|data| data.page_id.as_deref()) {
                Some(page) => touched(page)?,
                None => vec![WebhookEvent::Nothing],
            }
        }
        "data_source.created" | "data_source.content_updated" | "data_source.schema_updated" if is_source => {
            touched(&event.entity.id)?
        }
        "data_source.deleted" if is_source => vec![gone(event)?, WebhookEvent::Rearranged],
        "data_source.created" | "data_source.deleted" | "data_source.moved" | "data_source.undeleted" => {
            vec![WebhookEvent::Rearranged]
        }
        "database.created" | "database.deleted" | "database.moved" | "database.undeleted" => {
            vec![WebhookEvent::Rearranged]
        }
        // What changed in a database is told of its data sources and rows; views and uploads hold nothing of their own.
        _ => vec![WebhookEvent::Nothing],
    })
}

fn gone(event: &Event) -> Result<WebhookEvent, ProviderError> {
    let external_id = external_id(&event.entity.id)?;
    Ok(WebhookEvent::Gone { external_id, reason: DeleteReason::Trashed, at: event.timestamp })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{config, settings};
    use domain::ProviderSettings;
    use serde_json::{Value, json};

    /// The token of the documentation's example.
    const TOKEN: &str = "secret_tMrlL1qK5vuQAh1b6cZGhFChZTSYJlce98V0pYn7yBl";
    const SIGNED: &str = "sha256=461e8cbcba8a75c3edd866f0e71280f5a85cbf21eff040ebd10fe266df38a735";
    const PAGE: &str = "153104cd-477e-809d-8dc4-ff2d96ae3090";

    fn recorded() -> Vec<Value> {
        serde_json::from_str(include_str!("fixtures/webhooks.json")).unwrap()
    }

    fn delivery(body: &str, signature: Option<&str>) -> Delivery {
        let headers = signature.map(|value| ("x-notion-signature".to_owned(), value.to_owned()));
        Delivery { headers: headers.into_iter().collect(), body: body.as_bytes().to_vec() }
    }

    fn with_key() -> ProviderSettings {
        ProviderSettings { signing_secret: Some(TOKEN.into()), ..settings(&[]) }
    }

    fn expected(settings: &ProviderSettings) -> Expected<'_> {
        Expected { settings: Some(settings), subscription: None, now: chrono::DateTime::UNIX_EPOCH }
    }

    fn parsed(event: &Value) -> Vec<WebhookEvent> {
        Hooks.parse(&delivery(&event.to_string(), None)).unwrap()
    }

    #[test]
    fn an_offer_is_answered_until_a_token_is_configured_and_then_only_with_its_signature() {
        let body = format!(r#"{{"verification_token":"{TOKEN}"}}"#);
        let shake =
            |signature, settings: &ProviderSettings| Hooks.handshake(&delivery(&body, signature), expected(settings));
        assert!(shake(None, &settings(&[])).unwrap().is_ok());
        assert!(shake(None, &with_key()).unwrap().is_err());
        assert!(shake(Some(SIGNED), &with_key()).unwrap().is_ok());
        assert!(Hooks.offered_key(&delivery(&body, None)).is_some());
        let event = recorded()[0].to_string();
        assert!(Hooks.handshake(&delivery(&event, None), expected(&settings(&[]))).is_none());
        let both = r#"{"verification_token":"x","type":"page.created"}"#;
        assert!(Hooks.handshake(&delivery(both, None), expected(&settings(&[]))).is_none(), "an event is no offer");
    }

    #[test]
    fn without_a_token_or_with_another_signature_nothing_is_believed() {
        let body = format!(r#"{{"verification_token":"{TOKEN}"}}"#);
        let check = |signature, settings: &ProviderSettings| {
            Hooks.verify(&delivery(&body, signature), expected(settings)).is_ok()
        };
        assert!(check(Some(SIGNED), &with_key()));
        assert!(!check(Some(SIGNED), &settings(&[])));
        assert!(!check(None, &with_key()));
        let altered = SIGNED.replace('4', "5");
        assert!(!check(Some(altered.as_str()), &with_key()));
        assert!(!check(SIGNED.strip_prefix("sha256="), &with_key()));
    }

    /// A sample of `events/` as the delivery that the webhook function makes of it.
    fn sample(text: &str) -> Delivery {
        let event: Value = serde_json::from_str(text).unwrap();
        let headers = serde_json::from_value(event["headers"].clone()).unwrap();
        Delivery { headers, body: event["body"].as_str().unwrap().as_bytes().to_vec() }
    }

    #[test]
    fn the_samples_are_deliveries_as_notion_sends_them() {
        let page = sample(include_str!("../../../../events/webhook-notion-page.json"));
        assert!(Hooks.verify(&page, expected(&with_key())).is_ok());
        assert!(
            matches!(&Hooks.parse(&page).unwrap()[0], WebhookEvent::Touched { external_id, .. } if external_id.as_str() == PAGE)
        );
        let offer = sample(include_str!("../../../../events/webhook-notion-verification.json"));
        assert!(Hooks.handshake(&offer, expected(&settings(&[]))).unwrap().is_ok());
        assert_eq!(Hooks.offered_key(&offer).unwrap().expose_secret(), TOKEN);
    }

    #[test]
    fn every_event_says_what_changed() {
        let mut event = recorded()[0].clone();
        let mut check = |kind: &str, entity: &str, expected: &str| {
            event["type"] = json!(kind);
            event["entity"]["type"] = json!(entity);
            let told: Vec<&str> = parsed(&event)
                .iter()
                .map(|event| match event {
                    WebhookEvent::Touched { external_id, .. } if external_id.as_str() == PAGE => "touched",
                    WebhookEvent::Gone { external_id, reason: DeleteReason::Trashed, .. }
                        if external_id.as_str() == PAGE =>
                    {
                        "gone"
                    }
                    WebhookEvent::Rearranged => "rearranged",
                    WebhookEvent::Changed => "changed",
                    WebhookEvent::Nothing => "nothing",
                    other => panic!("{other:?}"),
                })
                .collect();
            assert_eq!(told.join(" "), expected, "{kind}");
        };
        for kind in ["created", "content_updated", "properties_updated", "moved", "undeleted", "locked", "unlocked"] {
            check(&format!("page.{kind}"), "page", "touched changed");
        }
        check("page.deleted", "page", "gone");
        check("data_source.schema_updated", "data_source", "touched changed");
        check("data_source.deleted", "data_source", "gone rearranged");
        check("data_source.deleted", "block", "rearranged");
        check("data_source.moved", "data_source", "rearranged");
        check("database.created", "database", "rearranged");
        check("database.content_updated", "database", "nothing");
        check("view.updated", "view", "nothing");
        check("file_upload.created", "file_upload", "nothing");
        check("invented.in_2030", "page", "nothing");
    }

    #[test]
    fn recorded_deliveries_name_their_workspace_and_a_comment_names_its_page() {
        for event in recorded() {
            let delivery = delivery(&event.to_string(), None);
            assert_eq!(Hooks.account_id(&delivery).unwrap().as_str(), "13950b26-c203-4f3b-b97d-93ec06319565");
            assert_eq!(Hooks.delivery_id(&delivery).as_deref(), event["id"].as_str());
            assert!(Hooks.subscription_id(&delivery).is_none());
        }
        let comment = recorded().into_iter().find(|event| event["type"] == "comment.created").unwrap();
        assert!(
            matches!(&parsed(&comment)[0], WebhookEvent::Touched { external_id, .. } if external_id.as_str() == PAGE)
        );
    }

    #[test]
    fn who_chose_pages_hears_that_something_changed_and_who_did_not_hears_what() {
        let touched = parsed(&recorded()[0]);
        let heard = |settings: Value| -> Vec<bool> {
            touched.iter().map(|event| Hooks.concerns(&config(settings.clone()), event)).collect()
        };
        assert_eq!(heard(json!({})), [true, false]);
        assert_eq!(heard(json!({"pages": [PAGE]})), [false, true]);
        assert_eq!(heard(json!({"rows": false})), [false, true]);
        assert!(Hooks.concerns(&config(json!({"pages": [PAGE]})), &WebhookEvent::Rearranged));
    }

    #[test]
    fn what_is_no_event_is_malformed() {
        for body in ["", "[]", "{}", r#"{"id":7}"#, r#"{"verification_token":"x"}"#] {
            assert!(Hooks.parse(&delivery(body, None)).is_err(), "{body}");
            assert!(Hooks.account_id(&delivery(body, None)).is_none());
        }
        let mut event = recorded()[0].clone();
        event["entity"]["id"] = json!("../x");
        assert!(Hooks.parse(&delivery(&event.to_string(), None)).is_err());
    }
}
