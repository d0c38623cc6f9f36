//! Fetching: bytes as they are, native documents in a format that text can be read from.

use domain::{ExternalId, Resource};
use serde_json::Value;
use tempfile::NamedTempFile;

use super::client::{Api, MAX_FILE_BYTES, error};
use super::resources::resource;
use super::wire::{DOCUMENT, FILE_FIELDS, PRESENTATION, SCRIPT, SPREADSHEET};
use crate::error::{Kind, ProviderError};
use crate::provider::{Body, Fetched};

const MARKDOWN: &str = "text/markdown";
const PLAIN: &str = "text/plain";
const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
const SCRIPT_JSON: &str = "application/vnd.google-apps.script+json";
const NATIVE: &str = "application/vnd.google-apps.";

/// A resource with its content. One call if the listing's words are given.
pub async fn fetch(api: Api<'_>, id: &ExternalId, known: Option<&Resource>) -> Result<Fetched, ProviderError> {
    let resource = match known {
        Some(resource) => resource.clone(),
        None => {
            let file = api.file(id.as_str(), FILE_FIELDS).await?;
            if file.trashed {
                return Err(error(Kind::NotFound).because("it is in the bin"));
            }
            resource(&file)?
        }
    };
    if resource.metadata.get("canDownload") == Some(&Value::Bool(false)) {
        return Err(error(Kind::Forbidden("cannot_download")));
    }
    let original = resource.mime_type.clone().unwrap_or_default();
    let (mime_type, file) = match formats(&original) {
        Some(formats) => export(api, id.as_str(), formats).await?,
        None if original.starts_with(NATIVE) => {
            let kind = original.trim_start_matches(NATIVE).to_owned();
            return Err(error(Kind::Unsupported(format!("Google exports no text of this kind ({kind})"))));
        }
        None => (original, bytes(api, id.as_str(), &resource).await?),
    };
    Ok(Fetched { resource, body: Body::File { mime_type, file }, next: None })
}

/// The formats that a native kind is exported in, best first. Sheets go as XLSX because CSV has the first sheet only.
fn formats(mime_type: &str) -> Option<&'static [&'static str]> {
    match mime_type {
        DOCUMENT => Some(&[MARKDOWN, PLAIN]),
        SPREADSHEET => Some(&[XLSX]),
        PRESENTATION => Some(&[PLAIN]),
        SCRIPT => Some(&[SCRIPT_JSON]),
        _ => None,
    }
}

async fn bytes(api: Api<'_>, id: &str, resource: &Resource) -> Result<NamedTempFile, ProviderError> {
    if resource.bytes.is_some_and(|bytes| bytes > MAX_FILE_BYTES) {
        let megabytes = MAX_FILE_BYTES / 1_000_000;
        return Err(error(Kind::TooLarge(format!("files of more than {megabytes} MB are not fetched"))));
    }
    api.media(id, resource.metadata.get("resourceKey").and_then(Value::as_str)).await
}

/// Exports in the first format that works.
async fn export(api: Api<'_>, id: &str, formats: &[&str]) -> Result<(String, NamedTempFile), ProviderError> {
    let mut last = error(Kind::Unsupported("Google exports no text of it".to_owned()));
    for format in formats {
        match api.export(id, format).await {
            Ok(file) => return Ok(((*format).to_owned(), file)),
            Err(refused) => match &refused.kind {
                Kind::TooLarge(_) => return by_link(api, id, formats, refused).await,
                // This format does not work for this document; another may.
                Kind::Rejected(_) | Kind::Forbidden("file_not_exportable") => last = refused,
                _ => return Err(refused),
            },
        }
    }
    Err(last)
}

