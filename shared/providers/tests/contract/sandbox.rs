//! The sandbox's process, and its control API.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use reqwest::Client;
use serde_json::{Value, json};

/// The process; it ends with the test.
pub struct Sandbox {
    /// Its address.
    pub url: String,
    /// A browser, which stops at redirects so that the test can look at them.
    pub browser: Client,
    child: Child,
}

/// The program, built if it is not yet. It shares no code with the product, so it is no dependency that cargo would build for this test.
fn program() -> &'static str {
    static PROGRAM: OnceLock<String> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let build = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--package", "sandbox", "--bin", "sandbox", "--message-format", "json"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .stderr(Stdio::inherit())
            .output()
            .expect("cargo runs");
        assert!(build.status.success(), "the sandbox does not build");
        let told = String::from_utf8(build.stdout).unwrap();
        let built = told.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let program = built.filter_map(|line| line["executable"].as_str().map(str::to_owned)).next_back();
        program.expect("cargo names the program")
    })
}

impl Sandbox {
    /// Starts one without content, on a free port.
    pub fn start() -> Self {
        let mut child = Command::new(program())
            .env("SANDBOX_PORT", "0")
            .stdout(Stdio::piped())
            .spawn()
            .expect("the sandbox starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port = line.trim().trim_end_matches(')').rsplit(' ').next().unwrap().to_owned();
        let browser = Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().unwrap();
        Self { url: format!("http://localhost:{port}"), browser, child }
    }

    /// A control request with a JSON body.
    pub async fn control(&self, method: &str, path: &str, body: Value) -> Value {
        let request = self.browser.request(method.parse().unwrap(), format!("{}/control/{path}", self.url));
        let response = request.json(&body).send().await.unwrap();
        let status = response.status();
        let answer: Value = response.json().await.unwrap();
        assert!(status.is_success(), "{method} {path}: {status} {answer}");
        answer
    }

    /// Has requests to `operation` (an empty one: all) of the emulated provider spoiled, so often (`None`: until [`Self::mend`]).
    pub async fn spoil(&self, operation: &str, mut fault: Value, times: Option<u64>) {
        if !operation.is_empty() {
            fault["match"] = json!({ "operation": operation });
        }
        fault["times"] = json!(times);
        self.control("POST", "faults", fault).await;
    }

    /// Ends all faults.
    pub async fn mend(&self) {
        self.control("DELETE", "faults", json!({})).await;
    }

    /// The operations that the emulated providers were asked for since the log was last emptied, OAuth left out; empties it.
    pub async fn calls(&self) -> Vec<String> {
        let log = self.control("GET", "requests", json!({})).await;
        self.control("DELETE", "requests", json!({})).await;
        let names =
            log["requests"].as_array().unwrap().iter().map(|entry| entry["operation"].as_str().unwrap().to_owned());
        names.filter(|name| !name.starts_with("oauth")).collect()
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
