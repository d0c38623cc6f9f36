//! The cases, by what they are about.

mod answers;
mod changes;
mod errors;
mod hostile;
mod oauth;
mod promises;
mod pulls;
mod webhooks;
