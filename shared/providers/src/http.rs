//! The one outbound HTTP client. Everything that the product asks of a provider leaves through [`Http`].
//!
//! It maps addresses and refuses foreign ones (`endpoints`), judges addresses again where it connects (`addresses`), bounds time and size,
//! and never follows a redirect with credentials. What an answer means is the provider's business, so any status is an answer here.

use std::error::Error as _;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use domain::clock::SharedClock;
use domain::{ProviderId, ProviderSettings, SystemClock, Timestamp};
use http::header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, LOCATION};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use tempfile::NamedTempFile;
use tokio::io::AsyncWriteExt as _;
use url::Url;

use crate::addresses::{Reach, Refused, Resolver};
use crate::endpoints::{self, Denied, Hosts};
use crate::error::{Kind, ProviderError};

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
        Self::with_patience(clock, PATIENCE)
    }

    fn with_patience(clock: SharedClock, patience: Patience) -> Self {
        Self(Arc::new(Inner { clock, patience, public: OnceLock::new(), operator_named: OnceLock::new() }))
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
        let response = self.open(site, settings, call, self.0.patience.call).await?;
        read(site, response).await
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
        let mut from = call.url.clone();
        let mut response = self.open(site, settings, call, self.0.patience.file).await?;
        for _ in 0..HOPS {
            let Some(to) = redirect(&from, &response) else { break };
            from = to.clone();
            let call =
                Call { method: Method::GET, url: to, bearer: None, headers: HeaderMap::new(), payload: Payload::Empty };
            response = self.open(site, settings, call, self.0.patience.file).await?;
        }
        if !response.status().is_success() {
            return read(site, response).await.map(Download::Refused);
        }
        save(site, response, limit).await.map(Download::File)
    }

    async fn open(
        &self,
        site: Site,
        settings: &ProviderSettings,
        call: Call<'_>,
        deadline: Duration,
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
        let response = request.send().await.map_err(|error| failed(site, error))?;
        let (status, duration_ms) = (response.status().as_u16(), started.elapsed().as_millis());
        tracing::debug!(provider = %site.provider, http.status = status, duration_ms, "Called the provider");
        Ok(response)
    }

    fn client(&self, reach: Reach) -> Result<&reqwest::Client, String> {
        let cell = match reach {
            Reach::Public => &self.0.public,
            Reach::OperatorNamed => &self.0.operator_named,
        };
        cell.get_or_init(|| build(reach, self.0.patience).map_err(|error| error.to_string()))
            .as_ref()
            .map_err(Clone::clone)
    }
}

fn build(reach: Reach, patience: Patience) -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder()
        // Google compresses only for agents that say gzip here too.
        .user_agent(concat!("cognia-integrations/", env!("CARGO_PKG_VERSION"), " (gzip)"))
        // Credentials never follow a redirect: an attacker who controls one answer would otherwise receive them.
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .no_proxy()
        .https_only(reach == Reach::Public)
        .dns_resolver(Arc::new(Resolver(reach)))
        .connect_timeout(patience.connect)
        .read_timeout(patience.read)
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

async fn read(site: Site, mut response: reqwest::Response) -> Result<Answer, ProviderError> {
    let (status, headers) = (response.status(), response.headers().clone());
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| failed(site, error))? {
        if body.len() + chunk.len() > BODY_BYTES {
            return Err(ProviderError::new(site.provider, Kind::Malformed("an answer of more than 16 MB".to_owned())));
        }
        body.extend_from_slice(&chunk);
    }
    check_length(site, &headers, body.len() as u64)?;
    Ok(Answer { status, headers, body })
}

async fn save(site: Site, mut response: reqwest::Response, limit: u64) -> Result<NamedTempFile, ProviderError> {
    let headers = response.headers().clone();
    if announced(&headers).is_some_and(|length| length > limit) {
        return Err(too_large(site, limit));
    }
    let on_disk = |error: std::io::Error| unavailable(site, error);
    let file = NamedTempFile::new().map_err(on_disk)?;
    let mut writer = tokio::fs::File::from_std(file.reopen().map_err(on_disk)?);
    let mut length = 0u64;
    while let Some(chunk) = response.chunk().await.map_err(|error| failed(site, error))? {
        length += chunk.len() as u64;
        if length > limit {
            return Err(too_large(site, limit));
        }
        writer.write_all(&chunk).await.map_err(on_disk)?;
    }
    writer.flush().await.map_err(on_disk)?;
    check_length(site, &headers, length)?;
    Ok(file)
}

