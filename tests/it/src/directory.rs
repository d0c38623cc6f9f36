//! People, organizations, memberships and the provider registry.

use anyhow::Result;
use domain::plan::{Plan, PlatformRole, Role};
use domain::{OrganizationId, ProviderId, SyncFrequency, UserId};
use store::{Membership, Organization, RegistryEntry, User};

use crate::sample::{at, store};

#[tokio::test]
async fn people_appear_at_first_sight_and_keep_what_they_were_given() -> Result<()> {
    let store = store().await?;
    let id = UserId::new("ada#1")?;
    assert_eq!(store.get_user(&id).await?, None);
    let first = (0..20).map(|i| {
        let (store, id) = (store.clone(), id.clone());
        async move { store.user_on_first_sight(&id, at(i)).await }
    });
    let seen = futures::future::try_join_all(first).await?;
    assert!(seen.iter().all(|user| user == &seen[0]), "all of them see the same person");
    assert_eq!((seen[0].plan, seen[0].role, seen[0].active), (Plan::Free, PlatformRole::User, true));
    let raised = User { plan: Plan::Enterprise, role: PlatformRole::Admin, ..seen[0].clone() };
    store.put_user(&raised).await?;
    assert_eq!(store.user_on_first_sight(&id, at(99)).await?, raised);
    Ok(())
}

#[tokio::test]
async fn members_are_members_of_their_organization_only() -> Result<()> {
    let store = store().await?;
    let (acme, other) = (OrganizationId::new("acme")?, OrganizationId::new("other")?);
    let organization = Organization {
        id: acme.clone(),
        name: "Acme".to_owned(),
        plan: Plan::Pro,
        default_frequency: Some(SyncFrequency::Daily),
        default_storage_strategy: None,
        created_at: at(0),
    };
    store.put_organization(&organization).await?;
    assert_eq!(store.get_organization(&acme).await?, Some(organization));
    assert_eq!(store.get_organization(&other).await?, None);

    let ada = Membership { user: UserId::new("ada")?, role: Role::Admin };
    let bob = Membership { user: UserId::new("bob")?, role: Role::Viewer };
    store.put_membership(&acme, &bob).await?;
    store.put_membership(&acme, &ada).await?;
    assert_eq!(store.membership(&acme, &ada.user).await?, Some(Role::Admin));
    assert_eq!(store.membership(&other, &ada.user).await?, None);
    assert_eq!(store.members_of(&acme).await?, [ada.clone(), bob]);
    store.delete_membership(&acme, &ada.user).await?;
    store.delete_membership(&acme, &ada.user).await?;
    assert_eq!(store.membership(&acme, &ada.user).await?, None);
    Ok(())
}

#[tokio::test]
async fn everybody_is_listed_page_by_page() -> Result<()> {
    let store = store().await?;
    let names = ["ada", "bob#2", "carl", "dora"];
    for name in names {
        store.user_on_first_sight(&UserId::new(name)?, at(0)).await?;
    }
    for slug in ["acme", "beta"] {
        let organization = Organization {
            id: OrganizationId::new(slug)?,
            name: slug.to_uppercase(),
            plan: Plan::Pro,
            default_frequency: None,
            default_storage_strategy: None,
            created_at: at(0),
        };
        store.put_organization(&organization).await?;
    }
    let (acme, beta) = (OrganizationId::new("acme")?, OrganizationId::new("beta")?);
    for (organization, name, role) in
        [(&acme, "ada", Role::Admin), (&beta, "ada", Role::Viewer), (&acme, "carl", Role::Editor)]
    {
        store.put_membership(organization, &Membership { user: UserId::new(name)?, role }).await?;
    }

    let (mut people, mut cursor) = (Vec::new(), None);
    loop {
        let (page, next) = store.users(cursor.as_ref(), 3).await?;
        people.extend(page.into_iter().map(|user| user.id.to_string()));
        let Some(next) = next else { break };
        cursor = Some(next);
    }
    assert_eq!(people, names);
    let (organizations, next) = store.organizations(None, 1).await?;
    assert_eq!(organizations.iter().map(|one| &one.id).collect::<Vec<_>>(), [&acme]);
    let (rest, end) = store.organizations(next.as_ref(), 1).await?;
    assert_eq!(rest.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["BETA"]);
    let (nothing, _) = store.organizations(end.as_ref(), 1).await?;
    assert!(end.is_none() || nothing.is_empty());
    assert!(store.users(next.as_ref(), 9).await?.0.is_empty(), "a cursor of another list");

    let (members, next) = store.members(&acme, None, 1).await?;
    assert_eq!(members, [Membership { user: UserId::new("ada")?, role: Role::Admin }]);
    let (members, _) = store.members(&acme, next.as_ref(), 1).await?;
    assert_eq!(members, [Membership { user: UserId::new("carl")?, role: Role::Editor }]);
    let ada = UserId::new("ada")?;
    assert_eq!(store.memberships_of(&ada).await?, [(acme.clone(), Role::Admin), (beta.clone(), Role::Viewer)]);
    store.delete_membership(&acme, &ada).await?;
    assert_eq!(store.memberships_of(&ada).await?, [(beta, Role::Viewer)]);
    assert_eq!(store.memberships_of(&UserId::new("dora")?).await?, []);
    Ok(())
}

#[tokio::test]
async fn a_provider_is_entered_on_first_read_and_keeps_what_an_operator_says() -> Result<()> {
    let store = store().await?;
    let entries = store.registry().await?;
    assert_eq!(entries, ProviderId::ALL.iter().copied().map(RegistryEntry::new).collect::<Vec<_>>());
    let mut entry = store.registry_entry(ProviderId::GoogleDrive).await?;
    entry.enabled = false;
    entry.allowed_plans = vec![Plan::Enterprise];
    store.save_registry_entry(&entry).await?;
    assert_eq!(store.registry_entry(ProviderId::GoogleDrive).await?, entry);
    assert!(store.registry().await?.contains(&entry));
    Ok(())
}
