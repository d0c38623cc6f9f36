//! Google's own Python client works with the sandbox.
//!
//! `SANDBOX_GOOGLE_PYTHON` names a Python that has `google-api-python-client`.
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
fn googles_own_client_lists_pages_exports_downloads_watches_and_reads_changes() {
    let python = std::env::var("SANDBOX_GOOGLE_PYTHON")
        .expect("SANDBOX_GOOGLE_PYTHON must name a Python with google-api-python-client; `make test` sets it");
    let sandbox = running::Running::start(&[]);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("official/drive_client.py");
    let run = Command::new(python).arg(script).arg(&sandbox.url).output().expect("Python starts");
    let said = format!("{}{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success(), "{said}");
    assert!(said.contains("all checks passed"), "{said}");
}
