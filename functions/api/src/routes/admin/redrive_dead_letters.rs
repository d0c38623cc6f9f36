//! `POST /api/admin/integrations/dead-letters/redrive`: sends work that was given up on back to its queue, once the cause is mended.

use std::borrow::Cow;

use axum::extract::State;
use integrations::Action;
use integrations::dead_letters::Wanted;
use serde::Deserialize;
use serde_json::json;
use utoipa::openapi::schema::{AdditionalProperties, Type};
use utoipa::openapi::{ArrayBuilder, Object, ObjectBuilder, OneOfBuilder, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};
use web::{ApiError, Data, Json, PlatformAdmin};

use crate::error::Result;
use crate::routes::admin::list_dead_letters::work_queue;
use crate::state::Api;
use crate::wire::dead_letter::RedrivenRow;
use crate::wire::words;

/// The most ids in one request.
const MAX_IDS: usize = 100;
/// The longest id; SQS's have 36 characters.
const MAX_ID_CHARS: usize = 100;

/// Which dead letters: exactly one of the three.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Redrive {
    /// Those of these ids, at most 100.
    ids: Option<Vec<String>>,
    /// Those of this queue.
    queue: Option<String>,
    /// All; only `true` means something.
    all: Option<bool>,
}

/// An object with this field and no other.
fn only(name: &str, field: impl Into<RefOr<Schema>>) -> Object {
    ObjectBuilder::new()
        .property(name, field)
        .required(name)
        .additional_properties(Some(AdditionalProperties::<Schema>::FreeForm(false)))
        .build()
}

impl PartialSchema for Redrive {
    fn schema() -> RefOr<Schema> {
        let id = ObjectBuilder::new()
            .schema_type(Type::String)
            .min_length(Some(1))
            .max_length(Some(MAX_ID_CHARS))
            .examples(["5f0c6a52-2f1c-4f0e-9d1b-0e6f0c1b2a3d"]);
        let ids = ArrayBuilder::new()
            .items(id)
            .min_items(Some(1))
            .max_items(Some(MAX_IDS))
            .description(Some("Those of these ids."));
        let all =
            ObjectBuilder::new().schema_type(Type::Boolean).enum_values(Some([true])).description(Some("All of them."));
        let described = "Which dead letters: exactly one of ids, queue and all.";
        let one_of = OneOfBuilder::new()
            .item(only("ids", ids))
            .item(only("queue", words::work_queue()))
            .item(only("all", all))
            .description(Some(described))
            .build();
        RefOr::T(Schema::OneOf(one_of))
    }
}

impl ToSchema for Redrive {
    fn name() -> Cow<'static, str> {
        "Redrive".into()
    }
}

/// Sends work back to its queue, with its attempts ahead of it. Sent twice, it is done once.
#[utoipa::path(post, path = "/integrations/dead-letters/redrive", tag = "administration", request_body = Redrive,
    responses((status = 200, description = "What was done, and what is left", body = Data<RedrivenRow>)))]
pub async fn redrive_dead_letters(
    PlatformAdmin(admin): PlatformAdmin,
    State(api): State<Api>,
    Json(body): Json<Redrive>,
) -> Result<Data<RedrivenRow>> {
    let wanted = wanted(body)?;
    let asked = match &wanted {
        Wanted::Ids(ids) => json!({"ids": ids.len()}),
        Wanted::Queue(queue) => json!({"queue": queue.as_str()}),
        Wanted::All => json!({"all": true}),
    };
    let done = api.dead_letters.redrive(&wanted).await?;
    tracing::info!(
        user.id = %admin.id, redriven = done.redriven, refused = done.refused.len(), remaining = done.remaining,
        "dead letters redriven"
    );
    let detail =
        json!({"asked": asked, "redriven": done.redriven, "refused": done.refused.len(), "remaining": done.remaining});
    api.audit.note(&admin.id, Action::DeadLettersRedriven, None, None, detail).await;
    Ok(Data::new(done.into()))
}

fn wanted(body: Redrive) -> std::result::Result<Wanted, ApiError> {
    match (body.ids, body.queue, body.all.unwrap_or_default()) {
        (Some(ids), None, false) => {
            if ids.is_empty() || ids.len() > MAX_IDS {
                return Err(ApiError::invalid("ids: must be from 1 to 100"));
            }
            if ids.iter().any(|id| id.is_empty() || id.chars().count() > MAX_ID_CHARS) {
                return Err(ApiError::invalid("ids: each must have from 1 to 100 characters"));
            }
            Ok(Wanted::Ids(ids.into_iter().collect()))
        }
        (None, Some(queue), false) => Ok(Wanted::Queue(work_queue(&queue)?)),
        (None, None, true) => Ok(Wanted::All),
        _ => Err(ApiError::invalid("send exactly one of ids, queue and \"all\": true")),
    }
}

#[cfg(test)]
mod tests {
    use integrations::dead_letters::WorkQueue;

    use super::*;

    #[test]
    fn exactly_one_choice_is_taken() {
        let choose = |body: serde_json::Value| wanted(serde_json::from_value(body).unwrap());
        assert_eq!(choose(json!({"all": true})).unwrap(), Wanted::All);
        assert_eq!(choose(json!({"queue": "webhook"})).unwrap(), Wanted::Queue(WorkQueue::Webhook));
        let ids = choose(json!({"ids": ["b", "a", "b"]})).unwrap();
        assert_eq!(ids, Wanted::Ids(["a".to_owned(), "b".to_owned()].into()));
        for refused in [
            json!({}),
            json!({"all": false}),
            json!({"ids": []}),
            json!({"ids": [""]}),
            json!({"ids": ["x".repeat(101)]}),
            json!({"ids": vec!["x"; 101]}),
            json!({"queue": "dead"}),
            json!({"queue": "sync", "all": true}),
            json!({"ids": ["a"], "all": true}),
            json!({"ids": ["a"], "queue": "sync"}),
        ] {
            assert_eq!(choose(refused.clone()).unwrap_err().status.as_u16(), 422, "{refused}");
        }
    }
}
