//! Where a listing stands, as texts that only this folder reads. They are versioned: an unknown version counts as expired, and the
//! listing begins anew.

use domain::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::client::{At, error, is_name};
use super::ids::What;
use super::pack::{pack, pack_hex, unpack, unpack_hex};
use super::wire;
use crate::error::{Kind, ProviderError};

const VERSION: u8 = 1;
/// Largest change cursor. Beyond it, what only saves calls is left out.
const CURSOR_BYTES: usize = 90_000;
/// Largest page cursor. It is kept in a job's row, which DynamoDB limits to 400 KB.
const MAX_PAGE_BYTES: usize = 250_000;
/// Items of a second or a minute ago that a mark remembers, so that they are not listed again.
const MAX_SEEN: usize = 50;

/// A repository as a listing needs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repo {
    /// Its number.
    #[serde(rename = "i")]
    pub id: u64,
    /// `owner/name`, as the listing told it.
    #[serde(rename = "n")]
    pub name: String,
    /// Its page.
    #[serde(rename = "u")]
    pub url: String,
    /// Its default branch.
    #[serde(rename = "b")]
    pub branch: String,
    /// When somebody last pushed, in epoch seconds.
    #[serde(rename = "p")]
    pub pushed: i64,
    /// Whether it has discussions.
    #[serde(rename = "d", default, skip_serializing_if = "is_false")]
    pub has_discussions: bool,
}

impl Repo {
    /// What a listing said of a repository.
    pub fn of(repository: &wire::Repository) -> Self {
        Self {
            id: repository.id,
            name: repository.full_name.clone(),
            url: repository.html_url.clone(),
            branch: repository.default_branch.clone().unwrap_or_default(),
            pushed: repository.pushed_at.map_or(0, |time| time.timestamp()),
            has_discussions: repository.has_discussions,
        }
    }

    /// Where it is called.
    pub fn at(&self) -> At<'_> {
        At { id: self.id, name: Some(self.name.as_str()).filter(|name| is_name(name)) }
    }

    /// When somebody last pushed.
    pub fn pushed_at(&self) -> Timestamp {
        Timestamp::from_timestamp(self.pushed, 0).unwrap_or_default()
    }
}

/// How far a repository has been read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Its number.
    #[serde(rename = "i")]
    pub id: u64,
    /// The commit up to which files were read, packed; absent if unknown, empty if there was none.
    #[serde(rename = "h", default, skip_serializing_if = "Option::is_none")]
    head: Option<String>,
    /// When somebody had last pushed then, in epoch seconds.
    #[serde(rename = "p", default)]
    pub pushed: i64,
    /// Issues and pull requests.
    #[serde(rename = "s", default, skip_serializing_if = "Feed::is_empty")]
    pub issues: Feed,
    /// Their comments.
    #[serde(rename = "c", default, skip_serializing_if = "Feed::is_empty")]
    pub comments: Feed,
    /// Releases.
    #[serde(rename = "r", default, skip_serializing_if = "Feed::is_empty")]
    pub releases: Feed,
    /// Discussions.
    #[serde(rename = "d", default, skip_serializing_if = "Feed::is_empty")]
    pub discussions: Feed,
}

impl Mark {
    /// A mark before anything was read.
    pub fn new(id: u64, pushed: i64, head: Option<&str>) -> Self {
        Self { id, pushed, head: head.map(pack), ..Self::default() }
    }

    /// The commit up to which files were read; empty if there was none, `None` if it is not known.
    pub fn head(&self) -> Option<String> {
        self.head.as_deref().map(unpack)
    }

    /// Keeps the commit up to which files were read.
    pub fn set_head(&mut self, sha: &str) {
        self.head = Some(pack(sha));
    }

    fn feeds(&mut self) -> [&mut Feed; 4] {
        [&mut self.issues, &mut self.comments, &mut self.releases, &mut self.discussions]
    }
}

/// How far one of a repository's lists has been read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Feed {
    /// What changed at this second or later is to be read; the cursor's own beginning if absent.
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    pub since: Option<i64>,
    /// What a conditional request for it sends, packed.
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    etag: Option<String>,
    /// Items at or after `since` that were read already.
    #[serde(rename = "k", default, skip_serializing_if = "Vec::is_empty")]
    pub seen: Vec<Item>,
}

