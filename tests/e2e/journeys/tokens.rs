//! Tokens that end.

use futures::future::try_join_all;
use serde_json::json;
use testkit::wait;

use crate::world::{DRIVE, SOON, World};

#[tokio::test(flavor = "multi_thread")]
async fn twenty_jobs_refresh_an_expired_token_once() -> anyhow::Result<()> {
    let world = World::new("refresher").await?;
    let ids = world.sandbox.many_files(&world.google, 20, "refresher").await?;
    world.connect().await?;
    let reference = world.reference().await?;
    let before = refreshes(&world).await?;

    let slow = json!({"match": {"operation": "oauth2.token"}, "kind": "delay", "delayMs": 300});
    world.sandbox.call("POST", "faults", Some(&slow)).await?;
    world
        .sandbox
        .call("POST", "google/tokens", Some(&json!({"account": world.google, "expireAccessTokens": true})))
        .await?;
    for id in &ids {
        world.sandbox.edit(id, json!({"text": format!("New text of {id}.")})).await?;
    }
    // Twenty messages of one resource each, for as many workers as the queue starts at once.
    let integration = serde_json::to_value(&reference)?;
    let queue = &world.stack.queues["resource-webhook"];
    let (stack, integration) = (&world.stack, &integration);
    try_join_all(ids.iter().map(|id| async move {
        let message = json!({"integration": integration, "run": null, "externalId": id, "action": {"do": "sync", "resource": null}});
        stack.send(queue, &message).await
    }))
    .await?;
    world.sink_equals_source(SOON).await?;
    assert_eq!(refreshes(&world).await? - before, 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_withdrawn_grant_is_shown_and_mended_by_connecting_again() -> anyhow::Result<()> {
    let world = World::new("withdrawn").await?;
    world.sandbox.many_files(&world.google, 2, "withdrawn").await?;
    world.connect().await?;
    let dead = json!({"account": world.google, "expireAccessTokens": true, "revokeRefreshTokens": true});
    world.sandbox.call("POST", "google/tokens", Some(&dead)).await?;
    let job = world.sync("incremental").await?;
    assert_eq!(job["status"], "FAILED", "{job:#}");
    assert_eq!(world.integration().await?["status"], "TOKEN_EXPIRED");
    assert_eq!(world.delivered().await?.len(), 2, "nothing is deleted");

    let landed = world.person.connect(DRIVE, &world.google).await?;
    assert!(landed.contains("connected="), "{landed}");
    wait::until("the integration to be active again", SOON, async || {
        Ok((world.integration().await?["status"] == "ACTIVE").then_some(()))
    })
    .await
}

/// Refresh calls that the provider saw for this account.
async fn refreshes(world: &World) -> anyhow::Result<usize> {
    let operations = world.sandbox.operations(&world.google).await?;
    Ok(operations.iter().filter(|name| name.contains("refresh")).count())
}
