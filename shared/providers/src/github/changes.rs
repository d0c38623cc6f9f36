//! Listing what changed: each list of each repository from its mark on. Where nothing has changed, a conditional request says so and costs
//! nothing of the limit.

use std::collections::BTreeSet;

use chrono::SecondsFormat;
use domain::Timestamp;

use super::client::News;
use super::config::Config;
use super::cursor::{ChangeCursor, ChangesPage, Feed, Item, List, Mark, Repo, digest};
use super::discussions;
use super::files::{Changes, Reader};
use super::issues;
use super::refusals::is_about_a_repository;
use super::releases;
use super::repos;
use super::wire;
use crate::error::{Kind, ProviderError};
use crate::provider::{Listed, Page};

/// Lists that one page may look into: quiet ones share a page.
const LISTS_PER_PAGE: usize = 30;
/// Calls that one page may make that count: unchanged lists cost nothing.
const CALLS_PER_PAGE: usize = 8;
/// Comments that are read at once. Each may lead to another issue, which is one more call.
const COMMENTS_PER_PAGE: &str = "30";

/// What one look into a list brought.
#[derive(Default)]
struct Step {
    page: Page,
    /// Where the same list goes on.
    token: Option<String>,
    /// Items that were read.
    items: Vec<Item>,
    /// For a conditional request for the same page.
    etag: Option<String>,
    /// Calls that counted.
    calls: usize,
    /// Nothing has changed: the mark stays as it is.
    is_same: bool,
}

/// A page of changes since `cursor`.
pub async fn list(reader: Reader<'_>, cursor: &str, page: Option<&str>) -> Result<Page, ProviderError> {
    let cursor = ChangeCursor::read(cursor)?;
    let mut at = match page {
        Some(text) => ChangesPage::read(text)?,
        None => {
            let repos = repos::in_scope(reader.api, reader.config).await?.repos();
            let now: BTreeSet<u64> = repos.iter().map(|repo| repo.id).collect();
            let before: BTreeSet<u64> = cursor.marks.iter().map(|mark| mark.id).collect();
            if now != before {
                // One came or went (made, deleted, shared, moved away): it is listed, or what was synced of it is looked for and goes.
                return Ok(Page { relist: true, ..Page::default() });
            }
            ChangesPage::first(repos, cursor)
        }
    };
    let mut result = Page::default();
    let mut calls = 0;
    for _ in 0..LISTS_PER_PAGE {
        while at.at.left.last().is_some_and(|repo| !is_wanted(reader.config, repo, at.at.place.list, &mut at.fresh)) {
            at.at.go_on(None);
        }
        let Some(repo) = at.at.left.last().cloned() else { break };
        let step = match step(reader, &repo, &mut at).await {
            Ok(step) => step,
            Err(refused) if matches!(refused.kind, Kind::NotFound) => {
                Step { calls: 1, is_same: true, ..Step::default() }
            }
            Err(refused) if is_about_a_repository(&refused.kind) => {
                at.at.skip();
                at.items.clear();
                continue;
            }
            Err(refused) => return Err(refused),
        };
        if step.page.relist {
            return Ok(Page { relist: true, ..Page::default() });
        }
        calls += step.calls;
        result.resources = step.page.resources;
        result.gone = step.page.gone;
        keep(&mut at, &repo, step.token, step.items, step.etag, step.is_same);
        if !result.resources.is_empty() || !result.gone.is_empty() || calls >= CALLS_PER_PAGE {
            break;
        }
    }
    if at.at.left.is_empty() {
        result.cursor = Some(at.fresh.write()?);
    } else {
        result.next = Some(at.write()?);
    }
    Ok(result)
}

/// Notes how far the present list was read, and goes on.
fn keep(
    at: &mut ChangesPage,
    repo: &Repo,
    token: Option<String>,
    items: Vec<Item>,
    etag: Option<String>,
    is_same: bool,
) {
    if at.at.place.token.is_none() {
        at.items.clear();
    }
    at.items.extend(items);
    if token.is_none() {
        let (list, began, read) = (at.at.place.list, at.fresh.began, std::mem::take(&mut at.items));
        if let Some(feed) = at.fresh.mark(repo.id).and_then(|mark| feed(mark, list)).filter(|_| !is_same) {
            feed.since = feed.since.or(Some(began));
            if read.iter().all(|item| feed.seen.contains(item)) {
                feed.set_etag(etag.as_deref());
            } else {
                feed.advance(&read);
            }
        }
    }
    at.at.go_on(token);
}

fn feed(mark: &mut Mark, list: List) -> Option<&mut Feed> {
    match list {
        List::Issues => Some(&mut mark.issues),
        List::Comments => Some(&mut mark.comments),
        List::Discussions => Some(&mut mark.discussions),
        List::Releases => Some(&mut mark.releases),
        List::Files => None,
    }
}

