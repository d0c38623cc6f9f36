//! Notion's JSON under its names. Only what is read is here; unknown fields are ignored, and what must be there is no `Option`.

use domain::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};

/// A page of any list.
#[derive(Debug, Clone, Deserialize)]
pub struct List<T> {
    /// The items.
    pub results: Vec<T>,
    /// Whether there are more.
    #[serde(default)]
    pub has_more: Option<bool>,
    /// Where to go on.
    #[serde(default)]
    pub next_cursor: Option<String>,
    /// Whether the list could be given whole.
    #[serde(default)]
    pub request_status: Option<RequestStatus>,
}

/// Whether a query reached its limit.
#[derive(Debug, Clone, Deserialize)]
pub struct RequestStatus {
    /// `complete` or `incomplete`.
    #[serde(rename = "type")]
    pub kind: String,
}

impl<T> List<T> {
    /// Whether Notion left something out because the query reached its limit.
    pub fn is_incomplete(&self) -> bool {
        self.request_status.as_ref().is_some_and(|status| status.kind == "incomplete")
    }
}

/// A page, a data source, or a database: they share most fields.
#[derive(Debug, Clone, Deserialize)]
pub struct Item {
    /// `page`, `data_source` or `database`.
    pub object: String,
    /// Its id, with dashes.
    pub id: String,
    /// When it was made; absent in the bare form of what may not be read.
    #[serde(default)]
    pub created_time: Option<Timestamp>,
    /// When it last changed, to the minute.
    #[serde(default)]
    pub last_edited_time: Option<Timestamp>,
    #[serde(default)]
    in_trash: Option<bool>,
    #[serde(default)]
    archived: Option<bool>,
    /// Whether it is locked against edits.
    #[serde(default)]
    pub is_locked: Option<bool>,
    /// Link for members.
    #[serde(default)]
    pub url: Option<String>,
    /// Link for everybody, where it is published.
    #[serde(default)]
    pub public_url: Option<String>,
    /// What it is in.
    #[serde(default)]
    pub parent: Option<Parent>,
    /// Of a page: its values by their names. Of a data source: its columns.
    #[serde(default)]
    pub properties: Option<Map<String, Value>>,
    /// Of a data source or database: its title.
    #[serde(default)]
    pub title: Option<Vec<RichText>>,
    /// Of a data source or database: its description.
    #[serde(default)]
    pub description: Option<Vec<RichText>>,
    /// Its icon.
    #[serde(default)]
    pub icon: Option<Icon>,
    /// Who made it.
    #[serde(default)]
    pub created_by: Option<UserRef>,
    /// Who changed it last.
    #[serde(default)]
    pub last_edited_by: Option<UserRef>,
}

impl Item {
    /// Whether it is in the trash; versions before 2026-03-11 say `archived`.
    pub fn is_trashed(&self) -> bool {
        self.in_trash.or(self.archived).unwrap_or(false)
    }

    /// Whether it came whole. What the connection may not read comes as a bare id.
    pub const fn is_whole(&self) -> bool {
        self.last_edited_time.is_some()
    }
}

/// What something is in.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Parent {
    #[serde(default)]
    page_id: Option<String>,
    #[serde(default)]
    data_source_id: Option<String>,
    #[serde(default)]
    database_id: Option<String>,
    #[serde(default)]
    block_id: Option<String>,
}

/// One step up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Up {
    /// A page.
    Page(String),
    /// A data source, with its database where Notion says which.
    DataSource(String, Option<String>),
    /// A database.
    Database(String),
    /// A block of a page.
    Block(String),
    /// The workspace, a team, an agent: nothing that could be chosen.
    Top,
}

impl Parent {
    /// Where it leads.
    pub fn up(&self) -> Up {
        match self {
            Self { data_source_id: Some(id), database_id, .. } => Up::DataSource(id.clone(), database_id.clone()),
            Self { page_id: Some(id), .. } => Up::Page(id.clone()),
            Self { database_id: Some(id), .. } => Up::Database(id.clone()),
            Self { block_id: Some(id), .. } => Up::Block(id.clone()),
            _ => Up::Top,
        }
    }
}

/// A piece of formatted text.
#[derive(Debug, Clone, Deserialize)]
pub struct RichText {
    /// Its words.
    #[serde(default)]
    pub plain_text: String,
    /// Where it links to.
    #[serde(default)]
    pub href: Option<String>,
}

/// An icon; only emoji are kept.
#[derive(Debug, Clone, Deserialize)]
pub struct Icon {
    /// The emoji.
    #[serde(default)]
    pub emoji: Option<String>,
}

/// A person or bot by id; the name comes along where the connection may know it.
#[derive(Debug, Clone, Deserialize)]
pub struct UserRef {
    /// The id.
    pub id: String,
    /// The name.
    #[serde(default)]
    pub name: Option<String>,
}

/// A person or bot.
#[derive(Debug, Clone, Deserialize)]
pub struct User {
    /// The name.
    #[serde(default)]
    pub name: Option<String>,
    /// What is known of a person.
    #[serde(default)]
    pub person: Option<Person>,
    /// What is known of a bot.
    #[serde(default)]
    pub bot: Option<Bot>,
}

