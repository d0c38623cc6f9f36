//! One method per endpoint of the Drive API, and what its errors mean.

use std::time::Duration;

use domain::{ExternalId, ProviderId, Timestamp};
use http::{HeaderMap, HeaderValue};
use serde::de::DeserializeOwned;
use serde_json::json;
use tempfile::NamedTempFile;
use url::Url;

use super::config::is_id;
use super::wire;
use crate::error::{DOWNLOAD_QUOTA, Kind, ProviderError};
use crate::http::{Answer, Call, Download, Http, Site};
use crate::provider::{Access, NewSubscription};
use crate::retry_after;

/// What is asked of folders that a person looks through.
const FOLDER_FIELDS: &str = "nextPageToken,incompleteSearch,files(id,name)";

const BASE: &str = "https://www.googleapis.com/drive/v3";

/// Where Google lives: the API, its OAuth endpoints, the hosts of export links, and where these redirect to.
pub const SITE: Site = Site {
    provider: ProviderId::GoogleDrive,
    hosts: &[
        "www.googleapis.com",
        "accounts.google.com",
        "oauth2.googleapis.com",
        "docs.google.com",
        "drive.google.com",
    ],
    storage: &[".googleusercontent.com"],
};

/// Largest file that is fetched; what `content` reads at most.
pub const MAX_FILE_BYTES: u64 = 100_000_000;

/// Wait for a quota that the project's owner has set per day: long, but shorter than a day, because it may be raised.
const DAILY_LIMIT: Duration = Duration::from_secs(6 * 3600);
/// Wait for a quota of the account: it is counted by the day.
const ACCOUNT_QUOTA: Duration = Duration::from_secs(24 * 3600);

/// The API with one account's access.
#[derive(Clone, Copy)]
pub struct Api<'a> {
    http: &'a Http,
    access: &'a Access,
}

impl<'a> Api<'a> {
    /// The API as `access` sees it.
    pub const fn new(http: &'a Http, access: &'a Access) -> Self {
        Self { http, access }
    }

    /// `about.get`: whose account it is. `fields` is mandatory there.
    pub async fn about(&self) -> Result<wire::About, ProviderError> {
        let fields = "user(displayName,emailAddress,permissionId,me)";
        self.get(url(&["about"], &[("fields", fields)])?).await
    }

    /// `files.get`: one file. 5 quota units.
    pub async fn file(&self, id: &str, fields: &str) -> Result<wire::File, ProviderError> {
        self.get(file_url(id, &[], &[("fields", fields)])?).await
    }

    /// `files.list`: 100 quota units a page. `drive` picks the corpus: a shared drive, or what the person has.
    pub async fn files(
        &self,
        drive: Option<&str>,
        query: &str,
        page: Option<&str>,
    ) -> Result<wire::FileList, ProviderError> {
        let fields = format!("nextPageToken,incompleteSearch,files({})", wire::FILE_FIELDS);
        self.search(drive, query, page, &[("pageSize", "1000"), ("fields", &fields)]).await
    }

    async fn search(
        &self,
        drive: Option<&str>,
        query: &str,
        page: Option<&str>,
        rest: &[(&str, &str)],
    ) -> Result<wire::FileList, ProviderError> {
        let mut pairs = vec![("q", query), ("spaces", "drive"), ("includeItemsFromAllDrives", "true")];
        pairs.extend_from_slice(rest);
        match drive {
            Some(id) => pairs.extend([("corpora", "drive"), ("driveId", id)]),
            None => pairs.push(("corpora", "user")),
        }
        pairs.extend(page.map(|token| ("pageToken", token)));
        let answer = self.call(Call::get(url(&["files"], &pairs)?, &self.access.token)).await?;
        // A page token lives "several hours" and is refused with 400. A wrong query would have been refused without one already.
        if page.is_some() && matches!(answer.status.as_u16(), 400 | 410) {
            return Err(error(Kind::PageExpired));
        }
        let list: wire::FileList = self.parse(&answer)?;
        check_token(page, list.next_page_token.as_deref())?;
        if list.incomplete_search {
            // Drive did not look everywhere. What is missing may be there, so nothing may follow from its absence.
            return Err(error(Kind::Unavailable).because("the search was incomplete"));
        }
        Ok(list)
    }

