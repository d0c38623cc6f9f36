//! Listing what changed. Notion has no feed of changes: the search is read from the latest edit down to where the last listing began,
//! once for what is live and once for what is in the trash.
//!
//! Times are told to the minute and the search lags behind, so the last minutes are always read again; what has not changed there has
//! its known revision and costs nothing.

use chrono::TimeDelta;
use domain::resource::DeleteReason;

use super::client::{Api, Find, Order, external_id};
use super::config::Config;
use super::cursor::{ChangeCursor, ChangesPage};
use super::listing::size;
use super::resources::resource;
use super::scope::Scope;
use super::wire::Item;
use crate::error::ProviderError;
use crate::provider::{Gone, Listed, Page};

/// How far back beyond the last listing is read: more than [`super::resources::UNSETTLED`], so that every page is seen once more after
/// its minute, and enough for the index of the search to catch up.
const OVERLAP: TimeDelta = TimeDelta::minutes(10);

/// A page of changes since `cursor`. Where little has changed, one call for what is live and one for the trash make it whole.
pub async fn list(api: Api<'_>, config: Config, cursor: &str, page: Option<&str>) -> Result<Page, ProviderError> {
    let since = ChangeCursor::read(cursor)?.since;
    let mut at = page.map_or_else(|| Ok(ChangesPage::first(since)), ChangesPage::read)?;
    let mut scope = Scope::new(api, config, std::mem::take(&mut at.places));
    let mut result = Page::default();
    loop {
        let find = if at.trash { Find::Trashed } else { Find::Live };
        let list = api.search(find, Order::NewestFirst, size(&scope.config), at.cursor.as_deref()).await?;
        let is_old = |item: &Item| item.last_edited_time.is_some_and(|edited| edited < since - OVERLAP);
        let ends = list.results.iter().any(is_old);
        if list.is_incomplete() && !ends && list.next_cursor.is_none() {
            // Notion shows no more than this, and the changes go on beyond.
            return Ok(Page { relist: true, ..Page::default() });
        }
        for item in list.results.into_iter().filter(|item| item.is_whole() && !is_old(item)) {
            at.newest = at.newest.max(item.last_edited_time.unwrap_or(at.newest));
            judge(&item, at.trash, &mut scope, &mut result).await?;
        }
        at.cursor = list.next_cursor.filter(|_| !ends);
        if at.cursor.is_none() {
            if at.trash {
                result.cursor = Some(ChangeCursor::new(at.newest).write()?);
                return Ok(result);
            }
            at.trash = true;
        }
        if at.cursor.is_some() || result.resources.len() + result.gone.len() >= 50 {
            at.places = scope.places;
            result.next = Some(at.write()?);
            return Ok(result);
        }
    }
}

