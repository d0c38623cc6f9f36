//! What an owner may connect: the registry's switch, the plan, and how many integrations the plan allows.

use domain::plan::Plan;
use domain::{Integration, Owner, ProviderId, Status, Timestamp};
use store::{RegistryEntry, Store};

/// Why a provider is not offered to an owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The operator has switched it off.
    Disabled,
    /// The plan does not include it.
    NotInPlan,
}

/// The plan that an owner's limits come from: the person's own or the organization's. Costs one read (and one write when a
/// person appears for the first time). An organization that is not in the directory has the free plan.
///
/// # Errors
/// The store's.
pub async fn plan_of(store: &Store, owner: &Owner, now: Timestamp) -> Result<Plan, store::Error> {
    match owner {
        Owner::User(id) => Ok(store.user_on_first_sight(id, now).await?.plan),
        Owner::Organization(id) => {
            Ok(store.get_organization(id).await?.map(|organization| organization.plan).unwrap_or_default())
        }
    }
}

/// Whether the registry offers the provider to a plan. No plan listed means all of them (SPEC's `allowed_plans`).
///
/// # Errors
/// [`Refusal`] if it does not.
pub fn check(entry: &RegistryEntry, plan: Plan) -> Result<(), Refusal> {
    if !entry.enabled {
        return Err(Refusal::Disabled);
    }
    if !entry.allowed_plans.is_empty() && !entry.allowed_plans.contains(&plan) {
        return Err(Refusal::NotInPlan);
    }
    Ok(())
}

/// Whether the plan allows `provider` beside what is connected already. Connecting the same provider again replaces its
/// integration and therefore always fits.
#[must_use]
pub fn has_room(plan: Plan, existing: &[Integration], provider: ProviderId) -> bool {
    let others = existing
        .iter()
        .filter(|integration| integration.provider != provider && integration.status != Status::Disconnected)
        .count();
    plan.max_integrations().is_none_or(|most| others < most)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(enabled: bool, allowed_plans: Vec<Plan>) -> RegistryEntry {
        RegistryEntry {
            provider: ProviderId::GoogleDrive,
            enabled,
            allowed_plans,
            default_config: domain::IntegrationConfig::default(),
        }
    }

    #[test]
    fn no_plan_listed_means_every_plan() {
        assert_eq!(check(&entry(true, vec![]), Plan::Free), Ok(()));
        assert_eq!(check(&entry(true, vec![Plan::Pro]), Plan::Free), Err(Refusal::NotInPlan));
        assert_eq!(check(&entry(true, vec![Plan::Pro]), Plan::Pro), Ok(()));
        assert_eq!(check(&entry(false, vec![]), Plan::Enterprise), Err(Refusal::Disabled));
    }

    #[test]
    fn the_same_provider_again_takes_no_room() {
        assert!(has_room(Plan::Free, &[], ProviderId::GoogleDrive));
        assert!(has_room(Plan::Enterprise, &[], ProviderId::GoogleDrive));
    }
}