    /// `files.list` of folders, by name, with no more than their names. 100 quota units a page.
    pub async fn folders(
        &self,
        drive: Option<&str>,
        query: &str,
        page: Option<&str>,
    ) -> Result<wire::FileList, ProviderError> {
        let rest = [("pageSize", "100"), ("orderBy", "name_natural"), ("fields", FOLDER_FIELDS)];
        self.search(drive, query, page, &rest).await
    }

    /// `drives.list`: the shared drives that the person is a member of.
    pub async fn drives(&self, page: Option<&str>) -> Result<wire::DriveList, ProviderError> {
        // Without a size it gives ten.
        let mut pairs = vec![("pageSize", "100"), ("fields", "nextPageToken,drives(id,name)")];
        pairs.extend(page.map(|token| ("pageToken", token)));
        let list: wire::DriveList = self.get(url(&["drives"], &pairs)?).await?;
        check_token(page, list.next_page_token.as_deref())?;
        Ok(list)
    }

    /// `changes.getStartPageToken` of a feed: a shared drive's, or the person's.
    pub async fn start_token(&self, drive: Option<&str>) -> Result<String, ProviderError> {
        let mut pairs = Vec::new();
        pairs.extend(drive.map(|id| ("driveId", id)));
        let token: wire::StartPageToken = self.get(url(&["changes", "startPageToken"], &pairs)?).await?;
        Ok(token.start_page_token)
    }

    /// `changes.list` of a feed. A token that Drive no longer takes, or a drive that is gone, is [`Kind::CursorExpired`].
    pub async fn changes(&self, drive: Option<&str>, token: &str) -> Result<wire::ChangeList, ProviderError> {
        let fields = format!(
            "nextPageToken,newStartPageToken,changes(changeType,removed,time,fileId,driveId,file({}))",
            wire::FILE_FIELDS
        );
        let mut pairs = vec![
            ("pageToken", token),
            ("pageSize", "1000"),
            ("spaces", "drive"),
            ("includeRemoved", "true"),
            // A file that left this feed and can still be seen comes with what it is now.
            ("includeCorpusRemovals", "true"),
            ("includeItemsFromAllDrives", "true"),
            ("fields", &fields),
        ];
        pairs.extend(drive.map(|id| ("driveId", id)));
        let answer = self.call(Call::get(url(&["changes"], &pairs)?, &self.access.token)).await?;
        // Which status a dead token gets is not documented: 400 and 410 have been seen, 404 stands for a drive that is gone.
        if matches!(answer.status.as_u16(), 400 | 404 | 410) {
            return Err(error(Kind::CursorExpired));
        }
        let list: wire::ChangeList = match self.parse(&answer) {
            Err(ProviderError { kind: Kind::Forbidden(_), .. }) if drive.is_some() => {
                return Err(error(Kind::CursorExpired));
            }
            parsed => parsed?,
        };
        check_token(Some(token), list.next_page_token.as_deref())?;
        Ok(list)
    }

    /// `files.export`: a native document in another format, at most 10 MB. 200 quota units.
    pub async fn export(&self, id: &str, mime_type: &str) -> Result<NamedTempFile, ProviderError> {
        let address = file_url(id, &["export"], &[("mimeType", mime_type)])?;
        self.download(Call::get(address, &self.access.token)).await
    }

    /// `files.get` with `alt=media`: the bytes of a file. 200 quota units.
    pub async fn media(&self, id: &str, resource_key: Option<&str>) -> Result<NamedTempFile, ProviderError> {
        let mut call = Call::get(file_url(id, &[], &[("alt", "media")])?, &self.access.token);
        // Old files shared by link need the key that their link carries.
        if let Some(value) = resource_key.and_then(|key| HeaderValue::from_str(&format!("{id}/{key}")).ok()) {
            call.headers.insert("x-goog-drive-resource-keys", value);
        }
        self.download(call).await
    }

