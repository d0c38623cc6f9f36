//! Looks every minute at what is due: integrations to sync, runs to look after, webhook subscriptions to renew.

pub mod config;
pub mod round;

pub use config::Config;
pub use round::{Scheduler, Tally};
