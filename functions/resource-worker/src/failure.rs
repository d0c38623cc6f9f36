//! What went wrong with a resource, and what becomes of it: a failed record, a deletion, or another try. Pure.

use std::time::Duration;

use connections::OpenError;
use domain::Timestamp;
use domain::job::JobError;
use providers::error::{DOWNLOAD_QUOTA, Kind, ProviderError};

use crate::slices::Slice;

/// The queues' `maxReceiveCount`: the last attempt records what went wrong.
pub(crate) const ATTEMPTS: u32 = 3;
/// How long to wait where a provider limits us and does not say how long.
const UNTOLD_WAIT: Duration = Duration::from_secs(60);
/// How long to wait where a connection cannot be opened for a reason of ours.
const CLOSED_WAIT: Duration = Duration::from_secs(30);

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What went wrong with a resource.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// It is not there any more.
    #[error("it is gone")]
    Gone,
    /// It is there and may not be read.
    #[error("it may not be read ({code})")]
    Forbidden {
        /// The stable code.
        code: &'static str,
    },
    /// A fact that trying again now does not change.
    #[error("{code}: {reason}")]
    Final {
        /// The stable code.
        code: &'static str,
        /// For people.
        reason: String,
        /// Whether a later run may find it mended.
        retriable: bool,
    },
    /// Something that passes.
    #[error("{code}")]
    Passing {
        /// The stable code.
        code: &'static str,
        /// For people.
        reason: String,
        /// The cause.
        #[source]
        source: BoxError,
    },
    /// The provider is out of reach as a whole: its trouble, not the resource's.
    #[error("the provider is not available")]
    Outage(#[source] BoxError),
    /// The provider asks to wait.
    #[error("the provider asks to wait for {} s", .0.as_secs())]
    Limited(Duration),
    /// Not just now, and nobody's fault: a token or a slot is to be had after this long.
    #[error("waiting for {} ms", .0.as_millis())]
    Wait(Duration),
    /// The call has a slot that is not due yet.
    #[error("waiting for the slot at {0}")]
    Slot(Timestamp),
    /// All connections are in use; the slot is still good after the wait.
    #[error("waiting for {} ms, because all connections are in use", .wait.as_millis())]
    Busy {
        /// The slot to keep.
        slot: Timestamp,
        /// How long.
        wait: Duration,
    },
    /// The first slot that is to be had lies this far ahead, which is more than a queue can wait.
    #[error("waiting for {} s, longer than a queue can", .0.as_secs())]
    Far(Duration),
    /// It takes more calls than this message makes: another goes on.
    #[error("it goes on in another message")]
    GoesOn(Box<Slice>),
    /// It was not begun, because its slot had lapsed by then.
    #[error("too late for its slot")]
    Late,
    /// The integration was disconnected: nothing is written any more.
    #[error("the integration is not connected")]
    Disconnected,
    /// The provider does not accept the token.
    #[error("the access token was refused")]
    TokenRejected,
}

impl From<ProviderError> for Fault {
    fn from(error: ProviderError) -> Self {
        let fixed = |code, reason: &str, retriable| Self::Final { code, reason: reason.to_owned(), retriable };
        match error.kind {
            Kind::NotFound => Self::Gone,
            // No loss of access: what was delivered stays, and another run fetches it.
            Kind::Forbidden(code @ DOWNLOAD_QUOTA) => {
                fixed(code, "It was downloaded too often of late; the provider hands it out again another day.", true)
            }
            Kind::Forbidden(code) => Self::Forbidden { code },
            Kind::RateLimited { retry_after } => Self::Limited(retry_after.unwrap_or(UNTOLD_WAIT)),
            Kind::TokenRejected => Self::TokenRejected,
            Kind::TooLarge(reason) => Self::Final { code: "too_large", reason, retriable: false },
            Kind::Unsupported(reason) => Self::Final { code: "unsupported", reason, retriable: false },
            Kind::Unavailable => Self::Outage(error.into()),
            Kind::Malformed(_) => Self::Passing {
                code: "malformed_answer",
                reason: "The provider's answer could not be read.".to_owned(),
                source: error.into(),
            },
            Kind::GrantDead(_) => fixed("reconnect_needed", "The provider no longer accepts the connection.", true),
            Kind::ScopeMissing => fixed("scope_missing", "A needed permission was not granted.", true),
            Kind::Misconfigured(_) => fixed("misconfigured", "The registration at the provider is wrong.", true),
            Kind::AddressRefused(_) => fixed("address_refused", "The provider's address is not allowed.", true),
            Kind::Rejected(_) => fixed("rejected", "The provider refused to hand it out.", false),
            Kind::CursorExpired | Kind::PageExpired => {
                fixed("unexpected_answer", "The provider's answer makes no sense here.", true)
            }
        }
    }
}

