//! Our own services are out of reach: the key service and the store of secrets.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use axum::Router;
use axum::http::{Response, StatusCode};
use chrono::TimeDelta;
use connections::{Connections, OpenError};
use domain::clock::SharedClock;
use domain::testing::ManualClock;
use domain::{Integration, Status};
use providers::RefreshTokens;
use secrecy::ExposeSecret as _;

use crate::proxy::Proxy;
use crate::sample::at;
use crate::token_endpoint::World;

fn clock() -> (ManualClock, SharedClock) {
    let clock = ManualClock::at(at(0));
    (clock.clone(), Arc::new(clock))
}

/// What the work is told; the token if it goes on.
async fn opens(process: &Connections, row: &Integration) -> Result<String, String> {
    match process.open(row).await {
        Ok(access) => Ok(access.token.expose_secret().to_owned()),
        Err(OpenError::Parked { reason, wait, .. }) => {
            assert!(wait >= Duration::from_secs(10) && wait <= Duration::from_secs(60), "{wait:?}");
            Err(reason.to_owned())
        }
        Err(other) => panic!("{other:?}"),
    }
}

fn parked(reason: &str) -> Result<String, String> {
    Err(reason.to_owned())
}

const KEYS: &str = "Our key service does not answer.";
const SECRETS: &str = "Our store of secrets does not answer.";

#[tokio::test]
async fn guarantee_15_ten_minutes_without_keys_park_the_work_and_end_no_connection() -> Result<()> {
    let world = World::new(RefreshTokens::RotatedOnce).await?;
    let (later, clock) = clock();
    let row = world.connected("user/ada", at(7200), &clock).await?;
    let (proxy, address) = Proxy::before(world.emulator.endpoint()).await?;
    let process = world.process(&world.emulator.through(&address), &clock);
    assert_eq!(opens(&process, &row).await, Ok("at-1".to_owned()));
    proxy.refuse("Decrypt", u32::MAX);
    proxy.refuse("GenerateDataKey", u32::MAX);
    for minute in 0..10 {
        let expected = if minute < 5 { Ok("at-1".to_owned()) } else { parked(KEYS) };
        assert_eq!(opens(&process, &row).await, expected, "minute {minute}");
        later.advance(TimeDelta::minutes(1));
    }
    let stored = world.stored(&row).await?;
    assert_eq!((stored.status, stored.last_error, stored.tokens), (Status::Active, None, row.tokens.clone()));
    assert_eq!(world.endpoint.calls(), 0);
    proxy.refuse("Decrypt", 0);
    assert_eq!(opens(&process, &row).await, Ok("at-1".to_owned()), "it recovers alone");
    Ok(())
}

#[tokio::test]
async fn guarantee_15_without_keys_nothing_is_refreshed_and_nothing_is_lost() -> Result<()> {
    let world = World::new(RefreshTokens::RotatedOnce).await?;
    let (later, clock) = clock();
    let row = world.connected("user/ada", at(-1), &clock).await?;
    let (proxy, address) = Proxy::before(world.emulator.endpoint()).await?;
    let process = world.process(&world.emulator.through(&address), &clock);
    proxy.refuse("Decrypt", u32::MAX);
    for _ in 0..10 {
        assert_eq!(opens(&process, &row).await, parked(KEYS));
        later.advance(TimeDelta::minutes(1));
    }
    assert_eq!(world.endpoint.calls(), 0, "a pair that could not be sealed is not asked for");
    assert_eq!(world.stored(&row).await?.status, Status::Active);
    // Keys are back, and go again just when the provider answers; and what was cached of them is over in that moment.
    proxy.refuse("Decrypt", 0);
    let failing = proxy.clone();
    world.endpoint.office().on_asked = Some(Box::new(move || {
        later.advance(TimeDelta::minutes(5));
        failing.refuse("Decrypt", u32::MAX);
        failing.refuse("GenerateDataKey", u32::MAX);
    }));
    assert_eq!(opens(&process, &row).await, Ok("at-2".to_owned()));
    assert_eq!(world.tokens(&row, &clock).await?, ("at-2".to_owned(), "rt-2".to_owned()));
    Ok(())
}

