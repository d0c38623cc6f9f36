//! Paging: `?cursor=&limit=`, the cursor opaque and checked, the limit from 1 to 100.

use axum::extract::FromRequestParts;
use http::StatusCode;
use http::request::Parts;
use serde::Deserialize;
use store::Cursor;
use utoipa::IntoParams;

use crate::error::ApiError;
use crate::extract::Query;

/// Rows on a page when the client does not say.
pub const DEFAULT_LIMIT: u32 = 20;
/// Rows on a page at most.
pub const MAX_LIMIT: u32 = 100;

/// The query's words, as the OpenAPI document shows them.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// Where to begin: the `nextCursor` of the page before.
    pub cursor: Option<String>,
    /// Rows on the page.
    #[param(minimum = 1, maximum = 100, default = 20)]
    pub limit: Option<u32>,
}

/// Where a page begins and how many rows it has at most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Where to begin; `None` is the first page.
    pub cursor: Option<Cursor>,
    /// 1 to [`MAX_LIMIT`].
    pub limit: u32,
}

impl TryFrom<PageQuery> for Page {
    type Error = ApiError;

    fn try_from(query: PageQuery) -> Result<Self, ApiError> {
        let limit = query.limit.unwrap_or(DEFAULT_LIMIT);
        if !(1..=MAX_LIMIT).contains(&limit) {
            return Err(ApiError::invalid("limit: must be from 1 to 100"));
        }
        let cursor = query.cursor.filter(|text| !text.is_empty()).map(|text| Cursor::parse(&text)).transpose();
        let cursor = cursor.map_err(|error| {
            ApiError::new(StatusCode::BAD_REQUEST, "bad_cursor", "cursor: not a cursor of this list").because(error)
        })?;
        Ok(Self { cursor, limit })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Page {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Query(query) = Query::<PageQuery>::from_request_parts(parts, state).await?;
        query.try_into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_and_cursors_are_checked() {
        let check = |cursor: Option<&str>, limit, expected: Result<u32, &str>| {
            let query = PageQuery { cursor: cursor.map(str::to_owned), limit };
            assert_eq!(
                Page::try_from(query).map(|page| page.limit).map_err(|e| e.code),
                expected,
                "{cursor:?} {limit:?}"
            );
        };
        check(None, None, Ok(20));
        check(None, Some(1), Ok(1));
        check(None, Some(100), Ok(100));
        check(Some(""), Some(5), Ok(5));
        check(None, Some(0), Err("invalid_value"));
        check(None, Some(101), Err("invalid_value"));
        check(Some("%%%"), None, Err("bad_cursor"));
    }
}
