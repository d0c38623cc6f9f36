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

mod connections;
mod directory;
mod due;
mod jobs;
mod limits;
mod lost_answers;
mod proxy;
mod queue_sends;
mod records;
mod runs;
mod sample;
mod states;
mod subscriptions;
mod tokens;
mod vault_seals;