/// What is known of a person.
#[derive(Debug, Clone, Deserialize)]
pub struct Person {
    /// The address, where the integration may read addresses.
    #[serde(default)]
    pub email: Option<String>,
}

/// What is known of a bot.
#[derive(Debug, Clone, Deserialize)]
pub struct Bot {
    /// The workspace that it works in.
    #[serde(default)]
    pub workspace_id: Option<String>,
    /// The workspace's name.
    #[serde(default)]
    pub workspace_name: Option<String>,
}

/// A block. What is in it stands under the name of its type.
#[derive(Debug, Clone, Deserialize)]
pub struct Block {
    /// Its id.
    pub id: String,
    /// Its type; absent in the bare form of what may not be read.
    #[serde(default, rename = "type")]
    pub kind: Option<String>,
    /// Whether there are blocks in it.
    #[serde(default)]
    pub has_children: Option<bool>,
    /// What it is in.
    #[serde(default)]
    pub parent: Option<Parent>,
    /// Everything else, its content among it.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// What stands under a block's type, all types together.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Content {
    /// Its text.
    #[serde(default)]
    pub rich_text: Option<Vec<RichText>>,
    /// The text below a picture, file or link.
    #[serde(default)]
    pub caption: Option<Vec<RichText>>,
    /// Of `to_do`.
    #[serde(default)]
    pub checked: Option<bool>,
    /// Of `code`.
    #[serde(default)]
    pub language: Option<String>,
    /// Of `equation`.
    #[serde(default)]
    pub expression: Option<String>,
    /// Of links.
    #[serde(default)]
    pub url: Option<String>,
    /// Of files.
    #[serde(default)]
    pub name: Option<String>,
    /// Of what is stored elsewhere.
    #[serde(default)]
    pub external: Option<External>,
    /// Of `table_row`.
    #[serde(default)]
    pub cells: Option<Vec<Vec<RichText>>>,
    /// Of child pages and databases a text, of meeting notes formatted.
    #[serde(default)]
    pub title: Option<Value>,
    /// Of `synced_block`: the original, of copies.
    #[serde(default)]
    pub synced_from: Option<SyncedFrom>,
    /// Of `numbered_list_item`: its number, where the list does not begin with 1.
    #[serde(default)]
    pub list_start_index: Option<u32>,
    /// Of `unsupported`: what it is in Notion.
    #[serde(default)]
    pub block_type: Option<String>,
    /// Of `link_to_page`.
    #[serde(default)]
    pub page_id: Option<String>,
    /// Of `link_to_page`.
    #[serde(default)]
    pub database_id: Option<String>,
}

/// Something stored elsewhere.
#[derive(Debug, Clone, Deserialize)]
pub struct External {
    /// Its address.
    pub url: String,
}

/// The original of a synced copy.
#[derive(Debug, Clone, Deserialize)]
pub struct SyncedFrom {
    /// Its id.
    #[serde(default)]
    pub block_id: Option<String>,
}

/// A comment.
#[derive(Debug, Clone, Deserialize)]
pub struct Comment {
    /// Its text; absent in the bare form of what may not be read.
    #[serde(default)]
    pub rich_text: Option<Vec<RichText>>,
    /// Under which name it shows.
    #[serde(default)]
    pub display_name: Option<DisplayName>,
}

/// Under which name a comment shows.
#[derive(Debug, Clone, Deserialize)]
pub struct DisplayName {
    /// The name.
    #[serde(default)]
    pub resolved_name: Option<String>,
}

/// An answer that is no success: the API's form, or OAuth's.
#[derive(Debug, Default, Deserialize)]
pub struct Failure {
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    error: Option<String>,
}

impl Failure {
    /// Reads a body; what is none has no code.
    pub fn read(body: &[u8]) -> Self {
        serde_json::from_slice(body).unwrap_or_default()
    }

    /// The stable code.
    pub fn code(&self) -> &str {
        self.code.as_deref().or(self.error.as_deref()).unwrap_or_default()
    }
}

/// A webhook's body.
#[derive(Debug, Clone, Deserialize)]
pub struct Event {
    /// Equal when it is delivered again.
    pub id: String,
    /// What happened.
    #[serde(rename = "type")]
    pub kind: String,
    /// Whose workspace.
    pub workspace_id: String,
    /// When.
    pub timestamp: Timestamp,
    /// To what.
    pub entity: Entity,
    /// More of it.
    #[serde(default)]
    pub data: Option<EventData>,
}

/// What an event is about.
#[derive(Debug, Clone, Deserialize)]
pub struct Entity {
    /// Its id.
    pub id: String,
    /// `page`, `database`, `data_source`, `block`, `comment`, `view`, `file_upload`.
    #[serde(rename = "type")]
    pub kind: String,
}

/// What an event says beside its entity.
#[derive(Debug, Clone, Deserialize)]
pub struct EventData {
    /// The page that a comment is on.
    #[serde(default)]
    pub page_id: Option<String>,
}
