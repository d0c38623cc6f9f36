//! Errors in Notion's two forms: the envelope of its API, and the short one of its OAuth endpoints.

use axum::{
    Json,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;

use super::state::uuid;

/// An error of the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    pub status: StatusCode,
    pub code: String,
    pub message: String,
}

impl ApiError {
    /// An error with a code.
    pub fn new(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), message: message.into() }
    }

    /// 400: something about the request is wrong.
    pub fn validation(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "validation_error", message)
    }

    /// 404: it is not there, or not shared; the two look the same.
    pub fn not_found(kind: &str, id: &str) -> Self {
        let message = format!(
            "Could not find {kind} with ID: {id}. Make sure the relevant pages and databases are shared with your integration."
        );
        Self::new(StatusCode::NOT_FOUND, "object_not_found", message)
    }

    /// 401.
    pub fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", "API token is invalid.")
    }

    /// 403: a capability is missing.
    pub fn restricted() -> Self {
        let message = "Insufficient permissions for this endpoint.";
        Self::new(StatusCode::FORBIDDEN, "restricted_resource", message)
    }

    /// Whatever has this status.
    pub fn of_status(status: StatusCode, reason: Option<&str>) -> Self {
        let code = match status.as_u16() {
            400 => "validation_error",
            401 => "unauthorized",
            403 => "restricted_resource",
            404 | 410 => "object_not_found",
            409 => "conflict_error",
            429 => "rate_limited",
            500 => "internal_server_error",
            504 => "gateway_timeout",
            529 => "service_overload",
            _ => "service_unavailable",
        };
        Self::new(status, reason.unwrap_or(code), "The sandbox was told to answer so.")
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = json!({
            "object": "error",
            "status": self.status.as_u16(),
            "code": self.code,
            "message": self.message,
            "request_id": uuid(),
        });
        (self.status, Json(body)).into_response()
    }
}

/// "Too fast".
pub fn rate_limited() -> Response {
    let error = ApiError::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", "You have been rate limited.");
    ([(header::RETRY_AFTER, "1")], error).into_response()
}

/// An error of the token endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OAuthError {
    pub status: StatusCode,
    pub error: &'static str,
}

impl OAuthError {
    /// 400 with a code.
    pub const fn bad_request(error: &'static str) -> Self {
        Self { status: StatusCode::BAD_REQUEST, error }
    }

    /// 401: the client is not who it says.
    pub const fn invalid_client() -> Self {
        Self { status: StatusCode::UNAUTHORIZED, error: "invalid_client" }
    }
}

impl IntoResponse for OAuthError {
    fn into_response(self) -> Response {
        (self.status, Json(json!({ "error": self.error, "request_id": uuid() }))).into_response()
    }
}
