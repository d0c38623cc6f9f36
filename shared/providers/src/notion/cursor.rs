//! Where a listing stands, as texts that only this folder reads. They are versioned: an unknown version counts as expired, and the
//! listing begins anew.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::client::error;
use crate::error::{Kind, ProviderError};

const VERSION: u8 = 1;

/// Places that a listing remembers to be inside or outside of what was chosen; beyond that they are looked up again.
const REMEMBERED: usize = 4000;
/// Data sources that wait for their rows to be listed; what is beyond is listed as the search shows it.
pub const WAITING: usize = 2000;

/// Up to when changes are known, by Notion's own clock and to the minute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeCursor {
    v: u8,
    /// The latest edit that was seen.
    pub since: Timestamp,
}

impl ChangeCursor {
    /// A cursor at this time.
    pub const fn new(since: Timestamp) -> Self {
        Self { v: VERSION, since }
    }

    /// Reads a cursor back.
    ///
    /// # Errors
    /// [`Kind::CursorExpired`] for what is none of ours.
    pub fn read(text: &str) -> Result<Self, ProviderError> {
        read(text).filter(|cursor: &Self| cursor.v == VERSION).ok_or_else(|| error(Kind::CursorExpired))
    }

    /// As text.
    ///
    /// # Errors
    /// None in practice.
    pub fn write(&self) -> Result<String, ProviderError> {
        write(self)
    }
}

/// Where a listing of changes stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangesPage {
    v: u8,
    /// Whether the trash is being read; what is live comes first.
    pub trash: bool,
    /// Where the search goes on.
    pub cursor: Option<String>,
    /// The latest edit seen so far.
    pub newest: Timestamp,
    /// What was found out about places.
    pub places: Places,
}

impl ChangesPage {
    /// The first page of the changes since this time.
    pub fn first(since: Timestamp) -> Self {
        Self { v: VERSION, trash: false, cursor: None, newest: since, places: Places::default() }
    }

    /// Reads a page cursor back.
    ///
    /// # Errors
    /// [`Kind::PageExpired`] for what is none of ours.
    pub fn read(text: &str) -> Result<Self, ProviderError> {
        read(text).filter(|page: &Self| page.v == VERSION).ok_or_else(|| error(Kind::PageExpired))
    }

    /// As text.
    ///
    /// # Errors
    /// None in practice.
    pub fn write(&self) -> Result<String, ProviderError> {
        write(self)
    }
}

/// Where a full listing stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListingPage {
    v: u8,
    /// What is being read.
    pub stage: Stage,
    /// Where the call goes on.
    pub cursor: Option<String>,
    /// Data sources whose rows are still to be listed, the next one last; ids without dashes.
    pub sources: Vec<String>,
    /// Marks of the data sources that were met.
    pub met: Marks,
    /// Those of which a row can be seen and nothing else.
    pub hidden: Marks,
    /// What was found out about places.
    pub places: Places,
}

/// What a full listing reads, one after the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The search, from the latest edit down.
    Newest {
        /// The earliest edit seen so far.
        down_to: Option<Timestamp>,
    },
    /// The search from the other end, where the first was cut off.
    Oldest {
        /// How far down the first came: no further than that.
        up_to: Option<Timestamp>,
    },
    /// The rows of the waiting data sources.
    Rows {
        /// Where the window begins, in a source of more rows than one query gives.
        since: Option<String>,
        /// When the last row was made, for the next window.
        last: Option<String>,
    },
}

impl ListingPage {
    /// The first page.
    pub fn first() -> Self {
        Self {
            v: VERSION,
            stage: Stage::Newest { down_to: None },
            cursor: None,
            sources: Vec::new(),
            met: Marks::default(),
            hidden: Marks::default(),
            places: Places::default(),
        }
    }

    /// Notes a data source that cannot be read.
    pub fn hide(&mut self, id: &str) {
        if self.hidden.len() < WAITING {
            self.hidden.insert(&bare(id));
        }
    }

    /// Whether a data source was met before, and can be read.
    pub fn knows(&self, id: &str) -> Option<bool> {
        let id = bare(id);
        if self.hidden.has(&id) { Some(false) } else { self.met.has(&id).then_some(true) }
    }

    /// Lets a data source wait for its rows to be listed; whether it does or did.
    pub fn wait(&mut self, id: &str) -> bool {
        let id = bare(id);
        if self.met.has(&id) {
            return true;
        }
        if self.met.len() >= WAITING {
            return false;
        }
        self.met.insert(&id);
        self.sources.push(id);
        true
    }

