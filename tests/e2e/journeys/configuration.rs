//! What a person sets: what is synced and how it is found, what is kept of it, how often, and what their plan says to that.

use anyhow::{Context as _, ensure};
use domain::plan::Plan;
use serde_json::{Value, json};
use testkit::people::{self, Wanted};
use testkit::{Actor, wait};

use crate::world::{DRIVE, SOON, World};

/// What there is to choose from inside of something, all pages of it.
async fn browse(world: &World, parent: Option<&str>) -> anyhow::Result<Vec<Value>> {
    let (mut all, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(parent.map(|parent| ("parent", parent)));
        query.extend_pairs(cursor.as_deref().map(|cursor| ("cursor", cursor)));
        let answer = world.person.get(&format!("{DRIVE}/browse?{}", query.finish())).await?;
        ensure!(answer.status == 200, "browse answers {} {}", answer.status, answer.body);
        all.extend(answer.data().as_array().context("no list")?.iter().cloned());
        cursor = answer.body["nextCursor"].as_str().map(str::to_owned);
        if cursor.is_none() {
            return Ok(all);
        }
    }
}

/// Sets a `config` and waits until the sink holds these files, by their names.
async fn narrowed(world: &World, config: Value, names: &[&str]) -> anyhow::Result<()> {
    let answer = world.person.put(&format!("{DRIVE}/config"), json!({ "config": config })).await?;
    ensure!(answer.status == 200, "{config}: {} {}", answer.status, answer.body);
    assert_eq!(answer.data()["config"], config);
    let mut last = Vec::new();
    let there = wait::until(format_args!("the documents of {config}"), SOON, async || {
        last = world.delivered().await?.into_values().map(|(title, _)| title).collect();
        last.sort();
        Ok((last == names).then_some(()))
    })
    .await;
    there.with_context(|| format!("{config}: {last:?} instead of {names:?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_finds_what_they_can_choose_and_chooses_it() -> anyhow::Result<()> {
    let world = World::new("chooser").await?;
    let outer = world.sandbox.folder(&world.google, "Outer").await?;
    let inner = world
        .sandbox
        .call(
            "POST",
            "google/files",
            Some(&json!({"account": world.google, "name": "Inner",
        "mimeType": "application/vnd.google-apps.folder", "parent": outer})),
        )
        .await?;
    let inner = inner["id"].as_str().context("a folder without an id")?.to_owned();
    world.sandbox.text_file(&world.google, "deep.txt", "Deep.", Some(&inner)).await?;
    world.sandbox.text_file(&world.google, "top.txt", "Top.", None).await?;
    world.connect().await?;

    let start = browse(&world, None).await?;
    let mine = &start[0];
    assert_eq!((&mine["id"], &mine["field"], &mine["hasChildren"]), (&json!("root"), &json!("folders"), &json!(true)));
    let found = browse(&world, Some("root")).await?;
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(
        (&found[0]["id"], &found[0]["name"], &found[0]["kind"]),
        (&json!(outer), &json!("Outer"), &json!("folder"))
    );
    let found = browse(&world, Some(&outer)).await?;
    assert_eq!((found.len(), &found[0]["id"]), (1, &json!(inner)));
    assert_eq!(browse(&world, Some(&inner)).await?, Vec::<Value>::new());

    narrowed(&world, json!({"folders": [found[0]["id"]]}), &["deep.txt"]).await?;
    narrowed(&world, json!({}), &["deep.txt", "top.txt"]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_cannot_be_looked_into() -> anyhow::Result<()> {
    let world = World::new("looker").await?;
    let browse = format!("{DRIVE}/browse");
    let answer = world.person.get(&browse).await?;
    assert_eq!((answer.status, answer.code()), (404, Some("not_connected")));
    let file = world.sandbox.text_file(&world.google, "file.txt", "No folder.", None).await?;
    world.connect().await?;
    for parent in ["nowhere", &file, "x'%20in%20parents%20or%20'y", "..%2fabout", &"x".repeat(5000)] {
        let answer = world.person.get(&format!("{browse}?parent={parent}")).await?;
        assert_eq!((answer.status, answer.code()), (404, Some("unknown_parent")), "{parent}: {}", answer.body);
    }
    let answer = world.person.get(&format!("{browse}?parent=root&cursor=nonsense")).await?;
    assert_eq!((answer.status, answer.code()), (400, Some("bad_cursor")), "{}", answer.body);
    // Another person sees their own account only.
    let other = World::new("onlooker").await?;
    assert_eq!(other.person.get(&browse).await?.status, 404);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_setting_of_the_schema_narrows_the_listing() -> anyhow::Result<()> {
    let world = World::new("narrow").await?;
    let file = async |name: &str, mime_type: &str, text: &str| {
        let file = json!({"account": world.google, "name": name, "mimeType": mime_type, "text": text});
        world.sandbox.call("POST", "google/files", Some(&file)).await.map(drop)
    };
    file("long.txt", "text/plain", &"long ".repeat(100)).await?;
    file("short.txt", "text/plain", "short").await?;
    file("table.csv", "text/csv", "a,b\n1,2\n").await?;
    world.connect().await?;
    let all = ["long.txt", "short.txt", "table.csv"];
    let schema = world.integration().await?["config_schema"]["properties"].clone();
    let fields: Vec<&String> = schema.as_object().context("no schema")?.keys().collect();
    assert_eq!(fields, ["fileTypes", "folders", "maxBytes", "modifiedAfter", "sharedDrives"]);

    narrowed(&world, json!({"maxBytes": 100}), &["short.txt", "table.csv"]).await?;
    narrowed(&world, json!({"fileTypes": ["csv"]}), &["table.csv"]).await?;
    narrowed(&world, json!({"fileTypes": ["text/*"]}), &all).await?;
    let later = (world.now() + chrono::TimeDelta::days(1)).to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    narrowed(&world, json!({"modifiedAfter": later}), &[]).await?;
    narrowed(&world, json!({"sharedDrives": false}), &all).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_config_that_the_schema_forbids_is_refused_and_changes_nothing() -> anyhow::Result<()> {
    let world = World::new("schema").await?;
    world.connect().await?;
    let before = world.integration().await?;
    for (config, field) in [
        (json!({"folders": "root"}), "folders"),
        (json!({"folders": ["a b"]}), "folders"),
        (json!({"folders": ["a", "a"]}), "folders"),
        (json!({"folders": (0..51).map(|n| format!("f{n}")).collect::<Vec<_>>()}), "folders"),
        (json!({"sharedDrives": "all"}), "sharedDrives"),
        (json!({"modifiedAfter": "yesterday"}), "modifiedAfter"),
        (json!({"fileTypes": ["nonsense"]}), "fileTypes"),
        (json!({"maxBytes": 0}), "maxBytes"),
        (json!({"maxBytes": -1}), "maxBytes"),
        (json!({"folder": ["a"]}), "folder"),
    ] {
        let answer = world.person.put(&format!("{DRIVE}/config"), json!({ "config": config })).await?;
        assert_eq!((answer.status, answer.code()), (422, Some("invalid_config")), "{config}: {}", answer.body);
        assert!(answer.body["error"].as_str().is_some_and(|words| words.contains(field)), "{config}: {}", answer.body);
    }
    let large = json!({"config": {"folders": ["x".repeat(70_000)]}});
    assert_eq!(world.person.put(&format!("{DRIVE}/config"), large).await?.status, 422);
    assert_eq!(world.integration().await?["config"], before["config"]);
    assert_eq!(world.jobs().await?.len(), 1, "and starts nothing");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_what_is_kept_rewrites_what_is_stored() -> anyhow::Result<()> {
    let world = World::new("keeper").await?;
    world.sandbox.many_files(&world.google, 5, "kept").await?;
    world.connect().await?;
    world.sink_equals_source(SOON).await?;
    let keep = async |strategy: &str, jobs: usize| {
        let answer = world.person.put(&format!("{DRIVE}/config"), json!({ "storageStrategy": strategy })).await?;
        ensure!(answer.status == 200 && answer.text("storage_strategy") == Some(strategy), "{}", answer.body);
        world.ended(jobs, SOON).await
    };
    let job = keep("METADATA_ONLY", 2).await?;
    assert_eq!((&job["mode"], &job["resources_synced"]), (&json!("full"), &json!(5)), "{job:#}");
    assert_eq!(world.delivered().await?.len(), 0, "no body is at rest any more");
    let shown = world.person.get(&format!("{DRIVE}/resources?status=synced")).await?;
    assert_eq!(shown.data().as_array().map(Vec::len), Some(5), "they are known all the same: {}", shown.body);
    // What comes now is not kept either, and a full pass finds everything as it should be.
    world.sandbox.text_file(&world.google, "new.txt", "New.", None).await?;
    let job = world.sync("full").await?;
    assert_eq!((&job["resources_synced"], &job["resources_unchanged"]), (&json!(1), &json!(5)), "{job:#}");
    assert_eq!(world.delivered().await?.len(), 0);

    let jobs = world.jobs().await?.len();
    let job = keep("FULL_CONTENT", jobs + 1).await?;
    assert_eq!(job["resources_synced"], 6, "{job:#}");
    world.sink_equals_source(SOON).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_integration_is_rewritten_when_it_is_resumed() -> anyhow::Result<()> {
    let world = World::new("sleeper").await?;
    world.sandbox.many_files(&world.google, 3, "kept").await?;
    world.connect().await?;
    assert_eq!(world.person.post(&format!("{DRIVE}/pause"), json!({})).await?.status, 200);
    let body = json!({"storageStrategy": "METADATA_ONLY"});
    assert_eq!(world.person.put(&format!("{DRIVE}/config"), body).await?.status, 200);
    assert_eq!(world.delivered().await?.len(), 3, "nothing runs while it is paused");
    assert_eq!(world.person.post(&format!("{DRIVE}/resume"), json!({})).await?.status, 200);
    wait::until("the bodies to go", SOON, async || Ok(world.delivered().await?.is_empty().then_some(()))).await
}

/// The same person on another plan.
async fn on(world: &World, plan: Plan) -> anyhow::Result<Actor> {
    let wanted = Wanted::user(world.user.as_str()).plan(plan);
    Actor::new(&world.stack.api_url, Some(people::token(&world.stack, &world.store, &wanted).await?))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_limits_how_often_and_says_what_lifts_it() -> anyhow::Result<()> {
    let world = World::new("frequent").await?;
    world.connect().await?;
    let config = format!("{DRIVE}/config");
    let free = on(&world, Plan::Free).await?;
    let before = free.get(DRIVE).await?.data()["sync_frequency"].clone();
    for (frequency, upgrade) in [("FIFTEEN_MIN", "enterprise"), ("REALTIME", "pro")] {
        let answer = free.put(&config, json!({ "syncFrequency": frequency })).await?;
        assert_eq!((answer.status, answer.code()), (402, Some("quota_exceeded")), "{frequency}: {}", answer.body);
        let body = &answer.body;
        assert_eq!((&body["limit"], &body["plan"]), (&json!("sync_frequency"), &json!("free")), "{body}");
        assert_eq!((&body["allowed"], &body["upgrade"]), (&json!("DAILY"), &json!(upgrade)), "{body}");
        assert_eq!(free.get(DRIVE).await?.data()["sync_frequency"], before);
    }
    for frequency in ["DAILY", "MANUAL"] {
        let answer = free.put(&config, json!({ "syncFrequency": frequency })).await?;
        assert_eq!((answer.status, answer.text("sync_frequency")), (200, Some(frequency)), "{}", answer.body);
    }
    let pro = on(&world, Plan::Pro).await?;
    assert_eq!(pro.put(&config, json!({"syncFrequency": "HOURLY"})).await?.status, 200);
    assert_eq!(pro.put(&config, json!({"syncFrequency": "FIFTEEN_MIN"})).await?.status, 402);
    let enterprise = on(&world, Plan::Enterprise).await?;
    assert_eq!(enterprise.put(&config, json!({"syncFrequency": "FIFTEEN_MIN"})).await?.status, 200);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_limits_how_many_and_says_what_lifts_it() -> anyhow::Result<()> {
    let world = World::new("many-plans").await?;
    let free = on(&world, Plan::Free).await?;
    world.connect().await?;
    let offered = free.get("/api/integrations").await?;
    let offered = offered.data().as_array().context("no list")?;
    let second = offered.iter().filter_map(|row| row["id"].as_str()).find(|id| *id != "google_drive");
    let second = second.context("there is no second provider")?;
    let answer = free.post(&format!("/api/integrations/{second}/connect"), json!({})).await?;
    assert_eq!((answer.status, answer.code()), (402, Some("quota_exceeded")), "{}", answer.body);
    let body = &answer.body;
    assert_eq!((&body["limit"], &body["allowed"]), (&json!("integrations"), &json!("1")), "{body}");
    assert_eq!((&body["plan"], &body["upgrade"]), (&json!("free"), &json!("pro")), "{body}");
    assert!(body["error"].as_str().is_some_and(|words| words.contains("pro")), "{body}");
    // The same provider again takes no further place.
    let again = free.connect(DRIVE, &world.google).await?;
    assert!(again.ends_with("connected=google_drive"), "{again}");
    let pro = on(&world, Plan::Pro).await?;
    let answer = pro.post(&format!("/api/integrations/{second}/connect"), json!({})).await?;
    assert_ne!(answer.status, 402, "{}", answer.body);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_signs_in_at_the_provider_needs_no_credentials() -> anyhow::Result<()> {
    let world = World::new("keyless").await?;
    let path = format!("{DRIVE}/credentials");
    for body in [json!({"apiKey": "canary-key"}), json!({"username": "ada", "password": "canary-key"}), json!({})] {
        let answer = world.person.post(&path, body).await?;
        assert_eq!((answer.status, answer.code()), (409, Some("not_by_credentials")), "{}", answer.body);
        assert!(!answer.body.to_string().contains("canary"), "{}", answer.body);
    }
    let answer = world.person.post(&path, json!({"apiKey": 1})).await?;
    assert_eq!(answer.status, 422, "{}", answer.body);
    assert_eq!(world.person.get(DRIVE).await?.status, 404, "nothing is connected");
    Ok(())
}
