//! What tests tell the proxy and ask of it.

use std::collections::BTreeMap;

use anyhow::{Context as _, bail};
use serde::de::DeserializeOwned;

use super::{Fault, Need, OWN, Sent, Struck};

/// The proxy of a stack.
#[derive(Debug, Clone)]
pub struct Control {
    url: String,
    http: reqwest::Client,
}

impl Control {
    /// The proxy that listens here.
    ///
    /// # Errors
    /// If no HTTP client can be made.
    pub fn at(url: &str) -> anyhow::Result<Self> {
        Ok(Self { url: url.trim_end_matches('/').to_owned(), http: reqwest::Client::builder().no_proxy().build()? })
    }

    /// Sets what is to break for a person: somebody whose id stands nowhere else, and with whose id the address of their account begins.
    /// Counting begins anew. An empty plan breaks nothing.
    ///
    /// # Errors
    /// If the proxy is away.
    pub async fn plan(&self, person: &str, faults: &[Fault]) -> anyhow::Result<()> {
        let request = self.http.put(format!("{}{OWN}plan/{person}", self.url)).json(faults);
        let answer = request.send().await.context("the fault proxy does not answer")?;
        if !answer.status().is_success() {
            bail!("the fault proxy refuses the plan: {} {}", answer.status(), answer.text().await?);
        }
        Ok(())
    }

    /// What was struck of a person's plan since it was set.
    ///
    /// # Errors
    /// If the proxy is away.
    pub async fn struck(&self, person: &str) -> anyhow::Result<Vec<Struck>> {
        self.ask(&format!("struck/{person}")).await
    }

    /// How often each function made each call that concerns a person, since their plan was set: `sync-worker DynamoDB.GetItem`.
    ///
    /// # Errors
    /// If the proxy is away.
    pub async fn tally(&self, person: &str) -> anyhow::Result<BTreeMap<String, u64>> {
        self.ask(&format!("tally/{person}")).await
    }

    /// The messages concerning a person that functions put on queues since their plan was set, oldest first.
    ///
    /// # Errors
    /// If the proxy is away.
    pub async fn sent(&self, person: &str) -> anyhow::Result<Vec<Sent>> {
        self.ask(&format!("sent/{person}")).await
    }

    /// Every permission that was needed since the proxy began.
    ///
    /// # Errors
    /// If the proxy is away.
    pub async fn needs(&self) -> anyhow::Result<Vec<Need>> {
        self.ask("needs").await
    }

    /// Every secret that passed since the proxy began: tokens, codes, verifiers, client secrets, plain keys.
    ///
    /// # Errors
    /// If the proxy is away.
    pub async fn secrets(&self) -> anyhow::Result<Vec<String>> {
        self.ask("secrets").await
    }

    async fn ask<T: DeserializeOwned>(&self, what: &str) -> anyhow::Result<T> {
        let asked = self.http.get(format!("{}{OWN}{what}", self.url)).send().await;
        Ok(asked.context("the fault proxy does not answer")?.error_for_status()?.json().await?)
    }
}
