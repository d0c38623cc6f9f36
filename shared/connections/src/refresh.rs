//! Refreshes tokens: one call for one expired pair, over all functions.
//!
//! A lease in the integration's row lets one worker through; `ask` is what it does then. The others look at the row again
//! and again for a few seconds, and then give their work back to the queue. Every write of the holder carries its fencing
//! number, so that one that was held up past its lease changes nothing any more.

use std::time::Duration;

use domain::Integration;
use domain::message::IntegrationRef;
use providers::Access;
use store::{GivenBack, Lease};
use tokio::time::{Instant, sleep};
use tracing::Instrument as _;

use crate::Connections;
use crate::error::OpenError;
use crate::open::{still_serves, tokens_of};

/// How long a message that was given back waits on the queue, at most.
const SENT_BACK: Duration = Duration::from_secs(10);

/// The first look at the row comes after this; every later one after twice as long, up to [`LONGEST_LOOK`].
const FIRST_LOOK: Duration = Duration::from_millis(50);
const LONGEST_LOOK: Duration = Duration::from_secs(1);

/// The longest delay that a queue takes.
pub(crate) const LONGEST_DELAY: Duration = Duration::from_secs(900);

/// A lease in hand.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Held {
    /// Its fencing number.
    pub fence: u64,
    /// Since when an earlier holder's request with the same token stands open.
    pub unanswered_since: Option<domain::Timestamp>,
    /// When it was asked for.
    pub since: Instant,
}

/// A refresh that brought no access, and what becomes of the lease.
#[derive(Debug)]
pub(crate) struct Stopped {
    pub error: OpenError,
    /// `None`: the row has moved on, or nobody must have the lease before it runs out.
    pub back: Option<Back>,
}

/// A lease to give back.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Back {
    /// How long nobody should ask the provider.
    pub rest: Duration,
    /// Whether a request was made of which nobody knows the end.
    pub unanswered: bool,
}

impl Stopped {
    /// Before the provider was asked, or after it has answered.
    pub fn answered(error: impl Into<OpenError>, rest: Duration) -> Self {
        Self { error: error.into(), back: Some(Back { rest, unanswered: false }) }
    }
}

impl Connections {
    /// Has the tokens of `row` refreshed, by this worker or another, and opens the new pair. `refused`: the provider does
    /// not take the present access token any more, so that it cannot tide us over.
    pub(crate) async fn refresh(&self, mut row: Integration, refused: bool) -> Result<Access, OpenError> {
        let reference = row.reference();
        // Where the table still fails, the lease below says so, or the old token tides over.
        if let Ok(Some(access)) = self.save_at_last(&row).await {
            return Ok(access);
        }
        let seen = tokens_of(&row)?.version;
        let (began, mut look) = (Instant::now(), FIRST_LOOK);
        loop {
            let (now, since) = (self.clock.now(), Instant::now());
            let lease = match self.store.take_refresh_lease(&reference, seen, now, now + self.timing.lease).await {
                Ok(lease) => lease,
                Err(error) if !refused && still_serves(tokens_of(&row)?, now) => {
                    tracing::warn!(integration.id = %row.id, %error, "no refresh can be announced, the old access token serves on");
                    return self.access(&row, tokens_of(&row)?).await;
                }
                Err(error) => return Err(error.into()),
            };
            let wait = match lease {
                Lease::Taken { fence, unanswered_since } => {
                    return self.hold(row, Held { fence, unanswered_since, since }, refused).await;
                }
                Lease::Gone => return Err(OpenError::NotConnected),
                Lease::Newer => {
                    row = self.read_again(&reference).await?;
                    return self.access(&row, tokens_of(&row)?).await;
                }
                Lease::Held { until } => {
                    let left = (until - now).to_std().unwrap_or_default();
                    (began.elapsed() >= self.timing.waiter_has).then_some(left.min(SENT_BACK))
                }
                // The provider has just failed or asked to wait, and told all of us by this row.
                Lease::Resting { until } => Some((until - now).to_std().unwrap_or_default()),
            };
            let tokens = tokens_of(&row)?;
            if !refused && still_serves(tokens, now) {
                return self.access(&row, tokens).await;
            }
            if let Some(wait) = wait {
                return Err(OpenError::RetryAfter(wait.clamp(Duration::from_secs(1), LONGEST_DELAY)));
            }
            sleep(look.mul_f64(rand::random_range(0.75..1.25))).await;
            look = (look * 2).min(LONGEST_LOOK);
            row = self.read_again(&reference).await?;
            let tokens = tokens_of(&row)?;
            if tokens.version > seen {
                return self.access(&row, tokens).await;
            }
        }
    }

    /// Refreshes in a task of its own. A caller that stops waiting (its time is up, its person has gone) must not stop us
    /// between the provider's answer and our write: only the end of the process does.
    async fn hold(&self, row: Integration, held: Held, refused: bool) -> Result<Access, OpenError> {
        let room = self.clone();
        let task = async move { room.refresh_holding(&row, held, refused).await };
        let done = tokio::spawn(task.in_current_span()).await;
        done.unwrap_or_else(|_| Err(OpenError::Unavailable("the refresh broke off".into())))
    }

    /// Refreshes while holding the lease, and gives it back however it ends.
    async fn refresh_holding(&self, row: &Integration, held: Held, refused: bool) -> Result<Access, OpenError> {
        let Stopped { error, back } = match self.ask_and_keep(row, held).await {
            Ok(access) => return Ok(access),
            Err(stopped) => stopped,
        };
        if let Some(back) = back {
            self.give_back(row, held, back).await;
        }
        let tokens = tokens_of(row)?;
        if error.passes() && !refused && still_serves(tokens, self.clock.now()) {
            tracing::warn!(integration.id = %row.id, provider = %row.provider, %error, "refresh failed, the old access token serves on");
            return self.access(row, tokens).await;
        }
        Err(error)
    }

    async fn give_back(&self, row: &Integration, held: Held, back: Back) {
        let back = GivenBack {
            rest_until: (!back.rest.is_zero()).then(|| self.clock.now() + back.rest),
            // An earlier request that stands open stays open, whatever has become of ours.
            unanswered: back.unanswered || held.unanswered_since.is_some(),
        };
        if let Err(error) = self.store.release_refresh_lease(&row.reference(), held.fence, back).await {
            tracing::warn!(integration.id = %row.id, %error, "the refresh lease was not released and will run out");
        }
    }

    /// The pair that another worker saved after `version`.
    pub(crate) async fn newer_than(&self, reference: &IntegrationRef, version: u64) -> Result<Access, OpenError> {
        let row = self.read_again(reference).await?;
        let tokens = tokens_of(&row)?;
        if tokens.version > version {
            return self.access(&row, tokens).await;
        }
        Err(OpenError::RetryAfter(Duration::from_secs(1)))
    }
}
