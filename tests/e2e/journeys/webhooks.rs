//! Deliveries, as providers and others send them: floods, large ones, those for an account that many have connected, and none at all.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use chrono::TimeDelta;
use domain::JobId;
use domain::message::IntegrationRef;
use domain::subscription::{Doubt, Subscription};
use futures::StreamExt as _;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use testkit::wait;

use crate::world::{SOON, World};

/// A channel that the provider knows nothing of: the test itself delivers under it.
struct Channel {
    url: String,
    id: String,
    http: reqwest::Client,
}

impl Channel {
    async fn of(world: &World, reference: &IntegrationRef) -> anyhow::Result<Self> {
        let subscription = Subscription {
            id: format!("{}-{}", reference.integration_id, JobId::new(world.now())),
            integration_id: reference.integration_id,
            scope: "test".to_owned(),
            provider_id: Some("resource".to_owned()),
            token_sha256: Sha256::digest("token").into(),
            created_at: world.now(),
            expires_at: Some(world.now() + TimeDelta::hours(1)),
            heard_at: None,
            doubt: None,
        };
        world.store.save_subscription(reference, &subscription).await?;
        let url = format!("{}/api/webhooks/integrations/google_drive", world.stack.api_url);
        Ok(Self { url, id: subscription.id, http: reqwest::Client::builder().build()? })
    }

    /// Delivers and gives the status.
    async fn deliver(&self, number: u32, body: Vec<u8>) -> anyhow::Result<u16> {
        let request = self.http.post(&self.url).header("x-goog-channel-id", &self.id);
        let request = request.header("x-goog-channel-token", "token").header("x-goog-resource-id", "resource");
        let request = request.header("x-goog-resource-state", "change").header("x-goog-message-number", number);
        Ok(request.header("content-type", "application/json").body(body).send().await?.status().as_u16())
    }
}

async fn webhook_jobs(world: &World) -> anyhow::Result<usize> {
    Ok(world.jobs().await?.iter().filter(|job| job["triggered_by"] == "webhook").count())
}

async fn all_ended(world: &World) -> anyhow::Result<()> {
    wait::until(format_args!("all jobs of {} to end", world.user), SOON, async || {
        let open = |job: &Value| matches!(job["status"].as_str(), Some("PENDING" | "RUNNING"));
        Ok((!world.jobs().await?.iter().any(open)).then_some(()))
    })
    .await
}

