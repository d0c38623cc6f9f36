//! GitHub's JSON under GitHub's names (REST, version 2022-11-28, and the GraphQL API). What we do not read is not named; what may be
//! missing is optional; a wrong type fails the whole answer, because nothing of it may be believed then.

use domain::Timestamp;
use serde::{Deserialize, Deserializer};

/// A person, a bot or an organization. `GET /user` gives more of it.
#[derive(Debug, Clone, Deserialize)]
pub struct User {
    pub id: u64,
    pub login: String,
}

/// A repository.
#[derive(Debug, Clone, Deserialize)]
pub struct Repository {
    pub id: u64,
    #[serde(default)]
    pub node_id: String,
    pub full_name: String,
    #[serde(default)]
    pub html_url: String,
    #[serde(default)]
    pub archived: bool,
    #[serde(default)]
    pub disabled: bool,
    pub default_branch: Option<String>,
    pub pushed_at: Option<Timestamp>,
    #[serde(default)]
    pub has_discussions: bool,
}

/// An issue; a pull request too, which has `pull_request`.
#[derive(Debug, Clone, Deserialize)]
pub struct Issue {
    #[serde(default)]
    pub node_id: String,
    pub number: u64,
    #[serde(default, deserialize_with = "or_default")]
    pub title: String,
    pub body: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub state: String,
    pub state_reason: Option<String>,
    pub user: Option<User>,
    #[serde(default)]
    pub labels: Vec<Label>,
    #[serde(default, deserialize_with = "or_default")]
    pub assignees: Vec<User>,
    #[serde(default)]
    pub comments: u64,
    #[serde(default)]
    pub html_url: String,
    #[serde(default)]
    pub repository_url: String,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub pull_request: Option<serde::de::IgnoredAny>,
    #[serde(default, deserialize_with = "or_default")]
    pub draft: bool,
}

/// A label: an object, or only its name.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum Label {
    Name(String),
    Object { name: Option<String> },
}

impl Label {
    /// Its name, if it has one.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Name(name) => Some(name),
            Self::Object { name } => name.as_deref(),
        }
    }
}

/// A comment on an issue, or on a line of a pull request (then with a path).
#[derive(Debug, Clone, Deserialize)]
pub struct Comment {
    pub id: u64,
    pub body: Option<String>,
    pub user: Option<User>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    #[serde(default)]
    pub issue_url: String,
    pub path: Option<String>,
}

/// A review of a pull request.
#[derive(Debug, Clone, Deserialize)]
pub struct Review {
    pub user: Option<User>,
    pub body: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub state: String,
    pub submitted_at: Option<Timestamp>,
}

/// A release.
#[derive(Debug, Clone, Deserialize)]
pub struct Release {
    pub id: u64,
    #[serde(default)]
    pub tag_name: String,
    pub name: Option<String>,
    pub body: Option<String>,
    #[serde(default)]
    pub draft: bool,
    #[serde(default)]
    pub prerelease: bool,
    #[serde(default)]
    pub html_url: String,
    #[serde(default)]
    pub url: String,
    pub author: Option<User>,
    pub created_at: Timestamp,
    pub published_at: Option<Timestamp>,
    pub updated_at: Option<Timestamp>,
}

/// A tree, whole or cut off.
#[derive(Debug, Clone, Deserialize)]
pub struct Tree {
    pub sha: String,
    pub tree: Vec<TreeEntry>,
    #[serde(default)]
    pub truncated: bool,
}

/// What is in a tree.
#[derive(Debug, Clone, Deserialize)]
pub struct TreeEntry {
    pub path: String,
    #[serde(default)]
    pub mode: String,
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(default, deserialize_with = "or_default")]
    pub sha: String,
    pub size: Option<u64>,
}

/// What changed between two commits.
#[derive(Debug, Clone, Deserialize)]
pub struct Comparison {
    pub status: String,
    #[serde(default)]
    pub commits: Vec<Commit>,
    pub files: Option<Vec<ChangedFile>>,
}

/// A file that changed.
#[derive(Debug, Clone, Deserialize)]
pub struct ChangedFile {
    pub filename: String,
    pub status: String,
    pub previous_filename: Option<String>,
}

/// A commit.
#[derive(Debug, Clone, Deserialize)]
pub struct Commit {
    pub commit: CommitBody,
    pub author: Option<CommitUser>,
}

/// GitHub's account behind a commit; an empty object where there is none.
#[derive(Debug, Clone, Deserialize)]
pub struct CommitUser {
    pub id: Option<u64>,
    pub login: Option<String>,
}

/// What git itself knows of a commit.
#[derive(Debug, Clone, Deserialize)]
pub struct CommitBody {
    pub author: Option<Signature>,
    pub committer: Option<Signature>,
}

/// Who committed, and when.
#[derive(Debug, Clone, Deserialize)]
pub struct Signature {
    pub name: Option<String>,
    pub email: Option<String>,
    pub date: Option<Timestamp>,
}

/// A file's content, or what else is at its path.
#[derive(Debug, Clone, Deserialize)]
pub struct Content {
    #[serde(rename = "type", default)]
    pub kind: String,
    #[serde(default)]
    pub encoding: String,
    #[serde(default)]
    pub content: String,
    #[serde(default)]
    pub sha: String,
    #[serde(default)]
    pub size: u64,
    #[serde(default)]
    pub url: String,
    pub html_url: Option<String>,
}

/// A repository hook that was made.
#[derive(Debug, Clone, Deserialize)]
pub struct Hook {
    pub id: u64,
}

/// An error's body.
#[derive(Debug, Default, Deserialize)]
pub struct Failure {
    #[serde(default)]
    pub message: String,
    #[serde(default)]
    pub errors: Vec<serde_json::Value>,
}

impl Failure {
    /// What an answer that is no success says; nothing, if it is not in this form.
    pub fn read(body: &[u8]) -> Self {
        serde_json::from_slice(body).unwrap_or_default()
    }

    /// Whether one of the errors has this code.
    pub fn has_code(&self, code: &str) -> bool {
        self.errors.iter().any(|error| error.get("code").and_then(serde_json::Value::as_str) == Some(code))
    }
}

/// A null counts as absent.
pub fn or_default<'de, T: Deserialize<'de> + Default, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_and_unknown_fields_are_no_trouble_but_wrong_types_are() {
        let check = |text: &str, good: bool| assert_eq!(serde_json::from_str::<Issue>(text).is_ok(), good, "{text}");
        let times = r#""created_at":"2026-01-02T03:04:05Z","updated_at":"2026-01-02T03:04:05Z""#;
        check(&format!(r#"{{"number":1,{times}}}"#), true);
        check(
            &format!(r#"{{"number":1,"title":null,"labels":["a",{{"name":"b"}},{{}}],"brandNew":[1],{times}}}"#),
            true,
        );
        check(&format!(r#"{{"number":"1",{times}}}"#), false);
        check(&format!(r#"{{"number":1,"title":7,{times}}}"#), false);
        check(r#"{"number":1,"created_at":"yesterday","updated_at":"2026-01-02T03:04:05Z"}"#, false);
        check("{}", false);
    }
}
