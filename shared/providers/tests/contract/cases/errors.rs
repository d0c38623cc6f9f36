//! Every class of trouble is told apart, and none tells a secret.

use std::time::{Duration, Instant};

use providers::provider::From;
use providers::{Kind, ProviderError};
use serde_json::{Value, json};

use crate::fixtures::Fixture;
use crate::for_each;
use crate::provider::Connected;

/// A call under a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    List,
    Fetch,
}

/// What comes of a call while every request to its operation is spoiled so.
async fn spoiled(connected: &Connected, call: Call, fault: Value) -> ProviderError {
    let id = connected.truth().await.into_keys().next().expect("a resource");
    let fixture = connected.fixture;
    let operation = if call == Call::List { fixture.list_operation } else { fixture.fetch_operation };
    connected.sandbox.spoil(operation, fault.clone(), None).await;
    let result = match call {
        Call::List => connected.list(From::Everything).await.map(|_| ()),
        Call::Fetch => connected.text(&id, None).await.map(|_| ()),
    };
    connected.sandbox.mend().await;
    let Err(error) = result else { panic!("{call:?} was not spoiled by {fault}") };
    assert_eq!(error.provider, fixture.id);
    connected.assert_silent(&error);
    error
}

async fn ready(fixture: &'static Fixture) -> Connected {
    let connected = Connected::new(fixture).await;
    connected.create("Note", "It is there to be read.").await;
    connected
}

const BOTH: [Call; 2] = [Call::List, Call::Fetch];

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_token_is_told_from_a_missing_permission_and_from_what_is_gone() {
    for_each(async |fixture: &'static Fixture| {
        let connected = ready(fixture).await;
        for call in BOTH {
            let error = spoiled(&connected, call, json!({ "kind": "status", "status": 401 })).await;
            assert_eq!(error.kind, Kind::TokenRejected, "{call:?}: {error:?}");
            let error = spoiled(&connected, call, json!({ "kind": "status", "status": 403 })).await;
            let is_forbidden =
                matches!(error.kind, Kind::Forbidden(_) | Kind::ScopeMissing | Kind::NotFound | Kind::Rejected(_));
            assert!(is_forbidden, "{call:?}: {error:?}");
        }
        let error = spoiled(&connected, Call::Fetch, json!({ "kind": "status", "status": 404 })).await;
        assert_eq!(error.kind, Kind::NotFound, "{error:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_says_how_long_to_wait() {
    for_each(async |fixture: &'static Fixture| {
        let connected = ready(fixture).await;
        for call in BOTH {
            let error = spoiled(&connected, call, json!({ "kind": "rateLimit", "retryAfter": 17 })).await;
            let told = Kind::RateLimited { retry_after: Some(Duration::from_secs(17)) };
            assert_eq!(error.kind, told, "{call:?}");
            let error = spoiled(&connected, call, json!({ "kind": "rateLimit" })).await;
            assert!(matches!(error.kind, Kind::RateLimited { .. }), "{call:?}: {error:?}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_is_an_outage_however_it_shows() {
    for_each(async |fixture: &'static Fixture| {
        let connected = ready(fixture).await;
        for call in BOTH {
            for status in [500, 502, 503, 504] {
                let error = spoiled(&connected, call, json!({ "kind": "status", "status": status })).await;
                assert_eq!(error.kind, Kind::Unavailable, "{call:?} {status}: {error:?}");
            }
            let error = spoiled(&connected, call, json!({ "kind": "reset" })).await;
            assert_eq!(error.kind, Kind::Unavailable, "{call:?} cut: {error:?}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_an_answer_that_cannot_be_read_nothing_is_used() {
    for_each(async |fixture: &'static Fixture| {
        let connected = ready(fixture).await;
        let unreadable = |kind: &Kind| matches!(kind, Kind::Malformed(_) | Kind::Unavailable);
        for fault in [json!({ "kind": "truncate" }), json!({ "kind": "garbage" }), json!({ "kind": "html" })] {
            let error = spoiled(&connected, Call::List, fault.clone()).await;
            assert!(unreadable(&error.kind), "{fault}: {error:?}");
        }
        let error = spoiled(&connected, Call::Fetch, json!({ "kind": "truncate" })).await;
        assert!(unreadable(&error.kind), "{error:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_without_end_is_not_read_without_end() {
    for_each(async |fixture: &'static Fixture| {
        let connected = ready(fixture).await;
        for call in BOTH {
            let started = Instant::now();
            let error = spoiled(&connected, call, json!({ "kind": "endless" })).await;
            assert!(
                matches!(error.kind, Kind::Malformed(_) | Kind::Unavailable | Kind::TooLarge(_)),
                "{call:?}: {error:?}"
            );
            assert!(started.elapsed() < Duration::from_secs(60), "{call:?} took {:?}", started.elapsed());
        }
    })
    .await;
}
