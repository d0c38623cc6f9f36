#![doc = include_str!("../README.md")]

pub mod error;
pub mod provider;

pub mod addresses;
pub mod credentials;
pub mod endpoints;
pub mod github;
pub mod google_drive;
pub mod http;
pub mod notion;
pub mod oauth;
pub mod refresh_tokens;
mod refusal;
pub mod registry;
pub mod retry_after;
pub mod signature;
pub mod slack;
#[cfg(test)]
mod testing;
pub mod webhooks;

pub use self::http::Http;
pub use credentials::Credentials;
pub use error::{Kind, ProviderError};
pub use provider::{
    Access, Account, Body, BrowseRequest, Call, Choice, Choices, Delivery, Expected, FetchRequest, Fetched, Flow, From,
    Gone, Handshake, ListRequest, Listed, Manifest, Meter, NewSubscription, NotAuthentic, OAuth, Page, Provider,
    RefreshTokens, Registered, Webhooks,
};
pub use registry::Registry;