    /// What an export link leads to.
    pub async fn link(&self, link: &str) -> Result<NamedTempFile, ProviderError> {
        let address = Url::parse(link).map_err(|_| malformed("an export link is no URL"))?;
        self.download(Call::get(address, &self.access.token)).await
    }

    /// `changes.watch`: a channel on a feed until `until`, as epoch milliseconds (an ISO text is refused as "Invalid ttl value").
    pub async fn watch(
        &self,
        drive: Option<&str>,
        page_token: &str,
        new: &NewSubscription<'_>,
        until: Timestamp,
    ) -> Result<wire::Channel, ProviderError> {
        use secrecy::ExposeSecret as _;
        let mut pairs =
            vec![("pageToken", page_token), ("includeRemoved", "true"), ("includeItemsFromAllDrives", "true")];
        pairs.extend(drive.map(|id| ("driveId", id)));
        let body = json!({
            "id": new.id,
            "type": "web_hook",
            "address": new.address.as_str(),
            "token": new.token.expose_secret(),
            "expiration": until.timestamp_millis(),
        });
        let answer = self.call(Call::post(url(&["changes", "watch"], &pairs)?, &self.access.token, body)).await?;
        self.parse(&answer)
    }

    /// `channels.stop`. A channel that is gone already counts as stopped.
    pub async fn stop(&self, id: &str, resource_id: &str) -> Result<(), ProviderError> {
        let body = json!({"id": id, "resourceId": resource_id});
        let answer = self.call(Call::post(url(&["channels", "stop"], &[])?, &self.access.token, body)).await?;
        match answer.status.as_u16() {
            200..=299 | 404 | 410 => Ok(()),
            _ => Err(self.classified(&answer)),
        }
    }

    async fn get<T: DeserializeOwned>(&self, url: Url) -> Result<T, ProviderError> {
        let answer = self.call(Call::get(url, &self.access.token)).await?;
        self.parse(&answer)
    }

    async fn call(&self, call: Call<'_>) -> Result<Answer, ProviderError> {
        self.http.send(SITE, &self.access.settings, call).await
    }

    async fn download(&self, call: Call<'_>) -> Result<NamedTempFile, ProviderError> {
        match self.http.download(SITE, &self.access.settings, call, MAX_FILE_BYTES).await? {
            Download::File(file) => Ok(file),
            Download::Refused(answer) if is_download_quota(answer.status.as_u16(), &answer.body) => {
                Err(error(Kind::Forbidden(DOWNLOAD_QUOTA)))
            }
            Download::Refused(answer) => Err(self.classified(&answer)),
        }
    }

    fn parse<T: DeserializeOwned>(&self, answer: &Answer) -> Result<T, ProviderError> {
        if !answer.status.is_success() {
            return Err(self.classified(answer));
        }
        // The cause is not kept: serde's texts can repeat what the answer said.
        serde_json::from_slice(&answer.body).map_err(|error| {
            malformed(match error.classify() {
                serde_json::error::Category::Data => "a field is missing or of another type than documented",
                _ => "no JSON, or cut short",
            })
        })
    }

    fn classified(&self, answer: &Answer) -> ProviderError {
        error(classify(answer.status.as_u16(), &answer.headers, &answer.body, self.http.now()))
    }
}

