//! `POST …/integrations/{provider}/credentials`: connects an account by a key, or by a name and a password, where the provider has no
//! page to sign in at. Nothing of what is sent is ever shown again or logged.

use std::collections::BTreeMap;

use axum::extract::State;
use connections::{CallbackKind, Enter, EnterError};
use integrations::Action;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use web::{ApiError, Body, Data, OwnerAdmin, Scope};

use crate::error::{Error, Result};
use crate::limits::{Barred, barred};
use crate::path::Provider;
use crate::state::Api;
use crate::wire::integration::IntegrationRow;

/// What the provider's form asks for (`credentials` of the provider's description), under its names.
#[derive(Deserialize, ToSchema)]
#[schema(value_type = BTreeMap<String, String>, example = json!({"apiKey": "…"}))]
pub struct Credentials(Map<String, Value>);

impl Credentials {
    /// The entries. A wrong type is told without what was sent.
    fn entered(self) -> Result<BTreeMap<String, SecretString>> {
        let entries = self.0.into_iter().map(|(name, value)| match value {
            Value::String(text) => Ok((name, text.into())),
            _ => Err(ApiError::invalid("credentials: every field takes a text").into()),
        });
        entries.collect()
    }
}

/// Connects an account by credentials. The provider is asked first whether it takes them.
#[utoipa::path(post, path = "/{provider}/credentials", tag = "integrations",
    request_body(content((Credentials = "application/json"), (Credentials = "application/x-www-form-urlencoded"))),
    responses((status = 200, description = "The integration, whose first sync has begun", body = Data<IntegrationRow>),
        (status = 402, description = "The plan allows no further integration"),
        (status = 409, description = "This provider is connected by signing in there")))]
pub async fn store_credentials(
    OwnerAdmin(scope): OwnerAdmin,
    Provider(provider): Provider,
    State(api): State<Api>,
    Body(credentials): Body<Credentials>,
) -> Result<Data<IntegrationRow>> {
    let owner = scope.owner.clone();
    let entered = credentials.entered()?;
    let enter = Enter { owner, user: scope.caller.id.clone(), provider, entered };
    let integration = match api.connections.enter(enter).await {
        Ok(integration) => integration,
        Err(error) => return Err(explained(error, &api, &scope, provider).await),
    };
    api.note(&scope, Action::CredentialsSet, provider, Value::Null).await;
    if let Err(error) = api.integrations.connected(&integration).await {
        // It is connected all the same: the scheduler finds the new row by its due time and starts the sync.
        tracing::warn!(integration.id = %integration.id, error = error.to_string(), "the first sync was not started at once");
    }
    let shown = api.integrations.get(&scope.owner, provider).await?;
    Ok(Data::new(IntegrationRow::at(api.clock.now(), shown)))
}

async fn explained(error: EnterError, api: &Api, scope: &Scope, provider: domain::ProviderId) -> Error {
    match error {
        EnterError::Other(CallbackKind::QuotaExceeded) => barred(api, scope, provider, Barred::Quota).await,
        EnterError::Other(CallbackKind::NotOffered) => barred(api, scope, provider, Barred::NotOffered).await,
        other => other.into(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entered(body: Value) -> std::result::Result<BTreeMap<String, SecretString>, String> {
        let credentials: Credentials = serde_json::from_value(body).unwrap();
        credentials.entered().map_err(|error| error.0.message.into_owned())
    }

    #[test]
    fn entries_are_texts_and_a_wrong_one_is_not_repeated() {
        assert_eq!(entered(json!({"username": "ada", "password": "p"})).unwrap().len(), 2);
        for wrong in [json!({"apiKey": 4711}), json!({"apiKey": ["canary"]}), json!({"apiKey": null})] {
            let told = entered(wrong).unwrap_err();
            assert!(!told.contains("canary") && !told.contains("4711"), "{told}");
        }
    }
}
