//! What only shows on a real connection: faults, limits, webhooks, pages, and state that survives a restart.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "this is a test")]

mod running;

use std::time::Duration;

use reqwest::StatusCode;
use running::{ADA, READONLY, Running};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

async fn token(sandbox: &Running) -> String {
    sandbox.consent(ADA, READONLY).await["access_token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn each_fault_spoils_the_answer_in_its_own_way_and_then_is_spent() {
    let sandbox = Running::start(&[]);
    let token = token(&sandbox).await;
    let list = || sandbox.drive("GET", "files", &token).send();
    let fault = |mut rule: Value| {
        rule["times"] = json!(1);
        rule["match"] = json!({ "operation": "files.list", "account": ADA });
        sandbox.control("POST", "faults", rule)
    };

    fault(json!({ "kind": "reset" })).await;
    assert!(list().await.is_err(), "the connection is cut");

    fault(json!({ "kind": "truncate" })).await;
    let cut = list().await.expect("the head arrives");
    assert_eq!(cut.status(), StatusCode::OK);
    assert!(cut.bytes().await.is_err(), "the body does not");

    fault(json!({ "kind": "status", "status": 503, "retryAfter": 7 })).await;
    let down = list().await.unwrap();
    assert_eq!(
        (down.status(), down.headers()["retry-after"].to_str().unwrap()),
        (StatusCode::SERVICE_UNAVAILABLE, "7")
    );
    assert_eq!(down.json::<Value>().await.unwrap()["error"]["errors"][0]["reason"], "backendError");

    fault(json!({ "kind": "rateLimit" })).await;
    let fast = list().await.unwrap();
    assert_eq!(fast.status(), StatusCode::FORBIDDEN);
    let error = fast.json::<Value>().await.unwrap()["error"]["errors"][0].clone();
    assert_eq!((&error["reason"], &error["domain"]), (&json!("userRateLimitExceeded"), &json!("usageLimits")));

    for kind in ["garbage", "html"] {
        fault(json!({ "kind": kind })).await;
        let odd = list().await.unwrap();
        assert_eq!(odd.status(), StatusCode::OK);
        assert!(odd.json::<Value>().await.is_err(), "{kind} is no JSON");
    }

    fault(json!({ "kind": "endless" })).await;
    let mut endless = list().await.unwrap();
    let mut read = 0;
    while read < 1 << 20 {
        read += endless.chunk().await.unwrap().expect("it goes on").len();
    }
    drop(endless);

    fault(json!({ "kind": "delay", "delayMs": 300 })).await;
    let started = std::time::Instant::now();
    assert_eq!(list().await.unwrap().status(), StatusCode::OK);
    assert!(started.elapsed() >= Duration::from_millis(300));
    assert_eq!(list().await.unwrap().status(), StatusCode::OK, "all faults are spent");

    let counters = sandbox.control("GET", "counters", json!({})).await;
    assert_eq!(counters["files.list"], 9);
    let log = sandbox.control("GET", "requests", json!({})).await;
    let marks: Vec<&str> =
        log["requests"].as_array().unwrap().iter().filter_map(|entry| entry["interference"].as_str()).collect();
    assert_eq!(marks, ["reset", "truncate", "status", "rateLimit", "garbage", "html", "endless", "delay"]);
}

#[tokio::test]
async fn listings_lie_as_they_are_told_to_and_tell_the_truth_again() {
    let sandbox = Running::start(&[]);
    let token = token(&sandbox).await;
    let start = sandbox.get("changes/startPageToken", &token).await["startPageToken"].as_str().unwrap().to_owned();
    let all = sandbox.get("files?pageSize=1000&orderBy=name", &token).await["files"].as_array().unwrap().clone();
    let fault = |kind: &str, operation: &str, times: u64| {
        let rule =
            json!({ "kind": kind, "times": times, "share": 0.5, "match": { "operation": operation, "account": ADA } });
        sandbox.control("POST", "faults", rule)
    };
    let page = |cursor: &Value, size: usize| {
        let cursor = cursor.as_str().map(|cursor| format!("&pageToken={cursor}")).unwrap_or_default();
        let path = format!("files?orderBy=name&pageSize={size}{cursor}");
        let (sandbox, token) = (&sandbox, token.clone());
        async move { sandbox.get(&path, &token).await }
    };

    fault("cutListing", "files.list", 1).await;
    let cut = page(&Value::Null, 1000).await["files"].as_array().unwrap().clone();
    assert_eq!(cut.len(), all.len() - all.len().div_ceil(2));
    assert!(cut.iter().all(|file| all.contains(file)));

    fault("endListing", "files.list", 1).await;
    assert!(page(&Value::Null, 2).await["nextPageToken"].is_null());

    fault("emptyPage", "files.list", 2).await;
    let empty = page(&Value::Null, 1000).await;
    assert_eq!(empty["files"], json!([]));
    let still_empty = page(&empty["nextPageToken"], 1000).await;
    assert_eq!(still_empty["files"], json!([]));
    assert_ne!(still_empty["nextPageToken"], empty["nextPageToken"]);
    assert_eq!(page(&still_empty["nextPageToken"], 1000).await["files"], json!(all));

    fault("wrongTypes", "files.list", 1).await;
    assert!(page(&Value::Null, 1000).await["files"].as_array().unwrap().last().unwrap()["id"].is_number());

    fault("loopCursor", "files.list", 4).await;
    let mut cursors = vec![Value::Null];
    for _ in 0..4 {
        cursors.push(page(&cursors[cursors.len() - 1], 1000).await["nextPageToken"].clone());
    }
    assert_eq!(cursors[1..], [json!("loop-a"), json!("loop-b"), json!("loop-a"), json!("loop-b")]);

    fault("repeatCursor", "changes.list", 2).await;
    for cursor in [start.as_str(), "loop-a"] {
        let page = sandbox.get(&format!("changes?pageToken={cursor}"), &token).await;
        assert_eq!((&page["nextPageToken"], &page["newStartPageToken"]), (&json!("loop-a"), &Value::Null));
    }
    assert_eq!(page(&Value::Null, 1000).await["files"], json!(all), "all faults are spent");
    let lasting =
        sandbox.control("POST", "faults", json!({ "kind": "reset", "match": { "operation": "files.list" } })).await;
    assert!(sandbox.drive("GET", "files", &token).send().await.is_err());
    let removed = sandbox.control("DELETE", &format!("faults/{}", lasting["id"]), json!({})).await;
    assert_eq!(removed["hits"], 1);
    assert_eq!(page(&Value::Null, 1000).await["files"], json!(all));
}

#[tokio::test]
async fn a_slow_answer_is_true_and_a_late_one_has_taken_effect() {
    let sandbox = Running::start(&[]);
    let tokens = sandbox.consent(ADA, READONLY).await;
    let (token, refresh) = (tokens["access_token"].as_str().unwrap(), tokens["refresh_token"].as_str().unwrap());
    let truth = sandbox.get("about?fields=kind", token).await;
    let rule = json!({ "kind": "trickle", "delayMs": 5, "times": 1, "match": { "operation": "about.get" } });
    sandbox.control("POST", "faults", rule).await;
    let started = std::time::Instant::now();
    assert_eq!(sandbox.get("about?fields=kind", token).await, truth);
    assert!(started.elapsed() >= Duration::from_millis(5 * truth.to_string().len() as u64));

    let rule = json!({ "kind": "silent", "delayMs": 50, "times": 1, "match": { "operation": "about.get" } });
    sandbox.control("POST", "faults", rule).await;
    assert!(sandbox.drive("GET", "about?fields=kind", token).send().await.is_err(), "silence ends in a cut");

    // The caller gives up, but the provider has done the work: the refresh token was rotated.
    sandbox.control("POST", "google/tokens", json!({ "rotateRefreshTokens": true })).await;
    let late = json!({ "kind": "delay", "delayMs": 60_000, "afterEffect": true, "times": 1, "match": { "operation": "oauth2.token" } });
    sandbox.control("POST", "faults", late).await;
    let form = [
        ("client_id", "sandbox-client"),
        ("client_secret", "sandbox-secret"),
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh),
    ];
    let request = sandbox.http.post(format!("{}/google/oauth2/token", sandbox.url)).form(&form);
    assert!(request.timeout(Duration::from_millis(500)).send().await.is_err());
    let again = sandbox.token(&[("grant_type", "refresh_token"), ("refresh_token", refresh)]).await;
    assert_eq!(again["error"], "invalid_grant");
    let counts = sandbox.control("GET", "google/tokens", json!({})).await;
    assert_eq!(counts["reusedRefreshTokens"], 1);
    // A provider with grace gives whoever comes again in time a new pair.
    sandbox.control("POST", "google/tokens", json!({ "rotationGraceSeconds": 600 })).await;
    let again = sandbox.token(&[("grant_type", "refresh_token"), ("refresh_token", refresh)]).await;
    assert!(again["access_token"].is_string() && again["refresh_token"] != json!(refresh));
}

