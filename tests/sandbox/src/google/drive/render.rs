//! Files, drives and people as the API shows them to a viewer, all fields at once.

use serde_json::{Map, Value, json};

use super::export;
use crate::{
    clock::rfc3339,
    google::{
        file::{Body, FOLDER, File},
        state::{Account, Google, SharedDrive},
    },
};

/// A person.
pub fn user(person: &Account, viewer: &Account) -> Value {
    json!({
        "kind": "drive#user",
        "displayName": person.name,
        "me": person.email == viewer.email,
        "permissionId": person.permission_id,
        "emailAddress": person.email,
    })
}

/// A file as `viewer` sees it.
pub fn file(google: &Google, file: &File, viewer: &Account) -> Value {
    let mine = file.drive_id.is_none() && file.owner == viewer.email;
    let in_drive = file.drive_id.is_some();
    let (edits, trashed, is_folder) = (mine || in_drive, google.is_trashed(file), file.mime_type == FOLDER);
    let mut out = Map::new();
    let mut put = |name: &str, value: Value| {
        out.insert(name.to_owned(), value);
    };
    put("kind", json!("drive#file"));
    put("id", json!(file.id));
    put("name", json!(file.name));
    put("mimeType", json!(file.mime_type));
    put("starred", json!(false));
    put("trashed", json!(trashed));
    put("explicitlyTrashed", json!(file.trashed_at.is_some()));
    let parent = file.parent.as_ref().and_then(|id| google.files.get(id));
    if let Some(parent) = parent.filter(|parent| google.may_see(&viewer.email, parent)) {
        put("parents", json!([parent.id]));
    }
    put("spaces", json!(["drive"]));
    put("version", json!(file.version.to_string()));
    put("webViewLink", json!(web_view_link(file)));
    put("iconLink", json!(format!("https://drive-thirdparty.googleusercontent.com/16/type/{}", file.mime_type)));
    put("hasThumbnail", json!(false));
    put("thumbnailVersion", json!("0"));
    put("viewedByMe", json!(file.opened_by.contains(&viewer.email)));
    put("createdTime", json!(rfc3339(file.created)));
    put("modifiedTime", json!(rfc3339(file.modified)));
    put("modifiedByMe", json!(file.modified_by == viewer.email));
    if file.modified_by == viewer.email {
        put("modifiedByMeTime", json!(rfc3339(file.modified)));
    }
    put("lastModifyingUser", user(&google.person(&file.modified_by), viewer));
    put("shared", json!(google.viewers(file).len() > 1));
    put("ownedByMe", json!(mine));
    put("viewersCanCopyContent", json!(file.downloadable));
    put("copyRequiresWriterPermission", json!(!file.downloadable));
    put("writersCanShare", json!(true));
    put("quotaBytesUsed", json!(file.body.bytes().map_or(0, |bytes| bytes.len()).to_string()));
    put("isAppAuthorized", json!(true));
    put("inheritedPermissionsDisabled", json!(false));
    if let Some(at) = file.trashed_at.filter(|_| in_drive) {
        put("trashedTime", json!(rfc3339(at)));
        let who = file.trashed_by.as_deref().unwrap_or(&file.owner);
        put("trashingUser", user(&google.person(who), viewer));
    }
    match &file.drive_id {
        Some(drive) => {
            put("driveId", json!(drive));
            put("teamDriveId", json!(drive));
            put("hasAugmentedPermissions", json!(false));
        }
        None => put("owners", json!([user(&google.person(&file.owner), viewer)])),
    }
    let can_download = file.downloadable || mine;
    put("capabilities", file_capabilities(edits, in_drive, is_folder, can_download, trashed));
    content_fields(google, file, can_download, &mut put);
    Value::Object(out)
}

