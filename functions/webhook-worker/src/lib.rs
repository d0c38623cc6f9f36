//! Works on deliveries whose authenticity is established: from what the provider says to the resources that are looked at and
//! the syncs that follow.

mod asked;
pub mod config;
mod heard;
pub mod worker;

pub use config::Config;
pub use worker::WebhookWorker;
