//! What a person may choose to sync: pages and databases, and what is in them.

use std::collections::BTreeSet;

use super::client::{Api, FULL_PAGE, Find, Order, dashed, error};
use super::resources::resource;
use super::wire::{Block, Content, Item, Up};
use crate::error::{Kind, ProviderError};
use crate::provider::{BrowseRequest, Choice, Choices};

/// One page of choices: one call, and a second where an id may be a page's or a data source's.
pub async fn browse(api: Api<'_>, request: BrowseRequest<'_>) -> Result<Choices, ProviderError> {
    let Some(parent) = request.parent else { return top(api, request.cursor).await };
    let parent = dashed(parent).ok_or_else(|| error(Kind::NotFound))?;
    match api.children(&parent, request.cursor).await {
        Ok(list) => {
            let items = list.results.iter().filter_map(below).collect();
            Ok(Choices { items, next: list.next_cursor })
        }
        // It is no page: the rows of a data source, or of a database's first one.
        Err(ProviderError { kind: Kind::NotFound | Kind::Rejected(_), .. }) => rows(api, &parent, request.cursor).await,
        Err(error) => Err(error),
    }
}

/// What was shared with the connection. What lies in something else that is shown here is found there.
async fn top(api: Api<'_>, cursor: Option<&str>) -> Result<Choices, ProviderError> {
    let list = api.search(Find::Live, Order::NewestFirst, FULL_PAGE, cursor).await?;
    let mut ids = BTreeSet::new();
    for item in &list.results {
        ids.insert(item.id.clone());
    }
    let is_below = |item: &Item| match item.parent.as_ref().map(super::wire::Parent::up) {
        Some(Up::Page(id) | Up::DataSource(id, _)) => ids.contains(&id),
        _ => false,
    };
    let shown = list.results.iter().filter(|item| item.is_whole() && !item.is_trashed() && !is_below(item));
    let items = shown.map(|item| choice(api, item)).collect::<Result<_, _>>()?;
    Ok(Choices { items, next: list.next_cursor })
}

async fn rows(api: Api<'_>, id: &str, cursor: Option<&str>) -> Result<Choices, ProviderError> {
    let list = api.rows(id, None, FULL_PAGE, cursor).await?;
    let shown = list.results.iter().filter(|item| item.is_whole() && !item.is_trashed());
    let items = shown.map(|item| choice(api, item)).collect::<Result<_, _>>()?;
    Ok(Choices { items, next: list.next_cursor })
}

fn choice(api: Api<'_>, item: &Item) -> Result<Choice, ProviderError> {
    let resource = resource(item, api.now())?;
    let is_page = item.object == "page";
    Ok(Choice {
        id: resource.external_id.to_string(),
        name: resource.name,
        kind: if is_page { "page" } else { "database" },
        field: Some(if is_page { "pages" } else { "databases" }),
        has_children: true,
    })
}

/// A page or database among a page's blocks.
fn below(block: &Block) -> Option<Choice> {
    let kind = block.kind.as_deref()?;
    let content: Content = serde_json::from_value(block.rest.get(kind)?.clone()).ok()?;
    let (kind, field) = match kind {
        "child_page" => ("page", "pages"),
        "child_database" => ("database", "databases"),
        _ => return None,
    };
    let name = content.title.as_ref().and_then(serde_json::Value::as_str).filter(|name| !name.is_empty());
    Some(Choice {
        id: dashed(&block.id)?,
        name: name.unwrap_or("Untitled").to_owned(),
        kind,
        field: Some(field),
        // A database holds data sources, which are shown beside the pages.
        has_children: kind == "page",
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notion::Notion;
    use crate::notion::tests::{access, id};
    use crate::testing::{Reply, Seen, Server};
    use crate::{Http, Provider as _};
    use serde_json::{Value, json};

    fn item(object: &str, number: u8, parent: Value) -> Value {
        json!({"object": object, "id": id(number), "last_edited_time": "2026-11-20T10:00:00.000Z", "parent": parent,
               "title": [{"plain_text": "Tasks"}], "properties": {"Name": {"type": "title", "title": [{"plain_text": "Plan"}]}}})
    }

    async fn shown(parent: Option<&str>) -> Vec<(String, String, &'static str, bool)> {
        let server = Server::start(|request: &Seen| {
            let list = |results: Value| Reply::json(200, json!({"results": results, "has_more": false, "next_cursor": null}));
            let top = json!({"type": "workspace", "workspace": true});
            let row = json!({"type": "data_source_id", "data_source_id": id(3)});
            match request.path.as_str() {
                "/v1/search" => list(json!([
                    item("page", 1, top),
                    item("page", 2, json!({"type": "page_id", "page_id": id(1)})),
                    item("data_source", 3, json!({"type": "database_id", "database_id": id(103)})),
                    item("page", 4, row),
                    item("page", 5, json!({"type": "page_id", "page_id": id(99)})),
                ])),
                path if path == format!("/v1/blocks/{}/children", id(1)) => list(json!([
                    {"object": "block", "id": id(2), "type": "child_page", "has_children": true, "child_page": {"title": "Plan"}},
                    {"object": "block", "id": id(50), "type": "paragraph", "paragraph": {"rich_text": []}},
                    {"object": "block", "id": id(103), "type": "child_database", "child_database": {"title": ""}},
                ])),
                path if path == format!("/v1/data_sources/{}/query", id(3)) => list(json!([item("page", 4, row)])),
                _ => Reply::json(404, json!({"object": "error", "code": "object_not_found"})),
            }
        })
        .await;
        let request = BrowseRequest { parent, cursor: None };
        let choices = Notion::new(Http::new()).browse(&access(&server), request).await.unwrap();
        choices.items.into_iter().map(|one| (one.id, one.name, one.field.unwrap(), one.has_children)).collect()
    }

    #[tokio::test]
    async fn one_begins_with_what_was_shared_and_looks_into_it() {
        let page = |number, name: &str| (id(number), name.to_owned(), "pages", true);
        let database = |number, name: &str, has_children| (id(number), name.to_owned(), "databases", has_children);
        assert_eq!(shown(None).await, [page(1, "Plan"), database(3, "Tasks", true), page(5, "Plan")]);
        assert_eq!(shown(Some(&id(1))).await, [page(2, "Plan"), database(103, "Untitled", false)]);
        assert_eq!(shown(Some(&id(3))).await, [page(4, "Plan")]);
    }

    #[tokio::test]
    async fn what_is_no_id_is_not_there() {
        let server = Server::start(|_| panic!("nothing is asked")).await;
        let request = BrowseRequest { parent: Some("../users"), cursor: None };
        assert_eq!(Notion::new(Http::new()).browse(&access(&server), request).await.unwrap_err().kind, Kind::NotFound);
    }
}
