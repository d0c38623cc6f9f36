//! The sink that a stage has chosen, put together: what it needs of our tables, and what protects it from us and us from it.

mod choice;
mod guard;
mod ledger;

pub use choice::SinkChoice;

pub(crate) use choice::open;
