//! What the clock does.

use std::time::Duration;

use serde_json::json;
use testkit::wait;

use crate::world::{DRIVE, SOON, World};

#[tokio::test(flavor = "multi_thread")]
async fn a_due_integration_is_synced_by_the_clock() -> anyhow::Result<()> {
    let world = World::new("clocked").await?;
    let configured = world.connect().await?;
    assert_eq!(configured["status"], "COMPLETED");
    let answer = world.person.put(&format!("{DRIVE}/config"), json!({"syncFrequency": "FIFTEEN_MIN"})).await?;
    assert_eq!(answer.status, 200, "{}", answer.body);
    // Due now instead of in a quarter of an hour; the scheduler wakes within a minute.
    world.store.set_due(&world.reference().await?, Some(world.now())).await?;
    let job = world.ended(2, Duration::from_secs(90)).await?;
    assert_eq!(
        (job["triggered_by"].as_str(), job["mode"].as_str()),
        (Some("schedule"), Some("incremental")),
        "{job:#}"
    );
    let row = world.store.find_integration(&world.reference().await?).await?.unwrap();
    let wait = row.due_at.unwrap() - world.now();
    assert!((5..=20).contains(&wait.num_minutes()), "due again in {wait}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_change_token_leads_to_a_full_listing_that_finds_all() -> anyhow::Result<()> {
    let world = World::new("relisted").await?;
    let ids = world.sandbox.many_files(&world.google, 3, "relisted").await?;
    world.connect().await?;
    // Only this account's change feed is refused, once, as Google refuses an old token.
    let fault = json!({"match": {"operation": "changes.list", "account": world.google}, "kind": "status", "status": 410, "times": 1});
    world.sandbox.call("POST", "faults", Some(&fault)).await?;
    world.sandbox.call("DELETE", &format!("google/files/{}", ids[0]), None).await?;
    let job = world.sync("incremental").await?;
    world.sink_equals_source(SOON).await?;
    assert_eq!(job["status"], "COMPLETED", "{job:#}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_past_half_its_life_is_replaced_and_then_stopped() -> anyhow::Result<()> {
    let world = World::new("renewed").await?;
    world.connect().await?;
    let reference = world.reference().await?;
    let mut old = wait::until("a webhook subscription", SOON, async || {
        Ok(world
            .store
            .subscriptions_of(reference.integration_id)
            .await?
            .into_iter()
            .find(|it| it.provider_id.is_some()))
    })
    .await?;
    // As old as it will be in four days; the clock then finds it due within a minute.
    let days = chrono::TimeDelta::days;
    (old.created_at, old.expires_at) = (world.now() - days(4), Some(world.now() + days(3)));
    world.store.save_subscription(&reference, &old).await?;
    wait::until("a new channel alone to be live", SOON, async || {
        let live = world.sandbox.channels(&world.google).await?;
        Ok((live.len() == 1 && live[0]["id"] != old.id.as_str()).then_some(()))
    })
    .await?;
    let operations = world.sandbox.operations(&world.google).await?;
    let made = operations.iter().rposition(|name| name == "changes.watch");
    let stopped = operations.iter().position(|name| name == "channels.stop");
    assert!(made < stopped, "the new one is made before the old one is stopped: {operations:?}");
    let kept = world.store.subscriptions_of(reference.integration_id).await?;
    assert!(kept.len() == 1 && kept[0].id != old.id, "{kept:?}");
    Ok(())
}
