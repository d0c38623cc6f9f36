//! Everything that the emulated GitHub knows.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, SubsecRound, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::Digest;

use super::grants::{Client, Grants};
use crate::clock;

/// Git's hash of nothing at all stands for no commit in pushes.
pub const NO_COMMIT: &str = "0000000000000000000000000000000000000000";

/// A person or an organization.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Account {
    pub id: u64,
    pub login: String,
    pub name: String,
    pub organization: bool,
    pub created: DateTime<Utc>,
}

/// A repository with everything in it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Repo {
    pub id: u64,
    pub owner: String,
    pub name: String,
    pub private: bool,
    pub archived: bool,
    pub has_issues: bool,
    pub has_discussions: bool,
    pub branch: String,
    pub created: DateTime<Utc>,
    pub updated: DateTime<Utc>,
    pub pushed: DateTime<Utc>,
    /// People beside the owner who reach it; those with `true` administer it.
    pub people: BTreeMap<String, bool>,
    pub issues: BTreeMap<u64, Issue>,
    pub discussions: BTreeMap<u64, Discussion>,
    pub releases: BTreeMap<u64, Release>,
    pub commits: Vec<Commit>,
    pub last_number: u64,
    /// Numbers of issues that were deleted.
    pub deleted: BTreeSet<u64>,
}

impl Repo {
    /// `owner/name`.
    pub fn full_name(&self) -> String {
        format!("{}/{}", self.owner, self.name)
    }

    /// The latest commit of the default branch.
    pub fn head(&self) -> Option<&Commit> {
        self.commits.last()
    }

    /// A commit by hash, branch, or `HEAD`.
    pub fn commit(&self, of: &str) -> Option<&Commit> {
        let branch = of.strip_prefix("refs/heads/").unwrap_or(of);
        if branch == self.branch || of == "HEAD" {
            return self.head();
        }
        self.commits.iter().find(|commit| commit.sha == of || (of.len() >= 7 && commit.sha.starts_with(of)))
    }
}

/// An issue or a pull request.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Issue {
    pub id: u64,
    pub number: u64,
    pub title: String,
    pub body: Option<String>,
    /// `None` for somebody who is gone.
    pub author: Option<String>,
    pub open: bool,
    pub labels: Vec<String>,
    pub created: DateTime<Utc>,
    pub updated: DateTime<Utc>,
    pub closed: Option<DateTime<Utc>>,
    pub comments: BTreeMap<u64, Comment>,
    /// Of a pull request only.
    pub pull: Option<Pull>,
}

/// What a pull request has beside an issue.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Pull {
    pub draft: bool,
    pub reviews: BTreeMap<u64, Review>,
}

/// A comment.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Comment {
    pub id: u64,
    pub author: Option<String>,
    pub body: String,
    pub created: DateTime<Utc>,
    pub updated: DateTime<Utc>,
    /// Of a comment on a line.
    pub path: Option<String>,
    /// Of a comment on a discussion.
    #[serde(default)]
    pub replies: BTreeMap<u64, Comment>,
}

/// A review.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Review {
    pub id: u64,
    pub author: Option<String>,
    /// `APPROVED`, `CHANGES_REQUESTED`, `COMMENTED`.
    pub state: String,
    pub body: String,
    pub submitted: DateTime<Utc>,
    pub comments: BTreeMap<u64, Comment>,
}

/// A discussion.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Discussion {
    pub id: u64,
    pub number: u64,
    pub title: String,
    pub body: String,
    pub author: Option<String>,
    pub category: String,
    pub closed: bool,
    pub created: DateTime<Utc>,
    pub updated: DateTime<Utc>,
    pub comments: BTreeMap<u64, Comment>,
}

/// A release.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Release {
    pub id: u64,
    pub tag: String,
    pub name: Option<String>,
    pub body: Option<String>,
    pub draft: bool,
    pub prerelease: bool,
    pub author: String,
    pub created: DateTime<Utc>,
    pub updated: DateTime<Utc>,
}

/// A commit with its whole tree.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Commit {
    pub sha: String,
    pub parent: Option<String>,
    pub message: String,
    pub author: String,
    pub date: DateTime<Utc>,
    /// Hashes of contents, by path.
    pub files: BTreeMap<String, String>,
}

