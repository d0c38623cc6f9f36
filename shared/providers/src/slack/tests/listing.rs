//! The workspace, its channels and what is listed of them: everything, and what changed.

use super::*;

#[tokio::test]
async fn a_workspace_is_listed_whole_with_the_text_of_what_has_no_replies() {
    let (workspace, everything) = (workspace(), config(json!({})));
    let server = start(&workspace).await;
    let found = list(&server, &everything, From::Everything).await.unwrap();
    assert_eq!(
        found.ids(),
        [
            "C0GENERAL/1700000100.000000",
            "C0GENERAL/1700000200.000000",
            "C0GENERAL/1700000300.000000",
            "C0GENERAL/F1",
            "C0RANDOM/1700000150.000000"
        ]
    );
    let (third, text) = &found.resources["C0GENERAL/1700000300.000000"];
    assert_eq!((third.name.as_str(), text.as_deref()), ("#general: third @Bob", Some("Ada: third @Bob")));
    assert_eq!(third.url.as_deref(), Some("https://acme.slack.com/archives/C0GENERAL/p1700000300000000"));
    let author = third.author.as_ref().unwrap();
    assert_eq!((author.id.as_str(), author.email.as_deref()), ("U1", Some("ada@example.com")));
    assert_eq!(third.created_at.timestamp(), 1_700_000_300);
    let (second, text) = &found.resources["C0GENERAL/1700000200.000000"];
    assert_eq!((second.updated_at.timestamp(), text), (1_700_000_250, &None), "a thread with replies is fetched");
    let calls = |method: &str| server.seen().iter().filter(|seen| seen.path.ends_with(method)).count();
    assert_eq!((calls("conversations.history"), calls("users.info"), calls("auth.test")), (2, 2, 1));
}

#[tokio::test]
async fn the_filters_are_kept_to() {
    let workspace = workspace();
    let server = start(&workspace).await;
    let check = async |settings: Value, expected: &[&str]| {
        assert_eq!(
            list(&server, &config(settings.clone()), From::Everything).await.unwrap().ids(),
            expected,
            "{settings}"
        );
    };
    check(json!({"channels": [RANDOM]}), &["C0RANDOM/1700000150.000000"]).await;
    check(json!({"channels": ["C0HIDDEN"]}), &[]).await;
    let since = json!({"since": "2023-11-14T22:17:00Z", "files": false});
    check(since, &["C0GENERAL/1700000300.000000"]).await;
}

#[tokio::test]
async fn nothing_new_brings_what_is_known_with_equal_revisions_and_a_change_another() {
    let (workspace, everything) = (workspace(), config(json!({"lateReplyDays": 90})));
    // Now, so that all lies in the window.
    let recent = Http::new().now().timestamp();
    let ts = |ago: i64| format!("{}.000000", recent - ago);
    {
        let mut world = workspace.lock().unwrap();
        let general =
            vec![message(&ts(100), "third"), message(&ts(200), "second"), message(&ts(99 * 86_400), "ancient")];
        world.history.insert(GENERAL.to_owned(), general);
        world.history.insert(RANDOM.to_owned(), Vec::new());
    }
    let server = start(&workspace).await;
    let full = list(&server, &everything, From::Everything).await.unwrap();
    let cursor = start_cursor(&server, &everything).await;
    let quiet = list(&server, &everything, From::Cursor(&cursor)).await.unwrap();
    assert!(!quiet.ids().contains(&format!("{GENERAL}/{}", ts(99 * 86_400)).as_str()), "only the window is read again");
    assert!(quiet.resources.iter().all(|(id, (resource, _))| full.resources[id].0.revision == resource.revision));
    // A late reply, an edit, and a new message.
    {
        let mut world = workspace.lock().unwrap();
        world.history.insert(
            GENERAL.to_owned(),
            vec![
                message(&ts(1), "fourth"),
                json!({"user": "U1", "text": "third, mended", "ts": ts(100), "edited": {"user": "U1", "ts": ts(2)}}),
                thread(&ts(200), "second", 1, &ts(3)),
            ],
        );
    }
    let cursor = quiet.cursor.unwrap();
    let news = list(&server, &everything, From::Cursor(&cursor)).await.unwrap();
    let changed: Vec<&str> = news
        .resources
        .iter()
        .filter(|(id, (resource, _))| full.resources.get(*id).is_none_or(|old| old.0.revision != resource.revision))
        .map(|(id, _)| id.as_str())
        .collect();
    let id = |ago| format!("{GENERAL}/{}", ts(ago));
    assert_eq!(changed, [id(200).as_str(), id(100).as_str(), id(1).as_str()]);
    assert_eq!(news.resources[&id(200)].1, None);
}

