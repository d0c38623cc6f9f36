//! A limit's row.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::Timestamp;
use domain::rate::{Bucket, Hold, Pace};

use crate::call::{Item, moment, ms, n, names, new_mark, number, or_null, s, values};
use crate::error::Error;

/// How long an idle row is kept after all its lines are past.
const KEPT_DAYS: i64 = 2;
const WHAT: &str = "a rate limit";

/// A limit as it was seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Row {
    /// Grows by one with every write; 0 while there is none.
    pub version: u64,
    /// A random mark of whoever wrote it, which tells a repeated write from another's.
    pub mark: String,
    /// What it says.
    pub bucket: Bucket,
}

impl Row {
    /// The row that a write makes of this one.
    pub fn followed_by(&self, bucket: Bucket) -> Self {
        Self { version: self.version + 1, mark: new_mark(), bucket }
    }

    /// Reads a row; one that is not there is an untouched limit. Attributes that a newer version wrote are passed over.
    pub fn read(row: Item) -> Result<Self, Error> {
        let line = |name| number(&row, name).unwrap_or_default();
        let pace = number(&row, "pace").zip(moment(&row, "pace_since"));
        let bucket = Bucket {
            minute_us: line("minute_us"),
            day_us: line("day_us"),
            live_us: line("live_us"),
            slowed_us: line("slowed_us"),
            blocked_until: moment(&row, "blocked_until"),
            pace: pace.map(|(percent, since)| Pace { percent, since }),
            holders: holders(&row).ok_or(Error::Corrupt { what: WHAT })?,
        };
        let mark = row.get("mark").and_then(|mark| mark.as_s().ok()).cloned().unwrap_or_default();
        Ok(Self { version: number(&row, "version").unwrap_or_default(), mark, bucket })
    }

    /// The write that puts this row in the place of the one with the version `before`.
    pub fn write(
        &self,
        call: UpdateItemFluentBuilder,
        before: u64,
        now: Timestamp,
    ) -> Result<UpdateItemFluentBuilder, Error> {
        let Bucket { minute_us, day_us, live_us, slowed_us, blocked_until, pace, holders } = &self.bucket;
        let blocked_s = blocked_until.map_or(0, |until| until.timestamp());
        let last_s = (minute_us.max(day_us) / 1_000_000).max(blocked_s).max(now.timestamp());
        let holders = holders.iter().map(|(holder, hold)| {
            let hold = HashMap::from([("count".to_owned(), n(hold.count)), ("until".to_owned(), ms(hold.until))]);
            (holder.clone(), AttributeValue::M(hold))
        });
        let call = call
            .update_expression(
                "SET #version = :version, #mark = :mark, #minute_us = :minute_us, #day_us = :day_us, #live_us = :live_us, \
                 #slowed_us = :slowed_us, #blocked_until = :blocked_until, #pace = :pace, #pace_since = :pace_since, \
                 #holders = :holders, #expires_at = :expires_at",
            )
            .set_expression_attribute_names(names(&[
                "version",
                "mark",
                "minute_us",
                "day_us",
                "live_us",
                "slowed_us",
                "blocked_until",
                "pace",
                "pace_since",
                "holders",
                "expires_at",
            ]))
            .set_expression_attribute_values(values([
                ("version", n(self.version)),
                ("mark", s(&self.mark)),
                ("minute_us", n(minute_us)),
                ("day_us", n(day_us)),
                ("live_us", n(live_us)),
                ("slowed_us", n(slowed_us)),
                ("blocked_until", or_null(blocked_until.map(ms))),
                ("pace", or_null(pace.map(|pace| n(pace.percent)))),
                ("pace_since", or_null(pace.map(|pace| ms(pace.since)))),
                ("holders", AttributeValue::M(holders.collect())),
                ("expires_at", n(last_s.saturating_add(KEPT_DAYS * 86_400))),
            ]));
        Ok(match before {
            // A row of the form before this one has no version. Its block is not overlooked: a write that has not seen it is refused.
            0 => call
                .condition_expression(
                    "attribute_not_exists(#version) AND (attribute_not_exists(#blocked_until) OR \
                     #blocked_until <= :blocked_until OR #blocked_until <= :now)",
                )
                .expression_attribute_values(":now", ms(now)),
            before => call.condition_expression("#version = :before").expression_attribute_values(":before", n(before)),
        })
    }
}

fn holders(row: &Item) -> Option<BTreeMap<String, Hold>> {
    let Some(AttributeValue::M(holders)) = row.get("holders") else { return Some(BTreeMap::new()) };
    let read = |(holder, hold): (&String, &AttributeValue)| {
        let hold = hold.as_m().ok()?;
        Some((holder.clone(), Hold { count: number(hold, "count")?, until: moment(hold, "until")? }))
    };
    holders.iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_timestamp_millis(ms).unwrap()
    }

    #[test]
    fn a_row_that_is_not_there_is_an_untouched_limit() {
        assert_eq!(Row::read(Item::new()).unwrap(), Row::default());
    }

    #[test]
    fn holders_read_back_and_a_torn_one_is_noticed() {
        let hold = HashMap::from([("count".to_owned(), n(3)), ("until".to_owned(), ms(at(1500)))]);
        let torn = HashMap::from([("count".to_owned(), n(3))]);
        let row = |hold| {
            Item::from([("holders".to_owned(), AttributeValue::M([("w".to_owned(), AttributeValue::M(hold))].into()))])
        };
        let read = Row::read(row(hold)).unwrap();
        assert_eq!(read.bucket.holders["w"], Hold { count: 3, until: at(1500) });
        assert!(matches!(Row::read(row(torn)), Err(Error::Corrupt { .. })));
    }

    #[test]
    fn every_write_has_a_version_and_a_mark_of_its_own() {
        let first = Row::default().followed_by(Bucket::default());
        let second = first.followed_by(Bucket::default());
        assert_eq!((first.version, second.version), (1, 2));
        assert_ne!(first.mark, second.mark);
    }
}
