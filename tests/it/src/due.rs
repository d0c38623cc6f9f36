//! The due index and the claim that keeps two schedulers apart.

use anyhow::Result;
use domain::{SyncMode, Timestamp};
use store::{DUE_SHARDS, Due, DueKind, Store};

use crate::sample::{again, at, connected, job, store};
use crate::subscriptions::subscription;

/// All that is due, whatever its shard.
async fn due(store: &Store, now: Timestamp) -> Result<Vec<Due>> {
    let mut all = Vec::new();
    for shard in 0..DUE_SHARDS {
        all.extend(store.due(shard, now, 100).await?);
    }
    Ok(all)
}

#[tokio::test]
async fn what_is_due_is_found_from_its_moment_on() -> Result<()> {
    let store = store().await?;
    let ada = connected(&store, "user/ada").await?;
    assert!(due(&store, at(59)).await?.is_empty());
    let kind = DueKind::Integration { active: None };
    assert_eq!(due(&store, at(60)).await?, [Due { kind, integration: ada.reference(), due_at: at(60) }]);
    store.set_due(&ada.reference(), None).await?;
    assert!(due(&store, at(600)).await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_run_is_watched_and_known_by_its_job() -> Result<()> {
    let store = store().await?;
    let ada = connected(&store, "user/ada").await?;
    let job = job(&ada, SyncMode::Full);
    store.start_run(&ada, &job, at(120)).await?;
    assert!(due(&store, at(119)).await?.is_empty());
    let found = due(&store, at(120)).await?;
    assert_eq!(found.first().map(|due| &due.kind), Some(&DueKind::Integration { active: Some(job.id) }));
    Ok(())
}

#[tokio::test]
async fn a_subscription_is_due_half_way_through_its_life() -> Result<()> {
    let store = store().await?;
    let mut ada = connected(&store, "user/ada").await?;
    ada.due_at = None;
    store.save_connection(&ada, Some(1)).await?;
    let subscription = subscription(&ada, "a", at(0), at(1000));
    store.save_subscription(&ada.reference(), &subscription).await?;
    let kind = DueKind::Subscription { id: subscription.id.clone() };
    let expected = Due { kind, integration: ada.reference(), due_at: at(500) };
    assert_eq!(due(&store, at(499)).await?, []);
    assert_eq!(due(&store, at(500)).await?.first(), Some(&expected));
    assert!(store.move_due(&expected, Some(at(700))).await?);
    assert_eq!(due(&store, at(699)).await?, []);
    let moved = due(&store, at(700)).await?;
    assert!(store.move_due(&moved[0], None).await?);
    assert_eq!(due(&store, at(9999)).await?, []);
    assert_eq!(store.get_subscription(&subscription.id).await?, Some((ada.reference(), subscription)));
    Ok(())
}

#[tokio::test]
async fn guarantee_10_of_fifty_schedulers_one_claims_what_is_due() -> Result<()> {
    let store = store().await?;
    let ada = connected(&store, "user/ada").await?;
    let found = due(&store, at(60)).await?.remove(0);
    let claims = (0..50).map(|_| {
        let (store, found) = (store.clone(), found.clone());
        // All of them reckon the same next moment, so that moment cannot tell them apart.
        async move { store.move_due(&found, Some(at(3600))).await }
    });
    let won = futures::future::try_join_all(claims).await?.into_iter().filter(|won| *won).count();
    assert_eq!(won, 1);
    assert_eq!(again(&store, &ada.reference()).await?.due_at, Some(at(3600)));
    Ok(())
}

#[tokio::test]
async fn a_list_of_what_is_due_goes_on_behind_what_was_seen_and_moved() -> Result<()> {
    let store = store().await?;
    for number in 0..40 {
        let r = connected(&store, &format!("user/{number}")).await?.reference();
        store.set_due(&r, Some(at(number % 3))).await?;
    }
    let mut seen = Vec::new();
    for shard in 0..DUE_SHARDS {
        let mut place = None;
        loop {
            let (page, next) = store.due_from(shard, at(100), 2, place).await?;
            assert!(page.len() <= 2);
            for due in page {
                // Every second one fails and stays due; the rest moves on.
                if seen.len() % 2 == 0 {
                    assert!(store.move_due(&due, Some(at(5000))).await?);
                }
                seen.push(due.integration.integration_id);
            }
            place = next;
            if place.is_none() {
                break;
            }
        }
    }
    assert_eq!(seen.len(), 40);
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 40, "each is seen once");
    Ok(())
}

#[tokio::test]
async fn the_longest_overdue_come_first_and_the_limit_holds() -> Result<()> {
    let store = store().await?;
    for (whose, due_at) in [("user/a", 30), ("user/b", 10), ("user/c", 20)] {
        let r = connected(&store, whose).await?.reference();
        store.set_due(&r, Some(at(due_at))).await?;
    }
    for shard in 0..DUE_SHARDS {
        let found = store.due(shard, at(100), 100).await?;
        assert!(found.is_sorted_by_key(|due| due.due_at));
        assert_eq!(store.due(shard, at(100), 1).await?, found.into_iter().take(1).collect::<Vec<_>>());
    }
    Ok(())
}
