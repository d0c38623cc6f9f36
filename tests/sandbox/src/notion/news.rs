//! What has happened and is still to be told by webhook.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::state::{Node, Notion, What};
use crate::clock;

/// Something that happened.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct News {
    /// `page.content_updated`.
    pub kind: String,
    pub workspace: String,
    /// The page, data source, database or comment.
    pub entity: (String, String),
    /// Who did it.
    pub author: String,
    pub at: DateTime<Utc>,
    /// What the message says under `data`.
    pub data: Value,
    /// The page or data source that decides who may see it.
    pub about: String,
}

impl Notion {
    /// Notes an event about a page or data source; others cause none.
    pub fn tell(&mut self, id: &str, what: &str, author: &str, blocks: &[String]) {
        let Some(node) = self.nodes.get(id) else { return };
        let Some(kind) = kind(node) else { return };
        let mut data = json!({ "parent": self.parent_in_events(node) });
        let fields = data.as_object_mut();
        match (what, fields) {
            ("content_updated", Some(fields)) => {
                let updated: Vec<Value> = blocks.iter().map(|id| json!({ "id": id, "type": "block" })).collect();
                fields.insert("updated_blocks".to_owned(), json!(updated));
            }
            ("properties_updated", Some(fields)) => {
                fields.insert("updated_properties".to_owned(), json!(["title"]));
            }
            _ => {}
        }
        let news = News {
            kind: format!("{kind}.{what}"),
            workspace: node.workspace.clone(),
            entity: (id.to_owned(), kind.to_owned()),
            author: author.to_owned(),
            at: clock::now(),
            data,
            about: id.to_owned(),
        };
        self.news.push(news);
    }

    /// Notes an event about a comment.
    pub fn tell_comment(&mut self, id: &str, page: &str, what: &str, author: &str) {
        let Some(node) = self.nodes.get(page) else { return };
        let data = json!({ "page_id": page, "parent": { "id": page, "type": "page" } });
        let news = News {
            kind: format!("comment.{what}"),
            workspace: node.workspace.clone(),
            entity: (id.to_owned(), "comment".to_owned()),
            author: author.to_owned(),
            at: clock::now(),
            data,
            about: page.to_owned(),
        };
        self.news.push(news);
    }

    fn parent_in_events(&self, node: &Node) -> Value {
        let parent = node.parent.as_ref().and_then(|id| self.nodes.get(id));
        match parent.map(|parent| (parent, &parent.what)) {
            None => json!({ "id": node.workspace, "type": "space" }),
            Some((parent, What::Source { .. })) => {
                json!({ "id": parent.parent, "type": "database", "data_source_id": parent.id })
            }
            Some((parent, What::Database { .. })) => json!({ "id": parent.id, "type": "database" }),
            Some((parent, What::Page { .. })) => json!({ "id": parent.id, "type": "page" }),
            Some((parent, What::Block { .. })) => json!({ "id": parent.id, "type": "block" }),
        }
    }
}

const fn kind(node: &Node) -> Option<&'static str> {
    match node.what {
        What::Page { .. } => Some("page"),
        What::Source { .. } => Some("data_source"),
        What::Database { .. } => Some("database"),
        What::Block { .. } => None,
    }
}
