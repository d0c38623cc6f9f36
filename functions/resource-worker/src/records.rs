//! What is written: the content as the sink gets it, and the record of each way a resource can end. Pure.

use domain::message::RunRef;
use domain::resource::{DeleteReason, Outcome, Record, RecordState, RunOutcome, content_hash, is_kept_otherwise};
use domain::{ExternalId, IntegrationId, Resource, ResourceContent, ResourceKind, StorageStrategy, Timestamp};

/// A resource with its text.
#[derive(Debug, Clone)]
pub(crate) struct Content {
    /// What it is.
    pub resource: Resource,
    /// Its text.
    pub text: String,
    /// The text was longer and has been cut.
    pub truncated: bool,
}

/// The content as the sink gets it.
pub(crate) fn normalized(integration: IntegrationId, content: &Content) -> ResourceContent {
    let Content { resource, text, truncated } = content;
    let mut metadata = resource.metadata.clone();
    if *truncated {
        metadata.insert("truncated".to_owned(), true.into());
    }
    ResourceContent {
        id: format!("{integration}/{}", resource.external_id),
        external_id: resource.external_id.clone(),
        kind: resource.kind,
        title: resource.name.clone(),
        content: text.clone(),
        content_hash: content_hash(&resource.name, text),
        mime_type: resource.mime_type.clone(),
        url: resource.url.clone(),
        metadata,
        created_at: resource.created_at,
        updated_at: resource.updated_at,
        author: resource.author.clone(),
    }
}

/// Whether the sink has exactly this already. What the record does not keep (metadata, author) is delivered along with the
/// next change of what it does.
pub(crate) fn is_delivered(record: &Record, content: &ResourceContent, strategy: StorageStrategy) -> bool {
    record.state != RecordState::Deleted
        && !is_kept_otherwise(record.stored_as, strategy)
        && record.content_hash.as_deref() == Some(content.content_hash.as_str())
        && record.name == content.title
        && record.mime_type == content.mime_type
        && record.url == content.url
        && record.kind == content.kind
}

/// Names what is written: for whom and when.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Writing {
    /// The run that counts it.
    pub run: Option<RunRef>,
    /// When the observation behind it was begun.
    pub observed_at: Timestamp,
    /// The present time.
    pub now: Timestamp,
    /// What its owner wants kept.
    pub strategy: StorageStrategy,
}

impl Writing {
    fn last_run(self, outcome: Outcome) -> Option<RunOutcome> {
        self.run.map(|run| RunOutcome { job_id: run.job_id, run: run.run, outcome })
    }

    /// A record of a resource that is described by a listing or a fetch.
    fn described(self, resource: &Resource, state: RecordState, outcome: Outcome) -> Record {
        Record {
            external_id: resource.external_id.clone(),
            kind: resource.kind,
            name: resource.name.clone(),
            mime_type: resource.mime_type.clone(),
            url: resource.url.clone(),
            state,
            revision: resource.revision.clone(),
            content_hash: None,
            memory_id: None,
            stored_as: None,
            code: None,
            reason: None,
            retriable: false,
            observed_at: self.observed_at,
            last_synced_at: self.now,
            last_run: self.last_run(outcome),
        }
    }

    /// A record of a resource of which we know no more than before.
    fn as_before(self, id: &ExternalId, old: Option<&Record>, state: RecordState, outcome: Outcome) -> Record {
        Record {
            external_id: id.clone(),
            kind: old.map_or(ResourceKind::File, |old| old.kind),
            name: old.map_or_else(|| id.to_string(), |old| old.name.clone()),
            mime_type: old.and_then(|old| old.mime_type.clone()),
            url: old.and_then(|old| old.url.clone()),
            state,
            revision: old.map(|old| old.revision.clone()).unwrap_or_default(),
            content_hash: None,
            memory_id: None,
            stored_as: None,
            code: None,
            reason: None,
            retriable: false,
            observed_at: self.observed_at,
            last_synced_at: self.now,
            last_run: self.last_run(outcome),
        }
    }

    /// The sink has it, delivered now or (`outcome` UNCHANGED) before.
    pub fn synced(self, resource: &Resource, hash: &str, memory_id: Option<String>, outcome: Outcome) -> Record {
        let record = self.described(resource, RecordState::Synced, outcome);
        Record { content_hash: Some(hash.to_owned()), memory_id, stored_as: Some(self.strategy), ..record }
    }

    /// Carries no text.
    pub fn skipped(self, resource: &Resource) -> Record {
        self.described(resource, RecordState::Skipped, Outcome::Skipped)
    }

    /// Deleted; the record stays as a tombstone.
    pub fn deleted(self, id: &ExternalId, old: Option<&Record>, reason: DeleteReason) -> Record {
        let record = self.as_before(id, old, RecordState::Deleted, Outcome::Deleted);
        Record { code: Some(reason.as_str().to_owned()), ..record }
    }

    /// Failed. The sink keeps what it had, unless it may have got something else (`sink_uncertain`).
    pub fn failed(
        self,
        id: &ExternalId,
        resource: Option<&Resource>,
        old: Option<&Record>,
        failure: Failure,
        sink_uncertain: bool,
    ) -> Record {
        let record = match resource {
            Some(resource) => self.described(resource, RecordState::Failed, Outcome::Failed),
            None => self.as_before(id, old, RecordState::Failed, Outcome::Failed),
        };
        let delivered = old.filter(|old| old.state != RecordState::Deleted && !sink_uncertain);
        Record {
            content_hash: delivered.and_then(|old| old.content_hash.clone()),
            memory_id: delivered.and_then(|old| old.memory_id.clone()),
            stored_as: old.and_then(|old| old.stored_as),
            code: Some(failure.code.to_owned()),
            reason: Some(failure.reason),
            retriable: failure.retriable,
            ..record
        }
    }
}

