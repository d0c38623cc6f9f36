//! Releases, with the notes that the list carries. Drafts are nobody's yet and are left out.

use domain::{Resource, ResourceKind};
use serde_json::{Map, json};

use super::client::name_in;
use super::config::Config;
use super::content::{INLINE_BYTES, author, plain, revision};
use super::ids::{What, numbered};
use super::wire::Release;
use crate::error::ProviderError;
use crate::provider::Listed;

/// Releases in scope, with their notes.
pub fn listed(config: &Config, repository: u64, releases: &[Release]) -> Result<Vec<Listed>, ProviderError> {
    let wanted = releases.iter().filter(|release| !release.draft && config.is_recent(updated(release)));
    wanted
        .map(|release| {
            let text = Some(text(release)).filter(|text| text.len() <= INLINE_BYTES);
            Ok(Listed { resource: resource(repository, release)?, text })
        })
        .collect()
}

/// When it last changed. GitHub has told so since 2025; older servers tell when it was published.
pub fn updated(release: &Release) -> domain::Timestamp {
    release.updated_at.or(release.published_at).unwrap_or(release.created_at)
}

/// What it says.
pub fn text(release: &Release) -> String {
    let kind = if release.prerelease { "Pre-release" } else { "Release" };
    format!("{kind} {}.\n\n{}", release.tag_name, plain(release.body.as_deref().unwrap_or_default()))
}

/// A release as a resource.
pub fn resource(repository: u64, release: &Release) -> Result<Resource, ProviderError> {
    let name = release.name.clone().filter(|name| !name.trim().is_empty()).unwrap_or_else(|| release.tag_name.clone());
    let mut metadata = Map::new();
    metadata.insert("tag".to_owned(), json!(release.tag_name));
    metadata.insert("prerelease".to_owned(), json!(release.prerelease));
    if let Some(repository) = name_in(&release.url) {
        metadata.insert("repository".to_owned(), json!(repository));
    }
    Ok(Resource {
        external_id: numbered(repository, What::Releases, release.id)?,
        kind: ResourceKind::Page,
        revision: revision(&name, &text(release)),
        name,
        mime_type: Some("text/markdown".to_owned()),
        bytes: None,
        url: Some(release.html_url.clone()).filter(|url| !url.is_empty()),
        parent_id: Some(repository.to_string()),
        author: Some(author(release.author.as_ref())),
        created_at: release.published_at.unwrap_or(release.created_at),
        updated_at: updated(release),
        metadata,
    })
}
