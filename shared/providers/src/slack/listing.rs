//! Listing: which channels there are, then the messages of each, then the files. A listing of changes takes the same way and reads of
//! each channel only what is new, and a window before that for late replies and edits.
//!
//! Each page makes one call of the kind that Slack limits most, `conversations.history`, and a few of other kinds.

use std::collections::{BTreeSet, HashSet};

use chrono::TimeDelta;

use super::client::{Api, FILES_PAGE, Stretch, error, malformed};
use super::config::{Config, is_channel};
use super::cursor::{ChangeCursor, Channels, ListingPage, Step};
use super::files;
use super::names::Names;
use super::threads::{Writer, has_replies, head};
use super::ts::Ts;
use super::wire::Message;
use crate::error::{Kind, ProviderError};
use crate::provider::{Listed, Page};

/// Pages of the list of channels that one page of a listing reads; most workspaces need one.
const CHANNEL_PAGES: usize = 4;
/// Later than every file: the year 2286.
const NEVER: i64 = 9_999_999_999;
/// Pages of files that were made in one and the same second; more is no workspace.
const MOST_FILE_PAGES: u32 = 1000;
/// How much the clocks of Slack and ours may differ.
const SKEW: TimeDelta = TimeDelta::minutes(5);

/// How a listing sees the account.
#[derive(Clone, Copy)]
pub struct Lister<'a> {
    /// The API.
    pub api: Api<'a>,
    /// Names.
    pub names: Names<'a>,
    /// What is synced.
    pub config: &'a Config,
    /// Whether the token acts as a person, who reads public channels without being a member.
    pub is_person: bool,
}

