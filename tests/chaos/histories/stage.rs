//! The stack, its emulated provider and its fault proxy.

use anyhow::Context as _;
use testkit::people::{self, Wanted};
use testkit::proxy::{Control, Sent};
use testkit::{Actor, Sandbox, Stack};

use crate::person::Person;

/// Where histories play.
pub struct Stage {
    pub stack: Stack,
    pub store: store::Store,
    pub sandbox: Sandbox,
    pub proxy: Control,
    /// Who runs the platform.
    pub admin: Actor,
}

impl Stage {
    /// The stack that is up, with nothing broken.
    pub async fn new() -> anyhow::Result<Self> {
        let stack = Stack::load()?;
        let url = stack.proxy_url.as_deref().context("this stack has no fault proxy: `make chaos` brings one up")?;
        let proxy = Control::at(url)?;
        let sandbox = Sandbox::at(stack.sandbox_url.as_deref().context("this stack has no sandbox")?)?;
        let store = stack.store().await?;
        let token = people::token(&stack, &store, &Wanted::user("chaos-admin").admin()).await?;
        let admin = Actor::new(&stack.api_url, Some(token))?;
        Ok(Self { stack, store, sandbox, proxy, admin })
    }

    /// Ends a person's faults.
    pub async fn calm(&self, person: &Person<'_>) -> anyhow::Result<()> {
        self.proxy.plan(&person.id, &[]).await?;
        let faults = self.sandbox.call("GET", "faults", None).await?;
        for fault in faults["faults"].as_array().into_iter().flatten() {
            if fault.to_string().contains(&person.google) {
                // It may have struck for the last time meanwhile, and be gone.
                self.sandbox.call("DELETE", &format!("faults/{}", fault["id"]), None).await.ok();
            }
        }
        Ok(())
    }

    /// Sets how many minutes the provider's clock is ahead of ours, for everybody.
    pub async fn set_clock(&self, minutes: i64) -> anyhow::Result<()> {
        let offset = serde_json::json!({ "offsetMs": minutes * 60_000 });
        self.sandbox.call("POST", "clock", Some(&offset)).await.map(drop)
    }

    /// Puts a message on its queue once more, as it was sent.
    pub async fn send_again(&self, sent: &Sent) -> anyhow::Result<()> {
        let body = sent.message["MessageBody"].as_str().context("a message without a body")?;
        self.stack.send_text(&sent.queue_url, body, &sent.message["MessageAttributes"]).await
    }
}
