//! Rate limits shared by everyone, and deliveries seen.

use std::time::Duration;

use anyhow::Result;
use domain::rate::Limit;
use store::Permit;

use crate::sample::{at, store};

const LIMIT: Limit = Limit { units: 60, period: Duration::from_secs(60), burst: 10 };

#[tokio::test]
async fn fifty_workers_get_the_burst_and_not_one_more() -> Result<()> {
    let store = store().await?;
    let takes = (0..50).map(|_| {
        let store = store.clone();
        async move {
            // Whoever met too many others asks again, as a worker does; whoever is told the bucket's own wait stops.
            loop {
                match store.take_permits("drive#ada", LIMIT, 1, at(0)).await? {
                    Permit::Wait(wait) if wait < Duration::from_millis(200) => tokio::time::sleep(wait).await,
                    answer => break anyhow::Ok(answer),
                }
            }
        }
    });
    let answers = futures::future::try_join_all(takes).await?;
    assert_eq!(answers.iter().filter(|answer| **answer == Permit::Granted).count(), 10);
    assert_eq!(answers.iter().filter(|answer| **answer == Permit::Wait(Duration::from_secs(1))).count(), 40);
    assert_eq!(store.take_permits("drive#ada", LIMIT, 1, at(1)).await?, Permit::Granted);
    assert_eq!(store.take_permits("drive#bob", LIMIT, 10, at(0)).await?, Permit::Granted, "a bucket of his own");
    Ok(())
}

#[tokio::test]
async fn a_block_holds_everyone_and_only_grows() -> Result<()> {
    let store = store().await?;
    store.block("k", at(30)).await?;
    store.block("k", at(10)).await?;
    assert_eq!(store.take_permits("k", LIMIT, 1, at(0)).await?, Permit::Wait(Duration::from_secs(30)));
    assert_eq!(store.take_permits("k", LIMIT, 1, at(30)).await?, Permit::Granted);
    store.block("k", at(60)).await?;
    assert_eq!(store.take_permits("k", LIMIT, 1, at(31)).await?, Permit::Wait(Duration::from_secs(29)));
    Ok(())
}

#[tokio::test]
async fn of_fifty_copies_of_a_delivery_one_is_the_first() -> Result<()> {
    let store = store().await?;
    let copies = (0..50).map(|_| {
        let store = store.clone();
        async move { store.first_delivery("google_drive#s1#7", at(0)).await }
    });
    let first = futures::future::try_join_all(copies).await?;
    assert_eq!(first.into_iter().filter(|first| *first).count(), 1);
    assert!(store.first_delivery("google_drive#s2#7", at(0)).await?, "the same number of another hook");
    assert!(store.seen_delivery("google_drive#s2#7", at(1)).await?);
    assert!(!store.seen_delivery("google_drive#s3#7", at(1)).await?);
    Ok(())
}

#[tokio::test]
async fn a_delivery_is_forgotten_when_asked_and_after_a_week_at_the_latest() -> Result<()> {
    let store = store().await?;
    let week = 7 * 86_400;
    assert!(store.first_delivery("k", at(0)).await?);
    assert!(!store.first_delivery("k", at(week - 1)).await?);
    assert!(!store.seen_delivery("k", at(week)).await?);
    assert!(store.first_delivery("k", at(week)).await?, "the table deletes late");
    store.forget_delivery("k").await?;
    assert!(store.first_delivery("k", at(week + 1)).await?);
    Ok(())
}
