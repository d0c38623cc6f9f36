//! Turns the errors of the rooms below into status, code and words for people. The one place where that is decided.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use connections::{BeginError, CallbackKind, EnterError};
use http::StatusCode;
use integrations::BrowseError;
use web::ApiError;

use crate::limits;

/// When it is worth asking a provider again that is down.
const PROVIDER_DOWN_FOR: Duration = Duration::from_secs(30);

/// What a handler fails with.
#[derive(Debug)]
pub struct Error(pub ApiError);

/// What a handler gives.
pub type Result<T> = std::result::Result<T, Error>;

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        self.0.into_response()
    }
}

impl From<ApiError> for Error {
    fn from(error: ApiError) -> Self {
        Self(error)
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        Self(error.into())
    }
}

impl From<connections::Error> for Error {
    fn from(error: connections::Error) -> Self {
        Self(match error {
            connections::Error::Store(error) => error.into(),
            connections::Error::Vault(_) | connections::Error::Settings { .. } => ApiError::unavailable(error),
            connections::Error::MalformedSettings { .. } => not_configured().because(error),
        })
    }
}

impl From<integrations::Error> for Error {
    fn from(error: integrations::Error) -> Self {
        use integrations::Error as E;
        Self(match error {
            E::NotFound => not_connected(),
            E::NotConnected => {
                ApiError::conflict("not_connected", "this integration is disconnected; connect it again first")
            }
            E::Paused => ApiError::conflict("paused", "this integration is paused; resume it first"),
            // A trouble with a provider's token, which is no trouble with the caller's: never a 401.
            E::TokenExpired => ApiError::conflict(
                "reconnect_needed",
                "the provider no longer accepts this connection; connect it again",
            ),
            E::Waiting => ApiError::conflict("waiting", "this integration failed too often and is tried daily"),
            E::JobNotFound => unknown_job(),
            E::JobEnded => ApiError::conflict("job_ended", "this sync has ended already"),
            E::NothingPending => ApiError::conflict("nothing_pending", "no deletions wait for a decision"),
            E::InvalidConfig(reason) => {
                ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_config", format!("config: {reason}"))
            }
            E::FasterThanPlan { plan, upgrade } => limits::frequency(plan, upgrade),
            E::Conflict => ApiError::conflict(
                "conflict",
                "somebody else changed this integration at the same moment; please try again",
            ),
            E::Unavailable(_) => ApiError::unavailable(error),
        })
    }
}

impl From<BrowseError> for Error {
    fn from(error: BrowseError) -> Self {
        Self(match error {
            BrowseError::Integration(error) => return error.into(),
            BrowseError::UnknownParent => {
                ApiError::not_found("unknown_parent", "parent: there is nothing of this id to look into")
            }
            BrowseError::BadCursor => {
                ApiError::new(StatusCode::BAD_REQUEST, "bad_cursor", "cursor: not a cursor of this list")
            }
            BrowseError::ScopeMissing => ApiError::conflict(
                "reconnect_needed",
                "the connection lacks a permission that this needs; connect it again and grant it",
            ),
            BrowseError::RateLimited(wait) => rate_limited(wait).because(error),
            BrowseError::ProviderUnavailable(_) => provider_unavailable().because(error),
        })
    }
}

/// Without the limits that would tell what lifts it: [`crate::routes`] adds those where it knows the plan.
impl From<EnterError> for Error {
    fn from(error: EnterError) -> Self {
        use CallbackKind as K;
        Self(match error {
            EnterError::NotCredentials => ApiError::conflict(
                "not_by_credentials",
                "this provider is connected by signing in there; begin with connect",
            ),
            EnterError::Invalid(sentence) => ApiError::invalid(sentence),
            EnterError::Refused(_) => ApiError::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "credentials_refused",
                "the provider does not accept these credentials",
            )
            .because(error),
            EnterError::Other(K::QuotaExceeded) => return BeginError::QuotaExceeded.into(),
            EnterError::Other(K::NotOffered) => return BeginError::NotInPlan.into(),
            EnterError::Other(K::NotAllowed) => {
                ApiError::forbidden("role_too_low", "only administrators of the organization may do this")
            }
            EnterError::Other(K::NotConfigured(_)) => not_configured().because(error),
            EnterError::Other(K::ProviderUnavailable(_)) => provider_unavailable().because(error),
            EnterError::Other(K::Conflict) => return integrations::Error::Conflict.into(),
            EnterError::Other(K::Unavailable(_)) => ApiError::unavailable(error),
            EnterError::Other(K::InvalidState | K::AccessDenied | K::ExchangeFailed(_) | K::ScopeMissing) => {
                ApiError::internal(error)
            }
        })
    }
}