/// A key service that answers everything with this error.
async fn failing(status: u16, kind: &'static str) -> Result<String> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = format!("http://{}", listener.local_addr()?);
    let router = Router::new().fallback(move || async move {
        let body = format!(r#"{{"__type":"{kind}","message":"no"}}"#);
        let status = StatusCode::from_u16(status).unwrap();
        Response::builder().status(status).header("content-type", "application/x-amz-json-1.1").body(body).unwrap()
    });
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(address)
}

#[tokio::test]
async fn guarantee_15_whatever_the_key_service_says_the_work_waits() -> Result<()> {
    let world = World::new(RefreshTokens::RotatedOnce).await?;
    let (_, clock) = clock();
    let row = world.connected("user/ada", at(7200), &clock).await?;
    for (status, kind) in [
        (400, "ThrottlingException"),
        (400, "DisabledException"),
        (400, "KMSInvalidStateException"),
        (400, "NotFoundException"),
        (400, "KeyUnavailableException"),
        (400, "AccessDeniedException"),
        (400, "DependencyTimeoutException"),
        (500, "KMSInternalException"),
        (503, "ServiceUnavailable"),
    ] {
        let mut emulator = world.emulator.clone();
        emulator.kms = emulator.through(&failing(status, kind).await?).kms;
        assert_eq!(opens(&world.process(&emulator, &clock), &row).await, parked(KEYS), "{kind}");
    }
    let mut emulator = world.emulator.clone();
    emulator.kms = emulator.through("http://127.0.0.1:9").kms;
    assert_eq!(opens(&world.process(&emulator, &clock), &row).await, parked(KEYS), "nobody listens");
    assert_eq!(world.stored(&row).await?.status, Status::Active);
    assert_eq!(opens(&world.process(&world.emulator, &clock), &row).await, Ok("at-1".to_owned()));
    Ok(())
}

#[tokio::test]
async fn guarantee_15_without_secrets_the_last_settings_serve_for_a_while_and_then_the_work_waits() -> Result<()> {
    let world = World::new(RefreshTokens::RotatedOnce).await?;
    let (later, clock) = clock();
    let row = world.connected("user/ada", at(7200), &clock).await?;
    let (proxy, address) = Proxy::before(world.emulator.endpoint()).await?;
    let process = world.process(&world.emulator.through(&address), &clock);
    let fresh = world.process(&world.emulator.through(&address), &clock);
    assert_eq!(opens(&process, &row).await, Ok("at-1".to_owned()));
    proxy.refuse("GetSecretValue", u32::MAX);
    assert_eq!(opens(&fresh, &row).await, parked(SECRETS), "a process that has never read them");
    later.advance(TimeDelta::minutes(10));
    assert_eq!(opens(&process, &row).await, Ok("at-1".to_owned()));
    later.advance(TimeDelta::minutes(5));
    assert_eq!(opens(&process, &row).await, parked(SECRETS));
    assert_eq!(world.stored(&row).await?.status, Status::Active);
    proxy.refuse("GetSecretValue", 0);
    assert_eq!(opens(&process, &row).await, Ok("at-1".to_owned()), "it recovers alone");
    assert_eq!(opens(&fresh, &row).await, Ok("at-1".to_owned()));
    Ok(())
}

#[tokio::test]
async fn guarantee_15_without_the_table_the_work_waits() -> Result<()> {
    let world = World::new(RefreshTokens::RotatedOnce).await?;
    let (_, clock) = clock();
    let row = world.connected("user/ada", at(-1), &clock).await?;
    let (proxy, address) = Proxy::before(world.emulator.endpoint()).await?;
    let process = world.process(&world.emulator.through(&address), &clock);
    proxy.refuse("UpdateItem", u32::MAX);
    assert_eq!(opens(&process, &row).await, parked("Our store does not answer."));
    assert_eq!(world.endpoint.calls(), 0, "what could not be announced is not asked for");
    proxy.refuse("UpdateItem", 0);
    assert_eq!(opens(&process, &row).await, Ok("at-2".to_owned()));
    Ok(())
}
