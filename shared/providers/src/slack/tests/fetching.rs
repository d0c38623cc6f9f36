//! Threads and files one by one, and what is told of those that cannot be had.

use super::*;

#[tokio::test]
async fn a_thread_is_fetched_with_its_replies_in_as_many_parts_as_it_takes() {
    let workspace = workspace();
    let many: Vec<Value> = (0..9)
        .map(|n| json!({"user": "U2", "text": format!("reply {n}"), "ts": format!("17000002{:02}.000000", 50 + n)}))
        .collect();
    {
        let mut world = workspace.lock().unwrap();
        world.replies.insert("1700000200.000000".to_owned(), many);
        world.page = 3;
    }
    let server = start(&workspace).await;
    let whole = fetched(&server, "C0GENERAL/1700000200.000000", u32::MAX).await.unwrap();
    let expected: Vec<String> =
        std::iter::once("Ada: second".to_owned()).chain((0..9).map(|n| format!("Bob: reply {n}"))).collect();
    assert_eq!((whole.1.as_str(), whole.2), (expected.join("\n").as_str(), 1));
    assert_eq!((whole.0.name.as_str(), whole.0.updated_at.timestamp()), ("#general: second", 1_700_000_258));
    for calls in [1, 2, 3] {
        let parts = fetched(&server, "C0GENERAL/1700000200.000000", calls).await.unwrap();
        assert_eq!((&parts.1, &parts.0), (&whole.1, &whole.0), "{calls} calls a part");
        assert_eq!(parts.2, 4_u32.div_ceil(calls));
    }
}

#[tokio::test]
async fn a_listed_thread_and_a_fetched_one_have_the_same_revision() {
    let (workspace, everything) = (workspace(), config(json!({})));
    let server = start(&workspace).await;
    let found = list(&server, &everything, From::Everything).await.unwrap();
    for id in ["C0GENERAL/1700000200.000000", "C0GENERAL/1700000100.000000", "C0GENERAL/F1"] {
        assert_eq!(fetched(&server, id, 1).await.unwrap().0, found.resources[id].0, "{id}");
    }
}

#[tokio::test]
async fn what_cannot_be_had_says_why() {
    let workspace = workspace();
    let server = start(&workspace).await;
    let check = async |id: &str, kind: Kind| assert_eq!(fetched(&server, id, 1).await.unwrap_err(), kind, "{id}");
    check("C0GENERAL/1700009999.000000", Kind::NotFound).await;
    check("C0GENERAL/F9", Kind::NotFound).await;
    check("C0RANDOM/F1", Kind::NotFound).await;
    check("nonsense", Kind::NotFound).await;
    check("C0GENERAL/../x", Kind::NotFound).await;
    let seen = server.seen().len();
    workspace.lock().unwrap().files[0]["size"] = json!(200_000_000);
    check("C0GENERAL/F1", Kind::TooLarge("files of more than 100 MB are not fetched".to_owned())).await;
    assert_eq!(server.seen().len() - seen, 2, "what it is and who made it, and not a byte of it");
    workspace.lock().unwrap().files[0]["mode"] = json!("space");
    assert!(matches!(fetched(&server, "C0GENERAL/F1", 1).await.unwrap_err(), Kind::Unsupported(_)));
}

#[tokio::test]
async fn guarantee_22_a_page_to_sign_in_at_is_no_file() {
    let check = async |identity: Value, kind: Kind| {
        let server = Server::start(move |request: &Seen| match request.path.as_str() {
            "/api/files.info" => Reply::json(
                200,
                json!({"ok": true, "file": {"id": "F1", "mimetype": "text/plain", "size": 4, "channels": ["C1"],
                "url_private": "https://files.slack.com/F1"}}),
            ),
            "/F1" => Reply::new(200, "text/html", b"<!DOCTYPE html><html><body>Sign in</body></html>"),
            _ => Reply::json(200, &identity),
        })
        .await;
        assert_eq!(fetched(&server, "C1/F1", 1).await.unwrap_err(), kind);
        let download = server.seen().into_iter().find(|seen| seen.path == "/F1").unwrap();
        assert_eq!(download.headers["authorization"], "Bearer canary-token");
    };
    check(json!({"ok": true, "team_id": "T1"}), Kind::Forbidden("file_not_downloadable")).await;
    check(json!({"ok": false, "error": "token_expired"}), Kind::TokenRejected).await;
}

#[tokio::test]
async fn guarantee_35_the_token_goes_to_no_foreign_address() {
    let server = Server::start(|request: &Seen| match request.path.as_str() {
        "/api/files.info" => Reply::json(200, json!({"ok": true, "file": {"id": "F1", "size": 4, "channels": ["C1"], "url_private_download": "https://evil.example/F1"}})),
        _ => Reply::json(200, json!({"ok": true, "team_id": "T1"})),
    })
    .await;
    assert_eq!(fetched(&server, "C1/F1", 1).await.unwrap_err(), Kind::Forbidden("file_not_downloadable"));
    assert!(server.seen().iter().all(|seen| seen.path.starts_with("/api/")));
}

#[tokio::test]
async fn what_is_gone_is_told_from_what_may_no_longer_be_read() {
    let workspace = workspace();
    {
        let mut world = workspace.lock().unwrap();
        let mut left = channel("C0LEFT", "left");
        left["is_member"] = json!(false);
        let mut archived = channel("C0ARCHIVED", "archived");
        archived["is_archived"] = json!(true);
        world.channels.extend([left, archived]);
        world.history.insert("C0ARCHIVED".to_owned(), vec![message("1700000100.000000", "old")]);
    }
    let server = start(&workspace).await;
    let check = async |settings: Value, id: &str, expected: Option<DeleteReason>| {
        let (id, provider) = (ExternalId::new(id).unwrap(), Slack::new(Http::new()));
        let reason = provider.confirm_gone(&slack(&server), &config(settings), &id).await.unwrap();
        assert_eq!(reason, expected, "{id}");
    };
    check(json!({}), "C0GENERAL/1700000100.000000", None).await;
    check(json!({}), "C0GENERAL/1700009999.000000", Some(DeleteReason::Removed)).await;
    check(json!({}), "C0SECRET/1700000100.000000", Some(DeleteReason::AccessLost)).await;
    check(json!({}), "C0LEFT/1700000100.000000", Some(DeleteReason::AccessLost)).await;
    check(json!({}), "C0ARCHIVED/1700000100.000000", None).await;
    check(json!({"archivedChannels": false}), "C0ARCHIVED/1700000100.000000", Some(DeleteReason::OutOfScope)).await;
    check(json!({"channels": [RANDOM]}), "C0GENERAL/1700000100.000000", Some(DeleteReason::OutOfScope)).await;
    check(json!({"since": "2024-01-01T00:00:00Z"}), "C0GENERAL/1700000100.000000", Some(DeleteReason::OutOfScope))
        .await;
    check(json!({}), "C0GENERAL/F1", None).await;
    check(json!({}), "C0GENERAL/F9", Some(DeleteReason::Removed)).await;
    check(json!({}), "C0RANDOM/F1", Some(DeleteReason::Removed)).await;
    check(json!({"files": false}), "C0GENERAL/F1", Some(DeleteReason::OutOfScope)).await;
}
