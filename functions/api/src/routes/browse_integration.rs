//! `GET …/integrations/{provider}/browse?parent=&cursor=`: what there is to choose from for an integration's `config`.
//!
//! Only who may configure may look: it shows names from the whole account, not only from the part of it that is synced.

use axum::extract::State;
use providers::Choice;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use web::{List, OwnerAdmin, Query};

use crate::error::Result;
use crate::path::Provider;
use crate::state::Api;

/// Where to look.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Look {
    /// The id of something with children; without it, where one begins.
    #[param(max_length = 4096, example = "root")]
    parent: Option<String>,
    /// Where to go on: the `nextCursor` of the page before.
    #[param(max_length = 4096)]
    cursor: Option<String>,
}

/// Something that can be chosen or looked into.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Choice)]
pub struct ChoiceRow {
    /// The provider's id of it: what goes into the `config`, and what `parent` takes.
    #[schema(example = "root")]
    id: String,
    /// Its name.
    #[schema(example = "My Drive")]
    name: String,
    /// What it is.
    #[schema(example = "folder")]
    kind: &'static str,
    /// The field of the `config` that takes its id, in a list; null if it can only be looked into.
    #[schema(example = "folders")]
    field: Option<&'static str>,
    /// Whether there may be something inside.
    has_children: bool,
}

impl From<Choice> for ChoiceRow {
    fn from(choice: Choice) -> Self {
        let Choice { id, name, kind, field, has_children } = choice;
        Self { id, name, kind, field, has_children }
    }
}

/// Lists what can be chosen: folders, drives, channels, repositories, as the account shows them now.
#[utoipa::path(get, path = "/{provider}/browse", tag = "integrations", params(Look),
    responses((status = 200, description = "A page of choices", body = List<ChoiceRow>),
        (status = 409, description = "It is disconnected, or in need of a new connection"),
        (status = 429, description = "The account's limit at the provider is reached")))]
pub async fn browse_integration(
    OwnerAdmin(scope): OwnerAdmin,
    Provider(provider): Provider,
    Query(look): Query<Look>,
    State(api): State<Api>,
) -> Result<List<ChoiceRow>> {
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    let (parent, cursor) = (given(look.parent), given(look.cursor));
    let choices = api.integrations.browse(&scope.owner, provider, parent.as_deref(), cursor.as_deref()).await?;
    let data = choices.items.into_iter().map(Into::into).collect();
    Ok(List { success: true, data, next_cursor: choices.next })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_says_where_its_id_goes() {
        let row = |field| {
            let choice =
                Choice { id: "C1".into(), name: "general".into(), kind: "channel", field, has_children: false };
            serde_json::to_value(ChoiceRow::from(choice)).unwrap()
        };
        insta::assert_snapshot!(row(Some("channels")), @r#"{"field":"channels","hasChildren":false,"id":"C1","kind":"channel","name":"general"}"#);
        assert_eq!(row(None)["field"], serde_json::Value::Null);
    }
}
