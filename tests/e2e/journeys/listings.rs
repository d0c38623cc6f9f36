//! Listings that cannot be believed: garbage, circles, pages cut short. Nothing is deleted by them, and no cursor moves.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::wait;

use crate::rules::{InForce, Rule, requests_of};
use crate::world::{DRIVE, SOON, World, check_counts};

/// Asks for a sync; its job's id.
async fn begin(world: &World, mode: &str) -> anyhow::Result<String> {
    let asked = world.person.post(&format!("{DRIVE}/sync"), json!({ "mode": mode })).await?;
    assert_eq!(asked.status, 202, "{}", asked.body);
    Ok(asked.text("jobId").unwrap_or_default().to_owned())
}

/// Waits until a rule has hit.
async fn hit(rule: &InForce<'_>, times: u64) -> anyhow::Result<()> {
    wait::until("the rule to hit", SOON, async || Ok((rule.hits().await? >= times).then_some(()))).await
}

/// The stored change cursor.
async fn cursor(world: &World) -> anyhow::Result<Option<String>> {
    Ok(world.store.find_integration(&world.reference().await?).await?.and_then(|row| row.change_cursor))
}

/// A person with so many files, synced, whose webhook channel the provider has forgotten again: from now on nothing is synced that a
/// test does not ask for.
async fn settled(name: &str, files: usize) -> anyhow::Result<(World, Vec<String>)> {
    let world = World::new(name).await?;
    let ids = world.sandbox.many_files(&world.google, files, name).await?;
    world.connect().await?;
    wait::until("a webhook channel", SOON, async || {
        Ok((!world.sandbox.channels(&world.google).await?.is_empty()).then_some(()))
    })
    .await?;
    world.sandbox.call("DELETE", &format!("google/channels?account={}", world.google), None).await?;
    Ok((world, ids))
}

#[tokio::test(flavor = "multi_thread")]
async fn guarantee_19_no_garbage_deletes_anything_or_moves_the_cursor() -> anyhow::Result<()> {
    let (world, ids) = settled("garbled", 6).await?;
    let mut left = ids.len();
    for (kind, mode, operation) in [
        ("garbage", "incremental", "changes.list"),
        ("html", "incremental", "changes.list"),
        ("wrongTypes", "incremental", "changes.list"),
        ("truncate", "full", "files.list"),
        ("endless", "full", "files.list"),
    ] {
        // One file goes, so that the true answer has something to tell.
        world.sandbox.call("DELETE", &format!("google/files/{}", ids[left - 1]), None).await?;
        let before = cursor(&world).await?;
        let rule = Rule::of(&world, json!({ "operation": operation })).with(json!({ "kind": kind })).set().await?;
        let job = begin(&world, mode).await?;
        hit(&rule, 1).await?;
        wait::until("the worker to have let go of the answer", SOON, async || {
            let asked = requests_of(&world).await?;
            let last = asked.iter().rev().find(|request| request.operation == operation);
            Ok(last.is_some_and(|request| request.status.is_some()).then_some(()))
        })
        .await?;
        assert_eq!(world.delivered().await?.len(), left, "{kind}: nothing is deleted");
        assert_eq!(cursor(&world).await?, before, "{kind}: the cursor has not moved");
        let row = world.person.get(&format!("{DRIVE}/sync-jobs/{job}")).await?;
        assert_ne!(row.data()["status"], "COMPLETED", "{kind}");
        rule.lift().await?;
        let job = world.job_ended(&job, SOON).await?;
        left -= 1;
        check_counts(&job, counts(mode, left as u64));
        assert_eq!(world.delivered().await?.len(), left, "{kind}: the truth is followed");
    }
    world.sink_equals_source(SOON).await
}

/// What a sync counts that finds one file gone and `left` unchanged.
fn counts(mode: &str, left: u64) -> [u64; 6] {
    let unchanged = if mode == "full" { left } else { 0 };
    [unchanged + 1, 0, unchanged, 0, 0, 1]
}

