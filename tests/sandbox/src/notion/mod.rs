//! Notion, emulated: workspaces and OAuth, pages with blocks, databases, comments, webhooks.

mod api;
mod change;
mod contract;
mod control;
pub mod demo;
mod dialect;
mod error;
mod grants;
mod lists;
mod news;
mod oauth;
mod outline;
mod pages;
mod push;
mod shapes;
pub mod state;
mod truth;

use crate::{emulated::Emulated, state::Shared};

/// Notion in the table of providers.
pub const EMULATED: Emulated = Emulated {
    name: "notion",
    id: "notion",
    title: "Notion",
    routes: api::routes,
    dialect: dialect::NOTION,
    control: control::routes,
    pages: pages::routes,
    endpoints: |public_url| serde_json::json!({ "https://api.notion.com": format!("{public_url}/notion") }),
    front: pages::front,
    start,
    contract: contract::NOTION,
};

/// Sends webhooks.
fn start(sandbox: &Shared) {
    tokio::spawn(push::keep_telling(sandbox.clone()));
}
