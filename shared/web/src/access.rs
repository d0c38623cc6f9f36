//! Who may do what. A handler takes one of these extractors, so that it cannot forget to ask: [`Caller`] for anybody who is
//! signed in, [`OwnerRead`] and [`OwnerAdmin`] for an owner's integrations, [`PlatformAdmin`] for what concerns everybody.
//!
//! Paths below `/api/organizations/{slug}` mean the organization, all others the caller's own. To a stranger an organization
//! looks the same whether it exists or not.

use axum::extract::{FromRef, FromRequestParts, RawPathParams};
use domain::clock::SharedClock;
use domain::plan::{Plan, PlatformRole, Role};
use domain::{OrganizationId, Owner, UserId};
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderMap, Method};
use store::{Store, User};

use crate::auth::Authenticator;
use crate::cookie;
use crate::error::ApiError;
use crate::origin::Origins;

/// The cookie that carries a session's token.
pub const SESSION_COOKIE: &str = "cognia_session";

/// What access is decided by. Part of the router's state.
#[derive(Clone)]
pub struct Access {
    /// Checks tokens.
    pub authenticator: Authenticator,
    /// Knows users, organizations and memberships.
    pub store: Store,
    /// Dates a user's first sight.
    pub clock: SharedClock,
    /// Pages whose cookies are believed when they change something.
    pub origins: Origins,
}