/// Why a resource failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// Stable code.
    pub code: &'static str,
    /// For people.
    pub reason: String,
    /// Whether a later run may find it mended.
    pub retriable: bool,
}

/// Whether the sink may hold something of it.
pub(crate) fn may_be_in_sink(record: Option<&Record>, attempt: u32) -> bool {
    // A first attempt that died may have delivered without recording it.
    attempt > 1
        || record.is_some_and(|record| match record.state {
            RecordState::Synced => true,
            // Failed deliveries are uncertain, and have no hash for that reason.
            RecordState::Failed => true,
            RecordState::Skipped | RecordState::Deleted => false,
        })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use domain::{Integration, JobId};

    pub(crate) fn at(second: i64) -> Timestamp {
        Timestamp::from_timestamp(second, 0).unwrap()
    }

    pub(crate) fn resource(id: &str, revision: &str) -> Resource {
        Resource {
            external_id: ExternalId::new(id).unwrap(),
            kind: ResourceKind::File,
            name: "Plan.txt".to_owned(),
            mime_type: Some("text/plain".to_owned()),
            revision: revision.to_owned(),
            bytes: None,
            url: Some("https://example.com/a".to_owned()),
            parent_id: None,
            author: None,
            created_at: at(1),
            updated_at: at(2),
            metadata: Default::default(),
        }
    }

    pub(crate) fn record(id: &str, revision: &str) -> Record {
        let writing = Writing { run: None, observed_at: at(3), now: at(4), strategy: StorageStrategy::FullContent };
        let text = Content { resource: resource(id, revision), text: "text".to_owned(), truncated: false };
        let hash = normalized(integration().id, &text).content_hash;
        writing.synced(&text.resource, &hash, Some("m1".to_owned()), Outcome::Synced)
    }

    pub(crate) fn integration() -> Integration {
        let id = "01JD0000000000000000000000".parse().unwrap();
        Integration { id, runs: 4, ..domain::testing::integration("user/ada", at(0)).unwrap() }
    }

    const FULL: StorageStrategy = StorageStrategy::FullContent;

    fn content(text: &str) -> Content {
        Content { resource: resource("a", "2"), text: text.to_owned(), truncated: false }
    }

    #[test]
    fn only_what_the_sink_has_exactly_is_not_delivered_again() {
        let delivered = record("a", "1");
        let same = normalized(integration().id, &content("text"));
        assert!(is_delivered(&delivered, &same, FULL));
        assert!(!is_delivered(&delivered, &same, StorageStrategy::MetadataOnly));
        assert!(!is_delivered(&delivered, &normalized(integration().id, &content("other")), FULL));
        assert!(!is_delivered(&Record { url: None, ..delivered.clone() }, &same, FULL));
        assert!(!is_delivered(&Record { name: "Old".to_owned(), ..delivered.clone() }, &same, FULL));
        assert!(!is_delivered(&Record { state: RecordState::Deleted, ..delivered }, &same, FULL));
    }

    #[test]
    fn a_cut_text_says_so() {
        let cut = Content { truncated: true, ..content("text") };
        assert_eq!(normalized(integration().id, &cut).metadata["truncated"], true);
        assert!(!normalized(integration().id, &content("text")).metadata.contains_key("truncated"));
    }

    #[test]
    fn a_failure_keeps_what_was_delivered_unless_that_is_uncertain() {
        let run = RunRef { job_id: JobId::new(at(0)), run: 4 };
        let writing =
            Writing { run: Some(run), observed_at: at(5), now: at(6), strategy: StorageStrategy::FullContent };
        let failure = Failure { code: "too_large", reason: "big".to_owned(), retriable: false };
        let (old, id) = (record("a", "1"), ExternalId::new("a").unwrap());
        let kept = writing.failed(&id, None, Some(&old), failure.clone(), false);
        assert_eq!((kept.state, kept.content_hash.is_some()), (RecordState::Failed, true));
        assert_eq!((kept.name.as_str(), kept.last_run.unwrap().outcome), ("Plan.txt", Outcome::Failed));
        let uncertain = writing.failed(&id, Some(&resource("a", "2")), Some(&old), failure, true);
        assert_eq!((uncertain.content_hash, uncertain.revision.as_str()), (None, "2"));
    }

    #[test]
    fn a_tombstone_says_why_and_holds_nothing_of_the_sink_s() {
        let writing = Writing { run: None, observed_at: at(5), now: at(6), strategy: StorageStrategy::FullContent };
        let old = record("a", "1");
        let stone = writing.deleted(&old.external_id, Some(&old), DeleteReason::Trashed);
        assert_eq!((stone.state, stone.code.as_deref()), (RecordState::Deleted, Some("trashed")));
        assert_eq!((stone.content_hash, stone.memory_id, stone.last_run), (None, None, None));
        assert!(!may_be_in_sink(Some(&Record { state: RecordState::Deleted, ..old.clone() }), 1));
        assert!(may_be_in_sink(Some(&old), 1));
        assert!(may_be_in_sink(None, 2));
        assert!(!may_be_in_sink(None, 1));
    }
}
