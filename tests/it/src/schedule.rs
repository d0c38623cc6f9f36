//! The scheduler's rounds: together, twice, late, with nothing to do, and at a provider that is down.

use std::sync::Arc;

use anyhow::{Result, ensure};
use chrono::TimeDelta;
use domain::testing::ManualClock;
use domain::{Clock as _, Integration, ProviderId, SyncJob};
use integrations::Syncs;
use providers::Registry;
use providers::http::Http;
use queue::Queue;
use scheduler::{Scheduler, Tally};
use serde_json::{Value, json};
use store::{Store, Tables};
use testkit::emulator::{Emulator, TestQueue};

use crate::proxy::Proxy;
use crate::sample::{again, at, connected};
use crate::webhooks::backoff;

struct Setup {
    emulator: Emulator,
    tables: Tables,
    proxy: Proxy,
    clock: ManualClock,
    store: Store,
    runs: TestQueue,
    scheduler: Scheduler,
}

impl Setup {
    /// At the moment when `sample::integration`s are due.
    async fn new() -> Result<Self> {
        let emulator = Emulator::connect().await?;
        let (proxy, address) = Proxy::before(emulator.endpoint()).await?;
        let (tables, runs) = (emulator.tables().await?, emulator.queue("SyncQueue").await?);
        let (through, clock) = (emulator.through(&address), ManualClock::at(at(60)));
        let store = through.store(&tables);
        let queue = Queue::new(through.sqs.clone(), runs.url.clone(), backoff(runs.attempts));
        let shared = Arc::new(clock.clone());
        let syncs = Syncs::new(store.clone(), queue, Arc::new(Registry::new(Http::new())), shared.clone());
        let scheduler = Scheduler::new(store, syncs, shared);
        Ok(Self { proxy, clock, store: emulator.store(&tables), emulator, tables, runs, scheduler })
    }

    async fn due_integrations(&self, count: u32) -> Result<Vec<Integration>> {
        let mut all = Vec::new();
        for number in 0..count {
            all.push(connected(&self.store, &format!("user/{number}")).await?);
        }
        Ok(all)
    }

    /// So many rows of a shard that are long overdue and make no sense, written in DynamoDB's own form.
    async fn unreadable(&self, shard: u8, count: usize) -> Result<()> {
        let rows: Vec<Value> = (0..count)
            .map(|number| {
                json!({"PutRequest": {"Item": {
                    "pk": {"S": format!("broken/{shard}/{number}")}, "sk": {"S": "I#google_drive"}, "kind": {"S": "?"},
                    "due_shard": {"S": shard.to_string()}, "due_at": {"N": "1"}
                }}})
            })
            .collect();
        let scope = "Credential=test/21000101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=none";
        for batch in rows.chunks(25) {
            let request = reqwest::Client::builder().build()?.post(self.emulator.endpoint());
            let answer = request
                .header("content-type", "application/x-amz-json-1.0")
                .header("x-amz-target", "DynamoDB_20120810.BatchWriteItem")
                .header("authorization", format!("AWS4-HMAC-SHA256 {scope}"))
                .body(json!({"RequestItems": {&self.tables.integrations: batch}}).to_string())
                .send()
                .await?;
            ensure!(answer.status().is_success(), "{}", answer.text().await?);
        }
        Ok(())
    }

