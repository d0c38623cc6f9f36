//! Everything arrives several times.

use anyhow::ensure;
use serde_json::{Value, json};
use testkit::proxy::{Boundary, Fault, Kind, Side};

use crate::oracle;
use crate::person::Person;
use crate::stage::Stage;

#[tokio::test(flavor = "multi_thread")]
async fn guarantee_03_messages_that_arrive_two_to_five_times_count_once() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let person = Person::new(&stage, "twice").await?;
    let ids = stage.sandbox.many_files(&person.google, 12, "twice").await?;
    let functions = ["api", "webhook", "webhook-worker", "sync-worker", "resource-worker"];
    let plan = functions.iter().zip([2, 3, 4, 5, 2]).map(|(function, copies)| Fault {
        at: Boundary::of(Side::Aws).function(function).operation("SQS.SendMessage"),
        nth: 1,
        times: u64::MAX,
        what: Kind::Duplicate { copies },
    });
    stage.proxy.plan(&person.id, &plan.collect::<Vec<_>>()).await?;
    person.connect().await?;
    oracle::quiet(&stage, &person).await?;
    for (number, id) in ids.iter().enumerate().take(6) {
        stage.sandbox.edit(id, json!({ "text": format!("Edited {number}.") })).await?;
    }
    stage.sandbox.edit(&ids[7], json!({ "trashed": true })).await?;
    person.sync("incremental").await?.ok();
    oracle::quiet(&stage, &person).await?;
    let sent = stage.proxy.sent(&person.id).await?;
    let struck = stage.proxy.struck(&person.id).await?.len();
    ensure!(struck > 5, "only {struck} sends were repeated");
    stage.calm(&person).await?;

    // Long after everything has ended, all of them once more.
    let before = (jobs_by_id(&person.jobs().await?), person.delivered().await?);
    for message in &sent {
        stage.send_again(message).await?;
    }
    oracle::quiet(&stage, &person).await?;
    let after = (jobs_by_id(&person.jobs().await?), person.delivered().await?);
    for (id, job) in &before.0 {
        ensure!(after.0.iter().any(|(other, now)| other == id && now == job), "a late copy changed job {id}");
    }
    ensure!(before.1 == after.1, "late copies changed the sink: {}", oracle::differences(&before.1, &after.1));
    oracle::check(&stage, &person).await?;
    Ok(())
}

/// Each job with its status and counts.
fn jobs_by_id(jobs: &[Value]) -> Vec<(String, (String, [u64; 6]))> {
    let text = |job: &Value, name: &str| job[name].as_str().unwrap_or_default().to_owned();
    jobs.iter().map(|job| (text(job, "id"), (text(job, "status"), oracle::counts(job)))).collect()
}
