//! Listing everything: Notion's search for pages and data sources, then the rows of each data source by a query of its own, because the
//! search is not exhaustive and a query is.

use super::client::{Api, FULL_PAGE, Find, Order, dashed, error};
use super::config::{Config, is_row};
use super::cursor::{ListingPage, Places, Stage};
use super::resources::resource;
use super::scope::Scope;
use super::wire::{Item, List, Parent, Up};
use crate::error::{Kind, ProviderError};
use crate::provider::{Listed, Page};

/// Results of a search with chosen pages: each may need looks at its parents, and a page must not take minutes.
pub const FEW: u32 = 20;

/// What is said where Notion's limits leave a part of a workspace unlisted: such a listing is no listing, and nothing may be deleted for it.
const TOO_MANY: &str = "Notion does not list workspaces of this size whole; share fewer pages with the integration";

/// A page of everything in scope.
pub async fn list(api: Api<'_>, config: Config, page: Option<&str>) -> Result<Page, ProviderError> {
    let mut at = page.map_or_else(|| Ok(ListingPage::first()), ListingPage::read)?;
    let mut scope = Scope::new(api, config, std::mem::take(&mut at.places));
    let mut resources = Vec::new();
    for item in step(api, &mut at, &mut scope).await? {
        resources.push(Listed { resource: resource(&item, api.now())?, text: None });
    }
    at.places = scope.places;
    let is_done = matches!(at.stage, Stage::Rows { .. }) && at.sources.is_empty();
    let next = if is_done { None } else { Some(at.write()?) };
    Ok(Page { resources, next, ..Page::default() })
}

/// How many results a search is asked for.
pub const fn size(config: &Config) -> u32 {
    if config.roots.is_some() { FEW } else { FULL_PAGE }
}

/// One call, and what it brought; `at` moves on.
async fn step(api: Api<'_>, at: &mut ListingPage, scope: &mut Scope<'_>) -> Result<Vec<Item>, ProviderError> {
    let order = match at.stage {
        Stage::Newest { .. } => Order::NewestFirst,
        Stage::Oldest { .. } => Order::OldestFirst,
        Stage::Rows { .. } => return rows(api, at, scope).await,
    };
    let list = api.search(Find::Live, order, size(&scope.config), at.cursor.as_deref()).await?;
    let meets = meets(&mut at.stage, &list);
    let (is_incomplete, next) = (list.is_incomplete(), list.next_cursor);
    let items = sort(list.results, at, scope).await?;
    at.cursor = next;
    if meets || at.cursor.is_none() {
        at.cursor = None;
        at.stage = match at.stage {
            _ if meets || !is_incomplete => Stage::Rows { since: None, last: None },
            Stage::Newest { down_to } => Stage::Oldest { up_to: down_to },
            Stage::Oldest { .. } | Stage::Rows { .. } => return Err(error(Kind::Rejected(TOO_MANY.to_owned()))),
        };
    }
    Ok(items)
}

/// Notes how far a search has come; whether it has met what the search from the other end has seen.
fn meets(stage: &mut Stage, list: &List<Item>) -> bool {
    let times = list.results.iter().filter_map(|item| item.last_edited_time);
    match stage {
        Stage::Newest { down_to } => {
            *down_to = times.chain(*down_to).min();
            false
        }
        // The whole of that minute may not have been seen from above.
        Stage::Oldest { up_to } => up_to.is_some_and(|limit| times.max().is_some_and(|latest| latest > limit)),
        Stage::Rows { .. } => false,
    }
}

/// Of what a search shows: what is to be synced. Rows wait for their data source's own query.
async fn sort(found: Vec<Item>, at: &mut ListingPage, scope: &mut Scope<'_>) -> Result<Vec<Item>, ProviderError> {
    let mut items = Vec::new();
    for item in found {
        if item.object == "data_source" {
            if scope.config.rows && scope.is_inside(&item).await? && !item.is_trashed() {
                at.wait(&item.id);
            }
        } else if is_row(&item) && scope.config.rows {
            let up = item.parent.as_ref().map_or(Up::Top, Parent::up);
            if let Up::DataSource(id, _) = &up
                && scope.holds_source(up.clone()).await?
                && waits(scope, at, id).await?
            {
                continue;
            }
        }
        if scope.holds(&item).await? {
            items.push(item);
        }
    }
    Ok(items)
}

