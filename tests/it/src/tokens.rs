//! The refresh lease: one holder, and no late write of an older one.

use anyhow::Result;
use domain::Status;
use domain::integration::SealedTokens;
use store::{GivenBack, Lease, StatusChange, Store};

use crate::sample::{again, at, connected, store, tokens};

/// Given back at once, with the journal closed.
const CLOSED: GivenBack = GivenBack { rest_until: None, unanswered: false };

/// Since when a request stands open, as the next holder finds it.
async fn open_since(store: &Store, r: &domain::message::IntegrationRef, version: u64, now: i64) -> Result<Option<i64>> {
    match store.take_refresh_lease(r, version, at(now), at(now + 30)).await? {
        Lease::Taken { unanswered_since, .. } => Ok(unanswered_since.map(|since| (since - at(0)).num_seconds())),
        other => panic!("{other:?}"),
    }
}

async fn take(store: &Store, r: &domain::message::IntegrationRef, now: i64) -> Result<u64> {
    match store.take_refresh_lease(r, 1, at(now), at(now + 30)).await? {
        Lease::Taken { fence, .. } => Ok(fence),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn guarantee_11_of_fifty_who_want_the_lease_one_gets_it() -> Result<()> {
    let store = store().await?;
    let ada = connected(&store, "user/ada").await?;
    let tries = (0..50).map(|_| {
        let (store, r) = (store.clone(), ada.reference());
        async move { store.take_refresh_lease(&r, 1, at(0), at(30)).await }
    });
    let leases = futures::future::try_join_all(tries).await?;
    assert_eq!(leases.iter().filter(|lease| matches!(lease, Lease::Taken { .. })).count(), 1);
    assert_eq!(leases.iter().filter(|lease| **lease == Lease::Held { until: at(30) }).count(), 49);
    Ok(())
}

#[tokio::test]
async fn the_holder_saves_and_the_others_see_a_newer_version() -> Result<()> {
    let store = store().await?;
    let r = connected(&store, "user/ada").await?.reference();
    let fence = take(&store, &r, 0).await?;
    assert!(store.save_refreshed(&r, fence, &tokens(2)).await?);
    assert_eq!(again(&store, &r).await?.tokens, Some(tokens(2)));
    assert_eq!(store.take_refresh_lease(&r, 1, at(1), at(30)).await?, Lease::Newer);
    assert!(
        matches!(store.take_refresh_lease(&r, 2, at(1), at(30)).await?, Lease::Taken { fence: next, .. } if next > fence)
    );
    Ok(())
}

#[tokio::test]
async fn an_answer_without_a_refresh_token_keeps_the_old_one() -> Result<()> {
    let store = store().await?;
    let r = connected(&store, "user/ada").await?.reference();
    let fence = take(&store, &r, 0).await?;
    let fresh = SealedTokens { refresh: None, expires_at: None, scope: None, ..tokens(2) };
    assert!(store.save_refreshed(&r, fence, &fresh).await?);
    let stored = again(&store, &r).await?.tokens.expect("tokens");
    assert_eq!(stored, SealedTokens { refresh: tokens(1).refresh, ..fresh });
    Ok(())
}

#[tokio::test]
async fn guarantee_27_a_holder_that_slept_past_its_lease_is_refused() -> Result<()> {
    let store = store().await?;
    let r = connected(&store, "user/ada").await?.reference();
    let slept = take(&store, &r, 0).await?;
    assert_eq!(store.take_refresh_lease(&r, 1, at(29), at(59)).await?, Lease::Held { until: at(30) });
    let newer = take(&store, &r, 30).await?;
    assert!(!store.save_refreshed(&r, slept, &tokens(2)).await?);
    assert!(!store.refuse_tokens(&r, slept, "refused", at(31)).await?);
    store.release_refresh_lease(&r, slept, CLOSED).await?;
    assert_eq!(store.take_refresh_lease(&r, 1, at(31), at(61)).await?, Lease::Held { until: at(60) });
    assert!(store.save_refreshed(&r, newer, &tokens(2)).await?);
    assert!(!store.save_refreshed(&r, slept, &tokens(3)).await?, "late, with a higher version");
    assert_eq!(again(&store, &r).await?.tokens, Some(tokens(2)));
    Ok(())
}

#[tokio::test]
async fn a_refresh_begun_before_a_reconnection_is_refused_after_it() -> Result<()> {
    let store = store().await?;
    let ada = connected(&store, "user/ada").await?;
    let r = ada.reference();
    let before = take(&store, &r, 0).await?;
    store.save_connection(&ada, Some(1)).await?;
    assert!(!store.save_refreshed(&r, before, &tokens(2)).await?);
    let after = take(&store, &r, 1).await?;
    assert!(after > before);
    Ok(())
}

#[tokio::test]
async fn a_released_lease_is_free_at_once() -> Result<()> {
    let store = store().await?;
    let r = connected(&store, "user/ada").await?.reference();
    let fence = take(&store, &r, 0).await?;
    store.release_refresh_lease(&r, fence, CLOSED).await?;
    take(&store, &r, 1).await?;
    Ok(())
}

#[tokio::test]
async fn refused_tokens_end_the_schedule_and_a_pause_outlasts_them() -> Result<()> {
    let store = store().await?;
    let r = connected(&store, "user/ada").await?.reference();
    let fence = take(&store, &r, 0).await?;
    assert!(store.refuse_tokens(&r, fence, "connect again", at(1)).await?);
    let now = again(&store, &r).await?;
    assert_eq!(
        (now.status, now.due_at, now.last_error.as_deref()),
        (Status::TokenExpired, None, Some("connect again"))
    );

    let r = connected(&store, "user/bob").await?.reference();
    let fence = take(&store, &r, 0).await?;
    let pause = StatusChange {
        from: Status::Active,
        to: Status::Paused,
        last_error: None,
        failures_in_a_row: 0,
        blocked_until: None,
        due_at: None,
    };
    assert!(store.move_status(&r, &pause, at(1)).await?);
    assert!(store.refuse_tokens(&r, fence, "connect again", at(2)).await?);
    let now = again(&store, &r).await?;
    assert_eq!((now.status, now.last_error.as_deref()), (Status::Paused, Some("connect again")));
    Ok(())
}

#[tokio::test]
async fn a_disconnected_integration_has_no_lease_and_takes_no_tokens() -> Result<()> {
    let store = store().await?;
    let r = connected(&store, "user/ada").await?.reference();
    let fence = take(&store, &r, 0).await?;
    store.disconnect(&r, at(1)).await?;
    assert!(!store.save_refreshed(&r, fence, &tokens(2)).await?);
    assert!(!store.refuse_tokens(&r, fence, "late", at(2)).await?);
    assert_eq!(store.take_refresh_lease(&r, 1, at(40), at(70)).await?, Lease::Gone);
    assert_eq!(again(&store, &r).await?.tokens, None);
    Ok(())
}

#[tokio::test]
async fn guarantee_26_the_next_holder_learns_of_a_request_whose_end_nobody_told() -> Result<()> {
    let store = store().await?;
    let r = connected(&store, "user/ada").await?.reference();
    assert_eq!(open_since(&store, &r, 1, 0).await?, None, "the first request");
    // The holder dies; so does the next one.
    assert_eq!(open_since(&store, &r, 1, 30).await?, Some(0));
    assert_eq!(open_since(&store, &r, 1, 60).await?, Some(0), "the first of them counts");
    let Lease::Taken { fence, .. } = store.take_refresh_lease(&r, 1, at(90), at(120)).await? else { panic!() };
    assert!(store.save_refreshed(&r, fence, &tokens(2)).await?);
    assert_eq!(open_since(&store, &r, 2, 91).await?, None, "a saved pair closes the journal");
    Ok(())
}

#[tokio::test]
async fn guarantee_26_an_answer_closes_the_journal_and_silence_does_not() -> Result<()> {
    let store = store().await?;
    let r = connected(&store, "user/ada").await?.reference();
    let fence = take(&store, &r, 0).await?;
    store.release_refresh_lease(&r, fence, CLOSED).await?;
    assert_eq!(open_since(&store, &r, 1, 1).await?, None);
    let Lease::Taken { fence, .. } = store.take_refresh_lease(&r, 1, at(31), at(61)).await? else { panic!() };
    store.release_refresh_lease(&r, fence, GivenBack { unanswered: true, ..CLOSED }).await?;
    assert_eq!(open_since(&store, &r, 1, 32).await?, Some(1));
    // Connecting again writes the row anew.
    store.save_connection(&again(&store, &r).await?, Some(1)).await?;
    assert_eq!(open_since(&store, &r, 1, 100).await?, None);
    Ok(())
}

#[tokio::test]
async fn a_lease_that_rests_is_nobodys_until_then() -> Result<()> {
    let store = store().await?;
    let r = connected(&store, "user/ada").await?.reference();
    let fence = take(&store, &r, 0).await?;
    store.release_refresh_lease(&r, fence, GivenBack { rest_until: Some(at(40)), unanswered: false }).await?;
    assert_eq!(store.take_refresh_lease(&r, 1, at(39), at(60)).await?, Lease::Resting { until: at(40) });
    assert!(take(&store, &r, 40).await? > fence);
    Ok(())
}
