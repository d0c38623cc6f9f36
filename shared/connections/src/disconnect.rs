//! Disconnects: the row first, so that its end is sure; then the provider is told what can be told in a few seconds.

use std::time::Duration;

use domain::subscription::Subscription;
use domain::{Integration, ProviderId, ProviderSettings, TokenSet};
use providers::{Access, OAuth};
use tokio::time::timeout;
use vault::Purpose;

use crate::Connections;
use crate::error::Error;

/// What opening the tokens for the farewell may take (it may refresh them).
const OPENING_HAS: Duration = Duration::from_secs(5);

/// What stopping the webhooks may take, all of them together.
const STOPPING_HAS: Duration = Duration::from_secs(6);

/// What withdrawing the grant may take.
const REVOKING_HAS: Duration = Duration::from_secs(5);

impl Connections {
    /// Disconnects an integration: its tokens are destroyed and its run is cancelled, for certain; its webhooks are stopped
    /// and its grant is withdrawn, if the provider answers within seconds. Doing it again does no harm.
    ///
    /// A grant is not withdrawn while another owner's integration uses the same account: providers (Google is one) withdraw
    /// all grants of an account to our application at once.
    ///
    /// # Errors
    /// [`Error::Store`] if the row could not be written; then nothing has happened.
    pub async fn disconnect(&self, integration: &Integration) -> Result<(), Error> {
        let reference = integration.reference();
        // The tokens are opened while they are there; what comes of it does not matter to the row.
        let farewell = timeout(OPENING_HAS, self.farewell(integration)).await.ok().flatten();
        let now = self.clock.now();
        let old = self.store.disconnect(&reference, now).await?;
        self.opened.forget(integration.id);
        self.unsaved.forget(integration.id);
        if let Some(run) = old.as_ref().and_then(|row| row.active)
            && let Err(error) = self.store.cancel_job(&reference, run.job_id, now).await
        {
            tracing::error!(integration.id = %integration.id, job.id = %run.job_id, %error, "a disconnected integration's run was not cancelled");
        }
        self.stop_all(integration, farewell.as_ref().map(|(access, _)| access)).await;
        if let Some((access, tokens)) = farewell
            && let Some(oauth) = self.registry.get(integration.provider).oauth()
            && !self.is_shared(integration).await
        {
            revoke(oauth, &access.settings, &tokens, integration.provider).await;
        }
        Ok(())
    }

    /// The tokens in the clear, for the last calls.
    async fn farewell(&self, integration: &Integration) -> Option<(Access, TokenSet)> {
        let sealed = integration.tokens.as_ref()?;
        let access = match self.open(integration).await {
            Ok(access) => access,
            // A dead access token does not keep the refresh token from being withdrawn.
            Err(_) => self.access(integration, sealed).await.ok()?,
        };
        // What `open` refreshed meanwhile has its refresh token in the row.
        let row = self.store.find_integration(&integration.reference()).await.ok().flatten();
        let present = row.as_ref().and_then(|row| row.tokens.as_ref()).unwrap_or(sealed);
        let refresh_token = match &present.refresh {
            Some(refresh) => self.vault.open(&self.context_of(integration), Purpose::Refresh, refresh).await.ok(),
            None => None,
        };
        let tokens = TokenSet { access_token: access.token.clone(), refresh_token, expires_at: None, scope: None };
        Some((access, tokens))
    }

    /// Stops every subscription at the provider within [`STOPPING_HAS`], and forgets them all. A delivery of one that went
    /// on is refused, because its token is forgotten.
    async fn stop_all(&self, integration: &Integration, access: Option<&Access>) {
        let subscriptions = match self.store.subscriptions_of(integration.id).await {
            Ok(subscriptions) => subscriptions,
            Err(error) => {
                tracing::warn!(integration.id = %integration.id, %error, "subscriptions of a disconnected integration stay until they end");
                return;
            }
        };
        if let Some(access) = access {
            let stopping = async {
                for subscription in &subscriptions {
                    self.stop(integration, access, subscription).await;
                }
            };
            if timeout(STOPPING_HAS, stopping).await.is_err() {
                tracing::warn!(integration.id = %integration.id, "the provider did not stop all webhooks in time");
            }
        }
        for subscription in &subscriptions {
            if let Err(error) = self.store.delete_subscription(integration.id, &subscription.id).await {
                tracing::warn!(integration.id = %integration.id, %error, "a stopped subscription stays in the table");
            }
        }
    }

    /// Stops one subscription; says whether the provider took note.
    pub(crate) async fn stop(&self, integration: &Integration, access: &Access, subscription: &Subscription) -> bool {
        let Some(webhooks) = self.registry.get(integration.provider).webhooks() else { return true };
        match webhooks.unregister(access, subscription).await {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(integration.id = %integration.id, provider = %integration.provider, %error, "a webhook was not stopped");
                false
            }
        }
    }

    /// Whether another owner's integration uses the same account. When in doubt, it does.
    pub(crate) async fn is_shared(&self, integration: &Integration) -> bool {
        match self.store.integrations_of_account(integration.provider, &integration.account_id).await {
            Ok(references) => references.iter().any(|other| other.integration_id != integration.id),
            Err(error) => {
                tracing::warn!(integration.id = %integration.id, %error, "cannot tell whether the account is shared, so its grant stays");
                true
            }
        }
    }
}

/// Withdraws a grant, as far as the provider listens within [`REVOKING_HAS`].
pub(crate) async fn revoke(oauth: &dyn OAuth, settings: &ProviderSettings, tokens: &TokenSet, provider: ProviderId) {
    match timeout(REVOKING_HAS, oauth.revoke(settings, tokens)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%provider, %error, "the grant was not withdrawn"),
        Err(_) => tracing::warn!(%provider, "the provider did not withdraw the grant in time"),
    }
}
