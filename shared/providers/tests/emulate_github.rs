//! GitHub against an emulator that other people wrote (npm `emulate`): the OAuth flow with its errors under status 200, repositories,
//! issues, pull requests and files, hooks and signed deliveries, as a check that does not share our reading of the API. `EMULATE` names its program.
//!
//! It has no GraphQL and no conditional requests, so that what falls back there is what is checked here.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what is missing fails the test"
)]

mod emulator;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::http::{HeaderMap, Uri};
use domain::subscription::{Subscription, WebhookEvent};
use domain::{Clock as _, IntegrationConfig, IntegrationId, ProviderId, ProviderSettings, Resource, SystemClock};
use emulator::{Emulator, browser, start};
use providers::provider::{Expected, NewSubscription, SUBSCRIPTION_HEADER};
use providers::{Access, Body, Delivery, FetchRequest, Flow, From, Http, Kind, ListRequest, Provider, Registry};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use sha2::Digest as _;

const REDIRECT: &str = "http://localhost:4999/callback";

fn settings(emulator: &Emulator, secret: &str) -> ProviderSettings {
    let json = json!({
        "clientId": "cognia-client", "clientSecret": secret,
        "endpoints": {"https://github.com": emulator.url, "https://api.github.com": emulator.url},
    });
    serde_json::from_value(json).unwrap()
}

/// Goes through the consent page as a person would; the code that comes back.
async fn consent(emulator: &Emulator, provider: &dyn Provider, settings: &ProviderSettings) -> String {
    let flow = Flow { state: "the-state", redirect_uri: REDIRECT, pkce_challenge: None };
    let authorize = provider.oauth().unwrap().authorize_url(settings, &flow).unwrap();
    assert_eq!(browser().get(authorize.clone()).send().await.unwrap().status(), 200, "the consent page takes our URL");
    let mut form: BTreeMap<String, String> = authorize.query_pairs().into_owned().collect();
    form.insert("login".into(), "ada".into());
    let answer = browser().post(format!("{}/login/oauth/callback", emulator.url)).form(&form).send().await.unwrap();
    let back = url::Url::parse(answer.headers()["location"].to_str().unwrap()).unwrap();
    let query: BTreeMap<String, String> = back.query_pairs().into_owned().collect();
    assert_eq!(query["state"], "the-state");
    query["code"].clone()
}

/// Something that Ada does, by the API.
async fn does(emulator: &Emulator, token: &str, method: &str, path: &str, body: Value) -> Value {
    let request = browser().request(method.parse().unwrap(), format!("{}{path}", emulator.url));
    let answer = request.bearer_auth(token).header("user-agent", "ada").json(&body).send().await.unwrap();
    let status = answer.status();
    let said: Value = answer.json().await.unwrap_or(Value::Null);
    assert!(status.is_success(), "{method} {path}: {status} {said}");
    said
}

async fn everything(provider: &dyn Provider, access: &Access) -> BTreeMap<String, (Resource, Option<String>)> {
    let config = IntegrationConfig::default();
    let (mut found, mut page) = (BTreeMap::new(), None::<String>);
    for _ in 0..50 {
        let request = ListRequest { config: &config, from: From::Everything, page: page.as_deref() };
        let listed = provider.list(access, request).await.unwrap();
        found.extend(listed.resources.into_iter().map(|one| (one.resource.name.clone(), (one.resource, one.text))));
        match listed.next {
            Some(next) => page = Some(next),
            None => return found,
        }
    }
    panic!("the listing does not end");
}

async fn text(provider: &dyn Provider, access: &Access, resource: &Resource) -> String {
    let fetched = provider.fetch(access, FetchRequest::whole(&resource.external_id, Some(resource))).await.unwrap();
    match fetched.body {
        Body::Text(text) => text,
        Body::File { file, .. } => std::fs::read_to_string(file.path()).unwrap(),
    }
}

