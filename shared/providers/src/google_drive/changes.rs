//! Listing what changed: the feeds of the shared drives, then the person's own.
//!
//! A feed holds the present state of each thing that changed, once. It does not say what a thing was before, so a file that is not in
//! scope now is reported gone, and the caller knows whether that is news.

use std::collections::HashSet;

use chrono::TimeDelta;
use domain::resource::DeleteReason;

use super::client::{Api, external_id, malformed};
use super::config::Config;
use super::cursor::{ChangeCursor, ChangesPage};
use super::resources::{has_content, resource};
use super::scope::Scope;
use super::wire::{Change, FOLDER, File, SHORTCUT};
use crate::error::ProviderError;
use crate::provider::{Gone, Listed, Page};

/// Calls that one page may make: quiet feeds share a page.
const CALLS_PER_PAGE: usize = 10;
/// A folder shared with the person at most this long before its change counts as shared by that change.
const JUST_SHARED: TimeDelta = TimeDelta::minutes(10);

/// What an entry comes to.
enum News {
    /// This file, if the folders allow it.
    File(Box<File>),
    /// Whatever this shortcut leads to.
    Shortcut(Box<File>),
    /// Gone from what is synced.
    Gone(Gone),
    /// The change reaches further than its entry says.
    Relist,
    /// Nothing that matters.
    Nothing,
}

/// A page of changes since `cursor`.
pub async fn list(api: Api<'_>, config: Config, cursor: &str, page: Option<&str>) -> Result<Page, ProviderError> {
    let cursor = ChangeCursor::read(cursor)?;
    let mut at = match page {
        Some(text) => ChangesPage::read(text)?,
        None => ChangesPage::first(cursor.clone()),
    };
    let mut scope = Scope::new(api, config).await?;
    let mut result = Page::default();
    for _ in 0..CALLS_PER_PAGE {
        let Some((drive, from)) = cursor.feeds().nth(at.done) else { break };
        let token = at.token.clone().unwrap_or_else(|| from.to_owned());
        let list = api.changes(drive, &token).await?;
        match (list.next_page_token, list.new_start_page_token) {
            (Some(next), _) => at.token = Some(next),
            (None, Some(fresh)) => {
                at.fresh.set(drive, fresh);
                (at.token, at.done) = (None, at.done + 1);
            }
            (None, None) => return Err(malformed("a page of changes that leads nowhere")),
        }
        read(list.changes, drive, &cursor, &mut scope, &mut result).await?;
        if result.relist {
            // Everything is listed next, from a new cursor: the rest of these changes does not matter.
            return Ok(Page { relist: true, ..Page::default() });
        }
        if !result.resources.is_empty() || !result.gone.is_empty() {
            break;
        }
    }
    if at.done > cursor.drives.len() {
        result.cursor = Some(at.fresh.write()?);
    } else {
        result.next = Some(at.write()?);
    }
    Ok(result)
}

async fn read(
    changes: Vec<Change>,
    feed: Option<&str>,
    cursor: &ChangeCursor,
    scope: &mut Scope<'_>,
    page: &mut Page,
) -> Result<(), ProviderError> {
    let (mut files, mut shortcuts) = (Vec::new(), Vec::new());
    for change in changes {
        match judge(change, feed, cursor, scope)? {
            News::File(file) => files.push(*file),
            News::Shortcut(file) => shortcuts.push(*file),
            News::Gone(gone) => page.gone.push(gone),
            News::Relist => page.relist = true,
            News::Nothing => {}
        }
    }
    if page.relist {
        return Ok(());
    }
    // A shortcut that came, went or moved may bring its target or take it along.
    let mut known: HashSet<String> = files.iter().map(|file| file.id.clone()).collect();
    known.extend(page.gone.iter().map(|gone| gone.external_id.as_str().to_owned()));
    let targets = scope.targets(&shortcuts, &known).await?;
    files.extend(targets.into_iter().filter(|file| scope.judge(file).is_none()));
    let drives: Vec<String> = cursor.drives.keys().cloned().collect();
    let inside = scope.inside(&files, &drives).await?;
    for (position, file) in files.iter().enumerate() {
        if inside.contains(&position) {
            page.resources.push(Listed { resource: resource(file)?, text: None });
        } else {
            page.gone.push(gone(&file.id, DeleteReason::OutOfScope)?);
        }
    }
    Ok(())
}

