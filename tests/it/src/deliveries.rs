//! Deliveries seen, and what is known of a delivery that arrives.

use anyhow::Result;
use domain::Timestamp;
use store::{KnownDelivery, Store};
use testkit::emulator::Emulator;

use crate::proxy::Proxy;
use crate::sample::{at, connected, store};
use crate::subscriptions::subscription;

async fn seen(store: &Store, key: &str, now: Timestamp) -> Result<bool> {
    Ok(store.look_up_delivery(None, Some(key), now).await?.seen)
}

#[tokio::test]
async fn guarantee_33_of_fifty_copies_of_a_delivery_one_is_the_first_and_another_hooks_is_its_own() -> Result<()> {
    let store = store().await?;
    let copies = (0..50).map(|_| {
        let store = store.clone();
        async move { store.first_delivery("google_drive#s1#7", at(0)).await }
    });
    let first = futures::future::try_join_all(copies).await?;
    assert_eq!(first.into_iter().filter(|first| *first).count(), 1);
    assert!(store.first_delivery("google_drive#s2#7", at(0)).await?, "the same number of another hook");
    assert!(seen(&store, "google_drive#s2#7", at(1)).await?);
    assert!(!seen(&store, "google_drive#s3#7", at(1)).await?);
    Ok(())
}

#[tokio::test]
async fn guarantee_32_a_delivery_is_remembered_for_a_week() -> Result<()> {
    let store = store().await?;
    let week = 7 * 86_400;
    assert!(store.first_delivery("k", at(0)).await?);
    assert!(!store.first_delivery("k", at(week - 1)).await?);
    assert!(seen(&store, "k", at(week - 1)).await?);
    assert!(!seen(&store, "k", at(week)).await?);
    assert!(store.first_delivery("k", at(week)).await?, "the table deletes late");
    Ok(())
}

#[tokio::test]
async fn what_is_known_of_a_delivery_is_read_at_once() -> Result<()> {
    let emulator = Emulator::connect().await?;
    let (proxy, address) = Proxy::before(emulator.endpoint()).await?;
    let store = emulator.through(&address).store(&emulator.tables().await?);
    let ada = connected(&store, "user/ada").await?;
    let one = subscription(&ada, "-1", at(0), at(100));
    store.save_subscription(&ada.reference(), &one).await?;
    store.first_delivery("k", at(0)).await?;
    let known = Some((ada.reference(), one.clone()));
    let check = async |id: Option<&str>, key: Option<&str>, expected: KnownDelivery, reads: u32| -> Result<()> {
        assert_eq!(store.look_up_delivery(id, key, at(1)).await?, expected, "{id:?} {key:?}");
        assert_eq!(proxy.carried_out("BatchGetItem"), reads, "{id:?} {key:?}");
        Ok(())
    };
    check(Some(&one.id), Some("k"), KnownDelivery { subscription: known.clone(), seen: true }, 1).await?;
    check(Some(&one.id), Some("l"), KnownDelivery { subscription: known, seen: false }, 1).await?;
    check(Some(&format!("{}-2", ada.id)), None, KnownDelivery::default(), 1).await?;
    check(None, Some("k"), KnownDelivery { subscription: None, seen: true }, 1).await?;
    for nonsense in ["", "short", "ääääääääääääääääääää", &"u".repeat(26)] {
        check(Some(nonsense), None, KnownDelivery::default(), 0).await?;
    }
    Ok(())
}
