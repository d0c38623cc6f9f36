//! Huge and hostile answers: bounded in memory and calls, and nothing is deleted for their sake.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use domain::ExternalId;
use serde_json::{Value, json};

use super::GitHub;
use super::cursor::{ChangeCursor, Mark};
use crate::error::Kind;
use crate::provider::{Access, FetchRequest, From, ListRequest, Page, Provider as _};
use crate::testing::{Reply, Seen, Server, config, settings};
use crate::{Body, Http};

const SHA: &str = "6dcb09b5b57875f334f61aebed695e2e4193db5e";
const HEAD: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

fn access(server: &Server) -> Access {
    let settings = settings(&[("https://api.github.com", server.url()), ("https://github.com", server.url())]);
    Access { token: "canary-token".into(), settings: Arc::new(settings) }
}

fn repo(pushed: &str) -> Value {
    json!({"id": 5, "node_id": "R5", "full_name": "acme/app", "html_url": "https://github.com/acme/app", "default_branch": "main", "pushed_at": pushed})
}

fn issue(number: u64, comments: u64) -> Value {
    json!({"number": number, "node_id": format!("I{number}"), "title": "T", "body": "B", "state": "open", "comments": comments,
           "user": {"id": 1, "login": "ana"}, "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-02T00:00:00Z"})
}

async fn all(server: &Server, settings: Value, from: From<'_>) -> Result<(Vec<Page>, usize), Kind> {
    let github = GitHub::new(Http::new());
    let (config, mut pages, mut page) = (config(settings), Vec::new(), None::<String>);
    for _ in 0..400 {
        let request = ListRequest { config: &config, from, page: page.as_deref() };
        let listed = github.list(&access(server), request).await.map_err(|error| error.kind)?;
        page.clone_from(&listed.next);
        assert!(page.as_ref().is_none_or(|page| page.len() <= 250_000), "a page cursor is bounded");
        pages.push(listed);
        if page.is_none() {
            return Ok((pages, server.seen().len()));
        }
    }
    panic!("the listing does not end");
}

fn ids(pages: &[Page]) -> BTreeSet<String> {
    pages.iter().flat_map(|page| &page.resources).map(|one| one.resource.external_id.to_string()).collect()
}

