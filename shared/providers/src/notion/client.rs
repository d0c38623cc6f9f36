//! One method per endpoint of the Notion API, and what its errors mean.

use domain::{ExternalId, ProviderId, Timestamp};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use url::Url;

use super::wire::{self, List};
use crate::error::{Kind, ProviderError};
use crate::http::{Answer, Call, Http, Site};
use crate::provider::Access;
use crate::retry_after;

const BASE: &str = "https://api.notion.com/v1";

/// Where Notion lives.
pub const SITE: Site = Site { provider: ProviderId::Notion, hosts: &["api.notion.com"], storage: &[] };

/// The version of the API that everything here is written for; webhook subscriptions are to be made with the same.
pub const VERSION: &str = "2026-03-11";

/// Largest page of a list.
pub const FULL_PAGE: u32 = 100;

/// Longest cursor that is believed. Notion's are ids; cursors are kept in messages, of which none may be crowded out.
const MAX_CURSOR_BYTES: usize = 512;

/// What a search is to find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Find {
    /// Pages and data sources.
    Live,
    /// The same, of those in the trash.
    Trashed,
}

/// Which end of a search comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// What was edited last.
    NewestFirst,
    /// What was edited longest ago.
    OldestFirst,
}

/// The API with one connection's access.
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

    /// The present moment by our clock.
    pub fn now(&self) -> Timestamp {
        self.http.now()
    }

    /// `GET /users/me`: the bot that the token stands for.
    pub async fn me(&self) -> Result<wire::User, ProviderError> {
        self.get(url(&["users", "me"], &[])?).await
    }

    /// `GET /users/{id}`: a person. Needs a capability of its own.
    pub async fn user(&self, id: &str) -> Result<wire::User, ProviderError> {
        self.get(url(&["users", &path_id(id)?], &[])?).await
    }

    /// `POST /search`: pages and data sources that the connection sees, as far as Notion's index knows them.
    pub async fn search(
        &self,
        find: Find,
        order: Order,
        page_size: u32,
        cursor: Option<&str>,
    ) -> Result<List<wire::Item>, ProviderError> {
        let direction = match order {
            Order::NewestFirst => "descending",
            Order::OldestFirst => "ascending",
        };
        let mut body = json!({
            "sort": {"timestamp": "last_edited_time", "direction": direction},
            "page_size": page_size,
        });
        if find == Find::Trashed {
            set(&mut body, "filter", json!({"in_trash": true}));
        }
        self.post_list(url(&["search"], &[])?, body, cursor).await
    }

    /// `POST /data_sources/{id}/query`: rows, the oldest first, made at `since` or later.
    pub async fn rows(
        &self,
        id: &str,
        since: Option<&str>,
        page_size: u32,
        cursor: Option<&str>,
    ) -> Result<List<wire::Item>, ProviderError> {
        let mut body =
            json!({"sorts": [{"timestamp": "created_time", "direction": "ascending"}], "page_size": page_size});
        if let Some(since) = since {
            let filter = json!({"timestamp": "created_time", "created_time": {"on_or_after": since}});
            set(&mut body, "filter", filter);
        }
        self.post_list(url(&["data_sources", &path_id(id)?, "query"], &[])?, body, cursor).await
    }

    /// `GET /pages/{id}`.
    pub async fn page(&self, id: &str) -> Result<wire::Item, ProviderError> {
        self.get(url(&["pages", &path_id(id)?], &[])?).await
    }

    /// `GET /data_sources/{id}`.
    pub async fn data_source(&self, id: &str) -> Result<wire::Item, ProviderError> {
        self.get(url(&["data_sources", &path_id(id)?], &[])?).await
    }

    /// `GET /databases/{id}`.
    pub async fn database(&self, id: &str) -> Result<wire::Item, ProviderError> {
        self.get(url(&["databases", &path_id(id)?], &[])?).await
    }

    /// `GET /blocks/{id}`.
    pub async fn block(&self, id: &str) -> Result<wire::Block, ProviderError> {
        self.get(url(&["blocks", &path_id(id)?], &[])?).await
    }

    /// `GET /blocks/{id}/children`.
    pub async fn children(&self, id: &str, cursor: Option<&str>) -> Result<List<wire::Block>, ProviderError> {
        self.get_list(&["blocks", &path_id(id)?, "children"], &[], cursor).await
    }

    /// `GET /comments`: those on the page itself, as far as they are not resolved.
    pub async fn comments(&self, page: &str, cursor: Option<&str>) -> Result<List<wire::Comment>, ProviderError> {
        self.get_list(&["comments"], &[("block_id", path_id(page)?.as_str())], cursor).await
    }

    /// `GET /pages/{id}/properties/{property}`: a value that pages carry cut short.
    pub async fn property(
        &self,
        page: &str,
        property: &str,
        cursor: Option<&str>,
    ) -> Result<List<Value>, ProviderError> {
        // Property ids come encoded for use in an address.
        let is_encoded = |b: u8| b.is_ascii_alphanumeric() || b"%_-~".contains(&b);
        if property.is_empty() || property.len() > 100 || !property.bytes().all(is_encoded) {
            return Err(error(Kind::NotFound));
        }
        let mut address = url(&["pages", &path_id(page)?, "properties"], &[])?;
        address.set_path(&format!("{}/{property}", address.path()));
        self.get_page(address, cursor).await
    }

    async fn get_list<T: DeserializeOwned>(
        &self,
        path: &[&str],
        pairs: &[(&str, &str)],
        cursor: Option<&str>,
    ) -> Result<List<T>, ProviderError> {
        self.get_page(url(path, pairs)?, cursor).await
    }

    async fn get_page<T: DeserializeOwned>(
        &self,
        mut url: Url,
        cursor: Option<&str>,
    ) -> Result<List<T>, ProviderError> {
        url.query_pairs_mut().append_pair("page_size", &FULL_PAGE.to_string());
        if let Some(cursor) = cursor {
            url.query_pairs_mut().append_pair("start_cursor", cursor);
        }
        let list = self.parse(&self.call(Call::get(url, &self.access.token)).await?);
        checked(list, cursor)
    }

    async fn post_list<T: DeserializeOwned>(
        &self,
        url: Url,
        mut body: Value,
        cursor: Option<&str>,
    ) -> Result<List<T>, ProviderError> {
        if let Some(cursor) = cursor {
            set(&mut body, "start_cursor", json!(cursor));
        }
        let list = self.parse(&self.call(Call::post(url, &self.access.token, body)).await?);
        checked(list, cursor)
    }

    async fn get<T: DeserializeOwned>(&self, url: Url) -> Result<T, ProviderError> {
        self.parse(&self.call(Call::get(url, &self.access.token)).await?)
    }

    async fn call(&self, mut call: Call<'_>) -> Result<Answer, ProviderError> {
        call.headers.insert(HeaderName::from_static("notion-version"), HeaderValue::from_static(VERSION));
        self.http.send(SITE, &self.access.settings, call).await
    }

    fn parse<T: DeserializeOwned>(&self, answer: &Answer) -> Result<T, ProviderError> {
        if !answer.status.is_success() {
            return Err(error(classify(answer.status.as_u16(), &answer.headers, &answer.body, self.http.now())));
        }
        // The cause is not kept: serde's texts can repeat what the answer said.
        serde_json::from_slice(&answer.body).map_err(|error| {
            malformed(match error.classify() {
                serde_json::error::Category::Data => "a field is missing or of another type than documented",
                _ => "no JSON, or cut short",
            })
        })
    }
}

