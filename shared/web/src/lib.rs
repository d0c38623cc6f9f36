#![doc = include_str!("../README.md")]

pub mod accept;
pub mod access;
pub mod auth;
pub mod cookie;
pub mod envelope;
pub mod error;
pub mod extract;
pub mod origin;
pub mod page;
pub mod request;

pub use access::{Access, Caller, OwnerAdmin, OwnerRead, PlatformAdmin, Scope, Session};
pub use auth::Authenticator;
pub use envelope::{Data, ErrorBody, Limit, List};
pub use error::ApiError;
pub use extract::{Body, Json, Path, Query};
pub use origin::Origins;
pub use page::Page;
pub use request::RequestId;
