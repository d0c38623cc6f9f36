//! Rows of the directory and of the provider registry.

use domain::plan::{Plan, PlatformRole, Role};
use domain::{OrganizationId, StorageStrategy, SyncFrequency, Timestamp};
use serde::Serialize;
use store::{Connected, Membership, Organization, RegistryEntry, User};
use utoipa::ToSchema;

use super::stats::ConnectedRow;
use super::words;

/// A person.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = User)]
pub struct UserRow {
    /// The token's subject.
    id: String,
    /// What they pay for.
    #[schema(schema_with = words::plan)]
    plan: Plan,
    /// What they may do on the platform.
    #[schema(schema_with = words::platform_role)]
    role: PlatformRole,
    /// Whether they may use it at all.
    active: bool,
    /// When they were first seen.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl From<User> for UserRow {
    fn from(user: User) -> Self {
        Self { id: user.id.into(), plan: user.plan, role: user.role, active: user.active, created_at: user.created_at }
    }
}

/// A person, and where they are a member.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UserDetails)]
pub struct UserDetailsRow {
    #[serde(flatten)]
    user: UserRow,
    /// The organizations that they are a member of.
    memberships: Vec<MembershipRow>,
}

/// A person's membership.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Membership)]
pub struct MembershipRow {
    /// The organization's slug.
    #[schema(example = "acme")]
    slug: String,
    /// What the person may do there.
    #[schema(schema_with = words::role)]
    role: Role,
}

impl UserDetailsRow {
    /// The row of a person with these memberships.
    pub fn new(user: User, memberships: Vec<(OrganizationId, Role)>) -> Self {
        let memberships = memberships.into_iter().map(|(slug, role)| MembershipRow { slug: slug.into(), role });
        Self { user: user.into(), memberships: memberships.collect() }
    }
}

/// An organization.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Organization)]
pub struct OrganizationRow {
    /// Its slug.
    #[schema(example = "acme")]
    slug: String,
    /// Its name.
    name: String,
    /// What it pays for.
    #[schema(schema_with = words::plan)]
    plan: Plan,
    /// When it was made known.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl From<Organization> for OrganizationRow {
    fn from(organization: Organization) -> Self {
        Self {
            slug: organization.id.into(),
            name: organization.name,
            plan: organization.plan,
            created_at: organization.created_at,
        }
    }
}

/// A member of an organization.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Member)]
pub struct MemberRow {
    /// Who.
    user_id: String,
    /// What they may do there.
    #[schema(schema_with = words::role)]
    role: Role,
}

impl From<Membership> for MemberRow {
    fn from(member: Membership) -> Self {
        Self { user_id: member.user.into(), role: member.role }
    }
}

/// What new integrations of an organization start with.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OrganizationSettings)]
pub struct SettingsRow {
    /// How often they are pulled; null leaves it to the product.
    #[schema(schema_with = words::sync_frequency_or_null)]
    sync_frequency: Option<SyncFrequency>,
    /// What is kept of their content; null leaves it to the product.
    #[schema(schema_with = words::storage_strategy_or_null)]
    storage_strategy: Option<StorageStrategy>,
}

impl From<&Organization> for SettingsRow {
    fn from(organization: &Organization) -> Self {
        Self { sync_frequency: organization.default_frequency, storage_strategy: organization.default_storage_strategy }
    }
}

/// What the operator allows of a provider.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RegistryEntry)]
pub struct RegistryRow {
    /// The provider.
    #[schema(example = "google_drive")]
    provider: String,
    /// Its name.
    name: &'static str,
    /// Whether it may be connected and is synced.
    enabled: bool,
    /// The plans that have it; empty means all.
    #[schema(schema_with = words::plans)]
    allowed_plans: Vec<Plan>,
    /// The configuration that new integrations start with.
    #[schema(value_type = Object)]
    default_config: serde_json::Map<String, serde_json::Value>,
    /// The integrations that are connected there now.
    connected: ConnectedRow,
}

impl RegistryRow {
    /// The row of a provider of this name, of which so much is connected.
    pub fn new(entry: RegistryEntry, name: &'static str, connected: &[Connected]) -> Self {
        let of = connected.iter().find(|one| one.provider == entry.provider);
        Self {
            provider: entry.provider.to_string(),
            name,
            enabled: entry.enabled,
            allowed_plans: entry.allowed_plans,
            default_config: entry.default_config.0,
            connected: of.map(|one| one.by_status).unwrap_or_default().into(),
        }
    }
}
