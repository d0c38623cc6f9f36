//! Notion over the sandbox's sample content: pages in pages, every kind of block, a database with rows, comments, a page longer than one
//! answer. What is delivered is compared with what the sandbox knows, which puts it together without a look at the API.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "what is missing fails the test"
)]

#[allow(dead_code, reason = "the contract suite uses all of it")]
#[path = "contract/sandbox.rs"]
mod sandbox;

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::clock::Clock as _;
use domain::{ExternalId, IntegrationConfig, ProviderId, ProviderSettings, Resource, SystemClock};
use providers::{Access, Body, FetchRequest, Flow, From, Gone, Http, Kind, ListRequest, Page, Provider, Registry};
use sandbox::Sandbox;
use serde_json::{Value, json};

const ADA: &str = "ada@example.com";
const REDIRECT: &str = "http://localhost:4999/callback";

struct Workspace {
    sandbox: Sandbox,
    registry: Registry,
    access: Access,
}

impl Workspace {
    /// The sample content, connected by Ada, who picks these pages (everything, if none).
    async fn connected(picked: &[&str]) -> Self {
        let sandbox = Sandbox::start();
        sandbox.control("POST", "reset", json!({ "demo": true })).await;
        let endpoints = sandbox.control("GET", "endpoints", json!({})).await["notion"].clone();
        let settings =
            json!({ "clientId": "sandbox-client", "clientSecret": "sandbox-secret", "endpoints": endpoints });
        let settings: Arc<ProviderSettings> = Arc::new(serde_json::from_value(settings).unwrap());
        let access = Access { token: "none".into(), settings };
        let mut workspace = Self { sandbox, registry: Registry::new(Http::new()), access };
        let oauth = workspace.provider().oauth().unwrap();
        let flow = Flow { state: "s", redirect_uri: REDIRECT, pkce_challenge: None };
        let url = oauth.authorize_url(&workspace.access.settings, &flow).unwrap();
        let mut form: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        let mut add = |name: &str, value: &str| form.push((name.to_owned(), value.to_owned()));
        add("account", ADA);
        add("decision", "allow");
        if !picked.is_empty() {
            add("picked", "1");
        }
        let truth = workspace.truth().await;
        for title in picked {
            add("page", id_of(&truth, title).as_str());
        }
        let mut target = url.clone();
        target.set_query(None);
        let answer = workspace.sandbox.browser.post(target).form(&form).send().await.unwrap();
        let back = url::Url::parse(answer.headers()["location"].to_str().unwrap()).unwrap();
        let code = back.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
        let settings = &workspace.access.settings;
        let tokens = oauth.exchange(settings, &code, REDIRECT, None, SystemClock.now()).await.unwrap();
        workspace.access.token = tokens.access_token;
        workspace
    }

    fn provider(&self) -> &dyn Provider {
        self.registry.get(ProviderId::Notion)
    }

    /// What there is, by title.
    async fn truth(&self) -> BTreeMap<String, Value> {
        let answer = self.sandbox.control("GET", &format!("notion/truth?account={ADA}"), json!({})).await;
        let pages = answer["pages"].as_array().unwrap().iter();
        pages.map(|page| (page["title"].as_str().unwrap().to_owned(), page.clone())).collect()
    }

    async fn list(&self, config: Value, from: From<'_>) -> (Vec<Resource>, Vec<Gone>, Option<String>) {
        let config: IntegrationConfig = serde_json::from_value(config).unwrap();
        let (mut found, mut gone, mut page) = (Vec::new(), Vec::new(), None::<String>);
        for _ in 0..50 {
            let request = ListRequest { config: &config, from, page: page.as_deref() };
            let Page { resources, gone: went, next, cursor, .. } =
                self.provider().list(&self.access, request).await.unwrap();
            found.extend(resources.into_iter().map(|listed| listed.resource));
            gone.extend(went);
            page = next;
            if page.is_none() {
                found.sort_by(|a, b| a.name.cmp(&b.name));
                return (found, gone, cursor);
            }
        }
        panic!("the listing does not end");
    }

    async fn titles(&self, config: Value) -> Vec<String> {
        self.list(config, From::Everything).await.0.into_iter().map(|resource| resource.name).collect()
    }

