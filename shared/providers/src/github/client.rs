//! Calls to GitHub: addresses, headers, pages, conditional requests, and what refusals mean.
//!
//! Repositories are called by name where a listing just told it, as the documentation does. A renamed or moved one answers with a
//! redirect then, and is called by its number.

use domain::{ProviderId, Timestamp};
use http::header::{ACCEPT, ETAG, IF_NONE_MATCH, LINK};
use http::{HeaderMap, HeaderValue, Method};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tempfile::NamedTempFile;
use url::Url;

use super::graph;
use super::refusals::{SECONDARY_WAIT, classify};
use super::wire;
use crate::error::{Kind, ProviderError};
use crate::http::{Answer, Call, Download, Http, Payload, Site};
use crate::provider::Access;
use crate::retry_after;

/// The public API.
pub const API: &str = "https://api.github.com";

/// Where GitHub lives: the API, its OAuth pages, and where downloads redirect to.
pub const SITE: Site = Site {
    provider: ProviderId::Github,
    hosts: &["api.github.com", "github.com"],
    storage: &[".githubusercontent.com", "codeload.github.com"],
};

/// Largest file that is fetched; GitHub serves none that is larger.
pub const MAX_FILE_BYTES: u64 = 100_000_000;

/// Longest query that may lead to a next page.
const MAX_QUERY_BYTES: usize = 2_000;

const JSON: &str = "application/vnd.github+json";
const RAW: &str = "application/vnd.github.raw+json";
const OBJECT: &str = "application/vnd.github.object+json";
const SHA: &str = "application/vnd.github.sha";

/// The API with one account's access.
#[derive(Clone, Copy)]
pub struct Api<'a> {
    http: &'a Http,
    access: &'a Access,
}

/// Which repository is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct At<'a> {
    /// Its number.
    pub id: u64,
    /// `owner/name`, where that was told of late.
    pub name: Option<&'a str>,
}

/// A list's page.
#[derive(Debug)]
pub struct Listed<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// The query of the next page.
    pub next: Option<String>,
    /// What a conditional request for the same page sends.
    pub etag: Option<String>,
    /// When GitHub answered, by its clock.
    pub sent: Option<Timestamp>,
}

/// The answer to a conditional request.
#[derive(Debug)]
pub enum News<T> {
    /// Nothing has changed since that `ETag`. Costs nothing of the primary limit.
    Same,
    /// This is there now.
    Changed(Listed<T>),
}

impl<T> News<T> {
    /// The page; of an unchanged one, none.
    pub fn page(self) -> Option<Listed<T>> {
        match self {
            Self::Same => None,
            Self::Changed(page) => Some(page),
        }
    }
}

impl<'a> Api<'a> {
    /// The API as `access` sees it.
    pub const fn new(http: &'a Http, access: &'a Access) -> Self {
        Self { http, access }
    }

    /// The present moment, by our clock.
    pub fn now(&self) -> Timestamp {
        self.http.now()
    }

    /// `GET /user`: whose token it is.
    pub async fn user(&self) -> Result<wire::User, ProviderError> {
        let answer = self.get(url(&["user"], "")?, JSON, None).await?;
        self.parse(&answer)
    }

    /// `GET /user/repos`: the repositories that the account can reach, oldest first, so that pages stay what they are.
    pub async fn repositories(&self, query: Option<&str>) -> Result<Listed<wire::Repository>, ProviderError> {
        let first = "per_page=100&sort=created&direction=asc";
        let query = query.unwrap_or(first);
        let answer = self.get(url(&["user", "repos"], query)?, JSON, None).await?;
        self.page(&answer, query)
    }

    /// `GET /repositories/{id}`: a repository by its number.
    pub async fn repository(&self, id: u64) -> Result<wire::Repository, ProviderError> {
        let answer = self.get(url(&["repositories", &id.to_string()], "")?, JSON, None).await?;
        self.parse(&answer)
    }

    /// A page of a list in a repository, if it has changed since `etag`.
    pub async fn list<T: DeserializeOwned>(
        &self,
        at: At<'_>,
        path: &[&str],
        query: &str,
        etag: Option<&str>,
    ) -> Result<News<T>, ProviderError> {
        let answer = self.ask(at, path, query, JSON, etag).await?;
        if answer.status.as_u16() == 304 {
            return Ok(News::Same);
        }
        self.page(&answer, query).map(News::Changed)
    }

