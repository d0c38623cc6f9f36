//! Discussions, which only the GraphQL API has. Lists carry their text; long ones are fetched.

use domain::{Author, Resource, ResourceKind};
use serde_json::{Map, Value, json};

use super::client::{Api, error, malformed};
use super::config::Config;
use super::content::{INLINE_BYTES, Said, actor, plain, revision, written};
use super::cursor::Repo;
use super::graph::{Connection, Discussion, Discussions, InRepository, OneDiscussion, Remark};
use super::ids::{Name, What, numbered};
use crate::error::{Kind, ProviderError};
use crate::provider::{Body, FetchRequest, Fetched, Listed};

const FIELDS: &str =
    "number title body url closed createdAt updatedAt author{login ... on User{databaseId}} category{name}";
const REMARK: &str = "databaseId author{login} body createdAt";
/// Longest cursor of GitHub's that is believed.
const MAX_CURSOR_BYTES: usize = 1_000;

/// A page of a repository's discussions: the ones made first, or the ones changed last. Costs about ten of GitHub's points.
pub async fn page(
    api: Api<'_>,
    repo: &Repo,
    after: Option<&str>,
    latest_first: bool,
) -> Result<(Vec<Discussion>, Option<String>), ProviderError> {
    let order = if latest_first { "UPDATED_AT,direction:DESC" } else { "CREATED_AT,direction:ASC" };
    let query = format!(
        "query($owner:String!,$name:String!,$after:String){{repository(owner:$owner,name:$name){{discussions(first:30,after:$after,\
         orderBy:{{field:{order}}}){{nodes{{{FIELDS} comments(first:30){{nodes{{{REMARK} replies(first:20){{nodes{{{REMARK}}} \
         pageInfo{{hasNextPage}}}}}} pageInfo{{hasNextPage}}}}}} pageInfo{{hasNextPage endCursor}}}}}}}}"
    );
    let (owner, name) = repo.name.split_once('/').ok_or_else(|| malformed("a repository without a name"))?;
    let found: InRepository<Discussions> =
        api.graph(&query, json!({"owner": owner, "name": name, "after": after})).await?;
    let list = found.repository.ok_or_else(|| error(Kind::NotFound))?.discussions;
    let next = following(&list, after)?;
    Ok((list.nodes.into_iter().flatten().collect(), next))
}

/// Where a list goes on.
fn following<T>(list: &Connection<T>, after: Option<&str>) -> Result<Option<String>, ProviderError> {
    if !list.page_info.has_next_page {
        return Ok(None);
    }
    match &list.page_info.end_cursor {
        Some(end) if Some(end.as_str()) != after && end.len() <= MAX_CURSOR_BYTES => Ok(Some(end.clone())),
        _ => Err(malformed("a page that leads nowhere")),
    }
}

/// Discussions in scope, with their texts where these are short enough.
pub fn listed(config: &Config, repo: &Repo, discussions: &[Discussion]) -> Result<Vec<Listed>, ProviderError> {
    let wanted = discussions.iter().filter(|discussion| config.is_recent(discussion.updated_at));
    wanted
        .map(|discussion| {
            let text = whole(discussion).filter(|text| text.len() <= INLINE_BYTES);
            Ok(Listed { resource: resource(repo.id, &repo.name, discussion, text.as_deref())?, text })
        })
        .collect()
}

fn is_whole(remark: &Remark) -> bool {
    remark.replies.as_ref().is_none_or(|replies| !replies.page_info.has_next_page)
}

/// The whole text; `None` if the list did not bring all remarks.
fn whole(discussion: &Discussion) -> Option<String> {
    let comments = &discussion.comments;
    let is_all = !comments.page_info.has_next_page && comments.items().all(is_whole);
    is_all.then(|| opening(discussion) + &remarks(comments))
}

fn opening(discussion: &Discussion) -> String {
    let state = if discussion.closed { "closed" } else { "open" };
    let category =
        discussion.category.as_ref().map(|category| format!(". Category: {}", category.name)).unwrap_or_default();
    format!("Discussion, {state}{category}.\n\n{}", plain(&discussion.body))
}

