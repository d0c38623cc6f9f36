//! `chaos-proxy STACK AWS_PORT:EMULATOR_PORT PROVIDERS_PORT:SANDBOX_PORT`: the fault proxy of a local stack, until it is stopped.

use anyhow::Context as _;
use testkit::proxy::{self, Ports};

const USAGE: &str = "chaos-proxy STACK AWS_PORT:EMULATOR_PORT PROVIDERS_PORT:SANDBOX_PORT";

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [stack, aws, provider] = arguments.as_slice() else { anyhow::bail!(USAGE) };
    proxy::serve(stack, Ports { aws: pair(aws).context(USAGE)?, provider: pair(provider).context(USAGE)? }).await
}

/// Where to listen, and what is behind.
fn pair(text: &str) -> Option<(u16, u16)> {
    let (own, behind) = text.split_once(':')?;
    Some((own.parse().ok()?, behind.parse().ok()?))
}
