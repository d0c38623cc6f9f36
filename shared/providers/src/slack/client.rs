//! One method per endpoint of the Web API, and what its errors mean. Almost every answer is a 200 that says `ok` or not.

use domain::{ExternalId, ProviderId, Timestamp};
use http::HeaderMap;
use serde::de::DeserializeOwned;
use tempfile::NamedTempFile;
use url::Url;

use super::config::is_id;
use super::ts::Ts;
use super::wire;
use crate::error::{Kind, ProviderError};
use crate::http::{Answer, Call, Download, Http, Site};
use crate::provider::Access;
use crate::retry_after;

const BASE: &str = "https://slack.com/api";

/// Where Slack lives: the API with its OAuth pages, and where files are. A workspace's own name and Slack's store of files are
/// where downloads may redirect to.
pub const SITE: Site = Site {
    provider: ProviderId::Slack,
    hosts: &["slack.com", "files.slack.com"],
    storage: &[".slack.com", ".slack-edge.com"],
};

/// Largest file that is fetched; what `content` reads at most.
pub const MAX_FILE_BYTES: u64 = 100_000_000;

/// Messages, channels or users on a page. Slack takes up to 999 and advises fewer; a page of 500 messages is about half a megabyte.
const PAGE: &str = "500";
/// Messages on a page of an application that Slack restricts: more are not given.
const RESTRICTED_PAGE: &str = "15";
/// Files on a page.
pub const FILES_PAGE: usize = 200;

/// The word of a [`Kind::Forbidden`] for a channel that cannot be seen: it is gone, or we are no longer in it.
pub const NO_CHANNEL: &str = "channel_not_found";

/// The API with one account's access.
#[derive(Clone, Copy)]
pub struct Api<'a> {
    http: &'a Http,
    access: &'a Access,
}

/// The limits under which an application calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tier {
    /// Listed in Slack's Marketplace, or made by the customer for themselves.
    Full,
    /// Distributed commercially and not listed there: one call a minute, 15 messages each.
    Restricted,
}

impl Tier {
    /// What the operator's registration says.
    pub fn of(settings: &domain::ProviderSettings) -> Self {
        match settings.tier.as_deref() {
            Some("restricted") => Self::Restricted,
            _ => Self::Full,
        }
    }
}

/// Which messages of a channel.
#[derive(Debug, Clone, Copy)]
pub struct Stretch<'s> {
    /// From this moment on, this moment included.
    pub oldest: Option<Ts>,
    /// Up to this moment.
    pub latest: Option<Ts>,
    /// Where the last page said to go on.
    pub cursor: Option<&'s str>,
}

impl<'a> Api<'a> {
    /// The API as `access` sees it.
    pub const fn new(http: &'a Http, access: &'a Access) -> Self {
        Self { http, access }
    }

    /// The limits of the application.
    pub fn tier(&self) -> Tier {
        Tier::of(&self.access.settings)
    }

