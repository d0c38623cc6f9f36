//! Journeys through a deployed stack, by HTTP, as a browser makes them: the API, the functions behind it, the emulator with its
//! permissions enforced, and the emulated provider. Each journey has a person and a Google account of its own, so all run at once.

#![expect(clippy::indexing_slicing, reason = "a field that is missing fails the journey, as it should")]

mod admin;
mod bad_input;
mod cancelling;
mod changes;
mod configuration;
mod connect;
mod dead_letters;
mod faults;
mod listings;
mod many;
mod organizations;
mod providers;
mod rules;
mod schedule;
mod states;
mod tokens;
mod webhooks;
mod world;
