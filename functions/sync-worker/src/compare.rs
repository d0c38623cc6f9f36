//! What is to be done about a listed resource, given our record of it: one pure decision.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use content::Support;
use domain::resource::{Record, RecordState, RunOutcome, has_unwanted_body, is_kept_otherwise};
use domain::{JobId, Resource, ResourceKind, StorageStrategy};
use store::{RecordMark, resource_key};

/// What a comparison needs of a record; small, because a full listing holds one for every record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Known {
    state: RecordState,
    /// Of the revision; it never leaves the process.
    revision_hash: u64,
    retriable: bool,
    /// Whether it lies in the sink in another form than its owner wants now.
    is_kept_otherwise: bool,
    /// Whether this very run has reported on it: its page was handed out before, by a turn that died before it said so.
    is_own: bool,
}

/// Records by their [`resource_key`].
pub(crate) type Records = HashMap<u128, Known>;

impl Known {
    fn new(state: RecordState, revision: &str, retriable: bool) -> Self {
        Self { state, revision_hash: hash(revision), retriable, is_kept_otherwise: false, is_own: false }
    }

    /// A whole record's part, for a run of an integration with this strategy.
    pub fn of_record(record: &Record, run: JobId, wanted: StorageStrategy) -> (u128, Self) {
        let is_kept_otherwise = is_to_be_rewritten(record.state, record.stored_as, wanted);
        let known = Self { is_kept_otherwise, ..Self::new(record.state, &record.revision, record.retriable) };
        (resource_key(&record.external_id), known.reported(record.last_run, run))
    }

    /// A mark's part, for a run of an integration with this strategy.
    pub fn of_mark(mark: &RecordMark, run: JobId, wanted: StorageStrategy) -> (u128, Self) {
        let is_kept_otherwise = is_to_be_rewritten(mark.state, mark.stored_as, wanted);
        let known = Self { is_kept_otherwise, ..Self::new(mark.state, &mark.revision, mark.retriable) };
        (resource_key(&mark.external_id), known.reported(mark.last_run, run))
    }

    fn reported(self, last: Option<RunOutcome>, run: JobId) -> Self {
        Self { is_own: last.is_some_and(|last| last.job_id == run), ..self }
    }
}

/// Whether what the sink has of it is to be rewritten. Of what failed this is asked only for the sake of a body that must go: for
/// anything else another try gains nothing.
fn is_to_be_rewritten(state: RecordState, stored_as: Option<StorageStrategy>, wanted: StorageStrategy) -> bool {
    match state {
        RecordState::Synced => is_kept_otherwise(stored_as, wanted),
        RecordState::Failed => has_unwanted_body(stored_as, wanted),
        RecordState::Skipped | RecordState::Deleted => false,
    }
}

fn hash(revision: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    revision.hash(&mut hasher);
    hasher.finish()
}

/// What is to be done about a listed resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// New, changed, or worth another try.
    HandOut,
    /// Same as stored.
    Unchanged,
    /// Carries no text and never did.
    Skip,
}

/// Decides about a listed resource. `has_text`: the listing brought its text along.
pub(crate) fn decide(resource: &Resource, has_text: bool, known: Option<&Known>) -> Verdict {
    // What this run has done counts as done by it, though a page that is listed again finds nothing new. What is kept otherwise than
    // is wanted is delivered anew.
    if known.is_some_and(|known| known.is_own || known.is_kept_otherwise) {
        return Verdict::HandOut;
    }
    let same = known.is_some_and(|known| known.revision_hash == hash(&resource.revision));
    match known.map(|known| (known.state, known.retriable)) {
        Some((RecordState::Synced, _)) if same => Verdict::Unchanged,
        // What was text and became a film leaves the sink; a resource worker sees to that.
        Some((RecordState::Synced, _)) => Verdict::HandOut,
        Some((RecordState::Skipped, _)) if same => Verdict::Skip,
        // A failure that repeating does not mend stands until the resource changes.
        Some((RecordState::Failed, false)) if same => Verdict::Unchanged,
        Some((RecordState::Failed | RecordState::Skipped | RecordState::Deleted, _)) | None => {
            if carries_no_text(resource, has_text) { Verdict::Skip } else { Verdict::HandOut }
        }
    }
}

