//! The question after the faults have ended: is all as if nothing had broken?

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;
use testkit::wait;

use crate::dead_letters;
use crate::history::wants_its_person;
use crate::person::{Person, Texts};
use crate::stage::Stage;

/// Longest time until all that was under way has ended: killed workers' messages have come back, a stalled run has been given up,
/// a circuit that opened has closed.
const QUIET: Duration = Duration::from_secs(300);
/// Longest time for a sync of a few files when nothing is broken.
const SYNC: Duration = Duration::from_secs(120);
/// How often a last sync is asked for until one begins: the person may have to connect again first.
const TRIES: u32 = 5;

/// Checks everything; in words what there was.
pub async fn check(stage: &Stage, person: &Person<'_>) -> anyhow::Result<String> {
    quiet(stage, person).await.context("after the faults")?;
    connected(stage, person).await?;
    let dead = dead_letters::explained_and_redriven(stage, person).await?;
    let full = last_sync(stage, person).await?;
    quiet(stage, person).await.context("after the last sync")?;
    let (truth, delivered) = (person.truth().await?, person.delivered().await?);
    ensure!(
        same(&truth, &delivered),
        "the sink differs from the source:\n{}\n{full:#}",
        differences(&truth, &delivered)
    );
    // Once more: now everything is there, so nothing is new, and the counts say exactly that.
    let again = last_sync(stage, person).await?;
    let files = truth.len() as u64;
    ensure!(
        counts(&again) == [files, 0, files, 0, 0, 0],
        "the counts do not equal the truth ({files} files): {again:#}"
    );
    let jobs = person.jobs().await?;
    for job in jobs.iter().filter(|job| job["status"] == "COMPLETED") {
        let [found, parts @ ..] = counts(job);
        ensure!(found == parts.iter().sum::<u64>(), "the counts of a job do not add up: {job:#}");
    }
    let status = person.integration().await?.map_or(Value::Null, |row| row["status"].clone());
    ensure!(status == "ACTIVE", "the integration is {status}");
    Ok(format!("{files} files, {} jobs, {dead} dead letters", jobs.len()))
}

/// Lets the person connect again if their integration asks for it.
async fn connected(stage: &Stage, person: &Person<'_>) -> anyhow::Result<()> {
    if wants_its_person(person.integration().await?.as_ref()) {
        person.connect().await?;
        quiet(stage, person).await?;
    }
    Ok(())
}

/// Waits until no job of the person runs and none of their messages is on a queue.
pub async fn quiet(stage: &Stage, person: &Person<'_>) -> anyhow::Result<()> {
    let mut last = String::new();
    let quiet = wait::until("the end of all work", QUIET, async || {
        let (queued, _) = stage.stack.messages_with(&person.id).await?;
        let open: Vec<Value> = person.jobs_or_none().await?.into_iter().filter(crate::person::is_open).collect();
        last = format!("on queues: {queued:#?}, open jobs: {open:#?}");
        Ok((queued.is_empty() && open.is_empty()).then_some(()))
    })
    .await;
    quiet.with_context(|| last)
}

/// Asks for a full sync until one begins that is not an older run, and waits for its end, which must be a good one.
async fn last_sync(stage: &Stage, person: &Person<'_>) -> anyhow::Result<Value> {
    let mut last = String::new();
    for _ in 0..TRIES {
        connected(stage, person).await?;
        match person.sync("full").await? {
            Ok(job) => {
                let job = person.ended(&job, SYNC).await?;
                if job["mode"].as_str().is_some_and(|mode| mode.eq_ignore_ascii_case("full")) {
                    ensure!(job["status"] == "COMPLETED", "the last sync did not succeed: {job:#}");
                    return Ok(job);
                }
                last = format!("{job:#}");
            }
            Err(refused) => last = refused,
        }
        quiet(stage, person).await?;
    }
    bail!("no full sync begins: {last}")
}

/// Found, synced, unchanged, skipped, failed and deleted.
pub fn counts(job: &Value) -> [u64; 6] {
    let names = ["found", "synced", "unchanged", "skipped", "failed", "deleted"];
    names.map(|name| job[format!("resources_{name}")].as_u64().unwrap_or(u64::MAX / 8))
}

/// Byte for byte equal, but for white space at the ends, which extraction takes away.
pub fn same(source: &Texts, sink: &Texts) -> bool {
    source.len() == sink.len()
        && source.iter().all(|(id, (name, text))| {
            sink.get(id).is_some_and(|(title, content)| title == name && content.trim() == text.trim())
        })
}

/// The first ten differences.
pub fn differences(source: &Texts, sink: &Texts) -> String {
    let mut lines = Vec::new();
    for (id, (name, text)) in source {
        match sink.get(id) {
            None => lines.push(format!("missing in the sink: {name} ({id})")),
            Some((title, content)) if title != name || content.trim() != text.trim() => {
                lines.push(format!("{name} ({id}) differs: {title:?} {content:?} instead of {text:?}"));
            }
            Some(_) => {}
        }
    }
    let surplus = sink.iter().filter(|(id, _)| !source.contains_key(*id));
    lines.extend(surplus.map(|(id, (title, _))| format!("surplus in the sink: {title} ({id})")));
    lines.truncate(10);
    lines.join("\n")
}
