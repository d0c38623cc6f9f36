//! Refreshing with a real token endpoint: many at once, killed in the middle, overtaken, answered with nonsense.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use chrono::TimeDelta;
use connections::{CONNECT_AGAIN, Connections, OpenError, Timing};
use domain::clock::SharedClock;
use domain::testing::ManualClock;
use domain::{Integration, Status, SystemClock};
use providers::{Access, RefreshTokens};
use secrecy::ExposeSecret as _;

use crate::proxy::Proxy;
use crate::sample::at;
use crate::token_endpoint::{Reply, World};

pub(crate) const GRACE: RefreshTokens = RefreshTokens::RotatedWithGrace(Duration::from_secs(600));

/// As many calls as never are made.
pub(crate) const MANY: u32 = 10_000;

/// A clock that a test moves, in both its forms.
pub(crate) fn clock(second: i64) -> (ManualClock, SharedClock) {
    let clock = ManualClock::at(at(second));
    (clock.clone(), Arc::new(clock))
}

pub(crate) fn token(access: &Access) -> &str {
    access.token.expose_secret()
}

/// Opens as a queue's worker does: what is given back comes again after its delay. Says how long the longest try took.
async fn open_in_turns(process: &Connections, row: &Integration) -> Result<(Access, Duration)> {
    let mut longest = Duration::ZERO;
    loop {
        let began = Instant::now();
        let opened = process.open(row).await;
        match opened {
            Ok(access) => return Ok((access, longest)),
            Err(OpenError::RetryAfter(wait)) => {
                longest = longest.max(began.elapsed());
                tokio::time::sleep(wait).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Fifty processes find an expired token whose refresh token is dead once used, and the endpoint takes `delay`.
async fn stampede(delay: Duration, timing: Timing) -> Result<()> {
    let world = World { timing, ..World::new(RefreshTokens::RotatedOnce).await? };
    let clock = SystemClock::shared();
    let row = world.connected("user/ada", clock.now() - TimeDelta::minutes(1), &clock).await?;
    world.endpoint.office().delays.push_back(delay);
    let opening = (0..50).map(|_| {
        let process = world.process(&world.emulator, &clock);
        let row = &row;
        async move { open_in_turns(&process, row).await }
    });
    let opened = futures::future::try_join_all(opening).await?;
    assert_eq!(world.endpoint.office().asked, ["rt-1"], "one call, and the old token was not used again");
    for (access, longest) in &opened {
        assert_eq!(token(access), "at-2");
        // What waits holds its function for the waiter's time and a look or two at the row.
        assert!(*longest < timing.waiter_has + Duration::from_secs(6), "{longest:?}");
    }
    assert_eq!(world.tokens(&row, &clock).await?, ("at-2".to_owned(), "rt-2".to_owned()));
    Ok(())
}

/// The times of production, ten times as fast.
fn fast() -> Timing {
    let Timing { lease, holder_has, waiter_has, margin } = Timing::default();
    Timing { lease: lease / 10, holder_has: holder_has / 10, waiter_has: waiter_has / 10, margin: margin / 10 }
}

#[tokio::test]
async fn guarantee_25_one_refresh_for_fifty_processes() -> Result<()> {
    stampede(Duration::from_millis(100), Timing::default()).await
}

#[tokio::test]
async fn guarantee_25_one_refresh_when_the_endpoint_is_slow() -> Result<()> {
    stampede(Duration::from_millis(500), fast()).await?;
    stampede(Duration::from_millis(1100), fast()).await
}

#[tokio::test]
async fn guarantee_25_one_refresh_when_the_endpoint_is_silent_for_half_a_minute() -> Result<()> {
    stampede(Duration::from_secs(30), Timing::default()).await
}

#[tokio::test]
async fn guarantee_25_a_token_with_five_minutes_left_is_renewed_while_the_others_use_it() -> Result<()> {
    let world = World::new(RefreshTokens::RotatedOnce).await?;
    let (_, clock) = clock(0);
    let row = world.connected("user/ada", at(299), &clock).await?;
    world.endpoint.office().delays.push_back(Duration::from_millis(800));
    let first = world.process(&world.emulator, &clock);
    let refreshing = tokio::spawn({
        let row = row.clone();
        async move { first.open(&row).await }
    });
    while world.endpoint.calls() == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let began = Instant::now();
    assert_eq!(token(&world.process(&world.emulator, &clock).open(&row).await?), "at-1");
    assert!(began.elapsed() < Duration::from_millis(700), "it did not wait");
    assert_eq!(token(&refreshing.await??), "at-2");
    assert_eq!(world.endpoint.calls(), 1);
    Ok(())
}

#[tokio::test]
async fn guarantee_25_a_token_that_still_lives_tides_over_whatever_fails() -> Result<()> {
    let world = World::new(RefreshTokens::RotatedOnce).await?;
    let (later, clock) = clock(0);
    let row = world.connected("user/ada", at(299), &clock).await?;
    let (proxy, address) = Proxy::before(world.emulator.endpoint()).await?;
    let process = world.process(&world.emulator.through(&address), &clock);
    proxy.refuse("UpdateItem", MANY);
    assert_eq!(token(&process.open(&row).await?), "at-1", "the refresh cannot be announced");
    assert_eq!(world.endpoint.calls(), 0);
    proxy.refuse("UpdateItem", 0);
    world.endpoint.office().replies.push_back(Reply::Instead(503, ""));
    for _ in 0..10 {
        assert_eq!(token(&process.open(&row).await?), "at-1", "the endpoint fails");
    }
    assert_eq!(world.endpoint.calls(), 1, "and is left alone");
    later.advance(TimeDelta::seconds(6));
    assert_eq!(token(&process.open(&row).await?), "at-2");
    Ok(())
}

#[tokio::test]
async fn guarantee_25_a_caller_that_gives_up_does_not_stop_the_refresh() -> Result<()> {
    let world = World::new(RefreshTokens::RotatedOnce).await?;
    let (_, clock) = clock(0);
    let row = world.connected("user/ada", at(-1), &clock).await?;
    world.endpoint.office().delays.push_back(Duration::from_millis(600));
    let process = world.process(&world.emulator, &clock);
    assert!(tokio::time::timeout(Duration::from_millis(300), process.open(&row)).await.is_err());
    assert_eq!(world.endpoint.calls(), 1);
    let (access, _) = open_in_turns(&process, &world.stored(&row).await?).await?;
    assert_eq!((token(&access), world.endpoint.calls()), ("at-2", 1));
    Ok(())
}

/// What an answer of the token endpoint makes of an integration whose access token is over.
async fn check_answers(replies: Vec<Reply>, calls: usize, dead: bool) -> Result<()> {
    let world = World::new(RefreshTokens::Kept).await?;
    let (later, clock) = clock(0);
    let row = world.connected("user/ada", at(-1), &clock).await?;
    let other = world.connected("user/bob", at(-1), &clock).await?;
    let other = world.stored(&other).await?;
    let what = format!("{:?}", replies.iter().map(said).collect::<Vec<_>>());
    world.endpoint.office().replies.extend(replies);
    let process = world.process(&world.emulator, &clock);
    let first = process.open(&row).await;
    assert_eq!(world.endpoint.calls(), calls, "{what}");
    let stored = world.stored(&row).await?;
    assert_eq!(world.stored(&other).await?, other, "{what}: another's row");
    if dead {
        assert!(matches!(first, Err(OpenError::TokenExpired)), "{what}: {first:?}");
        assert_eq!((stored.status, stored.last_error.as_deref()), (Status::TokenExpired, Some(CONNECT_AGAIN)));
        return Ok(());
    }
    assert_eq!((stored.status, stored.last_error), (Status::Active, None), "{what}");
    let printed = format!("{first:?}");
    assert!(!printed.contains("rt-1") && !printed.contains("canary"), "{what}: {printed}");
    // Whatever it was, it passes.
    later.advance(TimeDelta::seconds(31));
    assert!(process.open(&world.stored(&row).await?).await.is_ok(), "{what}");
    Ok(())
}

fn said(reply: &Reply) -> (u16, &'static str) {
    match reply {
        Reply::After(status, body) | Reply::Instead(status, body) => (*status, *body),
    }
}

#[tokio::test]
async fn guarantee_28_every_answer_of_the_token_endpoint_means_what_it_should() -> Result<()> {
    let refused = || Reply::Instead(400, r#"{"error":"invalid_grant","error_description":"canary"}"#);
    let once = |status, body| vec![Reply::Instead(status, body)];
    // The person's: twice, with a look at the row in between.
    check_answers(vec![refused(), refused()], 2, true).await?;
    check_answers(vec![refused(), Reply::Instead(200, r#"{"error":"invalid_grant"}"#)], 2, true).await?;
    check_answers(vec![Reply::Instead(403, r#"{"error":"admin_policy_enforced"}"#), refused()], 2, true).await?;
    // Once is a race, or a fault that passes.
    check_answers(vec![refused()], 2, false).await?;
    check_answers(vec![refused(), Reply::Instead(503, "")], 2, false).await?;
    // Nobody's, or the operator's.
    for (status, body) in [
        (200, r#"{"error":"temporarily_unavailable"}"#),
        (200, "<html>canary</html>"),
        (200, ""),
        (200, "{}"),
        (200, r#"{"access_token":"#),
        (200, r#"{"access_token":""}"#),
        (302, ""),
        (400, "<html>canary</html>"),
        (400, r#"{"error":"something_new"}"#),
        (401, r#"{"error":"invalid_client"}"#),
        (403, "canary"),
        (408, ""),
        (429, r#"{"error":"invalid_grant"}"#),
        (500, r#"{"error":"invalid_grant"}"#),
        (502, "<html>canary</html>"),
        (503, ""),
        (504, ""),
    ] {
        check_answers(once(status, body), 1, false).await?;
    }
    Ok(())
}

#[tokio::test]
async fn guarantee_28_silence_and_a_name_that_leads_nowhere_are_no_verdict() -> Result<()> {
    let timing = Timing { holder_has: Duration::from_millis(300), ..Timing::default() };
    let world = World { timing, ..World::new(RefreshTokens::Kept).await? };
    let (later, clock) = clock(0);
    let row = world.connected("user/ada", at(-1), &clock).await?;
    world.endpoint.office().delays.push_back(Duration::from_secs(3));
    let process = world.process(&world.emulator, &clock);
    assert!(matches!(process.open(&row).await, Err(OpenError::Unavailable(_))));
    assert_eq!(world.stored(&row).await?.status, Status::Active);
    later.advance(TimeDelta::seconds(6));

    let nowhere = r#"{"clientId":"app","endpoints":{"https://oauth2.googleapis.com":"http://token.invalid"}}"#;
    let folder = world.emulator.secret("google_drive", nowhere).await?;
    let world = World { folder, ..world };
    assert!(matches!(world.process(&world.emulator, &clock).open(&row).await, Err(OpenError::Unavailable(_))));
    assert_eq!(world.stored(&row).await?.status, Status::Active);
    assert_eq!(world.endpoint.calls(), 1);
    Ok(())
}

#[tokio::test]
async fn guarantee_28_no_refresh_token_in_the_answer_means_that_the_old_one_goes_on() -> Result<()> {
    let world = World::new(RefreshTokens::Kept).await?;
    let (_, clock) = clock(0);
    let row = world.connected("user/ada", at(-1), &clock).await?;
    world.endpoint.office().replies.push_back(Reply::Instead(200, r#"{"access_token":"at-9"}"#));
    assert_eq!(token(&world.process(&world.emulator, &clock).open(&row).await?), "at-9");
    assert_eq!(world.tokens(&row, &clock).await?, ("at-9".to_owned(), "rt-1".to_owned()));
    assert_eq!(world.stored(&row).await?.tokens.expect("tokens").expires_at, None);
    Ok(())
}

#[tokio::test]
async fn a_token_endpoint_that_asks_to_wait_is_left_alone_by_everybody() -> Result<()> {
    let world = World::new(RefreshTokens::Kept).await?;
    let (later, clock) = clock(0);
    let row = world.connected("user/ada", at(-1), &clock).await?;
    world.endpoint.office().replies.push_back(Reply::Instead(429, ""));
    let waits = |opened: Result<Access, OpenError>| match opened {
        Err(OpenError::RetryAfter(wait)) => wait.as_secs(),
        other => panic!("{other:?}"),
    };
    assert_eq!(waits(world.process(&world.emulator, &clock).open(&row).await), 30);
    later.advance(TimeDelta::seconds(10));
    assert_eq!(waits(world.process(&world.emulator, &clock).open(&row).await), 20);
    assert_eq!(world.endpoint.calls(), 1);
    later.advance(TimeDelta::seconds(20));
    assert_eq!(token(&world.process(&world.emulator, &clock).open(&row).await?), "at-2");
    Ok(())
}

#[tokio::test]
async fn guarantee_29_no_life_that_a_provider_tells_makes_a_refresh_loop() -> Result<()> {
    for life in
        [None, Some("0"), Some("-5"), Some("1e300"), Some("99999999999999999999"), Some("\"soon\""), Some("null")]
    {
        let world = World::new(RefreshTokens::RotatedOnce).await?;
        let (later, clock) = clock(0);
        let row = world.connected("user/ada", at(-1), &clock).await?;
        world.endpoint.office().life = life;
        let process = world.process(&world.emulator, &clock);
        let access = process.open(&row).await?;
        for _ in 0..20 {
            later.advance(TimeDelta::seconds(30));
            assert_eq!(token(&process.open(&world.stored(&row).await?).await?), "at-2", "{life:?}");
        }
        assert_eq!(world.endpoint.calls(), 1, "{life:?}");
        // The provider's word counts: a refusal brings one refresh, and that of what it has just given brings none.
        let renewed = process.renew_after(&row, &access).await?;
        assert_eq!((token(&renewed), world.endpoint.calls()), ("at-3", 2), "{life:?}");
        for _ in 0..20 {
            assert!(matches!(process.renew_after(&row, &renewed).await, Err(OpenError::RefusedAtOnce)), "{life:?}");
        }
        assert_eq!(token(&process.renew_after(&row, &access).await?), "at-3", "of an older one: {life:?}");
        assert_eq!(world.endpoint.calls(), 2, "{life:?}");
    }
    Ok(())
}

#[tokio::test]
async fn guarantee_29_hosts_ten_minutes_apart_do_not_refresh_in_turns() -> Result<()> {
    // By the life of a token: how often hosts whose clocks are ten minutes ahead and behind refresh it between them.
    for (life, most) in [("3600", 1), ("900", 2), ("60", 2)] {
        let world = World::new(RefreshTokens::RotatedOnce).await?;
        let (_, behind) = clock(-600);
        let (_, ahead) = clock(600);
        let row = world.connected("user/ada", at(-1200), &behind).await?;
        world.endpoint.office().life = Some(life);
        let hosts = [world.process(&world.emulator, &behind), world.process(&world.emulator, &ahead)];
        for turn in 0..10 {
            hosts[turn % 2].open(&world.stored(&row).await?).await?;
        }
        assert!(world.endpoint.calls() <= most, "{life}: {}", world.endpoint.calls());
    }
    Ok(())
}

#[tokio::test]
async fn guarantee_45_nothing_opens_a_disconnected_integration() -> Result<()> {
    let world = World::new(RefreshTokens::RotatedOnce).await?;
    let (_, clock) = clock(0);
    let row = world.connected("user/ada", at(3000), &clock).await?;
    let worker = world.process(&world.emulator, &clock);
    let access = worker.open(&row).await?;
    world.process(&world.emulator, &clock).disconnect(&row).await?;
    assert_eq!(world.endpoint.office().revoked, ["rt-1"]);
    assert!(matches!(worker.reopen(&row).await, Err(OpenError::NotConnected)));
    assert!(matches!(worker.renew_after(&row, &access).await, Err(OpenError::NotConnected)));
    assert_eq!(world.stored(&row).await?.tokens, None);
    assert_eq!(world.endpoint.calls(), 0);
    Ok(())
}

#[tokio::test]
async fn guarantee_45_a_pair_that_comes_after_the_disconnection_is_withdrawn() -> Result<()> {
    let world = World::new(RefreshTokens::RotatedOnce).await?;
    let (_, clock) = clock(0);
    let row = world.connected("user/ada", at(-1), &clock).await?;
    world.endpoint.office().delays.push_back(Duration::from_millis(500));
    let worker = world.process(&world.emulator, &clock);
    let opening = tokio::spawn({
        let row = row.clone();
        async move { worker.open(&row).await }
    });
    while world.endpoint.calls() == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    world.store.disconnect(&row.reference(), at(1)).await?;
    assert!(matches!(opening.await?, Err(OpenError::NotConnected)));
    assert_eq!(world.endpoint.office().revoked, ["rt-2"]);
    assert_eq!(world.stored(&row).await?.tokens, None);
    Ok(())
}