/// What an answer that is no success means. The reason in the body decides, not the status: 403 means a dozen things.
pub fn classify(status: u16, headers: &HeaderMap, body: &[u8], now: Timestamp) -> Kind {
    let failure = wire::Failure::read(body);
    let sent = retry_after::sent(headers).unwrap_or(now);
    let retry_after =
        || retry_after::asked(headers, body, now).or_else(|| retry_after::from_message(&failure.message, sent));
    match (status, failure.reason()) {
        (401, _) => Kind::TokenRejected,
        (403 | 429, "dailyLimitExceeded") => {
            Kind::RateLimited { retry_after: Some(retry_after().unwrap_or_default().max(DAILY_LIMIT)) }
        }
        (403 | 429, "quotaExceeded" | "downloadQuotaExceeded") => {
            Kind::RateLimited { retry_after: Some(retry_after().unwrap_or_default().max(ACCOUNT_QUOTA)) }
        }
        (403, "userRateLimitExceeded" | "rateLimitExceeded" | "sharingRateLimitExceeded") | (429, _) => {
            Kind::RateLimited { retry_after: retry_after() }
        }
        (403, "insufficientPermissions" | "ACCESS_TOKEN_SCOPE_INSUFFICIENT") => Kind::ScopeMissing,
        (403, "accessNotConfigured" | "SERVICE_DISABLED") => Kind::Misconfigured("accessNotConfigured".to_owned()),
        (403, "exportSizeLimitExceeded") => Kind::TooLarge("Google exports documents up to 10 MB".to_owned()),
        (403, "insufficientFilePermissions") => Kind::Forbidden("insufficient_file_permissions"),
        (403, "appNotAuthorizedToFile") => Kind::Forbidden("app_not_authorized_to_file"),
        (403, "domainPolicy") => Kind::Forbidden("domain_policy"),
        (403, "teamDriveMembershipRequired") => Kind::Forbidden("drive_membership_required"),
        (403, "fileNotExportable") => Kind::Forbidden("file_not_exportable"),
        (403, "fileNotDownloadable") => Kind::Forbidden("file_not_downloadable"),
        (403, "cannotDownloadFile") => Kind::Forbidden("cannot_download"),
        (403, "cannotDownloadAbusiveFile") => Kind::Forbidden("abusive_file"),
        (403, _) => Kind::Forbidden("forbidden"),
        (404, _) => Kind::NotFound,
        (408 | 500..=599, _) => Kind::Unavailable,
        (300..=399, _) => Kind::AddressRefused("a redirect".to_owned()),
        (_, word)
            if !word.is_empty() && word.len() <= 60 && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') =>
        {
            Kind::Rejected(word.to_owned())
        }
        (status, _) => Kind::Rejected(format!("status {status}")),
    }
}

/// Whether a file was downloaded too often of late, by whomever. On a download these words are about that one file, and all others
/// are to be had; `dailyLimitExceeded` is about the project.
fn is_download_quota(status: u16, body: &[u8]) -> bool {
    matches!(status, 403 | 429)
        && matches!(wire::Failure::read(body).reason(), "quotaExceeded" | "downloadQuotaExceeded")
}

/// An error of Drive's.
pub const fn error(kind: Kind) -> ProviderError {
    ProviderError::new(ProviderId::GoogleDrive, kind)
}

/// An answer that is not what the API promises.
pub fn malformed(what: &str) -> ProviderError {
    error(Kind::Malformed(what.to_owned()))
}

/// Our form of an id out of an answer.
pub fn external_id(id: &str) -> Result<ExternalId, ProviderError> {
    if !is_id(id) {
        return Err(malformed("an id that is none"));
    }
    ExternalId::new(id).map_err(|_| malformed("an id that is none"))
}

/// A page that leads to itself would be read for ever.
fn check_token(from: Option<&str>, next: Option<&str>) -> Result<(), ProviderError> {
    if next.is_some() && from == next {
        return Err(malformed("a page leads to itself"));
    }
    Ok(())
}

fn file_url(id: &str, rest: &[&str], pairs: &[(&str, &str)]) -> Result<Url, ProviderError> {
    // An id that Drive cannot have given names no file, and must not become another path.
    if !is_id(id) {
        return Err(error(Kind::NotFound));
    }
    let path: Vec<&str> = ["files", id].iter().chain(rest).copied().collect();
    url(&path, pairs)
}

