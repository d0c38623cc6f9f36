//! The log of requests that the emulated providers received, and how many of each operation.

use std::collections::{BTreeMap, VecDeque};

use chrono::{DateTime, Utc};
use serde::Serialize;

/// Older requests are forgotten beyond this many, so that a long run does not fill the memory.
const KEPT: usize = 200_000;

/// One request; `status` stays empty until it is answered, or for ever when the connection was cut.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Logged {
    pub seq: u64,
    pub time: DateTime<Utc>,
    pub method: String,
    pub path: String,
    pub query: String,
    pub operation: String,
    pub account: Option<String>,
    pub status: Option<u16>,
    /// What the fault or the limiter did to it, if anything.
    pub interference: Option<String>,
    pub duration_ms: Option<u64>,
}

/// The log; sequence numbers begin at 1 and never restart.
#[derive(Debug, Default)]
pub struct RequestLog {
    last_seq: u64,
    entries: VecDeque<Logged>,
    counters: BTreeMap<String, u64>,
}

impl RequestLog {
    /// Notes a request as it arrives and returns its number.
    pub fn begin(&mut self, mut request: Logged) -> u64 {
        self.last_seq += 1;
        request.seq = self.last_seq;
        *self.counters.entry(request.operation.clone()).or_default() += 1;
        if self.entries.len() >= KEPT {
            self.entries.pop_front();
        }
        self.entries.push_back(request);
        self.last_seq
    }

    /// Notes how the request `seq` was answered.
    pub fn end(&mut self, seq: u64, status: Option<u16>, interference: Option<String>, duration_ms: u64) {
        let first = self.entries.front().map_or(0, |entry| entry.seq);
        let position = seq.checked_sub(first).and_then(|offset| usize::try_from(offset).ok());
        if let Some(entry) = position.and_then(|offset| self.entries.get_mut(offset)) {
            entry.status = status;
            entry.interference = interference;
            entry.duration_ms = Some(duration_ms);
        }
    }

    /// All requests with a number above `since`.
    pub fn since(&self, since: u64) -> Vec<Logged> {
        self.entries.iter().filter(|entry| entry.seq > since).cloned().collect()
    }

    /// Requests per operation since the log was last cleared.
    pub fn counters(&self) -> &BTreeMap<String, u64> {
        &self.counters
    }

    /// Forgets all requests and counts.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.counters.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(operation: &str) -> Logged {
        Logged {
            seq: 0,
            time: crate::clock::now(),
            method: "GET".into(),
            path: "/".into(),
            query: String::new(),
            operation: operation.into(),
            account: None,
            status: None,
            interference: None,
            duration_ms: None,
        }
    }

    #[test]
    fn an_answer_is_noted_on_its_own_request_even_after_the_log_was_cleared() {
        let mut log = RequestLog::default();
        let early = log.begin(request("files.list"));
        log.clear();
        let late = log.begin(request("files.get"));
        log.end(early, Some(500), None, 1);
        log.end(late, Some(200), None, 2);
        let seen = log.since(0);
        assert_eq!(seen.len(), 1);
        assert_eq!(seen[0].status, Some(200));
        assert_eq!(log.counters().get("files.get"), Some(&1));
        assert_eq!(log.counters().get("files.list"), None);
    }
}
