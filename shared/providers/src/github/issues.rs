//! Issues and pull requests: listed with their text, which one query brings for many, and fetched where that is too long.

use std::collections::HashMap;

use domain::{Resource, ResourceKind};
use serde::{Deserialize, Serialize};
use serde_json::{Map, json};

use super::client::{Api, At, error, malformed, name_in};
use super::config::Config;
use super::content::{INLINE_BYTES, Said, author, opening, revision, written};
use super::graph;
use super::ids::{Name, What, numbered};
use super::wire;
use crate::error::{Kind, ProviderError};
use crate::provider::{Body, FetchRequest, Fetched, Listed};

/// Threads that one query asks for. With a pull request's reviews it costs about 20 of GitHub's 5,000 points an hour.
const THREADS_PER_QUERY: usize = 50;
/// Pages of remarks that are fetched of one thread; beyond 5,000 of a kind it is cut.
const MAX_PAGES: u32 = 50;

const THREADS: &str = "query($ids:[ID!]!){nodes(ids:$ids){id ... on Issue{comments(first:60){nodes{...remark} \
    pageInfo{hasNextPage}}} ... on PullRequest{comments(first:60){nodes{...remark} pageInfo{hasNextPage}} \
    reviews(first:40){nodes{author{login} body state submittedAt comments(first:20){nodes{databaseId author{login} body path \
    createdAt} pageInfo{hasNextPage}}} pageInfo{hasNextPage}}}}} fragment remark on IssueComment{databaseId author{login} body createdAt}";

/// The issues of a page that are in scope, with their texts where these are short enough.
pub async fn listed(
    api: Api<'_>,
    config: &Config,
    repository: u64,
    issues: Vec<wire::Issue>,
) -> Result<Vec<Listed>, ProviderError> {
    let issues: Vec<wire::Issue> =
        issues.into_iter().filter(|issue| config.has(what(issue)) && config.is_recent(issue.updated_at)).collect();
    let said = said(api, &issues).await?;
    let mut listed = Vec::with_capacity(issues.len());
    for issue in &issues {
        let remarks = if is_bare(issue) { Some("") } else { said.get(&issue.node_id).map(String::as_str) };
        let text = remarks.map(|remarks| opening(issue) + remarks).filter(|text| text.len() <= INLINE_BYTES);
        listed.push(Listed { resource: resource(repository, issue, text.as_deref())?, text });
    }
    Ok(listed)
}

/// Whether nobody has said anything on it. Reviews of a pull request are not counted among its comments.
const fn is_bare(issue: &wire::Issue) -> bool {
    issue.comments == 0 && issue.pull_request.is_none()
}

/// What was said on these, by node, where it is whole. Nothing of what could not be had this way: it is fetched then.
async fn said(api: Api<'_>, issues: &[wire::Issue]) -> Result<HashMap<String, String>, ProviderError> {
    let ids: Vec<&str> = issues
        .iter()
        .filter(|issue| !is_bare(issue) && !issue.node_id.is_empty())
        .map(|issue| issue.node_id.as_str())
        .collect();
    let mut texts = HashMap::new();
    for some in ids.chunks(THREADS_PER_QUERY) {
        let nodes: graph::Nodes<graph::Thread> = match api.graph(THREADS, json!({"ids": some})).await {
            Ok(nodes) => nodes,
            Err(refused) if matches!(refused.kind, Kind::RateLimited { .. } | Kind::TokenRejected) => {
                return Err(refused);
            }
            // Too much at once for GitHub, or a server without GraphQL.
            Err(_) => continue,
        };
        texts.extend(nodes.nodes.into_iter().flatten().filter_map(|thread| Some((thread.id.clone(), whole(&thread)?))));
    }
    Ok(texts)
}

/// The remarks of a thread; `None` if the query did not bring all.
fn whole(thread: &graph::Thread) -> Option<String> {
    let comments = thread.comments.as_ref()?;
    if comments.page_info.has_next_page {
        return None;
    }
    let mut remarks: Vec<Said> = comments.items().map(|remark| Said::remark(remark, "")).collect();
    if let Some(reviews) = &thread.reviews {
        let cut = |inner: &graph::Review| inner.comments.as_ref().is_some_and(|inner| inner.page_info.has_next_page);
        if reviews.page_info.has_next_page || reviews.items().any(cut) {
            return None;
        }
        remarks.extend(reviews.items().filter_map(Said::graph_review));
        let handed_in = reviews.items().filter(|review| review.submitted_at.is_some());
        let lines = handed_in.flat_map(|review| review.comments.iter().flat_map(graph::Connection::items));
        let mut lines: Vec<Said> = lines.map(|remark| Said::remark(remark, "")).collect();
        lines.sort_by_key(|said| (said.at, said.id));
        remarks.extend(lines);
    }
    Some(written(&remarks))
}

/// Whether it is a pull request.
pub const fn what(issue: &wire::Issue) -> What {
    if issue.pull_request.is_some() { What::Pulls } else { What::Issues }
}

