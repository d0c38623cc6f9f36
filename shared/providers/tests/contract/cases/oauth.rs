//! The code flow: where people are sent, what a code gives, what becomes of refresh tokens.

use std::collections::BTreeMap;

use domain::clock::Clock as _;
use domain::{SystemClock, TokenSet};
use providers::{Access, Kind};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;

use crate::fixtures::Fixture;
use crate::for_each;
use crate::provider::{Connected, REDIRECT};

#[tokio::test(flavor = "multi_thread")]
async fn people_are_sent_to_the_provider_with_a_state_and_no_secret() {
    for_each(async |fixture: &'static Fixture| {
        let connected = Connected::unconnected(fixture).await;
        let url = connected.authorize_url("s t&te=1");
        assert!(url.as_str().starts_with(&connected.sandbox.url), "the operator's mapping holds: {url}");
        let asked: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
        assert_eq!(asked["client_id"], connected.settings.client_id);
        assert_eq!((asked["redirect_uri"].as_str(), asked["state"].as_str()), (REDIRECT, "s t&te=1"));
        assert_eq!(asked.contains_key("code_challenge"), connected.oauth().uses_pkce());
        assert!(!url.as_str().contains(connected.settings.client_secret.expose_secret()));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_gives_a_token_that_opens_the_account_and_gives_it_once() {
    for_each(async |fixture: &'static Fixture| {
        let mut connected = Connected::unconnected(fixture).await;
        let code = connected.decide("allow").await["code"].clone();
        connected.tokens = connected.exchange(&code).await.expect("a fresh code is exchanged");
        assert!(!connected.tokens.access_token.expose_secret().is_empty());
        let account = connected.provider().test_connection(&connected.access()).await.expect("the connection works");
        let again = connected.provider().test_connection(&connected.access()).await.unwrap();
        assert_eq!(account, again, "an account's id is stable");
        let used = connected.exchange(&code).await.expect_err("a code is good once");
        assert!(matches!(used.kind, Kind::GrantDead(_) | Kind::Rejected(_) | Kind::Misconfigured(_)), "{used:?}");
        connected.assert_silent(&used);
        let invented = connected.exchange("invented-code").await.expect_err("an invented code");
        assert!(matches!(invented.kind, Kind::GrantDead(_) | Kind::Rejected(_)), "{invented:?}");
        assert!(!format!("{invented:?}").contains("invented-code"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_declines_comes_back_with_an_error_and_the_state() {
    for_each(async |fixture: &'static Fixture| {
        let back = Connected::unconnected(fixture).await.decide("deny").await;
        assert!(back.contains_key("error") && !back.contains_key("code"), "{back:?}");
        assert_eq!(back["state"], "the-state");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_registration_is_not_a_persons_fault() {
    for_each(async |fixture: &'static Fixture| {
        let connected = Connected::unconnected(fixture).await;
        let code = connected.decide("allow").await["code"].clone();
        let mut settings = (*connected.settings).clone();
        settings.client_secret = SecretString::from("wrong-secret");
        let verifier = connected.oauth().uses_pkce().then_some(crate::provider::VERIFIER);
        let error =
            connected.oauth().exchange(&settings, &code, REDIRECT, verifier, SystemClock.now()).await.unwrap_err();
        assert!(matches!(error.kind, Kind::Misconfigured(_)), "{error:?}");
        assert!(!format!("{error:?}").contains("wrong-secret"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_endpoint_that_is_down_says_nothing_about_the_grant() {
    for_each(async |fixture: &'static Fixture| {
        let connected = Connected::unconnected(fixture).await;
        for fault in [json!({ "kind": "status", "status": 503 }), json!({ "kind": "reset" }), json!({ "kind": "html" })]
        {
            let code = connected.decide("allow").await["code"].clone();
            connected.sandbox.spoil("oauth2.token", fault.clone(), Some(1)).await;
            let error = connected.exchange(&code).await.expect_err("it is down");
            assert!(matches!(error.kind, Kind::Unavailable | Kind::Malformed(_)), "{fault}: {error:?}");
            connected.assert_silent(&error);
        }
    })
    .await;
}

/// A connection whose access tokens end, if this provider has any such; `None` where a token lasts until it is revoked.
async fn refreshable(fixture: &'static Fixture, rotate: bool) -> Option<Connected> {
    let mut connected = Connected::unconnected(fixture).await;
    connected.tokens(json!({ "rotate": rotate, "accessLifetimeSeconds": 3600 })).await;
    connected.tokens = connected.connect().await;
    if connected.tokens.refresh_token.is_none() {
        assert!(connected.tokens.expires_at.is_none(), "a token that ends can be refreshed");
        return None;
    }
    Some(connected)
}

async fn refresh(connected: &Connected, token: &SecretString) -> Result<TokenSet, providers::ProviderError> {
    connected.oauth().refresh(&connected.settings, token, SystemClock.now()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_gives_a_token_that_works_and_keeps_or_replaces_the_refresh_token() {
    for_each(async |fixture: &'static Fixture| {
        for rotate in [false, true] {
            let Some(connected) = refreshable(fixture, rotate).await else { continue };
            let old = connected.tokens.refresh_token.clone().unwrap();
            let fresh = refresh(&connected, &old).await.expect("a live token is refreshed");
            let access = Access { token: fresh.access_token.clone(), ..connected.access() };
            connected.provider().test_connection(&access).await.expect("the new token works");
            assert!(fresh.expires_at.is_none_or(|end| end > SystemClock.now()));
            let next = fresh.refresh_token.unwrap_or(old);
            refresh(&connected, &next).await.expect("what is kept now can be used again");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_refresh_token_is_told_from_a_provider_that_is_down() {
    for_each(async |fixture: &'static Fixture| {
        let Some(connected) = refreshable(fixture, false).await else { return };
        let token = connected.tokens.refresh_token.clone().unwrap();
        connected.sandbox.spoil("oauth2.token", json!({ "kind": "status", "status": 503 }), Some(1)).await;
        let down = refresh(&connected, &token).await.expect_err("it is down");
        assert_eq!(down.kind, Kind::Unavailable, "{down:?}");
        connected.tokens(json!({ "account": fixture.account, "revoke": true })).await;
        let dead = refresh(&connected, &token).await.expect_err("it was revoked");
        assert!(matches!(dead.kind, Kind::GrantDead(_)), "{dead:?}");
        connected.assert_silent(&dead);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ended_token_is_refused_and_a_grant_can_be_withdrawn_twice() {
    for_each(async |fixture: &'static Fixture| {
        let connected = Connected::new(fixture).await;
        connected.oauth().revoke(&connected.settings, &connected.tokens).await.expect("it is withdrawn");
        connected
            .oauth()
            .revoke(&connected.settings, &connected.tokens)
            .await
            .expect("what is dead counts as withdrawn");

        let connected = Connected::new(fixture).await;
        connected.tokens(json!({ "account": fixture.account, "revoke": true })).await;
        let refused = connected.provider().test_connection(&connected.access()).await.expect_err("the token is dead");
        assert_eq!(refused.kind, Kind::TokenRejected, "{refused:?}");
        connected.assert_silent(&refused);
    })
    .await;
}