/// An item as it was read: its number, the second of its change, and a digest of what it said, because times have no fractions.
pub type Item = (u64, i64, u32);

/// A digest that tells one version of an item from the next.
pub fn digest(text: &str) -> u32 {
    let [a, b, c, d, ..]: [u8; 32] = Sha256::digest(text).into();
    u32::from_be_bytes([a, b, c, d])
}

/// Changes may reach a list some seconds late: a list is read again from this long before the latest change seen.
const OVERLAP_SECONDS: i64 = 30;

impl Feed {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What a conditional request sends.
    pub fn etag(&self) -> Option<String> {
        self.etag.as_deref().map(|text| match text.split_at_checked(1) {
            Some(("w", packed)) => format!("W/\"{}\"", unpack_hex(packed)),
            Some(("s", packed)) => format!("\"{}\"", unpack_hex(packed)),
            _ => text.get(1..).unwrap_or_default().to_owned(),
        })
    }

    /// Keeps what a conditional request for the same page sends.
    pub fn set_etag(&mut self, etag: Option<&str>) {
        self.etag = etag.filter(|etag| etag.len() <= 150).map(|etag| {
            let (kind, quoted) = etag.strip_prefix("W/").map_or(("s", etag), |rest| ("w", rest));
            let hex = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
            match hex.filter(|hex| hex.len() == 64 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))) {
                Some(hex) => format!("{kind}{}", pack_hex(hex)),
                None => format!("o{etag}"),
            }
        });
    }

    /// Moves on past what was read. What may come late is read again then, and what is known of it is dropped.
    pub fn advance(&mut self, items: &[Item]) {
        let Some(latest) = items.iter().map(|(_, updated, _)| *updated).max() else { return };
        let since = (latest - OVERLAP_SECONDS).max(self.since.unwrap_or(i64::MIN));
        let mut seen: Vec<Item> = self.seen.iter().chain(items).copied().filter(|(_, at, _)| *at >= since).collect();
        seen.sort_unstable();
        seen.dedup();
        // Many changes in half a minute: then lateness is left to the next full listing.
        let since = if seen.len() > MAX_SEEN { latest } else { since };
        seen.retain(|(_, at, _)| *at >= since);
        seen.truncate(MAX_SEEN);
        (self.since, self.seen, self.etag) = (Some(since), seen, None);
    }
}

/// Where the next listing of changes begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeCursor {
    v: u8,
    /// When it was begun, in epoch seconds by GitHub's clock. What no feed says otherwise is read from here.
    #[serde(rename = "t")]
    pub began: i64,
    /// How far each repository has been read.
    #[serde(rename = "r")]
    pub marks: Vec<Mark>,
}

impl ChangeCursor {
    /// A cursor of these marks.
    pub const fn new(began: i64, marks: Vec<Mark>) -> Self {
        Self { v: VERSION, began, marks }
    }

    /// Reads a cursor back.
    ///
    /// # Errors
    /// [`Kind::CursorExpired`] for anything that is none of this version.
    pub fn read(text: &str) -> Result<Self, ProviderError> {
        read(text).filter(|cursor: &Self| cursor.v == VERSION).ok_or(error(Kind::CursorExpired))
    }

    /// A repository's mark.
    pub fn mark(&mut self, id: u64) -> Option<&mut Mark> {
        self.marks.iter_mut().find(|mark| mark.id == id)
    }

    /// The cursor as text. Where it would be too long, it goes without what only saves calls.
    pub fn write(&self) -> Result<String, ProviderError> {
        match write(self) {
            Ok(text) if text.len() <= CURSOR_BYTES => Ok(text),
            _ => write(&self.lean()),
        }
    }

    /// The cursor without what only saves calls.
    fn lean(&self) -> Self {
        let mut lean = self.clone();
        for feed in lean.marks.iter_mut().flat_map(Mark::feeds) {
            (feed.etag, feed.seen) = (None, Vec::new());
        }
        lean
    }
}

/// Where a listing of everything goes on.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ListingPage {
    v: u8,
    /// The repositories that are left, the present one last.
    pub left: Vec<Repo>,
    /// Where in the present one.
    pub place: Place,
}