/// A token, and how it came.
enum Credential<'a> {
    Bearer(&'a str),
    Cookie(&'a str),
}

impl<'a> Credential<'a> {
    /// The token of a request. An `Authorization` header decides alone, even if it is of no use.
    fn of(headers: &'a HeaderMap) -> Result<Self, ApiError> {
        if let Some(value) = headers.get(AUTHORIZATION) {
            let (scheme, token) = value.to_str().ok().and_then(|text| text.split_once(' ')).unwrap_or_default();
            if !scheme.eq_ignore_ascii_case("bearer") {
                return Err(ApiError::unauthenticated("invalid_token", "send Authorization: Bearer <token>"));
            }
            return Ok(Self::Bearer(token.trim()));
        }
        let token = cookie::read(headers, SESSION_COOKIE).filter(|token| !token.is_empty());
        token.map(Self::Cookie).ok_or_else(|| ApiError::unauthenticated("unauthenticated", "please sign in"))
    }
}

impl Access {
    /// Whom the request's token names. No row is read or made.
    async fn subject(&self, parts: &Parts) -> Result<UserId, ApiError> {
        let token = match Credential::of(&parts.headers)? {
            Credential::Bearer(token) => token,
            Credential::Cookie(token) => {
                self.check_origin(parts)?;
                token
            }
        };
        Ok(self.authenticator.verify(token).await?)
    }

    /// Browsers send a cookie along with other sites' forms. What changes something is therefore believed only from pages
    /// of ours; without this, any page could disconnect an integration of whoever visits it.
    fn check_origin(&self, parts: &Parts) -> Result<(), ApiError> {
        let changes = !matches!(parts.method, Method::GET | Method::HEAD | Method::OPTIONS);
        if changes && self.origins.allowed(&parts.headers).is_none() {
            return Err(ApiError::forbidden("foreign_origin", "this page may not act for you here"));
        }
        Ok(())
    }

    async fn caller(&self, parts: &Parts) -> Result<User, ApiError> {
        let id = self.subject(parts).await?;
        let user = self.store.user_on_first_sight(&id, self.clock.now()).await?;
        if !user.active {
            return Err(ApiError::forbidden("account_inactive", "this account has been deactivated"));
        }
        Ok(user)
    }

    /// Whose integrations the path means, for a caller who has at least this role there.
    async fn scope(&self, parts: &mut Parts, at_least: Role) -> Result<Scope, ApiError> {
        let user = self.caller(parts).await?;
        let Some(slug) = slug(parts).await? else {
            return Ok(Scope { owner: Owner::User(user.id.clone()), plan: user.plan, caller: user });
        };
        let stranger =
            || ApiError::not_found("unknown_organization", "there is no such organization, or you are no member");
        let id = OrganizationId::new(slug).map_err(|_| stranger())?;
        let role = self.store.membership(&id, &user.id).await?.ok_or_else(stranger)?;
        let organization = self.store.get_organization(&id).await?.ok_or_else(stranger)?;
        if role < at_least {
            return Err(ApiError::forbidden("role_too_low", "only administrators of the organization may do this"));
        }
        Ok(Scope { owner: Owner::Organization(id), plan: organization.plan, caller: user })
    }
}

/// The path's organization, where it names one.
async fn slug(parts: &mut Parts) -> Result<Option<String>, ApiError> {
    let params = RawPathParams::from_request_parts(parts, &()).await;
    // What is not UTF-8 is no slug of ours.
    let params = params.map_err(|_| ApiError::not_found("unknown_route", "there is nothing at this address"))?;
    Ok(params.iter().find_map(|(name, value)| (name == "slug").then(|| value.to_owned())))
}

/// Somebody who is signed in. Users appear in the directory on first sight.
#[derive(Debug, Clone)]
pub struct Caller(pub User);

/// Who is signed in in this browser, if anybody: for the OAuth callback, which anybody may reach.
#[derive(Debug, Clone)]
pub struct Session(pub Option<UserId>);

/// An owner, and the caller who may see or change what is theirs.
#[derive(Debug, Clone)]
pub struct Scope {
    /// Whose integrations are meant.
    pub owner: Owner,
    /// What the owner pays for.
    pub plan: Plan,
    /// Who calls.
    pub caller: User,
}

/// May read: the person themself, or any member of the organization.
#[derive(Debug, Clone)]
pub struct OwnerRead(pub Scope);

/// May act: the person themself, or an administrator of the organization.
#[derive(Debug, Clone)]
pub struct OwnerAdmin(pub Scope);

/// Runs the platform.
#[derive(Debug, Clone)]
pub struct PlatformAdmin(pub User);

impl<S: Send + Sync> FromRequestParts<S> for Caller
where
    Access: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        Access::from_ref(state).caller(parts).await.map(Self)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Session
where
    Access: FromRef<S>,
{
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        Ok(Self(Access::from_ref(state).subject(parts).await.ok()))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for OwnerRead
where
    Access: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        Access::from_ref(state).scope(parts, Role::Viewer).await.map(Self)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for OwnerAdmin
where
    Access: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        Access::from_ref(state).scope(parts, Role::Admin).await.map(Self)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for PlatformAdmin
where
    Access: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let user = Access::from_ref(state).caller(parts).await?;
        match user.role {
            PlatformRole::Admin => Ok(Self(user)),
            PlatformRole::User => {
                Err(ApiError::forbidden("not_an_admin", "only administrators of the platform may do this"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), http::HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn a_bearer_token_comes_before_the_cookie_and_a_bad_header_does_not_fall_back() {
        let check = |pairs: &[(&'static str, &'static str)], expected: Result<(&str, &str), &str>| {
            let headers = headers(pairs);
            let got = Credential::of(&headers).map(|credential| match credential {
                Credential::Bearer(token) => ("bearer", token),
                Credential::Cookie(token) => ("cookie", token),
            });
            assert_eq!(got.map_err(|error| error.code), expected, "{pairs:?}");
        };
        check(&[("authorization", "Bearer a.b.c")], Ok(("bearer", "a.b.c")));
        check(&[("authorization", "bearer a.b.c")], Ok(("bearer", "a.b.c")));
        check(&[("authorization", "Bearer a"), ("cookie", "cognia_session=b")], Ok(("bearer", "a")));
        check(&[("cookie", "cognia_session=b")], Ok(("cookie", "b")));
        check(&[("authorization", "Basic a"), ("cookie", "cognia_session=b")], Err("invalid_token"));
        check(&[("authorization", ""), ("cookie", "cognia_session=b")], Err("invalid_token"));
        check(&[("cookie", "cognia_session=")], Err("unauthenticated"));
        check(&[], Err("unauthenticated"));
    }
}
