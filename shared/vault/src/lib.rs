#![doc = include_str!("../README.md")]

mod cache;
mod context;
mod envelope;
mod error;

use std::sync::Arc;

pub use aws_sdk_kms::Client;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::DataKeySpec;
use domain::SealedToken;
use domain::clock::SharedClock;
use secrecy::{ExposeSecret as _, SecretString};
use zeroize::{Zeroize as _, Zeroizing};

use cache::{Cache, CacheKey};
pub use context::{Context, Purpose};
use envelope::{DataKey, Envelope};
pub use error::Error;

/// Seals and opens tokens under one KMS key. A cheap handle: clone it freely; clones share the cache of data keys.
#[derive(Clone)]
pub struct Vault {
    client: Client,
    key_id: Arc<str>,
    clock: SharedClock,
    cache: Arc<Cache>,
}

/// Without the cache, which holds keys.
impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vault").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}

/// A data key and its wrapped form, which every token sealed under it carries.
struct WrappedKey {
    wrapped: Vec<u8>,
    key: DataKey,
}

/// A data key in hand, for one integration. Its key is wiped when it goes; it is meant to be held for seconds.
pub struct Sealer<'c> {
    context: Context<'c>,
    key: WrappedKey,
}

/// Without the key.
impl std::fmt::Debug for Sealer<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sealer").field("context", &self.context).finish_non_exhaustive()
    }
}

impl Sealer<'_> {
    /// Seals a pair of tokens. No call to anybody.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if a token is too long to be sealed (64 GB) or the wrapped key is (64 KB).
    pub fn seal(
        &self,
        access: &SecretString,
        refresh: Option<&SecretString>,
    ) -> Result<(SealedToken, Option<SealedToken>), Error> {
        let WrappedKey { wrapped, key } = &self.key;
        let seal = |purpose, token: &SecretString| {
            envelope::seal(key, wrapped, &self.context, purpose, token.expose_secret().as_bytes())
                .map(SealedToken::from_bytes)
        };
        let refresh = refresh.map(|token| seal(Purpose::Refresh, token)).transpose()?;
        Ok((seal(Purpose::Access, access)?, refresh))
    }
}

impl Vault {
    /// A vault over the KMS key `key_id` (an id or ARN).
    #[must_use]
    pub fn new(client: Client, key_id: String, clock: SharedClock) -> Self {
        Self { client, key_id: key_id.into(), clock, cache: Arc::default() }
    }

    /// Seals a pair of tokens under one data key: [`Self::sealer`] and [`Sealer::seal`] in one.
    ///
    /// # Errors
    /// As [`Self::sealer`].
    pub async fn seal(
        &self,
        context: &Context<'_>,
        access: &SecretString,
        refresh: Option<&SecretString>,
        reuse: Option<&SealedToken>,
    ) -> Result<(SealedToken, Option<SealedToken>), Error> {
        self.sealer(context, reuse).await?.seal(access, refresh)
    }

    /// Gets hold of a data key to seal with, so that the sealing itself needs nobody any more: for tokens that must not be
    /// lost once they are there.
    ///
    /// `reuse` is an earlier token of this integration: its data key is used again, so that a refresh needs no KMS call while
    /// the key is cached. Where there is none, or it does not open here, a new data key is made. At most one KMS call; two if
    /// `reuse` is refused.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if KMS does not answer as it should.
    pub async fn sealer<'c>(&self, context: &Context<'c>, reuse: Option<&SealedToken>) -> Result<Sealer<'c>, Error> {
        let key = match reuse.and_then(|sealed| Envelope::parse(sealed.as_bytes())) {
            Some(envelope) => match self.data_key(context, envelope.wrapped).await {
                Ok(key) => WrappedKey { wrapped: envelope.wrapped.to_vec(), key },
                Err(Error::Refused) => self.new_key(context).await?,
                Err(unavailable) => return Err(unavailable),
            },
            None => self.new_key(context).await?,
        };
        Ok(Sealer { context: *context, key })
    }

    /// Opens a sealed token where it belongs. No KMS call while its data key is cached, else one; any number of calls at
    /// once for the same key make one together.
    ///
    /// # Errors
    /// [`Error::Refused`] if it is not what was sealed here for this purpose; [`Error::Unavailable`] if KMS does not answer
    /// as it should, which says nothing about the token.
    pub async fn open(
        &self,
        context: &Context<'_>,
        purpose: Purpose,
        sealed: &SealedToken,
    ) -> Result<SecretString, Error> {
        let envelope = Envelope::parse(sealed.as_bytes()).ok_or(Error::Refused)?;
        let key = self.data_key(context, envelope.wrapped).await?;
        let plain = envelope.open(&key, context, purpose).ok_or(Error::Refused)?;
        match std::str::from_utf8(&plain) {
            Ok(text) => Ok(SecretString::from(text.to_owned())),
            Err(_) => Err(Error::Refused),
        }
    }

    /// The data key behind its wrapped form, from the cache or from KMS.
    async fn data_key(&self, context: &Context<'_>, wrapped: &[u8]) -> Result<DataKey, Error> {
        let slot = self.cache.slot(CacheKey::new(context, wrapped), self.clock.now());
        let mut slot = slot.lock().await;
        if let Some(key) = slot.get(self.clock.now()) {
            return Ok(key);
        }
        let answer = self
            .client
            .decrypt()
            .key_id(&*self.key_id)
            .ciphertext_blob(Blob::new(wrapped))
            .set_encryption_context(Some(context.for_kms()))
            .send()
            .await
            .map_err(Error::decrypt)?;
        let key = data_key(answer.plaintext).ok_or(Error::Refused)?;
        slot.put(&key, self.clock.now());
        Ok(key)
    }

    /// A data key that KMS has just made.
    async fn new_key(&self, context: &Context<'_>) -> Result<WrappedKey, Error> {
        let answer = self
            .client
            .generate_data_key()
            .key_id(&*self.key_id)
            .key_spec(DataKeySpec::Aes256)
            .set_encryption_context(Some(context.for_kms()))
            .send()
            .await
            .map_err(|e| Error::Unavailable(Box::new(e)))?;
        let key = data_key(answer.plaintext);
        let wrapped = answer.ciphertext_blob.map(Blob::into_inner);
        let (Some(key), Some(wrapped)) = (key, wrapped) else {
            return Err(Error::Unavailable("KMS gave no data key of 256 bits".into()));
        };
        let slot = self.cache.slot(CacheKey::new(context, &wrapped), self.clock.now());
        slot.lock().await.put(&key, self.clock.now());
        Ok(WrappedKey { wrapped, key })
    }
}

/// A data key out of KMS's answer, whose own copy is wiped.
fn data_key(plain: Option<Blob>) -> Option<DataKey> {
    let mut bytes = plain?.into_inner();
    let key = <[u8; 32]>::try_from(bytes.as_slice()).ok().map(Zeroizing::new);
    bytes.zeroize();
    key
}
