//! The one outbound HTTP client. Everything that the product asks of a provider leaves through [`Http`].
//!
//! It maps addresses and refuses foreign ones (`endpoints`), judges addresses again where it connects (`addresses`), bounds time and size,
//! and never follows a redirect with credentials. What an answer means is the provider's business, so any status is an answer here.

mod answer;

use std::error::Error as _;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use domain::clock::SharedClock;
use domain::{ProviderId, ProviderSettings, SystemClock, Timestamp};
use http::header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, LOCATION};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use tempfile::NamedTempFile;
use url::Url;

use crate::addresses::{Names, Reach, Refused, Resolver, system_names};
use crate::endpoints::{self, Denied, Hosts};
use crate::error::{Kind, ProviderError};
use answer::{heard, read, save};

/// How long is waited for whom.
#[derive(Debug, Clone, Copy)]
struct Patience {
    /// Longest time to a connection.
    connect: Duration,
    /// Longest silence while an answer arrives.
    read: Duration,
    /// Longest time for an ordinary call, however steadily it trickles.
    call: Duration,
    /// Longest time for a file; leaves a worker of five minutes time to read and deliver it.
    file: Duration,
}

const PATIENCE: Patience = Patience {
    connect: Duration::from_secs(5),
    read: Duration::from_secs(15),
    call: Duration::from_secs(60),
    file: Duration::from_secs(200),
};
/// Largest body of an ordinary answer, after decompression. A listing of 1,000 files takes about 2 MB.
const BODY_BYTES: usize = 16 * 1024 * 1024;
/// Redirects of a download that are followed by hand.
const HOPS: usize = 3;

/// Where a provider lives.
#[derive(Debug, Clone, Copy)]
pub struct Site {
    /// Whom errors name.
    pub provider: ProviderId,
    /// The hosts that may be called without an `endpoints` entry.
    pub hosts: Hosts,
    /// Further hosts that files may be read from, without credentials: where the provider's downloads redirect to. Others than the
    /// provider can have names there too, so no token ever goes to them.
    pub storage: Hosts,
}

/// A call to make.
#[derive(Debug)]
pub struct Call<'a> {
    /// The method.
    pub method: Method,
    /// The provider's public address; mapping happens here, not at the caller's.
    pub url: Url,
    /// The access token, sent as `Authorization: Bearer`.
    pub bearer: Option<&'a SecretString>,
    /// Further headers.
    pub headers: HeaderMap,
    /// What is sent along.
    pub payload: Payload,
}

/// What a call sends along.
#[derive(Debug)]
pub enum Payload {
    /// Nothing.
    Empty,
    /// A JSON body.
    Json(serde_json::Value),
    /// A body of type `application/x-www-form-urlencoded`, encoded already.
    Form(SecretString),
}

impl<'a> Call<'a> {
    /// A plain read.
    #[must_use]
    pub fn get(url: Url, bearer: &'a SecretString) -> Self {
        Self { method: Method::GET, url, bearer: Some(bearer), headers: HeaderMap::new(), payload: Payload::Empty }
    }

    /// A JSON post.
    #[must_use]
    pub fn post(url: Url, bearer: &'a SecretString, body: serde_json::Value) -> Self {
        Self {
            method: Method::POST,
            url,
            bearer: Some(bearer),
            headers: HeaderMap::new(),
            payload: Payload::Json(body),
        }
    }
}

/// An answer of any status, whole.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, decompressed.
    pub body: Vec<u8>,
}

/// How a download ended.
#[derive(Debug)]
pub enum Download {
    /// The whole file, on disk; removed when dropped.
    File(NamedTempFile),
    /// An answer that is no success.
    Refused(Answer),
}

/// The client. Clones share it. Making one costs nothing; reading certificates waits for the first call.
#[derive(Clone)]
pub struct Http(Arc<Inner>);

struct Inner {
    clock: SharedClock,
    patience: Patience,
    names: Names,
    public: OnceLock<Result<reqwest::Client, String>>,
    operator_named: OnceLock<Result<reqwest::Client, String>>,
}

impl Default for Http {
    fn default() -> Self {
        Self::new()
    }
}

impl Http {
    /// A client on the host's clock.
    #[must_use]
    pub fn new() -> Self {
        Self::with_clock(SystemClock::shared())
    }

    /// A client on this clock, which is only asked to read dates that providers send.
    #[must_use]
    pub fn with_clock(clock: SharedClock) -> Self {
        Self::with(clock, PATIENCE, system_names())
    }

    fn with(clock: SharedClock, patience: Patience, names: Names) -> Self {
        Self(Arc::new(Inner { clock, patience, names, public: OnceLock::new(), operator_named: OnceLock::new() }))
    }

    /// The present moment.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// Where a URL leads under the operator's mapping, for addresses that a browser visits.
    ///
    /// # Errors
    /// [`Kind::AddressRefused`] or [`Kind::Misconfigured`].
    pub fn mapped(site: Site, settings: &ProviderSettings, url: &Url) -> Result<Url, ProviderError> {
        endpoints::target(url, site.hosts, &settings.endpoints)
            .map(|target| target.url)
            .map_err(|denied| refusal(site, denied))
    }

    /// Makes a call and reads its whole answer, at most 16 MB.
    ///
    /// # Errors
    /// [`Kind::AddressRefused`], [`Kind::Misconfigured`] (wrong `endpoints`), [`Kind::Unavailable`] (no whole answer in time),
    /// [`Kind::Malformed`] (too large).
    pub async fn send(&self, site: Site, settings: &ProviderSettings, call: Call<'_>) -> Result<Answer, ProviderError> {
        let Patience { call: deadline, read: silence, .. } = self.0.patience;
        let response = self.open(site, settings, call, deadline, silence).await?;
        read(site, response, silence).await
    }