fn url(path: &[&str], pairs: &[(&str, &str)]) -> Result<Url, ProviderError> {
    let mut url =
        Url::parse(&format!("{BASE}/{}", path.join("/"))).map_err(|cause| malformed("an address").because(cause))?;
    // Without this flag everything in shared drives is silently absent or "not found".
    url.query_pairs_mut().append_pair("supportsAllDrives", "true").extend_pairs(pairs);
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(status: u16, reason: &str, expected: Kind) {
        let body =
            json!({"error": {"code": status, "message": "", "errors": [{"domain": "usageLimits", "reason": reason}]}});
        let now = "2026-11-25T02:00:00Z".parse().unwrap();
        let kind = classify(status, &HeaderMap::new(), body.to_string().as_bytes(), now);
        assert_eq!(kind, expected, "{status} {reason}");
    }

    fn limited(hours: u64) -> Kind {
        Kind::RateLimited { retry_after: Some(Duration::from_secs(hours * 3600)) }
    }

    #[test]
    fn guarantee_16_the_reason_decides_whether_a_403_is_a_limit() {
        check(403, "userRateLimitExceeded", Kind::RateLimited { retry_after: None });
        check(403, "rateLimitExceeded", Kind::RateLimited { retry_after: None });
        check(429, "rateLimitExceeded", Kind::RateLimited { retry_after: None });
        check(429, "", Kind::RateLimited { retry_after: None });
        check(403, "dailyLimitExceeded", limited(6));
        check(403, "quotaExceeded", limited(24));
        check(403, "downloadQuotaExceeded", limited(24));
        check(403, "insufficientFilePermissions", Kind::Forbidden("insufficient_file_permissions"));
        check(403, "appNotAuthorizedToFile", Kind::Forbidden("app_not_authorized_to_file"));
        check(403, "domainPolicy", Kind::Forbidden("domain_policy"));
        check(403, "teamDriveMembershipRequired", Kind::Forbidden("drive_membership_required"));
        check(403, "fileNotExportable", Kind::Forbidden("file_not_exportable"));
        check(403, "cannotDownloadAbusiveFile", Kind::Forbidden("abusive_file"));
        check(403, "neverHeardOf", Kind::Forbidden("forbidden"));
        check(403, "insufficientPermissions", Kind::ScopeMissing);
        check(403, "accessNotConfigured", Kind::Misconfigured("accessNotConfigured".to_owned()));
        check(401, "authError", Kind::TokenRejected);
        check(404, "notFound", Kind::NotFound);
        for status in [500, 502, 503, 504] {
            check(status, "backendError", Kind::Unavailable);
        }
        check(400, "invalid", Kind::Rejected("invalid".to_owned()));
        check(400, "<b>token</b>", Kind::Rejected("status 400".to_owned()));
        check(302, "", Kind::AddressRefused("a redirect".to_owned()));
    }

    #[test]
    fn guarantee_16_the_wait_is_taken_from_the_header_or_from_the_words() {
        let now: Timestamp = "2026-11-25T02:00:00Z".parse().unwrap();
        let body = include_bytes!("fixtures/error.rate.json");
        let wait = |headers: &HeaderMap| match classify(403, headers, body, now) {
            Kind::RateLimited { retry_after } => retry_after.map(|wait| wait.as_secs()),
            other => panic!("{other:?}"),
        };
        let mut headers = HeaderMap::new();
        assert_eq!(wait(&headers), Some(45));
        headers.insert("retry-after", HeaderValue::from_static("7"));
        assert_eq!(wait(&headers), Some(7));
    }

    #[test]
    fn a_body_that_is_no_json_is_judged_by_its_status() {
        let kind = |status| classify(status, &HeaderMap::new(), b"<html>oops</html>", chrono::DateTime::UNIX_EPOCH);
        assert_eq!(kind(503), Kind::Unavailable);
        assert_eq!(kind(403), Kind::Forbidden("forbidden"));
        assert_eq!(kind(401), Kind::TokenRejected);
    }

    #[test]
    fn an_id_never_becomes_a_path() {
        for id in ["", "..", "a/b", "a?b", "a%2fb", "ä"] {
            assert_eq!(file_url(id, &[], &[]).unwrap_err().kind, Kind::NotFound, "{id}");
        }
        let url = file_url("1-_A", &["export"], &[("mimeType", "text/markdown")]).unwrap();
        assert_eq!(
            url.as_str(),
            "https://www.googleapis.com/drive/v3/files/1-_A/export?supportsAllDrives=true&mimeType=text%2Fmarkdown"
        );
    }
}
