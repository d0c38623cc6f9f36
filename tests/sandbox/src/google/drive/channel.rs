//! Push channels as the sandbox keeps them.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::google::feed::FeedKey;

/// What a channel listens to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Subject {
    Changes(FeedKey),
    File(String),
}

/// A channel that somebody opened.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Channel {
    pub id: String,
    pub resource_id: String,
    /// Shown in every message, with Google's public address.
    pub resource_uri: String,
    pub address: String,
    pub token: Option<String>,
    pub subject: Subject,
    pub account: String,
    pub client: String,
    pub created: DateTime<Utc>,
    pub expires: DateTime<Utc>,
    /// Number of the last message: grows, with gaps.
    pub last_message: u64,
    /// For a file's channel: the version that the last message told of, and whether the file was in the trash then.
    pub told: (u64, bool),
}