    /// One thing in a repository.
    pub async fn one<T: DeserializeOwned>(&self, at: At<'_>, path: &[&str], query: &str) -> Result<T, ProviderError> {
        let answer = self.ask(at, path, query, JSON, None).await?;
        self.parse(&answer)
    }

    /// A tree with all that is below it; `None` for a repository without commits, and for a branch that is not there.
    pub async fn tree(&self, at: At<'_>, of: &str, whole: bool) -> Result<Option<wire::Tree>, ProviderError> {
        let query = if whole { "recursive=1" } else { "" };
        let answer = self.ask(at, &["git", "trees", of], query, JSON, None).await?;
        match answer.status.as_u16() {
            404 | 409 => Ok(None),
            _ => self.parse(&answer).map(Some),
        }
    }

    /// The latest commit of a branch; `None` for a repository without commits.
    pub async fn head(&self, at: At<'_>, branch: &str) -> Result<Option<String>, ProviderError> {
        let answer = self.ask(at, &["commits", branch], "", SHA, None).await?;
        match answer.status.as_u16() {
            404 | 409 | 422 => Ok(None),
            200..=299 => {
                let sha = std::str::from_utf8(&answer.body).unwrap_or_default().trim();
                if is_sha(sha) { Ok(Some(sha.to_owned())) } else { Err(malformed("a commit without a hash")) }
            }
            _ => Err(self.classified(&answer)),
        }
    }

    /// What changed between two commits; `None` if one of them is gone.
    pub async fn compare(&self, at: At<'_>, base: &str, head: &str) -> Result<Option<wire::Comparison>, ProviderError> {
        let answer = self.ask(at, &["compare", &format!("{base}...{head}")], "", JSON, None).await?;
        match answer.status.as_u16() {
            404 | 422 => Ok(None),
            _ => self.parse(&answer).map(Some),
        }
    }

    /// What is at a path of the default branch.
    pub async fn content(&self, at: At<'_>, path: &str) -> Result<wire::Content, ProviderError> {
        let parts: Vec<&str> = std::iter::once("contents").chain(path.split('/')).collect();
        let answer = self.ask(at, &parts, "", OBJECT, None).await?;
        self.parse(&answer)
    }

    /// The bytes of a blob, by its hash.
    pub async fn blob(&self, at: At<'_>, sha: &str) -> Result<NamedTempFile, ProviderError> {
        if !is_sha(sha) {
            return Err(malformed("a blob without a hash"));
        }
        let path = ["git", "blobs", sha];
        let mut address = address(at, &path, "")?;
        for _ in 0..2 {
            let mut call = Call::get(address, &self.access.token);
            call.headers = headers(RAW, None);
            match self.http.download(SITE, &self.access.settings, call, MAX_FILE_BYTES).await? {
                Download::File(file) => return Ok(file),
                Download::Refused(answer) if is_moved(&answer) && at.name.is_some() => {
                    address = self::address(At { name: None, ..at }, &path, "")?;
                }
                Download::Refused(answer) => return Err(self.classified(&answer)),
            }
        }
        Err(error(Kind::NotFound))
    }

    /// `POST …/hooks`: a hook of a repository. What is sent does not follow a redirect, so its name is asked for first.
    pub async fn make_hook(&self, id: u64, body: Value) -> Result<wire::Hook, ProviderError> {
        let name = self.repository(id).await?.full_name;
        let address = address(At { id, name: Some(name.as_str()) }, &["hooks"], "")?;
        let answer = self.send(Method::POST, address, JSON, Some(body)).await?;
        self.parse(&answer)
    }

    /// `DELETE …/hooks/{hook}`. One that is gone already counts as deleted.
    pub async fn delete_hook(&self, id: u64, hook: &str) -> Result<(), ProviderError> {
        let name = self.repository(id).await?.full_name;
        let address = address(At { id, name: Some(name.as_str()) }, &["hooks", hook], "")?;
        let answer = self.send(Method::DELETE, address, JSON, None).await?;
        match answer.status.as_u16() {
            200..=299 | 404 | 410 => Ok(()),
            _ => Err(self.classified(&answer)),
        }
    }

