//! Where a listing stands, as texts that only this folder reads. They are versioned: an unknown version counts as expired, and the
//! listing begins anew.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::client::error;
use super::config::Config;
use super::ts::Ts;
use crate::error::{Kind, ProviderError};

const VERSION: u8 = 1;
/// Channels that one integration may sync. Their ids travel in the page cursor, which a job's row must hold (DynamoDB: 400 KB).
pub const MAX_CHANNELS: usize = 15_000;
/// Bytes of a channel's hash: that two of ten thousand share one is once in a million.
const HASH_BYTES: usize = 5;

/// Which channels a listing covered: a hash of each, so that ten thousand of them take 67 KB.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Channels(BTreeSet<[u8; HASH_BYTES]>);

impl Channels {
    /// Of these ids.
    pub fn of<'i>(ids: impl IntoIterator<Item = &'i str>) -> Self {
        Self(ids.into_iter().map(hash).collect())
    }

    /// Whether this one is among them.
    pub fn contains(&self, id: &str) -> bool {
        self.0.contains(&hash(id))
    }

    /// Whether all of them are among `others`.
    pub fn are_within(&self, others: &Self) -> bool {
        self.0.is_subset(&others.0)
    }
}

fn hash(id: &str) -> [u8; HASH_BYTES] {
    let mut hash = [0; HASH_BYTES];
    hash.iter_mut().zip(Sha256::digest(id)).for_each(|(to, from)| *to = from);
    hash
}

impl From<Channels> for String {
    fn from(channels: Channels) -> Self {
        STANDARD_NO_PAD.encode(channels.0.into_iter().flatten().collect::<Vec<u8>>())
    }
}

impl TryFrom<String> for Channels {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let bytes = STANDARD_NO_PAD.decode(text).map_err(|_| "no base64")?;
        let (hashes, rest) = bytes.as_chunks::<HASH_BYTES>();
        if rest.is_empty() { Ok(Self(hashes.iter().copied().collect())) } else { Err("cut short") }
    }
}

/// Where the next listing of changes begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeCursor {
    v: u8,
    /// Of the config that it belongs to.
    scope: String,
    /// When the listing before began.
    pub mark: Ts,
    /// What that listing covered.
    pub channels: Channels,
}

impl ChangeCursor {
    /// A cursor after a listing of this scope that began at `mark`.
    pub fn new(config: &Config, mark: Ts, channels: Channels) -> Self {
        Self { v: VERSION, scope: config.fingerprint(), mark, channels }
    }

    /// Reads a cursor back.
    ///
    /// # Errors
    /// [`Kind::CursorExpired`] for anything that is none of this version or of another scope.
    pub fn read(text: &str, config: &Config) -> Result<Self, ProviderError> {
        let cursor = serde_json::from_str(text).ok();
        let fits = |cursor: &Self| cursor.v == VERSION && cursor.scope == config.fingerprint();
        cursor.filter(fits).ok_or(error(Kind::CursorExpired))
    }

    /// The cursor as text.
    pub fn write(&self) -> Result<String, ProviderError> {
        write(self)
    }
}

/// Where a listing goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListingPage {
    v: u8,
    /// When it began; the next listing of changes begins there.
    pub began: Ts,
    /// The channels to read, parted by commas.
    channels: String,
    /// How many pages of messages have been read of the channels before the present one.
    pub pages: u32,
    /// What is done next.
    pub step: Step,
}

/// What a listing does next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Step {
    /// Find out which channels there are.
    Channels {
        /// Where the list of them goes on.
        cursor: Option<String>,
    },
    /// Read a channel's messages.
    Messages {
        /// The place of the channel among all.
        at: usize,
        /// Where its history goes on.
        cursor: Option<String>,
        /// The oldest message read so far: from there it can be read on without a cursor.
        reached: Option<Ts>,
        /// How many pages of this channel have been read.
        pages: u32,
    },
    /// Read the list of files.
    Files {
        /// Made at this second or before.
        to: i64,
        /// The page of those.
        page: u32,
    },
    /// Nothing.
    End,
}

impl ListingPage {
    /// The beginning of a listing at this moment.
    pub const fn first(began: Ts) -> Self {
        Self { v: VERSION, began, channels: String::new(), pages: 0, step: Step::Channels { cursor: None } }
    }

    /// Reads a page cursor back. One that cannot be read ends the listing, which begins anew.
    pub fn read(text: &str) -> Result<Self, ProviderError> {
        serde_json::from_str(text).ok().filter(|page: &Self| page.v == VERSION).ok_or(error(Kind::PageExpired))
    }

    /// The channels found so far.
    pub fn channels(&self) -> impl Iterator<Item = &str> {
        self.channels.split(',').filter(|id| !id.is_empty())
    }

