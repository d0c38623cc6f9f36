//! Dead letters: each says why it is one, and all are worked on in the end.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use testkit::wait;

use crate::person::Person;
use crate::stage::Stage;

const LETTERS: &str = "/api/admin/integrations/dead-letters";
const WORKED_ON: Duration = Duration::from_secs(120);

/// Checks that each of the person's dead letters is explained, sends them back, and waits until none is left; how many there were.
pub async fn explained_and_redriven(stage: &Stage, person: &Person<'_>) -> anyhow::Result<usize> {
    if stage.stack.messages_with(&person.id).await?.1.is_empty() {
        return Ok(0);
    }
    let answer = stage.admin.get(&format!("{LETTERS}?limit=100")).await?;
    ensure!(answer.status == 200, "dead letters: {} {}", answer.status, answer.body);
    let all = answer.data().as_array().context("the dead letters are no list")?;
    let letters: Vec<&Value> = all.iter().filter(|letter| letter.to_string().contains(&person.id)).collect();
    for letter in &letters {
        let text = |name: &str| letter[name].as_str().unwrap_or_default();
        ensure!(!text("reason").is_empty() && !text("code").is_empty(), "a dead letter without a reason: {letter:#}");
    }
    let ids: Vec<&Value> = letters.iter().map(|letter| &letter["id"]).collect();
    let redriven = stage.admin.post(&format!("{LETTERS}/redrive"), json!({ "ids": ids })).await?;
    ensure!(redriven.status == 200, "redrive: {} {}", redriven.status, redriven.body);
    wait::until("dead letters to be worked on", WORKED_ON, async || {
        let (queued, dead) = stage.stack.messages_with(&person.id).await?;
        Ok((queued.is_empty() && dead.is_empty()).then_some(()))
    })
    .await
    .with_context(|| format!("{letters:#?}\n{}", redriven.body))?;
    Ok(letters.len())
}
