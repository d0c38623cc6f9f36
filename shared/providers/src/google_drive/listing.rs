//! Listing everything in scope: corpus by corpus, or down from chosen folders.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use chrono::SecondsFormat;

use super::client::Api;
use super::config::{Config, SharedDrives};
use super::cursor::{ChangeCursor, ListingPage};
use super::resources::{has_content, resource};
use super::scope::{Scope, read_all};
use super::wire::{FOLDER, File, FileList, SHORTCUT};
use crate::error::{Kind, ProviderError};
use crate::provider::{Listed, Page};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};

/// Calls that one page may make. Small corpora and folders share a page, so that each does not cost a checkpoint of its own.
const CALLS_PER_PAGE: usize = 5;
/// Files after which a page is full.
const FULL: usize = 500;
/// Folders listed by one query.
const FOLDERS_PER_QUERY: usize = 25;
/// Start tokens asked for at once.
const AT_ONCE: usize = 8;

/// The change cursor for now: the start token of the person's own feed, and of every shared drive's in scope.
pub async fn start_cursor(api: Api<'_>, config: &Config) -> Result<String, ProviderError> {
    let drives = match &config.folders {
        Some(folders) => {
            read_all(api, folders, "id,driveId").await?.into_iter().filter_map(|file| file.drive_id).collect()
        }
        None => drives_in_scope(api, &config.shared_drives).await?,
    };
    let user = api.start_token(None).await?;
    let calls: Vec<_> = drives.into_iter().map(|id| start_of_drive(api, id)).collect();
    let found: Vec<Option<(String, String)>> = stream::iter(calls).buffer_unordered(AT_ONCE).try_collect().await?;
    ChangeCursor::new(user, found.into_iter().flatten().collect()).write()
}