    /// Whose access it is; what is remembered of one must not serve another.
    pub const fn access(&self) -> &'a Access {
        self.access
    }

    /// The present moment.
    pub fn now(&self) -> Timestamp {
        self.http.now()
    }

    /// `auth.test`: which workspace the token opens.
    pub async fn identity(&self) -> Result<wire::Identity, ProviderError> {
        self.get("auth.test", &[]).await
    }

    /// `users.conversations`: the channels that the token's bot or person is a member of. Tier 2.
    pub async fn conversations(
        &self,
        types: &str,
        archived: bool,
        cursor: Option<&str>,
    ) -> Result<(Vec<wire::Channel>, Option<String>), ProviderError> {
        let exclude = if archived { "false" } else { "true" };
        let mut pairs = vec![("types", types), ("exclude_archived", exclude), ("limit", "999")];
        pairs.extend(cursor.map(|cursor| ("cursor", cursor)));
        let list: wire::Channels = self.get("users.conversations", &pairs).await?;
        let next = list.response_metadata.unwrap_or_default().cursor();
        check_cursor(cursor, next.as_deref())?;
        Ok((list.channels, next))
    }

    /// `conversations.info`: one channel. Tier 3.
    pub async fn channel(&self, id: &str) -> Result<wire::Channel, ProviderError> {
        let found: wire::OneChannel = self.get("conversations.info", &[("channel", known_form(id)?)]).await?;
        Ok(found.channel)
    }

    /// `conversations.history`: top-level messages of a channel, the newest first. Tier 3, or one a minute.
    pub async fn history(&self, channel: &str, stretch: Stretch<'_>) -> Result<Messages, ProviderError> {
        self.messages("conversations.history", &[("channel", known_form(channel)?)], stretch, self.page()).await
    }

    /// `conversations.replies`: the parent, then its replies, the oldest first. Tier 3, or one a minute.
    pub async fn replies(&self, channel: &str, thread: Ts, cursor: Option<&str>) -> Result<Messages, ProviderError> {
        let thread = thread.to_string();
        let pairs = [("channel", known_form(channel)?), ("ts", thread.as_str())];
        let stretch = Stretch { oldest: None, latest: None, cursor };
        self.messages("conversations.replies", &pairs, stretch, self.page()).await
    }

    /// The parent of a thread alone.
    pub async fn parent(&self, channel: &str, thread: Ts) -> Result<Option<wire::Message>, ProviderError> {
        let ts = thread.to_string();
        let pairs = [("channel", known_form(channel)?), ("ts", ts.as_str())];
        let stretch = Stretch { oldest: None, latest: None, cursor: None };
        let found = self.messages("conversations.replies", &pairs, stretch, "1").await?;
        Ok(found.messages.into_iter().find(|message| message.ts == ts))
    }

    async fn messages(
        &self,
        method: &str,
        what: &[(&str, &str)],
        stretch: Stretch<'_>,
        limit: &str,
    ) -> Result<Messages, ProviderError> {
        let (oldest, latest) = (stretch.oldest.map(|ts| ts.to_string()), stretch.latest.map(|ts| ts.to_string()));
        let mut pairs = what.to_vec();
        pairs.push(("limit", limit));
        pairs.extend(oldest.as_deref().map(|ts| ("oldest", ts)));
        pairs.extend(latest.as_deref().map(|ts| ("latest", ts)));
        if oldest.is_some() || latest.is_some() {
            pairs.push(("inclusive", "true"));
        }
        pairs.extend(stretch.cursor.map(|cursor| ("cursor", cursor)));
        let list: wire::Messages = self.get(method, &pairs).await?;
        let next = list.response_metadata.unwrap_or_default().cursor();
        check_cursor(stretch.cursor, next.as_deref())?;
        if list.has_more == Some(true) && next.is_none() {
            return Err(malformed("there is more, and no cursor that leads to it"));
        }
        if list.messages.iter().any(|message| Ts::read(&message.ts).is_none()) {
            return Err(malformed("a message whose id is none"));
        }
        Ok(Messages { messages: list.messages, next })
    }

    fn page(&self) -> &'static str {
        match self.tier() {
            Tier::Full => PAGE,
            Tier::Restricted => RESTRICTED_PAGE,
        }
    }

    /// `files.list`: files that the token sees, the newest first, made between two moments in epoch seconds, both included. Tier 3.
    pub async fn files(&self, from: i64, to: i64, page: u32) -> Result<wire::Files, ProviderError> {
        let (from, to, page, count) = (from.to_string(), to.to_string(), page.to_string(), FILES_PAGE.to_string());
        self.get("files.list", &[("ts_from", &from), ("ts_to", &to), ("page", &page), ("count", &count)]).await
    }

    /// `files.info`: one file. Tier 4.
    pub async fn file(&self, id: &str) -> Result<wire::File, ProviderError> {
        let found: wire::OneFile = self.get("files.info", &[("file", known_form(id)?)]).await?;
        Ok(found.file)
    }

    /// A file's bytes. Needs the token; without it Slack shows a page to sign in at, with status 200.
    pub async fn download(&self, address: &str) -> Result<NamedTempFile, ProviderError> {
        let url = Url::parse(address).map_err(|_| malformed("a file's address is no URL"))?;
        let call = Call::get(url, &self.access.token);
        match self.http.download(SITE, &self.access.settings, call, MAX_FILE_BYTES).await? {
            Download::File(file) => Ok(file),
            Download::Refused(answer) => Err(match answer.status.as_u16() {
                404 | 410 => error(Kind::NotFound),
                403 => error(Kind::Forbidden("file_not_downloadable")),
                _ => self.classified(&answer),
            }),
        }
    }

    /// `users.list`: people and bots of the workspace. Tier 2.
    pub async fn users(&self, cursor: Option<&str>) -> Result<(Vec<wire::User>, Option<String>), ProviderError> {
        let mut pairs = vec![("limit", "999")];
        pairs.extend(cursor.map(|cursor| ("cursor", cursor)));
        let list: wire::Users = self.get("users.list", &pairs).await?;
        let next = list.response_metadata.unwrap_or_default().cursor();
        check_cursor(cursor, next.as_deref())?;
        Ok((list.members, next))
    }

    /// `users.info`: one person or bot. Tier 4.
    pub async fn user(&self, id: &str) -> Result<wire::User, ProviderError> {
        let found: wire::OneUser = self.get("users.info", &[("user", known_form(id)?)]).await?;
        Ok(found.user)
    }

    async fn get<T: DeserializeOwned>(&self, method: &str, pairs: &[(&str, &str)]) -> Result<T, ProviderError> {
        let mut url =
            Url::parse(&format!("{BASE}/{method}")).map_err(|cause| malformed("an address").because(cause))?;
        if !pairs.is_empty() {
            url.query_pairs_mut().extend_pairs(pairs);
        }
        let answer = self.http.send(SITE, &self.access.settings, Call::get(url, &self.access.token)).await?;
        read(&answer, self.http.now())
    }

    fn classified(&self, answer: &Answer) -> ProviderError {
        error(of_status(answer.status.as_u16(), &answer.headers, &answer.body, self.http.now()))
    }
}