fn judge(change: Change, feed: Option<&str>, cursor: &ChangeCursor, scope: &Scope<'_>) -> Result<News, ProviderError> {
    if change.change_type.as_deref() == Some("drive") {
        let Some(drive) = &change.drive_id else { return Ok(News::Nothing) };
        let has_feed = cursor.drives.contains_key(drive);
        let is_wanted = scope.has_folders() || scope.config.shared_drives.contains(drive);
        // Joining or leaving a drive is one entry, with none for the files in it.
        return Ok(if has_feed == change.removed && (has_feed || is_wanted) { News::Relist } else { News::Nothing });
    }
    let Some(file) = change.file else {
        let id = change.file_id.ok_or_else(|| malformed("a change of nothing"))?;
        // Deleted for good or no longer shared: Drive does not tell these apart.
        return if change.removed { gone(&id, DeleteReason::Removed).map(News::Gone) } else { Ok(News::Nothing) };
    };
    let drive = file.drive_id.as_deref();
    if drive != feed && drive.is_some_and(|id| cursor.drives.contains_key(id)) {
        // That drive's own feed tells of it, and reliably so.
        return Ok(News::Nothing);
    }
    if file.mime_type == FOLDER {
        return Ok(if reaches_further(&file, &change.time, scope) { News::Relist } else { News::Nothing });
    }
    if file.mime_type == SHORTCUT {
        return Ok(News::Shortcut(Box::new(file)));
    }
    if !has_content(&file.mime_type) {
        return Ok(News::Nothing);
    }
    if file.trashed {
        return gone(&file.id, DeleteReason::Trashed).map(News::Gone);
    }
    // It left this feed and can still be seen: by a link, or in a place that is not synced.
    if change.removed && (feed.is_none() || drive != feed) {
        return gone(&file.id, DeleteReason::Removed).map(News::Gone);
    }
    match scope.judge(&file) {
        Some(reason) => gone(&file.id, reason).map(News::Gone),
        None => Ok(News::File(Box::new(file))),
    }
}

/// Whether a folder's change concerns what is in it, which gets no entries of its own.
fn reaches_further(folder: &File, time: &Option<domain::Timestamp>, scope: &Scope<'_>) -> bool {
    if scope.has_folders() {
        // It may have moved into the chosen folders or out of them.
        return true;
    }
    // Sharing a folder announces the folder only.
    match (folder.shared_with_me_time, time) {
        (Some(shared), Some(changed)) => !folder.trashed && *changed - shared <= JUST_SHARED,
        _ => false,
    }
}

