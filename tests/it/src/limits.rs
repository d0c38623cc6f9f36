//! Rate limits shared by processes: each store of these tests is a process of its own, which knows only what the table says.

use std::time::Duration;

use anyhow::Result;
use domain::Timestamp;
use domain::provider::RateLimits;
use domain::rate::{Budget, Lane, Slots};
use futures::future::try_join_all;
use store::{Held, Reserved, Store};
use testkit::emulator::Emulator;

use crate::proxy::Proxy;
use crate::sample::at;

const KEY: &str = "google_drive#ada";
const QUARTER: Duration = Duration::from_secs(900);
/// Longer than whoever met others is asked to wait, shorter than any wait of these tests' limits.
const MET_OTHERS: Duration = Duration::from_millis(600);

fn budget(per_minute: u32, concurrent: u32) -> Budget {
    Budget { concurrent, ..RateLimits { per_minute, per_day: None, concurrent }.budget() }
}

/// As many processes over the same tables.
async fn processes(count: usize) -> Result<Vec<Store>> {
    let emulator = Emulator::connect().await?;
    let tables = emulator.tables().await?;
    Ok((0..count).map(|_| emulator.store(&tables)).collect())
}

/// Asks again for as long as others were met, as workers do.
async fn reserve(store: &Store, budget: &Budget, units: u32) -> Result<Slots> {
    loop {
        match store.reserve(KEY, budget, Lane::Backfill, units, QUARTER, at(0)).await? {
            Reserved::Slots(slots) => return Ok(slots),
            Reserved::Wait(wait) => {
                assert!(wait <= MET_OTHERS, "{wait:?}");
                tokio::time::sleep(wait).await;
            }
        }
    }
}

#[tokio::test]
async fn guarantee_11_of_fifty_takers_of_one_limit_each_gets_slots_of_its_own() -> Result<()> {
    let (stores, budget) = (processes(50).await?, budget(1200, 20));
    let taken = try_join_all(stores.iter().map(|store| reserve(store, &budget, 10))).await?;
    let mut slots: Vec<Timestamp> = taken.iter().flat_map(Slots::iter).collect();
    slots.sort_unstable();
    assert_eq!(slots.len(), 500);
    let apart = budget.minute.period / budget.minute.units;
    let closest = slots.windows(2).map(|pair| (pair[1] - pair[0]).to_std().unwrap()).min().unwrap();
    assert!(closest >= apart, "{closest:?}");
    assert!(slots[499] <= at(36), "no slot was left out either");
    Ok(())
}

#[tokio::test]
async fn guarantee_11_of_fifty_takers_none_gets_a_connection_that_another_has() -> Result<()> {
    let (stores, budget) = (processes(50).await?, budget(1200, 7));
    let takes = stores.iter().enumerate().map(|(number, store)| async move {
        loop {
            match store.hold(KEY, &budget, &number.to_string(), 2, at(60), at(0)).await? {
                Held::Some(count) => return anyhow::Ok(count),
                Held::Wait(wait) if wait > MET_OTHERS => return Ok(0),
                Held::Wait(wait) => tokio::time::sleep(wait).await,
            }
        }
    });
    let held = try_join_all(takes).await?;
    assert_eq!(held.iter().sum::<u32>(), 7, "{held:?}");
    assert_eq!(held.iter().filter(|count| **count > 0).count(), 4);
    Ok(())
}

#[tokio::test]
async fn a_refusal_that_one_worker_met_stops_the_others() -> Result<()> {
    let (stores, budget) = (processes(2).await?, budget(1200, 4));
    let [told, other] = stores.as_slice() else { panic!("two") };
    assert_eq!(other.hold(KEY, &budget, "other", 2, at(60), at(0)).await?, Held::Some(2));
    told.limited(KEY, at(30), at(1)).await?;
    told.limited(KEY, at(10), at(1)).await?;
    other.let_go(KEY, "other", at(2)).await?;
    assert_eq!(other.hold(KEY, &budget, "other", 1, at(60), at(2)).await?, Held::Wait(Duration::from_secs(28)));
    let Reserved::Slots(slots) = other.reserve(KEY, &budget, Lane::Live, 5, QUARTER, at(2)).await? else {
        panic!("slots")
    };
    assert_eq!(slots.first_at, at(30));
    assert_eq!(other.hold(KEY, &budget, "other", 4, at(60), at(30)).await?, Held::Some(4));
    Ok(())
}

#[tokio::test]
async fn what_another_let_go_of_is_free_at_once() -> Result<()> {
    let (stores, budget) = (processes(2).await?, budget(1200, 3));
    let [first, second] = stores.as_slice() else { panic!("two") };
    assert_eq!(first.hold(KEY, &budget, "first", 3, at(60), at(0)).await?, Held::Some(3));
    assert!(matches!(second.hold(KEY, &budget, "second", 1, at(60), at(0)).await?, Held::Wait(_)));
    first.let_go(KEY, "first", at(1)).await?;
    assert_eq!(second.hold(KEY, &budget, "second", 9, at(60), at(1)).await?, Held::Some(3));
    Ok(())
}

#[tokio::test]
async fn one_process_needs_one_write_for_each_change() -> Result<()> {
    let emulator = Emulator::connect().await?;
    let (proxy, address) = Proxy::before(emulator.endpoint()).await?;
    let (store, budget) = (emulator.through(&address).store(&emulator.tables().await?), budget(1200, 4));
    for second in 0..5 {
        reserve(&store, &budget, 10).await?;
        assert_eq!(store.hold(KEY, &budget, "w", 4, at(60), at(second)).await?, Held::Some(4));
        store.let_go(KEY, "w", at(second)).await?;
    }
    assert_eq!(proxy.tally(), [("UpdateItem".to_owned(), 15)]);
    Ok(())
}

#[tokio::test]
async fn guarantee_12_slots_whose_answer_was_lost_are_taken_once() -> Result<()> {
    let emulator = Emulator::connect().await?;
    let (proxy, address) = Proxy::before(emulator.endpoint()).await?;
    let (store, budget) = (emulator.through(&address).store(&emulator.tables().await?), budget(1200, 4));
    let before = reserve(&store, &budget, 10).await?;
    proxy.carried_out("UpdateItem");
    proxy.lose("UpdateItem", 1);
    let after = reserve(&store, &budget, 10).await?;
    assert_eq!(proxy.carried_out("UpdateItem"), 2, "the SDK repeats what was not answered");
    assert_eq!(after.first_at, before.at(10), "no slot between them was wasted");
    Ok(())
}
