//! Stores that fail: before a write, after it, and for longer than a function may run.

use std::time::{Duration, Instant};

use anyhow::ensure;
use serde_json::json;
use testkit::proxy::{Boundary, Fault, Kind, Side};
use testkit::wait;

use crate::oracle;
use crate::person::Person;
use crate::stage::Stage;

const SOON: Duration = Duration::from_secs(150);
/// The workers' time limit on the local stack.
const LIMIT: Duration = Duration::from_secs(15);
/// All attempts that a client makes for one call.
const ALL_ATTEMPTS: u64 = 4;

/// A fault at calls of one function to AWS.
fn at(function: &str, operation: &str, nth: u64, times: u64, what: Kind) -> Fault {
    Fault { at: Boundary::of(Side::Aws).function(function).operation(operation), nth, times, what }
}

/// Connects an account with so many files and waits for the first sync; checks that it is exact.
async fn exact(stage: &Stage, person: &Person<'_>, files: u64) -> anyhow::Result<()> {
    person.connect().await?;
    let job = person.first_ended(SOON).await?;
    ensure!(job["status"] == "COMPLETED" && oracle::counts(&job) == [files, files, 0, 0, 0, 0], "{job:#}");
    let struck = stage.proxy.struck(&person.id).await?;
    ensure!(!struck.is_empty(), "nothing was struck");
    stage.calm(person).await?;
    oracle::check(stage, person).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn guarantee_12_a_write_whose_answer_is_lost_is_counted_once() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let person = Person::new(&stage, "lost").await?;
    stage.sandbox.many_files(&person.google, 10, "lost").await?;
    let mut plan = Vec::new();
    for function in ["api", "sync-worker", "resource-worker", "webhook", "webhook-worker"] {
        for operation in ["DynamoDB.UpdateItem", "DynamoDB.PutItem", "DynamoDB.TransactWriteItems", "SQS.SendMessage"] {
            // The first answer and a later one are lost, and once the answers to all attempts of a call.
            let lose = Kind::LoseAnswer { status: 500 };
            plan.push(at(function, operation, 1, 1, lose.clone()));
            plan.push(at(function, operation, 4, 1, lose));
        }
    }
    let lose_all = Kind::LoseAnswer { status: 500 };
    plan.push(at("resource-worker", "DynamoDB.UpdateItem", 8, ALL_ATTEMPTS, lose_all.clone()));
    plan.push(at("sync-worker", "DynamoDB.TransactWriteItems", 6, ALL_ATTEMPTS, lose_all));
    stage.proxy.plan(&person.id, &plan).await?;
    exact(&stage, &person, 10).await
}

#[tokio::test(flavor = "multi_thread")]
async fn guarantee_14_no_record_without_its_object() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    // The object cannot be put; and the object is put, and its record cannot be written.
    let refused = Kind::Refuse { status: 500 };
    for (operation, nth) in [("S3.PutObject", 2), ("DynamoDB.UpdateItem", 3)] {
        let person = Person::new(&stage, "stored").await?;
        stage.sandbox.many_files(&person.google, 5, "stored").await?;
        stage
            .proxy
            .plan(&person.id, &[at("resource-worker", operation, nth, 2 * ALL_ATTEMPTS, refused.clone())])
            .await?;
        exact(&stage, &person, 5).await?;
        let records = person.resources("synced").await?;
        let delivered = person.delivered().await?;
        ensure!(records.len() == 5 && records.iter().all(|id| delivered.contains_key(id)), "{records:?} {delivered:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn guarantee_02_a_time_limit_that_is_hit_frees_everything_by_itself() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    // The slot: the sync worker stands still in the middle of its run. The batch: its worker stands still between sink and record.
    for (function, operation, nth) in [("sync-worker", "DynamoDB.", 9), ("resource-worker", "S3.PutObject", 2)] {
        let person = Person::new(&stage, "limited").await?;
        stage.sandbox.many_files(&person.google, 5, "limited").await?;
        stage.proxy.plan(&person.id, &[at(function, operation, nth, 1, Kind::Freeze)]).await?;
        let began = Instant::now();
        exact(&stage, &person, 5).await?;
        ensure!(began.elapsed() > LIMIT, "{function} did not reach its limit");
    }

    // The lease: the worker that refreshes the token stands still. The delivery's mark: the webhook stands still before it queues.
    let person = Person::new(&stage, "leased").await?;
    let ids = stage.sandbox.many_files(&person.google, 3, "leased").await?;
    person.connect().await?;
    oracle::quiet(&stage, &person).await?;
    wait::until("a webhook channel", SOON, async || {
        Ok((!stage.sandbox.channels(&person.google).await?.is_empty()).then_some(()))
    })
    .await?;
    let expired = json!({ "account": person.google, "expireAccessTokens": true });
    stage.sandbox.call("POST", "google/tokens", Some(&expired)).await?;
    let refresh = Boundary::of(Side::Provider).operation("/oauth2/token");
    let plan =
        [Fault { at: refresh, nth: 1, times: 1, what: Kind::Freeze }, at("webhook", "DynamoDB.", 1, 1, Kind::Freeze)];
    stage.proxy.plan(&person.id, &plan).await?;
    stage.sandbox.edit(&ids[0], json!({ "text": "Told by a delivery that is made again." })).await?;
    wait::until("the change to arrive", SOON, async || {
        Ok(oracle::same(&person.truth().await?, &person.delivered().await?).then_some(()))
    })
    .await?;
    let struck = stage.proxy.struck(&person.id).await?.len();
    ensure!(struck == plan.len(), "{struck} of {} faults struck", plan.len());
    stage.calm(&person).await?;
    oracle::check(&stage, &person).await?;
    Ok(())
}