#[tokio::test]
async fn the_providers_clock_can_be_moved_and_a_lifetime_told_wrong() {
    let sandbox = Running::start(&[]);
    let tokens = sandbox.consent(ADA, READONLY).await;
    let (token, refresh) = (tokens["access_token"].as_str().unwrap(), tokens["refresh_token"].as_str().unwrap());
    let date = async || {
        let answer = sandbox.drive("GET", "about?fields=kind", token).send().await.unwrap();
        let date = answer.headers()["date"].to_str().unwrap().to_owned();
        (answer.status().as_u16(), chrono::DateTime::parse_from_rfc2822(&date).unwrap())
    };
    let (_, before) = date().await;
    let moved = sandbox.control("POST", "clock", json!({ "offsetMs": 600_000 })).await;
    assert_eq!(moved["offsetMs"], 600_000);
    let (status, after) = date().await;
    assert_eq!(status, 200, "ten minutes end no token");
    assert!((570..=690).contains(&(after - before).num_seconds()), "{before} {after}");
    sandbox.control("POST", "clock", json!({ "offsetMs": 3_700_000 })).await;
    assert_eq!(date().await.0, 401, "an hour does");
    sandbox.control("POST", "clock", json!({ "offsetMs": 0 })).await;
    assert_eq!(date().await.0, 200);

    for told in [json!(0), json!(-5), json!(1e18), json!("3600")] {
        sandbox.control("POST", "google/tokens", json!({ "toldLifetime": told })).await;
        let renewed = sandbox.token(&[("grant_type", "refresh_token"), ("refresh_token", refresh)]).await;
        assert_eq!(renewed["expires_in"], told);
    }
    sandbox.control("POST", "google/tokens", json!({ "toldLifetime": null })).await;
    let renewed = sandbox.token(&[("grant_type", "refresh_token"), ("refresh_token", refresh)]).await;
    assert_eq!(renewed["expires_in"], 3599);
}

