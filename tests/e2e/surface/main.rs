//! Every route of the API, one by one: what is refused, to whom and with which words; that nothing of it leaves a trace; that no
//! route shows one owner's things to another; that a request under an `Idempotency-Key` is done once; what browsers may do.
//!
//! The routes come from the document that the API serves, so that a new one is tested before anybody thinks of it. These run
//! alone: one of them switches a provider off.

#![expect(clippy::indexing_slicing, reason = "a field that is missing fails the test, as it should")]

mod browsers;
mod cast;
mod once;
mod plans;
mod refusals;
mod routes;
mod strangers;
#[expect(dead_code, reason = "the journeys use the rest")]
#[path = "../journeys/world.rs"]
mod world;
