//! Around every request: its id, the size limit, one log line, the error's envelope, and the headers that every answer carries.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::HttpBody as _;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use http::header::{ACCESS_CONTROL_REQUEST_METHOD, CACHE_CONTROL, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Method, StatusCode};

use crate::envelope::ErrorBody;
use crate::error::ApiError;
use crate::origin::Origins;

/// The largest body that is read: 1 MiB. Our largest honest request is a configuration of a few KB.
pub const MAX_BODY_BYTES: usize = 1024 * 1024;

/// Names a request in our logs and in the error's envelope. A function puts the runtime's id into the request's extensions;
/// where there is none, one is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(pub String);

/// Completes a router: what no route answers gets the envelope too, and everything passes through [`around`].
pub fn complete(router: Router, origins: Origins) -> Router {
    router
        .fallback(unknown_route)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(middleware::from_fn_with_state(origins, around))
}

async fn unknown_route() -> ApiError {
    ApiError::not_found("unknown_route", "there is nothing at this address")
}

async fn wrong_method() -> ApiError {
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "this address does not take this method")
}

async fn around(State(origins): State<Origins>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = request.extensions().get::<RequestId>().cloned();
    let id = id.unwrap_or_else(|| RequestId(ulid::Ulid::generate().to_string()));
    request.extensions_mut().insert(id.clone());
    let method = request.method().clone();
    // The route's pattern and never the path: a path may carry what no log should.
    let route = request.extensions().get::<MatchedPath>().cloned();
    let headers = request.headers().clone();

    let preflight = method == Method::OPTIONS && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = if preflight {
        let mut answer = StatusCode::NO_CONTENT.into_response();
        Origins::preflight(answer.headers_mut());
        answer
    } else if request.body().size_hint().lower() > MAX_BODY_BYTES as u64 {
        ApiError::too_large().into_response()
    } else {
        next.run(request).await
    };

    let error = response.extensions_mut().remove::<Arc<ApiError>>();
    if let Some(error) = &error {
        response = with_envelope(response, error, &id);
    }
    origins.permit(&headers, response.headers_mut());
    response.headers_mut().entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));

    let line = Line {
        request_id: &id.0,
        method: &method,
        route: route.as_ref().map_or("", MatchedPath::as_str),
        status: response.status(),
        duration_ms: started.elapsed().as_millis(),
    };
    line.write(error.as_deref());
    response
}

/// Gives an error the envelope, keeping status and headers.
fn with_envelope(response: Response, error: &ApiError, id: &RequestId) -> Response {
    let limit = error.limit.as_deref();
    let body = ErrorBody {
        success: false,
        error: error.message.clone().into_owned(),
        code: error.code.to_owned(),
        request_id: id.0.clone(),
        limit: limit.map(|met| met.limit.to_owned()),
        allowed: limit.and_then(|met| met.allowed.clone()),
        plan: limit.map(|met| met.plan.clone()),
        upgrade: limit.and_then(|met| met.upgrade.clone()),
    };
    let (mut parts, _) = response.into_parts();
    let (with_body, body) = axum::Json(body).into_response().into_parts();
    parts.headers.remove(http::header::CONTENT_LENGTH);
    parts.headers.extend(with_body.headers);
    Response::from_parts(parts, body)
}

/// What the log says of a request.
struct Line<'a> {
    request_id: &'a str,
    method: &'a Method,
    route: &'a str,
    status: StatusCode,
    duration_ms: u128,
}

impl Line<'_> {
    /// One line: `error` with the whole chain where somebody should look, `info` otherwise.
    fn write(&self, error: Option<&ApiError>) {
        let Self { request_id, method, route, status, duration_ms } = self;
        let (status, code) = (status.as_u16(), error.map_or("", |e| e.code));
        match error {
            Some(error) if status >= 500 => tracing::error!(
                http.request_id = request_id, http.method = %method, http.route = route, http.status = status, code, duration_ms,
                error = error.chain(), "answered {method} {route} with {status} {code}"
            ),
            Some(error) => tracing::info!(
                http.request_id = request_id, http.method = %method, http.route = route, http.status = status, code, duration_ms,
                reason = std::error::Error::source(error).map(ToString::to_string),
                "answered {method} {route} with {status} {code}"
            ),
            None => tracing::info!(
                http.request_id = request_id, http.method = %method, http.route = route, http.status = status, duration_ms,
                "answered {method} {route} with {status}"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::{get, post};
    use tower::ServiceExt as _;

    use super::*;

    fn router() -> Router {
        let routes = Router::new()
            .route("/ok", get(|| async { crate::Data::new("fine") }))
            .route("/broken", get(|| async { ApiError::internal("canary") }))
            .route("/down", get(|| async { ApiError::unavailable("canary") }))
            .route("/body", post(|_: axum::body::Bytes| async { "read" }));
        complete(routes, Origins::of([&url::Url::parse("https://app.example").unwrap()]))
    }

    async fn send(request: http::request::Builder, body: Vec<u8>) -> (StatusCode, http::HeaderMap, String) {
        let request = request.extension(RequestId("r-1".into())).body(axum::body::Body::from(body)).unwrap();
        let (parts, body) = router().oneshot(request).await.unwrap().into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        (parts.status, parts.headers, String::from_utf8(bytes.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn every_refusal_has_the_envelope_and_the_requests_id() {
        let check = async |method: &str, path: &str, status: u16, code: &str| {
            let (got, headers, body) = send(Request::builder().method(method).uri(path), Vec::new()).await;
            assert_eq!(got, status, "{method} {path}");
            let body: serde_json::Value = serde_json::from_str(&body).unwrap();
            assert_eq!(body["success"], false);
            assert_eq!(body["code"], code);
            assert_eq!(body["requestId"], "r-1");
            assert!(!body.to_string().contains("canary"));
            assert_eq!(headers["content-type"], "application/json");
            assert_eq!(headers["cache-control"], "no-store");
            headers
        };
        check("GET", "/nowhere", 404, "unknown_route").await;
        let headers = check("POST", "/ok", 405, "method_not_allowed").await;
        assert_eq!(headers["allow"], "GET,HEAD");
        check("GET", "/broken", 500, "internal").await;
        let headers = check("GET", "/down", 503, "unavailable").await;
        assert_eq!(headers["retry-after"], "5");
    }

    #[tokio::test]
    async fn a_body_over_the_limit_is_refused_on_every_route() {
        let (status, _, _) = send(Request::builder().method("POST").uri("/body"), vec![b' '; MAX_BODY_BYTES]).await;
        assert_eq!(status, 200);
        for path in ["/body", "/ok"] {
            let (status, _, body) =
                send(Request::builder().method("POST").uri(path), vec![b' '; MAX_BODY_BYTES + 1]).await;
            assert_eq!(status, 413);
            assert!(body.contains("too_large"), "{body}");
        }
    }

    #[tokio::test]
    async fn pages_of_the_application_may_read_answers_and_strangers_may_not() {
        let ask = async |origin: &str| {
            let request = Request::builder().method("OPTIONS").uri("/ok").header("origin", origin);
            send(request.header("access-control-request-method", "POST"), Vec::new()).await
        };
        let (status, headers, _) = ask("https://app.example").await;
        assert_eq!(status, 204);
        assert_eq!(headers["access-control-allow-origin"], "https://app.example");
        assert_eq!(headers["access-control-allow-credentials"], "true");
        let (_, headers, _) = ask("https://evil.example").await;
        assert!(!headers.contains_key("access-control-allow-origin"));
    }
}
