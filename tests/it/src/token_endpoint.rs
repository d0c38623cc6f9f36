//! A token endpoint with rotating refresh tokens, and the world around it: tables, a key, settings and integrations whose
//! tokens are `at-1` and `rt-1`.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use anyhow::Result;
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, Uri};
use chrono::TimeDelta;
use connections::{Connections, Settings, Timing};
use domain::clock::SharedClock;
use domain::integration::SealedTokens;
use domain::{Integration, ProviderId, Timestamp};
use providers::{Http, RefreshTokens, Registry};
use store::{Saved, Store, Tables};
use testkit::emulator::Emulator;
use vault::{Context, Vault};

use crate::sample::{integration, owner};

/// What the endpoint says to one request, instead of what it would say.
#[derive(Clone)]
pub enum Reply {
    /// The work is done, and the answer is replaced.
    After(u16, &'static str),
    /// The work is not done.
    Instead(u16, &'static str),
}

/// How the endpoint behaves, and what it was asked.
pub struct Office {
    /// The number of the refresh token that is good.
    pub current: u64,
    /// Whether a used refresh token is dead.
    pub rotates: bool,
    /// How many earlier refresh tokens are still good: the grace.
    pub graces: u64,
    /// How long the answers take; the work is done at once.
    pub delays: VecDeque<Duration>,
    /// What it says to the next requests.
    pub replies: VecDeque<Reply>,
    /// The `expires_in` of its answers; `None`: left out.
    pub life: Option<&'static str>,
    /// The refresh tokens it was asked with.
    pub asked: Vec<String>,
    /// The tokens that were withdrawn.
    pub revoked: Vec<String>,
    /// What happens when a request comes in.
    pub on_asked: Option<Box<dyn Fn() + Send>>,
}

/// The endpoint; it ends with the test.
#[derive(Clone)]
pub struct Endpoint {
    pub url: String,
    office: Arc<Mutex<Office>>,
}

impl Endpoint {
    pub async fn start() -> Result<Self> {
        let office = Office {
            current: 1,
            rotates: true,
            graces: 0,
            delays: VecDeque::new(),
            replies: VecDeque::new(),
            life: Some("3600"),
            asked: Vec::new(),
            revoked: Vec::new(),
            on_asked: None,
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let endpoint = Self { url, office: Arc::new(Mutex::new(office)) };
        let router = Router::new().fallback(serve).with_state(endpoint.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(endpoint)
    }

    pub fn office(&self) -> MutexGuard<'_, Office> {
        self.office.lock().unwrap()
    }

    /// How often it was asked for new tokens.
    pub fn calls(&self) -> usize {
        self.office().asked.len()
    }
}

/// A form field; our tokens need no decoding.
fn field(body: &str, name: &str) -> String {
    let pairs = body.split('&').filter_map(|pair| pair.split_once('='));
    pairs.filter(|(key, _)| *key == name).map(|(_, value)| value.to_owned()).next().unwrap_or_default()
}

async fn serve(State(endpoint): State<Endpoint>, uri: Uri, body: String) -> Response<Body> {
    if uri.path() == "/revoke" {
        endpoint.office().revoked.push(field(&body, "token"));
        return answer(200, "{}".to_owned());
    }
    let (delay, reply) = {
        let mut office = endpoint.office();
        let offered = field(&body, "refresh_token");
        office.asked.push(offered.clone());
        if let Some(tell) = &office.on_asked {
            tell();
        }
        let planned = office.replies.pop_front();
        let delay = office.delays.pop_front().unwrap_or_default();
        let reply = match planned {
            Some(Reply::Instead(status, body)) => answer(status, body.to_owned()),
            Some(Reply::After(status, body)) => {
                office.work(&offered);
                answer(status, body.to_owned())
            }
            None => office.work(&offered),
        };
        (delay, reply)
    };
    tokio::time::sleep(delay).await;
    reply
}

impl Office {
    /// Exchanges a refresh token.
    fn work(&mut self, offered: &str) -> Response<Body> {
        let number = offered.strip_prefix("rt-").and_then(|number| number.parse::<u64>().ok()).unwrap_or_default();
        let oldest = if self.rotates { self.current.saturating_sub(self.graces) } else { 1 };
        if number < oldest.max(1) || number > self.current {
            return answer(400, r#"{"error":"invalid_grant"}"#.to_owned());
        }
        self.current += 1;
        let life = self.life.map(|life| format!(r#","expires_in":{life}"#)).unwrap_or_default();
        let pair = format!(r#""access_token":"at-{n}","refresh_token":"rt-{n}""#, n = self.current);
        answer(200, format!("{{{pair}{life}}}"))
    }
}

fn answer(status: u16, body: String) -> Response<Body> {
    let kind = if body.starts_with('<') { "text/html" } else { "application/json" };
    Response::builder().status(status).header("content-type", kind).body(Body::from(body)).unwrap()
}

/// Everything that connections stand on.
pub struct World {
    pub emulator: Emulator,
    pub tables: Tables,
    pub store: Store,
    pub endpoint: Endpoint,
    pub key: String,
    pub folder: String,
    pub declared: RefreshTokens,
    pub timing: Timing,
}

impl World {
    pub async fn new(declared: RefreshTokens) -> Result<Self> {
        let (emulator, endpoint) = (Emulator::connect().await?, Endpoint::start().await?);
        let (tables, key) = (emulator.tables().await?, emulator.key().await?);
        let settings = serde_json::json!({
            "clientId": "app", "clientSecret": "secret",
            "endpoints": { "https://oauth2.googleapis.com": endpoint.url },
        });
        let folder = emulator.secret("google_drive", &settings.to_string()).await?;
        let (store, timing) = (emulator.store(&tables), Timing::default());
        Ok(Self { emulator, tables, store, endpoint, key, folder, declared, timing })
    }

    fn vault(&self, emulator: &Emulator, clock: &SharedClock) -> Vault {
        Vault::new(emulator.kms.clone(), self.key.clone(), Arc::clone(clock))
    }

    /// Another process, which shares nothing with the others but the world, and reaches AWS through `emulator`.
    pub fn process(&self, emulator: &Emulator, clock: &SharedClock) -> Connections {
        let (secrets, ttl) = (emulator.secrets.clone(), Duration::from_secs(60));
        Connections::new(
            emulator.store(&self.tables),
            self.vault(emulator, clock),
            Settings::new(secrets, self.folder.clone(), ttl, Arc::clone(clock)),
            Arc::new(Registry::new(Http::with_clock(Arc::clone(clock))).declaring(self.declared)),
            Arc::clone(clock),
        )
        .with_timing(self.timing)
    }

    /// An integration with the tokens `at-1` and `rt-1`, issued an hour before they end.
    pub async fn connected(&self, whose: &str, ends: Timestamp, clock: &SharedClock) -> Result<Integration> {
        let mut row = integration(whose);
        let owner = owner(whose);
        let table = self.tables.integrations.as_str();
        let context = Context { table, owner: &owner, integration_id: row.id };
        let vault = self.vault(&self.emulator, clock);
        let (access, refresh) = vault.seal(&context, &"at-1".into(), Some(&"rt-1".into()), None).await?;
        let issued_at = ends - TimeDelta::hours(1);
        row.tokens = Some(SealedTokens { access, refresh, expires_at: Some(ends), issued_at, scope: None, version: 1 });
        assert_eq!(self.store.save_connection(&row, None).await?, Saved::Yes);
        Ok(row)
    }

    /// The integration as it is stored.
    pub async fn stored(&self, row: &Integration) -> Result<Integration> {
        Ok(self.store.get_integration(&row.owner, ProviderId::GoogleDrive).await?.expect("the row is there"))
    }

    /// The two tokens as a process with nothing cached reads them from the row.
    pub async fn tokens(&self, row: &Integration, clock: &SharedClock) -> Result<(String, String)> {
        use secrecy::ExposeSecret as _;
        let stored = self.stored(row).await?;
        let sealed = stored.tokens.expect("tokens");
        let table = self.tables.integrations.as_str();
        let context = Context { table, owner: &row.owner, integration_id: row.id };
        let vault = self.vault(&self.emulator, clock);
        let access = vault.open(&context, vault::Purpose::Access, &sealed.access).await?;
        let refresh = vault.open(&context, vault::Purpose::Refresh, &sealed.refresh.expect("one")).await?;
        Ok((access.expose_secret().to_owned(), refresh.expose_secret().to_owned()))
    }
}
