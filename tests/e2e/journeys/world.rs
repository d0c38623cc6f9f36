//! One person of a journey, with an account at the provider that nobody else uses.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use domain::message::IntegrationRef;
use domain::plan::Plan;
use domain::{Clock as _, JobId, Owner, ProviderId, SystemClock, UserId};
use serde_json::{Value, json};
use testkit::people::{self, Wanted};
use testkit::{Actor, Sandbox, Stack, wait};

/// The personal routes of Google Drive.
pub const DRIVE: &str = "/api/integrations/google_drive";
/// Long enough for any sync of a few files while other journeys run beside it. One of them kills workers, and what a killed
/// worker held comes back only after its queue's visibility timeout (90 s on the local stack).
pub const SOON: Duration = Duration::from_secs(180);

/// A person, their account at the provider, and the stack they use.
pub struct World {
    pub stack: Stack,
    pub store: store::Store,
    pub sandbox: Sandbox,
    pub person: Actor,
    pub user: UserId,
    pub google: String,
}

impl World {
    /// Somebody new, on a plan that limits nothing.
    pub async fn new(name: &str) -> anyhow::Result<Self> {
        let stack = Stack::load()?;
        let sandbox = Sandbox::at(stack.sandbox_url.as_deref().context("this stack has no sandbox")?)?;
        let user = format!("{name}-{}", JobId::new(SystemClock.now())).to_lowercase();
        let google = format!("{user}@example.com");
        sandbox.account(&google).await?;
        let store = stack.store().await?;
        let token = people::token(&stack, &store, &Wanted::user(&user).plan(Plan::Enterprise)).await?;
        let person = Actor::new(&stack.api_url, Some(token))?;
        Ok(Self { stack, store, sandbox, person, user: UserId::new(user)?, google })
    }

    /// Connects the account and waits for the end of the first sync; its job.
    pub async fn connect(&self) -> anyhow::Result<Value> {
        let landed = self.person.connect(DRIVE, &self.google).await?;
        ensure!(landed.ends_with("/integrations?connected=google_drive"), "landed at {landed}");
        self.ended(1, SOON).await
    }

    /// Waits until `count` jobs have ended and none is under way; the newest.
    pub async fn ended(&self, count: usize, limit: Duration) -> anyhow::Result<Value> {
        wait::until(format_args!("the end of {count} jobs of {}", self.user), limit, async || {
            let jobs = self.jobs().await?;
            let open = jobs.iter().any(|job| matches!(job["status"].as_str(), Some("PENDING" | "RUNNING")));
            Ok(if open || jobs.len() < count { None } else { jobs.first().cloned() })
        })
        .await
    }

    /// The jobs, newest first.
    pub async fn jobs(&self) -> anyhow::Result<Vec<Value>> {
        let answer = self.person.get(&format!("{DRIVE}/sync-jobs?limit=100")).await?;
        ensure!(answer.status == 200, "sync-jobs answers {} {}", answer.status, answer.body);
        answer.data().as_array().cloned().context("sync-jobs gives no list")
    }

    /// Asks for a sync and waits for its end.
    pub async fn sync(&self, mode: &str) -> anyhow::Result<Value> {
        let asked = self.person.post(&format!("{DRIVE}/sync"), json!({ "mode": mode })).await?;
        ensure!(asked.status == 202, "sync answers {} {}", asked.status, asked.body);
        let id = asked.text("jobId").context("sync names no job")?.to_owned();
        self.job_ended(&id, SOON).await
    }

    /// Waits for the end of one job.
    pub async fn job_ended(&self, id: &str, limit: Duration) -> anyhow::Result<Value> {
        wait::until(format_args!("the end of job {id} of {}", self.user), limit, async || {
            let job = self.person.get(&format!("{DRIVE}/sync-jobs/{id}")).await?.data().clone();
            Ok(if matches!(job["status"].as_str(), Some("PENDING" | "RUNNING")) { None } else { Some(job) })
        })
        .await
    }

    /// The integration as the API shows it.
    pub async fn integration(&self) -> anyhow::Result<Value> {
        let answer = self.person.get(DRIVE).await?;
        ensure!(answer.status == 200, "{DRIVE} answers {} {}", answer.status, answer.body);
        Ok(answer.data().clone())
    }

    /// The integration's full name.
    pub async fn reference(&self) -> anyhow::Result<IntegrationRef> {
        let owner = Owner::User(self.user.clone());
        let row = self.store.get_integration(&owner, ProviderId::GoogleDrive).await?.context("nothing is connected")?;
        Ok(row.reference())
    }

    /// What the sink has: title and text by external id.
    pub async fn delivered(&self) -> anyhow::Result<BTreeMap<String, (String, String)>> {
        let documents = self.stack.documents(&self.reference().await?).await?;
        let text = |document: &Value, name: &str| document[name].as_str().unwrap_or_default().to_owned();
        Ok(documents.into_iter().map(|(id, it)| (id, (text(&it, "title"), text(&it, "content")))).collect())
    }

    /// Waits until the sink equals the source: the same files, each with its name and its text.
    pub async fn sink_equals_source(&self, limit: Duration) -> anyhow::Result<()> {
        let mut last = (BTreeMap::new(), BTreeMap::new());
        let equal = wait::until(format_args!("sink and source of {} to be equal", self.user), limit, async || {
            last = (self.sandbox.texts(&self.google).await?, self.delivered().await?);
            Ok(same(&last.0, &last.1).then_some(()))
        })
        .await;
        equal.with_context(|| differences(&last.0, &last.1))
    }

    /// The present time.
    pub fn now(&self) -> domain::Timestamp {
        SystemClock.now()
    }
}

type Texts = BTreeMap<String, (String, String)>;

/// Equal but for white space at the ends, which no reader of documents cares for.
fn same(source: &Texts, sink: &Texts) -> bool {
    source.len() == sink.len()
        && source.iter().all(|(id, (name, text))| {
            sink.get(id).is_some_and(|(title, content)| title == name && content.trim() == text.trim())
        })
}

fn differences(source: &Texts, sink: &Texts) -> String {
    let mut lines = Vec::new();
    for (id, (name, text)) in source {
        match sink.get(id) {
            None => lines.push(format!("missing in the sink: {name}")),
            Some((title, content)) if title != name || content.trim() != text.trim() => {
                lines.push(format!("{name} differs: {title:?} {content:?} instead of {text:?}"));
            }
            Some(_) => {}
        }
    }
    lines.extend(sink.iter().filter(|(id, _)| !source.contains_key(*id)).map(|(_, it)| format!("surplus: {}", it.0)));
    lines.truncate(10);
    lines.join("\n")
}

/// Checks a job's counts, all of them: `[found, synced, unchanged, skipped, failed, deleted]`.
#[track_caller]
pub fn check_counts(job: &Value, expected: [u64; 6]) {
    let names = ["found", "synced", "unchanged", "skipped", "failed", "deleted"];
    let counts = names.map(|name| job[format!("resources_{name}")].as_u64().unwrap_or(u64::MAX));
    assert_eq!(counts, expected, "{names:?} of {job:#}");
    assert_eq!(job["status"], "COMPLETED", "{job:#}");
}
