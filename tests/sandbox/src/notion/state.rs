//! Everything that the emulated Notion knows: workspaces, people, a forest of pages, databases and blocks, comments, connections.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{grants::Grants, news::News};
use crate::{clock, random};

/// A workspace.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Workspace {
    pub id: String,
    pub name: String,
}

/// A person, who belongs to one workspace.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Person {
    pub id: String,
    pub email: String,
    pub name: String,
    pub workspace: String,
}

/// What a node is.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// A page, or a row: then `values` are its properties beside the title, in the API's form.
    Page {
        title: String,
        icon: Option<String>,
        values: Map<String, Value>,
        /// The text that a perfect reader finds in its blocks.
        text: String,
    },
    /// A database, which holds data sources.
    Database { title: String },
    /// A data source; `columns` are its properties beside the title's, in the API's form.
    Source { title: String, description: String, columns: Map<String, Value> },
    /// A block: its type, and what stands under that name.
    Block { kind: String, content: Value },
}

/// A page, database, data source or block.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Node {
    pub id: String,
    pub workspace: String,
    /// Absent at the top of the workspace.
    pub parent: Option<String>,
    pub children: Vec<String>,
    pub what: What,
    pub created: DateTime<Utc>,
    pub edited: DateTime<Utc>,
    /// Ids of people.
    pub created_by: String,
    pub edited_by: String,
    pub trashed: bool,
    /// Left out of searches, as Notion's index does at times.
    pub unindexed: bool,
}

/// A comment on a page.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Comment {
    pub id: String,
    pub page: String,
    pub by: String,
    pub text: String,
    pub created: DateTime<Utc>,
}

/// The one webhook subscription of the application.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Hook {
    pub id: String,
    pub url: Option<String>,
    /// The verification token.
    pub secret: String,
}

/// What an integration may do.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Capabilities {
    pub read_content: bool,
    pub read_comments: bool,
    pub read_users: bool,
    pub read_emails: bool,
}

/// Switches that tests turn.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Settings {
    /// Absent: access tokens do not end.
    pub access_lifetime_seconds: Option<i64>,
    /// Whether connections get a refresh token at all, as newer integrations do.
    pub gives_refresh_tokens: bool,
    pub rotate_refresh_tokens: bool,
    /// How long the token endpoint takes to refresh.
    pub refresh_delay_ms: u64,
    /// How long a change takes to appear in searches.
    pub index_delay_ms: u64,
    /// What a search or a query gives at most before it says that it is incomplete.
    pub query_limit: usize,
    /// Events within this time share one message.
    pub aggregate_ms: u64,
    /// First pause before a webhook is tried again; it doubles each time.
    pub webhook_retry_ms: u64,
    pub capabilities: Capabilities,
}

impl Default for Capabilities {
    fn default() -> Self {
        Self { read_content: true, read_comments: true, read_users: true, read_emails: true }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            access_lifetime_seconds: None,
            gives_refresh_tokens: true,
            rotate_refresh_tokens: true,
            refresh_delay_ms: 0,
            index_delay_ms: 0,
            query_limit: 10_000,
            aggregate_ms: 40,
            webhook_retry_ms: 1000,
            capabilities: Capabilities::default(),
        }
    }
}

/// The emulated Notion.
#[derive(Debug, Serialize, Deserialize)]
pub struct Notion {
    pub workspaces: BTreeMap<String, Workspace>,
    /// By address.
    pub people: BTreeMap<String, Person>,
    pub nodes: BTreeMap<String, Node>,
    pub comments: Vec<Comment>,
    pub grants: Grants,
    pub hook: Hook,
    pub news: Vec<News>,
    pub settings: Settings,
    /// Cursors of earlier generations are refused.
    pub generation: u32,
}