#[tokio::test]
async fn guarantee_22_a_tree_of_a_hundred_thousand_files_comes_in_pages_and_is_read_once() {
    let server = Server::start(|request: &Seen| match request.path.as_str() {
        "/user/repos" => Reply::json(200, json!([repo("2026-01-01T00:00:00Z")])),
        "/repos/acme/app/git/trees/main" => {
            let entry = |n: usize| {
                format!(r#"{{"path":"docs/file-{n}.md","mode":"100644","type":"blob","sha":"{SHA}","size":9}}"#)
            };
            let entries: Vec<String> = (0..100_000).map(entry).collect();
            Reply::new(
                200,
                "application/json",
                format!(r#"{{"sha":"{SHA}","truncated":false,"tree":[{}]}}"#, entries.join(",")).as_bytes(),
            )
        }
        other => panic!("{other}"),
    })
    .await;
    let (pages, calls) = all(&server, json!({"what": ["files"]}), From::Everything).await.unwrap();
    assert!(pages.iter().all(|page| page.resources.len() <= 1_000));
    assert_eq!(ids(&pages).len(), 100_000);
    assert!(calls <= 3, "{calls} calls: the tree is kept from page to page");
}

#[tokio::test]
async fn guarantee_22_a_tree_that_is_cut_is_walked_folder_by_folder() {
    let server = Server::start(|request: &Seen| {
        let entry =
            |path: &str, kind: &str| json!({"path": path, "mode": "100644", "type": kind, "sha": path, "size": 9});
        let of = request.path.rsplit('/').next().unwrap_or_default().to_owned();
        let (tree, cut) = match (of.as_str(), request.query("recursive")) {
            ("main", "1") => (json!([entry("a.md", "blob")]), true),
            ("top", "") => (
                json!([
                    entry("a.md", "blob"),
                    entry("small", "tree"),
                    entry("large", "tree"),
                    entry("node_modules", "tree")
                ]),
                false,
            ),
            ("small", "1") => {
                (json!([entry("s.md", "blob"), entry("deep/t.md", "blob"), entry("deep", "tree")]), false)
            }
            ("large", "1") => (json!([entry("l.md", "blob")]), true),
            ("large", "") => (json!([entry("l.md", "blob"), entry("m.md", "blob"), entry("link", "commit")]), false),
            _ if request.path == "/user/repos" => return Reply::json(200, json!([repo("2026-01-01T00:00:00Z")])),
            other => panic!("{other:?}"),
        };
        let sha = if of == "main" { "top".to_owned() } else { of };
        Reply::json(200, json!({"sha": sha, "tree": tree, "truncated": cut}))
    })
    .await;
    let (pages, _) = all(&server, json!({"what": ["files"]}), From::Everything).await.unwrap();
    let expected =
        ["a.md", "small/s.md", "small/deep/t.md", "large/l.md", "large/m.md"].map(|path| format!("5/files/{path}"));
    assert_eq!(ids(&pages), expected.into());
}

#[tokio::test]
async fn a_listing_that_leads_to_itself_or_elsewhere_is_not_followed() {
    let check = async |link: &'static str, expected: Result<usize, &str>| {
        let server = Server::start(move |request: &Seen| match request.path.as_str() {
            "/user/repos" => Reply::json(200, json!([repo("2026-01-01T00:00:00Z")])),
            "/repos/acme/app/issues" if request.query("page") == "2" => Reply::json(200, json!([issue(2, 0)])),
            "/repos/acme/app/issues" => Reply::json(200, json!([issue(1, 0)])).with("link", link),
            other => panic!("{other}"),
        })
        .await;
        let told = all(&server, json!({"what": ["issues"]}), From::Everything).await;
        match (told, expected) {
            (Ok((pages, _)), Ok(found)) => assert_eq!(ids(&pages).len(), found, "{link}"),
            (Err(Kind::Malformed(_)), Err(_)) => {}
            (told, _) => panic!("{link}: {:?}", told.map(|(pages, _)| ids(&pages))),
        }
        // Whatever a link says, the token goes to the API alone: only its query is used.
        assert!(
            server.seen().iter().all(|seen| seen.path.starts_with("/repos/acme/app") || seen.path == "/user/repos")
        );
    };
    check(r#"<https://evil.example/steal?page=2>; rel="next""#, Ok(2)).await;
    check(r#"<https://api.github.com/x?state=all&sort=created&direction=asc&per_page=100>; rel="next""#, Err("itself"))
        .await;
    check(r#"<nonsense>; rel="next""#, Err("nowhere")).await;
}

#[tokio::test]
async fn guarantee_20_a_feature_that_is_off_and_an_empty_repository_are_no_trouble() {
    let server = Server::start(|request: &Seen| match request.path.as_str() {
        "/user/repos" => Reply::json(200, json!([repo("2026-01-01T00:00:00Z")])),
        "/repos/acme/app/issues" => {
            Reply::json(410, json!({"message": "Issues has been disabled in this repository."}))
        }
        "/repos/acme/app/releases" => Reply::json(200, json!([])),
        "/repos/acme/app/git/trees/main" => Reply::json(409, json!({"message": "Git Repository is empty."})),
        other => panic!("{other}"),
    })
    .await;
    let (pages, _) = all(&server, json!({}), From::Everything).await.unwrap();
    assert!(ids(&pages).is_empty());
}

#[tokio::test]
async fn one_repository_that_is_closed_to_us_does_not_stop_the_others() {
    let server = Server::start(|request: &Seen| {
        let second = json!({"id": 6, "full_name": "acme/open", "default_branch": "main", "pushed_at": null});
        match request.path.as_str() {
            "/user/repos" => Reply::json(200, json!([repo("2026-01-01T00:00:00Z"), second])),
            "/repos/acme/app/issues" => Reply::json(403, json!({"message": "Resource protected"}))
                .with("x-github-sso", "required; url=https://x"),
            "/repos/acme/open/issues" => Reply::json(200, json!([issue(1, 0)])),
            other => panic!("{other}"),
        }
    })
    .await;
    let (pages, _) = all(&server, json!({"what": ["issues", "pulls"]}), From::Everything).await.unwrap();
    assert_eq!(ids(&pages), ["6/issues/1".to_owned()].into());
    let denied = Server::start(|request: &Seen| match request.path.as_str() {
        "/user/repos" => Reply::json(200, json!([repo("2026-01-01T00:00:00Z")])),
        _ => Reply::json(403, json!({"message": "Sorry. Your account was suspended"})),
    })
    .await;
    assert_eq!(all(&denied, json!({}), From::Everything).await.map(drop), Err(Kind::Forbidden("suspended")));
}

#[tokio::test]
async fn a_redirect_of_a_renamed_repository_is_answered_by_its_number() {
    let server = Server::start(|request: &Seen| match request.path.as_str() {
        "/user/repos" => Reply::json(200, json!([repo("2026-01-01T00:00:00Z")])),
        "/repos/acme/app/issues" => Reply::redirect(301, "https://evil.example/repositories/5/issues"),
        "/repositories/5/issues" => Reply::json(200, json!([issue(1, 0)])),
        other => panic!("{other}"),
    })
    .await;
    let (pages, _) = all(&server, json!({"what": ["issues"]}), From::Everything).await.unwrap();
    assert_eq!(ids(&pages), ["5/issues/1".to_owned()].into());
}

/// The changes of files between the marked commit and the present one.
async fn files_changed(comparison: Option<Value>, before: Value, now: Value) -> Result<Page, Kind> {
    let server = Server::start(move |request: &Seen| match request.path.as_str() {
        "/user/repos" => Reply::json(200, json!([repo("2026-02-01T00:00:00Z")])),
        "/repos/acme/app/commits/main" => Reply::new(200, "application/vnd.github.sha", HEAD.as_bytes()),
        path if path.starts_with("/repos/acme/app/compare/") => match &comparison {
            Some(comparison) => Reply::json(200, comparison),
            None => Reply::json(404, json!({})),
        },
        path if path.ends_with(HEAD) => Reply::json(200, json!({"sha": "new", "tree": now})),
        path if path.ends_with(SHA) && before.is_array() => Reply::json(200, json!({"sha": "old", "tree": before})),
        path if path.ends_with(SHA) => Reply::json(404, json!({})),
        other => panic!("{other}"),
    })
    .await;
    let cursor = ChangeCursor::new(1, vec![Mark::new(5, 7, Some(SHA))]).write().unwrap();
    let (pages, _) = all(&server, json!({"what": ["files"], "maxBytes": 100}), From::Cursor(&cursor)).await?;
    let mut whole = Page::default();
    for page in pages {
        whole.resources.extend(page.resources);
        whole.gone.extend(page.gone);
        (whole.cursor, whole.relist) = (page.cursor, page.relist);
    }
    Ok(whole)
}

fn blob(path: &str, sha: &str, size: u64) -> Value {
    json!({"path": path, "mode": "100644", "type": "blob", "sha": sha, "size": size})
}

fn told(page: &Page) -> (BTreeSet<String>, BTreeMap<String, String>) {
    let gone = page.gone.iter().map(|gone| (gone.external_id.to_string(), gone.reason.as_str().to_owned()));
    (ids(std::slice::from_ref(page)), gone.collect())
}

#[tokio::test]
async fn a_comparison_tells_what_changed_and_the_tree_what_of_it_is_in_scope() {
    let now = json!([
        blob("new.md", "1", 9),
        blob("moved.md", "2", 9),
        blob("grown.md", "3", 900),
        blob("logo.png", "4", 9),
        blob("same.md", "5", 9)
    ]);
    let file = |name: &str, status: &str| json!({"filename": name, "status": status});
    let renamed = json!({"filename": "moved.md", "status": "renamed", "previous_filename": "old.md"});
    let files = json!([
        file("new.md", "added"),
        renamed,
        file("grown.md", "modified"),
        file("logo.png", "modified"),
        file("lost.md", "removed"),
        file("lost.png", "removed")
    ]);
    let commit = json!({"author": {"id": 7, "login": "ana"}, "commit": {"author": {"name": "Ana", "date": "2026-02-01T00:00:00Z"}}});
    let page = files_changed(Some(json!({"status": "ahead", "files": files, "commits": [commit]})), json!(null), now)
        .await
        .unwrap();
    let (listed, gone) = told(&page);
    assert_eq!(listed, ["5/files/moved.md".to_owned(), "5/files/new.md".to_owned()].into());
    let expected =
        [("5/files/grown.md", "out_of_scope"), ("5/files/lost.md", "removed"), ("5/files/old.md", "removed")];
    assert_eq!(gone, expected.map(|(id, reason)| (id.to_owned(), reason.to_owned())).into());
    assert!(page.resources.iter().all(|one| one.resource.author.as_ref().unwrap().name == "ana"));
    let mut cursor = ChangeCursor::read(&page.cursor.unwrap()).unwrap();
    assert_eq!(cursor.mark(5).unwrap().head().as_deref(), Some(HEAD));
}

#[tokio::test]
async fn after_a_rewritten_history_or_too_many_changes_both_trees_are_compared() {
    let before = json!([blob("a.md", "1", 9), blob("b.md", "2", 9)]);
    let now = json!([blob("a.md", "9", 9), blob("c.md", "3", 9)]);
    let full: Vec<Value> = (0..300).map(|n| json!({"filename": format!("{n}.md"), "status": "added"})).collect();
    for comparison in
        [Some(json!({"status": "diverged", "files": []})), Some(json!({"status": "ahead", "files": full})), None]
    {
        let page = files_changed(comparison, before.clone(), now.clone()).await.unwrap();
        let (listed, gone) = told(&page);
        assert_eq!(listed, ["5/files/a.md".to_owned(), "5/files/c.md".to_owned()].into());
        assert_eq!(gone, [("5/files/b.md".to_owned(), "removed".to_owned())].into());
    }
    assert!(
        files_changed(None, json!(null), now).await.unwrap().relist,
        "the old commit is gone: everything is listed"
    );
}

#[tokio::test]
async fn a_repository_that_came_or_went_has_everything_listed() {
    let server = Server::start(|_: &Seen| Reply::json(200, json!([repo("2026-01-01T00:00:00Z")]))).await;
    for marks in [vec![], vec![Mark::new(5, 7, None), Mark::new(6, 7, None)]] {
        let cursor = ChangeCursor::new(1, marks).write().unwrap();
        let (pages, _) = all(&server, json!({}), From::Cursor(&cursor)).await.unwrap();
        assert!(pages[0].relist);
    }
}

#[tokio::test]
async fn what_is_unchanged_is_asked_for_conditionally_and_counts_for_nothing() {
    let unconditional = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&unconditional);
    let server = Server::start(move |request: &Seen| {
        let list = match request.path.as_str() {
            "/user/repos" => return Reply::json(200, json!([repo("1970-01-01T00:00:07Z")])),
            "/repos/acme/app/issues" => json!([]),
            "/repos/acme/app/issues/comments" | "/repos/acme/app/releases" => json!([]),
            other => panic!("{other}"),
        };
        if request.headers.get("if-none-match").map(String::as_str) == Some("W/\"e\"") {
            return Reply::new(304, "application/json", b"");
        }
        count.fetch_add(1, Ordering::SeqCst);
        Reply::json(200, list).with("etag", "W/\"e\"")
    })
    .await;
    let mut cursor = ChangeCursor::new(1, vec![Mark::new(5, 7, Some(SHA))]).write().unwrap();
    for (round, expected) in [3, 3, 3].into_iter().enumerate() {
        let (pages, _) = all(&server, json!({}), From::Cursor(&cursor)).await.unwrap();
        assert!(ids(&pages).is_empty() && pages.len() == 1, "round {round}");
        cursor = pages[0].cursor.clone().unwrap();
        assert_eq!(unconditional.load(Ordering::SeqCst), expected);
    }
}

#[tokio::test]
async fn a_long_thread_comes_in_parts_that_join_to_the_whole() {
    let server = Server::start(|request: &Seen| {
        let remark = |n: u64| json!({"id": n, "body": format!("remark {n}"), "user": null, "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z"});
        let page: u64 = request.query("page").parse().unwrap_or(1);
        match request.path.as_str() {
            "/repositories/5/issues/1" => Reply::json(200, issue(1, 450)),
            "/repositories/5/issues/1/comments" => {
                let reply = Reply::json(200, json!([remark(page)]));
                let next = format!(r#"<https://api.github.com/x?per_page=100&page={}>; rel="next""#, page + 1);
                if page < 5 { reply.with("link", &next) } else { reply }
            }
            other => panic!("{other}"),
        }
    })
    .await;
    let (github, id) = (GitHub::new(Http::new()), ExternalId::new("5/issues/1").unwrap());
    let (mut text, mut resume, mut parts) = (String::new(), None::<String>, 0);
    loop {
        let request = FetchRequest { id: &id, known: None, resume: resume.as_deref(), calls: 2 };
        let fetched = github.fetch(&access(&server), request).await.unwrap();
        let Body::Text(part) = fetched.body else { panic!("a text") };
        text.push_str(&part);
        parts += 1;
        match fetched.next {
            Some(next) => resume = Some(next),
            None => break,
        }
    }
    assert_eq!(parts, 3);
    assert!(text.starts_with("Issue, open.\n\nB"), "{text}");
    let places: Vec<usize> = (1..=5).map(|n| text.find(&format!("remark {n}")).unwrap()).collect();
    assert!(places.is_sorted() && text.contains("ghost wrote at"));
}

#[tokio::test]
async fn remarks_on_many_issues_come_with_one_query_and_without_graphql_they_are_fetched() {
    let check = async |graphql: bool| {
        let server = Server::start(move |request: &Seen| match request.path.as_str() {
            "/user/repos" => Reply::json(200, json!([repo("2026-01-01T00:00:00Z")])),
            "/repos/acme/app/issues" => Reply::json(200, json!((1..=60).map(|n| issue(n, n % 2)).collect::<Vec<_>>())),
            "/graphql" if graphql => {
                let asked: Value = serde_json::from_str(&request.body).unwrap();
                let ids = asked["variables"]["ids"].as_array().unwrap().clone();
                let nodes: Vec<Value> = ids.iter().map(|id| json!({"id": id, "comments": {"nodes": [{"databaseId": 1, "author": null, "body": "Yes", "createdAt": "2026-01-01T00:00:00Z"}], "pageInfo": {"hasNextPage": *id == json!("I3")}}})).collect();
                Reply::json(200, json!({"data": {"nodes": nodes}}))
            }
            "/graphql" => Reply::json(404, json!({})),
            other => panic!("{other}"),
        })
        .await;
        let (pages, calls) = all(&server, json!({"what": ["issues"]}), From::Everything).await.unwrap();
        let with_text = pages.iter().flat_map(|page| &page.resources).filter(|one| one.text.is_some()).count();
        (with_text, calls)
    };
    assert_eq!(check(true).await, (59, 3), "thirty bare ones, and all but the one whose remarks go on");
    assert_eq!(check(false).await, (30, 3));
}