impl From<content::Error> for Fault {
    fn from(error: content::Error) -> Self {
        let (code, reason) = (error.code(), sentence(&error.to_string()));
        if error.is_retriable() {
            Self::Passing { code, reason, source: error.into() }
        } else {
            Self::Final { code, reason, retriable: false }
        }
    }
}

impl From<sink::Error> for Fault {
    fn from(error: sink::Error) -> Self {
        let fixed =
            |code, error: &sink::Error| Self::Final { code, reason: sentence(&error.to_string()), retriable: false };
        match error {
            sink::Error::Unavailable { .. } => {
                let reason = "It could not be delivered.".to_owned();
                Self::Passing { code: "sink_unavailable", reason, source: error.into() }
            }
            sink::Error::Busy { wait, .. } => Self::Wait(wait),
            sink::Error::Refused(_) => fixed("sink_refused", &error),
            sink::Error::Blocked(_) => fixed("content_blocked", &error),
        }
    }
}

/// A fragment as a sentence.
fn sentence(fragment: &str) -> String {
    let mut letters = fragment.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).chain(['.']).collect()).unwrap_or_default()
}

impl From<OpenError> for Fault {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::TokenExpired => Self::Final {
                code: "reconnect_needed",
                reason: "The provider no longer accepts the connection.".to_owned(),
                retriable: true,
            },
            OpenError::NotConnected => Self::Disconnected,
            OpenError::RetryAfter(wait) => Self::Wait(wait),
            // Keys, secrets or our table are out of reach: that is no fault of the resource's, and waiting spends no attempt.
            OpenError::Parked { reason, wait, source } => {
                tracing::warn!(
                    error = lambda::telemetry::chain(source.as_ref()),
                    reason,
                    "the work waits for a service of our own"
                );
                Self::Wait(wait)
            }
            // It spends an attempt, or a provider that refuses whatever it gives would be asked for ever.
            OpenError::RefusedAtOnce => Self::Passing {
                code: "token_refused",
                reason: "The provider refuses a token that it gave moments ago.".to_owned(),
                source: error.into(),
            },
            OpenError::Unavailable(source) => {
                tracing::warn!(error = lambda::telemetry::chain(source.as_ref()), "the connection could not be opened");
                Self::Wait(CLOSED_WAIT)
            }
        }
    }
}

impl Fault {
    /// The same for several: the first keeps the cause.
    pub fn of_all(self, times: usize) -> Vec<Self> {
        let copy = || match &self {
            Self::Gone => Self::Gone,
            Self::Forbidden { code } => Self::Forbidden { code },
            Self::Final { code, reason, retriable } => {
                Self::Final { code, reason: reason.clone(), retriable: *retriable }
            }
            Self::Passing { code, reason, source } => {
                Self::Passing { code, reason: reason.clone(), source: source.to_string().into() }
            }
            Self::Outage(source) => Self::Outage(source.to_string().into()),
            Self::Limited(wait) => Self::Limited(*wait),
            Self::Wait(wait) => Self::Wait(*wait),
            Self::Slot(slot) => Self::Slot(*slot),
            Self::Busy { slot, wait } => Self::Busy { slot: *slot, wait: *wait },
            Self::Far(wait) => Self::Far(*wait),
            Self::GoesOn(slice) => Self::GoesOn(slice.clone()),
            Self::Late => Self::Late,
            Self::Disconnected => Self::Disconnected,
            Self::TokenRejected => Self::TokenRejected,
        };
        let mut faults: Vec<Self> = (1..times).map(|_| copy()).collect();
        if times > 0 {
            faults.push(self);
        }
        faults
    }
}

/// What becomes of a resource that something went wrong with.
#[derive(Debug)]
pub(crate) enum Consequence {
    /// Nothing is written and nothing tried again.
    Drop,
    /// Nothing is recorded; the queue tries again.
    TryAgain(JobError),
    /// It is recorded as failed.
    Record {
        /// Stable code.
        code: &'static str,
        /// For people.
        reason: String,
        /// Whether a later run may find it mended.
        retriable: bool,
        /// What the queue is told then: an error puts the message, whose attempts are used up, into the dead-letter queue.
        then: Result<(), JobError>,
    },
}

