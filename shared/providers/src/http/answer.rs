//! Reads answers piece by piece, bounded in size and in silence, into memory or onto disk.

use std::time::Duration;

use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use tempfile::NamedTempFile;
use tokio::io::AsyncWriteExt as _;

use super::{Answer, BODY_BYTES, Site, failed, unavailable};
use crate::error::{Kind, ProviderError};

/// Waits for the next piece of an answer, but not through a longer silence than this.
pub(super) async fn heard<T>(
    site: Site,
    silence: Duration,
    next: impl Future<Output = reqwest::Result<T>>,
) -> Result<T, ProviderError> {
    match tokio::time::timeout(silence, next).await {
        Ok(next) => next.map_err(|error| failed(site, error)),
        Err(elapsed) => Err(unavailable(site, elapsed)),
    }
}

pub(super) async fn read(
    site: Site,
    mut response: reqwest::Response,
    silence: Duration,
) -> Result<Answer, ProviderError> {
    let (status, headers) = (response.status(), response.headers().clone());
    let mut body = Vec::new();
    while let Some(chunk) = heard(site, silence, response.chunk()).await? {
        if body.len() + chunk.len() > BODY_BYTES {
            return Err(ProviderError::new(site.provider, Kind::Malformed("an answer of more than 16 MB".to_owned())));
        }
        body.extend_from_slice(&chunk);
    }
    check_length(site, &headers, body.len() as u64)?;
    Ok(Answer { status, headers, body })
}

pub(super) async fn save(
    site: Site,
    mut response: reqwest::Response,
    limit: u64,
    silence: Duration,
) -> Result<NamedTempFile, ProviderError> {
    let headers = response.headers().clone();
    if announced(&headers).is_some_and(|length| length > limit) {
        return Err(too_large(site, limit));
    }
    let on_disk = |error: std::io::Error| unavailable(site, error);
    let file = NamedTempFile::new().map_err(on_disk)?;
    let mut writer = tokio::fs::File::from_std(file.reopen().map_err(on_disk)?);
    let mut length = 0u64;
    while let Some(chunk) = heard(site, silence, response.chunk()).await? {
        length += chunk.len() as u64;
        if length > limit {
            return Err(too_large(site, limit));
        }
        writer.write_all(&chunk).await.map_err(on_disk)?;
    }
    writer.flush().await.map_err(on_disk)?;
    check_length(site, &headers, length)?;
    Ok(file)
}

fn announced(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// A body of another length than announced was cut short on the way; the client has removed the header where it decompressed.
fn check_length(site: Site, headers: &HeaderMap, length: u64) -> Result<(), ProviderError> {
    match announced(headers) {
        Some(announced) if announced != length => Err(unavailable(site, "the answer was cut short")),
        _ => Ok(()),
    }
}

fn too_large(site: Site, limit: u64) -> ProviderError {
    let megabytes = limit / 1_000_000;
    ProviderError::new(site.provider, Kind::TooLarge(format!("files of more than {megabytes} MB are not fetched")))
}
