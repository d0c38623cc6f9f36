//! Who calls, and what the token allows.

use std::collections::BTreeSet;

use axum::http::{HeaderMap, header};

use crate::{
    clock,
    google::{
        error::ApiError,
        state::{Account, Google},
    },
};

const PREFIX: &str = "https://www.googleapis.com/auth/";

/// What an operation needs; each is satisfied by several scopes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Names, listings, changes.
    Metadata,
    /// Downloads and exports.
    Content,
    /// Listing shared drives.
    Drives,
}

impl Need {
    fn scopes(self) -> &'static [&'static str] {
        match self {
            Self::Metadata => &["drive", "drive.readonly", "drive.metadata", "drive.metadata.readonly", "drive.file"],
            Self::Content => &["drive", "drive.readonly", "drive.file"],
            Self::Drives => &["drive", "drive.readonly"],
        }
    }
}

/// The caller of one request.
#[derive(Debug, Clone)]
pub struct Caller {
    pub account: Account,
    pub client: String,
    /// False when the token only covers files that the app itself made; here it made none.
    pub sees_all: bool,
}

impl Caller {
    /// Recognizes the caller by the bearer token, or by `access_token` in the address.
    pub fn recognize(
        google: &Google,
        headers: &HeaderMap,
        in_query: Option<&str>,
        need: Need,
    ) -> Result<Self, ApiError> {
        let token = bearer(headers).or(in_query).ok_or_else(ApiError::no_token)?;
        let access = google.grants.access(token, clock::now()).ok_or_else(ApiError::bad_token)?;
        let account = google.accounts.get(&access.account).ok_or_else(ApiError::bad_token)?;
        let scopes: BTreeSet<&str> = access.scopes.iter().filter_map(|scope| scope.strip_prefix(PREFIX)).collect();
        if !need.scopes().iter().any(|scope| scopes.contains(scope)) {
            let message = "Insufficient Permission: Request had insufficient authentication scopes.";
            return Err(ApiError::forbidden("insufficientPermissions", message));
        }
        let wide = ["drive", "drive.readonly", "drive.metadata", "drive.metadata.readonly"];
        Ok(Self {
            account: account.clone(),
            client: access.client.clone(),
            sees_all: wide.iter().any(|scope| scopes.contains(scope)),
        })
    }
}

/// The token of the `Authorization` header.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}
