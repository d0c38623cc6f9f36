//! The GraphQL API, as far as connectors ask it: queries are parsed and carried out field by field, unknown fields are errors.

mod parse;
mod run;

use serde_json::{Value, json};

use super::{
    api::{Answer, Said},
    error::ApiError,
    state::GitHub,
};

/// `POST /graphql`.
pub fn answer(github: &GitHub, login: &str, body: &[u8]) -> Answer {
    if !github.settings.graphql {
        return Err(ApiError::not_found());
    }
    let body: Value = serde_json::from_slice(body)
        .map_err(|_| ApiError::new(axum::http::StatusCode::BAD_REQUEST, "Problems parsing JSON"))?;
    let text = body.get("query").and_then(Value::as_str).unwrap_or_default();
    let query = match parse::query(text) {
        Ok(query) => query,
        Err(wrong) => return Ok(Said::One(json!({ "errors": [{ "message": wrong }] }))),
    };
    let mut run = run::Run {
        github,
        login,
        query: &query,
        variables: body.get("variables").unwrap_or(&Value::Null),
        errors: Vec::new(),
    };
    let data = run.root();
    // What is wrong with a query itself leaves no data; what is merely not there leaves the rest.
    let is_wrong = run.errors.iter().any(|error| error.get("type").is_none());
    let said = match (run.errors.is_empty(), is_wrong) {
        (true, _) => json!({ "data": data }),
        (false, true) => json!({ "errors": run.errors }),
        (false, false) => json!({ "data": data, "errors": run.errors }),
    };
    Ok(Said::One(said))
}
