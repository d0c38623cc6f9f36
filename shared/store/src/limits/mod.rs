//! Rate limits kept for everyone in one place: one row for each account's limits, whose arithmetic is [`domain::rate::Bucket`].
//!
//! Every change is one conditional write in the usual case: the process remembers the row as it last saw it and writes on condition
//! that nobody has changed it since. If somebody has, the refusal brings the row as it is now, and the change is worked out anew.

mod row;
mod seen;

use std::time::Duration;

use domain::Timestamp;
use domain::rate::{Bucket, Budget, Held, Lane, Reserved};

use crate::Store;
use crate::call::{Ended, Item, text, update};
use crate::error::Error;
use crate::keys;
use crate::retry::back_off;
use row::Row;

pub(crate) use seen::Seen;

/// Tries for a row that others change at the same time. Each try that fails means that somebody else has got through.
const TRIES: u32 = 10;
/// Tries for what must not be given up: that the provider refuses calls.
const MANY_TRIES: u32 = 40;

/// What a change has come to.
struct Change<T> {
    answer: T,
    write: bool,
}

impl Store {
    /// Takes the next free slots of the limit `key`: at least one, at most `units`, none later than `now + horizon`.
    ///
    /// One write; one more for every other who took from it since this process last looked. Whoever keeps meeting others is told
    /// to wait a moment. Should a write's answer be lost for good, its slots are wasted, which breaks no limit.
    ///
    /// # Errors
    /// [`Error`] if the table cannot be read or written.
    pub async fn reserve(
        &self,
        key: &str,
        budget: &Budget,
        lane: Lane,
        units: u32,
        horizon: Duration,
        now: Timestamp,
    ) -> Result<Reserved, Error> {
        let taken = self.change("reserve slots", key, now, TRIES, |bucket| {
            let answer = bucket.reserve(budget, lane, units, horizon, now);
            Change { answer, write: matches!(answer, Reserved::Slots(_)) }
        });
        Ok(taken.await?.unwrap_or_else(|| Reserved::Wait(moment())))
    }

    /// Lends `holder` connections of the limit `key`, at most `want`, until `until` at the latest: what is not given back by then is
    /// free again, so a worker that died keeps nobody out. `want` is also the number of calls that it is about to make.
    ///
    /// Requests as for [`Self::reserve`].
    ///
    /// # Errors
    /// [`Error`] if the table cannot be read or written.
    pub async fn hold(
        &self,
        key: &str,
        budget: &Budget,
        holder: &str,
        want: u32,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<Held, Error> {
        let lent = self.change("lend connections", key, now, TRIES, |bucket| {
            let answer = bucket.hold(budget, holder, want, until, now);
            Change { answer, write: matches!(answer, Held::Some(_)) }
        });
        Ok(lent.await?.unwrap_or_else(|| Held::Wait(moment())))
    }

    /// Takes back what `holder` was lent. Whoever keeps meeting others leaves it to the lease's end. Requests as for [`Self::reserve`].
    ///
    /// # Errors
    /// [`Error`] if the table cannot be read or written; the lease then ends by itself.
    pub async fn let_go(&self, key: &str, holder: &str, now: Timestamp) -> Result<(), Error> {
        let back = self.change("take connections back", key, now, TRIES, |bucket| {
            let write = bucket.let_go(holder, now);
            Change { answer: (), write }
        });
        back.await.map(|_| ())
    }

    /// The provider refuses calls until `until`: blocks the limit `key` for everyone, and slows everyone down afterwards. A longer
    /// block that stands stays. Requests as for [`Self::reserve`].
    ///
    /// # Errors
    /// [`Error`] if the table cannot be read or written.
    pub async fn limited(&self, key: &str, until: Timestamp, now: Timestamp) -> Result<(), Error> {
        let what = "block a rate limit";
        let told = self.change(what, key, now, MANY_TRIES, |bucket| {
            let write = bucket.limited(until, now);
            Change { answer: (), write }
        });
        told.await?.ok_or_else(|| Error::contended(what))
    }

    /// Works `step` out on the row and writes it, until nobody has been in between. `None` if somebody was every time.
    ///
    /// Within the process one change of a row waits for the other, so only other processes are met.
    async fn change<T>(
        &self,
        what: &'static str,
        key: &str,
        now: Timestamp,
        tries: u32,
        mut step: impl FnMut(&mut Bucket) -> Change<T>,
    ) -> Result<Option<T>, Error> {
        let seat = self.limits_seen.seat(key);
        let mut seen = seat.lock().await;
        // Without a row that was seen, none is supposed to be there: if one is, the refused write brings it as a read would.
        let mut fresh = false;
        for tried in 0..tries {
            let before = seen.clone().unwrap_or_default();
            let mut bucket = before.bucket.clone();
            let Change { answer, write } = step(&mut bucket);
            if !write {
                if fresh {
                    return Ok(Some(answer));
                }
                // An answer that writes nothing is proved by nothing: what was seen may be old.
                *seen = Some(self.read_limit(key).await?);
                fresh = true;
                continue;
            }
            match self.write_limit(what, key, &before, bucket, now).await? {
                Ok(written) => {
                    *seen = Some(written);
                    return Ok(Some(answer));
                }
                Err(others) => {
                    *seen = Some(others);
                    fresh = true;
                }
            }
            if tried > 0 {
                back_off(tried.min(3)).await;
            }
        }
        Ok(None)
    }

    /// Takes note of a limit's row that was read along with others, so that the next change is written at the first try.
    pub(crate) fn note_limit(&self, key: &str, item: Item) -> Result<(), Error> {
        self.limits_seen.note(key, Row::read(item)?);
        Ok(())
    }

    async fn read_limit(&self, key: &str) -> Result<Row, Error> {
        let item = self.get("read a rate limit", &self.tables.limits, keys::bucket(key)).await?;
        Row::read(item.unwrap_or_default())
    }

    /// Writes `bucket` in place of `before`: the row as written, or as others have left it.
    async fn write_limit(
        &self,
        what: &'static str,
        key: &str,
        before: &Row,
        bucket: Bucket,
        now: Timestamp,
    ) -> Result<Result<Row, Row>, Error> {
        let row = before.followed_by(bucket);
        let call = row.write(self.client.update_item().table_name(&self.tables.limits), before.version, now)?;
        match update(what, call.set_key(keys::bucket(key).attributes())).await? {
            Ended::Written(_) => Ok(Ok(row)),
            // The answer to our own write was lost, and the SDK has repeated it.
            Ended::Failed(Some(item)) if text(&item, "mark") == Some(row.mark.as_str()) => Ok(Ok(row)),
            Ended::Failed(item) => Ok(Err(Row::read(item.unwrap_or_default())?)),
        }
    }
}

/// A random moment after which those who met will not meet again.
fn moment() -> Duration {
    Duration::from_millis(rand::random_range(100..600))
}
