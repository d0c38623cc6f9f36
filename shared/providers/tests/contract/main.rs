//! What every provider must do, checked for each of them in the same words against the sandbox: the real binary, over HTTP.
//!
//! A case knows no provider. What differs is in a fixture of some sixty lines (`fixtures/`): what the sandbox calls the provider, how it is
//! registered there, which changes a pull finds and which only a webhook tells. A new provider is a fixture, and no line here.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "what is missing fails the test"
)]

mod cases;
mod deliveries;
mod fixtures;
mod listing;
mod provider;
mod sandbox;

use std::panic::AssertUnwindSafe;

use domain::ProviderId;
use futures::FutureExt as _;

use fixtures::Fixture;

/// Runs a case for every provider, one after the other, each with a sandbox of its own; says of all that fail which they are.
async fn for_each(case: impl AsyncFn(&'static Fixture)) {
    let mut failed = Vec::new();
    for id in ProviderId::ALL {
        let run = AssertUnwindSafe(case(fixtures::of(*id))).catch_unwind();
        if run.await.is_err() {
            failed.push(id.to_string());
        }
    }
    assert!(failed.is_empty(), "it does not hold for {}; what went wrong is said above", failed.join(", "));
}
