//! Whether something lies in the chosen pages and databases: found out by going up from it, one parent at a time.

use super::client::{Api, dashed};
use super::config::Config;
use super::cursor::Places;
use super::wire::{Item, Up};
use crate::error::{Kind, ProviderError};

/// Steps up from an item at most: no page lies deeper, so a longer way goes in circles.
const STEPS: usize = 60;

/// What is chosen, and what was found out so far.
pub struct Scope<'a> {
    /// The API.
    pub api: Api<'a>,
    /// The integration's config.
    pub config: Config,
    /// What was found out about places, kept from page to page of a listing.
    pub places: Places,
}

impl<'a> Scope<'a> {
    /// The scope of a config.
    pub const fn new(api: Api<'a>, config: Config, places: Places) -> Self {
        Self { api, config, places }
    }

    /// Whether an item is to be synced.
    ///
    /// # Errors
    /// Those of the calls that look at parents.
    pub async fn holds(&mut self, item: &Item) -> Result<bool, ProviderError> {
        if !item.is_whole() || item.is_trashed() || !self.config.passes(item) {
            return Ok(false);
        }
        self.is_inside(item).await
    }

    /// Whether an item lies in what is chosen, whatever the filters say.
    ///
    /// # Errors
    /// Those of the calls that look at parents.
    pub async fn is_inside(&mut self, item: &Item) -> Result<bool, ProviderError> {
        if self.config.roots.is_none() || self.is_root(&item.id) {
            return Ok(true);
        }
        self.climb(above(item)).await
    }

    fn is_root(&self, id: &str) -> bool {
        let roots = self.config.roots.as_ref();
        roots.is_some_and(|roots| dashed(id).is_some_and(|id| roots.contains(&id)))
    }

    /// Whether a data source lies in what is chosen, known by a row of it.
    ///
    /// # Errors
    /// Those of the calls that look at parents.
    pub async fn holds_source(&mut self, up: Up) -> Result<bool, ProviderError> {
        if self.config.roots.is_none() { Ok(true) } else { self.climb(up).await }
    }

    async fn climb(&mut self, mut up: Up) -> Result<bool, ProviderError> {
        let mut passed = Vec::new();
        let mut found = false;
        for _ in 0..STEPS {
            let (id, also) = match &up {
                Up::Top => break,
                Up::Page(id) | Up::Database(id) | Up::Block(id) => (id.clone(), None),
                Up::DataSource(id, database) => (id.clone(), database.clone()),
            };
            if self.is_root(&id) || also.is_some_and(|database| self.is_root(&database)) {
                found = true;
                break;
            }
            if let Some(known) = self.places.get(&id) {
                found = known;
                break;
            }
            passed.push(id);
            up = match self.above(&up).await {
                Ok(next) => next,
                // What cannot be seen is in nothing that was chosen: access goes down from the chosen pages.
                Err(ProviderError { kind: Kind::NotFound | Kind::Forbidden(_) | Kind::Rejected(_), .. }) => Up::Top,
                Err(error) => return Err(error),
            };
        }
        for id in passed {
            self.places.note(&id, found);
        }
        Ok(found)
    }

    async fn above(&self, up: &Up) -> Result<Up, ProviderError> {
        Ok(match up {
            Up::Page(id) => above(&self.api.page(id).await?),
            Up::DataSource(id, _) => above(&self.api.data_source(id).await?),
            Up::Database(id) => above(&self.api.database(id).await?),
            Up::Block(id) => self.api.block(id).await?.parent.map_or(Up::Top, |parent| parent.up()),
            Up::Top => Up::Top,
        })
    }
}