#[tokio::test]
async fn the_limiter_refuses_what_is_beyond_and_counts_both() {
    let sandbox = Running::start(&[]);
    let token = token(&sandbox).await;
    sandbox.control("POST", "limits", json!({ "requestsPerMinute": 60, "burst": 3 })).await;
    let mut refused = 0;
    for _ in 0..5 {
        let response = sandbox.drive("GET", "files", &token).send().await.unwrap();
        refused += u32::from(response.status() == StatusCode::FORBIDDEN);
    }
    assert!((1..=2).contains(&refused), "{refused} refused");
    let counts = sandbox.control("GET", "limits", json!({})).await;
    assert_eq!(counts["refused"], refused);
    assert_eq!(counts["allowed"], 5 - refused);
}

/// Answers requests one by one with the given statuses and returns their heads.
async fn receive(listener: &TcpListener, statuses: &[u16]) -> Vec<String> {
    let mut heads = Vec::new();
    for status in statuses {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        stream.write_all(answer.as_bytes()).await.unwrap();
        heads.push(String::from_utf8(head).unwrap().to_lowercase());
    }
    heads
}

fn header<'a>(head: &'a str, name: &str) -> &'a str {
    let line = head.lines().find(|line| line.starts_with(&format!("{name}:")));
    line.unwrap_or_else(|| panic!("{name} is missing in {head}")).split_once(':').unwrap().1.trim()
}