/// Comments, each followed by its replies.
fn remarks(comments: &Connection<Remark>) -> String {
    let mut said = Vec::new();
    for comment in comments.items() {
        said.push(Said::remark(comment, ""));
        let replies = comment.replies.iter().flat_map(Connection::items);
        said.extend(replies.map(|reply| Said::remark(reply, "replying")));
    }
    written(&said)
}

fn resource(
    repository: u64,
    name: &str,
    discussion: &Discussion,
    text: Option<&str>,
) -> Result<Resource, ProviderError> {
    let title = format!("#{} {}", discussion.number, discussion.title);
    let mut metadata = Map::new();
    metadata.insert("number".to_owned(), json!(discussion.number));
    metadata.insert("repository".to_owned(), json!(name));
    metadata.insert("state".to_owned(), json!(if discussion.closed { "closed" } else { "open" }));
    if let Some(category) = &discussion.category {
        metadata.insert("category".to_owned(), json!(category.name));
    }
    let id = discussion.author.as_ref().and_then(|author| author.database_id);
    Ok(Resource {
        external_id: numbered(repository, What::Discussions, discussion.number)?,
        kind: ResourceKind::Message,
        revision: match text {
            Some(text) => revision(&title, text),
            None => discussion.updated_at.timestamp().to_string(),
        },
        name: title,
        mime_type: Some("text/markdown".to_owned()),
        bytes: None,
        url: Some(discussion.url.clone()).filter(|url| !url.is_empty()),
        parent_id: Some(repository.to_string()),
        author: Some(Author {
            id: id.map(|id| id.to_string()).unwrap_or_default(),
            name: actor(discussion.author.as_ref()),
            email: None,
        }),
        created_at: discussion.created_at,
        updated_at: discussion.updated_at,
        metadata,
    })
}

/// One discussion with the comments after a cursor.
pub async fn find(
    api: Api<'_>,
    repository: &str,
    name: Name<'_>,
    after: Option<&str>,
) -> Result<Discussion, ProviderError> {
    let query = format!(
        "query($owner:String!,$name:String!,$number:Int!,$after:String){{repository(owner:$owner,name:$name){{discussion(number:$number)\
         {{{FIELDS} comments(first:50,after:$after){{nodes{{{REMARK} replies(first:100){{nodes{{{REMARK}}} pageInfo{{hasNextPage}}}}}} \
         pageInfo{{hasNextPage endCursor}}}}}}}}}}"
    );
    let (owner, repo) = repository.split_once('/').ok_or_else(|| malformed("a repository without a name"))?;
    let variables = json!({"owner": owner, "name": repo, "number": name.number(), "after": after});
    let found: InRepository<OneDiscussion> = api.graph(&query, variables).await?;
    found.repository.and_then(|repository| repository.discussion).ok_or_else(|| error(Kind::NotFound))
}

/// A discussion with its comments, or the next part of them.
pub async fn fetch(api: Api<'_>, name: Name<'_>, request: FetchRequest<'_>) -> Result<Fetched, ProviderError> {
    let mut calls = request.calls;
    let said = request.known.and_then(|known| known.metadata.get("repository").and_then(Value::as_str));
    let repository = match said {
        Some(repository) => repository.to_owned(),
        None => {
            calls = calls.saturating_sub(1);
            api.repository(name.repository).await?.full_name
        }
    };
    let mut after = request.resume.map(str::to_owned);
    let mut text = String::new();
    let mut first = None;
    loop {
        let discussion = find(api, &repository, name, after.as_deref()).await?;
        if request.resume.is_none() && after.is_none() {
            text.push_str(&opening(&discussion));
        }
        text.push_str(&remarks(&discussion.comments));
        after = following(&discussion.comments, after.as_deref())?;
        first.get_or_insert(discussion);
        calls = calls.saturating_sub(1);
        if after.is_none() || calls == 0 {
            break;
        }
    }
    let is_whole = request.resume.is_none() && after.is_none();
    let resource = match (request.known, &first) {
        (Some(known), _) => known.clone(),
        (None, Some(discussion)) => {
            resource(name.repository, &repository, discussion, is_whole.then_some(text.as_str()))?
        }
        (None, None) => return Err(error(Kind::NotFound)),
    };
    Ok(Fetched { resource, body: Body::Text(text), next: after })
}
