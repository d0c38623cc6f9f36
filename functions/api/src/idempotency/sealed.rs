//! How an answer is kept: under a name that tells nothing, and sealed with the client's own key, which the table does not hold.
//! An answer may carry an OAuth state and its cookie, and states are nowhere stored in the clear.

use aes_gcm::aead::Aead as _;
use aes_gcm::{Aes256Gcm, KeyInit as _, Nonce};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

const NONCE_BYTES: usize = 12;

/// What a request is known by, and what its answer is sealed with. Both come from the same words by different hashes, so that
/// the name does not open the answer. A key that can be guessed opens it to who reads the table; a UUID cannot.
pub struct Seal {
    name: String,
    key: Zeroizing<[u8; 32]>,
}

impl Seal {
    /// The seal of a request that these words name, the client's key among them.
    pub fn of(words: &[&str]) -> Self {
        Self { name: hex(&hash("name", words)), key: Zeroizing::new(hash("seal", words)) }
    }

    /// What the request is known by.
    pub fn name(&self) -> String {
        self.name.clone()
    }

    /// What tells one body from another, and tells nothing else: a body may carry a password, which a plain hash would betray.
    pub fn fingerprint(&self, body: &[u8]) -> String {
        let mut hasher = Sha256::new();
        hasher.update(self.key.as_slice());
        hasher.update(body);
        hex(&hasher.finalize())
    }

    /// The sealed form: a random nonce, then the ciphertext with its tag. `None` only for what no memory holds.
    pub fn close(&self, plain: &[u8]) -> Option<Vec<u8>> {
        let nonce: [u8; NONCE_BYTES] = rand::random();
        let cipher = Aes256Gcm::new_from_slice(self.key.as_slice()).ok()?;
        let mut form = nonce.to_vec();
        form.extend(cipher.encrypt(&Nonce::from(nonce), plain).ok()?);
        Some(form)
    }

    /// What was sealed; `None` if it was sealed otherwise or changed.
    pub fn open(&self, form: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, ciphertext) = form.split_first_chunk::<NONCE_BYTES>()?;
        let cipher = Aes256Gcm::new_from_slice(self.key.as_slice()).ok()?;
        cipher.decrypt(&Nonce::from(*nonce), ciphertext).ok().map(Zeroizing::new)
    }
}

/// A hash for one purpose; lengths keep `["a", "bc"]` apart from `["ab", "c"]`.
fn hash(purpose: &str, words: &[&str]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for word in ["cognia idempotency 1", purpose].iter().chain(words) {
        hasher.update((word.len() as u64).to_be_bytes());
        hasher.update(word);
    }
    hasher.finalize().into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_with_the_same_words_only() {
        let seal = Seal::of(&["ada", "k"]);
        let form = seal.close(b"canary").unwrap();
        assert_eq!(Seal::of(&["ada", "k"]).open(&form).unwrap().as_slice(), b"canary");
        for words in [["ada", "l"], ["eve", "k"], ["adak", ""], ["", "adak"]] {
            assert!(Seal::of(&words).open(&form).is_none(), "{words:?}");
        }
        let mut changed = form.clone();
        *changed.last_mut().unwrap() ^= 1;
        assert!(seal.open(&changed).is_none());
        assert!(seal.open(b"short").is_none());
        assert_ne!(form, seal.close(b"canary").unwrap(), "a nonce is used once");
    }

    #[test]
    fn names_are_stable_and_apart() {
        let name = |words: &[&str]| Seal::of(words).name();
        assert_eq!(name(&["a", "bc"]), name(&["a", "bc"]));
        assert_ne!(name(&["a", "bc"]), name(&["ab", "c"]));
        assert_eq!(name(&["a"]).len(), 64);
        let (one, other) = (Seal::of(&["a"]), Seal::of(&["b"]));
        assert_eq!(one.fingerprint(b"x"), one.fingerprint(b"x"));
        assert_ne!(one.fingerprint(b"x"), one.fingerprint(b"y"));
        assert_ne!(one.fingerprint(b"x"), other.fingerprint(b"x"), "two keys do not betray equal bodies");
    }
}