/// Whether a list of a repository may bring news in scope.
fn is_wanted(config: &Config, repo: &Repo, list: List, cursor: &mut ChangeCursor) -> bool {
    let has_any = list.brings().iter().any(|what| config.has(*what));
    match list {
        List::Discussions => has_any && repo.has_discussions,
        List::Files => has_any && cursor.mark(repo.id).is_none_or(|mark| mark.pushed != repo.pushed),
        List::Issues | List::Comments | List::Releases => has_any,
    }
}

async fn step(reader: Reader<'_>, repo: &Repo, at: &mut ChangesPage) -> Result<Step, ProviderError> {
    let (list, token, began) = (at.at.place.list, at.at.place.token.clone(), at.fresh.began);
    let Some(mark) = at.fresh.mark(repo.id) else { return Ok(Step::default()) };
    if list == List::Files {
        return files(reader, repo, mark, token.as_deref()).await;
    }
    let Some(feed) = feed(mark, list) else { return Ok(Step::default()) };
    let since = feed.since.unwrap_or(began);
    match list {
        List::Issues => changed_issues(reader, repo, feed, since, token).await,
        List::Comments => changed_comments(reader, repo, feed, since, token).await,
        List::Discussions => changed_discussions(reader, repo, feed, since, token).await,
        List::Releases | List::Files => changed_releases(reader, repo, feed, since).await,
    }
}