/// Whether it is an image, a sound or a film.
fn carries_no_text(resource: &Resource, has_text: bool) -> bool {
    !has_text
        && resource.kind == ResourceKind::File
        && content::support(resource.mime_type.as_deref(), &resource.name) == Support::Media
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use domain::{ExternalId, Timestamp};

    pub(crate) fn resource(id: &str, mime_type: &str, revision: &str) -> Resource {
        let at = Timestamp::from_timestamp(1_700_000_000, 0).unwrap();
        Resource {
            external_id: ExternalId::new(id).unwrap(),
            kind: ResourceKind::File,
            name: "name".to_owned(),
            mime_type: Some(mime_type.to_owned()),
            revision: revision.to_owned(),
            bytes: None,
            url: None,
            parent_id: None,
            author: None,
            created_at: at,
            updated_at: at,
            metadata: Default::default(),
        }
    }

    #[test]
    fn every_state_meets_every_listing_as_the_rules_say() {
        use RecordState::{Deleted, Failed, Skipped, Synced};
        use Verdict::{HandOut, Skip, Unchanged};
        let text = |known: Option<Known>, revision: &str| {
            decide(&resource("a", "text/plain", revision), false, known.as_ref())
        };
        let film =
            |known: Option<Known>, revision: &str| decide(&resource("a", "video/mp4", revision), false, known.as_ref());
        let known = |state, retriable| Some(Known::new(state, "r1", retriable));
        let table = [
            (None, [HandOut, HandOut, Skip, Skip]),
            (known(Synced, false), [Unchanged, HandOut, Unchanged, HandOut]),
            (known(Synced, false).map(|known| Known { is_kept_otherwise: true, ..known }), [HandOut; 4]),
            (known(Failed, true), [HandOut, HandOut, Skip, Skip]),
            (known(Failed, false), [Unchanged, HandOut, Unchanged, Skip]),
            (known(Skipped, false), [Skip, HandOut, Skip, Skip]),
            (known(Deleted, false), [HandOut, HandOut, Skip, Skip]),
            (known(Synced, false).map(|known| Known { is_own: true, ..known }), [HandOut; 4]),
        ];
        for (known, expected) in table {
            let found = [text(known, "r1"), text(known, "r2"), film(known, "r1"), film(known, "r2")];
            assert_eq!(found, expected, "{known:?}");
        }
    }

    #[test]
    fn a_message_is_no_film_whatever_its_type_says() {
        let message = Resource { kind: ResourceKind::Message, ..resource("a", "video/mp4", "r1") };
        assert_eq!(decide(&message, false, None), Verdict::HandOut);
        assert_eq!(decide(&resource("a", "image/png", "r1"), true, None), Verdict::HandOut);
    }

    #[test]
    fn a_change_of_what_is_kept_rewrites_what_is_in_the_sink_and_tries_no_failure_again_for_nothing() {
        use StorageStrategy::{FullContent, MetadataOnly};
        let check = |state, stored_as, wanted, rewritten| {
            assert_eq!(is_to_be_rewritten(state, stored_as, wanted), rewritten, "{state:?} {stored_as:?} {wanted:?}");
        };
        for (stored_as, wanted) in [(FullContent, MetadataOnly), (MetadataOnly, FullContent)] {
            check(RecordState::Synced, Some(stored_as), wanted, true);
            check(RecordState::Synced, Some(stored_as), stored_as, false);
            check(RecordState::Failed, Some(stored_as), wanted, wanted == MetadataOnly);
            check(RecordState::Skipped, Some(stored_as), wanted, false);
            check(RecordState::Deleted, Some(stored_as), wanted, false);
        }
        check(RecordState::Failed, None, MetadataOnly, false);
    }
}
