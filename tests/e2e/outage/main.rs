//! A provider that is down as a whole, or nearly so. These journeys run alone: what is parked for one account is parked for all.

#![expect(clippy::indexing_slicing, reason = "a field that is missing fails the journey, as it should")]

#[expect(dead_code, reason = "the other journeys use the rest")]
#[path = "../journeys/rules.rs"]
mod rules;
#[expect(dead_code, reason = "the other journeys use the rest")]
#[path = "../journeys/world.rs"]
mod world;

use std::time::{Duration, Instant};

use anyhow::Context as _;
use chrono::TimeDelta;
use futures::future::try_join_all;
use serde_json::{Value, json};
use testkit::wait;

use rules::{Request, Rule};
use world::{DRIVE, SOON, World};

/// Accounts that are synced at once: more than the failures in a row that make an outage.
const ACCOUNTS: usize = 7;
/// How long the outage lasts once it is known.
const OUTAGE: Duration = Duration::from_secs(70);

/// One after the other: both make the same provider fail.
#[tokio::test(flavor = "multi_thread")]
async fn guarantee_17_a_provider_that_flaps_or_is_down_loses_nothing_and_is_only_probed() -> anyhow::Result<()> {
    flaps().await.context("a provider that flaps")?;
    is_down().await.context("a provider that is down")
}

/// Half of all answers are errors or cuts. In the end the sink equals the source.
async fn flaps() -> anyhow::Result<()> {
    let world = World::new("flapping").await?;
    world.connect().await?;
    world.sandbox.many_files(&world.google, 40, "flapping").await?;
    let mut rules = Vec::new();
    // Each is asked in turn, so that the chances come to a half together.
    for (kind, status, chance) in [
        ("status", 500, 0.1),
        ("status", 502, 0.111),
        ("status", 503, 0.125),
        ("status", 504, 0.143),
        ("reset", 503, 0.167),
    ] {
        let rule = Rule::of(&world, json!({"pathPrefix": "/google/www"}));
        rules.push(rule.with(json!({"kind": kind, "status": status, "probability": chance})).set().await?);
    }
    let asked = world.person.post(&format!("{DRIVE}/sync"), json!({"mode": "full"})).await?;
    let id = asked.text("jobId").with_context(|| format!("{}", asked.body))?;
    world.job_ended(id, SOON * 3).await?;
    for rule in rules {
        assert!(rule.hits().await? > 0, "every kind of failure has been met");
        rule.lift().await?;
    }
    // What failed for good in that run is tried again by the next one.
    let job = world.sync("full").await?;
    assert_eq!((&job["status"], &job["resources_failed"]), (&json!("COMPLETED"), &json!(0)), "{job:#}");
    assert_eq!(world.integration().await?["status"], "ACTIVE");
    world.sink_equals_source(SOON).await
}

/// Everything answers 503. Soon nobody asks any more but one probe at a time; when it is over, all goes on by itself.
async fn is_down() -> anyhow::Result<()> {
    let worlds = try_join_all((0..ACCOUNTS).map(|at| async move {
        let world = World::new(&format!("down{at}")).await?;
        world.sandbox.many_files(&world.google, 3, "down").await?;
        world.connect().await?;
        anyhow::Ok(world)
    }))
    .await?;
    let sandbox = &worlds[0].sandbox;
    let down = json!({"match": {"pathPrefix": "/google/www"}, "kind": "status", "status": 503});
    let down = sandbox.call("POST", "faults", Some(&down)).await?["id"].clone();
    // What is in the log by now may bear times of a clock that other tests have moved.
    let (before, since) = (last_request(&worlds[0]).await?, worlds[0].now());
    let jobs = try_join_all(worlds.iter().map(|world| async move {
        world.sandbox.many_files(&world.google, 2, "late").await?;
        let asked = world.person.post(&format!("{DRIVE}/sync"), json!({"mode": "incremental"})).await?;
        asked.text("jobId").map(str::to_owned).with_context(|| format!("{}", asked.body))
    }))
    .await?;

    // The first failures make the outage known; then it is left alone for a while.
    let quiet = wait::until("nobody to ask any more", SOON, async || {
        let asked = asked_since(&worlds[0], before, since).await?;
        let last = asked.last().map(|request| request.time);
        Ok(last.filter(|last| asked.len() >= 5 && worlds[0].now() - *last > TimeDelta::seconds(9)))
    })
    .await?;
    let began = Instant::now();
    let probes = wait::until("the outage to last", OUTAGE * 2, async || {
        Ok(if began.elapsed() < OUTAGE { None } else { Some(asked_since(&worlds[0], before, quiet).await?) })
    })
    .await?;
    assert!((1..=4).contains(&probes.len()), "single probes: {probes:#?}");
    for pair in probes.windows(2) {
        let apart = pair[1].time - pair[0].time;
        assert!(apart >= TimeDelta::seconds(10), "probes {apart} apart: {probes:#?}");
    }
    for (world, job) in worlds.iter().zip(&jobs) {
        let row = world.integration().await?;
        assert_ne!(row["status"], "ERROR", "an outage is no failure of theirs: {row:#}");
        let job = world.person.get(&format!("{DRIVE}/sync-jobs/{job}")).await?;
        assert!(matches!(job.data()["status"].as_str(), Some("PENDING" | "RUNNING")), "{}", job.body);
    }

    sandbox.call("DELETE", &format!("faults/{}", down.as_u64().context("no number")?), None).await?;
    // The next probe may be two minutes off by now.
    let limit = SOON * 2;
    let ended: Vec<Value> =
        try_join_all(worlds.iter().zip(&jobs).map(|(world, job)| world.job_ended(job, limit))).await?;
    for (world, job) in worlds.iter().zip(ended) {
        assert_eq!(job["status"], "COMPLETED", "{job:#}");
        world.sink_equals_source(SOON).await?;
        assert_eq!(world.integration().await?["status"], "ACTIVE");
    }
    Ok(())
}

/// The number of the latest request in the log.
async fn last_request(world: &World) -> anyhow::Result<u64> {
    let log = world.sandbox.call("GET", "requests?since=0", None).await?;
    let last = log["requests"].as_array().and_then(|requests| requests.last()).context("nobody has asked anything")?;
    last["seq"].as_u64().context("a request without a number")
}

/// What any account asked of the API after that request and that moment.
async fn asked_since(world: &World, before: u64, since: domain::Timestamp) -> anyhow::Result<Vec<Request>> {
    let mut log = world.sandbox.call("GET", &format!("requests?since={before}"), None).await?;
    let all: Vec<Request> = serde_json::from_value(log["requests"].take())?;
    Ok(all.into_iter().filter(|request| request.time > since && !request.operation.starts_with("oauth2")).collect())
}