fn written(second: i64) -> String {
    Timestamp::from_timestamp(second, 0).unwrap_or_default().to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// What a list says, if it has changed since it was read last.
async fn asked<T: serde::de::DeserializeOwned>(
    reader: Reader<'_>,
    repo: &Repo,
    path: &[&str],
    feed: &Feed,
    first: &str,
    token: Option<&str>,
) -> Result<Option<super::client::Listed<T>>, ProviderError> {
    let etag = feed.etag().filter(|_| token.is_none());
    let news = reader.api.list::<T>(repo.at(), path, token.unwrap_or(first), etag.as_deref()).await?;
    match news {
        News::Same if etag.is_none() => Err(super::listing::unasked()),
        news => Ok(news.page()),
    }
}

fn unchanged() -> Step {
    Step { is_same: true, ..Step::default() }
}

/// What is news of what was listed, and everything as it was read. `read` tells number and second of what the list showed, in scope or not.
fn news(feed: &Feed, read: &[(u64, i64)], listed: Vec<Listed>) -> (Vec<Listed>, Vec<Item>) {
    let number =
        |one: &Listed| one.resource.external_id.as_str().rsplit('/').next().and_then(|text| text.parse::<u64>().ok());
    let version = |wanted: u64| {
        listed.iter().find(|one| number(one) == Some(wanted)).map_or(0, |one| digest(&one.resource.revision))
    };
    let items: Vec<Item> = read.iter().map(|(number, at)| (*number, *at, version(*number))).collect();
    let known: BTreeSet<u64> =
        items.iter().filter(|item| feed.seen.contains(item)).map(|(number, ..)| *number).collect();
    let news = listed.into_iter().filter(|one| number(one).is_none_or(|number| !known.contains(&number))).collect();
    (news, items)
}

async fn changed_issues(
    reader: Reader<'_>,
    repo: &Repo,
    feed: &Feed,
    since: i64,
    token: Option<String>,
) -> Result<Step, ProviderError> {
    let first = format!("state=all&sort=updated&direction=asc&per_page=100&since={}", written(since));
    let Some(list) = asked::<wire::Issue>(reader, repo, &["issues"], feed, &first, token.as_deref()).await? else {
        return Ok(unchanged());
    };
    let read: Vec<_> = list.items.iter().map(|issue| (issue.number, issue.updated_at.timestamp())).collect();
    let calls = 1 + usize::from(!read.is_empty());
    let (resources, items) = news(feed, &read, issues::listed(reader.api, reader.config, repo.id, list.items).await?);
    let page = Page { resources, ..Page::default() };
    Ok(Step { page, token: list.next, items, etag: list.etag, calls, is_same: false })
}

/// Comments that changed. An edited one does not always move the time of what it is on.
async fn changed_comments(
    reader: Reader<'_>,
    repo: &Repo,
    feed: &Feed,
    since: i64,
    token: Option<String>,
) -> Result<Step, ProviderError> {
    let first = format!("sort=updated&direction=asc&per_page={COMMENTS_PER_PAGE}&since={}", written(since));
    let Some(list) =
        asked::<wire::Comment>(reader, repo, &["issues", "comments"], feed, &first, token.as_deref()).await?
    else {
        return Ok(unchanged());
    };
    let item = |comment: &wire::Comment| -> Item {
        (comment.id, comment.updated_at.timestamp(), digest(comment.body.as_deref().unwrap_or_default()))
    };
    let items: Vec<Item> = list.items.iter().map(item).collect();
    // A new comment has moved its issue, which was just read.
    let is_edit =
        |comment: &&wire::Comment| comment.updated_at > comment.created_at && !feed.seen.contains(&item(comment));
    let numbers = list
        .items
        .iter()
        .filter(is_edit)
        .filter_map(|comment| comment.issue_url.rsplit('/').next()?.parse::<u64>().ok());
    let numbers: BTreeSet<u64> = numbers.collect();
    let mut found = Vec::new();
    for number in &numbers {
        match reader.api.one::<wire::Issue>(repo.at(), &["issues", &number.to_string()], "").await {
            Ok(issue) => found.push(issue),
            Err(refused) if refused.kind == Kind::NotFound => {}
            Err(refused) => return Err(refused),
        }
    }
    let resources = issues::listed(reader.api, reader.config, repo.id, found).await?;
    let page = Page { resources, ..Page::default() };
    Ok(Step { page, token: list.next, items, etag: list.etag, calls: 1 + numbers.len(), is_same: false })
}

/// The discussions changed last come first: reading ends at what was read before.
async fn changed_discussions(
    reader: Reader<'_>,
    repo: &Repo,
    feed: &Feed,
    since: i64,
    token: Option<String>,
) -> Result<Step, ProviderError> {
    let (found, next) = discussions::page(reader.api, repo, token.as_deref(), true).await?;
    let reached = found.iter().any(|one| one.updated_at.timestamp() < since);
    let recent: Vec<_> = found.into_iter().filter(|one| one.updated_at.timestamp() >= since).collect();
    let read: Vec<_> = recent.iter().map(|one| (one.number, one.updated_at.timestamp())).collect();
    let (resources, items) = news(feed, &read, discussions::listed(reader.config, repo, &recent)?);
    let page = Page { resources, ..Page::default() };
    Ok(Step { page, token: next.filter(|_| !reached), items, etag: None, calls: 1, is_same: false })
}

/// The list of releases has no beginning in time: its first hundred are looked at, of which the changed ones count. An edit of an older
/// one is announced, and found by the next full listing.
async fn changed_releases(reader: Reader<'_>, repo: &Repo, feed: &Feed, since: i64) -> Result<Step, ProviderError> {
    let list = asked::<wire::Release>(reader, repo, &["releases"], feed, "per_page=100", None).await?;
    let Some(list) = list else { return Ok(unchanged()) };
    let recent: Vec<_> = list.items.into_iter().filter(|one| releases::updated(one).timestamp() >= since).collect();
    let read: Vec<_> = recent.iter().map(|one| (one.id, releases::updated(one).timestamp())).collect();
    let (resources, items) = news(feed, &read, releases::listed(reader.config, repo.id, &recent)?);
    let page = Page { resources, ..Page::default() };
    Ok(Step { page, token: None, items, etag: list.etag, calls: 1, is_same: false })
}

/// Files that changed since the commit that the mark names.
async fn files(reader: Reader<'_>, repo: &Repo, mark: &mut Mark, token: Option<&str>) -> Result<Step, ProviderError> {
    let relist = || Step { page: Page { relist: true, ..Page::default() }, ..Step::default() };
    // From page to page the goal stays the same; a push meanwhile is the next listing's matter.
    let (head, place) = match token.and_then(|token| token.split_once(' ')) {
        Some((head, place)) => (Some(head.to_owned()), Some(place)),
        None => (reader.api.head(repo.at(), &repo.branch).await?, None),
    };
    let Some(base) = mark.head() else { return Ok(relist()) };
    let Some(head) = head else {
        if !base.is_empty() {
            return Ok(relist());
        }
        mark.pushed = repo.pushed;
        return Ok(Step { calls: 1, ..Step::default() });
    };
    let (page, next) = if base == head {
        (Page::default(), None)
    } else if base.is_empty() {
        let (resources, next) = reader.list(repo, place).await?;
        (Page { resources, ..Page::default() }, next)
    } else {
        match reader.changes(repo, &base, &head, place).await? {
            Changes::These { listed, gone, next } => (Page { resources: listed, gone, ..Page::default() }, next),
            Changes::Unclear => return Ok(relist()),
        }
    };
    if next.is_none() {
        mark.set_head(&head);
        mark.pushed = repo.pushed;
    }
    let token = next.map(|next| format!("{head} {next}"));
    Ok(Step { page, token, calls: 3, ..Step::default() })
}
