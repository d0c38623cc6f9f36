//! What the sandbox is told by its environment, read once at start.

use std::{collections::BTreeMap, path::PathBuf};

use anyhow::{Context, Result};

/// All settings of one running sandbox.
#[derive(Debug, Clone)]
pub struct Config {
    /// `SANDBOX_PORT`, default 4600; 0 takes any free port, which the line printed at start names.
    pub port: u16,
    /// `SANDBOX_STATE`: a JSON file in which everything survives a restart; absent: memory only.
    pub state_file: Option<PathBuf>,
    /// `SANDBOX_DEMO=1`: fill an empty sandbox with sample accounts and files.
    pub demo: bool,
    /// `SANDBOX_PUBLIC_URL`, default `http://localhost:<port>`: how others reach the sandbox; no trailing slash.
    pub public_url: Option<String>,
    /// `APP_API_URL` and `APP_TOKENS`: the page that stands in for the host application; absent without the first.
    pub app: Option<HostApp>,
}

/// The API that the stand-in for the host application shows, and its users.
#[derive(Debug, Clone)]
pub struct HostApp {
    /// Base URL of the API, without trailing slash.
    pub api_url: String,
    /// Bearer token of each user, by name.
    pub tokens: BTreeMap<String, String>,
}

impl Config {
    /// Reads the environment; the error names the variable that is malformed.
    pub fn from_env() -> Result<Self> {
        let port = match variable("SANDBOX_PORT") {
            Some(text) => text.parse().context("SANDBOX_PORT is not a port number")?,
            None => 4600,
        };
        let app = match variable("APP_API_URL") {
            Some(url) => Some(HostApp {
                api_url: url.trim_end_matches('/').to_owned(),
                tokens: match variable("APP_TOKENS") {
                    Some(json) => {
                        serde_json::from_str(&json).context("APP_TOKENS is not an object of user to token")?
                    }
                    None => BTreeMap::new(),
                },
            }),
            None => None,
        };
        Ok(Self {
            port,
            state_file: variable("SANDBOX_STATE").map(PathBuf::from),
            demo: variable("SANDBOX_DEMO").is_some_and(|value| value == "1" || value == "true"),
            public_url: variable("SANDBOX_PUBLIC_URL").map(|url| url.trim_end_matches('/').to_owned()),
            app,
        })
    }
}

#[expect(clippy::disallowed_methods, reason = "the sandbox shares no code with the product, so it reads its own")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
