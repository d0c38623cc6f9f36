//! A history: what the seed says happens, while what the seed says breaks.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::proxy::{Fault, Struck};

use crate::person::Person;
use crate::stage::Stage;
use crate::steps::{Step, files_at_first, of_seed};
use crate::{faults, oracle};

/// A history that has been thought out.
pub struct History<'a> {
    /// Its seed.
    pub seed: u64,
    /// What is to break.
    pub plan: Vec<Fault>,
    steps: Vec<Step>,
    person: Person<'a>,
}

impl<'a> History<'a> {
    /// The history of a seed, for somebody new.
    pub async fn new(stage: &'a Stage, seed: u64) -> anyhow::Result<Self> {
        let person = Person::new(stage, &format!("chaos-{seed}")).await?;
        let (plan, steps) = (faults::of_seed(seed), of_seed(seed));
        stage.sandbox.many_files(&person.google, files_at_first(seed), &format!("seed{seed}")).await?;
        Ok(Self { seed, plan, steps, person })
    }

    /// What is going to happen, in words.
    pub fn tell(&self) {
        self.plan.iter().for_each(|fault| println!("    fault: {fault}"));
        println!("    steps: {:?}", self.steps);
    }

    /// Plays it while its plan is in force; what was struck.
    pub async fn play(&self, stage: &Stage) -> anyhow::Result<Vec<Struck>> {
        stage.proxy.plan(&self.person.id, &self.plan).await?;
        let played = self.take_steps(stage).await;
        let struck = stage.proxy.struck(&self.person.id).await?;
        stage.calm(&self.person).await?;
        stage.set_clock(0).await?;
        played.map(|()| struck)
    }

    async fn take_steps(&self, stage: &Stage) -> anyhow::Result<()> {
        let mut source = Source::new(stage, &self.person, self.seed).await?;
        self.person.connect().await?;
        for (number, step) in self.steps.iter().enumerate() {
            source.take(number, step).await?;
        }
        Ok(())
    }

    /// Asks the oracle, once nothing breaks any more; in words what came of it.
    pub async fn check(&self, stage: &Stage) -> anyhow::Result<String> {
        Ok(format!("{} steps, {}", self.steps.len(), oracle::check(stage, &self.person).await?))
    }
}

/// The account at the provider, and what is in it by number.
struct Source<'a> {
    stage: &'a Stage,
    person: &'a Person<'a>,
    seed: u64,
    files: Vec<String>,
    folders: Vec<String>,
    /// Who shares files with the person.
    friend: String,
}

impl<'a> Source<'a> {
    async fn new(stage: &'a Stage, person: &'a Person<'a>, seed: u64) -> anyhow::Result<Self> {
        let friend = format!("friend-of-{}", person.google);
        stage.sandbox.account(&friend).await?;
        Ok(Self { stage, person, seed, files: Vec::new(), folders: Vec::new(), friend })
    }

    async fn take(&mut self, number: usize, step: &Step) -> anyhow::Result<()> {
        let (sandbox, google) = (&self.stage.sandbox, &self.person.google);
        let name = format!("{number}-of-{}.txt", self.seed);
        let text = format!("Text of step {number} of seed {}.", self.seed);
        match step {
            Step::Folder => self.folders.push(sandbox.folder(google, &format!("Folder {number}")).await?),
            Step::Add { folder } => {
                let parent = folder.map(|folder| self.folders[folder].clone());
                self.files.push(sandbox.text_file(google, &name, &text, parent.as_deref()).await?);
            }
            Step::Share => {
                let id = sandbox.text_file(&self.friend, &name, &text, None).await?;
                sandbox.edit(&id, json!({ "sharedWith": [google] })).await?;
                self.files.push(id);
            }
            Step::Edit(file) => sandbox.edit(&self.files[*file], json!({ "text": text })).await?,
            Step::Rename(file) => sandbox.edit(&self.files[*file], json!({ "name": name })).await?,
            Step::Move(file, folder) => {
                sandbox.edit(&self.files[*file], json!({ "parent": self.folders[*folder] })).await?;
            }
            Step::Trash(file) => sandbox.edit(&self.files[*file], json!({ "trashed": true })).await?,
            Step::Restore(file) => sandbox.edit(&self.files[*file], json!({ "trashed": false })).await?,
            Step::TrashFolder(folder) => sandbox.edit(&self.folders[*folder], json!({ "trashed": true })).await?,
            Step::RestoreFolder(folder) => sandbox.edit(&self.folders[*folder], json!({ "trashed": false })).await?,
            Step::Delete(file) => {
                sandbox.call("DELETE", &format!("google/files/{}", self.files[*file]), None).await?;
            }
            Step::Unshare(file) => sandbox.edit(&self.files[*file], json!({ "sharedWith": [] })).await?,
            Step::Sync { full } => {
                // Refused while there is no token, or the provider is known to be down: that is an answer too.
                self.person.sync(if *full { "full" } else { "incremental" }).await?.ok();
            }
            Step::ExpireTokens => {
                self.control("google/tokens", json!({ "account": google, "expireAccessTokens": true })).await?;
            }
            Step::Limit { calls } => self.bad_times("rateLimit", *calls, json!({ "retryAfter": 1 })).await?,
            Step::Outage { calls } => self.bad_times("status", *calls, json!({ "status": 503 })).await?,
            Step::Truncate { calls } => self.bad_times("truncate", *calls, json!({})).await?,
            Step::Skew { minutes } => self.stage.set_clock(*minutes).await?,
            Step::ExpireCursors => self.control("google/expire-cursors", json!({})).await?,
            Step::Reconnect => {
                self.person.disconnect().await?;
                self.person.connect().await?;
            }
            Step::Pause { ms } => tokio::time::sleep(Duration::from_millis(*ms)).await,
        }
        Ok(())
    }

    async fn control(&self, path: &str, body: Value) -> anyhow::Result<()> {
        self.stage.sandbox.call("POST", path, Some(&body)).await.map(drop)
    }

    /// The provider misbehaves for the next calls of this account.
    async fn bad_times(&self, kind: &str, calls: u64, mut more: Value) -> anyhow::Result<()> {
        more["match"] = json!({ "account": self.person.google });
        more["kind"] = kind.into();
        more["times"] = calls.into();
        self.control("faults", more).await
    }
}

/// Whether the integration needs its person: to connect again, or to go on.
pub fn wants_its_person(integration: Option<&Value>) -> bool {
    integration.is_none_or(|row| matches!(row["status"].as_str(), Some("TOKEN_EXPIRED" | "DISCONNECTED" | "PENDING")))
}