/// A page of a list must lead somewhere, and not to itself. Notion refuses cursors that it no longer takes as a wrong value.
fn checked<T>(list: Result<List<T>, ProviderError>, from: Option<&str>) -> Result<List<T>, ProviderError> {
    let mut list = match list {
        Err(ProviderError { kind: Kind::Rejected(code), .. }) if from.is_some() && code == "validation_error" => {
            return Err(error(Kind::PageExpired));
        }
        list => list?,
    };
    list.next_cursor = list.next_cursor.filter(|cursor| !cursor.is_empty());
    match &list.next_cursor {
        None if list.has_more == Some(true) => Err(malformed("a page that leads nowhere")),
        Some(next) if from == Some(next) => Err(malformed("a page leads to itself")),
        Some(next) if next.len() > MAX_CURSOR_BYTES => Err(malformed("a cursor of excessive length")),
        _ => Ok(list),
    }
}

/// What an answer that is no success means. The code in the body decides; where there is none, the status.
pub fn classify(status: u16, headers: &HeaderMap, body: &[u8], now: Timestamp) -> Kind {
    let failure = wire::Failure::read(body);
    match (status, failure.code()) {
        (401, _) => Kind::TokenRejected,
        // The integration lacks a capability: no resource is to blame, and none is gone.
        (403, "restricted_resource") => Kind::ScopeMissing,
        (403, _) => Kind::Forbidden("forbidden"),
        (404, _) => Kind::NotFound,
        (429 | 529, _) => Kind::RateLimited { retry_after: retry_after::from_headers(headers, now) },
        // Two writers met; it passes.
        (408 | 409 | 500..=599, _) => Kind::Unavailable,
        (300..=399, _) => Kind::AddressRefused("a redirect".to_owned()),
        (_, word)
            if !word.is_empty() && word.len() <= 40 && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') =>
        {
            Kind::Rejected(word.to_owned())
        }
        (status, _) => Kind::Rejected(format!("status {status}")),
    }
}

/// An error of Notion's.
pub const fn error(kind: Kind) -> ProviderError {
    ProviderError::new(ProviderId::Notion, kind)
}

/// An answer that is not what the API promises.
pub fn malformed(what: &str) -> ProviderError {
    error(Kind::Malformed(what.to_owned()))
}

