//! Workers killed at every call of a ten-item batch.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use testkit::proxy::{Boundary, Fault, Kind, Side};

use crate::person::Person;
use crate::stage::Stage;
use crate::{oracle, settings};

/// Files of a batch.
const FILES: usize = 10;
/// Deaths at the same time. A killed worker also drops what it held for others; many more, and a message that was dropped too
/// often goes to the dead letters.
const AT_ONCE: usize = 6;
/// A killed worker's messages come back after half a minute, and a run whose message was never sent is found by the scheduler after three.
const SOON: Duration = Duration::from_secs(240);

/// A death: which function, at which side's how many-th call, and whether before or after the call is carried out.
type Death = (&'static str, Side, u64, Kind);

#[tokio::test(flavor = "multi_thread")]
async fn guarantee_01_a_worker_killed_at_any_call_loses_nothing() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    let mut deaths = Vec::new();
    for (function, side, calls) in count_calls(&stage).await? {
        for call in 1..=calls {
            deaths.push((function, side, call, Kind::KillBefore));
            deaths.push((function, side, call, Kind::KillAfter));
        }
    }
    let all = deaths.len();
    if !settings::is_thorough() {
        // A few that are spread evenly over all.
        deaths = deaths.into_iter().step_by(all.div_ceil(AT_ONCE)).collect();
    }
    println!("    {} of {all} deaths", deaths.len());
    for wave in deaths.chunks(AT_ONCE) {
        killed(&stage, wave).await?;
    }
    Ok(())
}

/// How many calls each worker makes for the first sync of ten files.
async fn count_calls(stage: &Stage) -> anyhow::Result<Vec<(&'static str, Side, u64)>> {
    let person = Person::new(stage, "counted").await?;
    stage.sandbox.many_files(&person.google, FILES, "counted").await?;
    stage.proxy.plan(&person.id, &[]).await?;
    person.connect().await?;
    oracle::quiet(stage, &person).await?;
    let tally = stage.proxy.tally(&person.id).await?;
    let mut found = Vec::new();
    for function in ["sync-worker", "resource-worker"] {
        for side in [Side::Aws, Side::Provider] {
            let of_side = tally.iter().filter_map(|(call, times)| {
                let operation = call.strip_prefix(function)?.trim_start();
                // Calls to the provider are named by method and path, calls to AWS by service; those to KMS and Secrets Manager name nobody.
                let is_aws =
                    !operation.contains(" /") && !operation.starts_with("KMS") && !operation.starts_with("Secrets");
                ((side == Side::Aws) == is_aws && (side == Side::Aws || operation.contains(" /"))).then_some(*times)
            });
            let calls = of_side.sum();
            ensure!(calls > 0, "{function} makes no calls: {tally:?}");
            found.push((function, side, calls));
        }
    }
    Ok(found)
}

/// One wave: as many people as deaths, each with ten files and one worker that dies.
async fn killed(stage: &Stage, deaths: &[Death]) -> anyhow::Result<()> {
    let mut people = Vec::new();
    for (function, side, call, kind) in deaths {
        let person = Person::new(stage, "killed").await?;
        stage.sandbox.many_files(&person.google, FILES, "killed").await?;
        let at = Boundary::of(*side).function(function);
        let death = Fault { at, nth: *call, times: 1, what: kind.clone() };
        stage.proxy.plan(&person.id, std::slice::from_ref(&death)).await?;
        people.push((person, death));
    }
    for (person, _) in &people {
        person.connect().await?;
    }
    let mut struck = 0;
    for (person, death) in &people {
        checked(stage, person).await.with_context(|| format!("{} after {death}", person.id))?;
        struck += stage.proxy.struck(&person.id).await?.len();
        stage.calm(person).await?;
    }
    println!("    {struck} of {} workers killed", deaths.len());
    Ok(())
}

async fn checked(stage: &Stage, person: &Person<'_>) -> anyhow::Result<()> {
    let job = person.first_ended(SOON).await?;
    let files = FILES as u64;
    ensure!(job["status"] == "COMPLETED" && oracle::counts(&job) == [files, files, 0, 0, 0, 0], "{job:#}");
    oracle::quiet(stage, person).await?;
    let (truth, delivered) = (person.truth().await?, person.delivered().await?);
    ensure!(oracle::same(&truth, &delivered), "{}", oracle::differences(&truth, &delivered));
    Ok(())
}
