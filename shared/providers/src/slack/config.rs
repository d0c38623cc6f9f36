//! What of a workspace is synced: the integration's `config`, read and checked.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta};
use domain::{IntegrationConfig, Timestamp};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// Channels that a filter may name.
const MAX_CHANNELS: usize = 200;
/// How far back threads are looked at for late replies, unless the config says otherwise.
const LATE_REPLY_DAYS: u32 = 14;
const MOST_LATE_REPLY_DAYS: u32 = 90;

/// A read `config`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Only these channels; `None` takes every one that the application (or the person) is a member of.
    pub channels: Option<BTreeSet<String>>,
    /// Whether direct messages are synced, of two or of several people. Channels that are named are synced whatever they are.
    pub direct_messages: bool,
    /// Whether channels are synced that are archived.
    pub archived_channels: bool,
    /// Only threads that began at this time or later, and files made then.
    pub since: Option<Timestamp>,
    /// Whether files are synced beside the messages.
    pub files: bool,
    /// Threads this old are looked at by every pull for replies and edits that no event has told of.
    pub late_replies: TimeDelta,
}

impl Config {
    /// Reads a `config`.
    ///
    /// # Errors
    /// A sentence that names the field and what it takes.
    pub fn read(config: &IntegrationConfig) -> Result<Self, String> {
        const FIELDS: [&str; 6] = ["channels", "directMessages", "archivedChannels", "since", "files", "lateReplyDays"];
        if let Some(unknown) = config.0.keys().find(|key| !FIELDS.contains(&key.as_str())) {
            let unknown: String = unknown.chars().take(40).collect();
            return Err(format!("{unknown} is not a setting of Slack; it takes {}.", FIELDS.join(", ")));
        }
        // A null is what forms send for an empty field.
        let field = |name: &str| config.0.get(name).filter(|value| !value.is_null());
        let switch = |name: &str, default: bool| match field(name) {
            None => Ok(default),
            Some(value) => value.as_bool().ok_or_else(|| format!("{name} takes true or false.")),
        };
        Ok(Self {
            channels: field("channels").map(channels).transpose()?.filter(|ids| !ids.is_empty()),
            direct_messages: switch("directMessages", false)?,
            archived_channels: switch("archivedChannels", true)?,
            since: field("since").map(time).transpose()?,
            files: switch("files", true)?,
            late_replies: TimeDelta::days(i64::from(match field("lateReplyDays") {
                None => LATE_REPLY_DAYS,
                Some(value) => value
                    .as_u64()
                    .and_then(|days| u32::try_from(days).ok())
                    .filter(|days| (1..=MOST_LATE_REPLY_DAYS).contains(days))
                    .ok_or_else(|| format!("lateReplyDays takes a whole number from 1 to {MOST_LATE_REPLY_DAYS}."))?,
            })),
        })
    }

    /// Whether an event in this channel may concern us, as far as its id tells: those of direct messages begin with D.
    pub fn takes(&self, channel: &str) -> bool {
        match &self.channels {
            Some(chosen) => chosen.contains(channel),
            None => self.direct_messages || !channel.starts_with('D'),
        }
    }

    /// Whether what was made at this time is in scope.
    pub fn reaches(&self, made: Timestamp) -> bool {
        self.since.is_none_or(|since| made >= since)
    }

    /// Differs where another scope is wanted: a cursor of another scope says nothing of this one.
    pub fn fingerprint(&self) -> String {
        let words = format!(
            "{:?} {} {} {:?} {}",
            self.channels, self.direct_messages, self.archived_channels, self.since, self.files
        );
        let mut hex = hex::encode(Sha256::digest(words));
        hex.truncate(12);
        hex
    }
}

fn channels(value: &Value) -> Result<BTreeSet<String>, String> {
    let wrong = || format!("channels takes a list of at most {MAX_CHANNELS} ids of channels, like C024BE91L.");
    let list = value.as_array().filter(|list| list.len() <= MAX_CHANNELS).ok_or_else(wrong)?;
    list.iter().map(|id| id.as_str().filter(|id| is_channel(id)).map(str::to_owned).ok_or_else(wrong)).collect()
}

fn time(value: &Value) -> Result<Timestamp, String> {
    let wrong = "since takes a date and time like 2026-01-31T00:00:00Z.";
    let text = value.as_str().ok_or(wrong)?;
    DateTime::parse_from_rfc3339(text).map(|time| time.to_utc()).map_err(|_| wrong.to_owned())
}

