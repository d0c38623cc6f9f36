//! Webhook subscriptions by id and by integration.

use anyhow::Result;
use domain::subscription::Subscription;
use domain::{Integration, Timestamp};

use crate::sample::{at, connected, store};

/// A subscription of an integration, under an id that begins with the integration's.
pub fn subscription(of: &Integration, tail: &str, created_at: Timestamp, expires_at: Timestamp) -> Subscription {
    Subscription {
        id: format!("{}{tail}", of.id),
        integration_id: of.id,
        scope: "my-drive".to_owned(),
        provider_id: Some("resource-1".to_owned()),
        token_sha256: [5; 32],
        created_at,
        expires_at: Some(expires_at),
    }
}

#[tokio::test]
async fn a_subscription_is_found_by_its_id_and_by_its_integration() -> Result<()> {
    let store = store().await?;
    let (ada, bob) = (connected(&store, "user/ada").await?, connected(&store, "user/bob").await?);
    let (one, two) = (subscription(&ada, "1", at(0), at(10)), subscription(&ada, "2", at(0), at(10)));
    store.save_subscription(&ada.reference(), &one).await?;
    store.save_subscription(&ada.reference(), &two).await?;
    assert_eq!(store.get_subscription(&one.id).await?, Some((ada.reference(), one.clone())));
    assert_eq!(store.subscriptions_of(ada.id).await?, [one.clone(), two.clone()]);
    assert!(store.subscriptions_of(bob.id).await?.is_empty());
    store.delete_subscription(ada.id, &one.id).await?;
    store.delete_subscription(ada.id, &one.id).await?;
    assert_eq!(store.get_subscription(&one.id).await?, None);
    assert_eq!(store.subscriptions_of(ada.id).await?, [two]);
    Ok(())
}

#[tokio::test]
async fn what_is_no_id_finds_nothing() -> Result<()> {
    let store = store().await?;
    for id in ["", "short", "ääääääääääääääääääää", &"x".repeat(26), &"é".repeat(26)] {
        assert_eq!(store.get_subscription(id).await?, None, "{id}");
    }
    Ok(())
}
