//! Sealing and opening under a real key service.

use anyhow::Result;
use chrono::TimeDelta;
use domain::clock::SharedClock;
use domain::testing::ManualClock;
use domain::{IntegrationId, Owner, SealedToken};
use secrecy::{ExposeSecret as _, SecretString};
use std::sync::Arc;
use testkit::emulator::Emulator;
use vault::{Context, Error, Purpose, Vault};

use crate::proxy::Proxy;
use crate::sample::{at, owner};

/// A vault behind a proxy that counts its calls, and the clock it reads.
struct Room {
    vault: Vault,
    proxy: Proxy,
    clock: ManualClock,
    key: String,
    emulator: Emulator,
}

async fn room() -> Result<Room> {
    let emulator = Emulator::connect().await?;
    let key = emulator.key().await?;
    let (proxy, address) = Proxy::before(emulator.endpoint()).await?;
    let clock = ManualClock::at(at(0));
    let shared: SharedClock = Arc::new(clock.clone());
    let emulator = emulator.through(&address);
    Ok(Room { vault: Vault::new(emulator.kms.clone(), key.clone(), shared), proxy, clock, key, emulator })
}

impl Room {
    /// A vault of another process: the same key, nothing cached.
    fn elsewhere(&self) -> Vault {
        Vault::new(self.emulator.kms.clone(), self.key.clone(), Arc::new(self.clock.clone()))
    }
}

fn context(owner: &Owner) -> Context<'_> {
    Context { table: "integrations", owner, integration_id: "01JD0000000000000000000000".parse().unwrap() }
}

fn secret(text: &str) -> SecretString {
    SecretString::from(text.to_owned())
}

async fn refused(vault: &Vault, context: Context<'_>, purpose: Purpose, sealed: &SealedToken) -> bool {
    matches!(vault.open(&context, purpose, sealed).await, Err(Error::Refused))
}

#[tokio::test]
async fn a_pair_opens_where_it_was_sealed_and_in_every_process() -> Result<()> {
    let room = room().await?;
    let ada = owner("user/ada");
    let here = context(&ada);
    let (access, refresh) = room.vault.seal(&here, &secret("access"), Some(&secret("refresh")), None).await?;
    let refresh = refresh.expect("a refresh token was given");
    for vault in [room.vault.clone(), room.elsewhere()] {
        assert_eq!(vault.open(&here, Purpose::Access, &access).await?.expose_secret(), "access");
        assert_eq!(vault.open(&here, Purpose::Refresh, &refresh).await?.expose_secret(), "refresh");
    }
    Ok(())
}

#[tokio::test]
async fn a_token_that_was_moved_or_swapped_is_refused() -> Result<()> {
    let room = room().await?;
    let (ada, bob) = (owner("user/ada"), owner("user/bob"));
    let here = context(&ada);
    let (access, refresh) = room.vault.seal(&here, &secret("access"), Some(&secret("refresh")), None).await?;
    let refresh = refresh.expect("a refresh token was given");
    let other = IntegrationId::new(at(1));
    // With the data key cached, and without.
    for vault in [room.vault.clone(), room.elsewhere()] {
        assert!(refused(&vault, here, Purpose::Refresh, &access).await, "swapped");
        assert!(refused(&vault, here, Purpose::Access, &refresh).await, "swapped");
        assert!(refused(&vault, context(&bob), Purpose::Access, &access).await, "another owner's");
        assert!(refused(&vault, Context { table: "copy", ..here }, Purpose::Access, &access).await, "another table's");
        assert!(refused(&vault, Context { integration_id: other, ..here }, Purpose::Access, &access).await);
    }
    Ok(())
}

#[tokio::test]
async fn a_changed_byte_is_refused_wherever_it_stands() -> Result<()> {
    let room = room().await?;
    let ada = owner("user/ada");
    let (access, _) = room.vault.seal(&context(&ada), &secret("access"), None, None).await?;
    for at in 0..access.as_bytes().len() {
        let mut changed = access.as_bytes().to_vec();
        changed[at] ^= 1;
        let changed = SealedToken::from_bytes(changed);
        assert!(refused(&room.vault, context(&ada), Purpose::Access, &changed).await, "byte {at}");
    }
    let nothing = SealedToken::from_bytes(Vec::new());
    assert!(refused(&room.vault, context(&ada), Purpose::Access, &nothing).await);
    Ok(())
}

