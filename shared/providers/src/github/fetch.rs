//! Fetching one thing by its id.

use std::io::{Read as _, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::{Resource, Timestamp};
use serde_json::Value;
use tempfile::NamedTempFile;

use super::client::{Api, At, MAX_FILE_BYTES, error, is_name, malformed, name_in};
use super::files::{self, Found, Seen};
use super::ids::{Name, What};
use super::{discussions, issues, kinds, releases, wire};
use crate::error::{Kind, ProviderError};
use crate::provider::{Body, FetchRequest, Fetched};

/// Bytes by which a file is told from one that carries no text.
const HEAD_BYTES: usize = 8_192;
/// How the pointer begins that stands for a file in Git LFS.
const LFS: &[u8] = b"version https://git-lfs.github.com/spec/";

/// Calls that a part of a fetch makes at most.
pub fn calls(known: Option<&Resource>) -> u32 {
    let Some(name) = known.and_then(|known| Name::read(known.external_id.as_str())) else { return 4 };
    match name.what {
        What::Issues | What::Pulls => issues::calls(name.what, known),
        What::Discussions => 2,
        What::Releases | What::Files => 1,
    }
}

/// A resource with its content, or the next part of it.
pub async fn fetch(api: Api<'_>, request: FetchRequest<'_>) -> Result<Fetched, ProviderError> {
    // What no id of ours can be was never there.
    let name = Name::read(request.id.as_str()).ok_or_else(|| error(Kind::NotFound))?;
    let said = request.known.and_then(|known| known.metadata.get("repository")?.as_str()).filter(|name| is_name(name));
    let at = At { id: name.repository, name: said };
    match name.what {
        What::Issues | What::Pulls => issues::fetch(api, at, name, request).await,
        What::Discussions => discussions::fetch(api, name, request).await,
        What::Releases => {
            let release = release(api, at, name).await?;
            let resource = request.known.cloned().map_or_else(|| releases::resource(name.repository, &release), Ok)?;
            Ok(Fetched { resource, body: Body::Text(releases::text(&release)), next: None })
        }
        What::Files => file(api, at, name, request).await,
    }
}

/// A release that is out.
pub async fn release(api: Api<'_>, at: At<'_>, name: Name<'_>) -> Result<wire::Release, ProviderError> {
    let release: wire::Release = api.one(at, &["releases", name.which], "").await?;
    if release.draft { Err(error(Kind::NotFound)) } else { Ok(release) }
}

async fn file(api: Api<'_>, at: At<'_>, name: Name<'_>, request: FetchRequest<'_>) -> Result<Fetched, ProviderError> {
    let blob = request.known.and_then(|known| Some((known, known.metadata.get("blob").and_then(Value::as_str)?)));
    let (resource, bytes) = match blob {
        Some((known, sha)) => {
            check_size(known.bytes)?;
            (known.clone(), api.blob(at, sha).await?)
        }
        None => {
            let (found, content, seen) = present(api, at, name).await?;
            check_size(found.bytes)?;
            let repository = name_in(&content.url).unwrap_or_default();
            let url = content.html_url.clone();
            let bytes = match inline(&content)? {
                Some(bytes) => bytes,
                None => api.blob(at, &found.sha).await?,
            };
            (files::resource(request.id.clone(), name.repository, repository, &found, url, &seen), bytes)
        }
    };
    let mime_type = kinds::media_type(name.which).to_owned();
    if !kinds::is_document(&mime_type) {
        check_text(&bytes)?;
    }
    Ok(Fetched { resource, body: Body::File { mime_type, file: bytes }, next: None })
}

/// What is at a path now, and its last commit.
async fn present(api: Api<'_>, at: At<'_>, name: Name<'_>) -> Result<(Found, wire::Content, Seen), ProviderError> {
    let content = find(api, at, name).await?;
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("path", name.which)
        .append_pair("per_page", "1")
        .finish();
    let commits = api.list::<wire::Commit>(at, &["commits"], &query, None).await?.page();
    let seen = commits.and_then(|page| Seen::of(page.items.first()?));
    let seen = seen.unwrap_or(Seen { at: Timestamp::UNIX_EPOCH, author: None });
    let found = Found { path: name.which.to_owned(), sha: content.sha.clone(), bytes: Some(content.size) };
    Ok((found, content, seen))
}

/// What is at a path; a folder, a link or another repository is no file.
pub async fn find(api: Api<'_>, at: At<'_>, name: Name<'_>) -> Result<wire::Content, ProviderError> {
    let content = api.content(at, name.which).await?;
    if content.kind == "file" { Ok(content) } else { Err(error(Kind::NotFound)) }
}

/// The bytes that an answer carries; GitHub breaks their base64 into lines. `None` for files of more than a megabyte.
fn inline(content: &wire::Content) -> Result<Option<NamedTempFile>, ProviderError> {
    if content.encoding != "base64" || (content.content.is_empty() && content.size > 0) {
        return Ok(None);
    }
    let packed: Vec<u8> = content.content.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let bytes = STANDARD.decode(packed).map_err(|_| malformed("a file's content is no base64"))?;
    let on_disk = |cause: std::io::Error| error(Kind::Unavailable).because(cause);
    let mut file = NamedTempFile::new().map_err(on_disk)?;
    file.write_all(&bytes).map_err(on_disk)?;
    Ok(Some(file))
}

fn check_size(bytes: Option<u64>) -> Result<(), ProviderError> {
    match bytes {
        Some(bytes) if bytes > MAX_FILE_BYTES => {
            Err(error(Kind::TooLarge(format!("files of more than {} MB are not fetched", MAX_FILE_BYTES / 1_000_000))))
        }
        _ => Ok(()),
    }
}

/// GitHub does not say whether a file is text. One with a zero among its first bytes is none, unless it says that it is UTF-16.
fn check_text(file: &NamedTempFile) -> Result<(), ProviderError> {
    let on_disk = |cause: std::io::Error| error(Kind::Unavailable).because(cause);
    let mut head = Vec::with_capacity(HEAD_BYTES);
    file.reopen().map_err(on_disk)?.take(HEAD_BYTES as u64).read_to_end(&mut head).map_err(on_disk)?;
    if head.starts_with(LFS) {
        return Err(error(Kind::Unsupported("it is kept in Git LFS, and only its pointer is here".to_owned())));
    }
    let is_wide = head.starts_with(&[0xff, 0xfe]) || head.starts_with(&[0xfe, 0xff]);
    if head.contains(&0) && !is_wide {
        return Err(error(Kind::Unsupported("it is a binary file".to_owned())));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(encoding: &str, content: &str, size: u64) -> wire::Content {
        serde_json::from_value(
            serde_json::json!({"type": "file", "encoding": encoding, "content": content, "size": size}),
        )
        .unwrap()
    }

    #[test]
    fn content_comes_in_broken_lines_or_not_at_all() {
        let read = |content: &wire::Content| {
            inline(content).unwrap().map(|file| std::fs::read_to_string(file.path()).unwrap())
        };
        assert_eq!(read(&content("base64", "SGVs\nbG8=\n", 5)).as_deref(), Some("Hello"));
        assert_eq!(read(&content("base64", "", 0)).as_deref(), Some(""));
        assert_eq!(read(&content("none", "", 2_000_000)), None);
        assert!(inline(&content("base64", "%%%", 3)).is_err());
    }

    #[test]
    fn guarantee_22_what_carries_no_text_is_told_by_its_first_bytes() {
        let check = |bytes: &[u8], reason: Option<&str>| {
            let mut file = NamedTempFile::new().unwrap();
            file.write_all(bytes).unwrap();
            match (check_text(&file), reason) {
                (Ok(()), None) => {}
                (Err(ProviderError { kind: Kind::Unsupported(said), .. }), Some(reason)) => {
                    assert!(said.contains(reason))
                }
                other => panic!("{other:?}"),
            }
        };
        check(b"fn main() {}", None);
        check(b"", None);
        check(&[0xff, 0xfe, b'a', 0], None);
        check(&[b"\x7fELF".as_slice(), &[0; 20]].concat(), Some("binary"));
        check(b"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 9\n", Some("LFS"));
        check(&[[b'a'; HEAD_BYTES].as_slice(), &[0]].concat(), None);
    }
}
