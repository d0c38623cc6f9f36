//! Notes in the audit log what a handler has done for somebody, in one line of the handler's.

use domain::ProviderId;
use integrations::Action;
use serde_json::Value;
use web::Scope;

use crate::state::Api;

impl Api {
    /// Notes what the caller of a request has done to the owner's integration at a provider. To be called once it is done.
    pub(crate) async fn note(&self, scope: &Scope, action: Action, provider: ProviderId, detail: Value) {
        self.audit.note(&scope.caller.id, action, Some(&scope.owner), Some(provider), detail).await;
    }
}