    /// Reads a page cursor back.
    ///
    /// # Errors
    /// [`Kind::PageExpired`] for what is none of ours.
    pub fn read(text: &str) -> Result<Self, ProviderError> {
        read(text).filter(|page: &Self| page.v == VERSION).ok_or_else(|| error(Kind::PageExpired))
    }

    /// As text.
    ///
    /// # Errors
    /// None in practice.
    pub fn write(&self) -> Result<String, ProviderError> {
        write(self)
    }
}

/// Pages, databases and blocks known to lie inside or outside of what was chosen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Places {
    inside: Marks,
    outside: Marks,
}

impl Places {
    /// Whether a place is inside; `None` if that is not known.
    pub fn get(&self, id: &str) -> Option<bool> {
        if self.inside.has(id) {
            Some(true)
        } else if self.outside.has(id) {
            Some(false)
        } else {
            None
        }
    }

    /// Notes where a place is.
    pub fn note(&mut self, id: &str, is_inside: bool) {
        let marks = if is_inside { &mut self.inside } else { &mut self.outside };
        if marks.len() < REMEMBERED {
            marks.insert(id);
        }
    }
}

/// A set of ids, six bytes of hash each: enough to tell thousands apart, and small in a cursor.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Marks(BTreeMap<[u8; 6], ()>);

impl Marks {
    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Notes an id.
    pub fn insert(&mut self, id: &str) {
        self.0.insert(mark(id), ());
    }

    /// Whether an id was noted.
    pub fn has(&self, id: &str) -> bool {
        self.0.contains_key(&mark(id))
    }
}

fn bare(id: &str) -> String {
    id.chars().filter(|c| *c != '-').collect()
}

fn mark(id: &str) -> [u8; 6] {
    let mut mark = [0; 6];
    for (to, from) in mark.iter_mut().zip(Sha256::digest(id)) {
        *to = from;
    }
    mark
}

impl From<Marks> for String {
    fn from(marks: Marks) -> Self {
        URL_SAFE_NO_PAD.encode(marks.0.into_keys().flatten().collect::<Vec<u8>>())
    }
}

impl TryFrom<String> for Marks {
    type Error = base64::DecodeError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        let bytes = URL_SAFE_NO_PAD.decode(text)?;
        Ok(Self(bytes.as_chunks::<6>().0.iter().map(|mark| (*mark, ())).collect()))
    }
}

fn read<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_str(text).ok()
}

fn write<T: Serialize>(cursor: &T) -> Result<String, ProviderError> {
    serde_json::to_string(cursor).map_err(|cause| error(Kind::Malformed("a cursor".to_owned())).because(cause))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_read_back_as_written_and_foreign_ones_count_as_expired() {
        let cursor = ChangeCursor::new("2026-11-20T10:00:00Z".parse().unwrap());
        assert_eq!(ChangeCursor::read(&cursor.write().unwrap()).unwrap(), cursor);
        let mut page = ListingPage::first();
        page.stage = Stage::Rows { since: Some("x".to_owned()), last: None };
        page.places.note("a", true);
        assert!(page.wait("a-b") && page.wait("ab"));
        assert_eq!(page.sources, ["ab"]);
        assert_eq!(ListingPage::read(&page.write().unwrap()).unwrap(), page);
        let changes = ChangesPage::first(cursor.since);
        assert_eq!(ChangesPage::read(&changes.write().unwrap()).unwrap(), changes);
        for text in ["", "4711", r#"{"v":2,"since":"2026-11-20T10:00:00Z"}"#, r#"{"v":1,"since":1}"#] {
            assert_eq!(ChangeCursor::read(text).unwrap_err().kind, Kind::CursorExpired, "{text}");
            assert_eq!(ListingPage::read(text).unwrap_err().kind, Kind::PageExpired, "{text}");
            assert_eq!(ChangesPage::read(text).unwrap_err().kind, Kind::PageExpired, "{text}");
        }
    }

    #[test]
    fn a_cursor_stays_small_whatever_the_workspace() {
        let mut page = ListingPage::first();
        for number in 0..20_000 {
            let id = format!("{number:032}");
            page.places.note(&id, number % 2 == 0);
            page.wait(&id);
        }
        assert_eq!(page.sources.len(), WAITING);
        assert!(page.write().unwrap().len() < 170_000, "{}", page.write().unwrap().len());
    }
}