    /// As [`Self::send`], for a call whose answer must not be missed: it may be silent as long as the whole call may take.
    /// Whoever hangs up on a token endpoint that is at work loses the refresh token that it is about to give.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub async fn send_patiently(
        &self,
        site: Site,
        settings: &ProviderSettings,
        call: Call<'_>,
    ) -> Result<Answer, ProviderError> {
        let deadline = self.0.patience.call;
        let response = self.open(site, settings, call, deadline, deadline).await?;
        read(site, response, deadline).await
    }

    /// Downloads into a file of at most `limit` bytes. Redirects to allowed hosts are followed by hand, without credentials.
    ///
    /// # Errors
    /// As [`Self::send`], and [`Kind::TooLarge`]. A body shorter than announced is [`Kind::Unavailable`]: half a file is no file.
    pub async fn download(
        &self,
        site: Site,
        settings: &ProviderSettings,
        mut call: Call<'_>,
        limit: u64,
    ) -> Result<Download, ProviderError> {
        // The announced length is only comparable with bytes that are not compressed on the way.
        call.headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let Patience { file: deadline, read: silence, .. } = self.0.patience;
        let mut from = call.url.clone();
        let mut response = self.open(site, settings, call, deadline, silence).await?;
        for _ in 0..HOPS {
            let Some(to) = redirect(&from, &response) else { break };
            from = to.clone();
            let call =
                Call { method: Method::GET, url: to, bearer: None, headers: HeaderMap::new(), payload: Payload::Empty };
            response = self.open(site, settings, call, deadline, silence).await?;
        }
        if !response.status().is_success() {
            return read(site, response, silence).await.map(Download::Refused);
        }
        save(site, response, limit, silence).await.map(Download::File)
    }

    async fn open(
        &self,
        site: Site,
        settings: &ProviderSettings,
        call: Call<'_>,
        deadline: Duration,
        silence: Duration,
    ) -> Result<reqwest::Response, ProviderError> {
        let carries_nothing = call.bearer.is_none() && matches!(call.payload, Payload::Empty);
        let target = endpoints::target(&call.url, site.hosts, &settings.endpoints)
            .or_else(|denied| match denied {
                Denied::Address(_) if carries_nothing => {
                    endpoints::target(&call.url, site.storage, &settings.endpoints)
                }
                denied => Err(denied),
            })
            .map_err(|denied| refusal(site, denied))?;
        let client = self.client(target.reach).map_err(|reason| unavailable(site, reason))?;
        let mut request = client.request(call.method, target.url).timeout(deadline).headers(call.headers);
        if let Some(token) = call.bearer {
            let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret()))
                .map_err(|_| ProviderError::new(site.provider, Kind::TokenRejected))?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        request = match call.payload {
            Payload::Empty => request,
            Payload::Json(body) => request.json(&body),
            Payload::Form(body) => {
                request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(body.expose_secret().to_owned())
            }
        };
        let started = Instant::now();
        let response = heard(site, silence, request.send()).await?;
        let (status, duration_ms) = (response.status().as_u16(), started.elapsed().as_millis());
        tracing::debug!(provider = %site.provider, http.status = status, duration_ms, "Called the provider");
        Ok(response)
    }

    fn client(&self, reach: Reach) -> Result<&reqwest::Client, String> {
        let cell = match reach {
            Reach::Public => &self.0.public,
            Reach::OperatorNamed => &self.0.operator_named,
        };
        let resolver = || Resolver::new(reach, Arc::clone(&self.0.names));
        cell.get_or_init(|| build(reach, self.0.patience, resolver()).map_err(|error| error.to_string()))
            .as_ref()
            .map_err(Clone::clone)
    }
}

fn build(reach: Reach, patience: Patience, resolver: Resolver) -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder()
        // Google compresses only for agents that say gzip here too.
        .user_agent(concat!("cognia-integrations/", env!("CARGO_PKG_VERSION"), " (gzip)"))
        // Credentials never follow a redirect: an attacker who controls one answer would otherwise receive them.
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .no_proxy()
        .https_only(reach == Reach::Public)
        .dns_resolver(Arc::new(resolver))
        .connect_timeout(patience.connect)
        // A frozen Lambda environment wakes up with connections that the other side has long closed.
        .pool_idle_timeout(Duration::from_secs(30))
        .build()
}

/// The address of a redirect that may be followed; relative ones are resolved against the public address, so that mapping still applies.
fn redirect(from: &Url, response: &reqwest::Response) -> Option<Url> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    from.join(response.headers().get(LOCATION)?.to_str().ok()?).ok()
}

fn unavailable(site: Site, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> ProviderError {
    ProviderError::new(site.provider, Kind::Unavailable).because(source)
}

fn refusal(site: Site, denied: Denied) -> ProviderError {
    let kind = match denied {
        Denied::Address(what) => Kind::AddressRefused(what),
        Denied::Mapping(what) => Kind::Misconfigured(what),
    };
    ProviderError::new(site.provider, kind)
}

/// No whole answer came. The URL is left out of the cause: its query may name what logs must not.
fn failed(site: Site, error: reqwest::Error) -> ProviderError {
    let mut cause = error.source();
    while let Some(inner) = cause {
        if inner.is::<Refused>() {
            return ProviderError::new(site.provider, Kind::AddressRefused(Refused.to_string()));
        }
        cause = inner.source();
    }
    if error.is_builder() {
        return ProviderError::new(site.provider, Kind::AddressRefused("not a usable address".to_owned()));
    }
    unavailable(site, error.without_url())
}

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod tests;
