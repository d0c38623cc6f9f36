//! Connecting and disconnecting.

use std::time::Duration;

use serde_json::json;
use testkit::wait;

use crate::world::{DRIVE, SOON, World, check_counts};

#[tokio::test(flavor = "multi_thread")]
async fn every_sample_files_text_is_right_after_the_first_sync() -> anyhow::Result<()> {
    let mut world = World::new("sample").await?;
    // The account that comes with sample content of every kind.
    world.google = "ada@example.com".into();
    let job = world.connect().await?;
    world.sink_equals_source(SOON).await?;

    assert_eq!(job["status"], "COMPLETED", "{job:#}");
    assert_eq!(job["triggered_by"], "connect");
    let count = |name: &str| job[format!("resources_{name}")].as_u64().unwrap();
    assert_eq!(count("synced"), world.sandbox.texts(&world.google).await?.len() as u64);
    assert_eq!(count("failed"), 1, "the broken PDF alone: {job:#}");
    assert!(count("skipped") >= 1, "the picture: {job:#}");
    assert_eq!(count("found"), count("synced") + count("failed") + count("skipped"));
    let failed = &job["error_details"]["failed_resources"][0];
    assert!(failed["name"].as_str().unwrap().ends_with(".pdf"), "{failed}");
    assert_eq!(failed["code"], "unreadable");

    let shown = world.person.get(&format!("{DRIVE}/resources?status=failed")).await?;
    assert_eq!(shown.data().as_array().map(Vec::len), Some(1), "{}", shown.body);
    let row = world.integration().await?;
    assert_eq!(row["status"], "ACTIVE");
    assert!(row["last_sync_at"].is_string());
    assert!(!row.to_string().to_lowercase().contains("token\""), "no token is shown: {row}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_exists_soon_after_connecting() -> anyhow::Result<()> {
    let world = World::new("subscribed").await?;
    world.connect().await?;
    wait::until("a webhook channel", Duration::from_secs(10), async || {
        Ok((!world.sandbox.channels(&world.google).await?.is_empty()).then_some(()))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn disconnecting_revokes_stops_the_channels_and_keeps_the_documents() -> anyhow::Result<()> {
    let world = World::new("leaver").await?;
    let id = world.sandbox.text_file(&world.google, "kept.txt", "Kept.", None).await?;
    world.connect().await?;
    wait::until("a webhook channel", SOON, async || {
        Ok((!world.sandbox.channels(&world.google).await?.is_empty()).then_some(()))
    })
    .await?;
    let reference = world.reference().await?;

    assert_eq!(world.person.delete(DRIVE).await?.status, 200);
    let operations = world.sandbox.operations(&world.google).await?;
    assert!(operations.iter().any(|name| name.contains("revoke")), "{operations:?}");
    assert!(world.sandbox.channels(&world.google).await?.is_empty());
    let row = world.store.get_integration(&reference.owner, reference.provider).await?.unwrap();
    assert_eq!((row.status, row.tokens), (domain::Status::Disconnected, None));
    let connected = world.person.get("/api/integrations/connected").await?;
    assert_eq!(connected.data(), &json!([]), "{}", connected.body);
    assert!(world.stack.documents(&reference).await?.contains_key(&id));

    // The same account again: nothing is ingested twice.
    let landed = world.person.connect(DRIVE, &world.google).await?;
    assert!(landed.contains("connected="), "{landed}");
    let job = world.ended(2, SOON).await?;
    check_counts(&job, [1, 0, 1, 0, 0, 0]);
    assert_eq!(world.reference().await?, reference);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn purging_deletes_the_documents_too() -> anyhow::Result<()> {
    let world = World::new("purger").await?;
    world.sandbox.many_files(&world.google, 12, "gone").await?;
    let job = world.connect().await?;
    check_counts(&job, [12, 12, 0, 0, 0, 0]);
    let reference = world.reference().await?;
    assert_eq!(world.person.delete(&format!("{DRIVE}?purge=true")).await?.status, 200);
    wait::until("the documents to go", SOON, async || {
        Ok(world.stack.documents(&reference).await?.is_empty().then_some(()))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_holds_and_a_resume_goes_on() -> anyhow::Result<()> {
    let world = World::new("pauser").await?;
    world.connect().await?;
    assert_eq!(world.person.post(&format!("{DRIVE}/pause"), json!({})).await?.status, 200);
    assert_eq!(world.integration().await?["status"], "PAUSED");
    let refused = world.person.post(&format!("{DRIVE}/sync"), json!({})).await?;
    assert_eq!(refused.status, 409, "{}", refused.body);
    assert_eq!(world.person.post(&format!("{DRIVE}/resume"), json!({})).await?.status, 200);
    assert_eq!(world.integration().await?["status"], "ACTIVE");
    Ok(())
}
