//! Drive's files as our resources.

use chrono::DateTime;
use domain::{Author, Resource, ResourceKind};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::client::external_id;
use super::wire::{File, User};
use crate::error::ProviderError;

/// Kinds that hold no content of their own: places, and what only Google's own pages show. They are not listed.
const WITHOUT_CONTENT: &[&str] = &[
    super::wire::FOLDER,
    super::wire::SHORTCUT,
    "application/vnd.google-apps.form",
    "application/vnd.google-apps.site",
    "application/vnd.google-apps.map",
    "application/vnd.google-apps.fusiontable",
];

/// Shortcuts into other companies' apps.
const THIRD_PARTY: &str = "application/vnd.google-apps.drive-sdk";

/// Whether a file of this type is a resource at all.
pub fn has_content(mime_type: &str) -> bool {
    !WITHOUT_CONTENT.contains(&mime_type) && !mime_type.starts_with(THIRD_PARTY)
}

/// A file as a resource.
///
/// # Errors
/// [`crate::error::Kind::Malformed`] for an id that Drive cannot have given.
pub fn resource(file: &File) -> Result<Resource, ProviderError> {
    let modified = file.modified_time.or(file.created_time).unwrap_or(DateTime::UNIX_EPOCH);
    Ok(Resource {
        external_id: external_id(&file.id)?,
        kind: ResourceKind::File,
        name: file.name.clone(),
        mime_type: (!file.mime_type.is_empty()).then(|| file.mime_type.clone()),
        revision: revision(file),
        bytes: file.size,
        url: file.web_view_link.clone(),
        parent_id: file.parents.first().cloned(),
        // Files in shared drives have no owner.
        author: file.owners.first().or(file.last_modifying_user.as_ref()).and_then(author),
        created_at: file.created_time.unwrap_or(modified),
        updated_at: modified,
        metadata: metadata(file),
    })
}

fn author(user: &User) -> Option<Author> {
    let email = user.email_address.clone();
    let name = user.display_name.clone().or_else(|| email.clone())?;
    Some(Author { id: user.permission_id.clone().unwrap_or_default(), name, email })
}

/// Changes whenever something that we deliver may have changed. Not `version`: that grows for the tiniest reason, a look at the file included.
fn revision(file: &File) -> String {
    let checksum = file.sha256_checksum.as_ref().or(file.md5_checksum.as_ref()).or(file.head_revision_id.as_ref());
    let modified = file.modified_time.map(|time| time.timestamp_millis().to_string());
    let size = file.size.map(|bytes| bytes.to_string());
    let mut hash = Sha256::new();
    let fields = [Some(&file.name), Some(&file.mime_type), modified.as_ref(), checksum, size.as_ref()];
    for field in fields.into_iter().chain(file.parents.iter().map(Some)) {
        let text = field.map_or("", String::as_str);
        // With its length before it, no field can pass for the end of another.
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    }
    // A file that may be downloaded again is another one to us.
    hash.update([u8::from(may_download(file))]);
    let mut hex = hex::encode(hash.finalize());
    hex.truncate(32);
    hex
}

fn may_download(file: &File) -> bool {
    file.capabilities.as_ref().and_then(|capabilities| capabilities.can_download) != Some(false)
}

/// What else is kept. [`super::fetch`] reads `resourceKey` and `canDownload` back.
fn metadata(file: &File) -> Map<String, Value> {
    let mut metadata = Map::new();
    let mut keep = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            metadata.insert(name.to_owned(), value);
        }
    };
    keep("parents", (!file.parents.is_empty()).then(|| json!(file.parents)));
    keep("driveId", file.drive_id.as_ref().map(|id| json!(id)));
    keep("size", file.size.map(|bytes| json!(bytes)));
    keep("owners", (!file.owners.is_empty()).then(|| json!(file.owners.iter().filter_map(author).collect::<Vec<_>>())));
    keep("version", file.version.map(|version| json!(version)));
    keep("resourceKey", file.resource_key.as_ref().map(|key| json!(key)));
    keep("canDownload", (!may_download(file)).then_some(Value::Bool(false)));
    metadata
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::google_drive::wire::FileList;

    fn recorded() -> Vec<File> {
        serde_json::from_str::<FileList>(include_str!("fixtures/files.list.json")).unwrap().files
    }

    #[test]
    fn a_recorded_file_becomes_a_resource() {
        let pdf = resource(&recorded()[0]).unwrap();
        assert_eq!(pdf.name, "Quarterly report.pdf");
        assert_eq!(pdf.bytes, Some(15_204));
        assert_eq!(pdf.parent_id.as_deref(), Some("0AKfolderRootUk9PVA"));
        assert_eq!(pdf.author.unwrap().email.as_deref(), Some("ada@example.com"));
        assert_eq!(pdf.updated_at.to_rfc3339(), "2026-02-01T17:40:00+00:00");
    }

    #[test]
    fn a_file_in_a_shared_drive_names_who_changed_it_last() {
        let handbook = resource(&recorded()[4]).unwrap();
        assert_eq!(handbook.author.unwrap().name, "Bob Example");
        assert_eq!(handbook.metadata["driveId"], "0ADriveIdUk9PVA");
        assert_eq!(handbook.metadata["canDownload"], false);
    }

    #[test]
    fn the_revision_moves_with_what_is_delivered_and_not_with_the_version() {
        let file = recorded().remove(0);
        let check = |change: fn(&mut File), same: bool| {
            let mut changed = file.clone();
            change(&mut changed);
            assert_eq!(revision(&changed) == revision(&file), same);
        };
        check(|file| file.version = Some(43), true);
        check(|file| file.owners.clear(), true);
        check(|file| file.name.push('x'), false);
        check(|file| file.parents[0].push('x'), false);
        check(|file| file.sha256_checksum = None, false);
        check(|file| file.size = None, false);
        check(|file| file.modified_time = None, false);
        check(|file| file.capabilities = serde_json::from_str(r#"{"canDownload":false}"#).unwrap(), false);
    }

    #[test]
    fn places_and_forms_are_no_resources() {
        for mime_type in ["folder", "form", "site", "map", "shortcut", "drive-sdk.12345"] {
            assert!(!has_content(&format!("application/vnd.google-apps.{mime_type}")), "{mime_type}");
        }
        for mime_type in
            ["application/vnd.google-apps.document", "text/plain", "application/vnd.google-apps.drawing", ""]
        {
            assert!(has_content(mime_type), "{mime_type}");
        }
    }

    #[test]
    fn an_id_that_drive_cannot_have_given_fails_the_answer() {
        assert!(resource(&File { id: "../x".to_owned(), ..File::default() }).is_err());
    }

    #[test]
    fn a_bare_file_is_still_a_resource() {
        let bare = resource(&serde_json::from_str(r#"{"id":"a"}"#).unwrap()).unwrap();
        assert_eq!((bare.mime_type, bare.author, bare.bytes), (None, None, None));
    }
}