/// Where in a repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Which list.
    pub list: List,
    /// Where in the list; `None` at its beginning.
    pub token: Option<String>,
}

/// The lists of a repository, in reading order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum List {
    /// Issues and pull requests.
    Issues,
    /// Comments on them; for changes only.
    Comments,
    /// Discussions.
    Discussions,
    /// Releases.
    Releases,
    /// Files.
    Files,
}

impl List {
    /// The list that follows.
    pub const fn next(self) -> Option<Self> {
        match self {
            Self::Issues => Some(Self::Comments),
            Self::Comments => Some(Self::Discussions),
            Self::Discussions => Some(Self::Releases),
            Self::Releases => Some(Self::Files),
            Self::Files => None,
        }
    }

    /// The kinds of things that it brings.
    pub const fn brings(self) -> &'static [What] {
        match self {
            Self::Issues | Self::Comments => &[What::Issues, What::Pulls],
            Self::Discussions => &[What::Discussions],
            Self::Releases => &[What::Releases],
            Self::Files => &[What::Files],
        }
    }
}

impl Place {
    /// The beginning of a repository.
    pub const START: Self = Self { list: List::Issues, token: None };
}

impl ListingPage {
    /// The beginning of a listing of these.
    pub fn first(mut repositories: Vec<Repo>) -> Self {
        repositories.reverse();
        Self { v: VERSION, left: repositories, place: Place::START }
    }

    /// Reads a page cursor back.
    ///
    /// # Errors
    /// [`Kind::PageExpired`] for anything that is none of this version.
    pub fn read(text: &str) -> Result<Self, ProviderError> {
        read(text).filter(|page: &Self| page.v == VERSION).ok_or(error(Kind::PageExpired))
    }

    /// The page cursor as text.
    pub fn write(&self) -> Result<String, ProviderError> {
        write(self)
    }

    /// Goes on: in the same list if there is more of it, else to the next one, else to the next repository.
    pub fn go_on(&mut self, token: Option<String>) {
        if token.is_some() {
            self.place.token = token;
            return;
        }
        match self.place.list.next() {
            Some(list) => self.place = Place { list, token: None },
            None => self.skip(),
        }
    }

    /// Goes on with the next repository.
    pub fn skip(&mut self) {
        self.left.pop();
        self.place = Place::START;
    }
}

/// Where a listing of changes goes on.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ChangesPage {
    v: u8,
    /// Where it stands.
    pub at: ListingPage,
    /// The next cursor as far as it is known.
    pub fresh: ChangeCursor,
    /// Items read so far in the present list.
    pub items: Vec<Item>,
}

impl ChangesPage {
    /// The beginning.
    pub fn first(repositories: Vec<Repo>, cursor: ChangeCursor) -> Self {
        Self { v: VERSION, at: ListingPage::first(repositories), fresh: cursor, items: Vec::new() }
    }

    /// Reads a page cursor back. One that cannot be read counts as a dead change cursor: then everything is listed.
    ///
    /// # Errors
    /// [`Kind::CursorExpired`].
    pub fn read(text: &str) -> Result<Self, ProviderError> {
        read(text).filter(|page: &Self| page.v == VERSION).ok_or(error(Kind::CursorExpired))
    }

    /// The page cursor as text. Where it would be too long, it goes without what only saves calls.
    pub fn write(&self) -> Result<String, ProviderError> {
        write(self).or_else(|_| write(&Self { fresh: self.fresh.lean(), ..self.clone() }))
    }
}

fn read<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_str(text).ok()
}