#[tokio::test]
async fn a_channel_gets_sync_then_changes_and_an_outage_is_tried_again() {
    let sandbox = Running::start(&[]);
    let token = token(&sandbox).await;
    sandbox.control("POST", "google/settings", json!({ "webhookRetryMs": 50 })).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let start = sandbox.get("changes/startPageToken", &token).await["startPageToken"].as_str().unwrap().to_owned();
    let address = format!("http://hooks.localhost:{}/in", listener.local_addr().unwrap().port());
    let watch = json!({ "id": "channel-1", "type": "web_hook", "address": address, "token": "s3cret" });
    let request = sandbox.drive("POST", &format!("changes/watch?pageToken={start}"), &token).json(&watch);
    let (response, sync) = tokio::join!(request.send(), receive(&listener, &[200]));
    let channel: Value = response.unwrap().json().await.unwrap();
    assert_eq!(header(&sync[0], "x-goog-resource-state"), "sync");
    assert_eq!(header(&sync[0], "x-goog-message-number"), "1");

    let new = json!({ "account": ADA, "name": "new.txt", "mimeType": "text/plain", "text": "new" });
    let started = std::time::Instant::now();
    for _ in 0..2 {
        sandbox.control("POST", "google/files", new.clone()).await;
    }
    // 503 twice, then accepted: one message, three attempts, always the same number.
    let heads = receive(&listener, &[503, 503, 204]).await;
    assert!(started.elapsed() < Duration::from_secs(5));
    for head in &heads {
        assert_eq!(header(head, "x-goog-resource-state"), "change");
        assert_eq!(header(head, "x-goog-channel-id"), "channel-1");
        assert_eq!(header(head, "x-goog-channel-token"), "s3cret");
        assert_eq!(header(head, "x-goog-resource-id"), channel["resourceId"].as_str().unwrap().to_lowercase());
        assert_eq!(header(head, "content-length"), "0");
        assert_eq!(header(head, "x-goog-message-number"), header(&heads[0], "x-goog-message-number"));
    }
    assert!(header(&heads[0], "x-goog-message-number").parse::<u64>().unwrap() > 1);

    let stop = json!({ "id": "channel-1", "resourceId": channel["resourceId"] });
    let stopped = sandbox.drive("POST", "channels/stop", &token).json(&stop).send().await.unwrap();
    assert_eq!(stopped.status(), StatusCode::NO_CONTENT);
    let again = sandbox.drive("POST", "channels/stop", &token).json(&stop).send().await.unwrap();
    assert_eq!(again.status(), StatusCode::NOT_FOUND);
    assert_eq!(sandbox.control("GET", "google/channels", json!({})).await["channels"], json!([]));
    let sent = sandbox.control("GET", "webhooks", json!({})).await;
    let outcomes: Vec<_> = sent["webhooks"].as_array().unwrap().iter().map(|sent| sent["outcome"].clone()).collect();
    assert_eq!(outcomes, ["delivered", "delivered"]);
}

#[tokio::test]
async fn files_tokens_and_cursors_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("deep/state.json");
    let variables = [("SANDBOX_STATE", file.to_str().unwrap())];
    let sandbox = Running::start(&variables);
    let token = token(&sandbox).await;
    let start = sandbox.get("changes/startPageToken", &token).await["startPageToken"].as_str().unwrap().to_owned();
    let page = sandbox.get("files?pageSize=5&orderBy=name", &token).await;
    let before = sandbox.control("GET", &format!("truth?account={ADA}"), json!({})).await;
    sandbox.stop();

    let sandbox = Running::start(&variables);
    assert_eq!(sandbox.control("GET", &format!("truth?account={ADA}"), json!({})).await, before);
    let next = page["nextPageToken"].as_str().unwrap();
    let next = sandbox.get(&format!("files?pageSize=5&orderBy=name&pageToken={next}"), &token).await;
    assert_eq!(next["files"].as_array().unwrap().len(), 5);
    let id = page["files"][0]["id"].as_str().unwrap();
    sandbox.control("PATCH", &format!("google/files/{id}"), json!({ "trashed": true })).await;
    let changes = sandbox.get(&format!("changes?pageToken={start}&fields=*"), &token).await;
    assert_eq!(changes["changes"][0]["fileId"], json!(id));
    assert_eq!(changes["changes"][0]["file"]["trashed"], true);
}