/// What is at a hash.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Blob {
    /// In base64, so that the state stays readable text.
    pub content: String,
    pub size: u64,
    /// `120000` makes it a link, `160000` another repository.
    pub mode: String,
}

/// A repository's hook.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Hook {
    pub id: u64,
    pub repo: u64,
    pub url: String,
    pub secret: Option<String>,
    pub content_type: String,
    pub events: Vec<String>,
    pub active: bool,
    pub created: DateTime<Utc>,
    /// Whoever made it.
    pub account: String,
}

/// The one hook of the GitHub App.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct AppHook {
    pub url: String,
    pub secret: Option<String>,
}

/// Something that hooks announce.
#[derive(Debug, Clone)]
pub struct Event {
    /// `None` for what concerns the App alone.
    pub repo: Option<u64>,
    pub name: &'static str,
    pub payload: Value,
}

/// Switches that tests turn.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Settings {
    /// Life of an access token; absent: an OAuth app's, which do not end.
    pub access_lifetime_seconds: Option<i64>,
    /// Entries from which on a tree is cut; GitHub's is 100,000.
    pub tree_limit: usize,
    /// Most files that a comparison tells.
    pub compare_limit: usize,
    /// Whether GraphQL is there; some servers have none.
    pub graphql: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { access_lifetime_seconds: None, tree_limit: 100_000, compare_limit: 300, graphql: true }
    }
}

/// The emulated GitHub.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct GitHub {
    pub accounts: BTreeMap<String, Account>,
    pub repos: BTreeMap<u64, Repo>,
    /// Former names of repositories that moved or were renamed.
    pub moved: BTreeMap<String, u64>,
    pub blobs: BTreeMap<String, Blob>,
    pub grants: Grants,
    pub hooks: BTreeMap<u64, Hook>,
    pub app_hook: Option<AppHook>,
    pub settings: Settings,
    last_id: u64,
    /// What is yet to be announced.
    #[serde(skip)]
    pub outbox: Vec<Event>,
}

impl GitHub {
    /// No accounts and no content, but the client that every sandbox has.
    pub fn empty() -> Self {
        let mut github = Self { last_id: 1000, ..Self::default() };
        let client = Client { secret: "sandbox-secret".to_owned(), redirect_uris: Vec::new() };
        github.grants.clients.insert("sandbox-client".to_owned(), client);
        github
    }

    /// A number that was not given out yet.
    pub fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// A repository by its name, or by the name that it had.
    pub fn named(&self, owner: &str, name: &str) -> Option<&Repo> {
        self.repos.values().find(|repo| repo.owner.eq_ignore_ascii_case(owner) && repo.name.eq_ignore_ascii_case(name))
    }

    /// Whether an account reaches a repository.
    pub fn may_read(&self, login: &str, repo: &Repo) -> bool {
        !repo.private || repo.owner == login || repo.people.contains_key(login)
    }

    /// Whether an account administers a repository.
    pub fn may_administer(&self, login: &str, repo: &Repo) -> bool {
        repo.owner == login || repo.people.get(login) == Some(&true)
    }

    /// The repositories of which an account is owner or collaborator, oldest first.
    pub fn repos_of<'a>(&'a self, login: &'a str) -> impl Iterator<Item = &'a Repo> {
        self.repos.values().filter(move |repo| repo.owner == login || repo.people.contains_key(login))
    }
}

/// The time now; GitHub's has no fractions of a second.
pub fn now() -> DateTime<Utc> {
    clock::now().trunc_subsecs(0)
}

/// Forty hexadecimal digits that follow from these parts.
pub fn sha(parts: &[&str]) -> String {
    let mut hash = sha2::Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let mut text = hex::encode(hash.finalize());
    text.truncate(40);
    text
}

/// The opaque id of something in GraphQL.
pub fn node_id(kind: &str, id: u64) -> String {
    use base64::Engine;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(format!("{kind}:{id}"))
}

/// What an opaque id stands for.
pub fn of_node(id: &str) -> Option<(String, u64)> {
    use base64::Engine;
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(id).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (kind, id) = text.split_once(':')?;
    Some((kind.to_owned(), id.parse().ok()?))
}
