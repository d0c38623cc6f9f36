//! Many files: several pages, hand-over between invocations, exact counts.

use std::time::Duration;

use testkit::wait;

use crate::world::{SOON, World, check_counts};

#[tokio::test(flavor = "multi_thread")]
async fn twelve_hundred_files_arrive_over_several_pages() -> anyhow::Result<()> {
    let world = World::new("many").await?;
    world.sandbox.many_files(&world.google, 1_200, "many").await?;
    let landed = world.person.connect(crate::world::DRIVE, &world.google).await?;
    assert!(landed.contains("connected="), "{landed}");
    let job = world.ended(1, Duration::from_secs(240)).await?;
    check_counts(&job, [1_200, 1_200, 0, 0, 0, 0]);
    world.sink_equals_source(Duration::from_secs(10)).await?;

    let operations = world.sandbox.operations(&world.google).await?;
    let pages = operations.iter().filter(|name| *name == "files.list").count();
    assert!(pages >= 2, "{pages} pages");
    check_counts(&world.sync("full").await?, [1_200, 0, 1_200, 0, 0, 0]);

    let reference = world.reference().await?;
    let answer = world.person.delete(&format!("{}?purge=true", crate::world::DRIVE)).await?;
    assert_eq!((answer.status, &answer.data()["purging"]), (200, &serde_json::json!(true)), "{}", answer.body);
    wait::until("everything to be gone", SOON, async || {
        let (records, _) = world.store.records_of(reference.integration_id, None, None, 1).await?;
        Ok((records.is_empty() && world.stack.documents(&reference).await?.is_empty()).then_some(()))
    })
    .await?;
    Ok(())
}
