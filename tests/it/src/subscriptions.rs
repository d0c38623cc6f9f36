//! Webhook subscriptions by id and by integration.

use anyhow::{Context as _, Result};
use domain::subscription::{Doubt, Subscription, Trust, unannounced_since};
use domain::{Counts, Integration, JobStatus, SyncFrequency, SyncJob, SyncMode, Timestamp, Trigger};
use store::{DueKind, Store};

use crate::sample::{at, connected, integration, job, store};

/// A subscription of an integration, under an id that begins with the integration's.
pub fn subscription(of: &Integration, tail: &str, created_at: Timestamp, expires_at: Timestamp) -> Subscription {
    Subscription {
        id: format!("{}{tail}", of.id),
        integration_id: of.id,
        scope: "my-drive".to_owned(),
        provider_id: Some("resource-1".to_owned()),
        token_sha256: [5; 32],
        created_at,
        expires_at: Some(expires_at),
        heard_at: None,
        doubt: None,
    }
}

#[tokio::test]
async fn a_subscription_is_found_by_its_id_and_by_its_integration() -> Result<()> {
    let store = store().await?;
    let (ada, bob) = (connected(&store, "user/ada").await?, connected(&store, "user/bob").await?);
    let (one, two) = (subscription(&ada, "1", at(0), at(10)), subscription(&ada, "2", at(0), at(10)));
    store.save_subscription(&ada.reference(), &one).await?;
    store.save_subscription(&ada.reference(), &two).await?;
    assert_eq!(store.get_subscription(&one.id).await?, Some((ada.reference(), one.clone())));
    assert_eq!(store.subscriptions_of(ada.id).await?, [one.clone(), two.clone()]);
    assert!(store.subscriptions_of(bob.id).await?.is_empty());
    store.delete_subscription(ada.id, &one.id).await?;
    store.delete_subscription(ada.id, &one.id).await?;
    assert_eq!(store.get_subscription(&one.id).await?, None);
    assert_eq!(store.subscriptions_of(ada.id).await?, [two]);
    Ok(())
}

#[tokio::test]
async fn what_is_no_id_finds_nothing() -> Result<()> {
    let store = store().await?;
    for id in ["", "short", "ääääääääääääääääääää", &"x".repeat(26), &"é".repeat(26)] {
        assert_eq!(store.get_subscription(id).await?, None, "{id}");
    }
    Ok(())
}

/// Which of the integration's subscriptions the scheduler would look at by this moment.
async fn due(store: &Store, of: &Integration, by: Timestamp) -> Result<Vec<String>> {
    let mut ids = Vec::new();
    for shard in 0..store::DUE_SHARDS {
        let of_it = store.due(shard, by, 100).await?.into_iter().filter(|row| row.integration.integration_id == of.id);
        ids.extend(of_it.filter_map(|row| match row.kind {
            DueKind::Subscription { id } => Some(id),
            DueKind::Integration { .. } => None,
        }));
    }
    Ok(ids)
}

#[tokio::test]
async fn a_silent_subscription_is_doubted_and_falls_due_when_a_delivery_can_no_longer_come() -> Result<()> {
    let store = store().await?;
    let ada = connected(&store, "user/ada").await?;
    let old = subscription(&ada, "-1", at(0), at(1_000_000));
    let young = subscription(&ada, "-2", at(5001), at(1_000_000));
    for one in [&old, &young] {
        store.save_subscription(&ada.reference(), one).await?;
    }
    assert_eq!(store.doubt_subscriptions(&ada.reference(), at(5000), at(9000)).await?, 1);
    assert_eq!(store.doubt_subscriptions(&ada.reference(), at(5000), at(9500)).await?, 0, "it is doubted already");
    let stored = async |id: &str| -> Result<Subscription> {
        Ok(store.get_subscription(id).await?.context("the subscription")?.1)
    };
    assert_eq!(stored(&old.id).await?.doubt, Some(Doubt { since: at(5000), at: at(9000) }));
    assert_eq!(stored(&young.id).await?, young);
    assert!(due(&store, &ada, at(9599)).await?.is_empty());
    assert_eq!(due(&store, &ada, at(9600)).await?, std::slice::from_ref(&old.id));
    assert_eq!(stored(&old.id).await?.trust(at(9600)), Trust::Silent);

    // It speaks after all: the doubt goes, and it is due for its renewal only.
    store.note_heard(ada.id, &old.id, at(9100)).await?;
    store.note_heard(ada.id, &old.id, at(9200)).await?;
    let heard = stored(&old.id).await?;
    assert_eq!((heard.heard_at, heard.trust(at(9600))), (Some(at(9100)), Trust::Cleared));
    store.clear_doubt(&heard).await?;
    assert_eq!(stored(&old.id).await?, Subscription { heard_at: Some(at(9100)), ..old.clone() });
    assert!(due(&store, &ada, at(9600)).await?.is_empty());
    assert_eq!(store.doubt_subscriptions(&ada.reference(), at(9300), at(9700)).await?, 0, "it may have spoken since");
    Ok(())
}

#[tokio::test]
async fn nothing_is_noted_of_a_subscription_that_is_gone() -> Result<()> {
    let store = store().await?;
    let ada = connected(&store, "user/ada").await?;
    let gone = subscription(&ada, "-1", at(0), at(100));
    store.note_heard(ada.id, &gone.id, at(1)).await?;
    store.clear_doubt(&gone).await?;
    assert_eq!(store.get_subscription(&gone.id).await?, None);
    Ok(())
}

#[test]
fn only_a_pull_that_finds_changes_tells_that_they_were_not_announced() {
    let before = Integration { last_sync_at: Some(at(100)), ..integration("user/ada") };
    let counts = Counts { found: 3, synced: 1, unchanged: 2, ..Counts::default() };
    let pull = SyncJob { status: JobStatus::Completed, counts, ..job(&before, SyncMode::Incremental) };
    let check = |pull: &SyncJob, before: &Integration, since| assert_eq!(unannounced_since(pull, before), since);
    check(&pull, &before, Some(at(100)));
    check(&SyncJob { trigger: Trigger::Schedule, ..pull.clone() }, &before, Some(at(100)));
    check(&SyncJob { trigger: Trigger::Webhook, ..pull.clone() }, &before, None);
    check(&SyncJob { mode: SyncMode::Full, ..pull.clone() }, &before, None);
    check(&SyncJob { status: JobStatus::Failed, ..pull.clone() }, &before, None);
    check(&SyncJob { counts: Counts { synced: 0, ..counts }, ..pull.clone() }, &before, None);
    check(&SyncJob { counts: Counts { synced: 0, deleted: 1, ..counts }, ..pull.clone() }, &before, Some(at(100)));
    check(&pull, &Integration { retry_failed: true, ..before.clone() }, None);
    check(&pull, &Integration { sync_frequency: SyncFrequency::Manual, ..before.clone() }, None);
    check(&pull, &Integration { last_sync_at: None, ..before }, None);
}