    /// Adds channels that are not among them yet.
    ///
    /// # Errors
    /// [`Kind::Rejected`] beyond [`MAX_CHANNELS`], with a sentence for people.
    pub fn add<'i>(&mut self, ids: impl IntoIterator<Item = &'i str>) -> Result<(), ProviderError> {
        let mut known: BTreeSet<String> = self.channels().map(str::to_owned).collect();
        for id in ids {
            if known.insert(id.to_owned()) {
                if !self.channels.is_empty() {
                    self.channels.push(',');
                }
                self.channels.push_str(id);
            }
        }
        if known.len() > MAX_CHANNELS {
            let words = format!("there are more than {MAX_CHANNELS} channels; choose some of them");
            return Err(error(Kind::Rejected(words)));
        }
        Ok(())
    }

    /// The page cursor as text; `None` at the end.
    pub fn write(&self) -> Result<Option<String>, ProviderError> {
        if self.step == Step::End { Ok(None) } else { write(self).map(Some) }
    }
}

/// Where the fetch of a long thread goes on.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ThreadPage {
    v: u8,
    /// Slack's cursor.
    pub cursor: String,
    /// The last message that was read.
    pub last: Ts,
    /// What is known of the thread so far.
    pub resource: domain::Resource,
}

impl ThreadPage {
    /// Goes on at this cursor.
    pub const fn new(cursor: String, last: Ts, resource: domain::Resource) -> Self {
        Self { v: VERSION, cursor, last, resource }
    }

    /// Reads it back.
    pub fn read(text: &str) -> Result<Self, ProviderError> {
        serde_json::from_str(text).ok().filter(|page: &Self| page.v == VERSION).ok_or(error(Kind::PageExpired))
    }

    /// As text.
    pub fn write(&self) -> Result<String, ProviderError> {
        write(self)
    }
}

fn write<T: Serialize + DeserializeOwned>(cursor: &T) -> Result<String, ProviderError> {
    serde_json::to_string(cursor).map_err(|cause| error(Kind::Malformed("a cursor".to_owned())).because(cause))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Config {
        Config::read(&serde_json::from_str(text).unwrap()).unwrap()
    }

    fn ids(count: usize) -> Vec<String> {
        (0..count).map(|n| format!("C{n:010}")).collect()
    }

    #[test]
    fn a_cursor_reads_back_and_one_of_another_scope_or_version_has_expired() {
        let all = config("{}");
        let cursor = ChangeCursor::new(&all, Ts::read("7.000001").unwrap(), Channels::of(["C1", "C2"]));
        let text = cursor.write().unwrap();
        assert_eq!(ChangeCursor::read(&text, &all).unwrap(), cursor);
        assert!(cursor.channels.contains("C1") && !cursor.channels.contains("C3"));
        let expired = |text: &str, config: &Config| {
            assert_eq!(ChangeCursor::read(text, config).unwrap_err().kind, Kind::CursorExpired, "{text}");
        };
        expired(&text, &config(r#"{"channels":["C1"]}"#));
        expired(&text.replace("\"v\":1", "\"v\":2"), &all);
        for text in ["", "garbage", "{}", "null", "7"] {
            expired(text, &all);
        }
    }

    #[test]
    fn ten_thousand_channels_fit_into_either_cursor() {
        let (ids, all) = (ids(10_000), config("{}"));
        let channels = Channels::of(ids.iter().map(String::as_str));
        let cursor = ChangeCursor::new(&all, Ts::read("7.000001").unwrap(), channels.clone());
        assert!(cursor.write().unwrap().len() < 100_000);
        assert!(ids.iter().all(|id| channels.contains(id)) && !channels.contains("C9999999999"));
        let mut page = ListingPage::first(Ts::read("7.000001").unwrap());
        page.add(ids.iter().map(String::as_str)).unwrap();
        page.add(ids.iter().take(10).map(String::as_str)).unwrap();
        let text = page.write().unwrap().unwrap();
        assert!(text.len() < 200_000, "{}", text.len());
        assert_eq!(ListingPage::read(&text).unwrap().channels().count(), 10_000);
    }

    #[test]
    fn more_channels_than_a_row_can_hold_are_refused_with_words() {
        let mut page = ListingPage::first(Ts::read("7.000001").unwrap());
        let refused = page.add(ids(MAX_CHANNELS + 1).iter().map(String::as_str)).unwrap_err();
        assert!(matches!(refused.kind, Kind::Rejected(words) if words.contains("choose")));
    }

    #[test]
    fn the_end_has_no_cursor_and_garbage_is_an_expired_page() {
        let mut page = ListingPage::first(Ts::read("7.000001").unwrap());
        page.step = Step::End;
        assert_eq!(page.write().unwrap(), None);
        assert_eq!(ListingPage::read("garbage").unwrap_err().kind, Kind::PageExpired);
        assert_eq!(ThreadPage::read("garbage").unwrap_err().kind, Kind::PageExpired);
    }
}
