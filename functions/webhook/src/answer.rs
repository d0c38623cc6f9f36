//! What a provider is answered. The words are part of the contract.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER};
use providers::Handshake;
use serde_json::json;

/// After how many seconds a provider should deliver again. Most keep to a scale of their own.
const RETRY_AFTER_SECONDS: &str = "5";

/// An answer to a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It is stored, or there was nothing to store.
    Received,
    /// It only asked whether we are there: the provider's own form of an answer.
    Handshake(Handshake),
    /// The path names no provider that announces changes.
    UnknownProvider,
    /// It is not what it claims to be, or nothing proves that it is. One answer for a forged token, an unknown subscription and
    /// somebody else's address, so that none tells which integrations exist.
    InvalidSignature,
    /// It is authentic and says nothing that can be understood.
    Malformed,
    /// It does not fit into a message.
    TooLarge,
    /// Deliveries are posted.
    WrongMethod,
    /// No route.
    NotFound,
    /// It is not stored: deliver it again.
    Unavailable,
}

impl Answer {
    /// The status.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::Received | Self::Handshake(_) => StatusCode::OK,
            Self::UnknownProvider | Self::NotFound => StatusCode::NOT_FOUND,
            Self::InvalidSignature => StatusCode::UNAUTHORIZED,
            Self::Malformed => StatusCode::BAD_REQUEST,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::WrongMethod => StatusCode::METHOD_NOT_ALLOWED,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The error's words; `None` for success.
    const fn error(&self) -> Option<&'static str> {
        match self {
            Self::Received | Self::Handshake(_) => None,
            Self::UnknownProvider => Some("Unknown provider"),
            Self::InvalidSignature => Some("Invalid signature"),
            Self::Malformed => Some("Malformed delivery"),
            Self::TooLarge => Some("Too large"),
            Self::WrongMethod => Some("Method not allowed"),
            Self::NotFound => Some("Not found"),
            Self::Unavailable => Some("Temporarily unavailable"),
        }
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let body = self.error().map_or_else(|| json!({ "received": true }), |error| json!({ "error": error }));
        let answer = (self.status(), Json(body));
        match self {
            Self::Handshake(Handshake { content_type, body }) => ([(CONTENT_TYPE, content_type)], body).into_response(),
            Self::Unavailable => ([(RETRY_AFTER, RETRY_AFTER_SECONDS)], answer).into_response(),
            Self::WrongMethod => ([(ALLOW, "POST")], answer).into_response(),
            _ => answer.into_response(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn check(answer: Answer, status: u16, body: &str) {
        let is_unavailable = answer == Answer::Unavailable;
        let response = answer.clone().into_response();
        assert_eq!(response.status().as_u16(), status);
        assert_eq!(response.headers().contains_key(RETRY_AFTER), is_unavailable, "{answer:?}");
        let bytes = axum::body::to_bytes(response.into_body(), 1000).await.unwrap();
        assert_eq!(String::from_utf8_lossy(&bytes), body);
    }

    #[tokio::test]
    async fn the_words_are_those_of_the_contract() {
        check(Answer::Received, 200, r#"{"received":true}"#).await;
        check(Answer::UnknownProvider, 404, r#"{"error":"Unknown provider"}"#).await;
        check(Answer::InvalidSignature, 401, r#"{"error":"Invalid signature"}"#).await;
        check(Answer::WrongMethod, 405, r#"{"error":"Method not allowed"}"#).await;
        check(Answer::TooLarge, 413, r#"{"error":"Too large"}"#).await;
        check(Answer::Unavailable, 503, r#"{"error":"Temporarily unavailable"}"#).await;
        let challenge = Handshake { content_type: "text/plain", body: "3eZbrw1a".to_owned() };
        check(Answer::Handshake(challenge), 200, "3eZbrw1a").await;
    }
}
