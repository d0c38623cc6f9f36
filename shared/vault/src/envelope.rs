//! The sealed form, version 1, with a data key that is given: no KMS here.
//!
//! | bytes | what |
//! | --- | --- |
//! | 1 | version, 1 |
//! | 2 | length of the wrapped data key, big endian |
//! | so many | the data key as KMS wrapped it; it names the KMS key inside |
//! | 12 | nonce, random |
//! | rest | ciphertext and its 16-byte tag, AES-256-GCM |
//!
//! The first three are part of the associated data, so that no byte of the form can be changed unnoticed. One data key
//! seals two tokens per refresh of one integration, far from where random nonces of 96 bits would repeat (2³²).

use aes_gcm::aead::{Aead as _, Payload};
use aes_gcm::{Aes256Gcm, KeyInit as _, Nonce};
use zeroize::Zeroizing;

use crate::context::{Context, Purpose};
use crate::error::Error;

/// A data key in the clear; wiped when dropped.
pub(crate) type DataKey = Zeroizing<[u8; 32]>;

const VERSION: u8 = 1;
const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;

/// A sealed token taken apart; nothing of it is believed yet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Envelope<'a> {
    /// Everything up to the nonce.
    head: &'a [u8],
    /// The data key as KMS wrapped it.
    pub(crate) wrapped: &'a [u8],
    nonce: [u8; NONCE_BYTES],
    ciphertext: &'a [u8],
}

impl<'a> Envelope<'a> {
    /// Takes the form apart; `None` if it is no such form.
    pub(crate) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (&[version, high, low], rest) = bytes.split_first_chunk::<3>()?;
        let length = usize::from(u16::from_be_bytes([high, low]));
        if version != VERSION || length == 0 {
            return None;
        }
        let (wrapped, rest) = rest.split_at_checked(length)?;
        let (nonce, ciphertext) = rest.split_first_chunk::<NONCE_BYTES>()?;
        if ciphertext.len() < TAG_BYTES {
            return None;
        }
        Some(Self { head: bytes.get(..3 + length)?, wrapped, nonce: *nonce, ciphertext })
    }

    /// The token; `None` if anything at all does not fit.
    pub(crate) fn open(&self, key: &DataKey, context: &Context<'_>, purpose: Purpose) -> Option<Zeroizing<Vec<u8>>> {
        let aad = context.associated_data(self.head, purpose);
        let payload = Payload { msg: self.ciphertext, aad: &aad };
        let cipher = Aes256Gcm::new_from_slice(key.as_slice()).ok()?;
        cipher.decrypt(&Nonce::from(self.nonce), payload).ok().map(Zeroizing::new)
    }
}

/// The sealed form of a token.
pub(crate) fn seal(
    key: &DataKey,
    wrapped: &[u8],
    context: &Context<'_>,
    purpose: Purpose,
    token: &[u8],
) -> Result<Vec<u8>, Error> {
    let unfit = |what: &'static str| Error::Unavailable(what.into());
    let length = u16::try_from(wrapped.len()).map_err(|_| unfit("KMS gave a wrapped key that is too long"))?;
    let mut form = vec![VERSION];
    form.extend_from_slice(&length.to_be_bytes());
    form.extend_from_slice(wrapped);
    let aad = context.associated_data(&form, purpose);
    let nonce: [u8; NONCE_BYTES] = rand::random();
    let cipher = Aes256Gcm::new_from_slice(key.as_slice()).map_err(|_| unfit("the data key is not of 256 bits"))?;
    let payload = Payload { msg: token, aad: &aad };
    let ciphertext =
        cipher.encrypt(&Nonce::from(nonce), payload).map_err(|_| unfit("the token is too long to be sealed"))?;
    form.extend_from_slice(&nonce);
    form.extend_from_slice(&ciphertext);
    Ok(form)
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::Owner;
    use proptest::prelude::*;

    const WRAPPED: &[u8] = b"a wrapped key as KMS would give it";

    fn owner(text: &str) -> Owner {
        text.parse().unwrap()
    }

    fn context(owner: &Owner) -> Context<'_> {
        Context { table: "integrations", owner, integration_id: "01JD0000000000000000000000".parse().unwrap() }
    }

    fn key() -> DataKey {
        Zeroizing::new([7; 32])
    }

    fn sealed(token: &[u8]) -> Vec<u8> {
        seal(&key(), WRAPPED, &context(&owner("user/ada")), Purpose::Access, token).unwrap()
    }

    fn opened(form: &[u8]) -> Option<Vec<u8>> {
        let plain = Envelope::parse(form)?.open(&key(), &context(&owner("user/ada")), Purpose::Access)?;
        Some(plain.to_vec())
    }

    #[test]
    fn what_was_sealed_opens() {
        assert_eq!(opened(&sealed(b"token")).as_deref(), Some(b"token".as_slice()));
        assert_eq!(opened(&sealed(b"")).as_deref(), Some(b"".as_slice()));
    }

    #[test]
    fn guarantee_44_every_changed_bit_is_refused() {
        let form = sealed(b"token");
        for at in 0..form.len() {
            for bit in 0..8 {
                let mut changed = form.clone();
                changed[at] ^= 1 << bit;
                assert_eq!(opened(&changed), None, "byte {at}, bit {bit}");
            }
        }
    }

    #[test]
    fn guarantee_44_every_cut_and_every_addition_is_refused() {
        let form = sealed(b"token");
        for length in 0..form.len() {
            assert_eq!(opened(&form[..length]), None, "{length} bytes");
        }
        assert_eq!(opened(&[form, vec![0]].concat()), None);
    }

    #[test]
    fn guarantee_44_a_token_opens_only_where_it_belongs() {
        let (ada, bob) = (owner("user/ada"), owner("user/bob"));
        let here = context(&ada);
        let form = sealed(b"token");
        let refused = |context: Context<'_>, purpose, key: DataKey| {
            Envelope::parse(&form).unwrap().open(&key, &context, purpose).is_none()
        };
        assert!(!refused(here, Purpose::Access, key()));
        assert!(refused(here, Purpose::Refresh, key()), "as the other token");
        assert!(refused(Context { owner: &bob, ..here }, Purpose::Access, key()), "at another owner");
        assert!(refused(Context { table: "copy", ..here }, Purpose::Access, key()), "in another table");
        let other = "01JD0000000000000000000001".parse().unwrap();
        assert!(refused(Context { integration_id: other, ..here }, Purpose::Access, key()), "at another integration");
        assert!(refused(here, Purpose::Access, Zeroizing::new([8; 32])), "under another key");
    }

    #[test]
    fn the_same_token_never_looks_the_same_and_never_shows() {
        let (one, two) = (sealed(b"canary-token"), sealed(b"canary-token"));
        assert_ne!(one, two);
        assert!(!one.windows(6).any(|part| part == b"canary"));
    }

    proptest! {
        #[test]
        fn any_token_reads_back(token in proptest::collection::vec(any::<u8>(), 0..2000)) {
            prop_assert_eq!(opened(&sealed(&token)), Some(token));
        }

        #[test]
        fn any_bytes_are_refused_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert_eq!(opened(&bytes), None);
        }
    }
}