#[tokio::test(flavor = "multi_thread")]
async fn guarantee_20_a_listing_in_circles_is_stopped_and_deletes_nothing() -> anyhow::Result<()> {
    for (kind, mode, operation) in [
        ("repeatCursor", "full", "files.list"),
        ("loopCursor", "full", "files.list"),
        ("repeatCursor", "incremental", "changes.list"),
        ("loopCursor", "incremental", "changes.list"),
    ] {
        let (world, _) = settled("circling", 4).await?;
        let before = cursor(&world).await?;
        let rule = Rule::of(&world, json!({ "operation": operation })).with(json!({ "kind": kind })).set().await?;
        let job = begin(&world, mode).await?;
        hit(&rule, 2).await?;
        // A worker that followed the circle would be asking all the time.
        let mut last = 0;
        wait::until("the circle to be left", Duration::from_secs(60), async || {
            let hits = rule.hits().await?;
            let still = hits == last;
            last = hits;
            tokio::time::sleep(Duration::from_secs(2)).await;
            Ok(still.then_some(()))
        })
        .await?;
        assert!(last < 80, "{kind} {mode}: {last} calls");
        assert_eq!(world.delivered().await?.len(), 4, "{kind} {mode}");
        assert_eq!(cursor(&world).await?, before, "{kind} {mode}");
        rule.lift().await?;
        // A run that was led astray among changes may end by listing everything; either way nothing has changed.
        let ended = world.job_ended(&job, SOON).await?;
        let unchanged = if ended["mode"] == "full" { 4 } else { 0 };
        check_counts(&ended, [unchanged, 0, unchanged, 0, 0, 0]);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn guarantee_20_empty_pages_are_followed_to_the_true_ones() -> anyhow::Result<()> {
    let (world, _) = settled("emptied", 4).await?;
    for operation in ["files.list", "changes.list"] {
        let rule = Rule::of(&world, json!({ "operation": operation })).with(json!({"kind": "emptyPage", "times": 3}));
        let rule = rule.set().await?;
        let (mode, unchanged) = if operation == "files.list" { ("full", 4) } else { ("incremental", 0) };
        check_counts(&world.sync(mode).await?, [unchanged, 0, unchanged, 0, 0, 0]);
        assert_eq!(rule.hits().await?, 3, "{operation}");
    }
    world.sink_equals_source(SOON).await
}

#[tokio::test(flavor = "multi_thread")]
async fn guarantee_20_an_expired_cursor_leads_to_a_full_listing() -> anyhow::Result<()> {
    let (world, ids) = settled("outdated", 4).await?;
    for (at, status) in [410, 400, 404].into_iter().enumerate() {
        let rule = Rule::of(&world, json!({"operation": "changes.list"}));
        let rule = rule.with(json!({"kind": "status", "status": status, "times": 1})).set().await?;
        world.sandbox.call("DELETE", &format!("google/files/{}", ids[at]), None).await?;
        let job = world.sync("incremental").await?;
        assert_eq!(job["status"], "COMPLETED", "{job:#}");
        world.sink_equals_source(SOON).await?;
        assert_eq!(rule.hits().await?, 1, "{status}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn guarantee_20_a_page_cursor_that_expires_begins_the_listing_anew() -> anyhow::Result<()> {
    let (world, _) = settled("paged", 4).await?;
    let page = Rule::of(&world, json!({"operation": "files.list"})).with(json!({"kind": "emptyPage", "times": 1}));
    let page = page.set().await?;
    let dead = Rule::of(&world, json!({"operation": "files.list"}));
    let dead = dead.with(json!({"kind": "status", "status": 400, "reason": "invalid", "times": 1})).set().await?;
    check_counts(&world.sync("full").await?, [4, 0, 4, 0, 0, 0]);
    assert_eq!((page.hits().await?, dead.hits().await?), (1, 1));
    world.sink_equals_source(SOON).await
}

#[tokio::test(flavor = "multi_thread")]
async fn guarantee_21_a_listing_that_lacks_a_third_of_many_files_waits_for_a_person() -> anyhow::Result<()> {
    let (world, _) = settled("thinned", 300).await?;
    let rule = Rule::of(&world, json!({"operation": "files.list"})).with(json!({"kind": "cutListing", "share": 0.3}));
    let rule = rule.set().await?;
    world.sync("full").await?;
    let pending = pending(&world).await?;
    assert_eq!((&pending["count"], &pending["of"]), (&json!(90), &json!(300)), "{pending}");
    assert_eq!(world.delivered().await?.len(), 300, "nothing is deleted");
    // The person knows better: the files are there.
    let discarded = world.person.post(&format!("{DRIVE}/pending-deletes/discard"), json!({})).await?;
    assert!((200..300).contains(&discarded.status), "{}", discarded.body);
    rule.lift().await?;
    check_counts(&world.sync("full").await?, [300, 0, 300, 0, 0, 0]);
    assert!(world.integration().await?["pending_deletes"].is_null());
    world.sink_equals_source(SOON).await
}

#[tokio::test(flavor = "multi_thread")]
async fn guarantee_21_what_a_person_confirms_is_deleted_and_the_next_listing_mends_it() -> anyhow::Result<()> {
    let (world, _) = settled("consented", 200).await?;
    let rule = Rule::of(&world, json!({"operation": "files.list"})).with(json!({"kind": "cutListing", "share": 0.3}));
    let rule = rule.set().await?;
    world.sync("full").await?;
    assert_eq!(pending(&world).await?["count"], 60);
    let confirmed = world.person.post(&format!("{DRIVE}/pending-deletes/confirm"), json!({})).await?;
    assert!((200..300).contains(&confirmed.status), "{}", confirmed.body);
    wait::until("the deletions to be carried out", SOON, async || {
        Ok((world.delivered().await?.len() == 140).then_some(()))
    })
    .await?;
    world.ended(3, SOON).await?;
    rule.lift().await?;
    let job = world.sync("full").await?;
    assert_eq!((&job["resources_synced"], &job["status"]), (&json!(60), &json!("COMPLETED")), "{job:#}");
    world.sink_equals_source(SOON).await
}

#[tokio::test(flavor = "multi_thread")]
async fn guarantee_21_a_listing_that_lacks_a_few_files_is_checked_file_by_file() -> anyhow::Result<()> {
    let (world, ids) = settled("doubted", 100).await?;
    world.sandbox.call("DELETE", &format!("google/files/{}", ids[0]), None).await?;
    let rule = Rule::of(&world, json!({"operation": "files.list"})).with(json!({"kind": "cutListing", "share": 0.3}));
    rule.set().await?;
    let job = world.sync("full").await?;
    assert_eq!((&job["status"], &job["resources_deleted"]), (&json!("COMPLETED"), &json!(1)), "{job:#}");
    world.sink_equals_source(SOON).await
}

/// The deletions that wait for a person.
async fn pending(world: &World) -> anyhow::Result<Value> {
    wait::until("deletions to be held back", SOON, async || {
        let pending = world.integration().await?["pending_deletes"].take();
        Ok(pending.is_object().then_some(pending))
    })
    .await
}
