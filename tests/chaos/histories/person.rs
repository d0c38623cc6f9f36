//! Somebody with an account at the provider, who uses the product while it is being broken, and therefore tries again.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use domain::message::IntegrationRef;
use domain::plan::Plan;
use domain::{Clock as _, JobId, Owner, ProviderId, SystemClock, UserId};
use serde_json::{Value, json};
use testkit::people::{self, Wanted};
use testkit::{Actor, wait};

use crate::stage::Stage;

/// The personal routes of Google Drive.
pub const DRIVE: &str = "/api/integrations/google_drive";
/// How often somebody tries again what failed.
const TRIES: u32 = 12;
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(500);

/// A person of a history.
pub struct Person<'a> {
    stage: &'a Stage,
    actor: Actor,
    /// Their id, which nobody else ever has: it also names them in plans of faults.
    pub id: String,
    /// Their account at the provider.
    pub google: String,
}

/// Title and text by external id.
pub type Texts = BTreeMap<String, (String, String)>;

impl<'a> Person<'a> {
    /// Somebody new, on a plan that limits nothing.
    pub async fn new(stage: &'a Stage, name: &str) -> anyhow::Result<Self> {
        let id = format!("{name}-{}", JobId::new(SystemClock.now())).to_lowercase();
        let google = format!("{id}@example.com");
        stage.sandbox.account(&google).await?;
        let token = people::token(&stage.stack, &stage.store, &Wanted::user(&id).plan(Plan::Enterprise)).await?;
        let actor = Actor::new(&stage.stack.api_url, Some(token))?;
        Ok(Self { stage, actor, id, google })
    }

    /// A request that is repeated while the answer is a failure of ours (5xx) or none at all.
    async fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> anyhow::Result<testkit::Answer> {
        let mut last = None;
        for _ in 0..TRIES {
            match self.actor.send(method, path, body.map(ToString::to_string)).await {
                Ok(answer) if answer.status < 500 => return Ok(answer),
                Ok(answer) => last = Some(format!("{} {}", answer.status, answer.body)),
                Err(error) => last = Some(format!("{error:#}")),
            }
            tokio::time::sleep(PAUSE).await;
        }
        bail!("{method} {path} fails {TRIES} times, at last with {}", last.unwrap_or_default())
    }

    /// Connects the account, trying again as people do when a page shows an error.
    pub async fn connect(&self) -> anyhow::Result<()> {
        let mut last = String::new();
        for _ in 0..TRIES {
            match self.actor.connect(DRIVE, &self.google).await {
                Ok(landed) if landed.contains("connected=") => return Ok(()),
                Ok(landed) => last = landed,
                Err(error) => last = format!("{error:#}"),
            }
            tokio::time::sleep(PAUSE).await;
        }
        bail!("{} cannot connect: {last}", self.id)
    }

    /// Disconnects the account.
    pub async fn disconnect(&self) -> anyhow::Result<()> {
        let answer = self.ask("DELETE", DRIVE, None).await?;
        // Not found: an earlier try did it, and its answer was lost.
        ensure!(answer.status < 300 || answer.status == 404, "disconnect answers {} {}", answer.status, answer.body);
        Ok(())
    }

    /// Asks for a sync; the id of the job that runs now, or why there is none.
    pub async fn sync(&self, mode: &str) -> anyhow::Result<Result<String, String>> {
        let answer = self.ask("POST", &format!("{DRIVE}/sync"), Some(&json!({ "mode": mode }))).await?;
        match answer.text("jobId") {
            Some(job) => Ok(Ok(job.to_owned())),
            None => Ok(Err(format!("{} {}", answer.status, answer.code().unwrap_or_default()))),
        }
    }

    /// The integration as the API shows it; `None` when nothing is connected.
    pub async fn integration(&self) -> anyhow::Result<Option<Value>> {
        let answer = self.ask("GET", DRIVE, None).await?;
        match answer.status {
            200 => Ok(Some(answer.data().clone())),
            404 => Ok(None),
            status => bail!("{DRIVE} answers {status} {}", answer.body),
        }
    }

    /// The jobs, newest first.
    pub async fn jobs(&self) -> anyhow::Result<Vec<Value>> {
        let answer = self.ask("GET", &format!("{DRIVE}/sync-jobs?limit=100"), None).await?;
        ensure!(answer.status == 200, "sync-jobs answers {} {}", answer.status, answer.body);
        answer.data().as_array().cloned().context("sync-jobs gives no list")
    }

    /// As [`Self::jobs`]; none while nothing is connected.
    pub async fn jobs_or_none(&self) -> anyhow::Result<Vec<Value>> {
        let answer = self.ask("GET", &format!("{DRIVE}/sync-jobs?limit=100"), None).await?;
        Ok(answer.data().as_array().cloned().unwrap_or_default())
    }

    /// Waits for the end of the first job of all.
    pub async fn first_ended(&self, limit: Duration) -> anyhow::Result<Value> {
        wait::until(format_args!("the end of the first job of {}", self.id), limit, async || {
            Ok(self.jobs_or_none().await?.last().filter(|job| !is_open(job)).cloned())
        })
        .await
    }

    /// External ids of the resources in this state.
    pub async fn resources(&self, status: &str) -> anyhow::Result<Vec<String>> {
        let answer = self.ask("GET", &format!("{DRIVE}/resources?status={status}"), None).await?;
        ensure!(answer.status == 200, "resources answers {} {}", answer.status, answer.body);
        let rows = answer.data().as_array().into_iter().flatten();
        Ok(rows.filter_map(|row| row["external_id"].as_str().map(str::to_owned)).collect())
    }

    /// Waits for the end of one job.
    pub async fn ended(&self, job: &str, limit: Duration) -> anyhow::Result<Value> {
        wait::until(format_args!("the end of job {job} of {}", self.id), limit, async || {
            let answer = self.ask("GET", &format!("{DRIVE}/sync-jobs/{job}"), None).await?;
            Ok((answer.status == 200 && !is_open(answer.data())).then(|| answer.data().clone()))
        })
        .await
    }

    /// The integration's full name.
    pub async fn reference(&self) -> anyhow::Result<IntegrationRef> {
        let owner = Owner::User(UserId::new(self.id.as_str())?);
        let row = self.stage.store.get_integration(&owner, ProviderId::GoogleDrive).await?;
        Ok(row.context("nothing is connected")?.reference())
    }

    /// What the sink has.
    pub async fn delivered(&self) -> anyhow::Result<Texts> {
        let documents = self.stage.stack.documents(&self.reference().await?).await?;
        let text = |document: &Value, name: &str| document[name].as_str().unwrap_or_default().to_owned();
        Ok(documents.into_iter().map(|(id, it)| (id, (text(&it, "title"), text(&it, "content")))).collect())
    }

    /// What the source has.
    pub async fn truth(&self) -> anyhow::Result<Texts> {
        self.stage.sandbox.texts(&self.google).await
    }
}

/// Whether the job has not ended.
pub fn is_open(job: &Value) -> bool {
    matches!(job["status"].as_str(), Some("PENDING" | "RUNNING"))
}
