//! The router as API Gateway meets it, with an AWS at which nobody answers: what is decided before the first table is asked,
//! and what happens when that fails.

use std::time::Duration;

use axum::response::Response;
use domain::{Clock as _, SystemClock};
use integrations::dead_letters::QueueUrls;
use serde_json::{Value, json};
use store::Tables;
use tower::ServiceExt as _;
use web::Authenticator;
use web::auth::{Algorithm, Keys, SharedSecret};

use crate::config::{Jwt, JwtKeys};
use crate::{Api, Config, router};

const SECRET: &str = "a-secret-for-tests-of-thirty-two-bytes";

fn config() -> Config {
    let name = |text: &str| text.to_owned();
    Config {
        tables: Tables {
            integrations: name("integrations"),
            jobs: name("jobs"),
            records: name("records"),
            directory: name("directory"),
            limits: name("limits"),
        },
        audit_table: name("audit"),
        queues: QueueUrls {
            sync: name("http://127.0.0.1:9/sync"),
            webhook: name("http://127.0.0.1:9/webhook"),
            resource: name("http://127.0.0.1:9/resource"),
            resource_webhook: name("http://127.0.0.1:9/resource-webhook"),
        },
        token_key_id: name("key"),
        batch_takes: Duration::from_secs(300),
        provider_secret_prefix: name("test/providers/"),
        settings_ttl: Duration::from_secs(60),
        app_url: "https://app.example".parse().unwrap(),
        public_url: "https://api.example/mounted".parse().unwrap(),
        allowed_origins: "https://admin.example".parse().unwrap(),
        success_redirect: None,
        error_redirect: None,
        bind_state_to_browser: true,
        cookie_secure: true,
        jwt: Jwt { algorithm: Algorithm::Hs256, keys: JwtKeys::Secret(name("jwt")), issuer: None, audience: None },
    }
}

/// An API whose dependencies are all down, and which knows its signing key.
pub fn api() -> Api {
    let keys = Keys::Shared(SharedSecret::new(|| async { Ok(SECRET.to_owned().into()) }));
    let authenticator = Authenticator::new(Algorithm::Hs256, keys, None, None, SystemClock::shared());
    Api::with(&config(), &testkit::nowhere::aws_config(), authenticator)
}

fn token(seconds: i64) -> String {
    testkit::people::sign(SECRET, "ada", SystemClock.now(), chrono::TimeDelta::seconds(seconds)).unwrap()
}

/// A request in the making.
struct Asked {
    method: &'static str,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: Option<String>,
}

fn ask(method: &'static str, path: &str) -> Asked {
    Asked { method, path: path.to_owned(), headers: Vec::new(), body: None }
}

impl Asked {
    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    fn signed_in(self) -> Self {
        self.with("authorization", format!("Bearer {}", token(60)))
    }

    fn json(mut self, body: &str) -> Self {
        self.body = Some(body.to_owned());
        self.with("content-type", "application/json")
    }

    /// The event that API Gateway makes of it.
    fn event(&self) -> Value {
        let (path, query) = self.path.split_once('?').unwrap_or((&self.path, ""));
        let headers: serde_json::Map<_, _> =
            self.headers.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        json!({
            "version": "2.0", "routeKey": "ANY /api/{proxy+}", "rawPath": path, "rawQueryString": query,
            "headers": headers, "body": self.body, "isBase64Encoded": false,
            "requestContext": {"stage": "$default", "requestId": "g", "http": {"method": self.method, "path": path}}
        })
    }

    async fn send(self) -> Answered {
        Answered::of(&self.event().to_string()).await
    }
}

/// What came of it.
struct Answered {
    status: u16,
    headers: http::HeaderMap,
    body: Value,
}

