//! What a delivery's events ask of one integration: resources to be looked at, and a pass. Pure.

use std::collections::HashSet;

use domain::message::{IntegrationRef, ResourceAction, ResourceMessage};
use domain::subscription::WebhookEvent;
use domain::{SyncMode, Timestamp};

/// What is to be done.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    /// Resources to be fetched or deleted, each message once.
    pub resources: Vec<ResourceMessage>,
    /// The pass to be made; a full one if any event asks for that.
    pub pass: Option<SyncMode>,
}

impl Asked {
    /// What these events ask of this integration. `received_at` is when the delivery arrived: what was observed later shows it already.
    pub fn by<'a>(
        events: impl IntoIterator<Item = &'a WebhookEvent>,
        integration: &IntegrationRef,
        received_at: Timestamp,
    ) -> Self {
        let mut asked = Self::default();
        let mut touched = HashSet::new();
        for event in events {
            let (external_id, action) = match event {
                WebhookEvent::Nothing => continue,
                WebhookEvent::Rearranged => {
                    asked.pass = Some(SyncMode::Full);
                    continue;
                }
                // That a grant is over is not taken from a delivery, which may come late, after a new connection: the pass is refused if
                // it is true.
                WebhookEvent::Changed | WebhookEvent::Revoked => {
                    asked.pass = asked.pass.or(Some(SyncMode::Incremental));
                    continue;
                }
                WebhookEvent::Touched { external_id, .. } if !touched.insert(external_id) => continue,
                WebhookEvent::Touched { external_id, .. } => (external_id, ResourceAction::announced(received_at)),
                // A provider's clock may be ahead of ours, and a deletion in our future would outweigh what is observed meanwhile.
                WebhookEvent::Gone { external_id, reason, at } => {
                    (external_id, ResourceAction::Delete { reason: *reason, at: (*at).min(received_at) })
                }
            };
            asked.resources.push(ResourceMessage {
                integration: integration.clone(),
                run: None,
                external_id: external_id.clone(),
                action,
            });
        }
        asked
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::resource::DeleteReason;
    use domain::{ExternalId, ProviderId};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_timestamp(second, 0).unwrap()
    }

    fn asked(events: &[WebhookEvent]) -> Asked {
        let integration = IntegrationRef {
            owner: "user/ada".parse().unwrap(),
            provider: ProviderId::GoogleDrive,
            integration_id: "01JD0000000000000000000000".parse().unwrap(),
        };
        Asked::by(events, &integration, at(100))
    }

    fn touched(id: &str) -> WebhookEvent {
        WebhookEvent::Touched { external_id: ExternalId::new(id).unwrap(), at: at(99) }
    }

    fn gone(id: &str, second: i64) -> WebhookEvent {
        WebhookEvent::Gone { external_id: ExternalId::new(id).unwrap(), reason: DeleteReason::Removed, at: at(second) }
    }

    #[test]
    fn a_full_pass_outranks_an_incremental_one_and_nothing_asks_for_none() {
        let check = |events: &[WebhookEvent], pass| assert_eq!(asked(events).pass, pass, "{events:?}");
        check(&[WebhookEvent::Nothing, touched("a")], None);
        check(&[WebhookEvent::Changed], Some(SyncMode::Incremental));
        check(&[WebhookEvent::Revoked], Some(SyncMode::Incremental));
        check(&[WebhookEvent::Rearranged, WebhookEvent::Changed], Some(SyncMode::Full));
        check(&[WebhookEvent::Changed, WebhookEvent::Rearranged], Some(SyncMode::Full));
    }

    #[test]
    fn a_resource_is_looked_at_once_and_a_deletion_lies_in_no_future() {
        let actions: Vec<_> = asked(&[touched("a"), touched("a"), gone("b", 90), gone("c", 200)])
            .resources
            .into_iter()
            .map(|message| (message.external_id.to_string(), message.run, message.action))
            .collect();
        let delete = |second| ResourceAction::Delete { reason: DeleteReason::Removed, at: at(second) };
        let expected = [("a", ResourceAction::announced(at(100))), ("b", delete(90)), ("c", delete(100))];
        assert_eq!(actions, expected.map(|(id, action)| (id.to_owned(), None, action)));
    }
}
