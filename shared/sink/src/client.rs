//! The HTTP client of the sinks: one operator-named address, and what its answers mean for a delivery.
//!
//! It is made as the client for providers is (which this room may not import): addresses are judged where the connection is made, no
//! redirect is followed, no proxy is used, time and size are bounded. What differs is that the operator has named the address, so that
//! it may be a private one; cloud metadata may not even so.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use domain::Timestamp;
use domain::clock::SharedClock;
use domain::reach::Reach;
use http::{HeaderMap, Method, StatusCode};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

use crate::error::{BoxError, Error};
use crate::wait;

/// Longest time to a connection.
const CONNECT: Duration = Duration::from_secs(5);
/// Largest answer that is read; a sink says little.
const ANSWER_BYTES: usize = 8 * 1024 * 1024;
/// How long to wait where a sink is too busy and does not say for how long.
const UNTOLD_WAIT: Duration = Duration::from_secs(30);

/// A sink's address that cannot be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the sink's address {0}")]
pub struct BadAddress(&'static str);

/// Where an operator's sink is: http or https, without user name, query or fragment, and no link-local address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinkUrl(Url);

impl std::str::FromStr for SinkUrl {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<Self, BadAddress> {
        let url = Url::parse(text).map_err(|_| BadAddress("is no URL"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(BadAddress("is neither http nor https"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(BadAddress("has a user name; secrets belong into the secret"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(BadAddress("has a query or a fragment"));
        }
        let literal = match url.host() {
            Some(Host::Ipv4(v4)) => Some(IpAddr::from(v4)),
            Some(Host::Ipv6(v6)) => Some(IpAddr::from(v6)),
            Some(Host::Domain(_)) => None,
            None => return Err(BadAddress("has no host")),
        };
        // Literal addresses never reach the resolver.
        if literal.is_some_and(|address| !Reach::OperatorNamed.allows(address)) {
            return Err(BadAddress("is a link-local or unusable one"));
        }
        Ok(Self(url))
    }
}

impl SinkUrl {
    /// The address itself.
    pub(crate) fn whole(&self) -> Url {
        self.0.clone()
    }

    /// An address below it; each of `path` is one segment.
    pub(crate) fn below(&self, path: &[&str]) -> Url {
        let mut url = self.0.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        url
    }
}

/// A call to make.
pub(crate) struct Call {
    pub method: Method,
    pub url: Url,
    pub headers: HeaderMap,
    pub body: Option<Vec<u8>>,
}

/// An answer of any status, whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

/// The client. Clones share its connections. Making one costs nothing; reading certificates waits for the first call.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    clock: SharedClock,
    patience: Duration,
    inner: OnceLock<Result<reqwest::Client, String>>,
}

impl Client {
    /// A client whose calls may take `patience` each, from the name's look-up to the answer's last byte.
    #[must_use]
    pub fn new(clock: SharedClock, patience: Duration) -> Self {
        Self(Arc::new(Inner { clock, patience, inner: OnceLock::new() }))
    }

    /// The present moment.
    pub(crate) fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// Makes a call and reads its whole answer.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if no whole answer came in time.
    pub(crate) async fn send(&self, call: Call) -> Result<Answer, Error> {
        let client = self.0.inner.get_or_init(|| build(self.0.patience).map_err(|error| error.to_string())).as_ref();
        let client = client.map_err(|reason| Error::unavailable("make a client", reason.clone()))?;
        let mut request = client.request(call.method, call.url).headers(call.headers);
        if let Some(body) = call.body {
            request = request.body(body);
        }
        let started = Instant::now();
        let answer = whole(request).await?;
        let duration_ms = started.elapsed().as_millis();
        tracing::debug!(http.status = answer.status.as_u16(), duration_ms, "Called the sink");
        Ok(answer)
    }

    /// What an answer's status says about a delivery; a success is handed on.
    ///
    /// # Errors
    /// 429, and 503 that says how long: [`Error::Busy`]. 422: [`Error::Blocked`]. Other answers that the request itself is to blame for:
    /// [`Error::Refused`]. The rest, among it whatever only the operator can mend (401, 403, 404, a redirect): [`Error::Unavailable`].
    pub(crate) fn judge(&self, answer: Answer) -> Result<Answer, Error> {
        let status = answer.status;
        if status.is_success() {
            return Ok(answer);
        }
        let wait = wait::asked(&answer.headers, self.now());
        Err(match (status.as_u16(), wait) {
            (429, wait) => Error::busy(wait.unwrap_or(UNTOLD_WAIT)),
            (503, Some(wait)) => Error::busy(wait),
            (422, _) => Error::Blocked("it gives no reason".to_owned()),
            (400 | 406 | 411 | 413..=416 | 431 | 451, _) => Error::Refused(format!("it answers {}", status.as_u16())),
            (status, _) => Error::unavailable("deliver", Status(status)),
        })
    }
}

/// A status that says the sink is not well, or not set up.
#[derive(Debug, thiserror::Error)]
#[error("it answers {0}")]
struct Status(u16);

async fn whole(request: reqwest::RequestBuilder) -> Result<Answer, Error> {
    // The URL is left out of the cause: its path may name what logs must not.
    let failed = |error: reqwest::Error| Error::unavailable("reach it", error.without_url());
    let mut response = request.send().await.map_err(failed)?;
    let (status, headers, mut body) = (response.status(), response.headers().clone(), Vec::new());
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        if body.len() + chunk.len() > ANSWER_BYTES {
            return Err(Error::unavailable("read its answer", "it does not end"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer { status, headers, body })
}

fn build(patience: Duration) -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder()
        .user_agent(concat!("cognia-integrations/", env!("CARGO_PKG_VERSION")))
        // A redirect would take text and token to a place that the operator has not named.
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .no_proxy()
        .dns_resolver(Arc::new(Resolver))
        .connect_timeout(CONNECT.min(patience))
        .timeout(patience)
        // A frozen Lambda environment wakes up with connections that the other side has long closed.
        .pool_idle_timeout(Duration::from_secs(30))
        .build()
}

/// Looks names up and keeps the addresses that may be connected to; the connection goes to those very addresses.
struct Resolver;

/// A name whose every address is one that may not be connected to.
#[derive(Debug, thiserror::Error)]
#[error("the sink's host leads to an address that is not allowed")]
struct NotAllowed;

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            allowed(&found).map(|allowed| Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

fn allowed(found: &[SocketAddr]) -> Result<Vec<SocketAddr>, BoxError> {
    let allowed: Vec<SocketAddr> = found.iter().copied().filter(|to| Reach::OperatorNamed.allows(to.ip())).collect();
    if allowed.is_empty() && !found.is_empty() { Err(NotAllowed.into()) } else { Ok(allowed) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::SystemClock;
    use http::header::RETRY_AFTER;

    #[test]
    fn guarantee_35_an_address_with_secrets_or_to_metadata_is_none() {
        let check = |text: &str, good: bool| assert_eq!(text.parse::<SinkUrl>().is_ok(), good, "{text}");
        for good in ["https://cognia.example/hooks/in", "http://127.0.0.1:4790", "http://[::1]:1/", "https://10.0.0.9"]
        {
            check(good, true);
        }
        for bad in [
            "",
            "cognia.example",
            "ftp://cognia.example",
            "https://user:secret@cognia.example",
            "https://cognia.example/?key=secret",
            "https://cognia.example/#x",
            "http://169.254.169.254/latest",
            "http://[fd00:ec2::254]/",
            "http://[::ffff:169.254.169.254]/",
            "http://0.0.0.0/",
            "file:///etc/passwd",
        ] {
            check(bad, false);
        }
    }

    #[test]
    fn guarantee_35_of_a_name_s_addresses_only_those_that_are_allowed_are_used() {
        let at = |address: &str| SocketAddr::new(address.parse().unwrap(), 0);
        assert_eq!(allowed(&[at("169.254.169.254"), at("10.1.2.3")]).unwrap(), [at("10.1.2.3")]);
        assert!(allowed(&[at("169.254.169.254")]).is_err());
        assert!(allowed(&[]).unwrap().is_empty());
    }

    #[test]
    fn a_path_below_cannot_leave_its_place() {
        let url: SinkUrl = "https://cognia.example/base/".parse().unwrap();
        assert_eq!(
            url.below(&["api", "memory", "a/../b"]).as_str(),
            "https://cognia.example/base/api/memory/a%2F..%2Fb"
        );
        let bare: SinkUrl = "https://cognia.example".parse().unwrap();
        assert_eq!(bare.below(&["api"]).as_str(), "https://cognia.example/api");
    }

    #[test]
    fn guarantee_16_every_status_has_its_meaning() {
        let client = Client::new(SystemClock::shared(), Duration::from_secs(1));
        let judge = |status: u16, wait: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            if let Some(wait) = wait {
                headers.insert(RETRY_AFTER, wait.parse().unwrap());
            }
            client.judge(Answer { status: StatusCode::from_u16(status).unwrap(), headers, body: Vec::new() })
        };
        for fine in [200, 201, 202, 204] {
            assert!(judge(fine, None).is_ok());
        }
        let busy = |status, header, seconds| match judge(status, header) {
            Err(Error::Busy { wait, asked: true, touched: false }) => assert_eq!(wait.as_secs(), seconds, "{status}"),
            other => panic!("{status}: {other:?}"),
        };
        busy(429, Some("7"), 7);
        busy(429, None, UNTOLD_WAIT.as_secs());
        busy(503, Some("120"), 120);
        assert!(matches!(judge(422, None), Err(Error::Blocked(_))));
        for refused in [400, 413, 415] {
            assert!(matches!(judge(refused, None), Err(Error::Refused(_))), "{refused}");
        }
        for passing in [301, 307, 401, 403, 404, 408, 409, 425, 500, 502, 503, 504] {
            assert!(matches!(judge(passing, None), Err(Error::Unavailable { .. })), "{passing}");
        }
    }
}
