//! The changes feeds: one per account and one per shared drive.
//!
//! A feed is state-based: it holds each changed item once, at the place of its latest change. What the entry says is
//! looked up when it is read, so several edits collapse into one entry that shows the present state.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// Whose feed: `user:<email>` or `drive:<id>`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FeedKey(String);

impl FeedKey {
    /// The feed of an account.
    pub fn user(email: &str) -> Self {
        Self(format!("user:{email}"))
    }

    /// The feed of a shared drive.
    pub fn drive(id: &str) -> Self {
        Self(format!("drive:{id}"))
    }
}

impl std::fmt::Display for FeedKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// What changed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Item {
    File(String),
    Drive(String),
}

/// One entry: what changed and when it last did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub item: Item,
    pub time: DateTime<Utc>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Feed {
    entries: BTreeMap<u64, Entry>,
    #[serde(skip)]
    latest: HashMap<Item, u64>,
}

/// All feeds, with one counter for all.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Feeds {
    last_seq: u64,
    /// Raised when all tokens handed out so far shall be refused.
    epoch: u64,
    feeds: BTreeMap<FeedKey, Feed>,
    /// Feeds with changes that no webhook has told of yet.
    #[serde(skip)]
    untold: BTreeSet<FeedKey>,
}

/// A page of a feed.
#[derive(Debug, PartialEq, Eq)]
pub struct FeedPage {
    /// Entries, oldest change first, each with its place.
    pub entries: Vec<(u64, Entry)>,
    /// Where to read on.
    pub next: u64,
    /// Whether more entries wait there.
    pub more: bool,
}

impl Feeds {
    /// Restores what is not stored.
    pub fn after_load(&mut self) {
        for feed in self.feeds.values_mut() {
            feed.latest = feed.entries.iter().map(|(seq, entry)| (entry.item.clone(), *seq)).collect();
        }
    }

    /// Notes a change in a feed; an earlier entry of the same item disappears.
    pub fn record(&mut self, key: &FeedKey, item: Item, time: DateTime<Utc>) {
        self.last_seq += 1;
        let feed = self.feeds.entry(key.clone()).or_default();
        if let Some(earlier) = feed.latest.insert(item.clone(), self.last_seq) {
            feed.entries.remove(&earlier);
        }
        feed.entries.insert(self.last_seq, Entry { item, time });
        self.untold.insert(key.clone());
    }

    /// Feeds that changed since this was last asked.
    pub fn take_untold(&mut self) -> BTreeSet<FeedKey> {
        std::mem::take(&mut self.untold)
    }

    /// Whether any feed changed since `take_untold` was last called.
    pub fn has_untold(&self) -> bool {
        !self.untold.is_empty()
    }

    /// Refuses all tokens handed out so far.
    pub fn expire_tokens(&mut self) {
        self.epoch += 1;
    }

    /// How often tokens were expired; part of every token's check digits.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Where a reader who wants only changes from now on begins. Entries younger than `visible` are not out yet.
    pub fn start(&self, key: &FeedKey, visible: DateTime<Utc>) -> u64 {
        let hidden =
            self.feeds.get(key).and_then(|feed| feed.entries.iter().rev().take_while(|(_, e)| e.time > visible).last());
        hidden.map_or(self.last_seq + 1, |(seq, _)| *seq)
    }

    /// Up to `limit` entries from `place` on that satisfy `wanted`.
    pub fn page(
        &self,
        key: &FeedKey,
        place: u64,
        limit: usize,
        visible: DateTime<Utc>,
        mut wanted: impl FnMut(&Entry) -> bool,
    ) -> FeedPage {
        let end = self.start(key, visible).max(place);
        let mut page = FeedPage { entries: Vec::new(), next: end, more: false };
        let Some(feed) = self.feeds.get(key) else { return page };
        for (seq, entry) in feed.entries.range(place..end) {
            if !wanted(entry) {
                continue;
            }
            if page.entries.len() == limit {
                page.next = *seq;
                page.more = true;
                break;
            }
            page.entries.push((*seq, entry.clone()));
        }
        page
    }

