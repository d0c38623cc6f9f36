//! What handlers take out of a request. Axum's own extractors refuse in plain text, these in our envelope: 400 for what
//! cannot be read, 422 for what can be read and is not taken.

use axum::body::Bytes;
use axum::extract::rejection::{FormRejection, JsonRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Request};
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;

use crate::error::ApiError;

/// Longest piece of a client's own words that is sent back to it.
const MAX_QUOTED_CHARS: usize = 200;

/// A JSON body, which must be announced as such.
#[derive(Debug, Clone, Copy)]
pub struct Json<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let kind = Kind::of(request.headers());
        let bytes = body(request, state).await?;
        match kind {
            Kind::Json => parse_json(&bytes).map(Self),
            Kind::Form | Kind::None | Kind::Other => {
                Err(ApiError::malformed("send JSON, with Content-Type: application/json"))
            }
        }
    }
}

/// A body that may be JSON, a form's fields, or nothing at all, which counts as no fields. For what a page without
/// JavaScript must be able to send.
#[derive(Debug, Clone, Copy)]
pub struct Body<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let kind = Kind::of(request.headers());
        let bytes = body(request, state).await?;
        match kind {
            _ if bytes.is_empty() => parse_json(b"{}").map(Self),
            Kind::Form => parse_form(bytes, state).await.map(Self),
            Kind::Json | Kind::None => parse_json(&bytes).map(Self),
            Kind::Other => Err(ApiError::malformed("send JSON, with Content-Type: application/json")),
        }
    }
}

/// The query's fields.
#[derive(Debug, Clone, Copy)]
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match axum::extract::Query::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Query(value)) => Ok(Self(value)),
            Err(QueryRejection::FailedToDeserializeQueryString(error)) => {
                Err(ApiError::invalid(reason(&error.body_text())))
            }
            Err(other) => Err(ApiError::malformed("the query cannot be read").because(other)),
        }
    }
}

/// The path's variable parts. One that has not the form of an id names nothing, so it is a 404.
#[derive(Debug, Clone, Copy)]
pub struct Path<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match axum::extract::Path::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Self(value)),
            Err(PathRejection::MissingPathParams(error)) => Err(ApiError::internal(error)),
            Err(other) if other.status().is_server_error() => Err(ApiError::internal(other)),
            Err(_) => Err(ApiError::not_found("unknown_route", "there is nothing at this address")),
        }
    }
}

/// How a body is announced.
enum Kind {
    Json,
    Form,
    None,
    Other,
}

impl Kind {
    fn of(headers: &HeaderMap) -> Self {
        let Some(value) = headers.get(CONTENT_TYPE) else { return Self::None };
        let essence =
            value.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match essence.as_str() {
            "application/json" => Self::Json,
            "application/x-www-form-urlencoded" => Self::Form,
            other if other.starts_with("application/") && other.ends_with("+json") => Self::Json,
            _ => Self::Other,
        }
    }
}

/// A request's body, up to the limit.
///
/// # Errors
/// 413 if it is larger, 400 if it breaks off.
pub async fn body<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, ApiError> {
    Bytes::from_request(request, state).await.map_err(|error| match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::too_large(),
        _ => ApiError::malformed("the body cannot be read").because(error),
    })
}

/// Two looks: whether it is JSON at all, then whether it is what is wanted. Serde reports some wrong types as syntax errors and
/// reads structs from arrays, and only the second look has the path of what is wrong.
fn parse_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    let value: serde_json::Value =
        serde_json::from_slice(bytes).map_err(|_| ApiError::malformed("the body is not valid JSON"))?;
    if !value.is_object() {
        return Err(ApiError::invalid("the body must be an object"));
    }
    match axum::Json::from_bytes(bytes) {
        Ok(axum::Json(value)) => Ok(value),
        Err(JsonRejection::JsonDataError(error)) => Err(ApiError::invalid(reason(&error.body_text()))),
        Err(JsonRejection::JsonSyntaxError(error)) => Err(ApiError::invalid(reason(&error.body_text()))),
        Err(other) => Err(ApiError::internal(other)),
    }
}