    /// A GraphQL query. Parts that are not to be had are null in its data.
    pub async fn graph<T: DeserializeOwned>(&self, query: &str, variables: Value) -> Result<T, ProviderError> {
        let body = json!({"query": query, "variables": variables});
        let answer = self.send(Method::POST, url(&["graphql"], "")?, JSON, Some(body)).await?;
        let said: graph::Answer<T> = self.parse(&answer)?;
        let kinds: Vec<&str> = said.errors.iter().map(|error| error.kind.as_str()).collect();
        if kinds.contains(&"RATE_LIMITED") {
            let retry_after = retry_after::asked(&answer.headers, b"", self.http.now());
            return Err(error(Kind::RateLimited { retry_after: retry_after.or(Some(SECONDARY_WAIT)) }));
        }
        let is_partial = kinds.iter().all(|kind| matches!(*kind, "NOT_FOUND" | "FORBIDDEN"));
        match (said.data, kinds.first().copied()) {
            (Some(data), _) if is_partial => Ok(data),
            (_, Some("NOT_FOUND")) => Err(error(Kind::NotFound)),
            (_, Some("FORBIDDEN")) => Err(error(Kind::Forbidden("forbidden"))),
            (_, Some("INSUFFICIENT_SCOPES")) => Err(error(Kind::ScopeMissing)),
            (_, Some(_)) => Err(error(Kind::Rejected("a query failed".to_owned()))),
            (_, None) => Err(malformed("an answer without data")),
        }
    }

    /// A call in a repository, once more by number if its name leads elsewhere by now.
    async fn ask(
        &self,
        at: At<'_>,
        path: &[&str],
        query: &str,
        accept: &str,
        etag: Option<&str>,
    ) -> Result<Answer, ProviderError> {
        let answer = self.get(address(at, path, query)?, accept, etag).await?;
        if is_moved(&answer) && at.name.is_some() {
            return self.get(address(At { name: None, ..at }, path, query)?, accept, etag).await;
        }
        Ok(answer)
    }

    async fn get(&self, url: Url, accept: &str, etag: Option<&str>) -> Result<Answer, ProviderError> {
        let mut call = Call::get(url, &self.access.token);
        call.headers = headers(accept, etag);
        self.http.send(SITE, &self.access.settings, call).await
    }

    async fn send(&self, method: Method, url: Url, accept: &str, body: Option<Value>) -> Result<Answer, ProviderError> {
        let payload = body.map_or(Payload::Empty, Payload::Json);
        let call = Call { method, url, bearer: Some(&self.access.token), headers: headers(accept, None), payload };
        self.http.send(SITE, &self.access.settings, call).await
    }

