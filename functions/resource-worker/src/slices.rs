//! Resources whose content takes more calls than one message makes: each message fetches a part, keeps its text in the content bucket, and
//! sends another in its place that goes on from there. The last one puts the parts together.

use content::Limits;
use domain::message::{Progress, ResourceAction, ResourceMessage};
use domain::{ExternalId, Integration, Resource, Timestamp};
use providers::provider::Fetched;
use sink::PartsOf;

use crate::batch::{Group, Job};
use crate::failure::Fault;
use crate::fetch::{Wanted, whole};
use crate::records::Content;
use crate::worker::ResourceWorker;

/// Parts that one resource may have. With ten calls each that is ten thousand blocks' worth of nesting.
const MOST_PARTS: u32 = 1_000;
/// The longest word on where to go on: it travels in a queue message.
const LONGEST_NEXT: usize = 64 * 1024;
/// Times that a fetch is begun anew because the provider no longer knows where to go on.
const RESTARTS: u32 = 3;

/// A fetch that goes on in another message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Slice {
    /// What the resource was when its fetch was begun: what it became since is found by its revision, the next time.
    pub resource: Option<Box<Resource>>,
    /// How far it has come.
    pub progress: Box<Progress>,
    /// The calls that are reserved for it, if they are.
    pub slot: Option<Timestamp>,
}

impl ResourceWorker {
    /// Takes a fetched part of text: the whole, if that was all.
    pub(crate) async fn take_part(
        &self,
        integration: &Integration,
        wanted: &Wanted,
        fetched: Resource,
        text: String,
        next: Option<String>,
    ) -> Result<Content, Fault> {
        let begun = wanted.progress.as_deref().filter(|progress| progress.parts > 0);
        if begun.is_none() && next.is_none() {
            return Ok(whole(fetched, text));
        }
        let resource = match (begun, &wanted.known) {
            (Some(_), Some(known)) => (**known).clone(),
            _ => fetched,
        };
        let progress = wanted.progress.clone().unwrap_or_else(|| Box::new(begin(self.clock.now(), 0)));
        let of = PartsOf { integration: integration.id, external_id: &wanted.id, begun_at: progress.begun_at };
        let after = advanced(&progress, text.len(), next.as_deref())?;
        if let Some(progress) = after {
            let number = progress.parts - 1;
            self.parts.keep(of, number, text).await?;
            let slice = Slice { resource: Some(Box::new(resource)), progress: Box::new(progress), slot: None };
            return Err(Fault::GoesOn(Box::new(slice)));
        }
        let Some(mut all) = self.parts.joined(of, progress.parts).await? else {
            return Err(self.begin_anew(integration, wanted).await);
        };
        all.push_str(&text);
        let content = whole(resource, all);
        Ok(Content { truncated: content.truncated || next.is_some(), ..content })
    }

    /// Begins a fetch anew whose parts, or whose place at the provider, are gone; a few times. What there is of its parts goes.
    pub(crate) async fn begin_anew(&self, integration: &Integration, wanted: &Wanted) -> Fault {
        if let Some(progress) = wanted.progress.as_deref() {
            self.forget(integration, &wanted.id, progress).await;
        }
        begun_anew(wanted.progress.as_deref(), self.clock.now())
    }

    /// Lets go of the parts of what is done with.
    pub(crate) async fn forget_parts(&self, group: &Group, job: &Job, progress: &Progress) {
        self.forget(&group.integration, &job.id, progress).await;
    }

    async fn forget(&self, integration: &Integration, id: &ExternalId, progress: &Progress) {
        let of = PartsOf { integration: integration.id, external_id: id, begun_at: progress.begun_at };
        if let Err(error) = self.parts.forget(of, progress.parts).await {
            tracing::warn!(error = lambda::telemetry::chain(&error), "parts stay until they expire");
        }
    }
}

/// How far a fetch has come after another part of so many bytes; `None` if that was the last, or the last that is wanted.
fn advanced(before: &Progress, bytes: usize, next: Option<&str>) -> Result<Option<Progress>, Fault> {
    let bytes = before.bytes.saturating_add(bytes as u64);
    let parts = before.parts.saturating_add(1);
    let is_long = bytes >= Limits::default().text_bytes as u64 || parts >= MOST_PARTS;
    match next {
        None => Ok(None),
        Some(_) if is_long => Ok(None),
        Some(next) if next.len() > LONGEST_NEXT => Err(Fault::Final {
            code: "too_large",
            reason: "It has more parts inside of parts than can be kept track of.".to_owned(),
            retriable: false,
        }),
        Some(next) => Ok(Some(Progress { parts, bytes, next: next.to_owned(), ..before.clone() })),
    }
}

/// The beginning of a fetch.
const fn begin(now: Timestamp, restarts: u32) -> Progress {
    Progress { begun_at: now, parts: 0, bytes: 0, restarts, next: String::new() }
}

/// The same fetch from its beginning, unless it was begun too often.
fn begun_anew(progress: Option<&Progress>, now: Timestamp) -> Fault {
    let restarts = progress.map_or(0, |progress| progress.restarts) + 1;
    if restarts > RESTARTS {
        return Fault::Final {
            code: "unfinished",
            reason: "It could not be read to its end, several times; it will be tried again.".to_owned(),
            retriable: true,
        };
    }
    Fault::GoesOn(Box::new(Slice { resource: None, progress: Box::new(begin(now, restarts)), slot: None }))
}

/// The message that goes on where this one stopped.
pub(crate) fn going_on(group: &Group, job: &Job, slice: &Slice, observed_at: Timestamp) -> ResourceMessage {
    ResourceMessage {
        integration: group.integration.reference(),
        run: job.run,
        external_id: job.id.clone(),
        action: ResourceAction::Sync {
            resource: slice.resource.clone(),
            text: None,
            listed_at: Some(observed_at),
            announced_at: None,
            progress: Some(slice.progress.clone()),
        },
    }
}

/// A fetched part that is no text has no place among others.
pub(crate) fn is_whole(wanted: &Wanted, fetched: &Fetched) -> bool {
    fetched.next.is_none() && wanted.progress.as_deref().is_none_or(|progress| progress.parts == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::tests::at;

    #[test]
    fn a_fetch_goes_on_until_its_end_or_until_it_is_long_enough() {
        let start = begin(at(5), 0);
        let second = advanced(&start, 100, Some("frontier")).unwrap().unwrap();
        assert_eq!((second.parts, second.bytes, second.next.as_str(), second.begun_at), (1, 100, "frontier", at(5)));
        assert_eq!(advanced(&second, 100, None).unwrap(), None);
        assert_eq!(advanced(&second, Limits::default().text_bytes, Some("frontier")).unwrap(), None);
        let many = Progress { parts: MOST_PARTS - 1, ..start.clone() };
        assert_eq!(advanced(&many, 1, Some("frontier")).unwrap(), None);
        let long = "x".repeat(LONGEST_NEXT + 1);
        assert!(matches!(advanced(&start, 1, Some(&long)), Err(Fault::Final { code: "too_large", .. })));
    }

    #[test]
    fn a_fetch_is_begun_anew_a_few_times() {
        let mut progress = Progress { parts: 7, bytes: 9, next: "frontier".to_owned(), ..begin(at(1), 0) };
        for again in 1..=RESTARTS {
            let Fault::GoesOn(slice) = begun_anew(Some(&progress), at(8)) else { panic!("given up") };
            assert_eq!(*slice.progress, begin(at(8), again));
            progress = Progress { parts: 7, ..*slice.progress };
        }
        assert!(matches!(begun_anew(Some(&progress), at(8)), Fault::Final { retriable: true, .. }));
    }
}