#[tokio::test]
async fn another_hands_emulator_is_connected_listed_fetched_and_heard() {
    let emulator = start("github", "emulate-github-seed.yaml").await;
    let registry = Registry::new(Http::new());
    let provider = registry.get(ProviderId::Github);
    let oauth = provider.oauth().unwrap();
    let (good, now) = (settings(&emulator, "cognia-secret"), SystemClock.now());

    let code = consent(&emulator, provider, &good).await;
    let wrong = settings(&emulator, "no");
    let refused = oauth.exchange(&wrong, &code, REDIRECT, None, now).await.unwrap_err();
    assert_eq!(refused.kind, Kind::Misconfigured("incorrect_client_credentials".to_owned()));
    let tokens = oauth.exchange(&good, &code, REDIRECT, None, now).await.unwrap();
    let used = oauth.exchange(&good, &code, REDIRECT, None, now).await.unwrap_err();
    assert_eq!(used.kind, Kind::GrantDead("bad_verification_code".to_owned()));
    assert!(tokens.expires_at.is_none() && tokens.refresh_token.is_none());

    let access = Access { token: tokens.access_token.clone(), settings: Arc::new(good) };
    assert_eq!(provider.test_connection(&access).await.unwrap().name.as_deref(), Some("ada"));
    let token = tokens.access_token.expose_secret();
    let issue =
        does(&emulator, token, "POST", "/repos/ada/engine/issues", json!({"title": "It grinds", "body": "Oil it."}))
            .await;
    let number = issue["number"].as_u64().unwrap();
    does(&emulator, token, "POST", &format!("/repos/ada/engine/issues/{number}/comments"), json!({"body": "Oiled."}))
        .await;
    does(
        &emulator,
        token,
        "POST",
        "/repos/ada/engine/releases",
        json!({"tag_name": "v1", "name": "First", "body": "It runs."}),
    )
    .await;

    let found = everything(provider, &access).await;
    let (grinds, inline) = &found[&format!("#{number} It grinds")];
    assert_eq!(*inline, None, "without GraphQL remarks are fetched");
    let said = text(provider, &access, grinds).await;
    assert!(said.contains("Oil it.") && said.contains("ada wrote at") && said.contains("Oiled."), "{said}");
    assert_eq!(grinds.author.as_ref().unwrap().name, "ada");
    let (_, notes) = &found["First"];
    assert!(notes.as_ref().unwrap().contains("It runs."));
    let (readme, _) = &found["README.md"];
    assert!(text(provider, &access, readme).await.contains("engine"));

    heard(&emulator, provider, &access, token, grinds).await;
    assert!(
        matches!(oauth.refresh(&access.settings, &"ghr_none".into(), now).await, Err(error) if !matches!(error.kind, Kind::Unavailable))
    );
}

/// A hook is made, an issue is edited, and the delivery is authentic and says so.
async fn heard(emulator: &Emulator, provider: &dyn Provider, access: &Access, token: &str, issue: &Resource) {
    let inbox = Arc::new(Mutex::new(Vec::<Delivery>::new()));
    let kept = Arc::clone(&inbox);
    let take = move |uri: Uri, headers: HeaderMap, body: Bytes| {
        let texts = headers
            .iter()
            .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())));
        let mut headers: BTreeMap<String, String> = texts.collect();
        let named = uri.query().and_then(|query| query.split_once("subscription=")).map(|(_, id)| id.to_owned());
        headers.extend(named.map(|id| (SUBSCRIPTION_HEADER.to_owned(), id)));
        kept.lock().unwrap().push(Delivery { headers, body: body.to_vec() });
        async { "ok" }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/hook", listener.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(take)).await });

    let webhooks = provider.webhooks().unwrap();
    let (now, secret) = (SystemClock.now(), "the-token".into());
    let integration_id = IntegrationId::new(now);
    let scope = issue.parent_id.clone().unwrap();
    let new = NewSubscription { id: "our-subscription", token: &secret, address: &address, scope: &scope, now };
    let made = webhooks.register(access, &new).await.unwrap();
    assert!(made.provider_id.is_some());
    let subscription = Subscription {
        id: "our-subscription".to_owned(),
        integration_id,
        scope,
        provider_id: made.provider_id,
        token_sha256: sha2::Sha256::digest("the-token").into(),
        created_at: now,
        expires_at: None,
        heard_at: None,
        doubt: None,
    };
    let number = issue.metadata["number"].as_u64().unwrap();
    does(emulator, token, "PATCH", &format!("/repos/ada/engine/issues/{number}"), json!({"title": "It ground"})).await;
    let started = Instant::now();
    loop {
        let come = inbox.lock().unwrap().clone();
        let touches = |delivery: &&Delivery| {
            let expected = Expected { settings: Some(&access.settings), subscription: Some(&subscription), now };
            webhooks.verify(delivery, expected).expect("it is authentic");
            let said = webhooks.parse(delivery).unwrap();
            said.iter().any(
                |event| matches!(event, WebhookEvent::Touched { external_id, .. } if *external_id == issue.external_id),
            )
        };
        if come.iter().any(|delivery| touches(&delivery)) {
            break;
        }
        assert!(started.elapsed() < Duration::from_secs(10), "no delivery: {}", come.len());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    webhooks.unregister(access, &subscription).await.unwrap();
}
