//! Files as our resources: one for each channel that a file is shared in, `<channel>/<file>`, because what is in scope is told by channel.

use std::collections::HashMap;

use chrono::DateTime;
use domain::{Resource, ResourceKind, Timestamp};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::client::{external_id, malformed};
use super::config::is_id;
use super::names::{Person, author};
use super::text::unescape;
use super::wire::File;
use crate::error::ProviderError;

/// Modes of files whose bytes Slack does not have, does not show any more, or hands out in no form that text is read from (canvases
/// and posts are pages of Slack's own).
const WITHOUT_BYTES: &[&str] =
    &["external", "tombstone", "hidden_by_limit", "space", "canvas", "post", "list", "huddle_transcript"];

/// Where the address of a file's bytes is kept for its fetch.
pub const DOWNLOAD: &str = "download";

/// Whether a file is a resource at all.
pub fn is_kept(file: &File) -> bool {
    file.is_external != Some(true) && !file.mode.as_deref().is_some_and(|mode| WITHOUT_BYTES.contains(&mode))
}

/// When it was made.
pub fn made(file: &File) -> Timestamp {
    moment(file.created).unwrap_or(DateTime::UNIX_EPOCH)
}

/// When it last changed, in seconds since the epoch.
fn changed(file: &File) -> Option<i64> {
    file.updated.max(file.edit_timestamp)
}

fn moment(seconds: Option<i64>) -> Option<Timestamp> {
    DateTime::from_timestamp(seconds?, 0)
}

/// A file, as shared in this channel.
///
/// # Errors
/// [`crate::error::Kind::Malformed`] for ids that Slack cannot have given.
pub fn resource(file: &File, channel: &str, people: &HashMap<String, Person>) -> Result<Resource, ProviderError> {
    if !is_file(&file.id) {
        return Err(malformed("an id that is none"));
    }
    let made = made(file);
    let name = file.name.clone().or_else(|| file.title.clone()).map(|name| unescape(&name));
    Ok(Resource {
        external_id: external_id(channel, &file.id)?,
        kind: ResourceKind::File,
        name: name.filter(|name| !name.trim().is_empty()).unwrap_or_else(|| file.id.clone()),
        mime_type: file.mimetype.clone().filter(|mime_type| !mime_type.is_empty()),
        revision: revision(file),
        bytes: file.size,
        url: file.permalink.clone(),
        parent_id: Some(channel.to_owned()),
        author: file.user.as_ref().map(|user| author(user, people)),
        created_at: made,
        updated_at: moment(changed(file)).unwrap_or(made).max(made),
        metadata: metadata(file, channel),
    })
}

/// Whether a text has the form of a file's id.
pub fn is_file(text: &str) -> bool {
    is_id(text) && text.starts_with('F')
}

fn revision(file: &File) -> String {
    let mut hash = Sha256::new();
    let numbers = [file.size.map(|size| size.to_string()), changed(file).map(|at| at.to_string())];
    let texts = [&file.name, &file.title, &file.mimetype, &file.mode];
    for text in texts.into_iter().map(Option::as_ref).chain(numbers.iter().map(Option::as_ref)) {
        let text = text.map_or("", String::as_str);
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    }
    let mut hex = hex::encode(hash.finalize());
    hex.truncate(32);
    hex
}

fn metadata(file: &File, channel: &str) -> Map<String, Value> {
    let mut metadata = Map::new();
    metadata.insert("channelId".to_owned(), json!(channel));
    metadata.insert("fileId".to_owned(), json!(file.id));
    if let Some(title) = file.title.as_ref().filter(|title| Some(*title) != file.name.as_ref()) {
        metadata.insert("title".to_owned(), json!(unescape(title)));
    }
    // Files of another company's workspace come as stubs, whose details have to be asked for.
    let address = file.url_private_download.as_ref().or(file.url_private.as_ref());
    if let Some(address) = address.filter(|_| file.file_access.as_deref() != Some("check_file_info")) {
        metadata.insert(DOWNLOAD.to_owned(), json!(address));
    }
    metadata
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(json: Value) -> File {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn a_file_becomes_a_resource_of_its_channel() {
        let pdf = file(
            json!({"id": "F1", "name": "a&amp;b.pdf", "title": "Plan", "mimetype": "application/pdf", "size": 7,
            "created": 1_700_000_000, "user": "U1", "url_private_download": "https://files.slack.com/d", "permalink": "https://x"}),
        );
        let resource = resource(&pdf, "C1", &HashMap::new()).unwrap();
        assert_eq!((resource.external_id.as_str(), resource.name.as_str()), ("C1/F1", "a&b.pdf"));
        assert_eq!((resource.bytes, resource.author.unwrap().name.as_str()), (Some(7), "U1"));
        assert_eq!(resource.metadata[DOWNLOAD], "https://files.slack.com/d");
        assert_eq!(resource.created_at.timestamp(), 1_700_000_000);
    }

    #[test]
    fn what_slack_has_no_bytes_of_is_no_resource() {
        for mode in ["external", "tombstone", "hidden_by_limit", "space", "post"] {
            assert!(!is_kept(&file(json!({"id": "F1", "mode": mode}))), "{mode}");
        }
        assert!(!is_kept(&file(json!({"id": "F1", "mode": "hosted", "is_external": true}))));
        for mode in [Some("hosted"), Some("snippet"), None, Some("new")] {
            assert!(is_kept(&file(json!({"id": "F1", "mode": mode}))), "{mode:?}");
        }
    }

    #[test]
    fn an_id_that_slack_cannot_have_given_fails_the_answer() {
        for id in ["", "../F1", "U1", "f1"] {
            assert!(resource(&file(json!({"id": id})), "C1", &HashMap::new()).is_err(), "{id}");
        }
        assert!(resource(&file(json!({"id": "F1"})), "c/1", &HashMap::new()).is_err());
    }

    #[test]
    fn a_stub_of_another_workspace_has_no_address_yet() {
        let stub =
            file(json!({"id": "F1", "file_access": "check_file_info", "url_private": "https://files.slack.com/x"}));
        assert!(!resource(&stub, "C1", &HashMap::new()).unwrap().metadata.contains_key(DOWNLOAD));
    }
}
