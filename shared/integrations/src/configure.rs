//! What a person sets: what is synced, what is kept of it, and how often.

use connections::plan_of;
use domain::plan::Plan;
use domain::{Integration, IntegrationConfig, Owner, ProviderId, StorageStrategy, SyncFrequency, SyncMode};
use domain::{Timestamp, Trigger};
use store::{Saved, Settings};

use crate::Integrations;
use crate::due::due_since_last_sync;
use crate::error::Error;

/// How often a row that changes under our hands is read again.
const TRIES: usize = 4;

/// A change of settings; what is `None` stays as it is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Change {
    /// What is synced, in the provider's terms; replaces the whole.
    pub config: Option<IntegrationConfig>,
    /// What is kept of the content.
    pub storage_strategy: Option<StorageStrategy>,
    /// How often it is pulled. One that is faster than the plan is refused; one that was set under a larger plan is slowed down.
    pub sync_frequency: Option<SyncFrequency>,
}

impl Integrations {
    /// Changes settings. What is synced or what is kept of it having changed, a full sync follows (after the one under way, if any);
    /// how often having changed, it falls due accordingly. Three or four requests, and those of a sync.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] with a sentence that names the field, [`Error::FasterThanPlan`], [`Error::NotFound`],
    /// [`Error::NotConnected`], [`Error::Conflict`], [`Error::Unavailable`].
    pub async fn configure(&self, owner: &Owner, provider: ProviderId, change: Change) -> Result<Integration, Error> {
        if let Some(config) = &change.config {
            self.registry.get(provider).check_config(config).map_err(Error::InvalidConfig)?;
        }
        let now = self.clock.now();
        let plan = plan_of(&self.store, owner, now).await?;
        let has_webhooks = self.syncs.has_webhooks(provider);
        for _ in 0..TRIES {
            let row = self.connected_one(owner, provider).await?;
            let wanted = applied(&row, &change);
            if wanted == row {
                return Ok(row);
            }
            check_frequency(&row, &wanted, plan, has_webhooks)?;
            let due_at = if wanted.sync_frequency == row.sync_frequency && row.due_at.is_some() {
                row.due_at
            } else {
                due_since_last_sync(&wanted, plan, has_webhooks, now)
            };
            let settings = settings(&row, &wanted, due_at);
            let reference = row.reference();
            match self.store.save_settings(&reference, row.version, &settings, now).await? {
                Saved::Conflict => {}
                Saved::Yes => {
                    let saved = self.read_again(&reference).await?;
                    return if settings.full_next { self.follow_scope(saved).await } else { Ok(saved) };
                }
            }
        }
        Err(Error::Conflict)
    }

    /// What is synced or kept has changed: everything is compared again (what is kept otherwise than is wanted now is delivered anew),
    /// and the webhooks may watch other parts of the account.
    async fn follow_scope(&self, integration: Integration) -> Result<Integration, Error> {
        let reference = integration.reference();
        match self.syncs.request(&integration, SyncMode::Full, Trigger::Manual).await {
            Ok(_) => {}
            // The settings stand, and with them the wish for a full pass: it comes with resuming or with the next connection.
            Err(Error::Paused | Error::TokenExpired) => return Ok(integration),
            Err(error) => return Err(error),
        }
        if let Err(error) = self.syncs.subscribe(&reference).await {
            tracing::warn!(integration.id = %integration.id, %error, "webhooks were not asked for after a change of scope");
        }
        self.read_again(&reference).await
    }
}

/// The integration as the change would have it.
fn applied(row: &Integration, change: &Change) -> Integration {
    Integration {
        config: change.config.clone().unwrap_or_else(|| row.config.clone()),
        storage_strategy: change.storage_strategy.unwrap_or(row.storage_strategy),
        sync_frequency: change.sync_frequency.unwrap_or(row.sync_frequency),
        ..row.clone()
    }
}

/// A person may not choose what their plan does not allow. What they had before it became smaller stays.
fn check_frequency(row: &Integration, wanted: &Integration, plan: Plan, has_webhooks: bool) -> Result<(), Error> {
    let frequency = wanted.sync_frequency;
    if frequency == row.sync_frequency || plan.allows(frequency, has_webhooks) {
        return Ok(());
    }
    Err(Error::FasterThanPlan { plan, upgrade: plan.upgrade(|larger| larger.allows(frequency, has_webhooks)) })
}

/// What is written. The wish for a full pass goes along with a new scope or strategy: a paused integration starts no run now, and a process
/// may die before it asks for one.
fn settings(row: &Integration, wanted: &Integration, due_at: Option<Timestamp>) -> Settings {
    Settings {
        config: wanted.config.clone(),
        storage_strategy: wanted.storage_strategy,
        sync_frequency: wanted.sync_frequency,
        due_at,
        full_next: wanted.config != row.config || wanted.storage_strategy != row.storage_strategy,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::due::tests::integration;

    #[test]
    fn what_is_not_named_stays_as_it_is() {
        let row = integration();
        assert_eq!(applied(&row, &Change::default()), row);
        let change = Change { sync_frequency: Some(SyncFrequency::Manual), ..Change::default() };
        let wanted = applied(&row, &change);
        assert_eq!(wanted.sync_frequency, SyncFrequency::Manual);
        assert_eq!((wanted.config, wanted.storage_strategy), (row.config, row.storage_strategy));
    }

    #[test]
    fn a_new_scope_or_strategy_asks_for_a_full_pass_and_nothing_else_does() {
        let row = integration();
        let check = |change: Change, full_next| {
            let written = settings(&row, &applied(&row, &change), row.due_at);
            assert_eq!((written.full_next, written.due_at), (full_next, row.due_at));
        };
        let config = serde_json::from_str(r#"{"folders":["another"]}"#).unwrap();
        check(Change { config: Some(config), ..Change::default() }, true);
        check(Change { config: Some(row.config.clone()), ..Change::default() }, false);
        check(Change { storage_strategy: Some(StorageStrategy::MetadataOnly), ..Change::default() }, true);
        check(Change { storage_strategy: Some(row.storage_strategy), ..Change::default() }, false);
        check(Change { sync_frequency: Some(SyncFrequency::Manual), ..Change::default() }, false);
    }

    #[test]
    fn a_new_frequency_must_be_in_the_plan_and_an_old_one_may_stay() {
        let row = integration();
        let check = |plan, to, refused: Option<Option<Plan>>| {
            let wanted = Integration { sync_frequency: to, ..row.clone() };
            let upgrade = match check_frequency(&row, &wanted, plan, true) {
                Ok(()) => None,
                Err(Error::FasterThanPlan { plan: named, upgrade }) if named == plan => Some(upgrade),
                Err(other) => panic!("{other:?}"),
            };
            assert_eq!(upgrade, refused, "{plan:?} {to:?}");
        };
        check(Plan::Free, SyncFrequency::Daily, None);
        check(Plan::Free, SyncFrequency::Manual, None);
        check(Plan::Free, SyncFrequency::Hourly, None);
        check(Plan::Free, SyncFrequency::FifteenMin, Some(Some(Plan::Enterprise)));
        check(Plan::Free, SyncFrequency::Realtime, Some(Some(Plan::Pro)));
        check(Plan::Pro, SyncFrequency::FifteenMin, Some(Some(Plan::Enterprise)));
        check(Plan::Enterprise, SyncFrequency::FifteenMin, None);
    }
}
