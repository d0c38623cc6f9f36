//! Connections are made within the plan, by those who may, and by credentials where nobody signs in.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context as _, Result};
use connections::{CallbackKind, Connections, ENTER_AGAIN, Enter, EnterError, OpenError, Settings};
use domain::clock::SharedClock;
use domain::plan::{Plan, Role};
use domain::resource::DeleteReason;
use domain::{
    AccountId, ExternalId, Integration, IntegrationConfig, OrganizationId, Owner, ProviderId, Status, StorageStrategy,
    SyncFrequency, SystemClock, UserId,
};
use providers::credentials::{Credentials, Field, entry};
use providers::provider::{
    Access, Account, BrowseRequest, Choices, FetchRequest, Fetched, ListRequest, Manifest, Page, Provider,
};
use providers::{Http, Kind, ProviderError, Registry};
use secrecy::{ExposeSecret as _, SecretString};
use store::{Membership, Organization, RegistryEntry, Saved, Store, Tables};
use testkit::emulator::Emulator;
use vault::Vault;

use crate::sample::{at, integration};

/// Drive, as it would be if its accounts were connected by a name and a password.
struct ByPassword {
    drive: providers::google_drive::GoogleDrive,
    /// The password that is accepted.
    password: Arc<Mutex<String>>,
}

const FORM: Credentials = Credentials {
    fields: &[
        Field { name: "username", title: "Name", description: "The name that you sign in with.", secret: false },
        Field { name: "password", title: "Password", description: "An application password.", secret: true },
    ],
};

impl ByPassword {
    fn check(&self, access: &Access) -> Result<String, ProviderError> {
        let refused = || ProviderError::new(ProviderId::GoogleDrive, Kind::TokenRejected);
        let of = |name| entry(&access.token, name).map(|entry| entry.expose_secret().to_owned()).ok_or_else(refused);
        if of("password")? == *self.password.lock().unwrap() { of("username") } else { Err(refused()) }
    }
}

#[async_trait::async_trait]
impl Provider for ByPassword {
    fn manifest(&self) -> &'static Manifest {
        self.drive.manifest()
    }

    fn config_schema(&self) -> serde_json::Value {
        self.drive.config_schema()
    }

    fn check_config(&self, config: &IntegrationConfig) -> Result<(), String> {
        self.drive.check_config(config)
    }

    async fn test_connection(&self, access: &Access) -> Result<Account, ProviderError> {
        let name = self.check(access)?;
        Ok(Account { id: AccountId::new(name.clone()).unwrap(), name: Some(name) })
    }

    async fn start_cursor(&self, access: &Access, _: &IntegrationConfig) -> Result<String, ProviderError> {
        self.check(access)
    }

    async fn list(&self, access: &Access, _: ListRequest<'_>) -> Result<Page, ProviderError> {
        self.check(access).map(|_| Page::default())
    }

    async fn fetch(&self, access: &Access, request: FetchRequest<'_>) -> Result<Fetched, ProviderError> {
        self.drive.fetch(access, request).await
    }

    async fn browse(&self, access: &Access, _: BrowseRequest<'_>) -> Result<Choices, ProviderError> {
        self.check(access).map(|_| Choices::default())
    }

    async fn confirm_gone(
        &self,
        access: &Access,
        _: &IntegrationConfig,
        _: &ExternalId,
    ) -> Result<Option<DeleteReason>, ProviderError> {
        self.check(access).map(|_| None)
    }

    fn credentials(&self) -> Option<&'static Credentials> {
        Some(&FORM)
    }
}

/// What connections stand on, with a provider that takes passwords and no registration there.
struct World {
    emulator: Emulator,
    tables: Tables,
    store: Store,
    connections: Connections,
    password: Arc<Mutex<String>>,
}

impl World {
    async fn new() -> Result<Self> {
        let emulator = Emulator::connect().await?;
        let (tables, key) = (emulator.tables().await?, emulator.key().await?);
        let clock: SharedClock = SystemClock::shared();
        let password = Arc::new(Mutex::new("right".to_owned()));
        let drive = providers::google_drive::GoogleDrive::new(Http::new());
        let provider = Arc::new(ByPassword { drive, password: Arc::clone(&password) });
        let connections = Connections::new(
            emulator.store(&tables),
            Vault::new(emulator.kms.clone(), key, Arc::clone(&clock)),
            Settings::new(emulator.secrets.clone(), "nowhere/".to_owned(), Duration::from_secs(60), Arc::clone(&clock)),
            Arc::new(Registry::new(Http::new()).serving(provider)),
            clock,
        );
        Ok(Self { store: emulator.store(&tables), emulator, tables, connections, password })
    }

