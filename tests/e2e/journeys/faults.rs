//! Things that break on purpose.

use std::time::Duration;

use anyhow::Context as _;
use chrono::TimeDelta;
use serde_json::json;
use testkit::wait;

use crate::rules::{Rule, requests_of};
use crate::world::{DRIVE, SOON, World, check_counts};

#[tokio::test(flavor = "multi_thread")]
async fn guarantee_01_a_worker_killed_in_the_middle_of_a_batch_leaves_the_result_exact() -> anyhow::Result<()> {
    let world = World::new("killed").await?;
    world.sandbox.many_files(&world.google, 10, "killed").await?;
    // The downloads of this account hang, so that the worker is caught in the middle of its batch.
    let hang = json!({"match": {"operation": "files.media", "account": world.google}, "kind": "delay", "delayMs": 4000, "times": 10});
    world.sandbox.call("POST", "faults", Some(&hang)).await?;
    let landed = world.person.connect(DRIVE, &world.google).await?;
    assert!(landed.contains("connected="), "{landed}");
    wait::until("the worker to be fetching", SOON, async || {
        let operations = world.sandbox.operations(&world.google).await?;
        Ok(operations.iter().any(|name| name == "files.media").then_some(()))
    })
    .await?;
    assert!(kill_workers(&world, "resource-worker")? > 0, "a resource worker was running");
    let job = world.ended(1, Duration::from_secs(300)).await?;
    check_counts(&job, [10, 10, 0, 0, 0, 0]);
    world.sink_equals_source(SOON).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_limits_and_fails_is_waited_for() -> anyhow::Result<()> {
    let world = World::new("limited").await?;
    world.sandbox.many_files(&world.google, 6, "limited").await?;
    for kind in [
        json!({"match": {"operation": "files.media", "account": world.google}, "kind": "rateLimit", "retryAfter": 2, "times": 3}),
        json!({"match": {"operation": "files.list", "account": world.google}, "kind": "truncate", "times": 1}),
    ] {
        world.sandbox.call("POST", "faults", Some(&kind)).await?;
    }
    let landed = world.person.connect(DRIVE, &world.google).await?;
    assert!(landed.contains("connected="), "{landed}");
    let job = world.ended(1, Duration::from_secs(120)).await?;
    check_counts(&job, [6, 6, 0, 0, 0, 0]);
    world.sink_equals_source(SOON).await?;
    assert_eq!(world.integration().await?["status"], "ACTIVE");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn guarantee_16_the_time_that_the_provider_states_is_waited_and_shown_and_spends_no_attempt() -> anyhow::Result<()>
{
    let world = World::new("stated").await?;
    world.sandbox.many_files(&world.google, 2, "stated").await?;
    world.connect().await?;
    wait::until("the subscription, whose calls come beside those of a sync", SOON, async || {
        Ok((!world.sandbox.channels(&world.google).await?.is_empty()).then_some(()))
    })
    .await?;
    type Form = fn(domain::Timestamp) -> String;
    // In seconds, as an HTTP date (which has whole seconds), in milliseconds, and as RFC 3339.
    let forms: [(u16, Form); 4] = [
        (429, |_| "4".to_owned()),
        (429, |at| at.format("%a, %d %b %Y %H:%M:%S GMT").to_string()),
        (403, |at| at.timestamp_millis().to_string()),
        (429, |at| at.to_rfc3339()),
    ];
    for (status, form) in forms {
        let at = world.now() + TimeDelta::seconds(10);
        let stated = form(at);
        let rule = Rule::of(&world, json!({"operation": "changes.list"}))
            .with(json!({"kind": "rateLimit", "status": status, "reason": "userRateLimitExceeded", "retryAfter": stated, "times": 1}))
            .set()
            .await?;
        let asked = world.person.post(&format!("{DRIVE}/sync"), json!({"mode": "incremental"})).await?;
        let id = asked.text("jobId").context("no job")?.to_owned();
        let row = wait::until("RATE_LIMITED to be shown", SOON, async || {
            let row = world.integration().await?;
            Ok((row["status"] == "RATE_LIMITED").then_some(row))
        })
        .await?;
        let until: domain::Timestamp = row["rate_limited_until"].as_str().context("no end is shown")?.parse()?;
        let left = until - world.now();
        assert!((-1..=12).contains(&left.num_seconds()), "{stated}: {row:#}");

        let job = world.job_ended(&id, SOON).await?;
        assert_eq!((&job["status"], &job["error_message"]), (&json!("COMPLETED"), &json!(null)), "{stated}: {job:#}");
        let row = world.integration().await?;
        assert_eq!((&row["status"], &row["rate_limited_until"]), (&json!("ACTIVE"), &json!(null)), "{row:#}");
        assert_eq!(rule.hits().await?, 1);

        let requests = requests_of(&world).await?;
        let refused = requests.iter().rposition(|request| request.interference.as_deref() == Some("rateLimit"));
        let (before, after) = requests.split_at(refused.context("the refusal is not in the log")? + 1);
        let next = after.first().context("nothing was asked again")?;
        let refused = before[before.len() - 1].time;
        let earliest = if stated == "4" { refused + TimeDelta::seconds(4) } else { at - TimeDelta::seconds(1) };
        // The refusal was logged when it was asked for, a moment before it was answered.
        assert!(
            next.time >= earliest - TimeDelta::milliseconds(100),
            "{stated}: {refused}, and again at {}",
            next.time
        );
    }
    // More refusals in a row than the queue has attempts: waiting spends none.
    let rule = Rule::of(&world, json!({"operation": "changes.list"}));
    let rule = rule.with(json!({"kind": "rateLimit", "retryAfter": 1, "times": 5})).set().await?;
    let job = world.sync("incremental").await?;
    assert_eq!((&job["status"], rule.hits().await?), (&json!("COMPLETED"), 5), "{job:#}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn guarantee_21_many_sudden_deletions_wait_for_a_person() -> anyhow::Result<()> {
    let world = World::new("guarded").await?;
    let ids = world.sandbox.many_files(&world.google, 60, "guarded").await?;
    world.connect().await?;
    assert_eq!(world.person.post(&format!("{DRIVE}/pause"), json!({})).await?.status, 200);
    for id in &ids[..55] {
        world.sandbox.call("DELETE", &format!("google/files/{id}"), None).await?;
    }
    assert_eq!(world.person.post(&format!("{DRIVE}/resume"), json!({})).await?.status, 200);
    wait::until("a run to hold the deletions back", SOON, async || {
        world.sync("full").await?;
        Ok(world.integration().await?["pending_deletes"].is_object().then_some(()))
    })
    .await?;
    assert_eq!(world.delivered().await?.len(), 60, "nothing is deleted yet");
    let confirmed = world.person.post(&format!("{DRIVE}/pending-deletes/confirm"), json!({})).await?;
    assert!((200..300).contains(&confirmed.status), "{}", confirmed.body);
    world.sink_equals_source(SOON).await
}

/// Kills every running process of a function of this stack; how many there were. A function's process is told by its environment.
fn kill_workers(world: &World, function: &str) -> anyhow::Result<usize> {
    let wanted = format!("AWS_LAMBDA_FUNCTION_NAME={}-{function}", world.stack.stack_name);
    let mut killed = 0;
    for entry in std::fs::read_dir("/proc")?.flatten() {
        let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
        if environment.split(|byte| *byte == 0).any(|variable| variable == wanted.as_bytes()) {
            let pid = entry.file_name().to_string_lossy().into_owned();
            killed += usize::from(std::process::Command::new("kill").args(["-9", &pid]).status()?.success());
        }
    }
    Ok(killed)
}
