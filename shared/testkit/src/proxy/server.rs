//! The two ears: connections in, requests on, answers back.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};

use super::answers::answer;
use super::body::{Body, Ended, full};
use super::call::Call;
use super::notes::Notes;
use super::process::{self, Process};
use super::{Fault, OWN, Side, sign, strike};

/// Where it listens and what is behind, all on this machine.
#[derive(Debug, Clone, Copy)]
pub struct Ports {
    /// Where functions find AWS, and where the embedded AWS is.
    pub aws: (u16, u16),
    /// Where functions find the providers, and where these are.
    pub provider: (u16, u16),
}

/// Headers that concern one connection only (RFC 9110, 7.6.1), and the length, which is set anew.
const HOP: &[&str] = &[
    "connection",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "expect",
    "content-length",
];

/// What all connections share.
pub(super) struct Proxy {
    stack: String,
    ports: Ports,
    client: Client<HttpConnector, Full<Bytes>>,
    notes: Mutex<Notes>,
}

/// A request, whole.
pub(super) struct Asked {
    pub call: Call,
    pub process: Option<Process>,
    pub parts: Parts,
    pub body: Bytes,
}

/// An answer, whole.
pub(super) struct Answered {
    pub parts: hyper::http::response::Parts,
    pub body: Bytes,
}

impl Answered {
    /// As it goes to the caller.
    pub fn into_response(self) -> Response<Body> {
        Response::from_parts(self.parts, full(self.body))
    }
}

/// Listens until the process ends. `stack` is what the names of its functions begin with.
///
/// # Errors
/// If a port is taken.
pub async fn serve(stack: &str, ports: Ports) -> anyhow::Result<()> {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let proxy = Arc::new(Proxy { stack: stack.to_owned(), ports, client, notes: Mutex::default() });
    let aws = TcpListener::bind((Ipv4Addr::LOCALHOST, ports.aws.0)).await?;
    let provider = TcpListener::bind((Ipv4Addr::LOCALHOST, ports.provider.0)).await?;
    tokio::join!(listen(&proxy, Side::Aws, aws), listen(&proxy, Side::Provider, provider));
    Ok(())
}

async fn listen(proxy: &Arc<Proxy>, side: Side, listener: TcpListener) {
    loop {
        // What fails to be accepted has gone again.
        if let Ok((stream, peer)) = listener.accept().await {
            tokio::spawn(connection(Arc::clone(proxy), side, stream, peer));
        }
    }
}

async fn connection(proxy: Arc<Proxy>, side: Side, stream: TcpStream, peer: SocketAddr) {
    let port = proxy.ears(side).0;
    // Answers are small and must not wait for each other. A refusal costs time only.
    stream.set_nodelay(true).ok();
    let process = tokio::task::spawn_blocking(move || process::behind(peer, port)).await.ok().flatten();
    let (proxy, process) = (&proxy, &process);
    let service = service_fn(move |request| async move { proxy.take(side, process.clone(), request).await });
    // An error here is a connection that one side ended, we ourselves included: there is nobody to tell.
    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await.ok();
}

impl Proxy {
    /// Our port and the one behind.
    const fn ears(&self, side: Side) -> (u16, u16) {
        match side {
            Side::Aws => self.ports.aws,
            Side::Provider => self.ports.provider,
        }
    }

