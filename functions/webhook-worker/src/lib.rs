//! Works on deliveries whose authenticity is established: from what the provider says to the syncs that follow.

pub mod config;
mod heard;
pub mod worker;

pub use config::Config;
pub use worker::WebhookWorker;
