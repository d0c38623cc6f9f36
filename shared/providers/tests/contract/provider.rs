//! A provider, connected to the sandbox as `connections` would connect it, and what a person does to its content.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::clock::Clock as _;
use domain::{ExternalId, IntegrationConfig, ProviderSettings, SystemClock, Timestamp, TokenSet};
use providers::{Access, Flow, Http, OAuth, Provider, ProviderError, Registry};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use sha2::Digest as _;
use url::Url;

use crate::fixtures::Fixture;
use crate::sandbox::Sandbox;

/// Where people are sent back to.
pub const REDIRECT: &str = "http://localhost:4999/callback";
/// The verifier of PKCE.
pub const VERIFIER: &str = "a-verifier-that-is-as-long-as-the-standard-wants-it-to-be";

/// A provider with an account in a sandbox.
pub struct Connected {
    /// What it is.
    pub fixture: &'static Fixture,
    /// Where its content is.
    pub sandbox: Sandbox,
    /// What is synced.
    pub config: IntegrationConfig,
    /// The operator's registration.
    pub settings: Arc<ProviderSettings>,
    /// What the consent gave.
    pub tokens: TokenSet,
    registry: Registry,
}

/// A resource as the sandbox knows it.
#[derive(Debug, Clone)]
pub struct True {
    /// Everything that is true of it.
    pub json: Value,
}

impl True {
    /// A text field.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.json[name].as_str()
    }

    /// A moment.
    pub fn moment(&self, name: &str) -> Option<Timestamp> {
        self.text(name).map(|text| text.parse().unwrap())
    }
}

impl Connected {
    /// A sandbox with one account, connected.
    pub async fn new(fixture: &'static Fixture) -> Self {
        let mut connected = Self::unconnected(fixture).await;
        connected.tokens = connected.connect().await;
        connected
    }

    /// The same without tokens.
    pub async fn unconnected(fixture: &'static Fixture) -> Self {
        let sandbox = Sandbox::start();
        let endpoints = sandbox.control("GET", "endpoints", json!({})).await[fixture.name].clone();
        let mut settings = (fixture.settings)();
        settings["endpoints"] = endpoints;
        let none = TokenSet { access_token: "none".into(), refresh_token: None, expires_at: None, scope: None };
        let connected = Self {
            fixture,
            sandbox,
            config: serde_json::from_value((fixture.config)()).unwrap(),
            settings: Arc::new(serde_json::from_value(settings).unwrap()),
            tokens: none,
            registry: Registry::new(Http::new()),
        };
        connected.act("account", json!({ "account": fixture.account })).await;
        connected
    }

    /// The provider.
    pub fn provider(&self) -> &dyn Provider {
        self.registry.get(self.fixture.id)
    }

    /// Its code flow.
    pub fn oauth(&self) -> &dyn OAuth {
        self.provider().oauth().expect("it is connected by OAuth")
    }

    /// The right to call it.
    pub fn access(&self) -> Access {
        Access { token: self.tokens.access_token.clone(), settings: Arc::clone(&self.settings) }
    }

    /// Where a person is sent to consent.
    pub fn authorize_url(&self, state: &str) -> Url {
        let challenge = URL_SAFE_NO_PAD.encode(sha2::Sha256::digest(VERIFIER));
        let pkce_challenge = self.oauth().uses_pkce().then_some(challenge.as_str());
        self.oauth().authorize_url(&self.settings, &Flow { state, redirect_uri: REDIRECT, pkce_challenge }).unwrap()
    }

    /// The person looks at the consent page and decides: what comes back in the address.
    pub async fn decide(&self, decision: &str) -> BTreeMap<String, String> {
        let url = self.authorize_url("the-state");
        let page = self.sandbox.browser.get(url.clone()).send().await.unwrap();
        assert_eq!(page.status(), 200, "the consent page");
        let mut form: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        form.extend(
            [("account", self.fixture.account), ("decision", decision)]
                .map(|(name, value)| (name.to_owned(), value.to_owned())),
        );
        let mut target = url;
        target.set_query(None);
        let answer = self.sandbox.browser.post(target).form(&form).send().await.unwrap();
        assert!(answer.status().is_redirection(), "{}: {}", answer.status(), answer.text().await.unwrap_or_default());
        let back = Url::parse(answer.headers()["location"].to_str().unwrap()).unwrap();
        assert!(back.as_str().starts_with(REDIRECT), "{back}");
        back.query_pairs().into_owned().collect()
    }

