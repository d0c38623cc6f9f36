//! What is missing: written down, submitted, waited for, and stripped of its text where only a reference is to be kept.

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use domain::UserId;
use domain::memory::{Sheet, Submitted};

use super::super::api::Submission;
use super::super::parts::Part;
use super::super::wire::Content;
use super::{AT_ONCE, Delivery, GO_ON, Halt, NOT_YET, TOGETHER, Wanted};
use crate::Upsert;
use crate::error::Error;
use crate::together::until_busy;

/// Pauses before each look for what was queued; Cognia mostly works a queued text off within a second.
const LOOKS: [Duration; 4] =
    [Duration::from_millis(150), Duration::from_millis(350), Duration::from_millis(700), Duration::from_millis(1300)];
/// After so long what was queued is submitted again: Cognia drops what it takes for the double of something in its queue.
const AGAIN_AFTER: TimeDelta = TimeDelta::seconds(30);
/// After so long what was submitted and never turned up is a failure.
const LOST_AFTER: TimeDelta = TimeDelta::minutes(15);

impl Delivery<'_> {
    /// Makes the parts that are missing; why some were not let in, if some were not.
    pub(super) async fn create(
        &self,
        sheet: &mut Sheet,
        wanted: &Wanted<'_>,
        upsert: &Upsert,
        acting: &UserId,
    ) -> Result<Option<String>, Halt> {
        let missing: Vec<(usize, &Part)> =
            wanted.parts.iter().enumerate().filter(|(_, part)| !sheet.held.contains_key(&part.id)).collect();
        let mut blocked = Vec::new();
        for some in missing.chunks(TOGETHER) {
            if Instant::now() >= self.until {
                return Err(Error::under_way(GO_ON).into());
            }
            // What was submitted by an earlier go may be there by now.
            let earlier: Vec<&Part> =
                some.iter().map(|(_, part)| *part).filter(|part| sheet.submitted.contains_key(&part.id)).collect();
            if !earlier.is_empty() {
                self.take_up(sheet, acting, &earlier).await?;
            }
            let due = self.announce(sheet, some).await?;
            blocked.extend(self.submit(sheet, wanted, upsert, acting, &due).await?);
            self.await_queued(sheet, acting, some).await?;
        }
        Ok(blocked.first().map(|reason| format!("{reason} in {} of {} parts", blocked.len(), wanted.parts.len())))
    }

    /// Writes down which of these parts are about to be submitted: those that are not there and were not submitted just now.
    async fn announce<'p>(
        &self,
        sheet: &mut Sheet,
        some: &[(usize, &'p Part)],
    ) -> Result<Vec<(usize, &'p Part)>, Halt> {
        let now = self.api.now();
        let is_due = |part: &Part| sheet.submitted.get(&part.id).is_none_or(|before| now - before.at >= AGAIN_AFTER);
        let due: Vec<(usize, &Part)> =
            some.iter().copied().filter(|(_, part)| !sheet.held.contains_key(&part.id) && is_due(part)).collect();
        for (_, part) in &due {
            let since = sheet.submitted.get(&part.id).map_or(now, |before| before.since);
            if now - since >= LOST_AFTER {
                // The next attempt begins anew.
                sheet.submitted.remove(&part.id);
                self.write(sheet).await?;
                return Err(Error::unavailable("find what it has accepted", "it never turned up").into());
            }
            let submitted = Submitted { hash: part.hash.clone(), title: part.title.clone(), since, at: now };
            sheet.submitted.insert(part.id.clone(), submitted);
        }
        if !due.is_empty() {
            self.write(sheet).await?;
        }
        Ok(due)
    }

    /// Submits parts and takes up those that are named at once; why each of the others was not let in.
    async fn submit(
        &self,
        sheet: &mut Sheet,
        wanted: &Wanted<'_>,
        upsert: &Upsert,
        acting: &UserId,
        due: &[(usize, &Part)],
    ) -> Result<Vec<String>, Halt> {
        let mut calls = Vec::with_capacity(due.len());
        for (place, part) in due {
            let content = Content::of(upsert, part, *place, wanted.cut);
            calls.push(async move { self.api.submit(acting, &content).await });
        }
        let results = until_busy(calls, AT_ONCE).await;
        let (mut made, mut blocked, mut trouble, mut is_struck) = (Vec::new(), Vec::new(), None, false);
        for ((_, part), result) in due.iter().zip(results) {
            match result {
                Ok(Submission::Memory(id)) => made.push((part.id.clone(), part.hash.clone(), id)),
                Ok(Submission::Queued) => {}
                Err(error) => {
                    // Whether a call that failed on the way was taken is not known; every other was not.
                    if !matches!(error, Error::Unavailable { .. }) {
                        is_struck |= sheet.submitted.remove(&part.id).is_some();
                    }
                    match error {
                        Error::Blocked(reason) => blocked.push(reason),
                        error => trouble = trouble.or(Some(error)),
                    }
                }
            }
        }
        match (made.is_empty(), is_struck) {
            (true, true) => self.write(sheet).await?,
            _ => self.adopt(sheet, acting, &made).await?,
        }
        match trouble {
            Some(trouble) => Err(trouble.into()),
            None => Ok(blocked),
        }
    }

    /// Waits a little for what is queued to turn up.
    async fn await_queued(&self, sheet: &mut Sheet, acting: &UserId, some: &[(usize, &Part)]) -> Result<(), Halt> {
        for pause in LOOKS {
            let queued: Vec<&Part> =
                some.iter().map(|(_, part)| *part).filter(|part| sheet.submitted.contains_key(&part.id)).collect();
            if queued.is_empty() {
                return Ok(());
            }
            if Instant::now() >= self.until {
                break;
            }
            tokio::time::sleep(pause).await;
            self.take_up(sheet, acting, &queued).await?;
        }
        let is_pending = some.iter().any(|(_, part)| sheet.submitted.contains_key(&part.id));
        if is_pending { Err(Error::under_way(NOT_YET).into()) } else { Ok(()) }
    }

    /// Takes the texts away again where only references are to be kept: Cognia has read them once.
    pub(super) async fn strip(&self, sheet: &mut Sheet, wanted: &Wanted<'_>, acting: &UserId) -> Result<(), Halt> {
        let whole: Vec<(&Part, String)> = wanted
            .parts
            .iter()
            .filter(|part| part.reference.is_some())
            .filter_map(|part| Some((part, sheet.held.get(&part.id).filter(|held| !held.is_bare)?.memory_id.clone())))
            .collect();
        for some in whole.chunks(TOGETHER) {
            let mut calls = Vec::with_capacity(some.len());
            for (part, memory_id) in some {
                calls.push(self.api.strip(acting, memory_id, part.reference.as_deref().unwrap_or_default()));
            }
            for result in until_busy(calls, AT_ONCE).await {
                result?;
            }
            for (part, _) in some {
                if let Some(held) = sheet.held.get_mut(&part.id) {
                    held.is_bare = true;
                }
            }
            self.write(sheet).await?;
        }
        Ok(())
    }
}