/// An issue or a pull request as a resource; its revision is that of its text, where that is known.
pub fn resource(repository: u64, issue: &wire::Issue, text: Option<&str>) -> Result<Resource, ProviderError> {
    let name = format!("#{} {}", issue.number, issue.title);
    let labels: Vec<&str> = issue.labels.iter().filter_map(wire::Label::name).collect();
    let assignees: Vec<&str> = issue.assignees.iter().map(|user| user.login.as_str()).collect();
    let mut metadata = Map::new();
    metadata.insert("number".to_owned(), json!(issue.number));
    metadata.insert("state".to_owned(), json!(issue.state));
    metadata.insert("comments".to_owned(), json!(issue.comments));
    if let Some(repository) = name_in(&issue.repository_url) {
        metadata.insert("repository".to_owned(), json!(repository));
    }
    if !labels.is_empty() {
        metadata.insert("labels".to_owned(), json!(labels));
    }
    if !assignees.is_empty() {
        metadata.insert("assignees".to_owned(), json!(assignees));
    }
    Ok(Resource {
        external_id: numbered(repository, what(issue), issue.number)?,
        kind: ResourceKind::Issue,
        revision: match text {
            Some(text) => revision(&name, text),
            None => format!("{}:{}", issue.updated_at.timestamp(), issue.comments),
        },
        name,
        mime_type: Some("text/markdown".to_owned()),
        bytes: None,
        url: Some(issue.html_url.clone()).filter(|url| !url.is_empty()),
        parent_id: Some(repository.to_string()),
        author: Some(author(issue.user.as_ref())),
        created_at: issue.created_at,
        updated_at: issue.updated_at,
        metadata,
    })
}

/// One issue, as it is now. One that went to another repository counts as gone: it is listed there.
pub async fn find(api: Api<'_>, at: At<'_>, name: Name<'_>) -> Result<wire::Issue, ProviderError> {
    let issue: wire::Issue = api.one(at, &["issues", name.which], "").await?;
    if issue.number != name.number() || what(&issue) != name.what {
        return Err(error(Kind::NotFound));
    }
    Ok(issue)
}

/// Where a fetch goes on.
#[derive(Debug, Serialize, Deserialize)]
struct Frontier {
    stage: Stage,
    query: Option<String>,
    pages: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Stage {
    Comments,
    Reviews,
    Lines,
}

impl Stage {
    /// The first stage of a thread that has anything.
    const fn first(what: What, comments: u64) -> Option<Self> {
        match (what, comments) {
            (_, 1..) => Some(Self::Comments),
            (What::Pulls, 0) => Some(Self::Reviews),
            (_, 0) => None,
        }
    }

    const fn next(self, what: What) -> Option<Self> {
        match (self, what) {
            (Self::Comments, What::Pulls) => Some(Self::Reviews),
            (Self::Reviews, _) => Some(Self::Lines),
            (Self::Comments | Self::Lines, _) => None,
        }
    }
}

/// Calls that a part of a fetch makes at most.
pub fn calls(what: What, known: Option<&Resource>) -> u32 {
    let comments = known.and_then(|known| known.metadata.get("comments")?.as_u64()).unwrap_or(100);
    let pages = u32::try_from(comments.div_ceil(100)).unwrap_or(u32::MAX).clamp(0, 6);
    1 + pages + if what == What::Pulls { 2 } else { 0 }
}

/// An issue or a pull request with what was said on it, or the next part of that.
pub async fn fetch(
    api: Api<'_>,
    at: At<'_>,
    name: Name<'_>,
    request: FetchRequest<'_>,
) -> Result<Fetched, ProviderError> {
    let mut calls = request.calls;
    let (mut text, mut frontier, issue) = match request.resume {
        None => {
            let issue = find(api, at, name).await?;
            calls = calls.saturating_sub(1);
            let first = Stage::first(name.what, issue.comments);
            let frontier = first.map(|stage| Frontier { stage, query: None, pages: 0 });
            (opening(&issue), frontier, Some(issue))
        }
        Some(text) => {
            let frontier = serde_json::from_str(text).map_err(|_| error(Kind::PageExpired))?;
            (String::new(), Some(frontier), None)
        }
    };
    while let Some(present) = frontier.take() {
        if calls == 0 {
            frontier = Some(present);
            break;
        }
        calls -= 1;
        let (remarks, next) = remarks(api, at, name, &present).await?;
        text.push_str(&written(&remarks));
        let pages = present.pages + 1;
        frontier = match next.filter(|_| pages < MAX_PAGES) {
            Some(query) => Some(Frontier { query: Some(query), pages, ..present }),
            None => present.stage.next(name.what).map(|stage| Frontier { stage, query: None, pages: 0 }),
        };
    }
    let next = frontier.map(|frontier| serde_json::to_string(&frontier)).transpose();
    let next = next.map_err(|cause| malformed("a frontier").because(cause))?;
    let is_whole = request.resume.is_none() && next.is_none();
    let resource = match (request.known, issue) {
        (Some(known), _) => known.clone(),
        (None, Some(issue)) => resource(name.repository, &issue, is_whole.then_some(text.as_str()))?,
        (None, None) => resource(name.repository, &find(api, at, name).await?, None)?,
    };
    Ok(Fetched { resource, body: Body::Text(text), next })
}

async fn remarks(
    api: Api<'_>,
    at: At<'_>,
    name: Name<'_>,
    present: &Frontier,
) -> Result<(Vec<Said>, Option<String>), ProviderError> {
    let query = present.query.as_deref().unwrap_or("per_page=100");
    let (list, leaf) = match present.stage {
        Stage::Comments => ("issues", "comments"),
        Stage::Reviews => ("pulls", "reviews"),
        Stage::Lines => ("pulls", "comments"),
    };
    let path = [list, name.which, leaf];
    if present.stage == Stage::Reviews {
        let page = api.list::<wire::Review>(at, &path, query, None).await?.page();
        let (items, next) = page.map(|page| (page.items, page.next)).unwrap_or_default();
        return Ok((items.iter().filter_map(Said::review).collect(), next));
    }
    let page = api.list::<wire::Comment>(at, &path, query, None).await?.page();
    let (items, next) = page.map(|page| (page.items, page.next)).unwrap_or_default();
    Ok((items.iter().map(Said::comment).collect(), next))
}
