//! The adapters against real HTTP servers that behave as their receivers do, faults included.
#![expect(clippy::unwrap_used, reason = "what tests share fails by panicking")]

mod cognia;
mod crashes;
mod http;
mod ledger;
mod room;
mod sample;
mod shared;