impl Answered {
    async fn of(event: &str) -> Self {
        let request = lambda_http::request::from_str(event).unwrap();
        let answer: Response = router(api()).oneshot(request).await.unwrap();
        let (parts, body) = answer.into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        let body =
            serde_json::from_slice(&bytes).unwrap_or_else(|_| String::from_utf8_lossy(&bytes).into_owned().into());
        Self { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    fn check(&self, status: u16, code: &str) {
        assert_eq!((self.status, self.body["code"].as_str().unwrap_or_default()), (status, code), "{}", self.body);
        assert_eq!(self.body["success"], false);
        assert!(self.body["error"].as_str().is_some_and(|text| !text.is_empty()));
        assert!(self.body["requestId"].as_str().is_some_and(|text| !text.is_empty()));
    }
}

/// Every operation that needs somebody, with its path filled in.
fn guarded() -> Vec<(&'static str, String)> {
    let document: Value = serde_json::from_str(crate::document::COMMITTED).unwrap();
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if operation.get("security").is_none() {
                let path = path.replace("{provider}", "google_drive").replace("{slug}", "acme");
                let path = path.replace("{jobId}", "01JD0000000000000000000001").replace("{userId}", "eve");
                let method =
                    ["GET", "POST", "PUT", "DELETE"].into_iter().find(|m| m.eq_ignore_ascii_case(method)).unwrap();
                found.push((method, path));
            }
        }
    }
    assert!(found.len() > 35, "{}", found.len());
    found
}

#[tokio::test]
async fn every_guarded_route_wants_a_token_that_holds() {
    for (method, path) in guarded() {
        ask(method, &path).json("{").send().await.check(401, "unauthenticated");
        let expired = format!("Bearer {}", token(-1));
        ask(method, &path).with("authorization", expired).send().await.check(401, "session_expired");
        let answer = ask(method, &path).with("authorization", "Bearer x.y.z").send().await;
        answer.check(401, "invalid_token");
        assert_eq!(answer.header("www-authenticate"), "Bearer");
    }
}

#[tokio::test]
async fn a_dependency_that_is_down_is_a_503_that_says_when_to_ask_again() {
    for (method, path) in guarded() {
        let answer = ask(method, &path).signed_in().json("{}").send().await;
        answer.check(503, "unavailable");
        assert_eq!(answer.header("retry-after"), "5", "{method} {path}");
        assert!(!answer.body.to_string().contains("127.0.0.1"), "{}", answer.body);
    }
}

#[tokio::test]
async fn a_cookie_changes_nothing_from_a_foreign_page() {
    let check = async |origin: Option<&str>, status: u16, code: &str| {
        let mut asked =
            ask("POST", "/api/integrations/google_drive/sync").with("cookie", format!("cognia_session={}", token(60)));
        if let Some(origin) = origin {
            asked = asked.with("origin", origin);
        }
        asked.send().await.check(status, code);
    };
    check(None, 403, "foreign_origin").await;
    check(Some("null"), 403, "foreign_origin").await;
    check(Some("https://evil.example"), 403, "foreign_origin").await;
    // From our own pages the cookie is believed; the request then fails on the table that is down.
    check(Some("https://app.example"), 503, "unavailable").await;
    check(Some("https://api.example"), 503, "unavailable").await;
    check(Some("https://admin.example"), 503, "unavailable").await;
    check(Some("https://admin.example.evil.example"), 403, "foreign_origin").await;
    let read = ask("GET", "/api/integrations").with("cookie", format!("cognia_session={}", token(60)));
    read.send().await.check(503, "unavailable");
}

#[tokio::test]
async fn a_key_is_judged_after_its_caller_and_needs_the_table() {
    let sync = "/api/integrations/google_drive/sync";
    let keyed = |path: &str, key: &str| ask("POST", path).json("{}").with("idempotency-key", key);
    keyed(sync, "two words").send().await.check(401, "unauthenticated");
    keyed(sync, "two words").signed_in().send().await.check(400, "bad_idempotency_key");
    keyed(sync, &"k".repeat(256)).signed_in().send().await.check(400, "bad_idempotency_key");
    // Where it cannot be remembered what was done, nothing is done.
    keyed(sync, "k").signed_in().send().await.check(503, "unavailable");
    // Where no key is taken, whatever stands there is not looked at.
    keyed("/api/integrations/google_drive/pause", "two words").signed_in().send().await.check(503, "unavailable");
}

#[tokio::test]
async fn the_document_names_the_address_it_is_served_at() {
    let served = ask("GET", "/api/openapi.json").send().await.body;
    let committed: Value = serde_json::from_str(crate::document::COMMITTED).unwrap();
    assert_eq!(served["servers"], json!([{"url": "https://api.example/mounted"}]));
    assert_eq!((&served["paths"], &served["components"]), (&committed["paths"], &committed["components"]));
}

