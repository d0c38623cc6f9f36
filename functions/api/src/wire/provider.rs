//! A provider as lists describe it.

use domain::plan::Plan;
use domain::provider::{AuthType, Capabilities, Category};
use providers::Provider;
use serde::Serialize;
use store::RegistryEntry;
use utoipa::ToSchema;

use super::words;

/// A service that accounts can be connected at.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Provider)]
pub struct ProviderRow {
    /// Its id.
    #[schema(example = "google_drive")]
    id: String,
    /// Its name.
    #[schema(example = "Google Drive")]
    name: &'static str,
    /// What is synced.
    description: &'static str,
    /// Name of its icon.
    icon: &'static str,
    /// Where it stands in lists.
    #[schema(schema_with = words::category)]
    category: Category,
    /// How an account is connected.
    #[schema(schema_with = words::auth_type)]
    auth_type: AuthType,
    /// What it can do.
    capabilities: CapabilitiesRow,
    /// What is asked for there.
    scopes: &'static [&'static str],
    /// What the provider allows for one account.
    rate_limits: RateLimitsRow,
    /// Whether the operator has set it up.
    configured: bool,
    /// Whether the operator has it switched on.
    enabled: bool,
    /// Whether it is switched on and in the owner's plan.
    available: bool,
    /// The plans that have it; empty means all.
    #[schema(schema_with = words::plans)]
    allowed_plans: Vec<Plan>,
    /// Whether the owner has it connected.
    connected: bool,
    /// The JSON Schema of an integration's `config`.
    #[schema(value_type = Object)]
    config_schema: serde_json::Value,
    /// What a person enters to connect an account; empty where they sign in at the provider.
    credentials: Vec<FieldRow>,
}

/// A field of the form by which an account is connected.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = CredentialField)]
pub struct FieldRow {
    /// Its name in requests.
    #[schema(example = "apiKey")]
    name: &'static str,
    /// Its name for people.
    #[schema(example = "API key")]
    title: &'static str,
    /// What belongs into it, and where to find that.
    description: &'static str,
    /// Whether it is not to be shown while it is entered.
    secret: bool,
}

/// What a provider can do.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Capabilities)]
pub struct CapabilitiesRow {
    /// Content can be listed and fetched.
    pull_content: bool,
    /// Changes are announced by the provider.
    webhooks: bool,
    /// Content can be written back.
    bidirectional: bool,
}

/// What a provider allows for one account.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = RateLimits)]
pub struct RateLimitsRow {
    /// In a minute.
    requests_per_minute: u32,
    /// In a day, where there is such a limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    requests_per_day: Option<u32>,
    /// At once.
    concurrent: u32,
}

impl ProviderRow {
    /// The row of a provider for an owner on this plan.
    pub fn new(provider: &dyn Provider, entry: &RegistryEntry, plan: Plan, configured: bool, connected: bool) -> Self {
        let manifest = provider.manifest();
        let Capabilities { pull_content, webhooks, bidirectional } = provider.capabilities();
        Self {
            id: manifest.id.to_string(),
            name: manifest.name,
            description: manifest.description,
            icon: manifest.icon,
            category: manifest.category,
            auth_type: manifest.auth_type,
            capabilities: CapabilitiesRow { pull_content, webhooks, bidirectional },
            scopes: manifest.scopes,
            rate_limits: RateLimitsRow {
                requests_per_minute: manifest.rate_limits.per_minute,
                requests_per_day: manifest.rate_limits.per_day,
                concurrent: manifest.rate_limits.concurrent,
            },
            configured,
            enabled: entry.enabled,
            available: entry.allows(plan),
            allowed_plans: entry.allowed_plans.clone(),
            connected,
            config_schema: provider.config_schema(),
            credentials: provider.credentials().map_or_else(Vec::new, |form| {
                let row = |field: &providers::credentials::Field| FieldRow {
                    name: field.name,
                    title: field.title,
                    description: field.description,
                    secret: field.secret,
                };
                form.fields.iter().map(row).collect()
            }),
        }
    }
}
