//! Where a listing stands, as texts that only this folder reads. They are versioned: an unknown version counts as expired, and the
//! listing begins anew.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::client::error;
use crate::error::{Kind, ProviderError};

const VERSION: u8 = 1;

/// Largest page cursor. It is kept in a job's row, which DynamoDB limits to 400 KB.
const MAX_PAGE_BYTES: usize = 200_000;

/// Where the next listing of changes begins: a token for each feed. Tokens are not interchangeable between feeds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeCursor {
    v: u8,
    /// The token of the person's own feed.
    pub user: String,
    /// The tokens of the shared drives' feeds, by drive.
    pub drives: BTreeMap<String, String>,
}

impl ChangeCursor {
    /// A cursor of these tokens.
    pub const fn new(user: String, drives: BTreeMap<String, String>) -> Self {
        Self { v: VERSION, user, drives }
    }

    /// Reads a cursor back.
    ///
    /// # Errors
    /// [`Kind::CursorExpired`] for anything that is none of this version.
    pub fn read(text: &str) -> Result<Self, ProviderError> {
        serde_json::from_str(text).ok().filter(|cursor: &Self| cursor.v == VERSION).ok_or(error(Kind::CursorExpired))
    }

    /// The feeds in reading order: the person's own comes last. A file that moves from one drive to another leaves one feed and
    /// enters another, and what is said last counts.
    pub fn feeds(&self) -> impl Iterator<Item = (Option<&str>, &str)> {
        let drives = self.drives.iter().map(|(id, token)| (Some(id.as_str()), token.as_str()));
        drives.chain(std::iter::once((None, self.user.as_str())))
    }

    /// Keeps a feed's new token.
    pub fn set(&mut self, drive: Option<&str>, token: String) {
        match drive {
            Some(id) => {
                self.drives.insert(id.to_owned(), token);
            }
            None => self.user = token,
        }
    }

    /// The cursor as text.
    pub fn write(&self) -> Result<String, ProviderError> {
        write(self)
    }
}

/// Where a listing of changes goes on.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ChangesPage {
    v: u8,
    /// How many feeds have been read to their end.
    pub done: usize,
    /// Where the present feed goes on; its cursor's token if `None`.
    pub token: Option<String>,
    /// The next cursor as far as it is known.
    pub fresh: ChangeCursor,
}

impl ChangesPage {
    /// The beginning.
    pub const fn first(cursor: ChangeCursor) -> Self {
        Self { v: VERSION, done: 0, token: None, fresh: cursor }
    }

    /// Reads a page cursor back. One that cannot be read counts as a dead change cursor: then everything is listed.
    pub fn read(text: &str) -> Result<Self, ProviderError> {
        serde_json::from_str(text).ok().filter(|page: &Self| page.v == VERSION).ok_or(error(Kind::CursorExpired))
    }

    /// The page cursor as text.
    pub fn write(&self) -> Result<String, ProviderError> {
        write(self)
    }
}

/// Where a listing of everything goes on.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "of", rename_all = "snake_case")]
pub enum ListingPage {
    /// Corpus by corpus: the person's own, then each shared drive.
    Corpora {
        /// Version of this form.
        v: u8,
        /// The corpora that are left, the present one last. `None` is the person's own.
        left: Vec<Option<String>>,
        /// The shared drives among all corpora, which list their own files.
        drives: BTreeSet<String>,
        /// Where the present corpus goes on.
        token: Option<String>,
    },
    /// Down from the chosen folders.
    Folders {
        /// Version of this form.
        v: u8,
        /// The folders that are left, by the drive they are in; the present drive last.
        left: Vec<(Option<String>, Vec<String>)>,
        /// The folders being listed.
        now: Vec<String>,
        /// Where their listing goes on.
        token: Option<String>,
        /// The folders seen.
        seen: Seen,
    },
}

impl ListingPage {
    /// The beginning of a listing by corpora.
    pub fn corpora(drives: BTreeSet<String>) -> Self {
        let left = drives.iter().rev().cloned().map(Some).chain(std::iter::once(None)).collect();
        Self::Corpora { v: VERSION, left, drives, token: None }
    }

    /// The beginning of a walk down from these folders, given with the drives that they are in.
    pub fn folders(by_drive: BTreeMap<Option<String>, Vec<String>>) -> Self {
        let mut seen = Seen::default();
        for id in by_drive.values().flatten() {
            seen.insert(id);
        }
        Self::Folders { v: VERSION, left: by_drive.into_iter().collect(), now: Vec::new(), token: None, seen }
    }