/// What an item is in.
fn above(item: &Item) -> Up {
    item.parent.as_ref().map_or(Up::Top, super::wire::Parent::up)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Http;
    use crate::notion::tests::{access, id};
    use crate::testing::{Reply, Seen, Server, config};
    use serde_json::{Value, json};

    fn item(object: &str, number: u8, parent: Value) -> Value {
        json!({"object": object, "id": id(number), "last_edited_time": "2026-11-20T10:00:00.000Z", "parent": parent})
    }

    fn page_in(number: u8) -> Value {
        json!({"type": "page_id", "page_id": id(number)})
    }

    /// 1 holds 2, in a block 3 of which is the database 4 with the data source 5, whose row 6 holds 7. 8 and 9 hold each other.
    fn answer(request: &Seen) -> Reply {
        let known = [
            ("pages", item("page", 1, json!({"type": "workspace", "workspace": true}))),
            ("pages", item("page", 2, page_in(1))),
            ("blocks", json!({"object": "block", "id": id(3), "type": "toggle", "parent": page_in(2)})),
            ("databases", item("database", 4, json!({"type": "block_id", "block_id": id(3)}))),
            ("data_sources", item("data_source", 5, json!({"type": "database_id", "database_id": id(4)}))),
            (
                "pages",
                item("page", 6, json!({"type": "data_source_id", "data_source_id": id(5), "database_id": id(4)})),
            ),
            ("pages", item("page", 8, page_in(9))),
            ("pages", item("page", 9, page_in(8))),
        ];
        let found =
            known.iter().find(|(kind, item)| request.path == format!("/v1/{kind}/{}", item["id"].as_str().unwrap()));
        match found {
            Some((_, item)) => Reply::json(200, item),
            None => Reply::json(404, json!({"object": "error", "status": 404, "code": "object_not_found"})),
        }
    }

    async fn check(settings: Value, item: Value, expected: bool, calls: usize) {
        let server = Server::start(answer).await;
        let (http, access) = (Http::new(), access(&server));
        let config = Config::read(&config(settings.clone())).unwrap();
        let mut scope = Scope::new(Api::new(&http, &access), config, Places::default());
        let item: Item = serde_json::from_value(item).unwrap();
        assert_eq!(scope.holds(&item).await.unwrap(), expected, "{settings}");
        assert_eq!(server.seen().len(), calls, "{settings}");
        assert_eq!(scope.holds(&item).await.unwrap(), expected);
        assert_eq!(server.seen().len(), calls, "nothing is asked twice");
    }

    #[tokio::test]
    async fn what_is_below_a_chosen_page_or_database_is_inside_at_any_depth() {
        let below = item("page", 7, page_in(6));
        check(json!({}), below.clone(), true, 0).await;
        check(json!({"pages": [id(7)]}), below.clone(), true, 0).await;
        check(json!({"pages": [id(6)]}), below.clone(), true, 0).await;
        check(json!({"databases": [id(4)]}), below.clone(), true, 1).await;
        check(json!({"databases": [id(5)]}), below.clone(), true, 1).await;
        check(json!({"pages": [id(1)]}), below.clone(), true, 5).await;
        check(json!({"pages": [id(99)]}), below, false, 6).await;
    }

    #[tokio::test]
    async fn a_circle_ends_and_what_cannot_be_seen_is_outside() {
        check(json!({"pages": [id(1)]}), item("page", 20, page_in(77)), false, 1).await;
        let server = Server::start(answer).await;
        let (http, access) = (Http::new(), access(&server));
        let config = Config::read(&config(json!({"pages": [id(1)]}))).unwrap();
        let mut scope = Scope::new(Api::new(&http, &access), config, Places::default());
        let circle: Item = serde_json::from_value(item("page", 21, page_in(8))).unwrap();
        assert!(!scope.holds(&circle).await.unwrap());
        assert!(server.seen().len() <= STEPS);
    }

    #[tokio::test]
    async fn trash_and_bare_pages_are_not_held() {
        let mut trashed = item("page", 2, page_in(1));
        trashed["in_trash"] = json!(true);
        check(json!({}), trashed, false, 0).await;
        check(json!({}), json!({"object": "page", "id": id(2)}), false, 0).await;
    }
}