/// A page of messages.
#[derive(Debug)]
pub struct Messages {
    /// In the order of the method.
    pub messages: Vec<wire::Message>,
    /// Where to go on.
    pub next: Option<String>,
}

/// Reads an answer: its status, then its verdict, then what it brings.
pub fn read<T: DeserializeOwned>(answer: &Answer, now: Timestamp) -> Result<T, ProviderError> {
    if !answer.status.is_success() {
        return Err(error(of_status(answer.status.as_u16(), &answer.headers, &answer.body, now)));
    }
    let verdict: wire::Verdict = parse(&answer.body)?;
    if !verdict.ok {
        return Err(error(refused(verdict.error.as_deref().unwrap_or_default(), &answer.headers, now)));
    }
    parse(&answer.body)
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, ProviderError> {
    // The cause is not kept: serde's texts can repeat what the answer said.
    serde_json::from_slice(body).map_err(|error| {
        malformed(match error.classify() {
            serde_json::error::Category::Data => "a field is missing or of another type than documented",
            _ => "no JSON, or cut short",
        })
    })
}

/// What a status that is no success means. Its body may carry the same words as a 200's.
fn of_status(status: u16, headers: &HeaderMap, body: &[u8], now: Timestamp) -> Kind {
    let said = serde_json::from_slice::<wire::Verdict>(body).ok().and_then(|verdict| verdict.error);
    match (status, said) {
        (429, _) => Kind::RateLimited { retry_after: retry_after::asked(headers, body, now) },
        (408 | 500..=599, _) => Kind::Unavailable,
        (300..=399, _) => Kind::AddressRefused("a redirect".to_owned()),
        (_, Some(word)) => refused(&word, headers, now),
        (401, None) => Kind::TokenRejected,
        (403, None) => Kind::Forbidden("forbidden"),
        (404, None) => Kind::NotFound,
        (status, None) => Kind::Rejected(format!("status {status}")),
    }
}

/// What the `error` of an answer means. Words that are not known must be expected.
pub fn refused(code: &str, headers: &HeaderMap, now: Timestamp) -> Kind {
    match code {
        "token_expired" | "invalid_auth" | "not_authed" | "token_revoked" | "account_inactive" => Kind::TokenRejected,
        "missing_scope" | "not_allowed_token_type" => Kind::ScopeMissing,
        "ratelimited" | "rate_limited" | "message_limit_exceeded" => {
            Kind::RateLimited { retry_after: retry_after::from_headers(headers, now) }
        }
        // The workspace moves into an organization; Slack says to wait.
        "internal_error"
        | "fatal_error"
        | "service_unavailable"
        | "request_timeout"
        | "team_added_to_org"
        | "org_login_required" => Kind::Unavailable,
        "thread_not_found" | "message_not_found" | "file_not_found" | "file_deleted" | "user_not_found"
        | "user_not_visible" | "users_not_found" => Kind::NotFound,
        "channel_not_found" => Kind::Forbidden(NO_CHANNEL),
        "not_in_channel" => Kind::Forbidden("not_in_channel"),
        "no_permission" => Kind::Forbidden("no_permission"),
        "access_denied" | "accesslimited" | "restricted_action" => Kind::Forbidden("access_denied"),
        "ekm_access_denied" => Kind::Forbidden("ekm_access_denied"),
        "team_access_not_granted" | "enterprise_is_restricted" => Kind::Forbidden("team_access_not_granted"),
        "invalid_cursor" => Kind::PageExpired,
        _ => Kind::Rejected(word(code)),
    }
}

/// Codes are words; anything else is not repeated, since it may echo what was sent.
pub fn word(code: &str) -> String {
    let is_word = !code.is_empty() && code.len() <= 40 && code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    if is_word { code.to_owned() } else { "unknown".to_owned() }
}

/// An error of Slack's.
pub const fn error(kind: Kind) -> ProviderError {
    ProviderError::new(ProviderId::Slack, kind)
}

/// An answer that is not what the API promises.
pub fn malformed(what: &str) -> ProviderError {
    error(Kind::Malformed(what.to_owned()))
}

/// Our form of an id out of an answer.
pub fn external_id(channel: &str, rest: &str) -> Result<ExternalId, ProviderError> {
    if !is_id(channel) {
        return Err(malformed("an id that is none"));
    }
    ExternalId::new(format!("{channel}/{rest}")).map_err(|_| malformed("an id that is none"))
}

/// An id that Slack cannot have given names nothing.
fn known_form(id: &str) -> Result<&str, ProviderError> {
    if is_id(id) { Ok(id) } else { Err(error(Kind::NotFound)) }
}

/// A page that leads to itself would be read for ever.
fn check_cursor(from: Option<&str>, next: Option<&str>) -> Result<(), ProviderError> {
    if next.is_some() && from == next {
        return Err(malformed("a page leads to itself"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn check(code: &str, expected: Kind) {
        let now = "2026-11-25T02:00:00Z".parse().unwrap();
        assert_eq!(refused(code, &HeaderMap::new(), now), expected, "{code}");
    }

    #[test]
    fn guarantee_16_the_word_decides_what_a_refusal_with_status_200_means() {
        for dead in ["token_expired", "invalid_auth", "not_authed", "token_revoked", "account_inactive"] {
            check(dead, Kind::TokenRejected);
        }
        check("missing_scope", Kind::ScopeMissing);
        check("ratelimited", Kind::RateLimited { retry_after: None });
        for down in ["internal_error", "fatal_error", "service_unavailable", "request_timeout", "team_added_to_org"] {
            check(down, Kind::Unavailable);
        }
        for gone in ["thread_not_found", "message_not_found", "file_not_found", "file_deleted"] {
            check(gone, Kind::NotFound);
        }
        check("channel_not_found", Kind::Forbidden(NO_CHANNEL));
        check("not_in_channel", Kind::Forbidden("not_in_channel"));
        check("invalid_cursor", Kind::PageExpired);
        check("never_heard_of", Kind::Rejected("never_heard_of".to_owned()));
        check("xoxb-1 was refused", Kind::Rejected("unknown".to_owned()));
        check("", Kind::Rejected("unknown".to_owned()));
    }

    #[test]
    fn guarantee_16_the_wait_is_taken_from_the_header() {
        let now = "2026-11-25T02:00:00Z".parse().unwrap();
        let mut headers = HeaderMap::new();
        headers.insert("retry-after", http::HeaderValue::from_static("30"));
        let wait = Kind::RateLimited { retry_after: Some(Duration::from_secs(30)) };
        assert_eq!(of_status(429, &headers, br#"{"ok":false,"error":"ratelimited"}"#, now), wait);
        assert_eq!(refused("ratelimited", &headers, now), wait);
    }

    #[test]
    fn a_status_that_is_no_success_is_judged_by_its_words_or_by_itself() {
        let kind =
            |status, body: &str| of_status(status, &HeaderMap::new(), body.as_bytes(), chrono::DateTime::UNIX_EPOCH);
        assert_eq!(kind(503, "<html>"), Kind::Unavailable);
        assert_eq!(kind(500, r#"{"ok":false,"error":"invalid_auth"}"#), Kind::Unavailable);
        assert_eq!(kind(403, r#"{"ok":false,"error":"invalid_auth"}"#), Kind::TokenRejected);
        assert_eq!(kind(401, ""), Kind::TokenRejected);
        assert_eq!(kind(404, ""), Kind::NotFound);
        assert_eq!(kind(302, ""), Kind::AddressRefused("a redirect".to_owned()));
        assert_eq!(kind(418, ""), Kind::Rejected("status 418".to_owned()));
    }
}
