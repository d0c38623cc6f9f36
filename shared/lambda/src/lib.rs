#![doc = include_str!("../README.md")]

mod aws;
pub mod env;
mod event;
pub mod http;
pub mod sqs;
pub mod telemetry;

pub use aws::aws_config;
/// What clients are made from.
pub use aws_config::SdkConfig as AwsConfig;
pub use event::serve_event;

/// What stops a function: a fault at its start, or of the runtime itself.
pub type Error = lambda_runtime::Error;
