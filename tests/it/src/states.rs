//! OAuth states: once, in time, and only by their full name.

use anyhow::Result;
use domain::{ProviderId, UserId};
use store::OAuthState;

use crate::sample::{at, owner, store};

fn state() -> OAuthState {
    OAuthState {
        provider: ProviderId::GoogleDrive,
        owner: owner("organization/acme"),
        user: UserId::new("ada").unwrap(),
        redirect_uri: "https://api.example/callback".to_owned(),
        pkce_verifier: Some("verifier".to_owned()),
        browser_sha256: Some([3; 32]),
        expires_at: at(600),
    }
}

#[tokio::test]
async fn a_state_can_be_looked_at_and_taken_once() -> Result<()> {
    let store = store().await?;
    store.put_state("one", &state()).await?;
    assert_eq!(store.peek_state("one", at(1)).await?, Some(state()));
    assert_eq!(store.peek_state("two", at(1)).await?, None);
    assert_eq!(store.take_state("two", at(1)).await?, None);
    assert_eq!(store.take_state("one", at(1)).await?, Some(state()));
    assert_eq!(store.take_state("one", at(1)).await?, None);
    assert_eq!(store.peek_state("one", at(1)).await?, None);
    Ok(())
}

#[tokio::test]
async fn of_fifty_callbacks_at_once_one_takes_the_state() -> Result<()> {
    let store = store().await?;
    store.put_state("one", &state()).await?;
    let tries = (0..50).map(|_| {
        let store = store.clone();
        async move { store.take_state("one", at(1)).await }
    });
    let taken = futures::future::try_join_all(tries).await?;
    assert_eq!(taken.into_iter().flatten().count(), 1);
    Ok(())
}

#[tokio::test]
async fn a_state_that_the_table_has_not_yet_deleted_is_expired_all_the_same() -> Result<()> {
    let store = store().await?;
    store.put_state("one", &state()).await?;
    assert_eq!(store.peek_state("one", at(600)).await?, None);
    assert_eq!(store.take_state("one", at(600)).await?, None);
    Ok(())
}
