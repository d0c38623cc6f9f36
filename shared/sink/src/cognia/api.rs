//! The calls of Cognia's content API, one method each.

use std::sync::Arc;

use domain::{Timestamp, UserId};
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use serde::Serialize;
use tokio::sync::Semaphore;
use url::Url;

use super::token::authorization;
use super::wire::{self, Bare, Content, Seen};
use crate::client::{Answer, Call, Client, SinkUrl};
use crate::error::Error;
use crate::secret::{self, Secret};

/// Calls of one process under way at once. Cognia works on each for a while and says 429 to whoever comes with more.
const AT_ONCE: usize = 4;
/// Memories on one page of a search.
const PAGE: &str = "100";

/// Cognia, as one process calls it.
#[derive(Clone)]
pub(super) struct Api {
    client: Client,
    url: SinkUrl,
    secret: Secret,
    turns: Arc<Semaphore>,
}

/// What became of a submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Submission {
    /// It is a memory now, of this name.
    Memory(String),
    /// It is queued and will be one.
    Queued,
}

impl Api {
    pub fn new(client: Client, url: SinkUrl, secret: Secret) -> Self {
        Self { client, url, secret, turns: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    pub fn now(&self) -> Timestamp {
        self.client.now()
    }

    /// Submits a part. Cognia makes one memory of equal texts of a person, and answers with that memory then.
    pub async fn submit(&self, person: &UserId, content: &Content<'_>) -> Result<Submission, Error> {
        let answer = self.call(person, Method::POST, self.url.below(&["api", "content"]), Some(content)).await?;
        if answer.status == StatusCode::UNPROCESSABLE_ENTITY {
            return Err(Error::Blocked(wire::blocked(&answer.body)));
        }
        let answer = self.client.judge(answer)?;
        Ok(wire::taken(&answer.body).map_or(Submission::Queued, Submission::Memory))
    }

    /// A person's newest memories, those in the bin too; with `words` those of them whose title or text has these words.
    pub async fn newest(&self, person: &UserId, words: Option<&str>) -> Result<Vec<Seen>, Error> {
        let mut url = self.url.below(&["api", "memory", "v2"]);
        url.query_pairs_mut().append_pair("limit", PAGE).append_pair("includeDeleted", "true");
        if let Some(words) = words {
            url.query_pairs_mut().append_pair("q", words);
        }
        let answer = self.call::<()>(person, Method::GET, url, None).await?;
        let answer = self.client.judge(answer)?;
        wire::seen(&answer.body).ok_or_else(|| Error::unavailable("look a memory up", "its answer makes no sense"))
    }

    /// Takes a memory's text away; its title, and what Cognia made of the text, stay. What is not there has no text.
    pub async fn strip(&self, person: &UserId, memory_id: &str, reference: &str) -> Result<(), Error> {
        let bare = Bare { content: reference, full_content: reference };
        let url = self.url.below(&["api", "memory", memory_id]);
        let answer = self.call(person, Method::PATCH, url, Some(&bare)).await?;
        self.unless_absent(answer)
    }

    /// Deletes a memory for good. One that is only in the bin would be found again as the double of whatever has the same text, and
    /// that would be nowhere then.
    pub async fn delete(&self, person: &UserId, memory_id: &str) -> Result<(), Error> {
        let mut url = self.url.below(&["api", "memory", memory_id]);
        url.query_pairs_mut().append_pair("hard", "true");
        let answer = self.call::<()>(person, Method::DELETE, url, None).await?;
        self.unless_absent(answer)
    }

    fn unless_absent(&self, answer: Answer) -> Result<(), Error> {
        // Cognia's own words; a 404 of something in between is none of them and must not count as deleted.
        let is_its_own = || {
            serde_json::from_slice::<serde_json::Value>(&answer.body)
                .is_ok_and(|body| body.get("success") == Some(&serde_json::Value::Bool(false)))
        };
        match answer.status {
            StatusCode::NOT_FOUND if is_its_own() => Ok(()),
            _ => self.client.judge(answer).map(|_| ()),
        }
    }

    async fn call<T: Serialize + Sync>(
        &self,
        person: &UserId,
        method: Method,
        url: Url,
        body: Option<&T>,
    ) -> Result<Answer, Error> {
        let secret = secret::read(&self.secret).await?;
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, authorization(&secret, person, self.client.now())?);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let body = body.map(serde_json::to_vec).transpose();
        let body = body.map_err(|error| Error::Refused(format!("it has no form in JSON ({error})")))?;
        let _turn = self.turns.acquire().await.map_err(|closed| Error::unavailable("take a turn", closed))?;
        self.client.send(Call { method, url, headers, body }).await
    }
}