/// A drive's start token; `None` if the drive is gone or no longer ours.
async fn start_of_drive(api: Api<'_>, id: String) -> Result<Option<(String, String)>, ProviderError> {
    match api.start_token(Some(&id)).await {
        Ok(token) => Ok(Some((id, token))),
        Err(ProviderError { kind: Kind::NotFound | Kind::Forbidden(_), .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn drives_in_scope(api: Api<'_>, wanted: &SharedDrives) -> Result<BTreeSet<String>, ProviderError> {
    match wanted {
        SharedDrives::Without => return Ok(BTreeSet::new()),
        SharedDrives::These(ids) => return Ok(ids.clone()),
        SharedDrives::All => {}
    }
    let (mut drives, mut page) = (BTreeSet::new(), None);
    loop {
        let list = api.drives(page.as_deref()).await?;
        let before = drives.len();
        drives.extend(list.drives.into_iter().map(|drive| drive.id));
        page = list.next_page_token;
        // A page that brings nothing new goes in circles.
        if page.is_none() || drives.len() == before {
            return Ok(drives);
        }
    }
}

/// A page of everything in scope.
pub async fn list(api: Api<'_>, config: Config, page: Option<&str>) -> Result<Page, ProviderError> {
    let mut at = match page {
        Some(text) => ListingPage::read(text)?,
        None => first(api, &config).await?,
    };
    let scope = Scope::new(api, config).await?;
    let (mut files, mut shortcuts) = (Vec::new(), Vec::new());
    for _ in 0..CALLS_PER_PAGE {
        if at.is_done() || files.len() >= FULL {
            break;
        }
        for file in step(api, &mut at, &scope).await? {
            if file.mime_type == SHORTCUT {
                shortcuts.push(file);
            } else if has_content(&file.mime_type) && scope.judge(&file).is_none() {
                files.push(file);
            }
        }
    }
    let mut known = HashSet::new();
    files.retain(|file| known.insert(file.id.clone()));
    let targets = scope.targets(&shortcuts, &known).await?;
    files.extend(targets.into_iter().filter(|file| scope.judge(file).is_none()));
    let resources: Result<Vec<Listed>, ProviderError> =
        files.iter().map(|file| Ok(Listed { resource: resource(file)?, text: None })).collect();
    let next = if at.is_done() { None } else { Some(at.write()?) };
    Ok(Page { resources: resources?, next, ..Page::default() })
}

async fn first(api: Api<'_>, config: &Config) -> Result<ListingPage, ProviderError> {
    let Some(folders) = &config.folders else {
        return Ok(ListingPage::corpora(drives_in_scope(api, &config.shared_drives).await?));
    };
    let mut by_drive = BTreeMap::<Option<String>, Vec<String>>::new();
    for file in read_all(api, folders, "id,mimeType,trashed,driveId").await? {
        if file.mime_type == FOLDER && !file.trashed {
            by_drive.entry(file.drive_id).or_default().push(file.id);
        }
    }
    Ok(ListingPage::folders(by_drive))
}

/// One call, and what it brought; `at` moves on.
async fn step(api: Api<'_>, at: &mut ListingPage, scope: &Scope<'_>) -> Result<Vec<File>, ProviderError> {
    match at {
        ListingPage::Corpora { left, drives, token, .. } => {
            let Some(corpus) = left.last().cloned() else { return Ok(Vec::new()) };
            let query = format!("trashed = false and mimeType != '{FOLDER}'{}", since(&scope.config));
            let list = of_drive(corpus.as_deref(), api.files(corpus.as_deref(), &query, token.as_deref()).await)?;
            *token = list.next_page_token;
            if token.is_none() {
                left.pop();
            }
            let mut files = list.files;
            // The person's own corpus also shows what they opened in shared drives; those list their files themselves.
            files.retain(|file| corpus.is_some() || file.drive_id.as_ref().is_none_or(|id| !drives.contains(id)));
            Ok(files)
        }
        ListingPage::Folders { left, now, token, seen, .. } => {
            while now.is_empty() {
                let Some((_, folders)) = left.last_mut() else { return Ok(Vec::new()) };
                *now = folders.split_off(folders.len().saturating_sub(FOLDERS_PER_QUERY));
                if now.is_empty() {
                    left.pop();
                }
            }
            let drive = left.last().and_then(|(drive, _)| drive.clone());
            let parents: Vec<String> = now.iter().map(|id| format!("'{id}' in parents")).collect();
            let query = format!("trashed = false and ({}){}", parents.join(" or "), since(&scope.config));
            let list = of_drive(drive.as_deref(), api.files(drive.as_deref(), &query, token.as_deref()).await)?;
            *token = list.next_page_token;
            if token.is_none() {
                now.clear();
            }
            let below = list.files.iter().filter(|file| file.mime_type == FOLDER && !file.trashed);
            let new: Vec<String> = below.filter(|file| seen.insert(&file.id)).map(|file| file.id.clone()).collect();
            if let Some((_, folders)) = left.last_mut() {
                folders.extend(new);
            }
            Ok(list.files)
        }
    }
}

/// A drive that was left or deleted meanwhile has no files; the person's own corpus is always there.
fn of_drive(drive: Option<&str>, list: Result<FileList, ProviderError>) -> Result<FileList, ProviderError> {
    match list {
        Err(ProviderError { kind: Kind::NotFound | Kind::Forbidden("drive_membership_required"), .. })
            if drive.is_some() =>
        {
            Ok(FileList { files: Vec::new(), next_page_token: None, incomplete_search: false })
        }
        list => list,
    }
}

/// The condition on time. Folders and shortcuts always pass: what they lead to may be newer than they are.
fn since(config: &Config) -> String {
    config.modified_after.map_or_else(String::new, |after| {
        let after = after.to_rfc3339_opts(SecondsFormat::Secs, true);
        format!(" and (modifiedTime >= '{after}' or mimeType = '{FOLDER}' or mimeType = '{SHORTCUT}')")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Reply, Seen, Server, config, google};
    use crate::{From, Http, ListRequest, Provider as _};
    use domain::IntegrationConfig;
    use serde_json::{Value, json};

    fn file(id: &str, mime_type: &str) -> Value {
        json!({"id": id, "name": id, "mimeType": mime_type, "modifiedTime": "2026-02-01T00:00:00Z", "parents": ["top"]})
    }

    fn folder(id: &str) -> Value {
        file(id, FOLDER)
    }

    fn in_drive(id: &str, drive: &str) -> Value {
        json!({"id": id, "name": id, "mimeType": "text/plain", "driveId": drive})
    }

    fn shortcut(id: &str, target: &str) -> Value {
        json!({"id": id, "mimeType": SHORTCUT, "shortcutDetails": {"targetId": target, "targetMimeType": "text/plain"}})
    }

    /// Lists everything, page by page as a worker does: the ids, each as often as it was listed.
    async fn all(server: &Server, config: &IntegrationConfig) -> Result<Vec<String>, Kind> {
        let drive = crate::google_drive::GoogleDrive::new(Http::new());
        let (mut ids, mut next) = (Vec::new(), None);
        for _ in 0..20 {
            let request = ListRequest { config, from: From::Everything, page: next.as_deref() };
            let page = drive.list(&google(server), request).await.map_err(|error| error.kind)?;
            assert!(page.gone.is_empty() && page.cursor.is_none());
            ids.extend(page.resources.into_iter().map(|listed| listed.resource.external_id.to_string()));
            next = page.next;
            if next.is_none() {
                ids.sort();
                return Ok(ids);
            }
        }
        panic!("the listing does not end");
    }

    fn not_found() -> Reply {
        Reply::json(404, json!({"error": {"errors": [{"reason": "notFound"}]}}))
    }

    fn a_drive(request: &Seen) -> Reply {
        match (request.path.as_str(), request.query("corpora"), request.query("driveId"), request.query("pageToken")) {
            ("/drive/v3/drives", ..) => {
                assert_eq!(request.query("pageSize"), "100");
                Reply::json(200, json!({"drives": [{"id": "D1", "name": "One"}, {"id": "D2"}]}))
            }
            ("/drive/v3/files", "user", "", "") => Reply::json(
                200,
                json!({"nextPageToken": "p2", "files": [
                    file("a", "text/plain"), file("form", "application/vnd.google-apps.form"),
                    in_drive("opened-in-D1", "D1"), in_drive("lent", "D9"), shortcut("s", "t"), shortcut("s2", "hidden"),
                ]}),
            ),
            ("/drive/v3/files", "user", "", "p2") => Reply::json(200, json!({"files": []})),
            ("/drive/v3/files", "drive", "D1", "") => Reply::json(200, json!({"files": [in_drive("d1", "D1")]})),
            ("/drive/v3/files", "drive", "D2", "") => not_found(),
            ("/drive/v3/files/t", ..) => Reply::json(200, json!({"id": "t", "mimeType": "text/plain"})),
            ("/drive/v3/files/hidden", ..) => not_found(),
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn everything_is_the_persons_own_and_each_shared_drives_once() {
        let server = Server::start(a_drive).await;
        assert_eq!(all(&server, &IntegrationConfig::default()).await.unwrap(), ["a", "d1", "lent", "t"]);
        for request in server.seen() {
            assert_eq!(request.query("supportsAllDrives"), "true");
            assert_eq!(request.headers["authorization"], "Bearer canary-token");
        }
    }

    #[tokio::test]
    async fn without_shared_drives_only_the_persons_own_corpus_is_read() {
        let server = Server::start(a_drive).await;
        assert_eq!(all(&server, &config(json!({"sharedDrives": false}))).await.unwrap(), ["a", "t"]);
        assert_eq!(all(&server, &config(json!({"sharedDrives": ["D1"]}))).await.unwrap(), ["a", "d1", "t"]);
        assert!(server.seen().iter().all(|request| request.path != "/drive/v3/drives"));
    }

    #[tokio::test]
    async fn filters_apply_to_what_is_listed() {
        let server = Server::start(a_drive).await;
        let config = config(json!({"modifiedAfter": "2026-03-01T00:00:00Z", "sharedDrives": false}));
        assert_eq!(all(&server, &config).await.unwrap(), ["t"]);
        assert!(server.seen()[0].query("q").contains("modifiedTime >= '2026-03-01T00:00:00Z'"));
    }

    /// Folders: root F1 holds f1 and sub-folder F2; F2 holds f2 and, in a circle, F1; G is in the shared drive D1.
    fn nested(request: &Seen) -> Reply {
        let query = request.query("q");
        match request.path.as_str() {
            "/drive/v3/files/F1" => Reply::json(200, folder("F1")),
            "/drive/v3/files/G" => Reply::json(200, json!({"id": "G", "mimeType": FOLDER, "driveId": "D1"})),
            "/drive/v3/files/root" => Reply::json(200, json!({"id": "F1"})),
            "/drive/v3/files/gone" => not_found(),
            "/drive/v3/files/t" => Reply::json(200, file("t", "text/plain")),
            "/drive/v3/files" => {
                let mut files = Vec::new();
                if query.contains("'F1' in parents") {
                    files.extend([file("f1", "text/plain"), folder("F2"), shortcut("s", "t")]);
                }
                if query.contains("'F2' in parents") {
                    files.extend([file("f2", "text/plain"), folder("F1")]);
                }
                if query.contains("'G' in parents") {
                    assert_eq!((request.query("corpora"), request.query("driveId")), ("drive", "D1"));
                    files.push(in_drive("g", "D1"));
                }
                Reply::json(200, json!({"files": files}))
            }
            other => panic!("{other}"),
        }
    }

    #[tokio::test]
    async fn chosen_folders_are_walked_down_and_a_circle_ends() {
        let server = Server::start(nested).await;
        let config = config(json!({"folders": ["F1", "G", "gone"], "sharedDrives": false}));
        assert_eq!(all(&server, &config).await.unwrap(), ["f1", "f2", "g", "t"]);
    }

    async fn refused(answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Kind {
        let server = Server::start(answer).await;
        all(&server, &config(json!({"sharedDrives": false}))).await.unwrap_err()
    }

    #[tokio::test]
    async fn guarantee_19_an_incomplete_or_broken_page_fails_as_a_whole() {
        assert_eq!(
            refused(|_| Reply::json(200, json!({"files": [], "incompleteSearch": true}))).await,
            Kind::Unavailable
        );
        for body in [
            "",
            "{}",
            "<html>",
            "[]",
            r#"{"files":[{"id":"a"},{"id":1}]}"#,
            r#"{"files":[{"id":"a"}"#,
            r#"{"files":null}"#,
        ] {
            assert!(matches!(refused(move |_| Reply::json(200, body)).await, Kind::Malformed(_)), "{body}");
        }
    }

    #[tokio::test]
    async fn guarantee_20_a_page_that_leads_to_itself_is_a_loop_and_one_that_expired_says_so() {
        let kind = refused(|_| Reply::json(200, json!({"files": [], "nextPageToken": "p"}))).await;
        assert!(matches!(kind, Kind::Malformed(_)), "{kind:?}");
        let kind = refused(|request| match request.query("pageToken") {
            "" => Reply::json(200, json!({"files": [], "nextPageToken": "p"})),
            _ => Reply::json(400, json!({"error": {"errors": [{"reason": "invalid", "location": "pageToken"}]}})),
        })
        .await;
        assert_eq!(kind, Kind::PageExpired);
    }

    #[tokio::test]
    async fn the_start_cursor_has_a_token_for_every_feed_that_is_read() {
        let server = Server::start(|request| match (request.path.as_str(), request.query("driveId")) {
            ("/drive/v3/changes/startPageToken", "") => Reply::json(200, json!({"startPageToken": "10"})),
            ("/drive/v3/changes/startPageToken", "D1") => Reply::json(200, json!({"startPageToken": "20"})),
            ("/drive/v3/changes/startPageToken", _) => not_found(),
            _ if request.path.starts_with("/drive/v3/drives") => a_drive(request),
            _ => nested(request),
        })
        .await;
        let drive = crate::google_drive::GoogleDrive::new(Http::new());
        let check = async |settings: Value, expected: &str| {
            assert_eq!(drive.start_cursor(&google(&server), &config(settings)).await.unwrap(), expected);
        };
        check(json!({}), r#"{"v":1,"user":"10","drives":{"D1":"20"}}"#).await;
        check(json!({"sharedDrives": false}), r#"{"v":1,"user":"10","drives":{}}"#).await;
        check(json!({"sharedDrives": false, "folders": ["root", "G"]}), r#"{"v":1,"user":"10","drives":{"D1":"20"}}"#)
            .await;
    }
}
