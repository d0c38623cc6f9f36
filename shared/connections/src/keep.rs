//! Keeps a new pair: seals it and saves it, for as long as the lease allows. Where refresh tokens rotate, it exists nowhere
//! else. A pair that could not be saved stays in this process's memory and is saved by its next try.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::integration::SealedTokens;
use domain::{Integration, IntegrationId, SealedToken, Timestamp, TokenSet};
use providers::Access;
use secrecy::SecretString;
use tokio::time::{Instant, sleep, timeout};
use vault::Sealer;

use crate::Connections;
use crate::error::OpenError;
use crate::open::tokens_of;
use crate::refresh::{Held, Stopped};

/// The first pause between two tries to save a pair; later ones are twice as long, up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What one try may take, the SDK's own repetitions included.
const TRY_HAS: Duration = Duration::from_secs(10);

/// How many unsaved pairs are remembered; far more than one process refreshes while the table is down.
const MOST: usize = 256;

/// Pairs that a provider gave and the table did not take, by integration.
#[derive(Clone, Default)]
pub(crate) struct Unsaved(Arc<Mutex<HashMap<IntegrationId, Pair>>>);

/// A pair that exists in this process only.
#[derive(Clone)]
struct Pair {
    /// The access token of the pair that it follows: no two sealed tokens are alike, so it names that pair.
    follows: SealedToken,
    new: SealedTokens,
    access_token: SecretString,
    fence: u64,
}

impl Unsaved {
    fn pairs(&self) -> std::sync::MutexGuard<'_, HashMap<IntegrationId, Pair>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The pair that follows the one in the row.
    fn after(&self, row: &Integration) -> Option<Pair> {
        let present = row.tokens.as_ref()?;
        let pairs = self.pairs();
        pairs.get(&row.id).filter(|pair| pair.follows == present.access).cloned()
    }

    fn put(&self, id: IntegrationId, pair: Pair) {
        let mut pairs = self.pairs();
        if pairs.len() >= MOST {
            let oldest = pairs.iter().min_by_key(|(_, pair)| pair.new.issued_at).map(|(id, _)| *id);
            oldest.and_then(|id| pairs.remove(&id));
        }
        pairs.insert(id, pair);
    }

    /// Forgets an integration's pair.
    pub(crate) fn forget(&self, id: IntegrationId) {
        self.pairs().remove(&id);
    }
}

impl Connections {
    /// Seals and saves a new pair. An absent refresh token means: the old one goes on.
    pub(crate) async fn keep(
        &self,
        row: &Integration,
        old: &SealedTokens,
        answer: &TokenSet,
        issued_at: Timestamp,
        sealer: &Sealer<'_>,
        held: Held,
    ) -> Result<Access, Stopped> {
        let sealed = sealer.seal(&answer.access_token, answer.refresh_token.as_ref());
        let (access, refresh) = sealed.map_err(|error| Stopped { error: error.into(), back: None })?;
        let new = SealedTokens {
            access,
            refresh: refresh.or_else(|| old.refresh.clone()),
            expires_at: answer.expires_at,
            issued_at,
            scope: answer.scope.clone().or_else(|| old.scope.clone()),
            version: old.version + 1,
        };
        let access_token = answer.access_token.clone();
        let pair = Pair { follows: old.access.clone(), new, access_token, fence: held.fence };
        let result = self.save_pair(row, &pair, held).await;
        if let Err(Stopped { error: OpenError::NotConnected, .. }) = &result {
            self.withdraw(row, answer).await;
        }
        result
    }

    /// Saves a pair that an earlier try of this process could not save, if it still follows the one in the row.
    pub(crate) async fn save_under(&self, row: &Integration, held: Held) -> Option<Result<Access, Stopped>> {
        let pair = Pair { fence: held.fence, ..self.unsaved.after(row)? };
        Some(self.save_pair(row, &pair, held).await)
    }

