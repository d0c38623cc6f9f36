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

mod audit;
mod batches;
mod circuit;
mod connecting;
mod connections;
mod counters;
mod dead_letters;
mod deliveries;
mod directory;
mod due;
mod envelopes;
mod everybodys_jobs;
mod governor;
mod idempotency;
mod jobs;
mod limits;
mod lost_answers;
mod memories;
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
mod sinks;
mod slices;
mod states;
mod subscriptions;
mod token_endpoint;
mod tokens;
mod vault_seals;
mod webhook_work;
mod webhooks;
mod work;
