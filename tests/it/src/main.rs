//! The rooms that speak to AWS, each by itself, against the emulator: what only a real table, queue or key can show.
//!
//! Each test has tables, queues and keys of its own, so all of them run at once.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test, and what tests share, fails by panicking"
)]

mod batches;
mod circuit;
mod connections;
mod dead_letters;
mod deliveries;
mod directory;
mod due;
mod envelopes;
mod governor;
mod jobs;
mod limits;
mod lost_answers;
mod moto;
mod orders;
mod outages;
mod proxy;
mod queue_sends;
mod recorded;
mod records;
mod refresh_crashes;
mod refreshing;
mod runs;
mod sample;
mod schedule;
mod states;
mod subscriptions;
mod token_endpoint;
mod tokens;
mod vault_seals;
mod webhook_work;
mod webhooks;
mod work;
