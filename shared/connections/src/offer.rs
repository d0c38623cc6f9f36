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

/// Whether the plan allows `provider` beside what is connected already. Connecting again what is connected takes no further place.
#[must_use]
pub fn has_room(plan: Plan, existing: &[Integration], provider: ProviderId) -> bool {
    let connected = || existing.iter().filter(|integration| integration.status != Status::Disconnected);
    connected().any(|integration| integration.provider == provider)
        || plan.max_integrations().is_none_or(|most| connected().count() < most)
}

/// The providers that must stay unconnected for [`has_room`] to stay true while the connection is made: all those that would take the
/// places that were counted as free.
#[must_use]
pub fn must_stay_unconnected(plan: Plan, existing: &[Integration], provider: ProviderId) -> Vec<ProviderId> {
    let connected: Vec<ProviderId> = existing
        .iter()
        .filter(|integration| integration.status != Status::Disconnected)
        .map(|integration| integration.provider)
        .collect();
    if plan.max_integrations().is_none() || connected.contains(&provider) {
        return Vec::new();
    }
    ProviderId::ALL.iter().copied().filter(|other| *other != provider && !connected.contains(other)).collect()
}

/// Whether the plan covers an integration: it is one of those, in the order in which they were connected, that the plan has places for.
/// After a change to a smaller plan the others stay and are not scheduled.
#[must_use]
pub fn is_covered(plan: Plan, existing: &[Integration], integration: &Integration) -> bool {
    let Some(most) = plan.max_integrations() else { return true };
    let place = |one: &Integration| (one.connected_at, one.id);
    let before = existing
        .iter()
        .filter(|other| other.status != Status::Disconnected && place(other) < place(integration))
        .count();
    before < most
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

    /// Ada's integration of the provider, connected at this second.
    fn integration(provider: ProviderId, second: i64) -> Integration {
        let at = chrono::DateTime::from_timestamp(second, 0).unwrap();
        let claim = crate::save::tests::claim(provider);
        let account = providers::Account { id: domain::AccountId::new("7").unwrap(), name: None };
        crate::save::connected_first(
            domain::IntegrationId::new(at),
            &account,
            &claim,
            crate::save::tests::tokens(1),
            &crate::save::Start::default(),
            at,
        )
    }

    #[test]
    fn the_same_provider_again_takes_no_room() {
        let drive = integration(ProviderId::GoogleDrive, 0);
        assert!(has_room(Plan::Free, &[], ProviderId::GoogleDrive));
        assert!(has_room(Plan::Free, std::slice::from_ref(&drive), ProviderId::GoogleDrive));
        assert!(must_stay_unconnected(Plan::Free, &[drive], ProviderId::GoogleDrive).is_empty());
        assert!(must_stay_unconnected(Plan::Enterprise, &[], ProviderId::GoogleDrive).is_empty());
    }

    #[test]
    fn a_smaller_plan_covers_what_was_connected_first() {
        let (first, second) = (integration(ProviderId::GoogleDrive, 0), integration(ProviderId::GoogleDrive, 1));
        let all = [second.clone(), first.clone()];
        let covered = |plan| [&first, &second].map(|one| is_covered(plan, &all, one));
        assert_eq!(covered(Plan::Free), [true, false]);
        assert_eq!(covered(Plan::Pro), [true, true]);
        let gone = Integration { status: Status::Disconnected, ..first };
        assert!(is_covered(Plan::Free, &[gone, second.clone()], &second), "what is disconnected takes no place");
    }
}
