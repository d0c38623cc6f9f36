//! A sync that a person stops, by cancelling or by disconnecting: it ends at once, and what workers still have in their hands is accounted for.

use anyhow::Context as _;
use domain::resource::{Outcome, Record};
use serde_json::json;
use testkit::wait;

use crate::world::{DRIVE, SOON, World, check_counts};

/// A first sync of thirty files, some of which are delivered while the download of another takes so long that it is surely under way.
async fn halfway(world: &World) -> anyhow::Result<()> {
    let ids = world.sandbox.many_files(&world.google, 30, "stopped").await?;
    let path = format!("/drive/v3/files/{}", ids.first().context("no files")?);
    let slow = json!({"match": {"pathPrefix": path, "operation": "files.media"}, "kind": "delay", "delayMs": 8000, "times": 1});
    world.sandbox.call("POST", "faults", Some(&slow)).await?;
    let landed = world.person.connect(DRIVE, &world.google).await?;
    assert!(landed.contains("connected="), "{landed}");
    wait::until("the first documents", SOON, async || Ok((!world.delivered().await?.is_empty()).then_some(()))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn guarantee_45_a_purge_reaches_what_a_worker_still_had_in_its_hands() -> anyhow::Result<()> {
    let world = World::new("leaver").await?;
    halfway(&world).await?;
    let reference = world.reference().await?;
    assert_eq!(world.person.delete(&format!("{DRIVE}?purge=true")).await?.status, 200);
    // The last word is the purge's second pass; until it is gone from the queue, something may still come.
    let id = reference.integration_id.to_string();
    wait::until("all work on it to end", SOON, async || {
        let (waiting, dead) = world.stack.messages_with(&id).await?;
        assert!(dead.is_empty(), "{dead:?}");
        Ok(waiting.is_empty().then_some(()))
    })
    .await?;
    let (records, _) = world.store.records_of(reference.integration_id, None, None, 1).await?;
    let documents = world.stack.documents(&reference).await?;
    assert!(records.is_empty() && documents.is_empty(), "{records:?} {documents:?}");
    let media = world.sandbox.operations(&world.google).await?.iter().filter(|name| *name == "files.media").count();
    assert!(media > 0, "nothing was downloaded before");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_sync_ends_at_once_and_counts_what_it_has_done() -> anyhow::Result<()> {
    let world = World::new("canceller").await?;
    halfway(&world).await?;
    let running = world.jobs().await?.first().cloned().context("no job")?;
    assert_eq!(running["status"], "RUNNING", "{running:#}");
    let run: domain::JobId = running["id"].as_str().context("no id")?.parse()?;
    let job = format!("{DRIVE}/sync-jobs/{run}");
    let cancelled = world.person.post(&format!("{job}/cancel"), json!({})).await?;
    assert_eq!((cancelled.status, cancelled.data()["status"].as_str()), (200, Some("CANCELLED")), "{}", cancelled.body);
    let again = world.person.post(&format!("{job}/cancel"), json!({})).await?;
    assert_eq!(again.status, 409, "{}", again.body);

    // What was in a worker's hands comes to its end, and then the sum is what the records say this run did. Besides, what a worker had in
    // its hands and let go of may be delivered for itself.
    let reference = world.reference().await?;
    wait::until("the counts to be what the run did", SOON, async || {
        let row = world.person.get(&job).await?.data().clone();
        let (records, _) = world.store.records_of(reference.integration_id, None, None, 100).await?;
        let of_the_run = |record: &&Record| {
            record.last_run.is_some_and(|last| last.job_id == run && last.outcome == Outcome::Synced)
        };
        let done = u64::try_from(records.iter().filter(of_the_run).count())?;
        let counted = [&row["resources_found"], &row["resources_synced"]].map(serde_json::Value::as_u64);
        Ok((done > 0 && counted == [Some(done); 2]).then_some(()))
    })
    .await?;
    let job = world.sync("full").await?;
    assert_eq!(job["status"], "COMPLETED", "{job:#}");
    world.sink_equals_source(SOON).await?;
    check_counts(&world.sync("full").await?, [30, 0, 30, 0, 0, 0]);
    Ok(())
}
