//! From a resource's id to its text: the provider's call and the reading of the file.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use chrono::TimeDelta;
use content::Limits;
use domain::clock::SharedClock;
use domain::message::Progress;
use domain::rate::Lane;
use domain::{ExternalId, Integration, Resource, Timestamp};
use futures::StreamExt as _;
use providers::error::{Kind, ProviderError};
use providers::provider::{Access, Body, FetchRequest};
use tokio::sync::Semaphore;

use crate::failure::Fault;
use crate::permits::Due;
use crate::records::Content;
use crate::slices::is_whole;
use crate::worker::ResourceWorker;

/// Time kept back at the end of an invocation, to deliver and to record.
const RESERVE: TimeDelta = TimeDelta::seconds(20);

/// A fetch to make.
#[derive(Debug)]
pub(crate) struct Wanted {
    /// Which resource.
    pub id: ExternalId,
    /// What a listing said of it.
    pub known: Option<Box<Resource>>,
    /// The slot that was reserved for it, if one was.
    pub slot: Option<Timestamp>,
    /// The lane to take another slot in.
    pub lane: Lane,
    /// How many calls it makes at most, and thus slots.
    pub calls: u32,
    /// How far the fetch has come; `None` before its first part.
    pub progress: Option<Box<Progress>>,
}

/// The time that is left for fetching.
#[derive(Clone)]
pub(crate) struct Time {
    clock: SharedClock,
    until: Timestamp,
}

impl Time {
    /// The time of an invocation that began just now and ends at `deadline`. A third of it is kept back, at most 20 s.
    pub fn new(clock: SharedClock, deadline: Timestamp) -> Self {
        let reserve = RESERVE.min((deadline - clock.now()) / 3);
        Self { until: deadline.checked_sub_signed(reserve).unwrap_or(deadline), clock }
    }

    /// When it is over.
    pub const fn ends_at(&self) -> Timestamp {
        self.until
    }

    /// What is left of it.
    pub fn left(&self) -> Duration {
        (self.until - self.clock.now()).to_std().unwrap_or_default()
    }
}

impl ResourceWorker {
    /// Makes these calls, `at_once` at a time; their outcomes in their order. Each is begun only while its slot is good, and none once
    /// the provider has asked to wait.
    pub(crate) async fn fetch_some(
        &self,
        integration: &Integration,
        access: &Access,
        wanted: &[Wanted],
        calls: &[Due],
        at_once: u32,
        time: &Time,
    ) -> Vec<Result<Content, Fault>> {
        let limited: &OnceLock<Duration> = &OnceLock::new();
        let mut fetches = Vec::with_capacity(calls.len());
        for call in calls {
            let wanted = wanted.get(call.place);
            fetches.push(async move {
                if let Some(wait) = limited.get() {
                    return Err(Fault::Limited(*wait));
                }
                let (Some(wanted), true) = (wanted, call.is_good(self.clock.now())) else { return Err(Fault::Late) };
                let result = self.fetch(integration, access, wanted, time).await;
                if let Err(Fault::Limited(wait)) = &result {
                    // The first to hear it tells the others; a second word changes nothing.
                    let _ = limited.set(*wait);
                }
                result
            });
        }
        let at_once = usize::try_from(at_once.max(1)).unwrap_or(1);
        futures::stream::iter(fetches).buffered(at_once).collect().await
    }

    async fn fetch(
        &self,
        integration: &Integration,
        access: &Access,
        wanted: &Wanted,
        time: &Time,
    ) -> Result<Content, Fault> {
        let provider = self.registry.get(integration.provider);
        let resume = wanted.progress.as_deref().map(|progress| progress.next.as_str()).filter(|next| !next.is_empty());
        let request = FetchRequest { id: &wanted.id, known: wanted.known.as_deref(), resume, calls: wanted.calls };
        let call = tokio::time::timeout(time.left(), provider.fetch(access, request));
        let fetched = match call.await {
            Ok(Err(ProviderError { kind: Kind::CursorExpired | Kind::PageExpired, .. })) if resume.is_some() => {
                return Err(self.begin_anew(integration, wanted).await);
            }
            Ok(answer) => answer?,
            Err(elapsed) => {
                return Err(ProviderError::new(integration.provider, Kind::Unavailable).because(elapsed).into());
            }
        };
        let is_whole = is_whole(wanted, &fetched);
        match fetched.body {
            Body::Text(text) => self.take_part(integration, wanted, fetched.resource, text, fetched.next).await,
            Body::File { mime_type, file } if is_whole => {
                let limits = Limits { time: Limits::default().time.min(time.left()), ..Limits::default() };
                let name = fetched.resource.name.clone();
                let read = read(self.readers.clone(), file, mime_type, name, limits).await?;
                Ok(Content { resource: fetched.resource, text: read.text, truncated: read.truncated })
            }
            Body::File { .. } => {
                let odd = Kind::Malformed("a file among parts of a text".to_owned());
                Err(ProviderError::new(integration.provider, odd).into())
            }
        }
    }
}

/// Text that needs no reading, cut to the same length as a file's.
pub(crate) fn whole(resource: Resource, mut text: String) -> Content {
    let most = Limits::default().text_bytes;
    let truncated = text.len() > most;
    if truncated {
        text.truncate(text.floor_char_boundary(most));
    }
    Content { resource, text, truncated }
}

/// Takes the text from a file, where blocking is allowed. Few at a time, because each may hold some megabytes.
async fn read(
    readers: Arc<Semaphore>,
    file: impl AsRef<std::path::Path> + Send + 'static,
    mime_type: String,
    name: String,
    limits: Limits,
) -> Result<content::Text, Fault> {
    let ours = |source: Box<dyn std::error::Error + Send + Sync>| Fault::Passing {
        code: "internal",
        reason: "It could not be read for a reason of ours.".to_owned(),
        source,
    };
    let permit = readers.acquire_owned().await.map_err(|closed| ours(closed.into()))?;
    let reading = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        content::extract(file.as_ref(), Some(&mime_type), &name, &limits)
    });
    Ok(reading.await.map_err(|failed| ours(failed.into()))??)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::tests::{at, resource};
    use domain::clock::Clock;

    struct Stopped;

    impl Clock for Stopped {
        fn now(&self) -> Timestamp {
            at(100)
        }
    }

    #[test]
    fn time_is_kept_back_to_deliver_what_was_fetched() {
        let left = |seconds: i64| Time::new(Arc::new(Stopped), at(100 + seconds)).left().as_secs();
        assert_eq!(left(15), 10);
        assert_eq!(left(300), 280);
        assert_eq!(left(-5), 0);
    }

    #[test]
    fn a_text_beyond_the_limit_is_cut_at_a_character() {
        let most = Limits::default().text_bytes;
        let long = "é".repeat(most / 2 + 1);
        let cut = whole(resource("a", "1"), format!("x{long}"));
        assert!(cut.truncated && cut.text.len() < most && cut.text.ends_with('é'));
        assert!(!whole(resource("a", "1"), "short".to_owned()).truncated);
    }
}
