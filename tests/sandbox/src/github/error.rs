//! Errors as GitHub writes them.

use axum::{
    Json,
    http::{HeaderName, HeaderValue, StatusCode},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use crate::clock;

/// An error of the REST API.
#[derive(Debug, Clone, PartialEq)]
pub struct ApiError {
    pub status: StatusCode,
    pub message: String,
    pub errors: Vec<Value>,
}

impl ApiError {
    pub fn new(status: StatusCode, message: &str) -> Self {
        Self { status, message: message.to_owned(), errors: Vec::new() }
    }

    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "Not Found")
    }

    pub fn gone(message: &str) -> Self {
        Self::new(StatusCode::GONE, message)
    }

    pub fn bad_credentials() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "Bad credentials")
    }

    pub fn invalid(errors: Vec<Value>) -> Self {
        Self { errors, ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, "Validation Failed") }
    }

    /// What GitHub says with a status that a test asks for.
    pub fn of_status(status: StatusCode, reason: Option<&str>) -> Self {
        let message = match (status.as_u16(), reason) {
            (_, Some(reason)) => reason,
            (401, _) => "Bad credentials",
            (403, _) => "Forbidden",
            (404, _) => "Not Found",
            (410, _) => "This issue was deleted",
            (429, _) => "API rate limit exceeded",
            (451, _) => "Repository access blocked",
            _ => "Server Error",
        };
        Self::new(status, message)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut body = json!({
            "message": self.message,
            "documentation_url": "https://docs.github.com/rest",
            "status": self.status.as_u16().to_string(),
        });
        if let (false, Some(fields)) = (self.errors.is_empty(), body.as_object_mut()) {
            fields.insert("errors".to_owned(), json!(self.errors));
        }
        (self.status, Json(body)).into_response()
    }
}

/// The primary limit is used up, for a minute.
pub fn rate_limited() -> Response {
    let reset = clock::now().timestamp() + 60;
    let mut response = ApiError::new(StatusCode::FORBIDDEN, "API rate limit exceeded for user ID 1.").into_response();
    for (name, value) in [("limit", 5000), ("remaining", 0), ("used", 5000), ("reset", reset)] {
        add(&mut response, name, &value.to_string());
    }
    response
}

/// Says how much of the primary limit is left.
pub fn with_limit(mut response: Response) -> Response {
    let reset = (clock::now().timestamp() / 3600 + 1) * 3600;
    for (name, value) in [("limit", 5000), ("remaining", 4999), ("used", 1), ("reset", reset)] {
        add(&mut response, name, &value.to_string());
    }
    add(&mut response, "resource", "core");
    response
}

fn add(response: &mut Response, name: &str, value: &str) {
    let name = HeaderName::try_from(format!("x-ratelimit-{name}"));
    if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value)) {
        response.headers_mut().insert(name, value);
    }
}
