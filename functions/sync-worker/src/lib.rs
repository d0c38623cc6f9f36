//! Runs of a sync: lists what an account holds or what changed there, hands out what is new, works out what is gone, and ends
//! the run once every resource worker has reported. What a resource says is never looked at here.
//!
//! A run is worked on by one worker at a time, in turns: it takes the job up under a lease, writes a checkpoint after every
//! page, and sends itself the message again before its time is up. Read `worker` first.

mod compare;
mod config;
mod count;
mod failure;
mod finish;
mod hand_out;
mod listing;
mod pages;
mod purge;
mod run;
mod subscribe;
mod sweep;
mod tally;
mod worker;

pub use config::Config;
pub use worker::{SyncWorker, Turn};
