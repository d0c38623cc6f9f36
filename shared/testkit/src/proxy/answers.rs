//! What services say when they fail or refuse, each in its own protocol, so that clients treat it as they do the real thing.

use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};
use serde_json::json;

use super::Side;
use super::body::{Body, full};
use super::call::Call;

/// A failure of the service with this status.
pub(super) fn failure(call: &Call, status: u16) -> Response<Body> {
    let unavailable = status == 503;
    match (call.side, service(call)) {
        (Side::Provider, _) => google(status, "backendError"),
        (_, "S3") => xml(status, if unavailable { "ServiceUnavailable" } else { "InternalError" }),
        (_, "KMS") => aws(status, if unavailable { "DependencyTimeoutException" } else { "KMSInternalException" }),
        (_, "SQS") => aws(status, if unavailable { "ServiceUnavailable" } else { "InternalFailure" }),
        (_, "DynamoDB") => dynamodb(status, "InternalServerError"),
        (_, "SecretsManager") => aws(status, "InternalServiceError"),
        _ => aws(status, "InternalFailure"),
    }
}

/// The refusal of too many calls.
pub(super) fn throttled(call: &Call) -> Response<Body> {
    match (call.side, service(call)) {
        (Side::Provider, _) => {
            let mut answer = google(429, "rateLimitExceeded");
            answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
            answer
        }
        (_, "S3") => xml(503, "SlowDown"),
        (_, "DynamoDB") => dynamodb(400, "ProvisionedThroughputExceededException"),
        (_, "SQS") => aws(403, "RequestThrottled"),
        _ => aws(400, "ThrottlingException"),
    }
}

fn service(call: &Call) -> &str {
    call.operation.split('.').next().unwrap_or_default()
}

fn aws(status: u16, code: &str) -> Response<Body> {
    json_answer(
        status,
        "application/x-amz-json-1.1",
        &json!({ "__type": code, "message": "struck by the fault proxy" }),
    )
}

fn dynamodb(status: u16, code: &str) -> Response<Body> {
    let kind = format!("com.amazonaws.dynamodb.v20120810#{code}");
    json_answer(
        status,
        "application/x-amz-json-1.0",
        &json!({ "__type": kind, "message": "struck by the fault proxy" }),
    )
}

fn google(status: u16, reason: &str) -> Response<Body> {
    let message = "struck by the fault proxy";
    let errors = [json!({ "domain": "global", "reason": reason, "message": message })];
    let body = json!({ "error": { "code": status, "message": message, "errors": errors } });
    json_answer(status, "application/json; charset=UTF-8", &body)
}

fn xml(status: u16, code: &str) -> Response<Body> {
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{code}</Code><Message>struck by the fault proxy</Message></Error>"
    );
    answer(status, "application/xml", text)
}

fn json_answer(status: u16, content_type: &'static str, body: &serde_json::Value) -> Response<Body> {
    answer(status, content_type, body.to_string())
}

/// An answer of the proxy itself.
pub(super) fn answer(status: u16, content_type: &'static str, text: String) -> Response<Body> {
    let mut response = Response::new(full(text));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response.headers_mut().insert(HeaderName::from_static("x-amzn-requestid"), HeaderValue::from_static("struck"));
    response
}