/// The one form of an id: lower case, with dashes. Notion takes and gives ids with and without them.
pub fn dashed(text: &str) -> Option<String> {
    let hex: String = text.chars().filter(|c| *c != '-').collect::<String>().to_ascii_lowercase();
    if hex.len() != 32 || !hex.bytes().all(|b| b.is_ascii_hexdigit()) || text.len() > 36 {
        return None;
    }
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    Some(format!("{}-{}-{}-{}-{}", part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)))
}

/// Our form of an id out of an answer.
pub fn external_id(id: &str) -> Result<ExternalId, ProviderError> {
    dashed(id).and_then(|id| ExternalId::new(id).ok()).ok_or_else(|| malformed("an id that is none"))
}

/// An id that Notion cannot have given names nothing, and must not become another path.
fn path_id(id: &str) -> Result<String, ProviderError> {
    dashed(id).ok_or_else(|| error(Kind::NotFound))
}

fn set(body: &mut Value, name: &str, value: Value) {
    if let Some(fields) = body.as_object_mut() {
        fields.insert(name.to_owned(), value);
    }
}

fn url(path: &[&str], pairs: &[(&str, &str)]) -> Result<Url, ProviderError> {
    let mut url = Url::parse(BASE).map_err(|cause| malformed("an address").because(cause))?;
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.extend(path);
    }
    if !pairs.is_empty() {
        url.query_pairs_mut().extend_pairs(pairs);
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn kind(status: u16, code: &str) -> Kind {
        let body = json!({"object": "error", "status": status, "code": code, "message": "canary", "request_id": "r"});
        classify(status, &HeaderMap::new(), body.to_string().as_bytes(), chrono::DateTime::UNIX_EPOCH)
    }

    #[test]
    fn every_code_says_what_to_do() {
        assert_eq!(kind(401, "unauthorized"), Kind::TokenRejected);
        assert_eq!(kind(403, "restricted_resource"), Kind::ScopeMissing);
        assert_eq!(kind(404, "object_not_found"), Kind::NotFound);
        assert_eq!(kind(409, "conflict_error"), Kind::Unavailable);
        assert_eq!(kind(429, "rate_limited"), Kind::RateLimited { retry_after: None });
        assert_eq!(kind(529, "service_overload"), Kind::RateLimited { retry_after: None });
        for (status, code) in
            [(500, "internal_server_error"), (503, "service_unavailable"), (504, "gateway_timeout"), (502, "")]
        {
            assert_eq!(kind(status, code), Kind::Unavailable, "{status}");
        }
        assert_eq!(kind(400, "validation_error"), Kind::Rejected("validation_error".to_owned()));
        assert_eq!(kind(400, "<b>secret</b>"), Kind::Rejected("status 400".to_owned()));
        assert_eq!(kind(302, ""), Kind::AddressRefused("a redirect".to_owned()));
    }

    #[test]
    fn the_wait_is_in_the_header() {
        let mut headers = HeaderMap::new();
        headers.insert("retry-after", HeaderValue::from_static("7"));
        let kind = |status| classify(status, &headers, b"", chrono::DateTime::UNIX_EPOCH);
        let seven = Kind::RateLimited { retry_after: Some(Duration::from_secs(7)) };
        assert_eq!((kind(429), kind(529)), (seven.clone(), seven));
    }

    #[test]
    fn an_id_has_one_form_and_nothing_else_becomes_a_path() {
        let dashed_form = "59833787-2cf9-4fdf-8782-e53db20768a5";
        for text in [dashed_form, "598337872cf94fdf8782e53db20768a5", "598337872CF94FDF8782E53DB20768A5"] {
            assert_eq!(dashed(text).as_deref(), Some(dashed_form));
        }
        for text in ["", "..", "598337872cf94fdf8782e53db20768a", "x98337872cf94fdf8782e53db20768a5", "a/b"] {
            assert_eq!(dashed(text), None, "{text}");
            assert_eq!(path_id(text).unwrap_err().kind, Kind::NotFound);
        }
        let url = url(&["users", "../x"], &[("page_size", "100")]).unwrap();
        assert_eq!(url.as_str(), "https://api.notion.com/v1/users/..%2Fx?page_size=100");
    }

    #[test]
    fn a_page_of_a_list_leads_somewhere() {
        let list = |text: &str| checked::<Value>(serde_json::from_str(text).map_err(|_| malformed("")), Some("a"));
        assert!(list(r#"{"results":[],"has_more":false,"next_cursor":null}"#).is_ok());
        assert!(list(r#"{"results":[],"has_more":true,"next_cursor":"b"}"#).is_ok());
        assert!(list(r#"{"results":[],"has_more":true,"next_cursor":null}"#).is_err());
        assert!(list(r#"{"results":[],"has_more":true,"next_cursor":"a"}"#).is_err());
        let refused = checked::<Value>(Err(error(Kind::Rejected("validation_error".to_owned()))), Some("a"));
        assert_eq!(refused.unwrap_err().kind, Kind::PageExpired);
    }
}