    /// Consents, and exchanges the code.
    pub async fn connect(&self) -> TokenSet {
        let back = self.decide("allow").await;
        assert_eq!(back["state"], "the-state");
        self.exchange(&back["code"]).await.expect("a fresh code is exchanged")
    }

    /// Exchanges a code.
    pub async fn exchange(&self, code: &str) -> Result<TokenSet, ProviderError> {
        let verifier = self.oauth().uses_pkce().then_some(VERIFIER);
        self.oauth().exchange(&self.settings, code, REDIRECT, verifier, SystemClock.now()).await
    }

    /// Does something to the content, or to the provider, in the words that all providers of the sandbox know.
    pub async fn act(&self, act: &str, body: Value) -> Value {
        self.sandbox.control("POST", &format!("{}/contract/{act}", self.fixture.name), body).await
    }

    /// What can be done beyond what all can: `rename`, `expireCursors`, `hook`.
    pub async fn can(&self, act: &str) -> bool {
        let able = self.sandbox.control("GET", &format!("{}/contract", self.fixture.name), json!({})).await;
        able[act].as_bool().unwrap()
    }

    /// Makes a resource; its id in the sandbox.
    pub async fn create(&self, title: &str, text: &str) -> String {
        let new = json!({ "account": self.fixture.account, "title": title, "text": text });
        self.act("create", new).await["id"].as_str().unwrap().to_owned()
    }

    /// Gives it another text.
    pub async fn edit(&self, id: &str, text: &str) {
        self.act("edit", json!({ "account": self.fixture.account, "id": id, "text": text })).await;
    }

    /// Gives it another title.
    pub async fn rename(&self, id: &str, title: &str) {
        self.act("rename", json!({ "account": self.fixture.account, "id": id, "title": title })).await;
    }

    /// Deletes it.
    pub async fn delete(&self, id: &str) {
        self.act("delete", json!({ "account": self.fixture.account, "id": id })).await;
    }

    /// Sets how tokens live, or ends some.
    pub async fn tokens(&self, wanted: Value) {
        self.act("tokens", wanted).await;
    }

    /// All that a full sync should deliver, by our ids.
    pub async fn truth(&self) -> BTreeMap<ExternalId, True> {
        let account: String = url::form_urlencoded::byte_serialize(self.fixture.account.as_bytes()).collect();
        let path = format!("{}/contract/truth?account={account}", self.fixture.name);
        let answer = self.sandbox.control("GET", &path, json!({})).await;
        let resources = answer["resources"].as_array().unwrap().iter();
        let entry =
            |json: &Value| ((self.fixture.external_id)(json["id"].as_str().unwrap()), True { json: json.clone() });
        resources.map(entry).collect()
    }

    /// Our name of what the sandbox calls so.
    pub fn external_id(&self, id: &str) -> ExternalId {
        (self.fixture.external_id)(id)
    }

    /// Checks that nothing secret is in an error, however it is written.
    pub fn assert_silent(&self, error: &ProviderError) {
        let mut told = format!("{error:?} {error}");
        let mut cause = std::error::Error::source(error);
        while let Some(inner) = cause {
            told.push_str(&format!(" {inner:?} {inner}"));
            cause = inner.source();
        }
        let given = [Some(&self.tokens.access_token), self.tokens.refresh_token.as_ref()];
        let own =
            [Some(&self.settings.client_secret), self.settings.signing_secret.as_ref(), self.settings.api_key.as_ref()];
        for secret in given.into_iter().chain(own).flatten().map(|secret| secret.expose_secret()) {
            assert!(secret.len() < 6 || !told.contains(secret), "a secret is in an error: {told}");
        }
    }
}
