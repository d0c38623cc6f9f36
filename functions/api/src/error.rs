//! Turns the errors of the rooms below into status, code and words for people. The one place where that is decided.

use axum::response::{IntoResponse, Response};
use connections::BeginError;
use http::StatusCode;
use web::ApiError;

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
            E::Conflict => ApiError::conflict(
                "conflict",
                "somebody else changed this integration at the same moment; please try again",
            ),
            E::Unavailable(_) => ApiError::unavailable(error),
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
            BeginError::Disabled => {
                ApiError::forbidden("provider_disabled", "this provider is switched off at present")
            }
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

fn not_configured() -> ApiError {
    ApiError::conflict("provider_not_configured", "this provider has not been set up by the operator yet")
}

#[cfg(test)]
mod tests {
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
    }

    #[test]
    fn no_trouble_of_a_providers_is_a_401() {
        for error in [integrations::Error::TokenExpired, integrations::Error::NotConnected, integrations::Error::Paused]
        {
            assert_ne!(Error::from(error).0.status, StatusCode::UNAUTHORIZED);
        }
    }
}