/// The fields that only some kinds of files have.
fn content_fields(google: &Google, file: &File, can_download: bool, put: &mut impl FnMut(&str, Value)) {
    match &file.body {
        Body::Folder => put("folderColorRgb", json!("#8f8f8f")),
        Body::Shortcut { target } => {
            let mime_type = google.files.get(target).map(|target| target.mime_type.clone());
            let mut details = json!({ "targetId": target });
            if let (Some(mime_type), Some(details)) = (mime_type, details.as_object_mut()) {
                details.insert("targetMimeType".to_owned(), json!(mime_type));
            }
            put("shortcutDetails", details);
        }
        Body::Blob { bytes, md5, sha256 } => {
            put("size", json!(bytes.0.len().to_string()));
            put("md5Checksum", json!(md5));
            put("sha256Checksum", json!(sha256));
            put("headRevisionId", json!(format!("{}-{}", file.id, file.revision)));
            put("originalFilename", json!(file.name));
            let extension = file.name.rsplit_once('.').map_or("", |(_, extension)| extension);
            put("fileExtension", json!(extension));
            put("fullFileExtension", json!(extension));
            if can_download {
                let link = format!("https://drive.google.com/uc?id={}&export=download", file.id);
                put("webContentLink", json!(link));
            }
        }
        Body::Document { .. } | Body::Spreadsheet { .. } | Body::Presentation { .. } => {
            // Native documents have a size too: what they take of the quota.
            put("size", json!("1024"));
            let links: Map<String, Value> = export::formats(&file.body)
                .iter()
                .map(|format| ((*format).to_owned(), json!(export::link(file, format))))
                .collect();
            if can_download {
                put("exportLinks", Value::Object(links));
            }
        }
        Body::Opaque => {}
    }
}

/// The address at which people see a file.
pub fn web_view_link(file: &File) -> String {
    match &file.body {
        Body::Folder => format!("https://drive.google.com/drive/folders/{}", file.id),
        Body::Document { .. } => format!("https://docs.google.com/document/d/{}/edit?usp=drivesdk", file.id),
        Body::Spreadsheet { .. } => format!("https://docs.google.com/spreadsheets/d/{}/edit?usp=drivesdk", file.id),
        Body::Presentation { .. } => format!("https://docs.google.com/presentation/d/{}/edit?usp=drivesdk", file.id),
        _ => format!("https://drive.google.com/file/d/{}/view?usp=drivesdk", file.id),
    }
}

fn file_capabilities(edits: bool, in_drive: bool, is_folder: bool, can_download: bool, trashed: bool) -> Value {
    json!({
        "canAddChildren": edits && is_folder,
        "canAddMyDriveParent": false,
        "canChangeCopyRequiresWriterPermission": edits,
        "canChangeViewersCanCopyContent": edits,
        "canComment": edits,
        "canCopy": !is_folder && can_download,
        "canDelete": edits,
        "canDownload": !is_folder && can_download,
        "canEdit": edits,
        "canListChildren": is_folder,
        "canModifyContent": edits,
        "canMoveItemOutOfDrive": edits,
        "canReadDrive": in_drive,
        "canReadRevisions": !is_folder && can_download,
        "canRemoveChildren": edits && is_folder,
        "canRename": edits,
        "canShare": edits,
        "canTrash": edits && !trashed,
        "canUntrash": edits && trashed,
    })
}

/// A shared drive as its members see it.
pub fn drive(drive: &SharedDrive) -> Value {
    json!({
        "kind": "drive#drive",
        "id": drive.id,
        "name": drive.name,
        "colorRgb": "#ff7537",
        "createdTime": rfc3339(drive.created),
        "hidden": false,
        "capabilities": {
            "canAddChildren": true,
            "canComment": true,
            "canCopy": true,
            "canDownload": true,
            "canEdit": true,
            "canListChildren": true,
            "canManageMembers": false,
            "canReadRevisions": true,
            "canRename": true,
            "canShare": true,
        },
        "restrictions": {
            "adminManagedRestrictions": false,
            "copyRequiresWriterPermission": false,
            "domainUsersOnly": false,
            "driveMembersOnly": false,
            "sharingFoldersRequiresOrganizerPermission": false,
        },
    })
}
