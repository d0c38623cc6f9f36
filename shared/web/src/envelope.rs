//! The forms that answers travel in: `{"success":true,"data":…}`, lists with `nextCursor`, and the error's.

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

/// A successful answer.
#[derive(Debug, Serialize, ToSchema)]
pub struct Data<T> {
    /// Always true.
    #[schema(example = true)]
    pub success: bool,
    /// What was asked for.
    pub data: T,
}

impl<T> Data<T> {
    /// Wraps what was asked for.
    pub const fn new(data: T) -> Self {
        Self { success: true, data }
    }

    /// The same as an answer with status 202: accepted, and done later.
    pub const fn accepted(data: T) -> (StatusCode, Self) {
        (StatusCode::ACCEPTED, Self::new(data))
    }
}

impl<T: Serialize> IntoResponse for Data<T> {
    fn into_response(self) -> Response {
        axum::Json(self).into_response()
    }
}

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct List<T> {
    /// Always true.
    #[schema(example = true)]
    pub success: bool,
    /// The rows.
    pub data: Vec<T>,
    /// Where the next page begins: pass it as `cursor`. Null on the last page.
    pub next_cursor: Option<String>,
}

impl<T> List<T> {
    /// A page, and where the next one begins.
    pub fn new(data: Vec<T>, next: Option<&store::Cursor>) -> Self {
        Self { success: true, data, next_cursor: next.map(ToString::to_string) }
    }
}

impl<T: Serialize> IntoResponse for List<T> {
    fn into_response(self) -> Response {
        axum::Json(self).into_response()
    }
}

/// An answer that is not what was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ErrorBody {
    /// Always false.
    #[schema(example = false)]
    pub success: bool,
    /// What is wrong, for people.
    #[schema(example = "unknown provider")]
    pub error: String,
    /// What is wrong, for programs; these words are stable.
    #[schema(example = "unknown_provider")]
    pub code: String,
    /// Names this request in our logs.
    #[schema(example = "01JD0000000000000000000009")]
    pub request_id: String,
    /// The limit that was met, where one was (402, some 403): `integrations`, `sync_frequency` or `provider`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "integrations")]
    pub limit: Option<String>,
    /// How much of it the plan allows: a number or a word.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "1")]
    pub allowed: Option<String>,
    /// The owner's plan, where it is what limits.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "free")]
    pub plan: Option<String>,
    /// The plan that would lift the limit, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "pro")]
    pub upgrade: Option<String>,
}

/// What a plan limits, and what would lift it. Its fields stand in the error's body, beside `code`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// What is limited: `integrations`, `sync_frequency` or `provider`.
    pub limit: &'static str,
    /// How much the plan allows, where that is a number or a word: `1`, `DAILY`.
    pub allowed: Option<String>,
    /// The owner's plan.
    pub plan: String,
    /// The next plan that allows what was asked for, where one does.
    pub upgrade: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_look_as_the_contract_says() {
        let check = |value: serde_json::Value, expected: &str| assert_eq!(value.to_string(), expected);
        check(serde_json::to_value(Data::new(1)).unwrap(), r#"{"data":1,"success":true}"#);
        check(
            serde_json::to_value(List::new(vec![1], None)).unwrap(),
            r#"{"data":[1],"nextCursor":null,"success":true}"#,
        );
    }
}
