//! Listing everything: repository by repository, list by list.

use chrono::SecondsFormat;
use serde_json::json;

use super::client::{Api, error};
use super::config::Config;
use super::cursor::{ChangeCursor, List, ListingPage, Mark, Place, Repo};
use super::discussions;
use super::files::Reader;
use super::graph;
use super::ids::What;
use super::issues;
use super::refusals::is_about_a_repository;
use super::releases;
use super::repos::{self, Found};
use super::wire;
use crate::error::{Kind, ProviderError};
use crate::provider::{Listed, Page};

/// Lists that one page may look into: empty ones share a page.
const LISTS_PER_PAGE: usize = 8;
/// Repositories whose latest commits one query asks for.
const HEADS_PER_QUERY: usize = 100;

const HEADS: &str = "query($ids:[ID!]!){nodes(ids:$ids){... on Repository{databaseId defaultBranchRef{target{oid}}}}}";

/// The cursor from which changes are read later: the time now, by GitHub's clock, and each repository's latest commit.
pub async fn start_cursor(api: Api<'_>, config: &Config) -> Result<String, ProviderError> {
    let found = repos::in_scope(api, config).await?;
    let heads = if config.has(What::Files) { heads(api, &found).await? } else { Vec::new() };
    let mark = |repo: Repo| {
        let head = heads.iter().find(|(id, _)| *id == repo.id).map(|(_, sha)| sha.as_str());
        Mark::new(repo.id, repo.pushed, head)
    };
    ChangeCursor::new(found.at, found.repos().into_iter().map(mark).collect()).write()
}

/// The latest commits of these, by repository; empty where there is none. Nothing of those that are not told: their files are listed anew
/// when they change.
async fn heads(api: Api<'_>, found: &Found) -> Result<Vec<(u64, String)>, ProviderError> {
    let ids: Vec<&str> =
        found.repositories.iter().map(|one| one.node_id.as_str()).filter(|id| !id.is_empty()).collect();
    let mut heads = Vec::new();
    for some in ids.chunks(HEADS_PER_QUERY) {
        let nodes: graph::Nodes<graph::Head> = match api.graph(HEADS, json!({"ids": some})).await {
            Ok(nodes) => nodes,
            // A server without GraphQL, or one that does not let us look.
            Err(refused) if matches!(refused.kind, Kind::NotFound | Kind::Forbidden(_) | Kind::Rejected(_)) => continue,
            Err(refused) => return Err(refused),
        };
        heads.extend(nodes.nodes.into_iter().flatten().filter_map(|head| {
            let sha = head.default_branch_ref.and_then(|branch| branch.target).map(|target| target.oid);
            Some((head.database_id?, sha.unwrap_or_default()))
        }));
    }
    Ok(heads)
}

/// A page of everything.
pub async fn list(reader: Reader<'_>, page: Option<&str>) -> Result<Page, ProviderError> {
    let mut at = match page {
        Some(text) => ListingPage::read(text)?,
        None => ListingPage::first(repos::in_scope(reader.api, reader.config).await?.repos()),
    };
    let mut result = Page::default();
    for _ in 0..LISTS_PER_PAGE {
        while at.left.last().is_some_and(|repo| !is_wanted(reader.config, repo, at.place.list)) {
            at.go_on(None);
        }
        let Some(repo) = at.left.last().cloned() else { break };
        match step(reader, &repo, &at.place).await {
            Ok((listed, token)) => {
                at.go_on(token);
                result.resources = listed;
            }
            // Switched off in this repository, or the repository went since it was listed. Nothing is deleted for that alone: what is
            // missing from a listing is looked at one by one.
            Err(refused) if matches!(refused.kind, Kind::NotFound) => at.go_on(None),
            Err(refused) if is_about_a_repository(&refused.kind) => at.skip(),
            Err(refused) => return Err(refused),
        }
        if !result.resources.is_empty() {
            break;
        }
    }
    result.next = if at.left.is_empty() { None } else { Some(at.write()?) };
    Ok(result)
}

/// Whether a list of a repository may bring anything in scope. Comments come with what they are on.
fn is_wanted(config: &Config, repo: &Repo, list: List) -> bool {
    match list {
        List::Comments => false,
        List::Discussions => repo.has_discussions && config.has(What::Discussions),
        List::Issues | List::Releases | List::Files => list.brings().iter().any(|what| config.has(*what)),
    }
}

async fn step(reader: Reader<'_>, repo: &Repo, place: &Place) -> Result<(Vec<Listed>, Option<String>), ProviderError> {
    let (api, config, token) = (reader.api, reader.config, place.token.as_deref());
    match place.list {
        List::Issues => {
            let first = first_issues(config);
            let page = api.list::<wire::Issue>(repo.at(), &["issues"], token.unwrap_or(&first), None).await?;
            let page = page.page().ok_or_else(unasked)?;
            Ok((issues::listed(api, config, repo.id, page.items).await?, page.next))
        }
        List::Comments => Ok((Vec::new(), None)),
        List::Discussions => {
            let (found, next) = discussions::page(api, repo, token, false).await?;
            Ok((discussions::listed(config, repo, &found)?, next))
        }
        List::Releases => {
            let query = token.unwrap_or("per_page=100");
            let page = api.list::<wire::Release>(repo.at(), &["releases"], query, None).await?;
            let page = page.page().ok_or_else(unasked)?;
            Ok((releases::listed(config, repo.id, &page.items)?, page.next))
        }
        List::Files => reader.list(repo, token).await,
    }
}

/// In the order of their making, which no change disturbs while pages are turned.
fn first_issues(config: &Config) -> String {
    let since = config.since.map(|since| format!("&since={}", since.to_rfc3339_opts(SecondsFormat::Secs, true)));
    format!("state=all&sort=created&direction=asc&per_page=100{}", since.unwrap_or_default())
}

/// Nothing conditional was asked, so nothing can be unchanged.
pub fn unasked() -> ProviderError {
    error(Kind::Malformed("an answer to a condition that was not set".to_owned()))
}
