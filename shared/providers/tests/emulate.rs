//! Google Drive against a Google emulator that other people wrote (npm `emulate`): the OAuth flow, listing, fetching and
//! refreshing, as a check that does not share our reading of the API. `EMULATE` names its program.
//!
//! It has no `about`, no change feed, no shared drives and no exports, so those are checked elsewhere.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "what is missing fails the test")]

mod emulator;

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use domain::{IntegrationConfig, ProviderId, ProviderSettings};
use emulator::{Emulator, browser, start};
use providers::{Access, Body, FetchRequest, Flow, From, Http, Kind, ListRequest, Registry};
use sha2::Digest as _;

const REDIRECT: &str = "http://localhost:4999/callback";

fn settings(emulator: &Emulator) -> ProviderSettings {
    let map = |from: &str, to: &str| (from.to_owned(), format!("{}{to}", emulator.url));
    ProviderSettings {
        client_id: "cognia-client".into(),
        client_secret: "cognia-secret".to_owned().into(),
        signing_secret: None,
        api_key: None,
        tier: None,
        acts_as: None,
        endpoints: BTreeMap::from([
            map("https://accounts.google.com", ""),
            map("https://oauth2.googleapis.com", "/oauth2"),
            map("https://www.googleapis.com", ""),
        ]),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strangers_google_signs_in_lists_and_serves_files() {
    let emulator = start("google", "emulate-seed.yaml").await;
    let settings = settings(&emulator);
    let registry = Registry::new(Http::new());
    let drive = registry.get(ProviderId::GoogleDrive);
    let oauth = drive.oauth().unwrap();
    let now = domain::Clock::now(&domain::SystemClock);

    let verifier = "a-verifier-of-at-least-forty-three-characters-0123456789";
    let challenge = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(sha2::Sha256::digest(verifier));
    let flow = Flow { state: "the-state", redirect_uri: REDIRECT, pkce_challenge: Some(&challenge) };
    let authorize = oauth.authorize_url(&settings, &flow).unwrap();
    let page = browser().get(authorize.clone()).send().await.unwrap();
    assert_eq!(page.status(), 200, "the consent page takes our authorize URL");

    let mut form: BTreeMap<String, String> = authorize.query_pairs().into_owned().collect();
    form.insert("email".into(), "ada@example.com".into());
    let consent =
        browser().post(format!("{}/o/oauth2/v2/auth/callback", emulator.url)).form(&form).send().await.unwrap();
    let back = url::Url::parse(consent.headers()["location"].to_str().unwrap()).unwrap();
    let query: BTreeMap<String, String> = back.query_pairs().into_owned().collect();
    assert_eq!(query["state"], "the-state");

    let wrong = oauth.exchange(&settings, &query["code"], REDIRECT, Some("another-verifier"), now).await.unwrap_err();
    assert!(matches!(wrong.kind, Kind::GrantDead(_)), "a wrong PKCE verifier is refused: {wrong}");
    let tokens = oauth.exchange(&settings, &query["code"], REDIRECT, Some(verifier), now).await.unwrap();
    assert!(tokens.refresh_token.is_some());

    let config: IntegrationConfig = serde_json::from_value(serde_json::json!({"sharedDrives": false})).unwrap();
    let access = Access { token: tokens.access_token.clone(), settings: Arc::new(settings.clone()) };
    let request = ListRequest { config: &config, from: From::Everything, page: None };
    let listed = drive.list(&access, request).await.unwrap();
    let mut names: Vec<_> = listed.resources.iter().map(|listed| listed.resource.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["engine.txt", "note.md"], "folders are not listed");
    assert_eq!(listed.next, None);

    let engine = listed.resources.iter().find(|listed| listed.resource.name == "engine.txt").unwrap();
    let fetched =
        drive.fetch(&access, FetchRequest::whole(&engine.resource.external_id, Some(&engine.resource))).await.unwrap();
    let Body::File { file, mime_type } = fetched.body else { panic!("a file is expected") };
    assert_eq!(mime_type, "text/plain");
    assert_eq!(std::fs::read_to_string(file.path()).unwrap(), "The engine weaves algebraic patterns.");

    let refreshed = oauth.refresh(&settings, tokens.refresh_token.as_ref().unwrap(), now).await.unwrap();
    assert!(refreshed.refresh_token.is_none(), "Google keeps the refresh token");
    oauth.revoke(&settings, &tokens).await.unwrap();
    let dead = oauth.refresh(&settings, tokens.refresh_token.as_ref().unwrap(), now).await.unwrap_err();
    assert!(matches!(dead.kind, Kind::GrantDead(_)), "{dead}");
}
