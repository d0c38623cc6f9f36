//! The closed sets of words, for the OpenAPI document. The values themselves are written and read by `domain`.

use domain::ProviderId;
use domain::audit::Action;
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};

fn one_of(words: &[&str]) -> Object {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words.iter().copied())).build()
}

/// The same set, or nothing.
fn or_null(mut set: Object) -> Object {
    set.schema_type = [Type::String, Type::Null].into_iter().collect();
    set.enum_values.get_or_insert_default().push(serde_json::Value::Null);
    set
}

pub fn status() -> Object {
    one_of(&["ACTIVE", "PAUSED", "ERROR", "RATE_LIMITED", "TOKEN_EXPIRED", "DISCONNECTED"])
}

pub fn storage_strategy() -> Object {
    one_of(&["METADATA_ONLY", "FULL_CONTENT"])
}

pub fn sync_frequency() -> Object {
    one_of(&["REALTIME", "FIFTEEN_MIN", "HOURLY", "DAILY", "MANUAL"])
}

pub fn storage_strategy_or_null() -> Object {
    or_null(storage_strategy())
}

pub fn sync_frequency_or_null() -> Object {
    or_null(sync_frequency())
}

pub fn work_queue() -> Object {
    one_of(&["sync", "webhook", "resource", "resource_webhook"])
}

pub fn dead_letter_code() -> Object {
    one_of(&["failed", "worker_lost", "undecodable"])
}

pub fn dead_letter_kind_or_null() -> Object {
    or_null(one_of(&["run", "subscribe", "delivery", "sync_resource", "delete_resource"]))
}

pub fn redrive_refusal() -> Object {
    one_of(&["paused", "token_expired"])
}

pub fn mode() -> Object {
    one_of(&["full", "incremental"])
}

pub fn mode_or_null() -> Object {
    or_null(mode())
}

pub fn trigger() -> Object {
    one_of(&["schedule", "manual", "webhook", "connect"])
}

pub fn job_status() -> Object {
    one_of(&["PENDING", "RUNNING", "COMPLETED", "FAILED", "CANCELLED"])
}

pub fn owner_kind() -> Object {
    one_of(&["user", "organization"])
}

pub fn record_state() -> Object {
    one_of(&["synced", "failed", "skipped", "deleted"])
}

pub fn resource_kind() -> Object {
    one_of(&["file", "message", "page", "issue", "record"])
}

pub fn provider() -> Object {
    let ids: Vec<&str> = ProviderId::ALL.iter().map(|id| id.as_str()).collect();
    one_of(&ids)
}

pub fn action() -> Object {
    let words: Vec<&str> = Action::ALL.iter().map(|action| action.as_str()).collect();
    one_of(&words)
}

pub fn moment() -> Object {
    one_of(&["asked_for", "taken_up", "page", "deletions", "last_progress", "ended"])
}

/// A person's id.
pub fn person() -> Object {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some("^[^\\x00-\\x1f\\x7f-\\x9f]+$"))
        .max_length(Some(128))
        .examples(["ada"])
        .build()
}

/// An owner by kind and id.
pub fn owner() -> Object {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some("^(user|organization)/[^\\x00-\\x1f\\x7f-\\x9f]+$"))
        .max_length(Some(141))
        .examples(["user/ada"])
        .build()
}

pub fn category() -> Object {
    one_of(&["storage", "productivity", "communication", "development", "crm", "other"])
}

pub fn auth_type() -> Object {
    one_of(&["oauth2", "api_key", "basic"])
}

pub fn plan() -> Object {
    one_of(&["free", "pro", "enterprise"])
}

pub fn plan_or_null() -> Object {
    or_null(plan())
}

pub fn platform_role_or_null() -> Object {
    or_null(platform_role())
}

pub fn plans_or_null() -> utoipa::openapi::schema::Array {
    let mut plans = plans();
    plans.schema_type = [Type::Array, Type::Null].into_iter().collect();
    plans
}

pub fn plans() -> utoipa::openapi::schema::Array {
    utoipa::openapi::schema::ArrayBuilder::new().items(plan()).build()
}

pub fn role() -> Object {
    one_of(&["VIEWER", "EDITOR", "ADMIN"])
}

pub fn platform_role() -> Object {
    one_of(&["user", "admin"])
}

#[cfg(test)]
mod tests {
    use domain::plan::{Plan, PlatformRole, Role};
    use domain::provider::{AuthType, Category};
    use domain::resource::{RecordState, ResourceKind};
    use domain::{JobStatus, OwnerKind, Status, StorageStrategy, SyncFrequency, SyncMode, Trigger};
    use serde::Serialize;

    use super::*;

    fn check<T: Serialize>(set: Object, values: &[T]) {
        let written: Vec<_> = values.iter().map(|value| serde_json::to_value(value).unwrap()).collect();
        assert_eq!(set.enum_values.unwrap(), written);
    }

    #[test]
    fn the_document_has_the_words_that_are_written() {
        use Status as S;
        check(status(), &[S::Active, S::Paused, S::Error, S::RateLimited, S::TokenExpired, S::Disconnected]);
        check(storage_strategy(), &[StorageStrategy::MetadataOnly, StorageStrategy::FullContent]);
        use SyncFrequency as F;
        check(sync_frequency(), &[F::Realtime, F::FifteenMin, F::Hourly, F::Daily, F::Manual]);
        check(mode(), &[SyncMode::Full, SyncMode::Incremental]);
        check(trigger(), &[Trigger::Schedule, Trigger::Manual, Trigger::Webhook, Trigger::Connect]);
        use JobStatus as J;
        check(job_status(), &[J::Pending, J::Running, J::Completed, J::Failed, J::Cancelled]);
        check(owner_kind(), &[OwnerKind::User, OwnerKind::Organization]);
        use RecordState as R;
        check(record_state(), &[R::Synced, R::Failed, R::Skipped, R::Deleted]);
        use ResourceKind as K;
        check(resource_kind(), &[K::File, K::Message, K::Page, K::Issue, K::Record]);
        use Category as C;
        check(category(), &[C::Storage, C::Productivity, C::Communication, C::Development, C::Crm, C::Other]);
        check(auth_type(), &[AuthType::Oauth2, AuthType::ApiKey, AuthType::Basic]);
        check(plan(), &[Plan::Free, Plan::Pro, Plan::Enterprise]);
        check(role(), &[Role::Viewer, Role::Editor, Role::Admin]);
        check(platform_role(), &[PlatformRole::User, PlatformRole::Admin]);
    }
}
