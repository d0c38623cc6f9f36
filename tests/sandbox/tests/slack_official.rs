//! Slack's own client works with the sandbox, and its types fit what the sandbox answers and sends.
//!
//! `SANDBOX_SLACK_NODE` names the `node_modules` that has `@slack/web-api`, `@slack/types` and `typescript`.
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "this is a test"
)]

#[allow(dead_code, reason = "each test uses a part of it")]
mod running;

use std::{path::Path, process::Command};

#[test]
fn slacks_own_client_connects_lists_pages_refreshes_and_hears_events_of_its_own_types() {
    let modules = std::env::var("SANDBOX_SLACK_NODE")
        .expect("SANDBOX_SLACK_NODE must name a node_modules with @slack/web-api; `make test` sets it");
    let sandbox = running::Running::start(&[]);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("official/slack_client.js");
    let run =
        Command::new("node").env("NODE_PATH", modules).arg(script).arg(&sandbox.url).output().expect("node starts");
    let said = format!("{}{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success(), "{said}");
    assert!(said.contains("all checks passed"), "{said}");
}
