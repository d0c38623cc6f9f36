//! Brings what Cognia holds of a resource to what it should hold, from wherever it stands.
//!
//! Nothing is done at Cognia that the sheet did not announce before, and nothing is struck off the sheet before it is done. So whoever
//! comes after a crash, or after a worker that was slower, finds on the sheet what may be there: parts that are held, parts that were
//! submitted and may turn up, and memories that were let go of and may still be there. Every step is safe to repeat.

mod adopt;
mod create;
mod leave;

use std::time::{Duration, Instant};

use domain::memory::Sheet;
use domain::message::IntegrationRef;
use domain::{ExternalId, UserId};

use super::api::Api;
use super::ledger::Ledger;
use super::parts::{self, Part};
use crate::error::{BoxError, Error};
use crate::{Delivered, DeliveryOutcome, Upsert};

/// Parts taken up or let go of in one transaction; DynamoDB allows a hundred rows.
const TOGETHER: usize = 90;
/// Calls for one resource at once; all resources of a process take turns.
const AT_ONCE: usize = 8;
/// Times that a sheet is looked at anew because another worker has written it, before this one lets them finish.
const TRIES: u32 = 6;
/// When to come back for what has not turned up yet.
const NOT_YET: Duration = Duration::from_secs(5);
/// When to go on with a long text.
const GO_ON: Duration = Duration::from_secs(1);

/// One resource's delivery.
pub(super) struct Delivery<'a> {
    pub api: &'a Api,
    pub ledger: &'a dyn Ledger,
    pub integration: &'a IntegrationRef,
    pub external_id: &'a ExternalId,
    /// Nothing more is begun after this.
    pub until: Instant,
}

/// Why one go ended before its end.
enum Halt {
    /// Another worker has written the sheet.
    Overtaken,
    /// Something went wrong.
    Failed(Error),
}

impl From<Error> for Halt {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

fn unaccounted(error: BoxError) -> Error {
    Error::unavailable("keep account of memories", error)
}

/// What a resource should be at Cognia.
struct Wanted<'a> {
    /// In whose name; `None` where nothing is wanted any more.
    acting: Option<&'a UserId>,
    /// Its parts, in the order of its text.
    parts: Vec<Part>,
    /// Some were left out.
    cut: bool,
    /// What was to be delivered.
    upsert: Option<&'a Upsert>,
}

impl Wanted<'_> {
    fn has(&self, sheet: &Sheet, part: &str, hash: &str) -> bool {
        let is_same_person = sheet.acting.is_none() || sheet.acting.as_ref() == self.acting;
        is_same_person && self.parts.iter().any(|wanted| wanted.id == part && wanted.hash == hash)
    }
}

impl Delivery<'_> {
    /// Brings Cognia to what a resource is now.
    pub async fn bring(&self, upsert: &Upsert) -> Result<Delivered, Error> {
        let (parts, cut) = parts::of(upsert);
        self.reach(Wanted { acting: Some(&upsert.acting), parts, cut, upsert: Some(upsert) }).await
    }

    /// Takes from Cognia what it has of a resource.
    pub async fn remove(&self) -> Result<(), Error> {
        self.reach(Wanted { acting: None, parts: Vec::new(), cut: false, upsert: None }).await.map(|_| ())
    }

    async fn reach(&self, wanted: Wanted<'_>) -> Result<Delivered, Error> {
        for _ in 0..TRIES {
            match self.go(&wanted).await {
                Ok(delivered) => return Ok(delivered),
                Err(Halt::Overtaken) => {}
                Err(Halt::Failed(error)) => return Err(error),
            }
        }
        Err(Error::under_way(GO_ON))
    }

    /// One go, on the sheet as it stands.
    async fn go(&self, wanted: &Wanted<'_>) -> Result<Delivered, Halt> {
        let mut sheet = self.ledger.read(self.integration, self.external_id).await.map_err(unaccounted)?;
        let before = sheet.clone();
        self.go_on(&mut sheet, wanted).await.map_err(|halt| match halt {
            // What stands on the sheet may be at Cognia.
            Halt::Failed(error) if sheet.held != before.held || !sheet.is_settled() => {
                Halt::Failed(error.after_touching())
            }
            halt => halt,
        })
    }

    async fn go_on(&self, sheet: &mut Sheet, wanted: &Wanted<'_>) -> Result<Delivered, Halt> {
        let (began, before) = (sheet.is_empty(), sheet.held.clone());
        self.see_off(sheet).await?;
        self.settle_unwanted(sheet, wanted).await?;
        self.let_go(sheet, wanted).await?;
        let Some((upsert, acting)) = wanted.upsert.zip(wanted.acting) else { return Ok(Delivered::default()) };
        sheet.acting = Some(acting.clone());
        let blocked = self.create(sheet, wanted, upsert, acting).await?;
        self.strip(sheet, wanted, acting).await?;
        if let Some(reason) = blocked {
            return Err(Error::Blocked(reason).into());
        }
        let first = wanted.parts.first().and_then(|part| sheet.held.get(&part.id));
        let outcome = match (began, before == sheet.held) {
            (true, _) => DeliveryOutcome::Created,
            (false, false) => DeliveryOutcome::Updated,
            (false, true) => DeliveryOutcome::Unchanged,
        };
        Ok(Delivered { memory_id: first.map(|held| held.memory_id.clone()), outcome })
    }

    async fn write(&self, sheet: &mut Sheet) -> Result<(), Halt> {
        let written = self.ledger.write(self.integration, self.external_id, sheet).await;
        self.written(sheet, written.map_err(unaccounted)?)
    }

    fn written(&self, sheet: &mut Sheet, written: bool) -> Result<(), Halt> {
        if !written {
            return Err(Halt::Overtaken);
        }
        sheet.version += 1;
        Ok(())
    }
}