/// Whether the rows of a data source will be listed by a query. A person may share a single row, whose source cannot be read then.
async fn waits(scope: &Scope<'_>, at: &mut ListingPage, id: &str) -> Result<bool, ProviderError> {
    if at.knows(id).is_none() {
        match scope.api.data_source(id).await {
            Ok(_) => {}
            Err(ProviderError { kind: Kind::NotFound | Kind::Forbidden(_) | Kind::Rejected(_), .. }) => at.hide(id),
            Err(error) => return Err(error),
        }
    }
    Ok(at.knows(id) != Some(false) && at.wait(id))
}

async fn rows(api: Api<'_>, at: &mut ListingPage, scope: &mut Scope<'_>) -> Result<Vec<Item>, ProviderError> {
    let Some(id) = at.sources.last().and_then(|id| dashed(id)) else {
        at.sources.clear();
        return Ok(Vec::new());
    };
    let Stage::Rows { since, last } = &mut at.stage else { return Ok(Vec::new()) };
    let list = match api.rows(&id, since.as_deref(), FULL_PAGE, at.cursor.as_deref()).await {
        // Linked from another workspace, of a kind that the API does not know, or gone meanwhile.
        Err(ProviderError { kind: Kind::NotFound | Kind::Forbidden(_) | Kind::Rejected(_), .. }) => {
            List { results: Vec::new(), has_more: None, next_cursor: None, request_status: None }
        }
        list => list?,
    };
    if let Some(made) = list.results.iter().filter_map(|row| row.created_time).max() {
        *last = Some(made.to_rfc3339_opts(chrono::SecondsFormat::Millis, true));
    }
    let is_incomplete = list.is_incomplete();
    at.cursor = list.next_cursor;
    if at.cursor.is_none() {
        if !is_incomplete {
            at.sources.pop();
            (*since, *last) = (None, None);
        } else if last.is_none() || last == since {
            // More rows were made in one minute than a query gives.
            return Err(error(Kind::Rejected(TOO_MANY.to_owned())));
        } else {
            since.clone_from(last);
        }
    }
    let wanted = |row: &Item| row.object == "page" && row.is_whole() && !row.is_trashed() && scope.config.passes(row);
    Ok(list.results.into_iter().filter(wanted).collect())
}

/// Where changes can be listed from later: the latest edit that Notion tells of, by its own clock.
pub async fn start_cursor(api: Api<'_>) -> Result<domain::Timestamp, ProviderError> {
    let list = api.search(Find::Live, Order::NewestFirst, 1, None).await?;
    Ok(list.results.iter().filter_map(|item| item.last_edited_time).max().unwrap_or_else(|| api.now()))
}

