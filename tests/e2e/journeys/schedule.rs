//! What the clock does.

use std::time::Duration;

use serde_json::json;

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
