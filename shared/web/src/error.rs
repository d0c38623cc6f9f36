//! The one error that leaves through HTTP. The client sees `code` and `message`; the log sees the cause.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};

use crate::envelope::Limit;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// How long a client waits before it asks again when one of our dependencies is down.
pub const UNAVAILABLE_FOR: Duration = Duration::from_secs(5);

/// A request that is not granted. [`crate::request`] renders it, so that it carries the request's id.
#[derive(Debug, thiserror::Error)]
#[error("{code}: {message}")]
pub struct ApiError {
    /// The status.
    pub status: StatusCode,
    /// For programs; stable.
    pub code: &'static str,
    /// For people; never the text of an inner error.
    pub message: Cow<'static, str>,
    /// When to ask again, sent as `Retry-After` in whole seconds.
    pub retry_after: Option<Duration>,
    /// The limit that was met, if one was; it travels in the body.
    pub limit: Option<Box<Limit>>,
    /// The cause, for the log.
    #[source]
    pub source: Option<BoxError>,
}

impl ApiError {
    /// An error with these words and no cause.
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { status, code, message: message.into(), retry_after: None, limit: None, source: None }
    }

    /// The same error with its cause, for the log.
    #[must_use]
    pub fn because(mut self, source: impl Into<BoxError>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The same error, naming the limit that was met and what would lift it.
    #[must_use]
    pub fn limited_by(mut self, limit: Limit) -> Self {
        self.limit = Some(Box::new(limit));
        self
    }

    /// The same error, saying when to ask again.
    #[must_use]
    pub const fn retry_after(mut self, delay: Duration) -> Self {
        self.retry_after = Some(delay);
        self
    }

    /// 400: the request cannot be read.
    pub fn malformed(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed", message)
    }

    /// 401: no token, or one that does not hold.
    pub fn unauthenticated(code: &'static str, message: &'static str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, code, message)
    }

    /// 403: known, and not allowed.
    pub fn forbidden(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::FORBIDDEN, code, message)
    }

    /// 404: unknown, or not theirs, which look the same.
    pub fn not_found(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, message)
    }

    /// 409: not in this state.
    pub fn conflict(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::CONFLICT, code, message)
    }

    /// 413: more than we read.
    pub fn too_large() -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "the body is larger than 1 MiB")
    }

    /// 422: readable, and not a value that is taken here.
    pub fn invalid(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_value", message)
    }

    /// 503: a dependency is down; the same request may succeed later.
    pub fn unavailable(source: impl Into<BoxError>) -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "unavailable",
            "this cannot be done right now; please try again shortly",
        )
        .retry_after(UNAVAILABLE_FOR)
        .because(source)
    }

    /// 500: a fault of ours.
    pub fn internal(source: impl Into<BoxError>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "something went wrong on our side").because(source)
    }

    /// The error and its causes on one line, for the log.
    #[must_use]
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut next = std::error::Error::source(self);
        while let Some(error) = next {
            text.push_str(": ");
            text.push_str(&error.to_string());
            next = error.source();
        }
        text
    }
}

/// A throttled or unreachable table passes; a refused call or a broken row is a fault of ours.
impl From<store::Error> for ApiError {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Unavailable(_) => Self::unavailable(error),
            store::Error::Corrupt { .. } | store::Error::Refused(_) => Self::internal(error),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        if let Some(delay) = self.retry_after {
            let seconds = delay.as_secs() + u64::from(delay.subsec_nanos() > 0);
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_is_rounded_up_to_whole_seconds() {
        let check = |delay, expected: &str| {
            let response = ApiError::unavailable("down").retry_after(delay).into_response();
            assert_eq!(response.headers()[RETRY_AFTER], expected);
        };
        check(Duration::from_millis(1), "1");
        check(Duration::from_millis(1500), "2");
        check(Duration::ZERO, "1");
    }

    #[test]
    fn a_broken_row_is_our_fault_and_a_throttled_table_passes() {
        let check = |error, status: StatusCode| assert_eq!(ApiError::from(error).status, status);
        check(store::Error::Unavailable("throttled".into()), StatusCode::SERVICE_UNAVAILABLE);
        check(store::Error::Corrupt { what: "a user" }, StatusCode::INTERNAL_SERVER_ERROR);
        check(store::Error::Refused("denied".into()), StatusCode::INTERNAL_SERVER_ERROR);
    }

    #[test]
    fn the_log_sees_the_cause_and_the_client_does_not() {
        let error = ApiError::unavailable("the table is down");
        assert!(error.chain().contains("the table is down"));
        assert!(!error.message.contains("table"));
    }
}