    async fn jobs(&self, of: &Integration) -> Result<Vec<SyncJob>> {
        Ok(self.store.jobs_of(of.id, None, 100).await?.0)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn guarantee_10_rounds_that_fire_together_or_again_start_each_sync_once() -> Result<()> {
    let setup = Setup::new().await?;
    let all = setup.due_integrations(30).await?;
    let rounds = (0..3).map(|_| setup.scheduler.round());
    let tallies = futures::future::try_join_all(rounds).await?;
    assert_eq!(tallies.iter().map(|tally| tally.started).sum::<usize>(), 30, "{tallies:?}");
    assert_eq!(tallies.iter().map(|tally| tally.failed).sum::<usize>(), 0, "{tallies:?}");
    // Delivered twice, a minute late: what was started is watched only from its second minute on.
    for _ in 0..2 {
        setup.clock.advance(TimeDelta::seconds(50));
        assert_eq!(setup.scheduler.round().await?, Tally::default());
    }
    for integration in &all {
        assert_eq!(setup.jobs(integration).await?.len(), 1);
    }
    assert_eq!(setup.runs.left().await?, (30, 0), "one message for each");
    Ok(())
}

#[tokio::test]
async fn guarantee_10_after_a_gap_of_two_hours_each_is_synced_once_and_none_is_forgotten() -> Result<()> {
    let setup = Setup::new().await?;
    let all = setup.due_integrations(20).await?;
    setup.clock.advance(TimeDelta::hours(2));
    assert_eq!(setup.scheduler.round().await?, Tally { started: 20, ..Tally::default() });
    assert_eq!(setup.scheduler.round().await?, Tally::default());
    // Nobody takes the runs up: their messages are sent again, and no second run is started.
    setup.clock.advance(TimeDelta::hours(2));
    assert_eq!(setup.scheduler.round().await?, Tally { watched: 20, ..Tally::default() });
    for integration in &all {
        assert_eq!(setup.jobs(integration).await?.len(), 1);
    }
    Ok(())
}

#[tokio::test]
async fn guarantee_50_an_idle_hour_costs_one_query_a_shard_and_minute() -> Result<()> {
    let setup = Setup::new().await?;
    let idle = setup.due_integrations(1).await?.remove(0);
    setup.store.set_due(&idle.reference(), Some(at(86_400))).await?;
    for _ in 0..60 {
        setup.clock.advance(TimeDelta::minutes(1));
        assert_eq!(setup.scheduler.round().await?, Tally::default());
    }
    assert_eq!(setup.proxy.tally(), [("Query".to_owned(), 60 * u32::from(store::DUE_SHARDS))]);
    Ok(())
}

#[tokio::test]
async fn guarantee_17_no_sync_is_started_at_a_provider_that_is_down() -> Result<()> {
    let setup = Setup::new().await?;
    let ada = setup.due_integrations(1).await?.remove(0);
    for _ in 0..5 {
        setup.store.circuit_failed(ProviderId::GoogleDrive, setup.clock.now()).await?;
    }
    assert_eq!(setup.scheduler.round().await?, Tally { rescheduled: 1, ..Tally::default() });
    assert_eq!(setup.jobs(&ada).await?, []);
    let due_at = again(&setup.store, &ada.reference()).await?.due_at;
    assert!(due_at.is_some_and(|due_at| at(75) <= due_at && due_at < at(135)), "{due_at:?}");
    // The outage's end is for somebody to find out.
    setup.clock.advance(TimeDelta::seconds(75));
    assert_eq!(setup.scheduler.round().await?, Tally { started: 1, ..Tally::default() });
    Ok(())
}

#[tokio::test]
async fn guarantee_17_one_sync_tries_a_provider_that_was_down_and_the_rest_waits() -> Result<()> {
    let setup = Setup::new().await?;
    setup.due_integrations(12).await?;
    for _ in 0..5 {
        setup.store.circuit_failed(ProviderId::GoogleDrive, setup.clock.now()).await?;
    }
    setup.clock.advance(TimeDelta::seconds(15));
    assert_eq!(setup.scheduler.round().await?, Tally { started: 1, rescheduled: 11, ..Tally::default() });
    // It found the provider well: nobody has to wait any longer.
    setup.store.circuit_succeeded(ProviderId::GoogleDrive).await?;
    setup.clock.advance(TimeDelta::seconds(75));
    assert_eq!(setup.scheduler.round().await?, Tally { started: 11, ..Tally::default() });
    Ok(())
}

#[tokio::test]
async fn guarantee_10_what_cannot_be_looked_at_keeps_nothing_behind_it_waiting() -> Result<()> {
    let setup = Setup::new().await?;
    // More in each shard, the longest overdue of all, than a page holds.
    for shard in 0..store::DUE_SHARDS {
        setup.unreadable(shard, 220).await?;
    }
    setup.due_integrations(10).await?;
    assert_eq!(setup.scheduler.round().await?, Tally { started: 10, ..Tally::default() });
    Ok(())
}

#[tokio::test]
async fn the_clock_syncs_what_the_plan_has_a_place_for_and_no_more() -> Result<()> {
    let setup = Setup::new().await?;
    let first = connected(&setup.store, "user/ada").await?;
    // Connected later, while the plan was larger.
    let second = Integration {
        id: domain::IntegrationId::new(at(1)),
        provider: ProviderId::Github,
        connected_at: at(1),
        ..crate::sample::integration("user/ada")
    };
    setup.store.save_connection(&second, None).await?;
    assert_eq!(setup.scheduler.round().await?, Tally { started: 1, rescheduled: 1, ..Tally::default() });
    assert_eq!((setup.jobs(&first).await?.len(), setup.jobs(&second).await?.len()), (1, 0));
    let kept = again(&setup.store, &second.reference()).await?;
    assert_eq!((kept.status, kept.due_at.is_some_and(|due| due > at(60))), (domain::Status::Active, true));
    // A larger plan has a place for both.
    let mut ada = store::User::new(domain::UserId::new("ada")?, at(0));
    ada.plan = domain::plan::Plan::Pro;
    setup.store.put_user(&ada).await?;
    setup.clock.advance(TimeDelta::days(2));
    setup.scheduler.round().await?;
    assert_eq!(setup.jobs(&second).await?.len(), 1);
    Ok(())
}