fn gone(id: &str, reason: DeleteReason) -> Result<Gone, ProviderError> {
    Ok(Gone { external_id: external_id(id)?, reason })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;
    use crate::testing::{Reply, Seen, Server, config, google};
    use crate::{From, Http, ListRequest, Provider as _};
    use serde_json::{Value, json};

    const CURSOR: &str = r#"{"v":1,"user":"10","drives":{"D1":"20"}}"#;

    /// What came of one listing of changes: ids listed, ids gone with their reasons, and the rest.
    #[derive(Debug, Default, PartialEq)]
    struct Told {
        listed: Vec<String>,
        gone: Vec<(String, DeleteReason)>,
        relist: bool,
        cursor: Option<String>,
    }

    async fn read_from(server: &Server, settings: Value, cursor: &str) -> Result<Told, Kind> {
        let drive = crate::google_drive::GoogleDrive::new(Http::new());
        let (config, mut told, mut next) = (config(settings), Told::default(), None);
        for _ in 0..20 {
            let request = ListRequest { config: &config, from: From::Cursor(cursor), page: next.as_deref() };
            let page = drive.list(&google(server), request).await.map_err(|error| error.kind)?;
            told.listed.extend(page.resources.into_iter().map(|listed| listed.resource.external_id.to_string()));
            told.gone.extend(page.gone.into_iter().map(|gone| (gone.external_id.to_string(), gone.reason)));
            (told.relist, told.cursor, next) = (page.relist, page.cursor, page.next);
            if next.is_none() {
                return Ok(told);
            }
        }
        panic!("the changes do not end");
    }

    /// The changes of the person's own feed come to this.
    async fn check(settings: Value, changes: Value, listed: &[&str], gone: &[(&str, DeleteReason)]) {
        let told = told(settings, changes.clone()).await;
        assert_eq!(told.listed, listed, "{changes}");
        let expected: Vec<_> = gone.iter().map(|(id, reason)| ((*id).to_owned(), *reason)).collect();
        assert_eq!(told.gone, expected, "{changes}");
        assert!(!told.relist && told.cursor.is_some());
    }

    async fn told(settings: Value, changes: Value) -> Told {
        let server = Server::start(move |request: &Seen| match (request.path.as_str(), request.query("driveId")) {
            ("/drive/v3/changes", "") => Reply::json(200, json!({"changes": changes, "newStartPageToken": "11"})),
            ("/drive/v3/changes", _) => Reply::json(200, json!({"changes": [], "newStartPageToken": "21"})),
            ("/drive/v3/files/in", _) => Reply::json(200, json!({"id": "in", "parents": ["F"]})),
            ("/drive/v3/files/out", _) => Reply::json(200, json!({"id": "out", "parents": ["top"]})),
            ("/drive/v3/files/top", _) => Reply::json(200, json!({"id": "top"})),
            ("/drive/v3/files/t", _) => Reply::json(200, text("t", "out")),
            ("/drive/v3/files", _) => {
                // Shortcuts to `t`: one of them is in the chosen folder.
                let leads = request.query("q").contains("shortcutDetails.targetId = 't'");
                let files = if leads { json!([shortcut("s", "in")]) } else { json!([]) };
                Reply::json(200, json!({"files": files}))
            }
            other => panic!("{other:?}"),
        })
        .await;
        read_from(&server, settings, CURSOR).await.unwrap()
    }

    fn text(id: &str, parent: &str) -> Value {
        json!({"id": id, "mimeType": "text/plain", "modifiedTime": "2026-02-01T00:00:00Z", "parents": [parent]})
    }

    fn shortcut(id: &str, parent: &str) -> Value {
        json!({"id": id, "mimeType": SHORTCUT, "parents": [parent],
               "shortcutDetails": {"targetId": "t", "targetMimeType": "text/plain"}})
    }

    fn change(file: Value) -> Value {
        json!({"changeType": "file", "fileId": file["id"], "file": file, "time": "2026-02-01T00:00:00Z"})
    }

    fn with(mut file: Value, name: &str, value: Value) -> Value {
        file[name] = value;
        file
    }

    #[tokio::test]
    async fn edits_trash_and_removal_are_told_apart() {
        let trashed = with(text("b", "x"), "trashed", json!(true));
        let removed = json!({"changeType": "file", "removed": true, "fileId": "c"});
        let form = with(text("d", "x"), "mimeType", json!("application/vnd.google-apps.form"));
        let changes = json!([change(text("a", "x")), change(trashed), removed, change(form)]);
        let gone = [("b", DeleteReason::Trashed), ("c", DeleteReason::Removed)];
        check(json!({}), changes, &["a"], &gone).await;
    }

    #[tokio::test]
    async fn filters_apply_to_changes_too() {
        let settings = json!({"fileTypes": ["pdf"], "modifiedAfter": "2026-01-01T00:00:00Z", "maxBytes": 10});
        let pdf = |id: &str| with(text(id, "x"), "mimeType", json!("application/pdf"));
        let changes = json!([
            change(pdf("a")),
            change(text("b", "x")),
            change(with(pdf("c"), "size", json!("11"))),
            change(with(pdf("d"), "modifiedTime", json!("2025-12-31T00:00:00Z"))),
        ]);
        let out = DeleteReason::OutOfScope;
        check(settings, changes, &["a"], &[("b", out), ("c", out), ("d", out)]).await;
    }

    #[tokio::test]
    async fn a_file_outside_the_chosen_folders_is_out_of_scope_unless_a_shortcut_inside_leads_to_it() {
        let changes = json!([
            change(text("a", "in")),
            change(text("b", "out")),
            change(text("c", "F")),
            change(text("t", "out"))
        ]);
        check(json!({"folders": ["F"]}), changes, &["a", "c", "t"], &[("b", DeleteReason::OutOfScope)]).await;
        let changes = json!([change(shortcut("s", "in"))]);
        check(json!({"folders": ["F"]}), changes, &["t"], &[]).await;
    }

    #[tokio::test]
    async fn files_of_a_drive_are_told_by_its_own_feed() {
        let own = with(text("a", "x"), "driveId", json!("D1"));
        let other = with(text("b", "x"), "driveId", json!("D9"));
        check(json!({}), json!([change(own.clone()), change(other.clone())]), &["b"], &[]).await;
        let out = [("b", DeleteReason::OutOfScope)];
        check(json!({"sharedDrives": ["D1"]}), json!([change(own), change(other)]), &[], &out).await;
    }

    #[tokio::test]
    async fn a_file_that_left_its_feed_and_can_still_be_seen_is_gone_from_here() {
        let left = with(change(text("a", "x")), "removed", json!(true));
        check(json!({}), json!([left]), &[], &[("a", DeleteReason::Removed)]).await;
        let moved = with(change(with(text("a", "x"), "driveId", json!("D1"))), "removed", json!(true));
        check(json!({}), json!([moved]), &[], &[]).await;
    }

    #[tokio::test]
    async fn what_reaches_further_than_its_entry_asks_for_a_full_listing() {
        let relists = async |settings: Value, change: Value, expected: bool| {
            assert_eq!(told(settings, json!([change])).await.relist, expected, "{change}");
        };
        let folder = with(text("f", "out"), "mimeType", json!(FOLDER));
        relists(json!({}), change(folder.clone()), false).await;
        relists(json!({"folders": ["F"]}), change(folder.clone()), true).await;
        let shared = |time| change(with(folder.clone(), "sharedWithMeTime", json!(time)));
        relists(json!({}), shared("2026-02-01T00:00:00Z"), true).await;
        relists(json!({}), shared("2025-02-01T00:00:00Z"), false).await;
        let drive = |id: &str, removed: bool| json!({"changeType": "drive", "driveId": id, "removed": removed});
        relists(json!({}), drive("D2", false), true).await;
        relists(json!({}), drive("D1", true), true).await;
        relists(json!({}), drive("D1", false), false).await;
        relists(json!({}), drive("D2", true), false).await;
        relists(json!({"sharedDrives": ["D1"]}), drive("D2", false), false).await;
    }

    #[tokio::test]
    async fn every_feed_is_read_to_its_end_and_its_new_token_kept() {
        let server = Server::start(|request: &Seen| {
            let more = |token: &str, id: &str| json!({"changes": [change(text(id, "x"))], "nextPageToken": token});
            let last = |token: &str| json!({"changes": [], "newStartPageToken": token});
            Reply::json(
                200,
                match (request.query("driveId"), request.query("pageToken")) {
                    ("D1", "20") => {
                        with(more("20b", "a"), "changes", json!([change(with(text("a", "x"), "driveId", json!("D1")))]))
                    }
                    ("D1", "20b") => last("29"),
                    ("", "10") => more("10b", "b"),
                    ("", "10b") => last("19"),
                    other => panic!("{other:?}"),
                },
            )
        })
        .await;
        let told = read_from(&server, json!({}), CURSOR).await.unwrap();
        assert_eq!(told.listed, ["a", "b"]);
        assert_eq!(told.cursor.as_deref(), Some(r#"{"v":1,"user":"19","drives":{"D1":"29"}}"#));
    }

    #[tokio::test]
    async fn quiet_feeds_share_one_page() {
        let server = Server::start(|_| Reply::json(200, json!({"changes": [], "newStartPageToken": "9"}))).await;
        let drive = crate::google_drive::GoogleDrive::new(Http::new());
        let settings = config(json!({}));
        let request = ListRequest { config: &settings, from: From::Cursor(CURSOR), page: None };
        let page = drive.list(&google(&server), request).await.unwrap();
        assert!(page.next.is_none() && page.cursor.is_some());
        assert_eq!(server.seen().len(), 2);
    }

    #[tokio::test]
    async fn guarantee_20_a_dead_token_asks_for_a_new_beginning() {
        for status in [400, 404, 410] {
            let server =
                Server::start(move |_| Reply::json(status, json!({"error": {"errors": [{"reason": "invalid"}]}})))
                    .await;
            assert_eq!(read_from(&server, json!({}), CURSOR).await, Err(Kind::CursorExpired), "{status}");
        }
        let server = Server::start(|_| Reply::json(200, "{}")).await;
        assert_eq!(read_from(&server, json!({}), "no cursor of ours").await, Err(Kind::CursorExpired));
        assert!(server.seen().is_empty());
    }

    #[tokio::test]
    async fn guarantee_19_an_outage_or_a_broken_page_is_no_change() {
        let refused = async |status, body: &'static str| {
            let server = Server::start(move |_| Reply::json(status, body)).await;
            read_from(&server, json!({}), CURSOR).await.unwrap_err()
        };
        assert_eq!(refused(503, "").await, Kind::Unavailable);
        assert_eq!(refused(401, "").await, Kind::TokenRejected);
        for body in [
            "",
            "{}",
            r#"{"changes":[]}"#,
            r#"{"changes":[{"removed":true}],"newStartPageToken":"1"}"#,
            r#"{"changes":[],"nextPageToken":"20"}"#,
            r#"{"changes":[{"fileId":7}],"newStartPageToken":"1"}"#,
        ] {
            assert!(matches!(refused(200, body).await, Kind::Malformed(_)), "{body}");
        }
    }
}