    /// A text in parts of so many calls, and how many parts.
    async fn text(
        &self,
        id: &ExternalId,
        known: Option<&Resource>,
        calls: u32,
    ) -> Result<(Resource, String, usize), Kind> {
        let (mut text, mut resume) = (String::new(), None::<String>);
        for parts in 1..400 {
            let request = FetchRequest { id, known, resume: resume.as_deref(), calls };
            let part = self.provider().fetch(&self.access, request).await.map_err(|error| error.kind)?;
            let Body::Text(more) = part.body else { panic!("it is text") };
            text.push_str(&more);
            resume = part.next;
            if resume.is_none() {
                return Ok((part.resource, text, parts));
            }
        }
        panic!("the fetch does not end");
    }

    async fn change(&self, id: &str, mut change: Value) {
        change["account"] = json!(ADA);
        self.sandbox.control("PATCH", &format!("notion/pages/{id}"), change).await;
    }
}

fn id_of(truth: &BTreeMap<String, Value>, title: &str) -> String {
    truth[title]["id"].as_str().unwrap_or_else(|| panic!("{title}")).to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_row_and_data_source_is_delivered_as_it_is_in_one_part_or_in_many() {
    let workspace = Workspace::connected(&[]).await;
    let truth = workspace.truth().await;
    let (listed, _, _) = workspace.list(json!({}), From::Everything).await;
    let titles: Vec<&str> = listed.iter().map(|resource| resource.name.as_str()).collect();
    assert_eq!(titles, truth.keys().collect::<Vec<_>>());
    for resource in &listed {
        let real = &truth[&resource.name];
        assert_eq!(resource.external_id.as_str(), real["id"].as_str().unwrap());
        assert_eq!(resource.url.as_deref(), real["url"].as_str());
        for (known, calls) in [(Some(resource), u32::MAX), (Some(resource), 1), (None, 3)] {
            let (fetched, text, _) = workspace.text(&resource.external_id, known, calls).await.unwrap();
            assert_eq!(text, real["text"].as_str().unwrap(), "{} in parts of {calls}", resource.name);
            assert_eq!(fetched.author.unwrap().name, real["author"].as_str().unwrap());
        }
    }
    let log = listed.iter().find(|resource| resource.name == "Log").unwrap();
    assert!(workspace.text(&log.external_id, Some(log), 1).await.unwrap().2 >= 3, "250 blocks do not fit one answer");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_chosen_or_picked_is_listed() {
    let workspace = Workspace::connected(&[]).await;
    let truth = workspace.truth().await;
    let handbook = id_of(&truth, "Handbook");
    let chosen = workspace.titles(json!({ "pages": [handbook] })).await;
    assert_eq!(chosen, ["First day", "Handbook", "Onboarding"]);
    let tasks = workspace.titles(json!({ "databases": [id_of(&truth, "Tasks")] })).await;
    assert_eq!(tasks, ["Clean the lens", "Order wicks", "Paint the door", "Tasks"]);
    let one_row = workspace.titles(json!({ "pages": [id_of(&truth, "Order wicks")] })).await;
    assert_eq!(one_row, ["Order wicks"]);
    assert_eq!(workspace.titles(json!({ "rows": false })).await.len(), truth.len() - 3);

    let picked = Workspace::connected(&["Handbook"]).await;
    assert_eq!(picked.titles(json!({})).await, ["First day", "Handbook", "Onboarding"]);
    let row = Workspace::connected(&["Order wicks"]).await;
    assert_eq!(row.titles(json!({})).await, ["Order wicks"], "its data source cannot be read");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_that_leaves_out_or_cuts_off_deletes_nothing() {
    let workspace = Workspace::connected(&[]).await;
    let truth = workspace.truth().await;
    let operations = id_of(&truth, "Operations");
    workspace.change(&operations, json!({ "unindexed": true })).await;
    assert!(!workspace.titles(json!({})).await.contains(&"Operations".to_owned()));
    let config = IntegrationConfig::default();
    let confirm = async |id: &str| {
        let id = ExternalId::new(id).unwrap();
        workspace.provider().confirm_gone(&workspace.access, &config, &id).await.unwrap()
    };
    assert_eq!(confirm(&operations).await, None, "it is still there");
    workspace.change(&operations, json!({ "trashed": true })).await;
    assert_eq!(confirm(&operations).await.unwrap().as_str(), "trashed");

    // The search shows eight at a time, from either end; rows come by their own query. Edits lie minutes apart.
    for (number, title) in ["Handbook", "Onboarding", "First day", "Log"].iter().enumerate() {
        workspace.sandbox.control("POST", "clock", json!({ "offsetMs": (number + 1) * 61_000 })).await;
        workspace.change(&id_of(&truth, title), json!({ "text": "Edited." })).await;
    }
    workspace.sandbox.control("POST", "notion/settings", json!({ "queryLimit": 8 })).await;
    // What both ends show is listed twice.
    let found: std::collections::BTreeSet<String> = workspace.titles(json!({})).await.into_iter().collect();
    assert_eq!(found.len(), truth.len() - 1, "both ends together show everything");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_within_the_minute_of_the_last_listing_is_found_once_the_minute_is_over() {
    let workspace = Workspace::connected(&[]).await;
    let (provider, config) = (workspace.provider(), IntegrationConfig::default());
    let cursor = provider.start_cursor(&workspace.access, &config).await.unwrap();
    let id = id_of(&workspace.truth().await, "Handbook");
    let handbook = async |cursor: &str| {
        let (found, _, next) = workspace.list(json!({}), From::Cursor(cursor)).await;
        let revision = found.into_iter().find(|resource| resource.name == "Handbook").unwrap().revision;
        (revision, next.unwrap())
    };
    let (open, next) = handbook(&cursor).await;
    workspace.change(&id, json!({ "text": "Another text in the same minute." })).await;
    assert!(open.ends_with('~'), "a minute that is not over is not believed: {open}");
    // The time of the edit is as far in the past as if two minutes had gone by.
    workspace.sandbox.control("POST", "clock", json!({ "offsetMs": -180_000 })).await;
    workspace.change(&id, json!({ "text": "Another text in the same minute." })).await;
    let (closed, _) = handbook(&next).await;
    assert!(!closed.ends_with('~') && closed != open.trim_end_matches('~'), "{closed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_connection_may_not_read_is_told_from_what_is_gone() {
    let workspace = Workspace::connected(&["Handbook"]).await;
    let truth = workspace.truth().await;
    let id = |title: &str| ExternalId::new(id_of(&truth, title)).unwrap();
    assert_eq!(workspace.text(&id("Operations"), None, 5).await.unwrap_err(), Kind::NotFound, "it is not shared");
    let set = async |capability: &str| {
        let mut capabilities =
            json!({ "readContent": true, "readComments": true, "readUsers": true, "readEmails": true });
        capabilities[capability] = json!(false);
        workspace.sandbox.control("POST", "notion/settings", json!({ "capabilities": capabilities })).await;
    };
    set("readComments").await;
    let (_, text, _) = workspace.text(&id("Handbook"), None, 5).await.unwrap();
    assert!(!text.contains("Comments") && text.contains("Lighthouse"));
    set("readUsers").await;
    let (fetched, _, _) = workspace.text(&id("First day"), None, 5).await.unwrap();
    assert_eq!(fetched.author, None);
    set("readContent").await;
    assert_eq!(workspace.text(&id("Handbook"), None, 5).await.unwrap_err(), Kind::ScopeMissing, "nothing is gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_that_are_deep_or_hold_themselves_come_to_an_end() {
    let workspace = Workspace::connected(&[]).await;
    let page = json!({ "account": ADA, "title": "Deep", "text": "Top." });
    let page = workspace.sandbox.control("POST", "notion/pages", page).await["id"].as_str().unwrap().to_owned();
    let rich = |text: &str| json!({ "rich_text": [{ "type": "text", "plain_text": text, "href": null }] });
    let mut nested = json!({ "type": "paragraph", "content": rich("bottom") });
    for level in (1..=50).rev() {
        nested = json!({ "type": "toggle", "content": rich(&format!("level {level}")), "children": [nested] });
    }
    let add = async |parent: &str, block: Value| {
        let body = json!({ "account": ADA, "blocks": [block] });
        let path = format!("notion/blocks/{parent}");
        workspace.sandbox.control("POST", &path, body).await["ids"][0].as_str().unwrap().to_owned()
    };
    add(&page, nested).await;
    let synced =
        add(&page, json!({ "type": "synced_block", "content": { "synced_from": null }, "children": [] })).await;
    // The original holds a copy of itself.
    add(
        &synced,
        json!({ "type": "synced_block", "content": { "synced_from": { "type": "block_id", "block_id": synced } } }),
    )
    .await;
    let (_, text, _) = workspace.text(&ExternalId::new(page).unwrap(), None, 4).await.unwrap();
    assert!(text.contains("level 50") && text.contains("bottom"), "{text}");
    assert!(text.contains("[Synced content that holds itself]"), "{text}");
}