/// The scope without anything remembered.
pub fn fresh(api: Api<'_>, config: Config) -> Scope<'_> {
    Scope::new(api, config, Places::default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notion::Notion;
    use crate::notion::tests::{access, id};
    use crate::testing::{Reply, Seen, Server, config};
    use crate::{From, Http, ListRequest, Provider as _};
    use serde_json::{Value, json};

    fn page(number: u8, minute: u8, parent: Value) -> Value {
        let edited = format!("2026-11-20T10:{minute:02}:00.000Z");
        json!({"object": "page", "id": id(number), "created_time": edited, "last_edited_time": edited, "parent": parent,
               "in_trash": false, "url": "https://www.notion.so/x", "properties": {}})
    }

    fn top() -> Value {
        json!({"type": "workspace", "workspace": true})
    }

    fn row_of(source: u8) -> Value {
        json!({"type": "data_source_id", "data_source_id": id(source), "database_id": id(source + 100)})
    }

    fn source(number: u8) -> Value {
        let mut source = page(number, 1, json!({"type": "database_id", "database_id": id(number + 100)}));
        source["object"] = json!("data_source");
        source
    }

    fn list_of(items: &[Value], next: Option<&str>) -> Reply {
        Reply::json(200, json!({"object": "list", "results": items, "has_more": next.is_some(), "next_cursor": next}))
    }

    fn cut(items: &[Value]) -> Reply {
        let status = json!({"type": "incomplete", "incomplete_reason": "query_result_limit_reached"});
        Reply::json(200, json!({"results": items, "has_more": false, "next_cursor": null, "request_status": status}))
    }

    fn body(request: &Seen) -> Value {
        serde_json::from_str(&request.body).unwrap_or_default()
    }

    /// Lists everything, page by page as a worker does: the numbers of the ids, each as often as it was listed.
    async fn all(server: &Server, settings: Value) -> Result<Vec<u8>, Kind> {
        let (notion, config) = (Notion::new(Http::new()), config(settings));
        let (mut ids, mut next) = (Vec::new(), None);
        for _ in 0..40 {
            let request = ListRequest { config: &config, from: From::Everything, page: next.as_deref() };
            let page = notion.list(&access(server), request).await.map_err(|error| error.kind)?;
            assert!(page.gone.is_empty() && page.cursor.is_none());
            let number = |listed: Listed| u8::from_str_radix(&listed.resource.external_id.as_str()[34..], 16).unwrap();
            ids.extend(page.resources.into_iter().map(number));
            next = page.next;
            if next.is_none() {
                ids.sort_unstable();
                return Ok(ids);
            }
        }
        panic!("the listing does not end");
    }

    /// Pages 1 and 2, the row 3 of the source 10, which the search shows; the source 11 has the row 4, which it does not; of 12 the row 5 is all
    /// that can be read.
    fn workspace(request: &Seen) -> Reply {
        let body = body(request);
        match (request.path.as_str(), body["start_cursor"].as_str()) {
            ("/v1/search", None) => {
                let mut trashed = page(8, 9, top());
                trashed["in_trash"] = json!(true);
                let bare = json!({"object": "page", "id": id(9)});
                list_of(&[page(1, 9, top()), page(3, 8, row_of(10)), source(11), trashed, bare], Some("p2"))
            }
            ("/v1/search", Some("p2")) => list_of(&[page(2, 2, top()), source(10), page(5, 9, row_of(12))], None),
            (path, cursor) if path == format!("/v1/data_sources/{}/query", id(10)) => {
                assert_eq!((cursor, &body["sorts"][0]["timestamp"]), (None, &json!("created_time")));
                list_of(&[page(3, 8, row_of(10))], None)
            }
            (path, None) if path == format!("/v1/data_sources/{}/query", id(11)) => list_of(&[], Some("more")),
            (path, Some("more")) if path == format!("/v1/data_sources/{}/query", id(11)) => {
                list_of(&[page(4, 7, row_of(11))], None)
            }
            (path, None) if path == format!("/v1/data_sources/{}", id(10)) => Reply::json(200, source(10)),
            (path, _)
                if path.starts_with("/v1/databases/") || path.starts_with(&format!("/v1/data_sources/{}", id(12))) =>
            {
                Reply::json(404, json!({"object": "error", "status": 404, "code": "object_not_found"}))
            }
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn a_row_of_a_source_that_cannot_be_read_is_listed_as_the_search_shows_it() {
        let server = Server::start(workspace).await;
        assert!(all(&server, json!({})).await.unwrap().contains(&5));
        let query = format!("/v1/data_sources/{}/query", id(12));
        assert!(server.seen().iter().all(|request| request.path != query));
    }

    #[tokio::test]
    async fn everything_is_what_the_search_shows_and_every_row_of_its_sources_once() {
        let server = Server::start(workspace).await;
        assert_eq!(all(&server, json!({})).await.unwrap(), [1, 2, 3, 4, 5, 10, 11]);
        for request in server.seen() {
            assert_eq!(request.headers["notion-version"], "2026-03-11");
            assert_eq!(request.headers["authorization"], "Bearer canary-token");
        }
    }

    #[tokio::test]
    async fn filters_apply_and_unwanted_rows_are_not_asked_for() {
        let server = Server::start(workspace).await;
        assert_eq!(all(&server, json!({"rows": false})).await.unwrap(), [1, 2, 10, 11]);
        assert!(server.seen().iter().all(|request| request.path == "/v1/search"));
        let after = json!({"modifiedAfter": "2026-11-20T10:07:00Z"});
        assert_eq!(all(&server, after).await.unwrap(), [1, 3, 4, 5]);
        let server = Server::start(workspace).await;
        assert_eq!(all(&server, json!({"pages": [id(2)]})).await.unwrap_or_default(), [2]);
        assert_eq!(body(&server.seen()[0])["page_size"], FEW);
    }

    #[tokio::test]
    async fn chosen_databases_bring_their_rows() {
        let server = Server::start(|request| match request.path.as_str() {
            path if path == format!("/v1/data_sources/{}", id(11)) => Reply::json(200, source(11)),
            path if path == format!("/v1/databases/{}", id(111)) => {
                let mut database = page(111, 1, top());
                database["object"] = json!("database");
                Reply::json(200, database)
            }
            _ => workspace(request),
        })
        .await;
        assert_eq!(all(&server, json!({"databases": [id(110)]})).await.unwrap(), [3, 10]);
        assert_eq!(all(&server, json!({"databases": [id(11)]})).await.unwrap(), [4, 11]);
    }

    #[tokio::test]
    async fn a_search_that_was_cut_off_is_read_from_the_other_end_until_both_meet() {
        let found = async |oldest: fn() -> Reply| {
            let server = Server::start(move |request: &Seen| match body(request)["sort"]["direction"].as_str() {
                Some("descending") => cut(&[page(1, 9, top()), page(2, 5, top())]),
                _ => oldest(),
            })
            .await;
            all(&server, json!({})).await
        };
        assert_eq!(found(|| list_of(&[page(3, 1, top()), page(1, 9, top())], Some("on"))).await.unwrap(), [1, 1, 2, 3]);
        assert_eq!(found(|| list_of(&[page(3, 1, top())], None)).await.unwrap(), [1, 2, 3]);
        assert!(matches!(found(|| cut(&[page(3, 1, top())])).await, Err(Kind::Rejected(_))), "the middle is missing");
    }

    #[tokio::test]
    async fn a_source_of_more_rows_than_a_query_gives_is_read_in_windows() {
        let server = Server::start(|request| {
            let body = body(request);
            match (request.path.as_str(), body["filter"]["created_time"]["on_or_after"].as_str()) {
                ("/v1/search", _) => list_of(&[source(10)], None),
                (_, None) => cut(&[page(1, 1, row_of(10)), page(2, 2, row_of(10))]),
                (_, Some("2026-11-20T10:02:00.000Z")) => {
                    list_of(&[page(2, 2, row_of(10)), page(3, 3, row_of(10))], None)
                }
                other => panic!("{other:?}"),
            }
        })
        .await;
        assert_eq!(all(&server, json!({})).await.unwrap(), [1, 2, 2, 3, 10]);
        let stuck = Server::start(|request| match request.path.as_str() {
            "/v1/search" => list_of(&[source(10)], None),
            _ => cut(&[page(1, 1, row_of(10))]),
        })
        .await;
        assert!(matches!(all(&stuck, json!({})).await, Err(Kind::Rejected(_))));
    }

    #[tokio::test]
    async fn guarantee_19_an_incomplete_or_broken_page_fails_as_a_whole() {
        for text in [
            "",
            "{}",
            "<html>",
            "[]",
            r#"{"results":[{"object":"page"}]}"#,
            r#"{"results":null}"#,
            r#"{"results":[],"has_more":true}"#,
        ] {
            let server = Server::start(move |_| Reply::json(200, text)).await;
            assert!(matches!(all(&server, json!({})).await, Err(Kind::Malformed(_))), "{text}");
        }
    }

    #[tokio::test]
    async fn the_start_cursor_is_the_latest_edit_by_notions_clock() {
        let server = Server::start(|_| list_of(&[page(1, 9, top())], None)).await;
        let cursor = Notion::new(Http::new()).start_cursor(&access(&server), &config(json!({}))).await.unwrap();
        assert_eq!(cursor, r#"{"v":1,"since":"2026-11-20T10:09:00Z"}"#);
    }
}