    /// The token for a place in a feed. Like Google's it is a number; its last digits tie it to the feed, because a
    /// token of one feed means nothing in another.
    pub fn token(&self, key: &FeedKey, place: u64) -> String {
        (place * 10_000 + self.check_digits(key)).to_string()
    }

    /// The place that a token names; none when it is no token of this feed or was expired.
    pub fn place(&self, key: &FeedKey, token: &str) -> Option<u64> {
        let number: u64 = token.parse().ok()?;
        let place = number / 10_000;
        (number % 10_000 == self.check_digits(key) && place <= self.last_seq + 1).then_some(place)
    }

    fn check_digits(&self, key: &FeedKey) -> u64 {
        // FNV-1a: short, stable between builds, and no secret is at stake.
        let text = format!("{}#{}", self.epoch, key.0);
        text.bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
            % 10_000
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::now;

    fn file(id: &str) -> Item {
        Item::File(id.to_owned())
    }

    fn items(page: &FeedPage) -> Vec<&Item> {
        page.entries.iter().map(|(_, entry)| &entry.item).collect()
    }

    #[test]
    fn several_changes_of_an_item_collapse_into_its_latest_place() {
        let (mut feeds, ada) = (Feeds::default(), FeedKey::user("ada"));
        for id in ["a", "b", "a"] {
            feeds.record(&ada, file(id), now());
        }
        let page = feeds.page(&ada, 0, 10, now(), |_| true);
        assert_eq!(items(&page), [&file("b"), &file("a")]);
        assert!(!page.more);
        assert!(feeds.page(&ada, page.next, 10, now(), |_| true).entries.is_empty());
    }

    #[test]
    fn pages_follow_each_other_without_gap_or_repetition() {
        let (mut feeds, ada) = (Feeds::default(), FeedKey::user("ada"));
        for id in ["a", "b", "c"] {
            feeds.record(&ada, file(id), now());
        }
        let first = feeds.page(&ada, 0, 2, now(), |_| true);
        assert!(first.more);
        let second = feeds.page(&ada, first.next, 2, now(), |_| true);
        assert_eq!(items(&second), [&file("c")]);
        assert!(!second.more);
    }

    #[test]
    fn a_full_last_page_says_that_it_is_the_last() {
        let (mut feeds, ada) = (Feeds::default(), FeedKey::user("ada"));
        feeds.record(&ada, file("a"), now());
        feeds.record(&ada, file("hidden"), now());
        let page = feeds.page(&ada, 0, 1, now(), |entry| entry.item == file("a"));
        assert!(!page.more);
        assert_eq!(page.next, 3);
    }

    #[test]
    fn a_token_belongs_to_one_feed_and_can_be_expired() {
        let mut feeds = Feeds::default();
        let (ada, drive) = (FeedKey::user("ada"), FeedKey::drive("0A"));
        let token = feeds.token(&ada, 1);
        assert_eq!(feeds.place(&ada, &token), Some(1));
        assert_eq!(feeds.place(&drive, &token), None);
        assert_eq!(feeds.place(&ada, "nonsense"), None);
        feeds.expire_tokens();
        assert_eq!(feeds.place(&ada, &token), None);
    }

    #[test]
    fn changes_that_have_not_propagated_are_behind_the_start_token() {
        let (mut feeds, ada) = (Feeds::default(), FeedKey::user("ada"));
        let early = now();
        feeds.record(&ada, file("old"), early);
        feeds.record(&ada, file("young"), early + chrono::TimeDelta::seconds(5));
        assert_eq!(feeds.start(&ada, early), 2);
        let page = feeds.page(&ada, 0, 10, early, |_| true);
        assert_eq!(items(&page), [&file("old")]);
        assert_eq!(page.next, 2);
    }

    #[test]
    fn what_was_stored_goes_on_collapsing() {
        let (mut feeds, ada) = (Feeds::default(), FeedKey::user("ada"));
        feeds.record(&ada, file("a"), now());
        let mut again: Feeds = serde_json::from_str(&serde_json::to_string(&feeds).unwrap()).unwrap();
        again.after_load();
        again.record(&ada, file("a"), now());
        assert_eq!(again.page(&ada, 0, 10, now(), |_| true).entries.len(), 1);
    }
}
