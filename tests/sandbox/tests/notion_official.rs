//! Notion's own client works with the sandbox, and its types fit what the sandbox answers.
//!
//! `SANDBOX_NOTION_NODE` names the `node_modules` that has `@notionhq/client` and `typescript`.
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

fn modules() -> String {
    std::env::var("SANDBOX_NOTION_NODE")
        .expect("SANDBOX_NOTION_NODE must name a node_modules with @notionhq/client; `make test` sets it")
}

fn run(script: &str, said_at_the_end: &str) {
    let sandbox = running::Running::start(&[]);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("official").join(script);
    let run =
        Command::new("node").env("NODE_PATH", modules()).arg(script).arg(&sandbox.url).output().expect("node starts");
    let said = format!("{}{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success(), "{said}");
    assert!(said.contains(said_at_the_end), "{said}");
}

#[test]
fn notions_own_client_connects_searches_reads_blocks_and_verifies_webhooks() {
    run("notion_client.js", "all checks passed");
}

#[test]
fn every_answer_and_every_webhook_fits_the_types_of_notions_own_client() {
    run("notion_types.js", "answers fit");
}
