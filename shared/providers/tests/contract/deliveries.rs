//! Receives what the sandbox sends, as `functions/webhook` would be sent it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use providers::Delivery;
use providers::provider::SUBSCRIPTION_HEADER;
use url::Url;

/// How long a delivery may take.
const PATIENCE: Duration = Duration::from_secs(10);

type Inbox = Arc<Mutex<Vec<Delivery>>>;

/// A server that takes everything.
pub struct Receiver {
    /// Its address.
    pub url: Url,
    inbox: Inbox,
}

impl Receiver {
    /// Starts one on a free port.
    pub async fn start() -> Self {
        let inbox = Inbox::default();
        let app = Router::new().fallback(take).with_state(inbox.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/api/webhooks/integrations/any", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url: url.parse().unwrap(), inbox }
    }

    /// Waits until a delivery has come of which `wanted` says something.
    pub async fn wait_for<T>(&self, what: &str, mut wanted: impl FnMut(&Delivery) -> Option<T>) -> (Delivery, T) {
        let started = Instant::now();
        loop {
            let come = self.inbox.lock().unwrap().clone();
            let found = come.into_iter().find_map(|delivery| wanted(&delivery).map(|found| (delivery, found)));
            if let Some(found) = found {
                return found;
            }
            assert!(started.elapsed() < PATIENCE, "no delivery about {what}; come so far: {:?}", self.heads());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// What has come.
    pub fn come(&self) -> Vec<Delivery> {
        self.inbox.lock().unwrap().clone()
    }

    /// Forgets what has come.
    pub fn forget(&self) {
        self.inbox.lock().unwrap().clear();
    }

    /// The beginnings of what has come, for messages.
    fn heads(&self) -> Vec<String> {
        let come = self.inbox.lock().unwrap();
        come.iter().map(|one| String::from_utf8_lossy(&one.body).chars().take(300).collect()).collect()
    }
}

async fn take(State(inbox): State<Inbox>, uri: Uri, headers: HeaderMap, body: Bytes) -> &'static str {
    let texts =
        headers.iter().filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())));
    let mut texts: BTreeMap<String, String> = texts.collect();
    let named = uri.query().and_then(|query| query.split('&').find_map(|pair| pair.strip_prefix("subscription=")));
    texts.extend(named.map(|id| (SUBSCRIPTION_HEADER.to_owned(), id.to_owned())));
    inbox.lock().unwrap().push(Delivery { headers: texts, body: body.into() });
    "ok"
}
