//! The services that accounts can be connected at: the contract, and one folder for each.

pub mod error;
pub mod provider;

pub use error::{Kind, ProviderError};
pub use provider::{Access, Account, Body, Delivery, Fetched, Gone, ListRequest, Listed, Manifest, OAuth, Page, Provider, Webhooks};