impl Default for Notion {
    fn default() -> Self {
        Self {
            workspaces: BTreeMap::new(),
            people: BTreeMap::new(),
            nodes: BTreeMap::new(),
            comments: Vec::new(),
            grants: Grants::with_sandbox_client(),
            hook: Hook { id: uuid(), url: None, secret: "secret_sandbox".to_owned() },
            news: Vec::new(),
            settings: Settings::default(),
            generation: 0,
        }
    }
}

impl Notion {
    /// Adds a person with a workspace of their own, or to one that exists. Someone who exists stays as they are.
    pub fn add_person(&mut self, email: &str, name: &str, workspace: Option<&str>) -> Person {
        if let Some(person) = self.people.get(email) {
            return person.clone();
        }
        let workspace = match workspace {
            Some(id) => id.to_owned(),
            None => self.add_workspace(&format!("{name}'s workspace")),
        };
        let person = Person { id: uuid(), email: email.to_owned(), name: name.to_owned(), workspace };
        self.people.insert(email.to_owned(), person.clone());
        person
    }

    /// Adds a workspace and answers its id.
    pub fn add_workspace(&mut self, name: &str) -> String {
        let id = uuid();
        self.workspaces.insert(id.clone(), Workspace { id: id.clone(), name: name.to_owned() });
        id
    }

    /// Who has this id.
    pub fn person_by_id(&self, id: &str) -> Option<&Person> {
        self.people.values().find(|person| person.id == id)
    }

    /// A node and everything above it, nearest first.
    pub fn with_ancestors<'a>(&'a self, node: &'a Node) -> impl Iterator<Item = &'a Node> {
        std::iter::successors(Some(node), |node| self.nodes.get(node.parent.as_deref()?))
    }

    /// Whether it is in the trash, by itself or with something that holds it.
    pub fn is_trashed(&self, node: &Node) -> bool {
        self.with_ancestors(node).any(|node| node.trashed)
    }

    /// The page that a block is on; of anything else: itself.
    pub fn page_of<'a>(&'a self, node: &'a Node) -> &'a Node {
        self.with_ancestors(node).find(|node| !matches!(node.what, What::Block { .. })).unwrap_or(node)
    }

    /// Whether a connection that was given these pages, or everything, sees a node.
    pub fn is_shared(&self, node: &Node, workspace: &str, pages: Option<&BTreeSet<String>>) -> bool {
        node.workspace == workspace
            && pages.is_none_or(|pages| self.with_ancestors(node).any(|node| pages.contains(&node.id)))
    }

    /// Pages and data sources of a workspace.
    pub fn documents<'a>(&'a self, workspace: &'a str) -> impl Iterator<Item = &'a Node> {
        let is_document = |node: &&Node| matches!(node.what, What::Page { .. } | What::Source { .. });
        self.nodes.values().filter(move |node| node.workspace == workspace).filter(is_document)
    }
}

impl Node {
    /// Its name, where it has one.
    pub fn title(&self) -> &str {
        match &self.what {
            What::Page { title, .. } | What::Database { title } | What::Source { title, .. } => title,
            What::Block { .. } => "",
        }
    }
}

/// An id as Notion writes it.
pub fn uuid() -> String {
    let hex: String = (0..32).map(|_| char::from_digit(rand::random_range(0..16), 16).unwrap_or('0')).collect();
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    format!("{}-{}-4{}-a{}-{}", part(0, 8), part(8, 12), part(13, 16), part(17, 20), part(20, 32))
}

/// A token as Notion writes it.
pub fn token(prefix: &str) -> String {
    format!("{prefix}_{}", random::letters(43))
}

/// Now, as far as Notion tells it of edits: to the minute.
pub fn minute() -> DateTime<Utc> {
    let now = clock::now();
    now.duration_trunc(TimeDelta::minutes(1)).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_notions_form() {
        let id = uuid();
        let lengths: Vec<usize> = id.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12]);
        assert_ne!(id, uuid());
    }

    #[test]
    fn times_are_told_to_the_minute() {
        assert_eq!(minute().timestamp() % 60, 0);
    }
}