    fn page<T: DeserializeOwned>(&self, answer: &Answer, query: &str) -> Result<Listed<T>, ProviderError> {
        let items = self.parse(answer)?;
        let next = next_query(&answer.headers)?;
        if next.as_deref() == Some(query) {
            return Err(malformed("a page that leads to itself"));
        }
        let etag = answer.headers.get(ETAG).and_then(|value| value.to_str().ok()).map(str::to_owned);
        Ok(Listed { items, next, etag, sent: retry_after::sent(&answer.headers) })
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

/// An error of ours.
pub const fn error(kind: Kind) -> ProviderError {
    ProviderError::new(ProviderId::Github, kind)
}

/// An answer that is not what the API promises.
pub fn malformed(what: &str) -> ProviderError {
    error(Kind::Malformed(what.to_owned()))
}

/// Whether a text is the hash of a git object.
pub fn is_sha(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// `owner/name` in an address of the API (`…/repos/owner/name/…`).
pub fn name_in(address: &str) -> Option<&str> {
    let rest = address.split_once("/repos/")?.1;
    let end = rest.match_indices('/').nth(1).map_or(rest.len(), |(at, _)| at);
    rest.get(..end).filter(|name| is_name(name))
}

/// Whether a text has the form `owner/name`.
pub fn is_name(text: &str) -> bool {
    let is_part = |part: &str| {
        !part.is_empty()
            && part.len() <= 100
            && !matches!(part, "." | "..")
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    text.split_once('/').is_some_and(|(owner, name)| is_part(owner) && is_part(name))
}

fn is_moved(answer: &Answer) -> bool {
    matches!(answer.status.as_u16(), 301 | 302 | 307 | 308)
}

fn headers(accept: &str, etag: Option<&str>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("x-github-api-version", HeaderValue::from_static("2022-11-28"));
    if let Ok(value) = HeaderValue::from_str(accept) {
        headers.insert(ACCEPT, value);
    }
    if let Some(value) = etag.and_then(|etag| HeaderValue::from_str(etag).ok()) {
        headers.insert(IF_NONE_MATCH, value);
    }
    headers
}

fn address(at: At<'_>, path: &[&str], query: &str) -> Result<Url, ProviderError> {
    let id = at.id.to_string();
    let place = match at.name.and_then(|name| name.split_once('/')) {
        Some((owner, name)) => vec!["repos", owner, name],
        None => vec!["repositories", &id],
    };
    url(&[place.as_slice(), path].concat(), query)
}

/// An address of the API. Each part is encoded whole: a slash in it stays inside.
fn url(path: &[&str], query: &str) -> Result<Url, ProviderError> {
    let mut url = Url::parse(API).map_err(|_| malformed("the API's address"))?;
    url.path_segments_mut().map_err(|()| malformed("the API's address"))?.clear().extend(path);
    url.set_query((!query.is_empty()).then_some(query));
    Ok(url)
}

/// The query of the page that `Link` calls the next. Its path may name the repository otherwise and is not needed.
fn next_query(headers: &HeaderMap) -> Result<Option<String>, ProviderError> {
    let links = headers.get_all(LINK).iter().filter_map(|value| value.to_str().ok()).flat_map(|text| text.split(','));
    for link in links {
        let mut parts = link.split(';').map(str::trim);
        let address = parts.next().and_then(|text| text.strip_prefix('<')?.strip_suffix('>'));
        if !parts.any(|part| matches!(part, r#"rel="next""# | "rel=next")) {
            continue;
        }
        let query = address.and_then(|text| Url::parse(text).ok()?.query().map(str::to_owned));
        return match query {
            Some(query) if query.len() <= MAX_QUERY_BYTES => Ok(Some(query)),
            _ => Err(malformed("a next page without an address")),
        };
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderName;

    fn map(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()))
            .collect()
    }

    #[test]
    fn the_next_page_is_the_query_of_the_link_whatever_its_path() {
        let check = |link: &str, next: Option<&str>| {
            assert_eq!(next_query(&map(&[("link", link)])).unwrap().as_deref(), next, "{link}");
        };
        check(
            r#"<https://api.github.com/repositories/5/issues?per_page=100&page=2>; rel="next", <https://x/?page=9>; rel="last""#,
            Some("per_page=100&page=2"),
        );
        check(
            r#"<https://x/?page=1>; rel="prev", <https://api.github.com/user/repos?after=Y3Vyc29y>; rel="next""#,
            Some("after=Y3Vyc29y"),
        );
        check(r#"<https://x/?page=1>; rel="first""#, None);
        assert!(next_query(&map(&[("link", r#"<nowhere>; rel="next""#)])).is_err());
        assert_eq!(next_query(&HeaderMap::new()).unwrap(), None);
    }

    #[test]
    fn names_come_out_of_addresses_and_nothing_else_does() {
        assert_eq!(name_in("https://api.github.com/repos/acme/app/contents/x?ref=main"), Some("acme/app"));
        assert_eq!(name_in("http://localhost:4600/github/api/repos/acme/app"), Some("acme/app"));
        assert_eq!(name_in("https://api.github.com/repositories/5"), None);
        assert_eq!(name_in("https://api.github.com/repos/acme/.."), None);
        assert!(!is_name("a/b/c") && !is_name("a") && !is_name("a b/c"));
    }

    #[test]
    fn a_slash_in_a_part_stays_inside_of_it() {
        let url =
            address(At { id: 5, name: Some("acme/app") }, &["git", "trees", "feature/x y"], "recursive=1").unwrap();
        assert_eq!(url.as_str(), "https://api.github.com/repos/acme/app/git/trees/feature%2Fx%20y?recursive=1");
        assert_eq!(address(At { id: 5, name: None }, &["hooks"], "").unwrap().path(), "/repositories/5/hooks");
    }
}
