//! What is sealed opens where it belongs, as it was written, and nowhere else: on a key service that checks.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::Result;
use connections::OpenError;
use domain::clock::SharedClock;
use domain::testing::ManualClock;
use domain::{IntegrationId, Owner, SealedToken, Status};
use providers::RefreshTokens;
use secrecy::ExposeSecret as _;
use store::Saved;
use testkit::emulator::Emulator;
use vault::{Context, Error, Purpose, Vault};

use crate::moto::Moto;
use crate::sample::{at, integration, owner};
use crate::token_endpoint::World;

fn clock() -> SharedClock {
    Arc::new(ManualClock::at(at(0)))
}

/// A vault of a new process: nothing cached.
fn fresh(emulator: &Emulator, key: &str) -> Vault {
    Vault::new(emulator.kms.clone(), key.to_owned(), clock())
}

fn context(owner: &Owner) -> Context<'_> {
    Context { table: "integrations", owner, integration_id: "01JD0000000000000000000000".parse().unwrap() }
}

/// How an opening was refused, as far as anybody can see.
async fn refusal(vault: &Vault, context: Context<'_>, purpose: Purpose, bytes: &[u8], what: &str) -> String {
    match vault.open(&context, purpose, &SealedToken::from_bytes(bytes.to_vec())).await {
        Err(error @ Error::Refused) => format!("{error} {error:?}"),
        other => panic!("{what}: {other:?}"),
    }
}

#[tokio::test]
async fn guarantee_44_nothing_but_the_token_as_it_was_sealed_opens_and_no_refusal_says_why() -> Result<()> {
    let moto = Moto::start().await?;
    let emulator = moto.emulator().await?;
    let key = emulator.key().await?;
    let (ada, bob) = (owner("user/ada"), owner("user/bob"));
    let here = context(&ada);
    let warm = fresh(&emulator, &key);
    let (access, refresh) = warm.seal(&here, &"canary-access".into(), Some(&"canary-refresh".into()), None).await?;
    let (access, refresh) = (access.as_bytes().to_vec(), refresh.expect("one was given").as_bytes().to_vec());
    let opened = fresh(&emulator, &key).open(&here, Purpose::Access, &SealedToken::from_bytes(access.clone())).await?;
    assert_eq!(opened.expose_secret(), "canary-access");

    let mut words = BTreeSet::new();
    // With the data key at hand, and without: then it is the key service that sees the changed bytes first. Those of them that
    // name its key make another key of it, which is out of our reach for all it says: then nobody knows, and the work waits.
    let wrapped = 3..3 + usize::from(u16::from_be_bytes([access[1], access[2]]));
    let mut unknown = 0;
    for place in 0..access.len() {
        let mut changed = access.clone();
        changed[place] ^= 1;
        for vault in [&warm, &fresh(&emulator, &key)] {
            let opened = vault.open(&here, Purpose::Access, &SealedToken::from_bytes(changed.clone())).await;
            match opened {
                Err(error @ Error::Refused) => drop(words.insert(format!("{error} {error:?}"))),
                Err(error @ Error::Unavailable(_)) if wrapped.contains(&place) => {
                    assert_eq!(error.to_string(), "the token key is not available");
                    unknown += 1;
                }
                other => panic!("byte {place}: {other:?}"),
            }
        }
    }
    // The name of a key has 36 characters.
    assert!(unknown <= 2 * 36, "{unknown}");
    for length in 0..access.len() {
        let vault = fresh(&emulator, &key);
        words.insert(refusal(&vault, here, Purpose::Access, &access[..length], &format!("{length} bytes")).await);
    }
    let elsewhere = Context { integration_id: IntegrationId::new(at(1)), ..here };
    let another_table = Context { table: "copy", ..here };
    let other_key = emulator.key().await?;
    for vault in [&warm, &fresh(&emulator, &key)] {
        words.insert(refusal(vault, here, Purpose::Refresh, &access, "as the other token").await);
        words.insert(refusal(vault, here, Purpose::Access, &refresh, "as the other token").await);
        words.insert(refusal(vault, context(&bob), Purpose::Access, &access, "another owner's").await);
        words.insert(refusal(vault, another_table, Purpose::Access, &access, "another table's").await);
        words.insert(refusal(vault, elsewhere, Purpose::Access, &access, "another integration's").await);
        words.insert(refusal(vault, here, Purpose::Access, b"canary-access", "in the clear").await);
    }
    // Another version of the form, and another key than the present one.
    for version in [0, 2, 255] {
        let other = [&[version], &access[1..]].concat();
        words.insert(refusal(&warm, here, Purpose::Access, &other, "another version").await);
    }
    // Moto says of another key what AWS says of a key that is not ours; AWS has a word of its own for it.
    let opened = fresh(&emulator, &other_key).open(&here, Purpose::Access, &SealedToken::from_bytes(access)).await;
    assert!(opened.is_err());
    assert_eq!(words.len(), 1, "an oracle: {words:?}");
    assert!(!words.iter().any(|word| word.contains("canary")));
    Ok(())
}

#[tokio::test]
async fn guarantee_44_tokens_copied_into_another_row_open_nothing_there() -> Result<()> {
    let moto = Moto::start().await?;
    let emulator = moto.emulator().await?;
    let key = emulator.key().await?;
    let world = World { key, emulator, ..World::new(RefreshTokens::Kept).await? };
    let clock = clock();
    let ada = world.connected("user/ada", at(7200), &clock).await?;
    let process = || world.process(&world.emulator, &clock);
    assert_eq!(process().open(&ada).await?.token.expose_secret(), "at-1");

    // Eve's row gets Ada's sealed tokens, fresh and about to be refreshed.
    for (whose, ends) in [("user/eve", 7200), ("user/mallory", -1)] {
        let mut row = integration(whose);
        row.tokens = ada.tokens.clone();
        if let Some(tokens) = &mut row.tokens {
            tokens.expires_at = Some(at(ends));
        }
        assert_eq!(world.store.save_connection(&row, None).await?, Saved::Yes);
        let opened = process().open(&row).await;
        assert!(matches!(opened, Err(OpenError::Unavailable(_))), "{opened:?}");
        assert_eq!(world.stored(&row).await?.status, Status::Active, "and no connection is ended by it");
    }
    // The whole row in the table of another stack that uses the same key.
    let copy = world.emulator.tables().await?;
    let world = World { store: world.emulator.store(&copy), tables: copy, ..world };
    assert_eq!(world.store.save_connection(&ada, None).await?, Saved::Yes);
    let opened = world.process(&world.emulator, &clock).open(&ada).await;
    assert!(matches!(opened, Err(OpenError::Unavailable(_))), "{opened:?}");
    assert_eq!(world.endpoint.calls(), 0, "no refresh token left the house");
    Ok(())
}
