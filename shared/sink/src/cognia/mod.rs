//! Cognia's own content API as a sink, with the defences that it needs. What each is against is written where it is made:
//!
//! | what Cognia does | what is done about it | where |
//! | --- | --- | --- |
//! | takes unknown sources for captures of its extension | `source_type` is always `INTEGRATION` | `wire` |
//! | removes line breaks without a space | a space before each | `text` |
//! | reads the first 1,200 characters | parts by headings, under stable names | `parts` |
//! | queues, and says no name | the name is looked up by a key of ours | `deliver` |
//! | makes one memory of equal texts | holders are counted | `ledger` |
//! | drops an edit that looks like what it has | an edit deletes first, then creates | `deliver` |
//! | remembers what is in its bin as a double | deletions are for good | `api` |
//! | answers 429 under load | few calls at once, and everybody waits | `api`, and the caller's circuit |
//! | refuses sensitive data with 422 | the part is left out, and shown | `deliver` |

mod api;
mod deliver;
mod ledger;
mod parts;
mod text;
mod token;
mod wire;

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;

use crate::client::{Client, SinkUrl};
use crate::error::Error;
use crate::secret::Secret;
use crate::together::until_busy;
use crate::{Deletion, Delivered, Sink, Upsert};
use api::Api;
use deliver::Delivery;

pub use ledger::{Adopted, Ledger};

/// Resources of one batch under way at once; their calls take turns.
const AT_ONCE: usize = 10;

/// Delivers to Cognia, as the person in whose name a resource is kept.
#[derive(Clone)]
pub struct CogniaSink {
    api: Api,
    ledger: Arc<dyn Ledger>,
    slice: Duration,
}

impl CogniaSink {
    /// A sink at Cognia's address `url`. The `secret` signs tokens for persons. One delivery of a long text begins nothing more after a
    /// `slice`; it comes back and goes on.
    #[must_use]
    pub fn new(client: Client, url: SinkUrl, secret: Secret, ledger: Arc<dyn Ledger>, slice: Duration) -> Self {
        Self { api: Api::new(client, url, secret), ledger, slice }
    }

    fn delivery<'a>(
        &'a self,
        integration: &'a domain::message::IntegrationRef,
        external_id: &'a domain::ExternalId,
        until: Instant,
    ) -> Delivery<'a> {
        Delivery { api: &self.api, ledger: self.ledger.as_ref(), integration, external_id, until }
    }
}

#[async_trait]
impl Sink for CogniaSink {
    async fn upsert(&self, batch: Vec<Upsert>) -> Result<Vec<Result<Delivered, Error>>, Error> {
        let until = Instant::now() + self.slice;
        let mut calls = Vec::with_capacity(batch.len());
        for upsert in &batch {
            let delivery = self.delivery(&upsert.integration, &upsert.content.external_id, until);
            calls.push(async move { delivery.bring(upsert).await });
        }
        Ok(until_busy(calls, AT_ONCE).await)
    }

    async fn delete(&self, batch: Vec<Deletion>) -> Result<Vec<Result<(), Error>>, Error> {
        let until = Instant::now() + self.slice;
        let mut calls = Vec::with_capacity(batch.len());
        for deletion in &batch {
            let delivery = self.delivery(&deletion.integration, &deletion.external_id, until);
            calls.push(async move { delivery.remove().await });
        }
        Ok(until_busy(calls, AT_ONCE).await)
    }
}
