//! Errors in Google's two forms: the envelope of its APIs, and the short one of its OAuth endpoints.

use axum::{
    Json,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;

/// An error of the Drive API; `reason` is what clients branch on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    pub status: StatusCode,
    pub domain: &'static str,
    pub reason: String,
    pub message: String,
    /// `parameter` or `header`, and its name.
    pub location: Option<(&'static str, String)>,
}

impl ApiError {
    /// An error about no parameter in particular.
    pub fn new(status: StatusCode, reason: &str, message: impl Into<String>) -> Self {
        Self { status, domain: "global", reason: reason.to_owned(), message: message.into(), location: None }
    }

    /// The same error, about a parameter.
    pub fn at(mut self, parameter: &str) -> Self {
        self.location = Some(("parameter", parameter.to_owned()));
        self
    }

    /// 400 `invalid`: what Google says about a bad page token or query.
    pub fn invalid_value(parameter: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid", "Invalid Value").at(parameter)
    }

    /// 400 `invalidParameter` with an explanation.
    pub fn invalid_parameter(parameter: &str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalidParameter", message).at(parameter)
    }

    /// 400 `required`.
    pub fn required(parameter: &str) -> Self {
        let message = format!("The '{parameter}' parameter is required for this method.");
        Self::new(StatusCode::BAD_REQUEST, "required", message).at(parameter)
    }

    /// 404 for a file that does not exist or that the caller may not see: the two must look the same.
    pub fn file_not_found(id: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "notFound", format!("File not found: {id}.")).at("fileId")
    }

    /// 404 for a shared drive.
    pub fn drive_not_found(id: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "notFound", format!("Shared drive not found: {id}")).at("driveId")
    }

    /// 403 with a reason.
    pub fn forbidden(reason: &str, message: &str) -> Self {
        Self::new(StatusCode::FORBIDDEN, reason, message)
    }

    /// 401: the token is unknown, expired or revoked.
    pub fn bad_token() -> Self {
        Self {
            location: Some(("header", "Authorization".to_owned())),
            ..Self::new(StatusCode::UNAUTHORIZED, "authError", "Invalid Credentials")
        }
    }

    /// 401: no token was sent.
    pub fn no_token() -> Self {
        Self {
            location: Some(("header", "Authorization".to_owned())),
            ..Self::new(StatusCode::UNAUTHORIZED, "required", "Login Required.")
        }
    }

    /// 403: the user is over the quota.
    pub fn too_fast() -> Self {
        Self { domain: "usageLimits", ..Self::forbidden("userRateLimitExceeded", "User Rate Limit Exceeded") }
    }

    /// An error for a status that a fault asks for.
    pub fn of_status(status: StatusCode, reason: Option<&str>) -> Self {
        let default = match status.as_u16() {
            400 => "badRequest",
            401 => "authError",
            403 => "forbidden",
            404 => "notFound",
            410 => "updatedMinTooLongAgo",
            429 => "rateLimitExceeded",
            _ => "backendError",
        };
        let reason = reason.unwrap_or(default);
        let about_usage =
            reason.ends_with("LimitExceeded") || reason.ends_with("QuotaExceeded") || reason == "quotaExceeded";
        Self {
            domain: if about_usage { "usageLimits" } else { "global" },
            ..Self::new(status, reason, status.canonical_reason().unwrap_or("Error"))
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut detail = json!({ "message": self.message, "domain": self.domain, "reason": self.reason });
        if let (Some((kind, name)), Some(detail)) = (&self.location, detail.as_object_mut()) {
            detail.insert("location".to_owned(), json!(name));
            detail.insert("locationType".to_owned(), json!(kind));
        }
        let mut error = json!({ "code": self.status.as_u16(), "message": self.message, "errors": [detail] });
        if let (StatusCode::UNAUTHORIZED, Some(error)) = (self.status, error.as_object_mut()) {
            error.insert("status".to_owned(), json!("UNAUTHENTICATED"));
        }
        let mut response = (self.status, Json(json!({ "error": error }))).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            let challenge = axum::http::HeaderValue::from_static("Bearer realm=\"https://accounts.google.com/\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

/// An error of the token and revocation endpoints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OAuthError {
    pub status: StatusCode,
    pub error: &'static str,
    pub description: String,
}

impl OAuthError {
    /// 400 with one of the registered error names.
    pub fn bad_request(error: &'static str, description: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, error, description: description.into() }
    }

    /// 401: the client is unknown or its secret is wrong.
    pub fn invalid_client(description: &str) -> Self {
        Self { status: StatusCode::UNAUTHORIZED, error: "invalid_client", description: description.to_owned() }
    }
}

impl IntoResponse for OAuthError {
    fn into_response(self) -> Response {
        (self.status, Json(json!({ "error": self.error, "error_description": self.description }))).into_response()
    }
}