#[tokio::test]
async fn a_channel_that_is_new_is_read_from_its_beginning_and_one_that_is_gone_asks_for_a_full_listing() {
    let (workspace, everything) = (workspace(), config(json!({})));
    let server = start(&workspace).await;
    let cursor = start_cursor(&server, &everything).await;
    {
        let mut world = workspace.lock().unwrap();
        world.channels.push(channel("C0NEW", "new"));
        world.history.insert("C0NEW".to_owned(), vec![message("1600000000.000001", "old words")]);
        world.files[0]["channels"] = json!(["C0NEW"]);
    }
    let found = list(&server, &everything, From::Cursor(&cursor)).await.unwrap();
    assert_eq!(found.ids(), ["C0NEW/1600000000.000001", "C0NEW/F1"]);
    let cursor = found.cursor.unwrap();
    workspace.lock().unwrap().channels.retain(|it| it["id"] != "C0NEW");
    let found = list(&server, &everything, From::Cursor(&cursor)).await.unwrap();
    assert!(found.relist && found.cursor.is_none());
    // What is listed in full then names its own channels.
    let cursor = start_cursor(&server, &everything).await;
    assert!(!list(&server, &everything, From::Cursor(&cursor)).await.unwrap().relist);
}

#[tokio::test]
async fn a_page_cursor_that_expired_is_replaced_by_the_time_that_was_reached() {
    let (workspace, everything) = (workspace(), config(json!({"channels": [GENERAL], "files": false})));
    workspace.lock().unwrap().page = 1;
    let server = start(&workspace).await;
    workspace.lock().unwrap().expired = Some("1".to_owned());
    let found = list(&server, &everything, From::Everything).await.unwrap();
    assert_eq!(found.ids().len(), 3);
}

#[tokio::test]
async fn a_restricted_app_asks_for_fifteen_and_has_a_meter_of_one_a_minute() {
    let workspace = workspace();
    let server = start(&workspace).await;
    let (provider, mut access) = (Slack::new(Http::new()), slack(&server));
    let settings = Arc::make_mut(&mut access.settings);
    settings.tier = Some("restricted".to_owned());
    assert_eq!(provider.meter(settings, Call::List).limits.per_minute, 1);
    assert_ne!(provider.meter(settings, Call::List).name, provider.meter(settings, Call::Fetch).name);
    let everything = config(json!({}));
    let mut next = None::<String>;
    for left in [1, 0] {
        let request = ListRequest { config: &everything, from: From::Everything, page: next.as_deref() };
        let page = provider.list(&access, request).await.unwrap();
        assert_eq!(page.pages_left, Some(left), "it says how much is left");
        next = page.next;
    }
    let history: Vec<_> = server.seen().into_iter().filter(|seen| seen.path.ends_with("history")).collect();
    assert!(history.len() == 2 && history.iter().all(|seen| seen.query("limit") == "15"), "one call a page");
    let full = crate::testing::settings(&[]);
    assert_eq!(provider.meter(&full, Call::Fetch).limits.per_minute, 50);
}

#[tokio::test]
async fn the_account_is_the_workspace_or_the_organization() {
    let check = async |identity: Value| {
        let server = Server::start(move |_| Reply::json(200, &identity)).await;
        let account = Slack::new(Http::new()).test_connection(&slack(&server)).await;
        account.map(|account| (account.id.to_string(), account.name)).map_err(|error| error.kind)
    };
    let acme = json!({"ok": true, "team": "Acme &amp; Co", "team_id": "T1", "url": "https://acme.slack.com/"});
    assert_eq!(check(acme).await.unwrap(), ("T1".to_owned(), Some("Acme & Co".to_owned())));
    let whole = json!({"ok": true, "team_id": "T1", "enterprise_id": "E1", "is_enterprise_install": true});
    assert_eq!(check(whole).await.unwrap().0, "E1");
    assert!(matches!(check(json!({"ok": true})).await, Err(Kind::Malformed(_))));
    assert_eq!(check(json!({"ok": false, "error": "token_revoked"})).await, Err(Kind::TokenRejected));
}

#[tokio::test]
async fn channels_can_be_chosen_and_have_nothing_inside() {
    let workspace = workspace();
    let server = start(&workspace).await;
    let browse = async |parent| {
        let request = BrowseRequest { parent, cursor: None };
        Slack::new(Http::new()).browse(&slack(&server), request).await.unwrap()
    };
    let top = browse(None).await;
    let names: Vec<_> =
        top.items.iter().map(|choice| (choice.name.as_str(), choice.field, choice.has_children)).collect();
    assert_eq!(names, [("#general", Some("channels"), false), ("#random", Some("channels"), false)]);
    assert!(browse(Some(GENERAL)).await.items.is_empty());
}

#[tokio::test]
async fn ten_thousand_channels_and_access_to_none_both_end() {
    let (workspace, everything) = (workspace(), config(json!({"files": false})));
    workspace.lock().unwrap().channels.clear();
    let server = start(&workspace).await;
    assert_eq!(list(&server, &everything, From::Everything).await.unwrap().pages, 1);
    workspace.lock().unwrap().channels = (0..10_000).map(|n| channel(&format!("C{n:010}"), "n")).collect();
    let cursor = start_cursor(&server, &everything).await;
    assert!(cursor.len() < 100_000, "{}", cursor.len());
    let (provider, access) = (Slack::new(Http::new()), slack(&server));
    let first =
        provider.list(&access, ListRequest { config: &everything, from: From::Everything, page: None }).await.unwrap();
    let next = first.next.unwrap();
    assert!(next.len() < 200_000 && first.pages_left == Some(9_999), "{} {:?}", next.len(), first.pages_left);
    provider
        .list(&access, ListRequest { config: &everything, from: From::Everything, page: Some(&next) })
        .await
        .unwrap();
}
