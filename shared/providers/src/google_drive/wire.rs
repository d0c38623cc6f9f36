//! Drive's JSON under Drive's names (drive v3 discovery document). What we do not read is not named; what may be missing is optional;
//! a wrong type fails the whole answer, because nothing of it may be believed then.

use std::collections::BTreeMap;

use domain::Timestamp;
use serde::{Deserialize, Deserializer};

pub const FOLDER: &str = "application/vnd.google-apps.folder";
pub const SHORTCUT: &str = "application/vnd.google-apps.shortcut";
pub const DOCUMENT: &str = "application/vnd.google-apps.document";
pub const SPREADSHEET: &str = "application/vnd.google-apps.spreadsheet";
pub const PRESENTATION: &str = "application/vnd.google-apps.presentation";
pub const SCRIPT: &str = "application/vnd.google-apps.script";

/// The fields of a file that we ask for. Without `fields` Drive sends a small default set.
pub const FILE_FIELDS: &str = "id,name,mimeType,createdTime,modifiedTime,size,md5Checksum,sha256Checksum,version,headRevisionId,\
    parents,trashed,webViewLink,owners(displayName,emailAddress,permissionId),\
    lastModifyingUser(displayName,emailAddress,permissionId),driveId,sharedWithMeTime,\
    shortcutDetails(targetId,targetMimeType),capabilities(canDownload),resourceKey";

/// `about.get`.
#[derive(Debug, Deserialize)]
pub struct About {
    pub user: User,
}

/// A person.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    pub display_name: Option<String>,
    pub email_address: Option<String>,
    pub permission_id: Option<String>,
}

/// A file, folder, shortcut or native document.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct File {
    pub id: String,
    #[serde(default)]
    pub name: String,
    #[serde(default)]
    pub mime_type: String,
    pub created_time: Option<Timestamp>,
    pub modified_time: Option<Timestamp>,
    #[serde(default, deserialize_with = "whole_number")]
    pub size: Option<u64>,
    pub md5_checksum: Option<String>,
    pub sha256_checksum: Option<String>,
    #[serde(default, deserialize_with = "whole_number")]
    pub version: Option<u64>,
    pub head_revision_id: Option<String>,
    #[serde(default)]
    pub parents: Vec<String>,
    #[serde(default)]
    pub trashed: bool,
    pub web_view_link: Option<String>,
    #[serde(default)]
    pub owners: Vec<User>,
    pub last_modifying_user: Option<User>,
    pub drive_id: Option<String>,
    pub shared_with_me_time: Option<Timestamp>,
    pub shortcut_details: Option<ShortcutDetails>,
    pub capabilities: Option<FileCapabilities>,
    pub resource_key: Option<String>,
    #[serde(default)]
    pub export_links: BTreeMap<String, String>,
}

/// Where a shortcut leads.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShortcutDetails {
    pub target_id: Option<String>,
    pub target_mime_type: Option<String>,
}

/// What the person may do with a file.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FileCapabilities {
    pub can_download: Option<bool>,
}

/// `files.list`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FileList {
    pub files: Vec<File>,
    pub next_page_token: Option<String>,
    #[serde(default)]
    pub incomplete_search: bool,
}

/// `drives.list`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DriveList {
    pub drives: Vec<Drive>,
    pub next_page_token: Option<String>,
}

/// A shared drive.
#[derive(Debug, Deserialize)]
pub struct Drive {
    pub id: String,
    pub name: Option<String>,
}

/// `changes.getStartPageToken`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StartPageToken {
    pub start_page_token: String,
}

/// `changes.list`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChangeList {
    pub changes: Vec<Change>,
    pub next_page_token: Option<String>,
    pub new_start_page_token: Option<String>,
}

/// An entry of a change feed: the present state of something that changed.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    pub change_type: Option<String>,
    #[serde(default)]
    pub removed: bool,
    pub time: Option<Timestamp>,
    pub file_id: Option<String>,
    pub file: Option<File>,
    pub drive_id: Option<String>,
}

/// The answer to `changes.watch`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Channel {
    pub resource_id: Option<String>,
    #[serde(default, deserialize_with = "whole_number")]
    pub expiration: Option<u64>,
}

/// Drive's error envelope.
#[derive(Debug, Default, Deserialize)]
pub struct Failure {
    pub error: FailureBody,
}

#[derive(Debug, Default, Deserialize)]
pub struct FailureBody {
    #[serde(default)]
    pub message: String,
    #[serde(default)]
    pub errors: Vec<FailureItem>,
    #[serde(default)]
    pub details: Vec<FailureItem>,
}

#[derive(Debug, Default, Deserialize)]
pub struct FailureItem {
    #[serde(default)]
    pub reason: String,
}

impl Failure {
    /// What an answer that is no success says; nothing, if it is not in this form.
    pub fn read(body: &[u8]) -> FailureBody {
        serde_json::from_slice::<Self>(body).unwrap_or_default().error
    }
}

impl FailureBody {
    /// The word that decides what the failure means; empty if there is none.
    pub fn reason(&self) -> &str {
        let words = self.errors.iter().chain(&self.details).map(|item| item.reason.as_str());
        words.into_iter().find(|word| !word.is_empty()).unwrap_or_default()
    }
}

/// A number that Google writes as a JSON string (int64) and that others write as a number.
fn whole_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Number(u64),
        Text(String),
    }
    match Option::<Either>::deserialize(deserializer)? {
        None => Ok(None),
        Some(Either::Number(number)) => Ok(Some(number)),
        Some(Either::Text(text)) => text.parse().map(Some).map_err(serde::de::Error::custom),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recorded_listing_is_read() {
        let list: FileList = serde_json::from_str(include_str!("fixtures/files.list.json")).unwrap();
        assert_eq!(list.files.len(), 5);
        assert_eq!(list.files[0].size, Some(15_204));
    }

    #[test]
    fn missing_and_unknown_fields_are_no_trouble_but_wrong_types_are() {
        let check = |text: &str, good: bool| assert_eq!(serde_json::from_str::<File>(text).is_ok(), good, "{text}");
        check(r#"{"id":"a"}"#, true);
        check(r#"{"id":"a","size":12,"brandNew":{"x":[1]}}"#, true);
        check(r#"{"id":"a","size":"-1"}"#, false);
        check(r#"{"name":"no id"}"#, false);
        check(r#"{"id":"a","modifiedTime":"yesterday"}"#, false);
        check(r#"{"id":7}"#, false);
    }
}