#[tokio::test]
async fn wrong_addresses_and_methods_have_the_envelope() {
    let check =
        async |method, path: &str, status, code: &str| ask(method, path).signed_in().send().await.check(status, code);
    check("GET", "/", 404, "unknown_route").await;
    check("GET", "/api", 404, "unknown_route").await;
    check("GET", "/api/integrations/", 404, "unknown_route").await;
    check("GET", "/api/integrations/google_drive/nothing", 404, "unknown_route").await;
    check("PATCH", "/api/integrations/google_drive", 405, "method_not_allowed").await;
    check("POST", "/api/integrations", 405, "method_not_allowed").await;
    check("POST", "/api/integrations/connected", 405, "method_not_allowed").await;
    check("GET", "/api/integrations/google_drive/sync", 405, "method_not_allowed").await;
    check("DELETE", "/health", 405, "method_not_allowed").await;
}

#[tokio::test]
async fn an_oversized_body_is_refused_before_anything_else() {
    let answer = ask("PUT", "/api/integrations/google_drive/config").json(&" ".repeat(1024 * 1024 + 1)).send().await;
    answer.check(413, "too_large");
}

#[tokio::test]
async fn the_callback_always_returns_to_the_application_and_repeats_nothing() {
    let check = async |path: &str, code: &str| {
        let answer = ask("GET", path).send().await;
        assert_eq!(answer.status, 302, "{path}");
        assert_eq!(answer.header("location"), format!("https://app.example/integrations?error={code}"), "{path}");
        assert_eq!(answer.header("referrer-policy"), "no-referrer");
        assert!(!format!("{:?}", answer.headers).contains("canary"));
    };
    let callback = "/api/integrations/google_drive/callback";
    check("/api/integrations/nope-canary/callback?code=c&state=s", "unknown_provider").await;
    check(callback, "invalid_state").await;
    check(&format!("{callback}?code=canary"), "invalid_state").await;
    check(&format!("{callback}?code=canary&state="), "invalid_state").await;
    check(&format!("{callback}?state=canary"), "missing_code").await;
    check(&format!("{callback}?error=access_denied&error_description=canary"), "invalid_state").await;
    check(&format!("{callback}?code=canary&state={}", "s".repeat(10_000)), "invalid_state").await;
    check(&format!("{callback}?code=a&code=b&state=s"), "invalid_state").await;
    check(&format!("{callback}?code=canary&state=s&return_to=//evil.example&redirect_uri=https:evil"), "unavailable")
        .await;
    check(&callback.replace("/api/", "/api/organizations/acme/"), "invalid_state").await;
}

#[tokio::test]
async fn a_callback_that_spends_no_state_leaves_the_flow_of_this_browser_alone() {
    for query in ["", "?code=c", "?state=s", "?code=c&state=s"] {
        let answer = ask("GET", &format!("/api/integrations/google_drive/callback{query}")).send().await;
        assert!(!answer.headers.contains_key("set-cookie"), "{query}");
    }
}

#[tokio::test]
async fn a_browsers_form_lands_on_a_page() {
    let form = ask("POST", "/api/organizations/acme/integrations/google_drive/sync").signed_in();
    let answer = form.with("accept", "text/html,*/*;q=0.8").send().await;
    assert_eq!(answer.status, 303);
    assert_eq!(answer.header("location"), "https://app.example/organizations/acme/integrations?error=unavailable");
}

#[tokio::test]
async fn what_everybody_may_see_needs_no_dependency() {
    let answer = Answered::of(include_str!("../../../events/api-health.json")).await;
    assert_eq!((answer.status, answer.body), (200, json!({"success": true, "data": {"status": "ok"}})));
    let document = ask("GET", "/api/openapi.json").send().await;
    assert_eq!(document.body["info"]["title"], "Cognia Integrations");
    let page = ask("GET", "/api/docs").send().await;
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    assert!(!page.body.as_str().unwrap().contains("http"), "the page asks nobody else");
}

#[tokio::test]
async fn the_sample_events_reach_their_routes() {
    let check = async |event: &str, status: u16| assert_eq!(Answered::of(event).await.status, status);
    check(include_str!("../../../events/api-list.json"), 401).await;
    check(include_str!("../../../events/api-connect.json"), 401).await;
    check(include_str!("../../../events/api-sync.json"), 401).await;
    check(include_str!("../../../events/api-callback.json"), 302).await;
}
