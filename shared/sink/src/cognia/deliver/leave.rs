//! What is not wanted any more: taken up where it turned up late, let go of, and deleted where nobody else holds it.

use chrono::TimeDelta;
use domain::UserId;
use domain::memory::{Sheet, Submitted};

use super::{AT_ONCE, Delivery, Halt, NOT_YET, TOGETHER, Wanted, unaccounted};
use crate::error::Error;
use crate::together::until_busy;

/// So long is waited for what was submitted and is not wanted any more: should it turn up, it has to be deleted.
const UNWANTED_FOR: TimeDelta = TimeDelta::minutes(2);

impl Delivery<'_> {
    /// Deletes the memories that were let go of, unless somebody else holds them.
    pub(super) async fn see_off(&self, sheet: &mut Sheet) -> Result<(), Halt> {
        if sheet.leaving.is_empty() {
            return Ok(());
        }
        let Some(person) = sheet.acting.clone() else { return Ok(()) };
        let mut calls = Vec::with_capacity(sheet.leaving.len());
        for memory_id in &sheet.leaving {
            calls.push(self.see_one_off(&person, memory_id));
        }
        for result in until_busy(calls, AT_ONCE).await {
            result?;
        }
        sheet.leaving.clear();
        self.write(sheet).await
    }

    async fn see_one_off(&self, person: &UserId, memory_id: &str) -> Result<(), Error> {
        if self.ledger.close(memory_id, self.api.now()).await.map_err(unaccounted)? {
            self.api.delete(person, memory_id).await?;
        }
        Ok(())
    }

    /// What was submitted and is not wanted any more: takes it up if it has turned up, so that it is let go of like everything else.
    pub(super) async fn settle_unwanted(&self, sheet: &mut Sheet, wanted: &Wanted<'_>) -> Result<(), Halt> {
        let unwanted: Vec<(String, Submitted)> = sheet
            .submitted
            .iter()
            .filter(|(part, submitted)| !wanted.has(sheet, part, &submitted.hash))
            .map(|(part, submitted)| (part.clone(), submitted.clone()))
            .collect();
        let (Some(person), false) = (sheet.acting.clone(), unwanted.is_empty()) else { return Ok(()) };
        let (mut found, mut is_pending) = (Vec::new(), false);
        for (part, submitted) in unwanted {
            let known = self.known(&person, &[(&part, &submitted.hash)], Some(&submitted.title)).await?;
            match known.into_values().next() {
                Some(memory_id) => found.push((part, submitted.hash, memory_id)),
                None if self.api.now() - submitted.at < UNWANTED_FOR => is_pending = true,
                None => {
                    sheet.submitted.remove(&part);
                }
            }
        }
        for some in found.chunks(TOGETHER) {
            self.adopt(sheet, &person, some).await?;
        }
        if is_pending {
            return Err(Error::under_way(NOT_YET).into());
        }
        self.write(sheet).await
    }

    /// Lets go of every part that is not wanted as it is, and of the memories that nobody holds then. Before anything new is made: what
    /// resembles a memory that is still there would be taken for it.
    pub(super) async fn let_go(&self, sheet: &mut Sheet, wanted: &Wanted<'_>) -> Result<(), Halt> {
        let unwanted: Vec<String> = sheet
            .held
            .iter()
            .filter(|(part, held)| !wanted.has(sheet, part, &held.hash))
            .map(|(part, _)| part.clone())
            .collect();
        for some in unwanted.chunks(TOGETHER) {
            let lost = sheet.let_go(some.iter().map(String::as_str));
            let released = self.ledger.release(self.integration, self.external_id, sheet, &lost).await;
            self.written(sheet, released.map_err(unaccounted)?)?;
            self.see_off(sheet).await?;
        }
        Ok(())
    }
}
