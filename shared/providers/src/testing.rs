//! A server on the loopback address that answers as a test says and remembers what it was asked.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::http::{HeaderMap, Method, Uri};
use domain::ProviderSettings;

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct Seen {
    pub method: String,
    pub path: String,
    pub query: BTreeMap<String, String>,
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

impl Seen {
    /// A query parameter, or nothing.
    pub fn query(&self, name: &str) -> &str {
        self.query.get(name).map_or("", String::as_str)
    }

    /// The body's form fields.
    pub fn form(&self) -> BTreeMap<String, String> {
        url::form_urlencoded::parse(self.body.as_bytes()).into_owned().collect()
    }
}

/// What is answered.
#[derive(Debug, Clone)]
pub struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Reply {
    pub fn new(status: u16, content_type: &str, body: &[u8]) -> Self {
        Self { status, headers: vec![("content-type", content_type.to_owned())], body: body.to_vec() }
    }

    pub fn json(status: u16, body: impl ToString) -> Self {
        Self::new(status, "application/json", body.to_string().as_bytes())
    }

    pub fn bytes(body: &[u8]) -> Self {
        Self::new(200, "application/octet-stream", body)
    }

    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub fn redirect(status: u16, to: &str) -> Self {
        Self { status, headers: vec![("location", to.to_owned())], body: Vec::new() }
    }
}

/// The server; it stops with the test's runtime.
pub struct Server {
    url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    /// Starts one that answers by `answer`.
    pub async fn start(answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (log, answer) = (Arc::clone(&seen), Arc::new(answer));
        let handler = move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| {
            let (log, answer) = (Arc::clone(&log), Arc::clone(&answer));
            async move {
                let pairs = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).into_owned();
                let text = |value: &axum::http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
                let request = Seen {
                    method: method.to_string(),
                    path: uri.path().to_owned(),
                    query: pairs.collect(),
                    headers: headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
                    body: String::from_utf8_lossy(&body).into_owned(),
                };
                let reply = answer(&request);
                log.lock().unwrap().push(request);
                let mut response = axum::http::Response::builder().status(reply.status);
                for (name, value) in reply.headers {
                    response = response.header(name, value);
                }
                response.body(axum::body::Body::from(reply.body)).unwrap()
            }
        };
        tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(handler)).await });
        Self { url, seen }
    }

    /// Its address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What it was asked so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

/// An operator's registration with these endpoints.
pub fn settings(endpoints: &[(&str, &str)]) -> ProviderSettings {
    ProviderSettings {
        client_id: "app".to_owned(),
        client_secret: "app-secret".into(),
        signing_secret: None,
        api_key: None,
        tier: None,
        acts_as: None,
        endpoints: endpoints.iter().map(|(from, to)| ((*from).to_owned(), (*to).to_owned())).collect(),
    }
}

/// Access to Google at this server, for the person whose token is `canary-token`.
pub fn google(server: &Server) -> crate::Access {
    let hosts = ["https://www.googleapis.com", "https://oauth2.googleapis.com", "https://docs.google.com"];
    let endpoints: Vec<(&str, &str)> = hosts.iter().map(|host| (*host, server.url())).collect();
    crate::Access { token: "canary-token".into(), settings: Arc::new(settings(&endpoints)) }
}

/// Access to Slack at this server, for the app whose token is `canary-token`.
pub fn slack(server: &Server) -> crate::Access {
    let endpoints = [("https://slack.com", server.url()), ("https://files.slack.com", server.url())];
    crate::Access { token: "canary-token".into(), settings: Arc::new(settings(&endpoints)) }
}

/// A provider's `config` from JSON.
pub fn config(json: serde_json::Value) -> domain::IntegrationConfig {
    serde_json::from_value(json).unwrap()
}
