//! Fetching: a thread with all its replies, or the bytes of a file.

use std::io::Read as _;

use domain::{ExternalId, Resource};
use serde_json::Value;
use tempfile::NamedTempFile;

use super::client::{Api, MAX_FILE_BYTES, error};
use super::config::is_channel;
use super::cursor::ThreadPage;
use super::files::{self, DOWNLOAD, is_file};
use super::names::Names;
use super::threads::Writer;
use super::ts::Ts;
use super::wire::Message;
use crate::error::{Kind, ProviderError};
use crate::provider::{Body, FetchRequest, Fetched};

/// What one of our ids names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named<'i> {
    /// A thread, by its first message.
    Thread(&'i str, Ts),
    /// A file, as shared in a channel.
    File(&'i str, &'i str),
}

impl<'i> Named<'i> {
    /// Reads an id; one that we cannot have made names nothing.
    pub fn read(id: &'i ExternalId) -> Option<Self> {
        let (channel, rest) = id.as_str().split_once('/')?;
        if !is_channel(channel) {
            return None;
        }
        if is_file(rest) {
            return Some(Self::File(channel, rest));
        }
        Ts::read(rest).map(|ts| Self::Thread(channel, ts))
    }

    /// The channel.
    pub const fn channel(self) -> &'i str {
        match self {
            Self::Thread(channel, _) | Self::File(channel, _) => channel,
        }
    }
}

/// A resource with its content, or the next part of a long thread.
pub async fn fetch(api: Api<'_>, names: Names<'_>, request: FetchRequest<'_>) -> Result<Fetched, ProviderError> {
    match Named::read(request.id) {
        Some(Named::Thread(channel, ts)) => thread(api, names, channel, ts, request).await,
        Some(Named::File(channel, file)) => self::file(api, names, channel, file, request.known).await,
        None => Err(error(Kind::NotFound)),
    }
}

async fn thread(
    api: Api<'_>,
    names: Names<'_>,
    channel: &str,
    ts: Ts,
    request: FetchRequest<'_>,
) -> Result<Fetched, ProviderError> {
    let mut part = request.resume.map(ThreadPage::read).transpose()?;
    let mut lines: Vec<String> = Vec::new();
    for call in 1_u32.. {
        let cursor = part.as_ref().map(|part| part.cursor.as_str());
        let page = api.replies(channel, ts, cursor).await?;
        let last = part.as_ref().map(|part| part.last);
        // Every page begins with the thread's first message, and a page may repeat what one before had.
        let is_new = |message: &&Message| last.is_none_or(|last| Ts::read(&message.ts).is_some_and(|ts| ts > last));
        let fresh: Vec<&Message> = page.messages.iter().filter(is_new).collect();
        let head = page.messages.iter().find(|message| Ts::read(&message.ts) == Some(ts));
        let writer = Writer::new(names, channel).await?;
        let mut all = fresh.clone();
        all.extend(head);
        let resolved = writer.resolve(&all).await?;
        let mut resource = match (&part, head) {
            (Some(part), _) => part.resource.clone(),
            (None, Some(head)) => writer.resource(head, &resolved)?,
            (None, None) => return Err(error(Kind::NotFound)),
        };
        lines.extend(fresh.iter().filter_map(|message| writer.line(message, &resolved)));
        let edits = fresh.iter().filter_map(|message| message.edited.as_ref()?.ts.as_deref());
        let times = fresh.iter().map(|message| message.ts.as_str()).chain(edits).filter_map(Ts::read);
        resource.updated_at = times.map(Ts::at).max().unwrap_or_default().max(resource.updated_at);
        let reached = fresh.iter().filter_map(|message| Ts::read(&message.ts)).max().or(last).unwrap_or(ts);
        match page.next {
            Some(next) if call < request.calls => part = Some(ThreadPage::new(next, reached, resource)),
            next => {
                let next = next.map(|next| ThreadPage::new(next, reached, resource.clone()).write()).transpose()?;
                if lines.is_empty() && next.is_none() && request.resume.is_none() {
                    // A deleted message whose replies are deleted too, or one that says nothing any more.
                    return Err(error(Kind::NotFound));
                }
                let mut text = lines.join("\n");
                if next.is_some() && !text.is_empty() {
                    text.push('\n');
                }
                return Ok(Fetched { resource, body: Body::Text(text), next });
            }
        }
    }
    Err(error(Kind::PageExpired))
}

async fn file(
    api: Api<'_>,
    names: Names<'_>,
    channel: &str,
    id: &str,
    known: Option<&Resource>,
) -> Result<Fetched, ProviderError> {
    let resource = match known.filter(|known| known.metadata.contains_key(DOWNLOAD)) {
        Some(known) => known.clone(),
        None => {
            let file = api.file(id).await?;
            if !file.places().any(|place| place == channel) {
                return Err(error(Kind::NotFound).because("it is no longer shared in this channel"));
            }
            if !files::is_kept(&file) {
                return Err(error(Kind::Unsupported("Slack hands out no bytes of this kind of file".to_owned())));
            }
            let people = names.people(&file.user.iter().cloned().collect()).await?;
            files::resource(&file, channel, &people)?
        }
    };
    if resource.bytes.is_some_and(|bytes| bytes > MAX_FILE_BYTES) {
        let megabytes = MAX_FILE_BYTES / 1_000_000;
        return Err(error(Kind::TooLarge(format!("files of more than {megabytes} MB are not fetched"))));
    }
    let address = resource.metadata.get(DOWNLOAD).and_then(Value::as_str);
    let address = address.ok_or_else(|| error(Kind::Forbidden("file_not_downloadable")))?;
    let file = match api.download(address).await {
        Ok(file) if !is_sign_in_page(&file, &resource) => file,
        // Slack answers a token that it does not take with a page to sign in at, or leads there.
        Ok(_) | Err(ProviderError { kind: Kind::AddressRefused(_), .. }) => {
            api.identity().await?;
            return Err(error(Kind::Forbidden("file_not_downloadable")));
        }
        Err(refused) => return Err(refused),
    };
    let mime_type = resource.mime_type.clone().unwrap_or_default();
    Ok(Fetched { resource, body: Body::File { mime_type, file }, next: None })
}

/// Whether what came is a web page where something else was asked for: its length is another than Slack says of the file.
fn is_sign_in_page(file: &NamedTempFile, resource: &Resource) -> bool {
    let length = file.as_file().metadata().map(|metadata| metadata.len()).ok();
    if resource.bytes.is_some() && resource.bytes == length {
        return false;
    }
    let mut start = Vec::new();
    let opened = file.reopen().and_then(|file| file.take(512).read_to_end(&mut start));
    let start = String::from_utf8_lossy(&start).trim_start().to_ascii_lowercase();
    opened.is_ok() && (start.starts_with("<!doctype html") || start.starts_with("<html"))
}
