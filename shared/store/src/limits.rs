//! Rate limits kept for everyone in one place, and the webhook deliveries that have been seen.

use std::time::Duration;

use domain::Timestamp;
use domain::rate::{Limit, Verdict};

use crate::Store;
use crate::call::{Ended, Item, moment, ms, n, names, new_mark, number, put, s, text, update, values};
use crate::error::Error;
use crate::keys;

/// How long an idle bucket is kept, and so the longest block that outlasts idleness.
const BUCKET_DAYS: i64 = 8;
/// How long a delivery is remembered; no provider repeats one for longer.
const DELIVERY_DAYS: i64 = 7;
/// Tries for a bucket that others take from at the same time.
const TAKES: u32 = 6;

/// The answer to a request for permits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permit {
    /// All of them were taken.
    Granted,
    /// None was; ask again after this long.
    Wait(Duration),
}

impl Store {
    /// Takes `units` permits from the bucket `key`, all or none.
    ///
    /// One consistent read and one write; one more write for every other who took from it at the same moment. Should a
    /// write's answer be lost, its permits may be counted twice, which wastes them and breaks no limit.
    ///
    /// # Errors
    /// [`Error`] if the table cannot be read or written.
    pub async fn take_permits(&self, key: &str, limit: Limit, units: u32, now: Timestamp) -> Result<Permit, Error> {
        let mut row = self.get("read a rate limit", &self.tables.limits, keys::bucket(key)).await?.unwrap_or_default();
        for _ in 0..TAKES {
            if let Some(wait) = blocked(&row, now) {
                return Ok(Permit::Wait(wait));
            }
            let stored: Option<i64> = number(&row, "tat_ms");
            let tat_ms = match limit.take(stored, now.timestamp_millis(), units) {
                Verdict::Granted { tat_ms } => tat_ms,
                Verdict::Wait(wait) => return Ok(Permit::Wait(wait)),
            };
            let call = self
                .client
                .update_item()
                .table_name(&self.tables.limits)
                .set_key(keys::bucket(key).attributes())
                .update_expression("SET #tat_ms = :tat_ms, #expires_at = :expires_at")
                .set_expression_attribute_names(names(&["tat_ms", "expires_at"]))
                .expression_attribute_values(":tat_ms", n(tat_ms))
                .expression_attribute_values(":expires_at", n(tat_ms / 1000 + BUCKET_DAYS * 86_400));
            let call = match stored {
                Some(stored) => {
                    call.condition_expression("#tat_ms = :stored").expression_attribute_values(":stored", n(stored))
                }
                None => call.condition_expression("attribute_not_exists(#tat_ms)"),
            };
            match update("take from a rate limit", call).await? {
                Ended::Written(_) => return Ok(Permit::Granted),
                Ended::Failed(now_stored) => row = now_stored.unwrap_or_default(),
            }
        }
        // Many take at once: step back for a random moment, so that they do not meet again.
        Ok(Permit::Wait(Duration::from_millis(rand::random_range(20..200))))
    }

    /// Blocks the bucket `key` for everyone until `until`. A longer block that stands stays. One request.
    ///
    /// # Errors
    /// [`Error`] if the table cannot be written.
    pub async fn block(&self, key: &str, until: Timestamp) -> Result<(), Error> {
        let call = self
            .client
            .update_item()
            .table_name(&self.tables.limits)
            .set_key(keys::bucket(key).attributes())
            .update_expression("SET #blocked_until = :until, #expires_at = :expires_at")
            .condition_expression("attribute_not_exists(#blocked_until) OR #blocked_until < :until")
            .set_expression_attribute_names(names(&["blocked_until", "expires_at"]))
            .set_expression_attribute_values(values([
                ("until", ms(until)),
                ("expires_at", n(until.timestamp() + BUCKET_DAYS * 86_400)),
            ]));
        update("block a rate limit", call).await.map(|_| ())
    }

    /// Remembers the delivery `key` for seven days; `true` if it was not remembered yet: of any number of calls exactly one
    /// gets it. When what follows fails, [`Self::forget_delivery`] it, or its repetition will be dropped. One request.
    ///
    /// # Errors
    /// [`Error`] if the table cannot be written.
    pub async fn first_delivery(&self, key: &str, now: Timestamp) -> Result<bool, Error> {
        let mark = new_mark();
        let keys::Key { pk, sk } = keys::delivery(key);
        let call = self
            .client
            .put_item()
            .table_name(&self.tables.limits)
            .item(keys::PK, s(pk))
            .item(keys::SK, s(sk))
            .item("mark", s(&mark))
            .item("expires_at", n(now.timestamp() + DELIVERY_DAYS * 86_400))
            .condition_expression("attribute_not_exists(#pk) OR #expires_at <= :now")
            .set_expression_attribute_names(names(&["pk", "expires_at"]))
            .set_expression_attribute_values(values([("now", n(now.timestamp()))]));
        Ok(match put("remember a delivery", call).await? {
            Ended::Written(_) => true,
            Ended::Failed(old) => old.is_some_and(|row| text(&row, "mark") == Some(mark.as_str())),
        })
    }

    /// Whether the delivery `key` is remembered. One consistent read.
    ///
    /// # Errors
    /// [`Error`] if the table cannot be read.
    pub async fn seen_delivery(&self, key: &str, now: Timestamp) -> Result<bool, Error> {
        let row = self.get("look up a delivery", &self.tables.limits, keys::delivery(key)).await?;
        let expires_at = row.and_then(|row| number::<i64>(&row, "expires_at"));
        Ok(expires_at.is_some_and(|at| at > now.timestamp()))
    }

    /// Forgets a delivery that could not be dealt with, so that its repetition is the first again. One request.
    ///
    /// # Errors
    /// [`Error`] if the table cannot be written.
    pub async fn forget_delivery(&self, key: &str) -> Result<(), Error> {
        let key = keys::delivery(key);
        let call = self.client.delete_item().table_name(&self.tables.limits).set_key(key.attributes());
        call.send().await.map_err(|e| Error::dynamo("forget a delivery", e))?;
        Ok(())
    }
}

/// How long the bucket is still blocked.
fn blocked(row: &Item, now: Timestamp) -> Option<Duration> {
    moment(row, "blocked_until").and_then(|until| (until - now).to_std().ok()).filter(|wait| !wait.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_ends_by_itself() {
        let at = |ms| Timestamp::from_timestamp_millis(ms).unwrap();
        let row = Item::from([("blocked_until".to_owned(), ms(at(1500)))]);
        assert_eq!(blocked(&row, at(1000)), Some(Duration::from_millis(500)));
        assert_eq!(blocked(&row, at(1500)), None);
        assert_eq!(blocked(&Item::new(), at(0)), None);
    }
}