    /// Whether there is nothing left to list.
    pub fn is_done(&self) -> bool {
        match self {
            Self::Corpora { left, .. } => left.is_empty(),
            Self::Folders { left, now, .. } => now.is_empty() && left.iter().all(|(_, folders)| folders.is_empty()),
        }
    }

    /// Reads a page cursor back.
    ///
    /// # Errors
    /// [`Kind::PageExpired`] for anything that is none of this version.
    pub fn read(text: &str) -> Result<Self, ProviderError> {
        let is_ours = |page: &Self| matches!(page, Self::Corpora { v, .. } | Self::Folders { v, .. } if *v == VERSION);
        serde_json::from_str(text).ok().filter(is_ours).ok_or(error(Kind::PageExpired))
    }

    /// The page cursor as text.
    ///
    /// # Errors
    /// [`Kind::Rejected`] if it is larger than can be kept: thousands of folders beside each other.
    pub fn write(&self) -> Result<String, ProviderError> {
        let text = write(self)?;
        if text.len() > MAX_PAGE_BYTES {
            return Err(error(Kind::Rejected("the chosen folders hold too many folders; choose fewer".to_owned())));
        }
        Ok(text)
    }
}

/// The folders that a walk has seen, six bytes of hash each: enough to tell tens of thousands apart, and small in a cursor. It ends
/// walks through folders that contain each other.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Seen(BTreeSet<[u8; 6]>);

impl Seen {
    /// Notes a folder; whether it is new.
    pub fn insert(&mut self, id: &str) -> bool {
        let mut mark = [0; 6];
        for (to, from) in mark.iter_mut().zip(Sha256::digest(id)) {
            *to = from;
        }
        self.0.insert(mark)
    }
}

impl From<Seen> for String {
    fn from(seen: Seen) -> Self {
        URL_SAFE_NO_PAD.encode(seen.0.into_iter().flatten().collect::<Vec<u8>>())
    }
}

impl TryFrom<String> for Seen {
    type Error = base64::DecodeError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        let bytes = URL_SAFE_NO_PAD.decode(text)?;
        Ok(Self(bytes.as_chunks::<6>().0.iter().copied().collect()))
    }
}

fn write<T: Serialize + DeserializeOwned>(cursor: &T) -> Result<String, ProviderError> {
    serde_json::to_string(cursor).map_err(|cause| error(Kind::Malformed("a cursor".to_owned())).because(cause))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_read_back_as_written_and_foreign_ones_count_as_expired() {
        let cursor = ChangeCursor::new("1".to_owned(), BTreeMap::from([("0A".to_owned(), "2".to_owned())]));
        assert_eq!(ChangeCursor::read(&cursor.write().unwrap()).unwrap(), cursor);
        for text in ["", "4711", r#"{"v":2,"user":"1","drives":{}}"#, r#"{"v":1,"user":1}"#] {
            assert_eq!(ChangeCursor::read(text).unwrap_err().kind, Kind::CursorExpired, "{text}");
            assert_eq!(ListingPage::read(text).unwrap_err().kind, Kind::PageExpired, "{text}");
        }
    }

    #[test]
    fn the_persons_own_corpus_is_listed_first_and_its_changes_are_read_last() {
        let ListingPage::Corpora { mut left, .. } = ListingPage::corpora(BTreeSet::from(["0A".to_owned()])) else {
            panic!()
        };
        assert_eq!(left.pop(), Some(None));
        let cursor = ChangeCursor::new("1".to_owned(), BTreeMap::from([("0A".to_owned(), "2".to_owned())]));
        assert_eq!(cursor.feeds().collect::<Vec<_>>(), [(Some("0A"), "2"), (None, "1")]);
    }

    #[test]
    fn a_seen_folder_stays_seen_through_the_cursor() {
        let mut seen = Seen::default();
        assert!(seen.insert("a") && seen.insert("b") && !seen.insert("a"));
        let mut again: Seen = serde_json::from_str(&serde_json::to_string(&seen).unwrap()).unwrap();
        assert!(!again.insert("a") && !again.insert("b") && again.insert("c"));
    }

    #[test]
    fn a_walk_that_no_row_could_hold_is_refused_with_words() {
        let folders = (0..5_000).map(|n| format!("{n:0>44}")).collect();
        let page = ListingPage::folders(BTreeMap::from([(None, folders)]));
        assert!(matches!(page.write().unwrap_err().kind, Kind::Rejected(_)));
    }
}