/// Export links know no limit of 10 MB. They are asked for only here, because they make listings long.
async fn by_link(
    api: Api<'_>,
    id: &str,
    formats: &[&str],
    too_large: ProviderError,
) -> Result<(String, NamedTempFile), ProviderError> {
    let links = api.file(id, "id,exportLinks").await?.export_links;
    let Some((format, link)) = formats.iter().find_map(|format| Some((*format, links.get(*format)?))) else {
        return Err(too_large);
    };
    Ok((format.to_owned(), api.link(link).await?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::DOWNLOAD_QUOTA;
    use crate::google_drive::GoogleDrive;
    use crate::google_drive::wire::File;
    use crate::provider::FetchRequest;
    use crate::testing::{Reply, Seen, Server, google};
    use crate::{Http, Provider as _};
    use serde_json::json;

    fn known(json: Value) -> Resource {
        resource(&serde_json::from_value::<File>(json).unwrap()).unwrap()
    }

    async fn fetched(server: &Server, known: Option<&Resource>) -> Result<(String, String), Kind> {
        let id = ExternalId::new("a").unwrap();
        let drive = GoogleDrive::new(Http::new());
        let fetched =
            drive.fetch(&google(server), FetchRequest::whole(&id, known)).await.map_err(|error| error.kind)?;
        let Body::File { mime_type, file } = fetched.body else { panic!("no file") };
        Ok((mime_type, std::fs::read_to_string(file.path()).unwrap()))
    }

    fn reason(status: u16, reason: &str) -> Reply {
        Reply::json(status, json!({"error": {"errors": [{"reason": reason}]}}))
    }

    fn echo(request: &Seen) -> Reply {
        let what = format!("{}?{}{}", request.path, request.query("mimeType"), request.query("alt"));
        Reply::bytes(what.as_bytes())
    }

    #[tokio::test]
    async fn a_known_resource_costs_one_call_in_the_format_of_its_kind() {
        let check = async |mime_type: &str, format: &str, call: &str| {
            let server = Server::start(echo).await;
            let resource = known(json!({"id": "a", "mimeType": mime_type, "resourceKey": "key"}));
            let expected = (format.to_owned(), format!("/drive/v3/files/a{call}"));
            assert_eq!(fetched(&server, Some(&resource)).await.unwrap(), expected);
            assert_eq!(server.seen().len(), 1);
            server.seen().remove(0)
        };
        check(DOCUMENT, MARKDOWN, "/export?text/markdown").await;
        check(SPREADSHEET, XLSX, &format!("/export?{XLSX}")).await;
        check(PRESENTATION, PLAIN, "/export?text/plain").await;
        check(SCRIPT, SCRIPT_JSON, &format!("/export?{SCRIPT_JSON}")).await;
        let request = check("application/pdf", "application/pdf", "?media").await;
        assert_eq!(request.headers["x-goog-drive-resource-keys"], "a/key");
    }

    #[tokio::test]
    async fn guarantee_22_what_is_too_large_or_cannot_be_had_costs_no_call() {
        let server = Server::start(echo).await;
        let check = async |resource: Value, kind: Kind| {
            assert_eq!(fetched(&server, Some(&known(resource))).await.unwrap_err(), kind);
        };
        check(
            json!({"id": "a", "mimeType": "text/plain", "capabilities": {"canDownload": false}}),
            Kind::Forbidden("cannot_download"),
        )
        .await;
        check(
            json!({"id": "a", "mimeType": "text/plain", "size": "100000001"}),
            Kind::TooLarge("files of more than 100 MB are not fetched".to_owned()),
        )
        .await;
        check(
            json!({"id": "a", "mimeType": "application/vnd.google-apps.drawing"}),
            Kind::Unsupported("Google exports no text of this kind (drawing)".to_owned()),
        )
        .await;
        assert!(server.seen().is_empty());
    }

    #[tokio::test]
    async fn an_unknown_resource_is_asked_for_first_and_one_in_the_bin_is_gone() {
        let check = async |file: Value| {
            let server = Server::start(move |request: &Seen| match request.query("alt") {
                "media" => Reply::bytes(b"text"),
                _ => Reply::json(200, &file),
            })
            .await;
            (fetched(&server, None).await, server.seen().len())
        };
        let good = check(json!({"id": "a", "mimeType": "text/plain"})).await;
        assert_eq!(good, (Ok(("text/plain".to_owned(), "text".to_owned())), 2));
        assert_eq!(
            check(json!({"id": "a", "mimeType": "text/plain", "trashed": true})).await,
            (Err(Kind::NotFound), 1)
        );
    }

    #[tokio::test]
    async fn a_document_that_is_no_markdown_is_taken_as_plain_text() {
        for (status, word) in [(400, "badRequest"), (403, "fileNotExportable")] {
            let server = Server::start(move |request: &Seen| match request.query("mimeType") {
                MARKDOWN => reason(status, word),
                _ => Reply::bytes(b"plain"),
            })
            .await;
            let document = known(json!({"id": "a", "mimeType": DOCUMENT}));
            assert_eq!(fetched(&server, Some(&document)).await.unwrap(), (PLAIN.to_owned(), "plain".to_owned()));
        }
    }

    #[tokio::test]
    async fn beyond_ten_megabytes_the_export_link_is_taken_and_without_one_it_is_too_large() {
        let check = async |links: Value| {
            let server = Server::start(move |request: &Seen| match request.path.as_str() {
                "/drive/v3/files/a/export" => reason(403, "exportSizeLimitExceeded"),
                "/drive/v3/files/a" => Reply::json(200, json!({"id": "a", "exportLinks": links})),
                "/export/long" => Reply::bytes(b"long"),
                other => panic!("{other}"),
            })
            .await;
            let sheet = known(json!({"id": "a", "mimeType": SPREADSHEET}));
            (fetched(&server, Some(&sheet)).await, server.seen())
        };
        let (long, seen) = check(json!({XLSX: "https://docs.google.com/export/long"})).await;
        assert_eq!(long.unwrap().1, "long");
        assert_eq!(seen[2].headers["authorization"], "Bearer canary-token");
        assert!(matches!(check(json!({"text/csv": "https://docs.google.com/x"})).await.0, Err(Kind::TooLarge(_))));
        let (evil, seen) = check(json!({XLSX: "https://evil.example/x"})).await;
        assert!(matches!(evil, Err(Kind::AddressRefused(_))));
        assert_eq!(seen.len(), 2);
    }

    #[tokio::test]
    async fn refusals_come_through_as_what_they_are() {
        let check = async |status, word: &'static str, kind: Kind| {
            let server = Server::start(move |_| reason(status, word)).await;
            let text = known(json!({"id": "a", "mimeType": "text/plain"}));
            assert_eq!(fetched(&server, Some(&text)).await.unwrap_err(), kind);
            assert_eq!(server.seen().len(), 1, "no second try");
        };
        check(404, "notFound", Kind::NotFound).await;
        check(401, "authError", Kind::TokenRejected).await;
        check(403, "userRateLimitExceeded", Kind::RateLimited { retry_after: None }).await;
        check(403, "cannotDownloadAbusiveFile", Kind::Forbidden("abusive_file")).await;
        check(403, "downloadQuotaExceeded", Kind::Forbidden(DOWNLOAD_QUOTA)).await;
        check(403, "quotaExceeded", Kind::Forbidden(DOWNLOAD_QUOTA)).await;
        let six_hours = std::time::Duration::from_secs(6 * 3600);
        check(403, "dailyLimitExceeded", Kind::RateLimited { retry_after: Some(six_hours) }).await;
        check(503, "backendError", Kind::Unavailable).await;
    }
}
