//! Slack's OAuth against a Slack emulator that other people wrote (npm `emulate`), as a check that does not share our reading of the API.
//! `EMULATE` names its program.
//!
//! It has no rotation, no revocation and reads by POST only, so those are checked elsewhere.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "what is missing fails the test"
)]

mod emulator;

use std::collections::BTreeMap;

use domain::{Clock as _, ProviderId, ProviderSettings, SystemClock};
use emulator::{Emulator, browser, start};
use providers::{Flow, Http, Kind, Registry};
use secrecy::ExposeSecret as _;
use serde_json::Value;

const REDIRECT: &str = "http://localhost:4999/callback";

fn settings(emulator: &Emulator, acts_as: Option<&str>) -> ProviderSettings {
    ProviderSettings {
        client_id: "cognia-client".into(),
        client_secret: "cognia-secret".to_owned().into(),
        signing_secret: None,
        api_key: None,
        tier: None,
        acts_as: acts_as.map(str::to_owned),
        endpoints: BTreeMap::from([("https://slack.com".to_owned(), emulator.url.clone())]),
    }
}

/// Goes through the consent page as Ada: the code that comes back.
async fn consent(emulator: &Emulator, settings: &ProviderSettings) -> String {
    let registry = Registry::new(Http::new());
    let oauth = registry.get(ProviderId::Slack).oauth().unwrap();
    let flow = Flow { state: "the-state", redirect_uri: REDIRECT, pkce_challenge: None };
    let authorize = oauth.authorize_url(settings, &flow).unwrap();
    let page = browser().get(authorize.clone()).send().await.unwrap();
    assert_eq!(page.status(), 200, "the consent page takes our authorize URL");
    let page = page.text().await.unwrap();
    let mut form: BTreeMap<String, String> = authorize.query_pairs().into_owned().collect();
    // The page offers people by buttons, each with a form of its own.
    let (_, from) = page.split_once("name=\"user_id\" value=\"").expect("somebody to choose");
    form.insert("user_id".into(), from.split('"').next().unwrap().to_owned());
    let callback = format!("{}/oauth/v2/authorize/callback", emulator.url);
    let decided = browser().post(callback).form(&form).send().await.unwrap();
    let back = url::Url::parse(decided.headers()["location"].to_str().unwrap()).unwrap();
    let query: BTreeMap<String, String> = back.query_pairs().into_owned().collect();
    assert_eq!(query["state"], "the-state");
    query["code"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strangers_slack_grants_tokens_of_the_bot_and_of_the_person() {
    let emulator = start("slack", "emulate-slack.yaml").await;
    let (registry, now) = (Registry::new(Http::new()), SystemClock.now());
    let oauth = registry.get(ProviderId::Slack).oauth().unwrap();
    for (acts_as, prefix) in [(None, "xoxb-"), (Some("user"), "xoxp-")] {
        let settings = settings(&emulator, acts_as);
        let code = consent(&emulator, &settings).await;
        let tokens = oauth.exchange(&settings, &code, REDIRECT, None, now).await.unwrap();
        let token = tokens.access_token.expose_secret();
        assert!(token.starts_with(prefix), "{acts_as:?}");
        assert!(tokens.refresh_token.is_none() && tokens.expires_at.is_none(), "it does not rotate");
        assert!(tokens.scope.unwrap().split(' ').any(|scope| scope == "channels:history"));
        let who: Value = browser()
            .post(format!("{}/api/auth.test", emulator.url))
            .bearer_auth(token)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        assert_eq!(who["ok"], true, "{who}");

        let again = oauth.exchange(&settings, &code, REDIRECT, None, now).await.unwrap_err();
        assert!(matches!(again.kind, Kind::GrantDead(_)), "a code is good once: {again}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_registration_and_a_wrong_address_are_told_from_a_dead_code() {
    let emulator = start("slack", "emulate-slack.yaml").await;
    let (registry, now, good) = (Registry::new(Http::new()), SystemClock.now(), settings(&emulator, None));
    let oauth = registry.get(ProviderId::Slack).oauth().unwrap();
    let invented = oauth.exchange(&good, "invented", REDIRECT, None, now).await.unwrap_err();
    assert!(matches!(invented.kind, Kind::GrantDead(_)), "{invented}");
    let code = consent(&emulator, &good).await;
    let wrong = ProviderSettings { client_secret: "wrong".to_owned().into(), ..good.clone() };
    let refused = oauth.exchange(&wrong, &code, REDIRECT, None, now).await.unwrap_err();
    assert!(matches!(refused.kind, Kind::Misconfigured(_)), "{refused}");
    let refused = oauth.exchange(&good, &code, "http://localhost:4999/elsewhere", None, now).await.unwrap_err();
    assert!(matches!(refused.kind, Kind::Misconfigured(_)), "{refused}");
}