async fn judge(item: &Item, trash: bool, scope: &mut Scope<'_>, page: &mut Page) -> Result<(), ProviderError> {
    let reason = if trash || item.is_trashed() {
        DeleteReason::Trashed
    } else if scope.holds(item).await? {
        page.resources.push(Listed { resource: resource(item, scope.api.now())?, text: None });
        return Ok(());
    } else {
        // It may have been moved out of the chosen pages; the caller knows whether this is news.
        DeleteReason::OutOfScope
    };
    page.gone.push(Gone { external_id: external_id(&item.id)?, reason });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;
    use crate::notion::Notion;
    use crate::notion::tests::{access, id};
    use crate::testing::{Reply, Seen, Server, config};
    use crate::{From, Http, ListRequest, Provider as _};
    use serde_json::{Value, json};

    const CURSOR: &str = r#"{"v":1,"since":"2026-11-20T10:20:00Z"}"#;

    fn page(number: u8, minute: u8) -> Value {
        json!({"object": "page", "id": id(number), "last_edited_time": format!("2026-11-20T10:{minute:02}:00.000Z"),
               "parent": {"type": "workspace", "workspace": true}, "properties": {}})
    }

    fn reply(items: &[Value], next: Option<&str>, status: &str) -> Reply {
        Reply::json(
            200,
            json!({"results": items, "has_more": next.is_some(), "next_cursor": next, "request_status": {"type": status}}),
        )
    }

    #[derive(Debug, Default, PartialEq)]
    struct Told {
        listed: Vec<String>,
        gone: Vec<(String, DeleteReason)>,
        relist: bool,
        cursor: Option<String>,
        calls: usize,
    }

    async fn told(
        settings: Value,
        live: impl Fn(Option<&str>) -> Reply + Send + Sync + 'static,
        trash: impl Fn(Option<&str>) -> Reply + Send + Sync + 'static,
    ) -> Result<Told, Kind> {
        let server = Server::start(move |request: &Seen| {
            if request.path != "/v1/search" {
                return Reply::json(404, json!({"object": "error", "code": "object_not_found"}));
            }
            let body: Value = serde_json::from_str(&request.body).unwrap();
            assert_eq!(body["sort"], json!({"timestamp": "last_edited_time", "direction": "descending"}));
            let cursor = body["start_cursor"].as_str();
            if body["filter"] == json!({"in_trash": true}) { trash(cursor) } else { live(cursor) }
        })
        .await;
        let (notion, config) = (Notion::new(Http::new()), config(settings));
        let (mut told, mut next) = (Told::default(), None);
        for _ in 0..20 {
            let request = ListRequest { config: &config, from: From::Cursor(CURSOR), page: next.as_deref() };
            let page = notion.list(&access(&server), request).await.map_err(|error| error.kind)?;
            told.listed.extend(page.resources.into_iter().map(|listed| listed.resource.external_id.to_string()));
            told.gone.extend(page.gone.into_iter().map(|gone| (gone.external_id.to_string(), gone.reason)));
            (told.relist, told.cursor, next) = (page.relist, page.cursor, page.next);
            if next.is_none() {
                told.calls = server.seen().len();
                return Ok(told);
            }
        }
        panic!("the changes do not end");
    }

    fn since(minute: u8) -> Option<String> {
        Some(format!(r#"{{"v":1,"since":"2026-11-20T10:{minute:02}:00Z"}}"#))
    }

    #[tokio::test]
    async fn a_quiet_workspace_costs_one_look_at_what_is_live_and_one_at_the_trash() {
        let told = told(json!({}), |_| reply(&[page(1, 9)], Some("on"), "complete"), |_| reply(&[], None, "complete"))
            .await
            .unwrap();
        assert_eq!(told, Told { cursor: since(20), calls: 2, ..Told::default() });
    }

    #[tokio::test]
    async fn changes_are_read_down_to_the_overlap_and_the_trash_tells_of_deletions() {
        let live = |cursor: Option<&str>| match cursor {
            None => reply(&[page(1, 30), page(2, 25)], Some("on"), "complete"),
            _ => reply(&[page(3, 10), page(4, 9)], Some("further"), "complete"),
        };
        let told = told(json!({}), live, |_| reply(&[page(5, 28), page(6, 9)], None, "complete")).await.unwrap();
        let expected = Told {
            listed: vec![id(1), id(2), id(3)],
            gone: vec![(id(5), DeleteReason::Trashed)],
            relist: false,
            cursor: since(30),
            calls: 3,
        };
        assert_eq!(told, expected);
    }

    #[tokio::test]
    async fn what_is_not_in_the_chosen_pages_is_out_of_scope() {
        let live = |_: Option<&str>| reply(&[page(1, 30), page(2, 25)], None, "complete");
        let told = told(json!({"pages": [id(2)]}), live, |_| reply(&[], None, "complete")).await.unwrap();
        assert_eq!((told.listed, told.gone), (vec![id(2)], vec![(id(1), DeleteReason::OutOfScope)]));
    }

    #[tokio::test]
    async fn changes_beyond_what_a_search_shows_ask_for_a_full_listing() {
        let live = |_: Option<&str>| reply(&[page(1, 30)], None, "incomplete");
        let told = told(json!({}), live, |_| reply(&[], None, "complete")).await.unwrap();
        assert!(told.relist && told.cursor.is_none());
    }

    #[tokio::test]
    async fn guarantee_20_a_page_that_leads_to_itself_is_a_loop_and_one_that_expired_says_so() {
        let again = |_: Option<&str>| reply(&[page(1, 30)], Some("on"), "complete");
        assert!(matches!(told(json!({}), again, |_| reply(&[], None, "complete")).await, Err(Kind::Malformed(_))));
        let dead = |cursor: Option<&str>| match cursor {
            None => reply(&[page(1, 30)], Some("on"), "complete"),
            _ => Reply::json(400, json!({"object": "error", "status": 400, "code": "validation_error"})),
        };
        assert_eq!(told(json!({}), dead, |_| reply(&[], None, "complete")).await, Err(Kind::PageExpired));
    }
}