    /// The same under the lease it was made under, should nobody have taken another since: then no lease is needed.
    pub(crate) async fn save_at_last(&self, row: &Integration) -> Result<Option<Access>, OpenError> {
        let Some(pair) = self.unsaved.after(row) else { return Ok(None) };
        if !self.store.save_refreshed(&row.reference(), pair.fence, &pair.new).await? {
            return Ok(None);
        }
        self.saved(row, &pair).await.map(Some)
    }

    /// Saves until it is done or the lease ends.
    async fn save_pair(&self, row: &Integration, pair: &Pair, held: Held) -> Result<Access, Stopped> {
        let reference = row.reference();
        let (until, mut pause) = (held.since + self.timing.may_save(), FIRST_PAUSE);
        let is_saved = loop {
            let error = match timeout(TRY_HAS, self.store.save_refreshed(&reference, pair.fence, &pair.new)).await {
                Ok(Ok(is_saved)) => break is_saved,
                Ok(Err(error)) => OpenError::from(error),
                Err(_) => OpenError::Unavailable("the table did not answer in time".into()),
            };
            if Instant::now() + pause >= until {
                self.unsaved.put(row.id, pair.clone());
                tracing::error!(integration.id = %row.id, provider = %row.provider, %error, "renewed tokens cannot be saved; they are in this process's memory only");
                return Err(Stopped { error, back: None });
            }
            sleep(pause.mul_f64(rand::random_range(0.75..1.25))).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        };
        let result = if is_saved { self.saved(row, pair).await } else { self.overtaken(row, pair).await };
        result.map_err(|error| Stopped { error, back: None })
    }

    async fn saved(&self, row: &Integration, pair: &Pair) -> Result<Access, OpenError> {
        self.unsaved.forget(row.id);
        let stamp = (pair.new.issued_at, pair.new.version);
        self.opened.put(row.id, stamp, pair.access_token.clone(), self.clock.now());
        self.access(row, &pair.new).await
    }

    /// Our lease has passed to another worker: the row knows what is right. Where it has nothing newer, our pair may yet be
    /// the only good one, and is remembered.
    async fn overtaken(&self, row: &Integration, pair: &Pair) -> Result<Access, OpenError> {
        let present = self.read_again(&row.reference()).await?;
        let is_same = tokens_of(&present).is_ok_and(|tokens| tokens.access == pair.follows);
        if is_same {
            self.unsaved.put(row.id, pair.clone());
            tracing::warn!(integration.id = %row.id, provider = %row.provider, "a holder was slower than its lease, and its tokens were refused");
        } else {
            self.unsaved.forget(row.id);
        }
        self.newer_than(&row.reference(), pair.new.version - 1).await
    }

    /// A pair that came after its integration was disconnected is withdrawn at the provider, as the disconnection would have
    /// done had it known it.
    async fn withdraw(&self, row: &Integration, answer: &TokenSet) {
        let Ok(Some(settings)) = self.settings.get(row.provider).await else { return };
        if let Some(oauth) = self.registry.get(row.provider).oauth()
            && !self.is_shared(row).await
        {
            crate::disconnect::revoke(oauth, &settings, answer, row.provider).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(follows: u8, second: i64) -> Pair {
        let token = |byte| SealedToken::from_bytes(vec![byte]);
        let issued_at = chrono::DateTime::from_timestamp(second, 0).unwrap();
        let new = SealedTokens {
            access: token(follows + 1),
            refresh: None,
            expires_at: None,
            issued_at,
            scope: None,
            version: 2,
        };
        Pair { follows: token(follows), new, access_token: "new".into(), fence: 1 }
    }

    #[test]
    fn unsaved_pairs_are_bounded_and_the_oldest_goes() {
        let unsaved = Unsaved::default();
        let ids: Vec<_> = (0..=MOST)
            .map(|n| IntegrationId::new(chrono::DateTime::from_timestamp(i64::try_from(n).unwrap(), 0).unwrap()))
            .collect();
        for (n, id) in ids.iter().enumerate() {
            unsaved.put(*id, pair(1, i64::try_from(n).unwrap()));
        }
        assert_eq!(unsaved.pairs().len(), MOST);
        assert!(!unsaved.pairs().contains_key(&ids[0]));
        assert!(unsaved.pairs().contains_key(&ids[MOST]));
    }
}
