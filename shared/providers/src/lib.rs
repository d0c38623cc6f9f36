#![doc = include_str!("../README.md")]

pub mod error;
pub mod provider;

pub mod addresses;
pub mod endpoints;
pub mod google_drive;
pub mod http;
pub mod oauth;
pub mod refresh_tokens;
mod refusal;
pub mod registry;
pub mod retry_after;
pub mod signature;
#[cfg(test)]
mod testing;

pub use self::http::Http;
pub use error::{Kind, ProviderError};
pub use provider::{
    Access, Account, Body, Delivery, Expected, Fetched, Flow, From, Gone, ListRequest, Listed, Manifest,
    NewSubscription, NotAuthentic, OAuth, Page, Provider, RefreshTokens, Registered, Webhooks,
};
pub use registry::Registry;
