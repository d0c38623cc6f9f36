//! Answers of the GraphQL API, under its names.

use domain::Timestamp;
use serde::Deserialize;

use super::wire::or_default;

/// The envelope.
#[derive(Debug, Deserialize)]
pub struct Answer<T> {
    pub data: Option<T>,
    #[serde(default)]
    pub errors: Vec<Failure>,
}

/// An error of a part of a query.
#[derive(Debug, Deserialize)]
pub struct Failure {
    #[serde(rename = "type", default)]
    pub kind: String,
}

/// Several nodes, in the order asked for; null where one is not to be had.
#[derive(Debug, Deserialize)]
pub struct Nodes<T> {
    pub nodes: Vec<Option<T>>,
}

/// A list with what follows.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Connection<T> {
    #[serde(default = "Vec::new")]
    pub nodes: Vec<Option<T>>,
    #[serde(default)]
    pub page_info: PageInfo,
}

impl<T> Connection<T> {
    /// What is there, without what is not to be had.
    pub fn items(&self) -> impl Iterator<Item = &T> {
        self.nodes.iter().flatten()
    }
}

/// Where a list goes on.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PageInfo {
    #[serde(default)]
    pub has_next_page: bool,
    pub end_cursor: Option<String>,
}

/// Who wrote something; null for accounts that are gone.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Actor {
    pub login: String,
    pub database_id: Option<u64>,
}

/// A repository's latest commit.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Head {
    pub database_id: Option<u64>,
    pub default_branch_ref: Option<Branch>,
}

/// A branch.
#[derive(Debug, Deserialize)]
pub struct Branch {
    pub target: Option<Target>,
}

/// What a branch points to.
#[derive(Debug, Deserialize)]
pub struct Target {
    pub oid: String,
}

/// What was said on an issue or a pull request.
#[derive(Debug, Deserialize)]
pub struct Thread {
    pub id: String,
    pub comments: Option<Connection<Remark>>,
    pub reviews: Option<Connection<Review>>,
}

/// A comment.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Remark {
    pub database_id: Option<u64>,
    pub author: Option<Actor>,
    #[serde(default, deserialize_with = "or_default")]
    pub body: String,
    pub path: Option<String>,
    pub created_at: Timestamp,
    pub replies: Option<Connection<Remark>>,
}

/// A review.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Review {
    pub author: Option<Actor>,
    #[serde(default, deserialize_with = "or_default")]
    pub body: String,
    #[serde(default)]
    pub state: String,
    pub submitted_at: Option<Timestamp>,
    pub comments: Option<Connection<Remark>>,
}

/// A repository, as far as one query asks.
#[derive(Debug, Deserialize)]
pub struct InRepository<T> {
    pub repository: Option<T>,
}

/// A repository's discussions.
#[derive(Debug, Deserialize)]
pub struct Discussions {
    pub discussions: Connection<Discussion>,
}

/// One discussion of a repository.
#[derive(Debug, Deserialize)]
pub struct OneDiscussion {
    pub discussion: Option<Discussion>,
}

/// A discussion.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Discussion {
    pub number: u64,
    #[serde(default)]
    pub title: String,
    #[serde(default, deserialize_with = "or_default")]
    pub body: String,
    #[serde(default)]
    pub url: String,
    pub author: Option<Actor>,
    pub category: Option<Named>,
    #[serde(default)]
    pub closed: bool,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub comments: Connection<Remark>,
}

/// Something with a name.
#[derive(Debug, Clone, Deserialize)]
pub struct Named {
    pub name: String,
}