/// One owner's deliveries come without end; another owner's change arrives all the same, while they come.
#[tokio::test(flavor = "multi_thread")]
async fn guarantee_30_a_flood_of_one_owner_does_not_hold_up_anothers_change() -> anyhow::Result<()> {
    let (flooded, other) = (World::new("flooded").await?, World::new("bystander").await?);
    let id = other.sandbox.text_file(&other.google, "live.txt", "Before.", None).await?;
    flooded.connect().await?;
    other.connect().await?;
    wait::until("a webhook channel", SOON, async || {
        Ok((!other.sandbox.channels(&other.google).await?.is_empty()).then_some(()))
    })
    .await?;
    let channel = Channel::of(&flooded, &flooded.reference().await?).await?;
    let (sent, acked) = (AtomicU32::new(0), AtomicU32::new(0));
    let flood = async {
        let deliveries = futures::stream::repeat(()).map(|()| async {
            // Every fourth is a repetition of the one before it.
            let number = sent.fetch_add(1, Ordering::Relaxed);
            let status = channel.deliver(number - u32::from(number % 4 == 3), b"{}".to_vec()).await?;
            ensure!(status == 200, "delivery {number} was answered {status}");
            acked.fetch_add(1, Ordering::Relaxed);
            Ok(())
        });
        let mut deliveries = std::pin::pin!(deliveries.buffer_unordered(16));
        while let Some(delivered) = deliveries.next().await {
            delivered?;
        }
        Ok::<_, anyhow::Error>(())
    };
    let change = async {
        wait::until("the flood to run", SOON, async || Ok((acked.load(Ordering::Relaxed) >= 50).then_some(()))).await?;
        let mut took = Vec::new();
        for round in 0..3 {
            let text = format!("After {round}.");
            let changed = Instant::now();
            other.sandbox.edit(&id, json!({ "text": text })).await?;
            wait::until("the other's change to arrive", Duration::from_secs(30), async || {
                Ok((other.delivered().await?[&id].1 == text).then_some(()))
            })
            .await?;
            took.push(changed.elapsed());
        }
        anyhow::Ok(took)
    };
    let took = tokio::select! {
        ended = flood => { ended?; anyhow::bail!("the flood never ends by itself") }
        took = change => took?,
    };
    println!("beside {} deliveries another owner's changes took {took:?}", acked.load(Ordering::Relaxed));
    all_ended(&flooded).await?;
    // However many deliveries there were, they asked for passes over the same changes.
    let (deliveries, passes) = (acked.load(Ordering::Relaxed) as usize, webhook_jobs(&flooded).await?);
    assert!(passes >= 1 && passes * 2 < deliveries, "{passes} passes for {deliveries} deliveries");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn guarantee_22_a_delivery_larger_than_a_message_is_followed() -> anyhow::Result<()> {
    let world = World::new("large").await?;
    world.connect().await?;
    all_ended(&world).await?;
    let before = webhook_jobs(&world).await?;
    let channel = Channel::of(&world, &world.reference().await?).await?;
    assert_eq!(channel.deliver(1, vec![b'x'; 2 * 1024 * 1024]).await?, 200);
    wait::until("the sync that it asks for", SOON, async || Ok((webhook_jobs(&world).await? > before).then_some(())))
        .await?;
    all_ended(&world).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_announced_of_an_account_reaches_everybody_who_has_it_connected() -> anyhow::Result<()> {
    let first = World::new("shared").await?;
    let second = World { google: first.google.clone(), ..World::new("sharing").await? };
    first.connect().await?;
    second.connect().await?;
    all_ended(&first).await?;
    all_ended(&second).await?;
    let before = (webhook_jobs(&first).await?, webhook_jobs(&second).await?);
    let reference = first.reference().await?;
    let row = first.store.find_integration(&reference).await?.context("the integration")?;
    let message = json!({
        "provider": "google_drive", "integration": null, "account": row.account_id, "receivedAt": first.now(),
        "headers": {"x-goog-resource-state": "change"}, "body": {"text": ""},
    });
    first.stack.send(first.stack.queues.get("webhook").context("the webhook queue")?, &message).await?;
    wait::until("both to follow", SOON, async || {
        let now = (webhook_jobs(&first).await?, webhook_jobs(&second).await?);
        Ok((now.0 > before.0 && now.1 > before.1).then_some(()))
    })
    .await?;
    all_ended(&first).await?;
    all_ended(&second).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_that_fell_silent_is_noticed_and_made_anew() -> anyhow::Result<()> {
    let world = World::new("silent").await?;
    let id = world.sandbox.text_file(&world.google, "quiet.txt", "Before.", None).await?;
    world.connect().await?;
    let reference = world.reference().await?;
    let subscription = async || -> anyhow::Result<Option<Subscription>> {
        Ok(world.store.subscriptions_of(reference.integration_id).await?.into_iter().next())
    };
    let old = wait::until("a subscription", SOON, async || {
        Ok(subscription().await?.filter(|subscription| subscription.provider_id.is_some()))
    })
    .await?;
    // A pull tells only of what happened after the pull before it, and of subscriptions that lived then.
    all_ended(&world).await?;
    world.sync("incremental").await?;

    // The provider forgets it without a word, and a person's own sync finds what it did not announce.
    world.sandbox.call("DELETE", &format!("google/channels?account={}", world.google), None).await?;
    world.sandbox.edit(&id, json!({ "text": "Unannounced." })).await?;
    world.sync("incremental").await?;
    let doubted = wait::until("the doubt", SOON, async || {
        Ok(subscription().await?.filter(|subscription| subscription.doubt.is_some()))
    })
    .await?;
    assert_eq!(doubted.id, old.id);

    // Ten minutes later (the doubt is dated back, since nobody waits here) the scheduler has it looked at.
    let doubt = doubted.doubt.map(|doubt| Doubt { at: doubt.at - TimeDelta::minutes(11), ..doubt });
    world.store.save_subscription(&reference, &Subscription { doubt, ..doubted }).await?;
    wait::until("its successor", SOON, async || {
        let present = world.store.subscriptions_of(reference.integration_id).await?;
        let is_new = present.iter().all(|one| one.id != old.id && one.provider_id.is_some()) && !present.is_empty();
        Ok(is_new.then_some(()))
    })
    .await?;
    world.sandbox.edit(&id, json!({ "text": "Announced." })).await?;
    wait::until("the change that is announced again", SOON, async || {
        Ok((world.delivered().await?[&id].1 == "Announced.").then_some(()))
    })
    .await?;
    assert!(webhook_jobs(&world).await? >= 1);
    Ok(())
}
