//! A refresh that is cut off: killed between the provider's answer and our write, or overtaken while its holder slept.

use std::time::Duration;

use anyhow::Result;
use chrono::TimeDelta;
use connections::{LOST, OpenError, Timing};
use domain::{Integration, Status};
use providers::RefreshTokens;
use testkit::emulator::Emulator;

use crate::proxy::Proxy;
use crate::refreshing::{GRACE, MANY, clock, token};
use crate::sample::at;
use crate::token_endpoint::{Reply, World};

/// A process refreshes and is killed after the provider has answered and before the row has the new pair: the table takes
/// no write from the moment the provider is asked.
async fn killed_before_the_write(world: &World, row: &Integration, now: i64) -> Result<()> {
    let (proxy, address) = Proxy::before(world.emulator.endpoint()).await?;
    let refusing = proxy.clone();
    world.endpoint.office().on_asked = Some(Box::new(move || refusing.refuse("UpdateItem", MANY)));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let (tables, key, folder) = (world.tables.clone(), world.key.clone(), world.folder.clone());
    let (declared, timing, endpoint) = (world.declared, world.timing, world.endpoint.clone());
    let row = row.clone();
    runtime.spawn(async move {
        let emulator = Emulator::connect().await.unwrap().through(&address);
        let store = emulator.store(&tables);
        let world = World { emulator: emulator.clone(), tables, store, endpoint, key, folder, declared, timing };
        let (_, clock) = clock(now);
        world.process(&emulator, &clock).open(&row).await
    });
    while world.endpoint.calls() == 0 || proxy.left_to_refuse("UpdateItem") == MANY {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    runtime.shutdown_background();
    world.endpoint.office().on_asked = None;
    Ok(())
}

#[tokio::test]
async fn guarantee_26_a_pair_lost_in_a_crash_is_said_to_be_lost_and_asked_for_once() -> Result<()> {
    let world = World::new(RefreshTokens::RotatedOnce).await?;
    let (_, crashed) = clock(0);
    let row = world.connected("user/ada", at(-1), &crashed).await?;
    killed_before_the_write(&world, &row, 0).await?;
    // While the dead holder's lease lasts, nobody asks.
    let (later, next) = clock(60);
    let process = world.process(&world.emulator, &next);
    assert!(matches!(process.open(&row).await, Err(OpenError::RetryAfter(_))));
    assert_eq!(world.endpoint.calls(), 1);
    later.advance(TimeDelta::seconds(60));
    assert!(matches!(process.open(&row).await, Err(OpenError::TokenExpired)));
    assert_eq!(world.endpoint.office().asked, ["rt-1", "rt-1"], "the old one was tried once more");
    let stored = world.stored(&row).await?;
    assert_eq!((stored.status, stored.last_error.as_deref()), (Status::TokenExpired, Some(LOST)));
    for _ in 0..5 {
        assert!(matches!(process.open(&world.stored(&row).await?).await, Err(OpenError::TokenExpired)));
    }
    assert_eq!(world.endpoint.calls(), 2, "never a loop");
    Ok(())
}

#[tokio::test]
async fn guarantee_26_a_crash_is_made_good_where_the_provider_lets_it() -> Result<()> {
    for declared in [GRACE, RefreshTokens::Kept] {
        let world = World::new(declared).await?;
        {
            let mut office = world.endpoint.office();
            (office.graces, office.rotates) = (1, declared == GRACE);
        }
        let (_, crashed) = clock(0);
        let row = world.connected("user/ada", at(-1), &crashed).await?;
        killed_before_the_write(&world, &row, 0).await?;
        let (_, next) = clock(120);
        let access = world.process(&world.emulator, &next).open(&row).await?;
        assert_eq!((token(&access), world.endpoint.calls()), ("at-3", 2), "{declared:?}");
        assert_eq!(world.tokens(&row, &next).await?, ("at-3".to_owned(), "rt-3".to_owned()));
        assert_eq!(world.stored(&row).await?.status, Status::Active);
    }
    Ok(())
}

#[tokio::test]
async fn guarantee_26_a_crash_before_the_provider_was_reached_costs_nothing() -> Result<()> {
    let world = World::new(RefreshTokens::RotatedOnce).await?;
    let (_, clock) = clock(120);
    let row = world.connected("user/ada", at(-1), &clock).await?;
    world.store.take_refresh_lease(&row.reference(), 1, at(0), at(120)).await?;
    assert_eq!(token(&world.process(&world.emulator, &clock).open(&row).await?), "at-2");
    assert_eq!(world.endpoint.calls(), 1);
    Ok(())
}

#[tokio::test]
async fn guarantee_26_a_cut_off_answer_is_a_crash_too() -> Result<()> {
    let world = World::new(RefreshTokens::RotatedOnce).await?;
    let (later, clock) = clock(0);
    let row = world.connected("user/ada", at(-1), &clock).await?;
    world.endpoint.office().replies.push_back(Reply::After(502, "<html>bad gateway</html>"));
    let process = world.process(&world.emulator, &clock);
    assert!(matches!(process.open(&row).await, Err(OpenError::Unavailable(_))));
    assert_eq!(world.stored(&row).await?.status, Status::Active, "not yet: it may have been nothing");
    later.advance(TimeDelta::seconds(6));
    assert!(matches!(process.open(&row).await, Err(OpenError::TokenExpired)));
    assert_eq!(world.stored(&row).await?.last_error.as_deref(), Some(LOST));
    assert_eq!(world.endpoint.calls(), 2);
    Ok(())
}

#[tokio::test]
async fn guarantee_26_a_table_that_fails_for_a_while_loses_no_pair() -> Result<()> {
    let world = World::new(RefreshTokens::RotatedOnce).await?;
    let (_, clock) = clock(0);
    let row = world.connected("user/ada", at(-1), &clock).await?;
    let (proxy, address) = Proxy::before(world.emulator.endpoint()).await?;
    // Three tries with the SDK's own two repetitions each.
    world.endpoint.office().on_asked = Some(Box::new(move || proxy.refuse("UpdateItem", 9)));
    let process = world.process(&world.emulator.through(&address), &clock);
    assert_eq!(token(&process.open(&row).await?), "at-2");
    assert_eq!(world.tokens(&row, &clock).await?, ("at-2".to_owned(), "rt-2".to_owned()));
    assert_eq!(world.endpoint.calls(), 1);
    Ok(())
}

#[tokio::test]
async fn guarantee_26_a_pair_that_cannot_be_saved_in_time_is_saved_by_the_next_try() -> Result<()> {
    let second = Duration::from_secs(1);
    let timing = Timing { lease: 3 * second, holder_has: second, waiter_has: second / 2, margin: second };
    for is_overtaken in [false, true] {
        let world = World { timing, ..World::new(RefreshTokens::RotatedOnce).await? };
        let (later, clock) = clock(0);
        let row = world.connected("user/ada", at(-1), &clock).await?;
        let (proxy, address) = Proxy::before(world.emulator.endpoint()).await?;
        let refusing = proxy.clone();
        world.endpoint.office().on_asked = Some(Box::new(move || refusing.refuse("UpdateItem", MANY)));
        let process = world.process(&world.emulator.through(&address), &clock);
        assert!(matches!(process.open(&row).await, Err(OpenError::Parked { .. })));
        proxy.refuse("UpdateItem", 0);
        if is_overtaken {
            // Another process has taken the lease meanwhile and died with it.
            world.store.take_refresh_lease(&row.reference(), 1, at(3), at(4)).await?;
        }
        later.advance(TimeDelta::seconds(5));
        assert_eq!(token(&process.open(&row).await?), "at-2");
        assert_eq!(world.tokens(&row, &clock).await?, ("at-2".to_owned(), "rt-2".to_owned()));
        assert_eq!(world.endpoint.calls(), 1, "the provider was not asked again");
    }
    Ok(())
}

#[tokio::test]
async fn guarantee_27_a_paused_holders_late_write_is_refused_and_the_newer_pair_stays() -> Result<()> {
    let world = World::new(RefreshTokens::Kept).await?;
    world.endpoint.office().rotates = false;
    let (_, slow) = clock(0);
    let row = world.connected("user/ada", at(-1), &slow).await?;
    // The first holder has at-2 on its way for two seconds, and its lease runs out meanwhile.
    world.endpoint.office().delays.push_back(Duration::from_secs(2));
    let paused = world.process(&world.emulator, &slow);
    let first = tokio::spawn({
        let row = row.clone();
        async move { paused.open(&row).await }
    });
    while world.endpoint.calls() == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let (_, ahead) = clock(121);
    let access = world.process(&world.emulator, &ahead).open(&row).await?;
    assert_eq!(token(&access), "at-3");
    let saved = world.stored(&row).await?;
    assert_eq!(token(&first.await??), "at-3", "the late one goes by what the row says");
    assert_eq!(world.stored(&row).await?, saved);
    assert_eq!(world.tokens(&row, &ahead).await?, ("at-3".to_owned(), "rt-3".to_owned()));
    Ok(())
}

#[tokio::test]
async fn guarantee_27_a_late_verdict_does_not_end_a_connection_that_lives() -> Result<()> {
    let world = World::new(RefreshTokens::Kept).await?;
    let (_, slow) = clock(0);
    let row = world.connected("user/ada", at(-1), &slow).await?;
    let dead = Reply::Instead(400, r#"{"error":"invalid_grant"}"#);
    world.endpoint.office().replies.push_back(dead);
    world.endpoint.office().delays.push_back(Duration::from_secs(1));
    let paused = world.process(&world.emulator, &slow);
    let first = tokio::spawn({
        let row = row.clone();
        async move { paused.open(&row).await }
    });
    while world.endpoint.calls() == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let (_, ahead) = clock(121);
    assert_eq!(token(&world.process(&world.emulator, &ahead).open(&row).await?), "at-2");
    assert_eq!(token(&first.await??), "at-2");
    assert_eq!(world.stored(&row).await?.status, Status::Active);
    Ok(())
}
