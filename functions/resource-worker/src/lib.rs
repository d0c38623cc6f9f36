//! Resources, ten at a time: fetched, read, delivered, recorded, reported to their run.
//!
//! What a resource costs in AWS calls, for a full batch of new resources (the design allows 2.9 each):
//!
//! | call | for ten | each |
//! |---|---|---|
//! | SQS: one send by the sync-worker, one receive and one delete by Lambda | 3 | 0.3 |
//! | DynamoDB: integration, circuit and records, in one read | 1 | 0.1 |
//! | DynamoDB: connections held and let go of; slots come with the messages | 2 | 0.2 |
//! | S3: the object | 10 | 1.0 |
//! | EventBridge: one event for all | 1 | 0.1 |
//! | DynamoDB: the record | 10 | 1.0 |
//! | DynamoDB: the report to the run | 1 | 0.1 |
//! | KMS, Secrets Manager: cached for minutes | 0 | 0.0 |
//! | **together** | **28** | **2.8** |
//!
//! An unchanged resource costs no object and no event. Read `worker` first, then `batch`.

mod batch;
mod calls;
mod config;
mod delivery;
mod failure;
mod fetch;
mod outage;
mod permits;
mod plan;
mod purge;
mod records;
mod report;
mod slices;
mod worker;
mod write;

pub use config::Config;
pub use delivery::SinkChoice;
pub use worker::ResourceWorker;
