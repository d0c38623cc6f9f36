//! The OpenAPI document: written by the handlers' annotations, completed by rules that hold for all of them ([`complete`]), and
//! committed as `infra/openapi.json`, which is what is served. A test compares the two; `UPDATE_OPENAPI=1 cargo test -p api`
//! writes it anew.

#[cfg(test)]
mod complete;
#[cfg(test)]
mod examples;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod tests;

use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder};

/// The document as it is committed: the same for every deployment.
pub const COMMITTED: &str = include_str!("../../../../infra/openapi.json");

/// What the document says of the API as a whole.
const ABOUT: &str = "\
Connects accounts at other services and keeps their content in Cognia's memory.

Answers are `{\"success\":true,\"data\":…}`, lists with `nextCursor`; refusals are \
`{\"success\":false,\"error\":…,\"code\":…,\"requestId\":…}`. The words in `code` are stable, `error` is for people. Times are \
RFC 3339 in UTC. `Retry-After` says when a request that was refused for now may succeed.

Callers send `Authorization: Bearer <token>`, or the session's cookie. With the cookie, what changes something is believed only \
from pages of the application or of this API.

Where a request takes an `Idempotency-Key`, repeating it with the same key and body does nothing twice and gives the first \
answer again, marked `Idempotency-Replayed: true`.";

/// What the groups of operations are, in the order in which they are shown.
const TAGS: [(&str, &str); 4] = [
    ("integrations", "A person's connected accounts"),
    ("integrations of organizations", "An organization's connected accounts: members read, its administrators act"),
    ("administration", "For administrators of the platform"),
    ("about", "About the API itself; needs no token"),
];

/// The document before the handlers have added theirs.
pub fn head() -> OpenApi {
    let info = InfoBuilder::new()
        .title("Cognia Integrations")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(ABOUT))
        .license(Some(LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build()))
        .build();
    let tags = TAGS.map(|(name, words)| TagBuilder::new().name(name).description(Some(words)).build());
    OpenApiBuilder::new().info(info).tags(Some(tags)).build()
}

/// The document of the API at this address, which is all that differs between deployments.
pub fn at(public_url: &str) -> String {
    let servers = serde_json::json!([{ "url": public_url }]);
    let rest = COMMITTED.trim_start().strip_prefix('{').unwrap_or_default();
    format!("{{\n  \"servers\": {servers},{rest}")
}
