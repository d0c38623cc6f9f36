//! What a person can choose to sync: My Drive, what is shared with them, the shared drives, and the folders in each.

use super::client::{Api, error};
use super::wire::FOLDER;
use crate::error::{Kind, ProviderError};
use crate::provider::{BrowseRequest, Choice, Choices};

/// Stands for the folders that others have shared with the person. They have no parent, so it is nothing of Drive's and nothing to sync.
const SHARED_WITH_ME: &str = "shared-with-me";

/// Where one begins: My Drive, what is shared, and the shared drives; one call. Inside of a folder or drive: its folders, by name; two
/// calls, since only within its own drive all of a folder is found.
pub async fn browse(api: Api<'_>, request: BrowseRequest<'_>) -> Result<Choices, ProviderError> {
    match request.parent {
        None => drives(api, request.cursor).await,
        Some(SHARED_WITH_ME) => folders(api, None, "sharedWithMe", request.cursor).await,
        Some(parent) => {
            // What Drive cannot have given is refused here, before it could become part of a query.
            let file = api.file(parent, "id,mimeType,trashed,driveId").await?;
            if file.mime_type != FOLDER || file.trashed {
                return Err(error(Kind::NotFound));
            }
            let inside = format!("'{parent}' in parents");
            folders(api, file.drive_id.as_deref(), &inside, request.cursor).await
        }
    }
}

async fn drives(api: Api<'_>, cursor: Option<&str>) -> Result<Choices, ProviderError> {
    let list = api.drives(cursor).await?;
    let mut items = Vec::with_capacity(list.drives.len() + 2);
    if cursor.is_none() {
        items.push(choice("root".to_owned(), Some("My Drive".to_owned()), "folder", Some("folders")));
        items.push(choice(SHARED_WITH_ME.to_owned(), Some("Shared with me".to_owned()), "collection", None));
    }
    items.extend(list.drives.into_iter().map(|drive| choice(drive.id, drive.name, "drive", Some("sharedDrives"))));
    Ok(Choices { items, next: list.next_page_token })
}

async fn folders(
    api: Api<'_>,
    drive: Option<&str>,
    condition: &str,
    cursor: Option<&str>,
) -> Result<Choices, ProviderError> {
    let query = format!("{condition} and mimeType = '{FOLDER}' and trashed = false");
    let list = api.folders(drive, &query, cursor).await?;
    let items = list.files.into_iter().map(|file| choice(file.id, Some(file.name), "folder", Some("folders")));
    Ok(Choices { items: items.collect(), next: list.next_page_token })
}

/// Whether there is something inside would cost a call for each.
fn choice(id: String, name: Option<String>, kind: &'static str, field: Option<&'static str>) -> Choice {
    let name = name.filter(|name| !name.is_empty()).unwrap_or_else(|| id.clone());
    Choice { id, name, kind, field, has_children: true }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Reply, Seen, Server, google};
    use crate::{Http, Provider as _};
    use serde_json::json;

    fn a_drive(request: &Seen) -> Reply {
        let query = request.query("q");
        match request.path.as_str() {
            "/drive/v3/drives" => match request.query("pageToken") {
                "" => Reply::json(200, json!({"drives": [{"id": "D1", "name": "Team"}], "nextPageToken": "p2"})),
                _ => Reply::json(200, json!({"drives": [{"id": "D2"}]})),
            },
            "/drive/v3/files/root" => Reply::json(200, json!({"id": "0A", "mimeType": FOLDER})),
            "/drive/v3/files/D1" => Reply::json(200, json!({"id": "D1", "mimeType": FOLDER, "driveId": "D1"})),
            "/drive/v3/files/binned" => Reply::json(200, json!({"id": "b", "mimeType": FOLDER, "trashed": true})),
            "/drive/v3/files/file" => Reply::json(200, json!({"id": "f", "mimeType": "text/plain"})),
            "/drive/v3/files" => {
                assert!(query.ends_with(" and mimeType = 'application/vnd.google-apps.folder' and trashed = false"));
                let name = match (request.query("corpora"), request.query("driveId"), query.split(" and ").next()) {
                    ("user", "", Some("'root' in parents")) => "mine",
                    ("drive", "D1", Some("'D1' in parents")) => "team",
                    ("user", "", Some("sharedWithMe")) => "lent",
                    other => panic!("{other:?}"),
                };
                Reply::json(200, json!({"files": [{"id": name, "name": ""}], "nextPageToken": "more"}))
            }
            _ => Reply::json(404, json!({"error": {"errors": [{"reason": "notFound"}]}})),
        }
    }

    /// What is shown: id, name, field; and where it goes on.
    async fn look(parent: Option<&str>, cursor: Option<&str>) -> Result<(Vec<String>, Option<String>), Kind> {
        let server = Server::start(a_drive).await;
        let drive = crate::google_drive::GoogleDrive::new(Http::new());
        let choices = drive.browse(&google(&server), BrowseRequest { parent, cursor }).await;
        let choices = choices.map_err(|error| error.kind)?;
        let words = |it: Choice| format!("{} {} {} {}", it.kind, it.id, it.name, it.field.unwrap_or("-"));
        Ok((choices.items.into_iter().map(words).collect(), choices.next))
    }

    #[tokio::test]
    async fn one_begins_at_the_drives_and_their_list_goes_on() {
        let (items, next) = look(None, None).await.unwrap();
        let expected = [
            "folder root My Drive folders",
            "collection shared-with-me Shared with me -",
            "drive D1 Team sharedDrives",
        ];
        assert_eq!((items.as_slice(), next.as_deref()), (expected.map(str::to_owned).as_slice(), Some("p2")));
        assert_eq!(look(None, Some("p2")).await.unwrap(), (vec!["drive D2 D2 sharedDrives".to_owned()], None));
    }

    #[tokio::test]
    async fn a_folder_is_looked_into_within_its_own_drive() {
        let check = async |parent: &str, id: &str| {
            let (items, next) = look(Some(parent), None).await.unwrap();
            assert_eq!((items, next.as_deref()), (vec![format!("folder {id} {id} folders")], Some("more")), "{parent}");
        };
        check("root", "mine").await;
        check("D1", "team").await;
        check(SHARED_WITH_ME, "lent").await;
    }

    #[tokio::test]
    async fn what_is_no_folder_is_not_found_and_nothing_foreign_gets_into_a_query() {
        for parent in ["gone", "binned", "file", "x' in parents or 'y", "../about", ""] {
            assert_eq!(look(Some(parent), None).await, Err(Kind::NotFound), "{parent}");
        }
    }
}