    /// The notes, for a moment.
    pub fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn take(
        &self,
        side: Side,
        process: Option<Process>,
        request: Request<Incoming>,
    ) -> Result<Response<Body>, Ended> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.map_err(|_| Ended)?.to_bytes();
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        if side == Side::Aws && path.starts_with(OWN) {
            return Ok(self.own(&parts.method, &path, &body));
        }
        let function = process.as_ref().map(|process| process.function.trim_start_matches(&self.stack));
        let function = function.unwrap_or_default().trim_start_matches('-');
        let call = match side {
            Side::Aws => Call::to_aws(function, parts.method.as_str(), &path, &parts.headers, &body),
            Side::Provider => {
                let account = self.notes().grants.account(&parts.headers, &body);
                Call::to_provider(function, parts.method.as_str(), &path, account.as_deref())
            }
        };
        let kind = self.notes().count(&call);
        let asked = Asked { call, process, parts, body };
        match kind {
            None => Ok(self.pass_on(side, &asked).await?.into_response()),
            Some(kind) => strike::strike(self, kind, asked).await,
        }
    }

    /// Sends the request on as it came, the host included, because that is signed; the whole answer.
    pub async fn pass_on(&self, side: Side, asked: &Asked) -> Result<Answered, Ended> {
        self.send(side, asked, without_hops(&asked.parts.headers), asked.body.clone()).await
    }

    /// As [`Self::pass_on`], with another body, for which it is signed anew.
    pub async fn pass_on_with(&self, side: Side, asked: &Asked, body: Bytes) -> Result<Answered, Ended> {
        let mut headers = without_hops(&asked.parts.headers);
        if let Some(secret) = asked.process.as_ref().and_then(process::secret) {
            // What is not signed needs nothing.
            sign::sign(&mut headers, &body, &secret);
        }
        self.send(side, asked, headers, body).await
    }

    async fn send(&self, side: Side, asked: &Asked, headers: HeaderMap, body: Bytes) -> Result<Answered, Ended> {
        let path = asked.parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let uri: Uri = format!("http://127.0.0.1:{}{path}", self.ears(side).1).parse().map_err(|_| Ended)?;
        let mut request = Request::new(Full::new(body.clone()));
        *request.method_mut() = asked.parts.method.clone();
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        self.notes().note_sent(&asked.call, &body);
        let answer = self.client.request(request).await.map_err(|_| Ended)?;
        let (mut parts, incoming) = answer.into_parts();
        let length = parts.headers.get(CONTENT_LENGTH).cloned();
        parts.headers = without_hops(&parts.headers);
        if let Some(length) = length.filter(|_| asked.parts.method == Method::HEAD) {
            parts.headers.insert(CONTENT_LENGTH, length);
        }
        let answered = Answered { parts, body: incoming.collect().await.map_err(|_| Ended)?.to_bytes() };
        let mut notes = self.notes();
        notes.note_secrets(&asked.call, &body, &answered.body);
        if side == Side::Provider {
            notes.grants.learn(&asked.call.operation, &asked.parts.headers, &body, &answered.body);
        }
        Ok(answered)
    }

    /// The proxy's own routes.
    fn own(&self, method: &Method, path: &str, body: &Bytes) -> Response<Body> {
        let mut notes = self.notes();
        let route = path.trim_start_matches(OWN);
        let (what, person) = route.split_once('/').unwrap_or((route, ""));
        let shown = match (method.as_str(), what, notes.plan(person)) {
            ("PUT", "plan", _) if !person.is_empty() => match serde_json::from_slice::<Vec<Fault>>(body) {
                Ok(plan) => {
                    notes.set_plan(person, plan);
                    Ok(serde_json::Value::Null)
                }
                Err(wrong) => return answer(422, "text/plain", wrong.to_string()),
            },
            ("GET", "struck", Some(plan)) => serde_json::to_value(&plan.struck),
            ("GET", "tally", Some(plan)) => serde_json::to_value(&plan.tally),
            ("GET", "sent", Some(plan)) => serde_json::to_value(&plan.sent),
            ("GET", "needs", _) => serde_json::to_value(&notes.needs),
            ("GET", "secrets", _) => serde_json::to_value(&notes.secrets),
            _ => {
                return answer(404, "text/plain", "the proxy has no such route, or no plan for this person".to_owned());
            }
        };
        match shown {
            Ok(shown) => answer(200, "application/json", shown.to_string()),
            Err(wrong) => answer(500, "text/plain", wrong.to_string()),
        }
    }
}

fn without_hops(headers: &HeaderMap) -> HeaderMap {
    let kept = headers.iter().filter(|(name, _)| !HOP.contains(&name.as_str()));
    let mut found = HeaderMap::new();
    for (name, value) in kept {
        found.append(HeaderName::clone(name), HeaderValue::clone(value));
    }
    found
}