/// Whether a text has the form of an id that Slack gives. What has not never becomes part of a request or of an id of ours.
pub fn is_id(text: &str) -> bool {
    (2..=32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}

/// Whether a text has the form of a channel's id: public and private ones begin with C, older private ones with G, direct messages with D.
pub fn is_channel(text: &str) -> bool {
    is_id(text) && text.starts_with(['C', 'G', 'D'])
}

/// The JSON Schema of what [`Config::read`] takes.
pub fn schema() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "channels": {
                "title": "Channels",
                "description": "Only these channels. Every one that the app was invited to, if none is named.",
                "type": ["array", "null"],
                "items": {"type": "string", "pattern": "^[CGD][A-Z0-9]{1,31}$"},
                "maxItems": MAX_CHANNELS
            },
            "directMessages": {
                "title": "Direct messages",
                "description": "Direct messages and group messages too.",
                "type": ["boolean", "null"], "default": false
            },
            "archivedChannels": {
                "title": "Archived channels",
                "description": "Channels that are archived too.",
                "type": ["boolean", "null"], "default": true
            },
            "since": {
                "title": "Since",
                "description": "Only threads that began at this time or later, and files made then.",
                "type": ["string", "null"], "format": "date-time"
            },
            "files": {
                "title": "Files",
                "description": "Files that are shared in the channels too.",
                "type": ["boolean", "null"], "default": true
            },
            "lateReplyDays": {
                "title": "Late replies",
                "description": "Every pull looks for new replies in threads that began up to this many days ago.",
                "type": ["integer", "null"], "minimum": 1, "maximum": MOST_LATE_REPLY_DAYS, "default": LATE_REPLY_DAYS
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Config, String> {
        Config::read(&serde_json::from_str(text).unwrap())
    }

    #[test]
    fn an_empty_config_takes_every_channel_and_no_direct_messages() {
        let config = read("{}").unwrap();
        assert!(config.takes("C1") && config.takes("G1") && !config.takes("D1"));
        assert!(config.files && config.archived_channels && config.reaches(DateTime::UNIX_EPOCH));
        assert_eq!(read(r#"{"channels":[],"since":null,"files":null,"lateReplyDays":null}"#).unwrap(), config);
    }

    #[test]
    fn a_wrong_field_is_named_and_the_schema_agrees() {
        let schema = jsonschema::validator_for(&schema()).unwrap();
        let check = |text: &str, names: &str| {
            let error = read(text).unwrap_err();
            assert!(error.starts_with(names) && error.ends_with('.'), "{text}: {error}");
            let agrees = !schema.is_valid(&serde_json::from_str(text).unwrap()) || names == "since";
            assert!(agrees, "{text} passes the schema");
        };
        check(r#"{"channels":"C1"}"#, "channels");
        check(r#"{"channels":["general"]}"#, "channels");
        check(r#"{"channels":["C1&x=2"]}"#, "channels");
        check(r#"{"channels":["U024BE7LH"]}"#, "channels");
        check(r#"{"directMessages":"yes"}"#, "directMessages");
        check(r#"{"archivedChannels":1}"#, "archivedChannels");
        check(r#"{"files":[]}"#, "files");
        check(r#"{"since":"yesterday"}"#, "since");
        check(r#"{"lateReplyDays":0}"#, "lateReplyDays");
        check(r#"{"lateReplyDays":91}"#, "lateReplyDays");
        check(r#"{"lateReplyDays":1.5}"#, "lateReplyDays");
        check(r#"{"channel":"C1"}"#, "channel is not");
        let whole = r#"{"channels":["C1"],"directMessages":true,"archivedChannels":false,"since":"2026-01-31T00:00:00Z",
            "files":false,"lateReplyDays":30}"#;
        assert!(schema.is_valid(&serde_json::from_str(whole).unwrap()) && read(whole).is_ok());
    }

    #[test]
    fn chosen_channels_are_taken_and_no_others() {
        let config = read(r#"{"channels":["C1","D1"]}"#).unwrap();
        assert!(config.takes("C1") && config.takes("D1") && !config.takes("C2"));
    }

    #[test]
    fn another_scope_has_another_fingerprint_and_another_window_has_not() {
        let print = |text| read(text).unwrap().fingerprint();
        assert_eq!(print("{}"), print(r#"{"lateReplyDays":30}"#));
        for other in [r#"{"channels":["C1"]}"#, r#"{"files":false}"#, r#"{"since":"2026-01-31T00:00:00Z"}"#] {
            assert_ne!(print("{}"), print(other), "{other}");
        }
    }
}