impl Lister<'_> {
    /// The change cursor for now.
    pub async fn start_cursor(&self) -> Result<String, ProviderError> {
        let mut page = ListingPage::first(self.now());
        while matches!(page.step, Step::Channels { .. }) {
            self.find_channels(&mut page).await?;
        }
        ChangeCursor::new(self.config, page.began, Channels::of(page.channels())).write()
    }

    /// A page of everything in scope, or of what changed since `before`.
    pub async fn list(&self, before: Option<&ChangeCursor>, page: Option<&str>) -> Result<Page, ProviderError> {
        let mut at = match page {
            Some(text) => ListingPage::read(text)?,
            None => ListingPage::first(self.now()),
        };
        let mut found = Page::default();
        for _ in 0..CHANNEL_PAGES {
            if !matches!(at.step, Step::Channels { .. }) {
                break;
            }
            self.find_channels(&mut at).await?;
        }
        if matches!(at.step, Step::Messages { .. }) {
            let now = Channels::of(at.channels());
            if before.is_some_and(|before| !before.channels.are_within(&now)) {
                // A channel was left or deleted: what was in it can only be told by a listing that lacks it.
                return Ok(Page { relist: true, ..Page::default() });
            }
            match self.read_messages(&mut at, before).await? {
                Some(resources) => found.resources = resources,
                None => return Ok(Page { relist: true, ..Page::default() }),
            }
        }
        if matches!(at.step, Step::Files { .. }) {
            found.resources.extend(self.read_files(&mut at, before).await?);
        }
        found.pages_left = self.pages_left(&at, before);
        found.next = at.write()?;
        if found.next.is_none() && before.is_some() {
            let cursor = ChangeCursor::new(self.config, at.began, Channels::of(at.channels()));
            found.cursor = Some(cursor.write()?);
        }
        Ok(found)
    }

    fn now(&self) -> Ts {
        Ts::of(self.api.now()).earlier(SKEW)
    }

    /// One call that finds out which channels there are.
    async fn find_channels(&self, at: &mut ListingPage) -> Result<(), ProviderError> {
        let Step::Channels { cursor } = &at.step else { return Ok(()) };
        let chosen = self.config.channels.as_ref();
        let types = if self.config.direct_messages || chosen.is_some() {
            "public_channel,private_channel,mpim,im"
        } else {
            "public_channel,private_channel"
        };
        let (channels, next) = self.api.conversations(types, self.config.archived_channels, cursor.as_deref()).await?;
        if channels.iter().any(|channel| !is_channel(&channel.id)) {
            return Err(malformed("an id that is none"));
        }
        self.names.learn(&channels);
        let is_wanted = |id: &&str| chosen.is_none_or(|chosen| chosen.contains(*id));
        at.add(channels.iter().map(|channel| channel.id.as_str()).filter(is_wanted))?;
        at.step = match next {
            Some(cursor) => Step::Channels { cursor: Some(cursor) },
            None => {
                self.add_unjoined(at).await?;
                self.channel_at(at, 0)
            }
        };
        Ok(())
    }

    /// Chosen channels that the person reads without being a member.
    async fn add_unjoined(&self, at: &mut ListingPage) -> Result<(), ProviderError> {
        let Some(chosen) = self.config.channels.as_ref().filter(|_| self.is_person) else { return Ok(()) };
        let joined: BTreeSet<String> = at.channels().map(str::to_owned).collect();
        for id in chosen.difference(&joined) {
            match self.names.room(id).await {
                Ok(_) => at.add([id.as_str()])?,
                Err(unseen) if is_out_of_reach(&unseen.kind) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// The step that reads the channel at this place, or what comes after the last.
    fn channel_at(&self, page: &ListingPage, place: usize) -> Step {
        let count = page.channels().count();
        match (place < count, self.config.files && count > 0) {
            (true, _) => Step::Messages { at: place, cursor: None, reached: None, pages: 0 },
            (false, true) => Step::Files { to: NEVER, page: 1 },
            (false, false) => Step::End,
        }
    }

    /// One page of the present channel's messages. `None` if a channel that was read before can no longer be: list everything.
    async fn read_messages(
        &self,
        at: &mut ListingPage,
        before: Option<&ChangeCursor>,
    ) -> Result<Option<Vec<Listed>>, ProviderError> {
        let Step::Messages { at: place, cursor, reached, pages } = at.step.clone() else { return Ok(Some(Vec::new())) };
        let channel = at.channels().nth(place).ok_or(error(Kind::PageExpired))?.to_owned();
        let known = before.filter(|before| before.channels.contains(&channel));
        let oldest = self.oldest(known);
        let stretch = Stretch { oldest, latest: None, cursor: cursor.as_deref() };
        let answer = match self.api.history(&channel, stretch).await {
            // Cursors live shortly and a backfill long; where the last page ended is known without them.
            Err(ProviderError { kind: Kind::PageExpired, .. }) if reached.is_some() => {
                let latest = reached.map(|reached| reached.earlier(TimeDelta::microseconds(1)));
                self.api.history(&channel, Stretch { oldest, latest, cursor: None }).await
            }
            answer => answer,
        };
        let answer = match answer {
            Ok(answer) => answer,
            Err(unseen) if is_out_of_reach(&unseen.kind) => {
                at.step = self.channel_at(at, place + 1);
                return Ok(known.is_none().then(Vec::new));
            }
            Err(error) => return Err(error),
        };
        let lowest = answer.messages.iter().filter_map(|message| Ts::read(&message.ts)).min();
        let resources = self.threads(&channel, &answer.messages).await?;
        at.step = match answer.next {
            Some(next) => {
                Step::Messages { at: place, cursor: Some(next), reached: lowest.or(reached), pages: pages + 1 }
            }
            None => {
                at.pages += pages + 1;
                self.channel_at(at, place + 1)
            }
        };
        Ok(Some(resources))
    }

    /// About how many more pages there are. Of the present channel by how far back its messages have been read, of the others by the
    /// average of those before; both are guesses that become better on the way.
    fn pages_left(&self, page: &ListingPage, before: Option<&ChangeCursor>) -> Option<u32> {
        let Step::Messages { at, reached, pages, .. } = &page.step else {
            return matches!(page.step, Step::End).then_some(0);
        };
        let channel = page.channels().nth(*at)?;
        let known = before.filter(|before| before.channels.contains(channel));
        let floor = self.oldest(known).max(self.names.created(channel).map(Ts::of));
        let of_this = match (reached, floor) {
            (Some(reached), Some(floor)) if *pages > 0 && *reached > floor => {
                let (span, done) = (page.began.seconds() - floor.seconds(), page.began.seconds() - reached.seconds());
                i64::from(*pages).saturating_mul(span) / done.max(1)
            }
            _ => i64::from(*pages) + 1,
        };
        let of_this = of_this.max(i64::from(*pages) + 1);
        let through = i64::try_from(*at).ok()? + 1;
        let others = i64::try_from(page.channels().count()).ok()? - through;
        let left = of_this - i64::from(*pages) + (i64::from(page.pages) + of_this) * others / through;
        u32::try_from(left).ok()
    }

    /// From when on a channel is read: of one that was read before, what came since and a window before that.
    fn oldest(&self, known: Option<&ChangeCursor>) -> Option<Ts> {
        let since = self.config.since.map(Ts::of);
        since.max(known.map(|before| before.mark.earlier(self.config.late_replies)))
    }

    /// The threads that a page of messages stands for, with the text of those that have no replies.
    async fn threads(&self, channel: &str, messages: &[Message]) -> Result<Vec<Listed>, ProviderError> {
        let mut seen = HashSet::new();
        let in_scope = |message: &&Message| Ts::read(&message.ts).is_some_and(|ts| self.config.reaches(ts.at()));
        let heads: Vec<&Message> =
            messages.iter().filter_map(head).filter(in_scope).filter(|head| seen.insert(head.ts.as_str())).collect();
        if heads.is_empty() {
            return Ok(Vec::new());
        }
        let writer = Writer::new(self.names, channel).await?;
        let resolved = writer.resolve(&heads).await?;
        heads
            .into_iter()
            .map(|head| {
                let text = if has_replies(head) { None } else { writer.line(head, &resolved) };
                Ok(Listed { resource: writer.resource(head, &resolved)?, text })
            })
            .collect()
    }

    /// One page of files. Pages are numbered and shift when a file is deleted, so each begins where the last one's times end.
    async fn read_files(
        &self,
        at: &mut ListingPage,
        before: Option<&ChangeCursor>,
    ) -> Result<Vec<Listed>, ProviderError> {
        let Step::Files { to, page } = at.step.clone() else { return Ok(Vec::new()) };
        let channels: HashSet<&str> = at.channels().collect();
        // The files of a channel that is new to us may be of any age.
        let known = before.filter(|before| channels.iter().all(|channel| before.channels.contains(channel)));
        let from = self.oldest(known).map_or(0, Ts::seconds);
        let list = self.api.files(from, to, page).await?;
        let kept = list.files.iter().filter(|file| files::is_kept(file) && self.config.reaches(files::made(file)));
        let kept: Vec<_> = kept.collect();
        let people = self.names.people(&kept.iter().filter_map(|file| file.user.clone()).collect()).await?;
        let mut resources = Vec::new();
        for file in kept {
            let places: BTreeSet<&str> = file.places().filter(|place| channels.contains(place)).collect();
            for place in places {
                resources.push(Listed { resource: files::resource(file, place, &people)?, text: None });
            }
        }
        let goes_on = match list.paging.as_ref().map(|paging| (paging.page, paging.pages)) {
            Some((shown, Some(pages))) => shown.unwrap_or(page) < pages,
            _ => list.files.len() >= FILES_PAGE,
        };
        let lowest = list.files.iter().filter_map(|file| file.created).min();
        at.step = match lowest {
            _ if !goes_on || list.files.is_empty() => Step::End,
            Some(lowest) if lowest < to => Step::Files { to: lowest, page: 1 },
            _ if page >= MOST_FILE_PAGES => return Err(malformed("the files never end")),
            _ => Step::Files { to, page: page + 1 },
        };
        Ok(resources)
    }
}

/// Whether a channel cannot be read, while the others can.
pub fn is_out_of_reach(kind: &Kind) -> bool {
    matches!(kind, Kind::Forbidden(_) | Kind::NotFound)
}