fn announced(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// A body of another length than announced was cut short on the way; the client has removed the header where it decompressed.
fn check_length(site: Site, headers: &HeaderMap, length: u64) -> Result<(), ProviderError> {
    match announced(headers) {
        Some(announced) if announced != length => Err(unavailable(site, "the answer was cut short")),
        _ => Ok(()),
    }
}

fn too_large(site: Site, limit: u64) -> ProviderError {
    let megabytes = limit / 1_000_000;
    ProviderError::new(site.provider, Kind::TooLarge(format!("files of more than {megabytes} MB are not fetched")))
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
mod tests {
    use super::*;
    use crate::testing::{Reply, Server, settings};
    use tokio::io::AsyncReadExt as _;

    const SITE: Site = Site { provider: ProviderId::GoogleDrive, hosts: &["www.googleapis.com"], storage: &[] };
    const API: &str = "https://www.googleapis.com";

    fn token() -> SecretString {
        "canary-token".into()
    }

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    /// A server that answers these raw bytes to any request, then closes.
    async fn raw(answer: Vec<u8>) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = [0; 4096];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(&answer).await;
            }
        });
        format!("http://{address}")
    }

    async fn send(settings: &ProviderSettings, to: &str) -> Result<Answer, ProviderError> {
        Http::new().send(SITE, settings, Call::get(url(to), &token())).await
    }

    async fn download(settings: &ProviderSettings, limit: u64) -> Result<Download, ProviderError> {
        Http::new().download(SITE, settings, Call::get(url(&format!("{API}/file")), &token()), limit).await
    }

    #[tokio::test]
    async fn a_call_goes_where_the_operator_maps_it_with_its_token() {
        let server = Server::start(|_| Reply::json(200, r#"{"ok":true}"#)).await;
        let answer = send(&settings(&[(API, server.url())]), &format!("{API}/a?b=c")).await.unwrap();
        assert_eq!(answer.body, br#"{"ok":true}"#);
        let seen = server.seen();
        assert_eq!((seen[0].path.as_str(), seen[0].query["b"].as_str()), ("/a", "c"));
        assert_eq!(seen[0].headers["authorization"], "Bearer canary-token");
    }

    #[tokio::test]
    async fn an_address_that_nobody_named_is_never_connected_to() {
        let server = Server::start(|_| Reply::json(200, "{}")).await;
        let port = server.url().rsplit(':').next().unwrap().to_owned();
        for to in [
            server.url().to_owned(),
            format!("https://127.0.0.1:{port}/"),
            format!("http://localhost:{port}/"),
            format!("http://0x7f000001:{port}/"),
            format!("http://127.1:{port}/"),
            format!("http://[::ffff:127.0.0.1]:{port}/"),
            format!("https://www.googleapis.com@127.0.0.1:{port}/"),
        ] {
            let error = send(&settings(&[]), &to).await.unwrap_err();
            assert!(matches!(error.kind, Kind::AddressRefused(_)), "{to}: {error:?}");
        }
        assert!(server.seen().is_empty());
    }

    #[tokio::test]
    async fn an_allowed_name_that_leads_home_is_refused_where_the_connection_is_made() {
        const HOME: Site = Site { provider: ProviderId::GoogleDrive, hosts: &["localhost"], storage: &[] };
        let token = token();
        let call = Call::get(url("https://localhost/"), &token);
        let error = Http::new().send(HOME, &settings(&[]), call).await.unwrap_err();
        assert_eq!(error.kind, Kind::AddressRefused(Refused.to_string()));
    }

    #[tokio::test]
    async fn a_redirect_of_a_call_is_an_answer_and_is_not_followed() {
        let elsewhere = Server::start(|_| Reply::json(200, "{}")).await;
        let to = elsewhere.url().to_owned();
        let server = Server::start(move |_| Reply::redirect(307, &to)).await;
        let mapped = settings(&[(API, server.url()), ("https://other.example", elsewhere.url())]);
        assert_eq!(send(&mapped, API).await.unwrap().status, 307);
        assert!(elsewhere.seen().is_empty());
    }

    #[tokio::test]
    async fn a_redirected_download_goes_on_without_the_token_and_only_to_allowed_hosts() {
        let storage = Server::start(|_| Reply::bytes(b"content")).await;
        let to = format!("{}/blob", storage.url());
        let server = Server::start(move |_| Reply::redirect(302, &to)).await;
        let allowed = settings(&[(API, server.url()), ("https://storage.example", storage.url())]);
        let Download::File(file) = download(&allowed, 100).await.unwrap() else { panic!("refused") };
        assert_eq!(std::fs::read(file.path()).unwrap(), b"content");
        assert!(!storage.seen()[0].headers.contains_key("authorization"));

        let error = download(&settings(&[(API, server.url())]), 100).await.unwrap_err();
        assert!(matches!(error.kind, Kind::AddressRefused(_)), "{error:?}");
        assert_eq!(storage.seen().len(), 1);
    }

    #[tokio::test]
    async fn hosts_of_files_get_no_credentials() {
        const STORED: Site = Site { provider: ProviderId::GoogleDrive, hosts: &[], storage: &["localhost"] };
        let token = token();
        let kind = async |bearer| {
            let call = Call { bearer, ..Call::get(url("https://localhost/x"), &token) };
            Http::new().send(STORED, &settings(&[]), call).await.unwrap_err().kind
        };
        let foreign = Kind::AddressRefused("localhost is none of the provider's hosts".to_owned());
        assert_eq!(kind(Some(&token)).await, foreign);
        // Without a token the name is allowed, and it is the connection that is refused.
        assert_eq!(kind(None).await, Kind::AddressRefused(Refused.to_string()));
    }

    #[tokio::test]
    async fn redirects_in_a_circle_end() {
        let server = Server::start(|_| Reply::redirect(302, "/again")).await;
        let Download::Refused(answer) = download(&settings(&[(API, server.url())]), 100).await.unwrap() else {
            panic!("a file")
        };
        assert_eq!(answer.status, 302);
        assert_eq!(server.seen().len(), 1 + HOPS);
    }

    #[tokio::test]
    async fn half_a_body_is_no_body() {
        let short =
            raw(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\nconnection: close\r\n\r\n{\"half\":".to_vec()).await;
        let mapped = settings(&[(API, &short)]);
        assert_eq!(send(&mapped, API).await.unwrap_err().kind, Kind::Unavailable);
        assert_eq!(download(&mapped, 1000).await.unwrap_err().kind, Kind::Unavailable);
        let chunked = raw(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n".to_vec()).await;
        assert_eq!(download(&settings(&[(API, &chunked)]), 1000).await.unwrap_err().kind, Kind::Unavailable);
    }

    #[tokio::test]
    async fn a_file_beyond_the_limit_is_refused_whether_announced_or_not() {
        let announced = raw(b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n".to_vec()).await;
        let error = download(&settings(&[(API, &announced)]), 5_000_000).await.unwrap_err();
        assert_eq!(error.kind, Kind::TooLarge("files of more than 5 MB are not fetched".to_owned()));
        let endless = raw([b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n".to_vec(), vec![b'x'; 200]].concat()).await;
        assert!(matches!(download(&settings(&[(API, &endless)]), 100).await.unwrap_err().kind, Kind::TooLarge(_)));
    }

    #[tokio::test]
    async fn an_answer_beyond_the_limit_is_cut_off() {
        let server = Server::start(|_| Reply::bytes(&vec![b' '; BODY_BYTES + 1])).await;
        let error = send(&settings(&[(API, server.url())]), API).await.unwrap_err();
        assert!(matches!(error.kind, Kind::Malformed(_)), "{error:?}");
    }

    fn packed(body: &[u8]) -> Reply {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        std::io::Write::write_all(&mut encoder, body).unwrap();
        Reply::bytes(&encoder.finish().unwrap()).with("content-encoding", "gzip")
    }

    #[tokio::test]
    async fn a_packed_answer_counts_by_what_it_unpacks_to() {
        let server =
            Server::start(|request| packed(&vec![b' '; if request.path == "/bomb" { BODY_BYTES + 1 } else { 1000 }]))
                .await;
        let mapped = settings(&[(API, server.url())]);
        assert_eq!(send(&mapped, &format!("{API}/good")).await.unwrap().body.len(), 1000);
        assert!(matches!(send(&mapped, &format!("{API}/bomb")).await.unwrap_err().kind, Kind::Malformed(_)));
        assert!(matches!(download(&mapped, 100).await.unwrap_err().kind, Kind::TooLarge(_)));
    }

    #[tokio::test]
    async fn neither_silence_nor_a_trickle_holds_a_call_for_long() {
        let check = async |patience: Patience, pause: Duration| {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = format!("http://{}", listener.local_addr().unwrap());
            tokio::spawn(async move {
                let (mut stream, _) = listener.accept().await.unwrap();
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n").await.unwrap();
                while stream.write_all(b" ").await.is_ok() {
                    tokio::time::sleep(pause).await;
                }
            });
            let (http, token) = (Http::with_patience(SystemClock::shared(), patience), token());
            let started = Instant::now();
            let call = Call::get(url(API), &token);
            let error = http.send(SITE, &settings(&[(API, &address)]), call).await.unwrap_err();
            assert_eq!(error.kind, Kind::Unavailable);
            assert!(started.elapsed() < PATIENCE.read, "ended by its own limit, not by the other's");
        };
        let short = Duration::from_millis(300);
        check(Patience { read: short, ..PATIENCE }, PATIENCE.call).await;
        check(Patience { call: short, ..PATIENCE }, Duration::from_millis(20)).await;
    }

    #[tokio::test]
    async fn no_error_names_the_token_or_the_query() {
        let closed = {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            format!("http://{}", listener.local_addr().unwrap())
        };
        let error = send(&settings(&[(API, &closed)]), &format!("{API}/x?pageToken=canary-page")).await.unwrap_err();
        assert_eq!(error.kind, Kind::Unavailable);
        assert!(!format!("{error} {error:?}").contains("canary"), "{error:?}");
    }
}