/// Decides about a fault at the `attempt`-th attempt. [`Fault::Gone`] is a deletion elsewhere and only recorded if it gets here.
///
/// Waits longer than a queue's are not multiplied by a run's messages, of which there may be a quarter of an hour's worth: sent again every
/// quarter of an hour for a day, ten thousand would cost a million sends. They are let go of, unreported. The integration says until
/// when it is blocked, the run sleeps in the due index until then, and hands out anew whatever nobody has reported. A message of no
/// run (`counted` is false) has nobody to hand it out again; those few are sent again.
pub(crate) fn consequence(fault: Fault, attempt: u32, counted: bool) -> Consequence {
    let record = |code, reason: &str, retriable| Consequence::Record {
        code,
        reason: reason.to_owned(),
        retriable,
        then: Ok(()),
    };
    match fault {
        Fault::Far(_) if counted => Consequence::Drop,
        Fault::Limited(wait) | Fault::Wait(wait) | Fault::Far(wait) => {
            Consequence::TryAgain(JobError::retry_after(wait, fault))
        }
        Fault::Slot(slot) => Consequence::TryAgain(JobError::at_slot(slot, fault)),
        Fault::Busy { slot, wait } => {
            Consequence::TryAgain(JobError { slot: Some(slot), ..JobError::retry_after(wait, fault) })
        }
        // Whoever can send the other message has done so; what comes here is begun again.
        Fault::Late | Fault::GoesOn(_) => Consequence::TryAgain(JobError::retry_after(Duration::from_secs(1), fault)),
        Fault::Disconnected => Consequence::Drop,
        Fault::Passing { .. } | Fault::Outage(_) if attempt < ATTEMPTS => Consequence::TryAgain(JobError::retry(fault)),
        Fault::Passing { code, ref reason, .. } => {
            Consequence::Record { code, reason: reason.clone(), retriable: true, then: Err(JobError::retry(fault)) }
        }
        Fault::Outage(_) => Consequence::Record {
            code: "unavailable",
            reason: "The provider did not answer, several times.".to_owned(),
            retriable: true,
            then: Err(JobError::retry(fault)),
        },
        Fault::Final { code, reason, retriable } => record(code, &reason, retriable),
        Fault::Forbidden { code } => record(code, "The provider does not let this account read it.", false),
        Fault::TokenRejected => {
            record("token_rejected", "The provider does not accept the connection, even after it was renewed.", true)
        }
        Fault::Gone => record("not_found", "It is not there any more.", true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::ProviderId;
    use domain::job::Decision;

    fn after(kind: Kind, attempt: u32) -> Consequence {
        consequence(ProviderError::new(ProviderId::GoogleDrive, kind).into(), attempt, true)
    }

    #[test]
    fn what_passes_is_tried_again_and_recorded_at_the_last_attempt() {
        for kind in [Kind::Unavailable, Kind::Malformed("canary".to_owned())] {
            for attempt in 1..ATTEMPTS {
                let Consequence::TryAgain(error) = after(kind.clone(), attempt) else { panic!("recorded too soon") };
                assert_eq!(error.decision, Decision::Retry);
            }
            let Consequence::Record { reason, retriable, then, .. } = after(kind, ATTEMPTS) else {
                panic!("not recorded")
            };
            assert!(retriable && !reason.contains("canary"));
            assert_eq!(then.unwrap_err().decision, Decision::Retry, "so that it reaches the dead-letter queue");
        }
    }

    #[test]
    fn guarantee_16_a_limit_never_spends_an_attempt_and_an_untold_wait_is_a_minute() {
        let check = |told: Option<u64>, wait| {
            let limited = after(Kind::RateLimited { retry_after: told.map(Duration::from_secs) }, ATTEMPTS);
            let Consequence::TryAgain(error) = limited else { panic!("recorded") };
            assert_eq!(error.decision, Decision::RetryAfter(Duration::from_secs(wait)));
        };
        check(Some(9), 9);
        check(Some(6 * 3600), 6 * 3600);
        check(None, 60);
    }

    #[test]
    fn guarantee_16_a_call_that_waits_for_its_slot_takes_it_along() {
        let slot = Timestamp::from_timestamp(100, 0).unwrap();
        let Consequence::TryAgain(error) = consequence(Fault::Slot(slot), ATTEMPTS, true) else { panic!("recorded") };
        assert_eq!((error.decision, error.slot), (Decision::RetryAfter(Duration::ZERO), Some(slot)));
        let wait = Duration::from_secs(2);
        let Consequence::TryAgain(error) = consequence(Fault::Busy { slot, wait }, ATTEMPTS, true) else {
            panic!("recorded")
        };
        assert_eq!((error.decision, error.slot), (Decision::RetryAfter(wait), Some(slot)));
    }

    #[test]
    fn guarantee_16_a_wait_of_hours_is_the_run_s_and_not_that_of_each_of_its_messages() {
        let hours = || Fault::Far(Duration::from_secs(6 * 3600));
        assert!(matches!(consequence(hours(), 1, true), Consequence::Drop));
        let Consequence::TryAgain(error) = consequence(hours(), 1, false) else { panic!("lost") };
        assert_eq!(error.decision, Decision::RetryAfter(Duration::from_secs(6 * 3600)));
    }

    #[test]
    fn a_fault_of_all_is_each_one_s() {
        let faults = Fault::Wait(CLOSED_WAIT).of_all(3);
        assert!(faults.len() == 3 && faults.iter().all(|fault| matches!(fault, Fault::Wait(CLOSED_WAIT))));
        assert!(Fault::Gone.of_all(0).is_empty());
    }

    #[test]
    fn a_wait_spends_no_attempt_and_a_disconnection_writes_nothing() {
        let waits = consequence(Fault::from(OpenError::Unavailable("kms".into())), ATTEMPTS, true);
        assert!(matches!(waits, Consequence::TryAgain(JobError { decision: Decision::RetryAfter(_), .. })));
        assert!(matches!(consequence(Fault::from(OpenError::NotConnected), 1, true), Consequence::Drop));
        assert!(matches!(consequence(Fault::from(OpenError::TokenExpired), 1, true), Consequence::Record { .. }));
    }

    #[test]
    fn a_fact_about_the_resource_is_recorded_at_once() {
        let check = |kind, expected: &str, again| match after(kind, 1) {
            Consequence::Record { code, retriable, then: Ok(()), .. } => {
                assert_eq!((code, retriable), (expected, again));
            }
            other => panic!("{other:?}"),
        };
        check(Kind::TooLarge("files of more than 100 MB are not fetched".to_owned()), "too_large", false);
        check(Kind::Unsupported("a form".to_owned()), "unsupported", false);
        check(Kind::Forbidden("cannot_download"), "cannot_download", false);
        check(Kind::Forbidden(DOWNLOAD_QUOTA), "download_quota_exceeded", true);
        check(Kind::GrantDead("invalid_grant".to_owned()), "reconnect_needed", true);
        check(Kind::TokenRejected, "token_rejected", true);
    }

    #[test]
    fn a_file_that_was_downloaded_too_often_is_not_lost() {
        let fault: Fault = ProviderError::new(ProviderId::GoogleDrive, Kind::Forbidden(DOWNLOAD_QUOTA)).into();
        assert!(matches!(fault, Fault::Final { retriable: true, .. }), "forbidden would delete what was delivered");
    }

    #[test]
    fn guarantee_16_a_sink_that_asks_to_wait_spends_no_attempt_and_one_that_blocks_content_is_final() {
        let of = |error: sink::Error| consequence(error.into(), ATTEMPTS, true);
        let wait = Duration::from_secs(9);
        let Consequence::TryAgain(error) = of(sink::Error::busy(wait)) else { panic!("recorded") };
        assert_eq!(error.decision, Decision::RetryAfter(wait));
        let Consequence::Record { code, reason, retriable, then } =
            of(sink::Error::Blocked("it found us_ssn".to_owned()))
        else {
            panic!("not recorded")
        };
        assert_eq!((code, retriable, then.is_ok()), ("content_blocked", false, true));
        assert_eq!(reason, "The sink's rules about sensitive data do not let it in: it found us_ssn.");
        let down = of(sink::Error::unavailable("reach it", "refused"));
        assert!(matches!(down, Consequence::Record { code: "sink_unavailable", then: Err(_), .. }));
    }

    #[test]
    fn a_limit_of_ours_is_named_to_people() {
        let error = content::Error::TimedOut(Duration::from_secs(20));
        let Consequence::Record { code, reason, .. } = consequence(error.into(), 1, true) else {
            panic!("not recorded")
        };
        assert_eq!((code, reason.as_str()), ("timed_out", "Reading the file took longer than 20 s."));
    }
}
