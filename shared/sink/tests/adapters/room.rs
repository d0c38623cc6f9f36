//! A Cognia, the account of what it holds, and the sink before it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use domain::clock::{Clock as _, SharedClock};
use domain::testing::ManualClock;
use domain::{SystemClock, UserId};
use sink::{Client, CogniaSink, Delivered, Error, Sink as _, Upsert};
use testkit::sinks::Cognia;
use testkit::sinks::cognia::Memory;

use crate::ledger::Account;
use crate::sample::{PERSON, deletion, secret};

const SHARED: &str = "a-secret-of-at-least-thirty-two-bytes";
/// How long the tests' Cognia queues, where it does.
pub const QUEUE: Duration = Duration::from_millis(40);

pub struct Room {
    pub cognia: Cognia,
    pub account: Arc<Account>,
    pub clock: ManualClock,
    pub sink: CogniaSink,
}

impl Room {
    pub async fn new(queue: Option<Duration>) -> Result<Self> {
        let cognia = Cognia::start(SHARED, queue).await?;
        let (account, clock) = (Arc::new(Account::default()), ManualClock::at(SystemClock.now()));
        let shared: SharedClock = Arc::new(clock.clone());
        let client = Client::new(shared, Duration::from_secs(5));
        let json = format!(r#"{{"jwtSecret":"{SHARED}"}}"#);
        let sink =
            CogniaSink::new(client, cognia.url().parse()?, secret(&json), account.clone(), Duration::from_secs(20));
        Ok(Self { cognia, account, clock, sink })
    }

    /// One delivery.
    pub async fn bring(&self, upsert: &Upsert) -> Result<Delivered, Error> {
        self.sink.upsert(vec![upsert.clone()]).await?.pop().unwrap()
    }

    /// A delivery as the queue makes it: it comes again as long as it is told to wait, or something fails that passes.
    pub async fn deliver(&self, upsert: &Upsert) -> Result<Delivered, Error> {
        self.again(async || self.bring(upsert).await).await
    }

    /// A deletion, in the same way.
    pub async fn delete(&self, id: &str) -> Result<(), Error> {
        self.again(async || self.sink.delete(vec![deletion(id)]).await?.pop().unwrap()).await
    }

    async fn again<T>(&self, call: impl AsyncFn() -> Result<T, Error>) -> Result<T, Error> {
        let mut tries = 0;
        loop {
            match call().await {
                Err(error) if error.is_retriable() && tries < 60 => {
                    tries += 1;
                    // What is queued turns up by the server's clock, what is waited for by ours.
                    tokio::time::sleep(QUEUE / 2).await;
                    self.clock.advance(chrono::TimeDelta::seconds(6));
                }
                result => return result,
            }
        }
    }

    pub fn memories(&self) -> Vec<Memory> {
        self.cognia.memories(PERSON)
    }

    /// Every word that can be found.
    pub fn findable(&self) -> BTreeSet<String> {
        self.memories().iter().flat_map(|memory| words(&memory.lead)).collect()
    }

    /// What is held by the account is what is there, and nothing else is there.
    pub fn assert_settled(&self) {
        let there: BTreeSet<String> = self.memories().into_iter().map(|memory| memory.id).collect();
        let held: BTreeSet<String> = self.account.holders().into_keys().collect();
        assert_eq!(there, held);
    }
}

pub fn words(text: &str) -> BTreeSet<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

pub fn person(id: &str) -> UserId {
    UserId::new(id).unwrap()
}