/// Without the limits that would tell what lifts it: [`crate::routes`] adds those where it knows the plan.
impl From<BeginError> for Error {
    fn from(error: BeginError) -> Self {
        Self(match error {
            BeginError::NotOAuth => {
                ApiError::conflict("not_oauth", "this provider is not connected by signing in there")
            }
            BeginError::NotConfigured => not_configured(),
            BeginError::Disabled => limits::disabled(),
            BeginError::NotInPlan => ApiError::forbidden("not_in_plan", "this provider is not part of your plan"),
            BeginError::QuotaExceeded => {
                ApiError::new(StatusCode::PAYMENT_REQUIRED, "quota_exceeded", "your plan allows no further integration")
            }
            BeginError::Unavailable(_) => ApiError::unavailable(error),
        })
    }
}

/// 404: no provider of this name.
pub fn unknown_provider() -> ApiError {
    ApiError::not_found("unknown_provider", "there is no such provider")
}

/// 404: not connected, which looks the same as never connected.
pub fn not_connected() -> ApiError {
    ApiError::not_found("not_connected", "this provider is not connected")
}

/// 404: no job of this id here.
pub fn unknown_job() -> ApiError {
    ApiError::not_found("unknown_job", "there is no such sync")
}

/// 429: the account's limit at the provider is reached.
fn rate_limited(wait: Duration) -> ApiError {
    let words = "the account's limit at the provider is reached; please try again later";
    ApiError::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", words).retry_after(wait)
}

/// 503: the provider is down, which is no trouble of ours.
fn provider_unavailable() -> ApiError {
    let words = "the provider does not answer as it should; please try again shortly";
    ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "provider_unavailable", words).retry_after(PROVIDER_DOWN_FOR)
}

fn not_configured() -> ApiError {
    ApiError::conflict("provider_not_configured", "this provider has not been set up by the operator yet")
}

#[cfg(test)]
mod tests {
    use domain::plan::Plan;

    use super::*;

    #[test]
    fn every_case_has_its_status_and_code() {
        let check = |error: Error, status: u16, code: &str| {
            assert_eq!((error.0.status.as_u16(), error.0.code), (status, code));
        };
        check(integrations::Error::NotFound.into(), 404, "not_connected");
        check(integrations::Error::NotConnected.into(), 409, "not_connected");
        check(integrations::Error::TokenExpired.into(), 409, "reconnect_needed");
        check(integrations::Error::JobNotFound.into(), 404, "unknown_job");
        check(integrations::Error::InvalidConfig("folderIds: …".into()).into(), 422, "invalid_config");
        check(integrations::Error::Unavailable("down".into()).into(), 503, "unavailable");
        check(BeginError::QuotaExceeded.into(), 402, "quota_exceeded");
        check(BeginError::NotInPlan.into(), 403, "not_in_plan");
        check(BeginError::Disabled.into(), 403, "provider_disabled");
        check(BeginError::NotConfigured.into(), 409, "provider_not_configured");
        let refused = integrations::Error::FasterThanPlan { plan: Plan::Free, upgrade: Some(Plan::Pro) };
        check(refused.into(), 402, "quota_exceeded");
        check(BrowseError::UnknownParent.into(), 404, "unknown_parent");
        check(BrowseError::BadCursor.into(), 400, "bad_cursor");
        check(BrowseError::RateLimited(Duration::from_secs(9)).into(), 429, "rate_limited");
        check(BrowseError::ProviderUnavailable("502".into()).into(), 503, "provider_unavailable");
        check(BrowseError::ScopeMissing.into(), 409, "reconnect_needed");
        check(EnterError::NotCredentials.into(), 409, "not_by_credentials");
        check(EnterError::Invalid("apiKey takes a text.".into()).into(), 422, "invalid_value");
        check(EnterError::Refused("401".into()).into(), 422, "credentials_refused");
        check(EnterError::Other(CallbackKind::NotAllowed).into(), 403, "role_too_low");
        check(EnterError::Other(CallbackKind::Conflict).into(), 409, "conflict");
    }

    #[test]
    fn no_trouble_of_a_providers_is_a_401() {
        for error in [integrations::Error::TokenExpired, integrations::Error::NotConnected, integrations::Error::Paused]
        {
            assert_ne!(Error::from(error).0.status, StatusCode::UNAUTHORIZED);
        }
    }
}
