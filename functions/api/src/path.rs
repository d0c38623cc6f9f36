//! The path's ids, read where they are needed. What has not the form of an id names nothing: 404, as for one that is unknown.

use std::convert::Infallible;

use axum::extract::{FromRequestParts, RawPathParams};
use domain::{JobId, OrganizationId, Owner, ProviderId, UserId};
use http::Method;
use http::request::Parts;
use web::ApiError;

use crate::error::{unknown_job, unknown_provider};

async fn param(parts: &mut Parts, name: &str) -> Option<String> {
    let params = RawPathParams::from_request_parts(parts, &()).await.ok()?;
    params.iter().find_map(|(key, value)| (key == name).then(|| value.to_owned()))
}

/// `{provider}`.
#[derive(Debug, Clone, Copy)]
pub struct Provider(pub ProviderId);

impl<S: Send + Sync> FromRequestParts<S> for Provider {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let text = param(parts, "provider").await.unwrap_or_default();
        text.parse().map(Self).map_err(|_| unknown_provider())
    }
}

/// `{provider}` as it stands there, for the callback, which answers everything with a redirect.
#[derive(Debug, Clone)]
pub struct ProviderText(pub String);

impl<S: Send + Sync> FromRequestParts<S> for ProviderText {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(param(parts, "provider").await.unwrap_or_default()))
    }
}

/// `{slug}` of the organization whose callback is meant; none for the shared callback, nor for what cannot be a slug.
#[derive(Debug, Clone)]
pub struct Organization(pub Option<Owner>);

impl<S: Send + Sync> FromRequestParts<S> for Organization {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let slug = param(parts, "slug").await;
        Ok(Self(slug.and_then(|slug| OrganizationId::new(slug).ok()).map(Owner::Organization)))
    }
}

/// `{jobId}`.
#[derive(Debug, Clone, Copy)]
pub struct Job(pub JobId);

impl<S: Send + Sync> FromRequestParts<S> for Job {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let text = param(parts, "jobId").await.unwrap_or_default();
        text.parse().map(Self).map_err(|_| unknown_job())
    }
}

/// `{userId}`.
#[derive(Debug, Clone)]
pub struct User(pub UserId);

impl<S: Send + Sync> FromRequestParts<S> for User {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let text = param(parts, "userId").await.unwrap_or_default();
        UserId::new(text).map(Self).map_err(|_| ApiError::not_found("unknown_user", "this cannot be a user's id"))
    }
}

/// `{slug}` of an organization that an administrator of the platform names: small letters, digits and hyphens.
#[derive(Debug, Clone)]
pub struct Slug(pub OrganizationId);

/// Longest slug; it stands in URLs and object names.
const MAX_SLUG_BYTES: usize = 64;

fn is_slug(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let ends_well = text.bytes().next().is_some_and(word) && text.bytes().last().is_some_and(word);
    ends_well && text.len() <= MAX_SLUG_BYTES && text.bytes().all(|byte| word(byte) || byte == b'-')
}

impl<S: Send + Sync> FromRequestParts<S> for Slug {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let text = param(parts, "slug").await.unwrap_or_default();
        let slug = Some(text).filter(|text| is_slug(text)).and_then(|text| OrganizationId::new(text).ok());
        slug.map(Self).ok_or_else(|| match parts.method {
            Method::GET => ApiError::not_found("unknown_organization", "there is no such organization"),
            _ => ApiError::invalid("slug: small letters, digits and hyphens, at most 64"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::is_slug;

    #[test]
    fn slugs_are_words_of_urls() {
        for good in ["acme", "a", "acme-2", "0"] {
            assert!(is_slug(good), "{good}");
        }
        for bad in ["", "-", "acme-", "-acme", "Acme", "a b", "a/b", "ä", &"a".repeat(65)] {
            assert!(!is_slug(bad), "{bad}");
        }
    }
}
