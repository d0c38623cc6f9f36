//! Somebody who uses the API, by token or as a browser does.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, ensure};
use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use serde_json::Value;
use url::Url;

/// What the API answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Where it sends the browser.
    pub location: Option<String>,
    /// Its headers, names in lower case.
    pub headers: BTreeMap<String, String>,
    /// Its body; null if that is no JSON.
    pub body: Value,
}

impl Answer {
    /// The envelope's data.
    #[must_use]
    pub fn data(&self) -> &Value {
        self.body.get("data").unwrap_or(&Value::Null)
    }

    /// The envelope's error code.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.body.get("code").and_then(Value::as_str)
    }

    /// A text in the envelope's data.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.data().get(name).and_then(Value::as_str)
    }
}

/// Somebody with a browser, and perhaps a token. Redirects are not followed, so that a test sees them.
#[derive(Debug)]
pub struct Actor {
    api: String,
    token: Option<String>,
    http: reqwest::Client,
    cookies: Mutex<BTreeMap<String, String>>,
}

impl Actor {
    /// Somebody who talks to the API at `api`.
    ///
    /// # Errors
    /// If no HTTP client can be made.
    pub fn new(api: &str, token: Option<String>) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
        Ok(Self { api: api.to_owned(), token, http, cookies: Mutex::default() })
    }

    /// The same person at another browser: the token without the cookies.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn elsewhere(&self) -> anyhow::Result<Self> {
        Self::new(&self.api, self.token.clone())
    }

    /// The same browser with nobody signed in: the cookies without the token.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn signed_out(&self) -> anyhow::Result<Self> {
        let cookies = self.cookies.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Ok(Self { cookies: Mutex::new(cookies), ..Self::new(&self.api, None)? })
    }

    /// `GET`.
    ///
    /// # Errors
    /// If the API does not answer.
    pub async fn get(&self, path: &str) -> anyhow::Result<Answer> {
        self.send("GET", path, None).await
    }

    /// `POST` of JSON.
    ///
    /// # Errors
    /// If the API does not answer.
    pub async fn post(&self, path: &str, body: Value) -> anyhow::Result<Answer> {
        self.send("POST", path, Some(body.to_string())).await
    }

    /// `PUT` of JSON.
    ///
    /// # Errors
    /// If the API does not answer.
    pub async fn put(&self, path: &str, body: Value) -> anyhow::Result<Answer> {
        self.send("PUT", path, Some(body.to_string())).await
    }

    /// `DELETE`.
    ///
    /// # Errors
    /// If the API does not answer.
    pub async fn delete(&self, path: &str) -> anyhow::Result<Answer> {
        self.send("DELETE", path, None).await
    }

    /// Any request with any body, sent as JSON.
    ///
    /// # Errors
    /// If the API does not answer.
    pub async fn send(&self, method: &str, path: &str, body: Option<String>) -> anyhow::Result<Answer> {
        let mut request = self.http.request(method.parse()?, format!("{}{path}", self.api));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body);
        }
        self.finish(request).await
    }

    /// Any request with any headers, and this body just as it is.
    ///
    /// # Errors
    /// If the API does not answer.
    pub async fn send_with(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<String>,
    ) -> anyhow::Result<Answer> {
        let mut request = self.http.request(method.parse()?, format!("{}{path}", self.api));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        if let Some(body) = body {
            request = request.body(body);
        }
        self.finish(request).await
    }

    /// `POST` with these headers and no body, as providers send webhooks.
    ///
    /// # Errors
    /// If the API does not answer.
    pub async fn deliver(&self, path: &str, headers: &[(&str, &str)]) -> anyhow::Result<Answer> {
        let request = self.http.post(format!("{}{path}", self.api));
        self.finish(headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))).await
    }

    /// Opens an absolute address in the browser: cookies go along, the token does not.
    ///
    /// # Errors
    /// If nobody answers.
    pub async fn open(&self, url: &str) -> anyhow::Result<Answer> {
        self.finish(self.http.get(url)).await
    }

    async fn finish(&self, mut request: reqwest::RequestBuilder) -> anyhow::Result<Answer> {
        let jar = self.cookies.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if !jar.is_empty() {
            let line = jar.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ");
            request = request.header(COOKIE, line);
        }
        let answer = request.send().await?;
        let headers = answer.headers().clone();
        self.keep_cookies(headers.get_all(SET_COOKIE).iter().filter_map(|value| value.to_str().ok()));
        let status = answer.status().as_u16();
        let body = serde_json::from_slice(&answer.bytes().await?).unwrap_or(Value::Null);
        let shown =
            headers.iter().filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())));
        let location = headers.get(LOCATION).and_then(|value| value.to_str().ok()).map(str::to_owned);
        Ok(Answer { status, location, headers: shown.collect(), body })
    }

    /// Keeps `name=value`; a value that was emptied is forgotten.
    fn keep_cookies<'a>(&self, lines: impl Iterator<Item = &'a str>) {
        let mut jar = self.cookies.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, value) in lines.filter_map(|line| line.split(';').next()?.split_once('=')) {
            if value.is_empty() {
                jar.remove(name)
            } else {
                jar.insert(name.to_owned(), value.to_owned())
            };
        }
    }

    /// Walks the provider's consent page as a person does who chooses `account`; the address that the provider sends them back to.
    ///
    /// # Errors
    /// If the page is not there or sends nobody back.
    pub async fn consent(&self, authorize_url: &str, account: &str, decision: &str) -> anyhow::Result<String> {
        let url = Url::parse(authorize_url)?;
        let page = self.open(authorize_url).await?;
        ensure!(page.status == 200, "the consent page answers {}", page.status);
        let mut form: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
        form.insert("account".into(), account.into());
        form.insert("decision".into(), decision.into());
        let mut action = url.clone();
        action.set_query(None);
        let decided = self.finish(self.http.post(action).form(&form)).await?;
        decided.location.with_context(|| format!("the consent page answers {} and sends nobody back", decided.status))
    }

    /// Connects a provider from beginning to end; where the API sends the browser at last.
    ///
    /// # Errors
    /// If a step answers otherwise than it should.
    pub async fn connect(&self, base: &str, account: &str) -> anyhow::Result<String> {
        let begun = self.post(&format!("{base}/connect"), serde_json::json!({})).await?;
        ensure!(begun.status == 200, "connect answers {} {}", begun.status, begun.body);
        let authorize = begun.text("authUrl").context("connect gives no authUrl")?;
        let back = self.consent(authorize, account, "allow").await?;
        let done = self.open(&back).await?;
        done.location.with_context(|| format!("the callback answers {} {}", done.status, done.body))
    }
}
