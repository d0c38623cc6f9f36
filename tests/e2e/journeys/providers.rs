//! The providers beside Drive, each from connecting to disconnecting: what is there arrives, and what is edited, made and deleted there
//! arrives by webhook, without anybody asking for a sync.

use std::collections::BTreeSet;

use anyhow::{Context as _, ensure};
use domain::message::IntegrationRef;
use domain::{Owner, ProviderId};
use serde_json::{Value, json};
use testkit::wait;

use crate::world::{SOON, World};

/// A provider, and what its people's accounts are called there.
struct There {
    world: World,
    name: &'static str,
    account: String,
}

impl There {
    async fn new(name: &'static str) -> anyhow::Result<Self> {
        let world = World::new(name).await?;
        // GitHub's names are words; the others' are addresses.
        let account = if name == "github" { world.user.to_string() } else { world.google.clone() };
        let there = Self { world, name, account };
        there.act("account", json!({})).await?;
        Ok(there)
    }

    fn base(&self) -> String {
        format!("/api/integrations/{}", self.name)
    }

    /// Changes something there, as the account.
    async fn act(&self, act: &str, mut body: Value) -> anyhow::Result<Value> {
        body["account"] = json!(self.account);
        self.world.sandbox.call("POST", &format!("{}/contract/{act}", self.name), Some(&body)).await
    }

    async fn make(&self, title: &str, text: &str) -> anyhow::Result<String> {
        let made = self.act("create", json!({"title": title, "text": text})).await?;
        Ok(made["id"].as_str().context("nothing was made")?.to_owned())
    }

    async fn reference(&self) -> anyhow::Result<IntegrationRef> {
        let provider: ProviderId = self.name.parse()?;
        let owner = Owner::User(self.world.user.clone());
        Ok(self.world.store.get_integration(&owner, provider).await?.context("nothing is connected")?.reference())
    }

    /// Waits until changes are announced: GitHub's hooks are made in each repository, once the first listing has found them. The others
    /// announce an account's changes from the beginning.
    async fn announces(&self) -> anyhow::Result<()> {
        if self.name != "github" {
            return Ok(());
        }
        let id = self.reference().await?.integration_id;
        wait::until("hooks in the repositories", SOON, async || {
            Ok((!self.world.store.subscriptions_of(id).await?.is_empty()).then_some(()))
        })
        .await
    }

    /// Waits until the delivered texts are those that have these words, and no others.
    async fn holds(&self, words: &[&str]) -> anyhow::Result<()> {
        let reference = self.reference().await?;
        let what = format!("{} to hold {words:?}", self.name);
        wait::until(what, SOON, async || {
            let documents = self.world.stack.documents(&reference).await?;
            let texts: Vec<&str> = documents.values().filter_map(|document| document["content"].as_str()).collect();
            let found: BTreeSet<&str> =
                words.iter().filter(|word| texts.iter().any(|text| text.contains(**word))).copied().collect();
            Ok((found.len() == words.len() && texts.len() == words.len()).then_some(()))
        })
        .await
    }
}

async fn journey(name: &'static str) -> anyhow::Result<()> {
    let there = There::new(name).await?;
    let first = there.make("First", "The lighthouse keeper sleeps.").await?;
    let second = there.make("Second", "The lamp burns oil.").await?;
    let landed = there.world.person.connect(&there.base(), &there.account).await?;
    ensure!(landed.ends_with(&format!("/integrations?connected={name}")), "landed at {landed}");
    there.holds(&["keeper sleeps", "burns oil"]).await?;
    there.announces().await?;

    there.act("edit", json!({"id": first, "text": "The lighthouse keeper wakes."})).await?;
    there.holds(&["keeper wakes", "burns oil"]).await?;
    there.make("Third", "A ship comes in.").await?;
    there.holds(&["keeper wakes", "burns oil", "ship comes"]).await?;
    there.act("delete", json!({"id": second})).await?;
    there.holds(&["keeper wakes", "ship comes"]).await?;

    let browsed = there.world.person.get(&format!("{}/browse", there.base())).await?;
    let choices = browsed.data().as_array().context("nothing to choose from")?;
    ensure!(browsed.status == 200 && !choices.is_empty(), "{}", browsed.body);
    let reference = there.reference().await?;
    let gone = there.world.person.delete(&format!("{}?purge=true", there.base())).await?;
    ensure!(gone.status == 200, "{}", gone.body);
    wait::until("everything to be gone", SOON, async || {
        Ok(there.world.stack.documents(&reference).await?.is_empty().then_some(()))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn slack_arrives_and_stays_true() -> anyhow::Result<()> {
    journey("slack").await
}

#[tokio::test(flavor = "multi_thread")]
async fn github_arrives_and_stays_true() -> anyhow::Result<()> {
    journey("github").await
}

#[tokio::test(flavor = "multi_thread")]
async fn notion_arrives_and_stays_true() -> anyhow::Result<()> {
    journey("notion").await
}
