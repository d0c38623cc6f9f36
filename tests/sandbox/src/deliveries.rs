//! The log of webhooks that the emulated providers sent, with each attempt.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};
use serde::Serialize;

const KEPT: usize = 50_000;

/// One message to one address, possibly tried several times.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    pub seq: u64,
    pub provider: &'static str,
    pub channel_id: String,
    pub message_number: u64,
    pub state: String,
    pub address: String,
    pub account: String,
    pub attempts: Vec<Attempt>,
    /// `sending`, `delivered`, `failed` (an answer that is not tried again) or `exhausted` (tried often enough).
    pub outcome: &'static str,
    /// Status of the last attempt.
    pub status: Option<u16>,
}

/// One attempt: a status, or why there was none.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    pub time: DateTime<Utc>,
    pub status: Option<u16>,
    pub error: Option<String>,
}

/// The log; sequence numbers begin at 1.
#[derive(Debug, Default)]
pub struct Deliveries {
    last_seq: u64,
    entries: VecDeque<Delivery>,
}

impl Deliveries {
    /// Notes a message about to be sent and returns its number.
    pub fn begin(&mut self, mut delivery: Delivery) -> u64 {
        self.last_seq += 1;
        delivery.seq = self.last_seq;
        if self.entries.len() >= KEPT {
            self.entries.pop_front();
        }
        self.entries.push_back(delivery);
        self.last_seq
    }

    /// Notes an attempt of message `seq` and what it means for the message.
    pub fn attempted(&mut self, seq: u64, attempt: Attempt, outcome: &'static str) {
        if let Some(delivery) = self.entries.iter_mut().rev().find(|delivery| delivery.seq == seq) {
            delivery.status = attempt.status;
            delivery.attempts.push(attempt);
            delivery.outcome = outcome;
        }
    }

    /// Messages with a number above `since`.
    pub fn since(&self, since: u64) -> Vec<Delivery> {
        self.entries.iter().filter(|delivery| delivery.seq > since).cloned().collect()
    }

    /// Forgets all messages.
    pub fn clear(&mut self) {
        self.entries.clear();
    }
}
