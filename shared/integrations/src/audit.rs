//! Notes what people did in the audit log, after they did it.

use std::time::Duration;

use domain::audit::{Action, Entry};
use domain::clock::SharedClock;
use domain::id::EntryId;
use domain::{Owner, ProviderId, UserId};
use serde_json::{Value, json};
use store::AuditLog;

/// The largest detail that is kept, as JSON. What is larger is the caller's mistake, and is left out.
const MOST_DETAIL_BYTES: usize = 4096;

/// What writing an entry may take. The act is done by then, and whoever did it waits for the answer.
const WRITING_TAKES: Duration = Duration::from_secs(3);

/// The audit log, for those who act. Cheap to clone.
#[derive(Clone)]
pub struct Audit {
    log: AuditLog,
    clock: SharedClock,
}

impl Audit {
    /// Puts it together. Makes no call.
    #[must_use]
    pub const fn new(log: AuditLog, clock: SharedClock) -> Self {
        Self { log, clock }
    }

    /// The log, to be read.
    #[must_use]
    pub const fn log(&self) -> &AuditLog {
        &self.log
    }

    /// Notes what `actor` has done: to whose integrations (or to which person or organization), at which provider, and what else
    /// there is to say of it, in names of ours. To be called once it is done. One request.
    ///
    /// What cannot be written is logged whole, as an error: the act stands, so its answer must not say that it failed.
    pub async fn note(
        &self,
        actor: &UserId,
        action: Action,
        owner: Option<&Owner>,
        provider: Option<ProviderId>,
        detail: Value,
    ) {
        let at = self.clock.now();
        let entry = Entry {
            id: EntryId::new(at),
            at,
            actor: actor.clone(),
            action,
            owner: owner.cloned(),
            provider,
            detail: bounded(detail),
        };
        let error = match tokio::time::timeout(WRITING_TAKES, self.log.add(&entry)).await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(_) => "it took too long".to_owned(),
        };
        tracing::error!(
            entry.id = %entry.id, entry.at = %entry.at, entry.actor = %entry.actor, entry.action = %entry.action,
            entry.owner = entry.owner.as_ref().map(ToString::to_string), provider = entry.provider.map(ProviderId::as_str),
            entry.detail = %entry.detail, error, "an entry is missing from the audit log"
        );
    }
}

/// The detail, if it is of a decent size.
fn bounded(detail: Value) -> Value {
    if detail.to_string().len() <= MOST_DETAIL_BYTES { detail } else { json!({"left_out": "too large"}) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_detail_that_is_too_large_does_not_keep_the_entry_out() {
        let small = json!({"changed": ["config"]});
        assert_eq!(bounded(small.clone()), small);
        assert_eq!(bounded(json!("x".repeat(MOST_DETAIL_BYTES))), json!({"left_out": "too large"}));
    }
}