#[tokio::test]
async fn tokens_expire_refresh_rotate_and_are_revoked() {
    let sandbox = Running::start(&[]);
    let tokens = sandbox.consent(ADA, READONLY).await;
    let (access, refresh) = (tokens["access_token"].as_str().unwrap(), tokens["refresh_token"].as_str().unwrap());
    sandbox.control("POST", "google/tokens", json!({ "expireAccessTokens": true })).await;
    let dead = sandbox.drive("GET", "files", access).send().await.unwrap();
    assert_eq!(dead.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(dead.json::<Value>().await.unwrap()["error"]["errors"][0]["reason"], "authError");

    sandbox.control("POST", "google/tokens", json!({ "rotateRefreshTokens": true })).await;
    let renewed = sandbox.token(&[("grant_type", "refresh_token"), ("refresh_token", refresh)]).await;
    let again = sandbox.token(&[("grant_type", "refresh_token"), ("refresh_token", refresh)]).await;
    assert_eq!(again["error"], "invalid_grant");
    let access = renewed["access_token"].as_str().unwrap();
    sandbox.get("files", access).await;

    let revoke = |token: String| {
        sandbox.http.post(format!("{}/google/oauth2/revoke", sandbox.url)).form(&[("token", token)]).send()
    };
    assert_eq!(revoke(access.to_owned()).await.unwrap().status(), StatusCode::OK);
    assert_eq!(revoke(access.to_owned()).await.unwrap().status(), StatusCode::BAD_REQUEST);
    let log = sandbox.control("GET", "requests", json!({})).await;
    let revoked = log["requests"].as_array().unwrap().iter().find(|entry| entry["operation"] == "oauth2.revoke");
    assert_eq!(revoked.unwrap()["account"], ADA);
    let rotated = renewed["refresh_token"].as_str().unwrap();
    let after = sandbox.token(&[("grant_type", "refresh_token"), ("refresh_token", rotated)]).await;
    assert_eq!(after["error"], "invalid_grant", "revoking the access token revoked its refresh token");
}

#[tokio::test]
async fn a_person_can_add_and_trash_a_file_on_the_drive_page() {
    let sandbox = Running::start(&[]);
    let add = [
        ("account", ADA),
        ("action", "add"),
        ("kind", "text/plain"),
        ("name", "by <hand>.txt"),
        ("text", "one\r\ntwo"),
        ("parent", ""),
    ];
    let done = sandbox.http.post(format!("{}/drive/do", sandbox.url)).form(&add).send().await.unwrap();
    assert_eq!(done.status(), StatusCode::SEE_OTHER);
    let page = sandbox.http.get(format!("{}/drive?account={ADA}", sandbox.url)).send().await.unwrap();
    assert!(page.text().await.unwrap().contains("by &lt;hand&gt;.txt"));
    let truth = sandbox.control("GET", &format!("truth?account={ADA}"), json!({})).await;
    let file = truth["files"].as_array().unwrap().iter().find(|file| file["name"] == "by <hand>.txt").unwrap().clone();
    assert_eq!(file["text"], "one\ntwo");
    for (name, value) in
        [("/", "Sandbox"), (&format!("/drive/edit?account={ADA}&id={}", file["id"].as_str().unwrap()), "one")]
    {
        let page = sandbox.http.get(format!("{}{name}", sandbox.url)).send().await.unwrap();
        assert!(page.text().await.unwrap().contains(value), "{name}");
    }
    let trash = [("account", ADA), ("action", "trash"), ("id", file["id"].as_str().unwrap())];
    let done = sandbox.http.post(format!("{}/drive/do", sandbox.url)).form(&trash).send().await.unwrap();
    assert_eq!(done.status(), StatusCode::SEE_OTHER);
    let truth = sandbox.control("GET", &format!("truth?account={ADA}"), json!({})).await;
    assert!(truth["files"].as_array().unwrap().iter().all(|file| file["name"] != "by <hand>.txt"));
}

#[tokio::test]
async fn the_stand_in_for_the_host_application_shows_what_the_api_says_and_echoes_nothing_as_markup() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let api = format!("http://127.0.0.1:{}", listener.local_addr().unwrap().port());
    let sandbox = Running::start(&[("APP_API_URL", &api), ("APP_TOKENS", r#"{"ada":"jwt-of-ada"}"#)]);
    let chosen = sandbox.http.post(format!("{}/app/user", sandbox.url)).form(&[("user", "ada")]).send().await.unwrap();
    let cookie = chosen.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert_eq!(cookie, "cognia_session=jwt-of-ada; Path=/; HttpOnly; SameSite=Lax");
    let landing = sandbox.http.get(format!("{}/app/integrations?error=%3Cscript%3E", sandbox.url));
    let page = landing.send().await.unwrap().text().await.unwrap();
    assert!(page.contains("&lt;script&gt;") && !page.contains("<script>"));

    let sync = sandbox.http.post(format!("{}/app/do", sandbox.url)).header("cookie", "cognia_session=jwt-of-ada");
    let (_, heads) =
        tokio::join!(sync.form(&[("action", "sync"), ("provider", "google_drive")]).send(), receive(&listener, &[202]));
    assert!(heads[0].starts_with("post /api/integrations/google_drive/sync"));
    assert_eq!(header(&heads[0], "authorization"), "bearer jwt-of-ada");
}
