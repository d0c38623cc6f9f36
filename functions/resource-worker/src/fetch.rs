//! From a resource's id to its text: the provider's call and the reading of the file.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use chrono::TimeDelta;
use content::Limits;
use domain::clock::SharedClock;
use domain::{ExternalId, Integration, Resource, Timestamp};
use futures::StreamExt as _;
use providers::error::{Kind, ProviderError};
use providers::provider::{Access, Body};
use store::Permit;
use tokio::sync::Semaphore;

use crate::failure::Fault;
use crate::records::Content;
use crate::worker::ResourceWorker;

/// Fetches under way at once for one integration, if the provider allows as many.
const CONCURRENT: u32 = 10;
/// Time kept back at the end of an invocation, to deliver and to record.
const RESERVE: TimeDelta = TimeDelta::seconds(20);
/// The longest wait for permits that is slept out: less than the shortest delay that a queue has.
const NAP: Duration = Duration::from_secs(1);

/// A fetch to make.
#[derive(Debug)]
pub(crate) struct Wanted {
    /// Which resource.
    pub id: ExternalId,
    /// What a listing said of it.
    pub known: Option<Box<Resource>>,
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

    fn left(&self) -> Duration {
        (self.until - self.clock.now()).to_std().unwrap_or_default()
    }
}

impl ResourceWorker {
    /// Gets what `calls` fetches need: permits for all of them in one take, and a token.
    ///
    /// # Errors
    /// What it means for every one of them.
    pub(crate) async fn prepare(&self, integration: &Integration, calls: u32, time: &Time) -> Result<Access, Fault> {
        let now = self.clock.now();
        if let Some(wait) = integration.blocked_until.and_then(|until| (until - now).to_std().ok()) {
            return Err(Fault::Wait(wait));
        }
        let limits = self.registry.get(integration.provider).manifest().rate_limits;
        let key = integration.rate_key();
        if let Some(day) = limits.our_day() {
            let permit = self.store.take_permits(&format!("{key}#day"), day, calls, now).await;
            if let Permit::Wait(wait) = permit.map_err(ours)? {
                return Err(Fault::Limited(wait));
            }
        }
        loop {
            match self.store.take_permits(&key, limits.our_minute(), calls, self.clock.now()).await.map_err(ours)? {
                Permit::Granted => break,
                Permit::Wait(wait) if wait < NAP && wait < time.left() => tokio::time::sleep(wait).await,
                Permit::Wait(wait) => return Err(Fault::Wait(wait)),
            }
        }
        Ok(self.connections.open(integration).await?)
    }

    /// Fetches all, side by side; with a renewed token once more what the provider refused the token for. Once it asks to
    /// wait, nothing more is begun. The results are in the order of `wanted`; `access` is the token that worked last.
    pub(crate) async fn fetch_all(
        &self,
        integration: &Integration,
        access: &mut Access,
        wanted: &[Wanted],
        time: &Time,
    ) -> Vec<Result<Content, Fault>> {
        let limited = OnceLock::new();
        let mut results = self.fetch_some(integration, access, wanted.iter().collect(), time, &limited).await;
        let refused: Vec<usize> = results
            .iter()
            .enumerate()
            .filter_map(|(place, result)| matches!(result, Err(Fault::TokenRejected)).then_some(place))
            .collect();
        if refused.is_empty() {
            return results;
        }
        match self.connections.renew_after(integration, access).await {
            Ok(renewed) => *access = renewed,
            Err(error) => {
                // Whatever it is, it is the same for all whose token was refused.
                let error = Arc::new(error);
                for place in refused {
                    if let Some(result) = results.get_mut(place) {
                        *result = Err(shared(&error));
                    }
                }
                return results;
            }
        }
        let again: Vec<&Wanted> = refused.iter().filter_map(|place| wanted.get(*place)).collect();
        let second = self.fetch_some(integration, access, again, time, &limited).await;
        for (place, outcome) in refused.into_iter().zip(second) {
            if let Some(result) = results.get_mut(place) {
                *result = outcome;
            }
        }
        results
    }

    async fn fetch_some(
        &self,
        integration: &Integration,
        access: &Access,
        wanted: Vec<&Wanted>,
        time: &Time,
        limited: &OnceLock<Duration>,
    ) -> Vec<Result<Content, Fault>> {
        let allowed = self.registry.get(integration.provider).manifest().rate_limits.concurrent;
        let at_once = usize::try_from(allowed.clamp(1, CONCURRENT)).unwrap_or(1);
        let mut calls = Vec::with_capacity(wanted.len());
        for wanted in wanted {
            calls.push(async move {
                if let Some(wait) = limited.get() {
                    return Err(Fault::Wait(*wait));
                }
                let result = self.fetch(integration, access, wanted, time).await;
                if let Err(Fault::Limited(wait)) = &result {
                    // The first to hear it tells the others; a second word changes nothing.
                    let _ = limited.set(*wait);
                }
                result
            });
        }
        futures::stream::iter(calls).buffered(at_once).collect().await
    }

    async fn fetch(
        &self,
        integration: &Integration,
        access: &Access,
        wanted: &Wanted,
        time: &Time,
    ) -> Result<Content, Fault> {
        let provider = self.registry.get(integration.provider);
        let call = provider.fetch(access, &wanted.id, wanted.known.as_deref());
        let fetched = tokio::time::timeout(time.left(), call).await.map_err(|elapsed| {
            Fault::from(ProviderError::new(integration.provider, Kind::Unavailable).because(elapsed))
        })??;
        match fetched.body {
            Body::Text(text) => Ok(whole(fetched.resource, text)),
            Body::File { mime_type, file } => {
                let limits = Limits { time: Limits::default().time.min(time.left()), ..Limits::default() };
                let name = fetched.resource.name.clone();
                let read = read(self.readers.clone(), file, mime_type, name, limits).await?;
                Ok(Content { resource: fetched.resource, text: read.text, truncated: read.truncated })
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

/// Our own table did not answer.
fn ours(error: store::Error) -> Fault {
    Fault::Passing { code: "internal", reason: "It met a trouble of ours.".to_owned(), source: error.into() }
}

/// One error for several resources.
fn shared(error: &Arc<connections::OpenError>) -> Fault {
    use connections::OpenError;
    match error.as_ref() {
        OpenError::TokenExpired => OpenError::TokenExpired.into(),
        OpenError::NotConnected => OpenError::NotConnected.into(),
        OpenError::RetryAfter(wait) => OpenError::RetryAfter(*wait).into(),
        OpenError::Unavailable(_) => OpenError::Unavailable(error.clone().into()).into(),
    }
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
