//! `Idempotency-Key`: sent twice, done once.

use anyhow::Context as _;
use futures::future::try_join_all;
use serde_json::json;
use testkit::people::{self, Wanted};
use testkit::{Actor, Answer};

use crate::cast::REGISTRY;
use crate::world::{DRIVE, SOON, World};

/// Posts JSON under a key.
async fn post(actor: &Actor, path: &str, key: &str, body: serde_json::Value) -> anyhow::Result<Answer> {
    let headers = [("idempotency-key", key), ("content-type", "application/json")];
    actor.send_with("POST", path, &headers, Some(body.to_string())).await
}

fn replayed(answer: &Answer) -> bool {
    answer.headers.get("idempotency-replayed").map(String::as_str) == Some("true")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_that_is_asked_for_twice_under_one_key_runs_once() -> anyhow::Result<()> {
    let _same = REGISTRY.read().await;
    let world = World::new("once").await?;
    world.connect().await?;
    let sync = format!("{DRIVE}/sync");
    let first = post(&world.person, &sync, "k-1", json!({"mode": "full"})).await?;
    assert_eq!((first.status, replayed(&first)), (202, false), "{}", first.body);
    let id = first.text("jobId").context("no job")?.to_owned();
    world.job_ended(&id, SOON).await?;
    // Without a key this would be another sync by now.
    let again = post(&world.person, &sync, "k-1", json!({"mode": "full"})).await?;
    assert_eq!((again.status, again.text("jobId"), replayed(&again)), (202, Some(id.as_str()), true), "{}", again.body);
    assert_eq!(world.jobs().await?.len(), 2);
    let other = post(&world.person, &sync, "k-1", json!({"mode": "incremental"})).await?;
    assert_eq!((other.status, other.code()), (422, Some("idempotency_key_reused")), "{}", other.body);
    let next = post(&world.person, &sync, "k-2", json!({"mode": "full"})).await?;
    assert_ne!(next.text("jobId"), Some(id.as_str()), "another key is another request");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_requests_at_once_under_one_key_one_is_done() -> anyhow::Result<()> {
    let _same = REGISTRY.read().await;
    let world = World::new("crowd").await?;
    world.connect().await?;
    let sync = format!("{DRIVE}/sync");
    let answers = try_join_all((0..12).map(|_| post(&world.person, &sync, "k", json!({"mode": "full"})))).await?;
    let done = answers.iter().filter(|answer| answer.status == 202).collect::<Vec<_>>();
    assert_eq!(done.iter().filter(|answer| !replayed(answer)).count(), 1, "{answers:?}");
    let ids: std::collections::BTreeSet<_> = done.iter().map(|answer| answer.text("jobId")).collect();
    assert_eq!(ids.len(), 1, "{ids:?}");
    for refused in answers.iter().filter(|answer| answer.status != 202) {
        assert_eq!((refused.status, refused.code()), (409, Some("request_in_progress")), "{}", refused.body);
        assert!(refused.headers.contains_key("retry-after"), "it says when to ask again");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_refused_can_be_tried_again_under_its_key() -> anyhow::Result<()> {
    let _same = REGISTRY.read().await;
    let world = World::new("retried").await?;
    world.connect().await?;
    let sync = format!("{DRIVE}/sync");
    assert_eq!(world.person.post(&format!("{DRIVE}/pause"), json!({})).await?.status, 200);
    let refused = post(&world.person, &sync, "k", json!({})).await?;
    assert_eq!((refused.status, refused.code()), (409, Some("paused")), "{}", refused.body);
    assert_eq!(world.person.post(&format!("{DRIVE}/resume"), json!({})).await?.status, 200);
    let taken = post(&world.person, &sync, "k", json!({})).await?;
    assert_eq!((taken.status, replayed(&taken)), (202, false), "{}", taken.body);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_begun_twice_is_one_and_can_be_finished() -> anyhow::Result<()> {
    let _same = REGISTRY.read().await;
    let world = World::new("begun").await?;
    let connect = format!("{DRIVE}/connect");
    let first = post(&world.person, &connect, "k", json!({})).await?;
    assert_eq!(first.status, 200, "{}", first.body);
    // At another browser, which has only the second answer's cookie.
    let browser = world.person.elsewhere()?;
    let second = post(&browser, &connect, "k", json!({})).await?;
    assert_eq!((second.status, replayed(&second)), (200, true), "{}", second.body);
    assert_eq!(first.data(), second.data());
    let back = browser.consent(second.text("authUrl").context("no address")?, &world.google, "allow").await?;
    let landed = browser.open(&back).await?.location.unwrap_or_default();
    assert!(landed.ends_with("?connected=google_drive"), "{landed}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_belongs_to_its_caller_and_its_address() -> anyhow::Result<()> {
    let world = World::new("owner").await?;
    let admin = format!("admin-{}", world.user);
    let token = people::token(&world.stack, &world.store, &Wanted::user(&admin).admin()).await?;
    let admin = Actor::new(&world.stack.api_url, Some(token))?;
    let put = async |who: &str, key: &str, plan: &str| {
        let headers = [("idempotency-key", key), ("content-type", "application/json")];
        let body = Some(json!({ "plan": plan }).to_string());
        admin.send_with("PUT", &format!("/api/admin/users/{who}-{}", world.user), &headers, body).await
    };
    let first = put("x", "k", "pro").await?;
    assert_eq!((first.status, replayed(&first)), (200, false), "{}", first.body);
    // Changed meanwhile: the repetition does not change it back.
    assert_eq!(put("x", "l", "free").await?.status, 200);
    let again = put("x", "k", "pro").await?;
    assert_eq!((again.status, replayed(&again), again.data()), (200, true, first.data()), "{}", again.body);
    let now = put("x", "m", "free").await?;
    assert_eq!(now.text("plan"), Some("free"));
    let elsewhere = put("y", "k", "free").await?;
    assert_eq!((elsewhere.status, replayed(&elsewhere)), (200, false), "{}", elsewhere.body);
    // Somebody else under the same key is refused as ever, and gets nobody's answer.
    let headers = [("idempotency-key", "k"), ("content-type", "application/json")];
    let path = format!("/api/admin/users/x-{}", world.user);
    let stranger = world.person.send_with("PUT", &path, &headers, Some(json!({"plan": "pro"}).to_string())).await?;
    assert_eq!((stranger.status, stranger.code()), (403, Some("not_an_admin")), "{}", stranger.body);
    Ok(())
}
