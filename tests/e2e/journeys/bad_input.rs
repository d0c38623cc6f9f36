//! What is refused, with which words, and that it leaves no trace.

use anyhow::Context as _;
use serde_json::json;
use testkit::people::{self, Wanted};
use testkit::{Actor, wait};

use crate::world::{DRIVE, SOON, World};

const HOOK: &str = "/api/webhooks/integrations";

#[tokio::test(flavor = "multi_thread")]
async fn wrong_requests_get_their_status_and_envelope() -> anyhow::Result<()> {
    let world = World::new("wrong").await?;
    let large = format!("{{\"config\": \"{}\"}}", "x".repeat(2 * 1024 * 1024));
    let cases: &[(&str, &str, Option<&str>, u16)] = &[
        ("GET", "/api/integrations/nowhere", None, 404),
        ("POST", "/api/integrations/nowhere/connect", Some("{}"), 404),
        ("GET", DRIVE, None, 404),
        ("POST", "/api/integrations/google_drive/sync", Some("{}"), 404),
        ("PUT", "/api/integrations/google_drive/config", Some("{"), 400),
        ("PUT", "/api/integrations/google_drive/config", Some(&large), 413),
        ("PATCH", "/api/integrations/google_drive/config", Some("{}"), 405),
        ("GET", "/api/nothing/here", None, 404),
        ("GET", "/api/integrations/google_drive/sync-jobs?cursor=%00", None, 400),
    ];
    for (method, path, body, status) in cases {
        let answer = world.person.send(method, path, body.map(str::to_owned)).await?;
        assert_eq!(answer.status, *status, "{method} {path}: {}", answer.body);
        assert_eq!(answer.body["success"], false, "{method} {path}");
        assert!(answer.body["error"].is_string() && answer.code().is_some(), "{method} {path}: {}", answer.body);
        assert!(answer.body["requestId"].is_string(), "{method} {path}: {}", answer.body);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn connected_integrations_refuse_wrong_values() -> anyhow::Result<()> {
    let world = World::new("values").await?;
    world.connect().await?;
    let before = world.integration().await?;
    for (body, status) in [
        (json!({"syncFrequency": "SOMETIMES"}), 422),
        (json!({"config": {"folders": "not a list"}}), 422),
        (json!({"config": {"unknown": true}}), 422),
        (json!([]), 422),
    ] {
        let answer = world.person.put(&format!("{DRIVE}/config"), body.clone()).await?;
        assert_eq!(answer.status, status, "{body}: {}", answer.body);
    }
    let answer = world.person.get(&format!("{DRIVE}/sync-jobs?cursor=!!!")).await?;
    assert_eq!((answer.status, answer.body["success"].as_bool()), (400, Some(false)), "{}", answer.body);
    let answer = world.person.get(&format!("{DRIVE}/sync-jobs/not-a-job")).await?;
    assert_eq!(answer.status, 404, "{}", answer.body);
    assert_eq!(world.integration().await?["config"], before["config"], "nothing has changed");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn guarantee_42_nobody_comes_in_without_a_good_token() -> anyhow::Result<()> {
    let world = World::new("nobody").await?;
    let good = people::token(&world.stack, &world.store, &Wanted::user(world.user.as_str())).await?;
    let (head, signature) = good.rsplit_once('.').context("a token without a signature")?;
    let (_, claims) = head.split_once('.').context("a token without claims")?;
    // {"alg":"none"} and {"alg":"HS256","kid":"../../dev/null"}, with the claims of a good token.
    let (none, kid) = ("eyJhbGciOiJub25lIn0", "eyJhbGciOiJIUzI1NiIsImtpZCI6Ii4uLy4uL2Rldi9udWxsIn0");
    let forged = [
        format!("{none}.{claims}."),
        format!("{none}.{claims}.{signature}"),
        format!("{kid}.{claims}.{signature}"),
        format!("{head}."),
        head.to_owned(),
    ];
    let expired = people::token(&world.stack, &world.store, &Wanted::user(world.user.as_str()).for_seconds(-5)).await?;
    let tokens = forged.iter().chain([&expired]).map(|token| Some(token.as_str()));
    for token in tokens.chain([None, Some("nonsense"), Some("eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZGEifQ."), Some("")]) {
        let stranger = Actor::new(&world.stack.api_url, token.map(str::to_owned))?;
        let answer = stranger.get("/api/integrations").await?;
        assert_eq!(answer.status, 401, "{token:?}: {}", answer.body);
    }
    let health = Actor::new(&world.stack.api_url, None)?.get("/health").await?;
    assert_eq!(health.status, 200);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn guarantee_41_a_person_sees_nothing_of_another() -> anyhow::Result<()> {
    let (owner, other) = (World::new("owner").await?, World::new("stranger").await?);
    let job = owner.connect().await?;
    let id = job["id"].as_str().unwrap();
    assert_eq!(other.person.get(DRIVE).await?.status, 404);
    assert_eq!(other.person.get(&format!("{DRIVE}/sync-jobs/{id}")).await?.status, 404);
    other.connect().await?;
    assert_eq!(other.person.get(&format!("{DRIVE}/sync-jobs/{id}")).await?.status, 404, "now with an integration");
    assert_eq!(other.person.post(&format!("{DRIVE}/sync-jobs/{id}/cancel"), json!({})).await?.status, 404);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn guarantee_32_webhooks_that_are_not_the_providers_change_nothing() -> anyhow::Result<()> {
    let world = World::new("forger").await?;
    world.connect().await?;
    let jobs = world.jobs().await?.len();
    let id = world.reference().await?.integration_id;
    let browser = Actor::new(&world.stack.api_url, None)?;
    for (path, status, word) in [
        (format!("{HOOK}/nowhere"), 404, "Unknown provider"),
        (format!("{HOOK}/google_drive"), 401, "Invalid signature"),
        (format!("{HOOK}/google_drive/{id}"), 401, "Invalid signature"),
    ] {
        let answer = browser.post(&path, json!({"kind": "drive#changes"})).await?;
        assert_eq!((answer.status, answer.body["error"].as_str()), (status, Some(word)), "{path}");
    }
    // A real channel with another token, and one of another integration's address.
    let other = World::new("forged").await?;
    other.connect().await?;
    let channel = wait::until("a webhook subscription", SOON, async || {
        Ok(world.store.subscriptions_of(id).await?.into_iter().find(|it| it.provider_id.is_some()))
    })
    .await?;
    let elsewhere = other.reference().await?.integration_id;
    for path in [
        format!("{HOOK}/google_drive/{id}"),
        format!("{HOOK}/google_drive/{elsewhere}"),
        format!("{HOOK}/google_drive"),
    ] {
        let headers = [
            ("x-goog-channel-id", channel.id.as_str()),
            ("x-goog-channel-token", "forged"),
            ("x-goog-resource-id", channel.provider_id.as_deref().unwrap()),
            ("x-goog-resource-state", "change"),
            ("x-goog-message-number", "7"),
        ];
        let answer = browser.deliver(&path, &headers).await?;
        assert_eq!((answer.status, answer.body["error"].as_str()), (401, Some("Invalid signature")), "{path}");
    }
    assert_eq!(world.jobs().await?.len(), jobs);
    Ok(())
}