async fn parse_form<S: Send + Sync, T: DeserializeOwned>(bytes: Bytes, state: &S) -> Result<T, ApiError> {
    let request = Request::builder()
        .method(http::Method::POST)
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(axum::body::Body::from(bytes))
        .map_err(ApiError::internal)?;
    match axum::Form::<T>::from_request(request, state).await {
        Ok(axum::Form(value)) => Ok(value),
        Err(FormRejection::FailedToDeserializeFormBody(error)) => Err(ApiError::invalid(reason(&error.body_text()))),
        Err(_) => Err(ApiError::malformed("the form cannot be read")),
    }
}

/// The part of axum's text that names the field and what it takes (`mode: unknown variant …`), cut to a decent length.
fn reason(text: &str) -> String {
    let said =
        text.split_once(": ").map_or(text, |(preamble, rest)| if preamble.starts_with("Failed") { rest } else { text });
    let said = said.rsplit_once(" at line ").map_or(said, |(head, _)| head);
    match said.char_indices().nth(MAX_QUOTED_CHARS) {
        Some((end, _)) => format!("{}…", said.get(..end).unwrap_or_default()),
        None => said.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Wanted {
        #[serde(default)]
        mode: Option<Mode>,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "lowercase")]
    enum Mode {
        Full,
    }

    fn request(kind: Option<&str>, body: &str) -> Request {
        let mut request = Request::builder().method("POST").uri("/");
        if let Some(kind) = kind {
            request = request.header(CONTENT_TYPE, kind);
        }
        request.body(axum::body::Body::from(body.to_owned())).unwrap()
    }

    #[tokio::test]
    async fn malformed_is_400_and_wrong_is_422() {
        let check = async |kind: Option<&str>, body: &str, expected: Result<Option<Mode>, u16>| {
            let got = Json::<Wanted>::from_request(request(kind, body), &()).await;
            assert_eq!(got.map(|json| json.0.mode).map_err(|e| e.status.as_u16()), expected, "{kind:?} {body}");
        };
        let json = Some("application/json; charset=utf-8");
        check(json, r#"{"mode":"full"}"#, Ok(Some(Mode::Full))).await;
        check(json, "{}", Ok(None)).await;
        check(json, "{", Err(400)).await;
        check(json, "", Err(400)).await;
        check(json, "\u{0}", Err(400)).await;
        check(json, &"[".repeat(100_000), Err(400)).await;
        check(json, "null", Err(422)).await;
        check(json, "[1]", Err(422)).await;
        check(json, "[]", Err(422)).await;
        check(json, r#"{"mode":1}"#, Err(422)).await;
        check(json, r#"{"mode":"sometimes"}"#, Err(422)).await;
        check(json, r#"{"mode":"full","mode":"full"}"#, Err(422)).await;
        check(json, r#"{"other":1}"#, Err(422)).await;
        check(None, "{}", Err(400)).await;
        check(Some("text/plain"), "{}", Err(400)).await;
    }

    #[tokio::test]
    async fn a_body_may_be_json_a_form_or_nothing() {
        let check = async |kind: Option<&str>, body: &str, expected: Result<Option<Mode>, u16>| {
            let got = Body::<Wanted>::from_request(request(kind, body), &()).await;
            assert_eq!(got.map(|json| json.0.mode).map_err(|e| e.status.as_u16()), expected, "{kind:?} {body}");
        };
        let form = Some("application/x-www-form-urlencoded");
        check(None, "", Ok(None)).await;
        check(Some("application/json"), "", Ok(None)).await;
        check(form, "", Ok(None)).await;
        check(form, "mode=full", Ok(Some(Mode::Full))).await;
        check(form, "mode=sometimes", Err(422)).await;
        check(form, "other=1", Err(422)).await;
        check(Some("application/json"), r#"{"mode":"full"}"#, Ok(Some(Mode::Full))).await;
        check(Some("application/xml"), "<mode/>", Err(400)).await;
    }

    #[tokio::test]
    async fn a_refusal_names_the_field_and_quotes_little() {
        let body = format!(r#"{{"mode":"{}"}}"#, "x".repeat(10_000));
        let error = Json::<Wanted>::from_request(request(Some("application/json"), &body), &()).await.unwrap_err();
        assert!(error.message.starts_with("mode: unknown variant"), "{}", error.message);
        assert!(error.message.chars().count() <= MAX_QUOTED_CHARS + 1);
        let error =
            Json::<Wanted>::from_request(request(Some("application/json"), r#"{"mode":1}"#), &()).await.unwrap_err();
        assert!(!error.message.contains("line"), "{}", error.message);
    }
}