#[tokio::test]
async fn one_call_serves_five_minutes_of_opening_and_refreshing() -> Result<()> {
    let room = room().await?;
    let ada = owner("user/ada");
    let here = context(&ada);
    let (access, _) = room.vault.seal(&here, &secret("one"), Some(&secret("r")), None).await?;
    assert_eq!(room.proxy.carried_out("GenerateDataKey"), 1);
    let (fresh, _) = room.vault.seal(&here, &secret("two"), Some(&secret("r")), Some(&access)).await?;
    assert_eq!(room.vault.open(&here, Purpose::Access, &fresh).await?.expose_secret(), "two");
    let calls = || room.proxy.carried_out("GenerateDataKey") + room.proxy.carried_out("Decrypt");
    assert_eq!(calls(), 0, "a refresh under the cached key");
    room.clock.advance(TimeDelta::minutes(5));
    assert_eq!(room.vault.open(&here, Purpose::Access, &access).await?.expose_secret(), "one");
    assert_eq!(calls(), 1, "the key was dropped after five minutes");
    Ok(())
}

#[tokio::test]
async fn fifty_openings_at_once_ask_for_one_key() -> Result<()> {
    let room = room().await?;
    let ada = owner("user/ada");
    let (access, _) = room.vault.seal(&context(&ada), &secret("access"), None, None).await?;
    let vault = room.elsewhere();
    let opened = futures::future::try_join_all((0..50).map(|_| {
        let (vault, access, ada) = (&vault, &access, &ada);
        async move { vault.open(&context(ada), Purpose::Access, access).await }
    }));
    assert!(opened.await?.iter().all(|token| token.expose_secret() == "access"));
    assert_eq!(room.proxy.carried_out("Decrypt"), 1);
    Ok(())
}

#[tokio::test]
async fn a_reused_key_of_another_owner_is_not_reused() -> Result<()> {
    let room = room().await?;
    let (ada, bob) = (owner("user/ada"), owner("user/bob"));
    let (of_ada, _) = room.vault.seal(&context(&ada), &secret("a"), None, None).await?;
    let (of_bob, _) = room.vault.seal(&context(&bob), &secret("b"), None, None).await?;
    let (again, _) = room.vault.seal(&context(&bob), &secret("c"), None, Some(&of_bob)).await?;
    assert_eq!(room.elsewhere().open(&context(&bob), Purpose::Access, &again).await?.expose_secret(), "c");
    assert!(refused(&room.elsewhere(), context(&bob), Purpose::Access, &of_ada).await);
    Ok(())
}

#[tokio::test]
async fn guarantee_15_an_outage_is_unavailable_and_cached_keys_serve_meanwhile() -> Result<()> {
    let room = room().await?;
    let ada = owner("user/ada");
    let here = context(&ada);
    let (access, _) = room.vault.seal(&here, &secret("access"), None, None).await?;
    room.proxy.lose("Decrypt", 1000);
    room.proxy.lose("GenerateDataKey", 1000);
    assert_eq!(room.vault.open(&here, Purpose::Access, &access).await?.expose_secret(), "access");
    room.clock.advance(TimeDelta::minutes(5));
    let failed = room.vault.open(&here, Purpose::Access, &access).await;
    assert!(matches!(failed, Err(Error::Unavailable(_))), "{failed:?}");
    let failed = room.vault.seal(&here, &secret("access"), None, Some(&access)).await;
    assert!(matches!(failed, Err(Error::Unavailable(_))), "{failed:?}");
    room.proxy.lose("Decrypt", 0);
    assert_eq!(room.vault.open(&here, Purpose::Access, &access).await?.expose_secret(), "access");
    Ok(())
}