    async fn enter(&self, owner: &str, user: &str, username: &str, password: &str) -> Result<Integration, EnterError> {
        let entered: BTreeMap<String, SecretString> = [("username", username), ("password", password)]
            .map(|(name, value)| (name.to_owned(), value.into()))
            .into();
        let owner = owner.parse().expect("an owner");
        let user = UserId::new(user).expect("a user");
        self.connections.enter(Enter { owner, user, provider: ProviderId::GoogleDrive, entered }).await
    }

    async fn stored(&self, owner: &str) -> Result<Option<Integration>> {
        Ok(self.store.get_integration(&owner.parse()?, ProviderId::GoogleDrive).await?)
    }

    /// An organization on this plan with Ada as its administrator.
    async fn acme(&self, plan: Plan) -> Result<OrganizationId> {
        let id = OrganizationId::new("acme")?;
        let organization = Organization {
            id: id.clone(),
            name: "Acme".to_owned(),
            plan,
            default_frequency: Some(SyncFrequency::Daily),
            default_storage_strategy: Some(StorageStrategy::MetadataOnly),
            created_at: at(0),
        };
        self.store.put_organization(&organization).await?;
        self.store.put_membership(&id, &Membership { user: UserId::new("ada")?, role: Role::Admin }).await?;
        Ok(id)
    }
}

#[tokio::test]
async fn credentials_connect_and_are_sealed() -> Result<()> {
    let world = World::new().await?;
    let row = world.enter("user/ada", "ada", "ada@example.com", "right").await?;
    assert_eq!((row.status, row.account_name.as_deref()), (Status::Active, Some("ada@example.com")));
    let stored = world.stored("user/ada").await?.context("nothing is stored")?;
    assert_eq!(
        (stored.id, &stored.tokens.as_ref().map(|it| it.access.clone())),
        (row.id, &row.tokens.map(|it| it.access))
    );
    let tokens = stored.tokens.as_ref().context("nothing is sealed")?;
    assert!(!tokens.access.as_bytes().windows(5).any(|bytes| bytes == b"right"), "the password lies open");
    assert_eq!((tokens.refresh.as_ref(), tokens.expires_at), (None, None));
    let access = world.connections.open(&stored).await?;
    assert_eq!(entry(&access.token, "password").unwrap().expose_secret(), "right");
    // The same account again is the same integration, whatever its password is by now.
    *world.password.lock().unwrap() = "newer".to_owned();
    let again = world.enter("user/ada", "ada", "ada@example.com", "newer").await?;
    assert_eq!(again.id, row.id);
    assert_eq!(entry(&world.connections.open(&again).await?.token, "password").unwrap().expose_secret(), "newer");
    Ok(())
}

#[tokio::test]
async fn credentials_that_the_provider_refuses_leave_nothing_behind() -> Result<()> {
    let world = World::new().await?;
    for (username, password) in [("ada", "wrong"), ("ada", "canary-wrong")] {
        let error = world.enter("user/ada", "ada", username, password).await.unwrap_err();
        assert!(matches!(error, EnterError::Refused(_)), "{error:?}");
        assert!(!format!("{error:?} {error}").contains("canary"), "{error:?}");
    }
    let error = world.enter("user/ada", "ada", "", "right").await.unwrap_err();
    assert!(matches!(&error, EnterError::Invalid(sentence) if sentence.contains("username")), "{error:?}");
    assert_eq!(world.stored("user/ada").await?, None);
    let by_oauth = world.connections.enter(Enter {
        owner: "user/ada".parse()?,
        user: UserId::new("ada")?,
        provider: ProviderId::Github,
        entered: BTreeMap::new(),
    });
    assert!(matches!(by_oauth.await, Err(EnterError::NotCredentials)));
    Ok(())
}

#[tokio::test]
async fn a_password_that_is_no_longer_accepted_asks_a_person_for_another() -> Result<()> {
    let world = World::new().await?;
    let row = world.enter("user/ada", "ada", "ada", "right").await?;
    let access = world.connections.open(&row).await?;
    *world.password.lock().unwrap() = "changed".to_owned();
    let renewed = world.connections.renew_after(&row, &access).await;
    assert!(matches!(renewed, Err(OpenError::TokenExpired)), "{renewed:?}");
    let stored = world.stored("user/ada").await?.context("the row is gone")?;
    assert_eq!((stored.status, stored.last_error.as_deref()), (Status::TokenExpired, Some(ENTER_AGAIN)));
    world.connections.disconnect(&stored).await?;
    assert_eq!(world.stored("user/ada").await?.context("the row is gone")?.tokens, None);
    Ok(())
}

