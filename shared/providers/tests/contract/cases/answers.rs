//! What a listing must not be believed.

use providers::Kind;
use providers::provider::{From, ListRequest};

use crate::fixtures::Fixture;
use crate::for_each;
use crate::provider::Connected;

#[tokio::test(flavor = "multi_thread")]
async fn a_page_cursor_that_makes_no_sense_is_refused_or_begins_anew() {
    for_each(async |fixture: &'static Fixture| {
        let connected = Connected::new(fixture).await;
        connected.create("Note", "It is there.").await;
        for nonsense in ["nonsense", "{}", "null", &"9".repeat(3000)] {
            let request = ListRequest { config: &connected.config, from: From::Everything, page: Some(nonsense) };
            if let Err(error) = connected.provider().list(&connected.access(), request).await {
                let is_told = matches!(
                    error.kind,
                    Kind::PageExpired | Kind::CursorExpired | Kind::Malformed(_) | Kind::Rejected(_)
                );
                assert!(is_told, "{nonsense:.20}: {error:?}");
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_that_makes_no_sense_is_not_found_and_goes_nowhere_else() {
    for_each(async |fixture: &'static Fixture| {
        let connected = Connected::new(fixture).await;
        for nonsense in ["../../admin", "a/b/c", "?x=y", "%2e%2e", "a b", "https://example.com/", "ünïcödé"] {
            let id = domain::ExternalId::new(nonsense).unwrap();
            let error = connected.text(&id, None).await.expect_err("there is no such thing");
            let is_told =
                matches!(error.kind, Kind::NotFound | Kind::Rejected(_) | Kind::Malformed(_) | Kind::Unsupported(_));
            assert!(is_told, "{nonsense}: {error:?}");
        }
    })
    .await;
}
