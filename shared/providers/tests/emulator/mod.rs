//! npm's `emulate`, which other people wrote: its process, and a person's browser in front of it. `EMULATE` names its program.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The emulator's process; ended with the test.
pub struct Emulator {
    process: Child,
    /// Where it listens.
    pub url: String,
}

impl Drop for Emulator {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Starts one of its services with the content of a seed file of this folder.
#[expect(clippy::disallowed_methods, reason = "the test is told by its caller where the emulator is installed")]
pub async fn start(service: &str, seed: &str) -> Emulator {
    let program = std::env::var("EMULATE").expect("EMULATE names npm's emulate program; `make test` installs it");
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let process = Command::new(program)
        .args(["--service", service, "--port", &port.to_string()])
        .args(["--seed", &format!("{}/tests/{seed}", env!("CARGO_MANIFEST_DIR"))])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("node starts the emulator");
    let emulator = Emulator { process, url: format!("http://localhost:{port}") };
    let started = Instant::now();
    while browser().get(&emulator.url).send().await.is_err() {
        assert!(started.elapsed() < Duration::from_secs(30), "the emulator does not answer at {}", emulator.url);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    emulator
}

/// A person's browser, which stops at redirects so that the test can look at them.
pub fn browser() -> reqwest::Client {
    reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap()
}