#[tokio::test]
async fn only_who_may_connects_for_an_organization() -> Result<()> {
    let world = World::new().await?;
    let acme = world.acme(Plan::Pro).await?;
    let not_allowed = async |user: &str| {
        let error = world.enter("organization/acme", user, "shared", "right").await.unwrap_err();
        assert!(matches!(error, EnterError::Other(CallbackKind::NotAllowed)), "{user}: {error:?}");
    };
    not_allowed("stranger").await;
    world.store.put_membership(&acme, &Membership { user: UserId::new("eve")?, role: Role::Editor }).await?;
    not_allowed("eve").await;
    let mut ada = world.store.user_on_first_sight(&UserId::new("ada")?, at(0)).await?;
    ada.active = false;
    world.store.put_user(&ada).await?;
    not_allowed("ada").await;
    // Nobody connects for another person, whoever asks.
    let error = world.enter("user/bob", "ada", "shared", "right").await.unwrap_err();
    assert!(matches!(error, EnterError::Other(CallbackKind::NotAllowed)), "{error:?}");
    assert_eq!(world.stored("organization/acme").await?, None);
    Ok(())
}

#[tokio::test]
async fn a_new_integration_starts_as_its_organization_and_the_registry_say() -> Result<()> {
    let world = World::new().await?;
    world.acme(Plan::Pro).await?;
    let config: IntegrationConfig = serde_json::from_str(r#"{"folders":["f"]}"#)?;
    let entry = RegistryEntry { default_config: config.clone(), ..RegistryEntry::new(ProviderId::GoogleDrive) };
    world.store.save_registry_entry(&entry).await?;
    let row = world.enter("organization/acme", "ada", "shared", "right").await?;
    assert_eq!((row.sync_frequency, row.storage_strategy), (SyncFrequency::Daily, StorageStrategy::MetadataOnly));
    assert_eq!((&row.config, row.connected_by.as_str()), (&config, "ada"));
    // One that the provider does not take any more is left out, and connecting still works.
    let config = serde_json::from_str(r#"{"folder":"f"}"#)?;
    world.store.save_registry_entry(&RegistryEntry { default_config: config, ..entry }).await?;
    let own = world.enter("user/ada", "ada", "ada", "right").await?;
    assert_eq!((own.config, own.sync_frequency), (IntegrationConfig::default(), SyncFrequency::default()));
    Ok(())
}

#[tokio::test]
async fn a_provider_that_is_off_or_in_another_plan_connects_nobody() -> Result<()> {
    let world = World::new().await?;
    let entry = RegistryEntry::new(ProviderId::GoogleDrive);
    for entry in [
        RegistryEntry { enabled: false, ..entry.clone() },
        RegistryEntry { allowed_plans: vec![Plan::Pro, Plan::Enterprise], ..entry.clone() },
    ] {
        world.store.save_registry_entry(&entry).await?;
        let error = world.enter("user/ada", "ada", "ada", "right").await.unwrap_err();
        assert!(matches!(error, EnterError::Other(CallbackKind::NotOffered)), "{error:?}");
    }
    world.store.save_registry_entry(&entry).await?;
    world.enter("user/ada", "ada", "ada", "right").await?;
    Ok(())
}

/// An integration of another provider, as if it had been connected.
fn at_provider(owner: &str, provider: ProviderId) -> Integration {
    Integration { provider, ..integration(owner) }
}

#[tokio::test]
async fn a_plan_has_places_and_what_is_connected_already_keeps_its_own() -> Result<()> {
    let world = World::new().await?;
    let github = at_provider("user/ada", ProviderId::Github);
    assert_eq!(world.store.save_connection(&github, None).await?, Saved::Yes);
    let error = world.enter("user/ada", "ada", "ada", "right").await.unwrap_err();
    assert!(matches!(error, EnterError::Other(CallbackKind::QuotaExceeded)), "{error:?}");
    let stored = world.store.get_integration(&github.owner, ProviderId::Github).await?.context("gone")?;
    world.store.disconnect(&stored.reference(), at(9)).await?;
    let row = world.enter("user/ada", "ada", "ada", "right").await?;
    assert_eq!(world.enter("user/ada", "ada", "ada", "right").await?.id, row.id, "its own place is no further one");
    Ok(())
}

#[tokio::test]
async fn of_many_connections_at_once_as_many_win_as_the_plan_has_places() -> Result<()> {
    let world = World::new().await?;
    let owner: Owner = "user/ada".parse()?;
    let all = [ProviderId::GoogleDrive, ProviderId::Slack, ProviderId::Github, ProviderId::Notion];
    let tries = (0..24).map(|number| {
        let (store, provider) = (world.emulator.store(&world.tables), all[number % all.len()]);
        let others: Vec<ProviderId> = all.into_iter().filter(|other| *other != provider).collect();
        async move { store.save_connection_beside(&at_provider("user/ada", provider), None, &others).await }
    });
    // Who keeps meeting others may be told so; nobody may win beside another.
    let saved: Vec<_> = futures::future::join_all(tries).await;
    let winners = saved.iter().filter(|saved| matches!(saved, Ok(Saved::Yes))).count();
    assert_eq!((winners, world.store.integrations_of(&owner).await?.len()), (1, 1), "{saved:?}");
    Ok(())
}