fn write(value: &impl Serialize) -> Result<String, ProviderError> {
    match serde_json::to_string(value) {
        Ok(text) if text.len() <= MAX_PAGE_BYTES => Ok(text),
        Ok(_) => Err(error(Kind::Rejected("the account has too many repositories; choose some".to_owned()))),
        Err(cause) => Err(error(Kind::Rejected("a cursor".to_owned())).because(cause)),
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
const fn is_false(value: &bool) -> bool {
    !*value
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHA: &str = "6dcb09b5b57875f334f61aebed695e2e4193db5e";

    #[test]
    fn cursors_read_back_as_written_and_others_count_as_expired() {
        let mut mark = Mark::new(501, 7, Some(SHA));
        mark.issues.set_etag(Some(&format!("W/\"{}\"", "ab".repeat(32))));
        mark.releases.set_etag(Some("\"short\""));
        let cursor = ChangeCursor::new(100, vec![mark, Mark::new(502, 8, None), Mark::new(503, 9, Some(""))]);
        let mut again = ChangeCursor::read(&cursor.write().unwrap()).unwrap();
        assert_eq!(again, cursor);
        assert_eq!(again.marks[0].issues.etag().unwrap(), format!("W/\"{}\"", "ab".repeat(32)));
        assert_eq!(again.marks[0].releases.etag().unwrap(), "\"short\"");
        let heads: Vec<_> = again.marks.iter().map(Mark::head).collect();
        assert_eq!(heads, [Some(SHA.to_owned()), None, Some(String::new())]);
        assert!(again.mark(503).is_some() && again.mark(504).is_none());
        for text in ["", "{}", r#"{"v":2,"t":1,"r":[]}"#] {
            assert_eq!(ChangeCursor::read(text).unwrap_err().kind, Kind::CursorExpired);
            assert_eq!(ChangesPage::read(text).unwrap_err().kind, Kind::CursorExpired);
            assert_eq!(ListingPage::read(text).unwrap_err().kind, Kind::PageExpired);
        }
    }

    #[test]
    fn the_cursor_of_the_most_repositories_fits_and_goes_without_etags_if_it_must() {
        let etag = format!("W/\"{}\"", "0f".repeat(32));
        let full = |id: u64| {
            let mut mark = Mark::new(1_000_000_000 + id, 1_795_572_000, Some(SHA));
            for feed in mark.feeds() {
                feed.set_etag(Some(&etag));
                feed.since = Some(1_795_572_000);
                feed.seen = (0..20).map(|n| (n, 1_795_572_000, 7)).collect();
            }
            mark
        };
        let cursor = ChangeCursor::new(0, (0..400).map(full).collect());
        let text = cursor.write().unwrap();
        assert!(text.len() <= 110_000, "{}", text.len());
        assert!(ChangeCursor::read(&text).unwrap().marks[0].issues.etag().is_none());
        let name = "o".repeat(39) + "/" + &"n".repeat(60);
        let repo = |id| Repo {
            id,
            url: format!("https://github.com/{name}"),
            name: name.clone(),
            branch: "main".into(),
            pushed: 1_795_572_000,
            has_discussions: true,
        };
        assert!(ChangesPage::first((0..400).map(repo).collect(), cursor).write().is_ok());
    }

    #[test]
    fn a_feed_moves_on_with_some_overlap_and_remembers_what_it_read() {
        let mut feed = Feed { since: Some(100), ..Feed::default() };
        feed.set_etag(Some("\"x\""));
        feed.advance(&[]);
        assert_eq!((feed.since, feed.etag().is_some()), (Some(100), true));
        feed.advance(&[(1, 150, 7), (2, 200, 8)]);
        assert_eq!((feed.since, feed.etag(), feed.seen.clone()), (Some(170), None, vec![(2, 200, 8)]));
        feed.advance(&[(2, 200, 9)]);
        assert_eq!(feed.seen, [(2, 200, 8), (2, 200, 9)], "it changed again within the second");
        let many: Vec<_> = (0..80).map(|number| (number, 400, 0)).collect();
        feed.advance(&many);
        assert_eq!((feed.since, feed.seen.len()), (Some(400), MAX_SEEN));
        assert_ne!(digest("a"), digest("b"));
    }

    #[test]
    fn a_listing_goes_through_every_list_of_every_repository() {
        let repo = |id| Repo {
            id,
            name: "a/b".into(),
            url: String::new(),
            branch: "main".into(),
            pushed: 0,
            has_discussions: false,
        };
        let mut page = ListingPage::first(vec![repo(1), repo(2)]);
        let mut places = Vec::new();
        while let Some(repo) = page.left.last() {
            places.push((repo.id, page.place.list));
            page.go_on(None);
        }
        assert_eq!(places.len(), 10);
        assert_eq!((places[0], places[4], places[5]), ((1, List::Issues), (1, List::Files), (2, List::Issues)));
    }
}
