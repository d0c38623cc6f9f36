//! Rules for what shall go wrong with one account's calls, and what the provider saw of them.

use anyhow::Context as _;
use domain::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::world::World;

/// A rule, still to be set.
pub struct Rule<'a> {
    world: &'a World,
    rule: Value,
}

/// A rule in force. Other accounts' calls are left alone.
pub struct InForce<'a> {
    world: &'a World,
    id: u64,
}

/// A request as the provider logged it.
#[derive(Debug, Clone, Deserialize)]
pub struct Request {
    pub time: Timestamp,
    pub operation: String,
    pub account: Option<String>,
    pub status: Option<u16>,
    pub interference: Option<String>,
}

impl<'a> Rule<'a> {
    /// For those of this person's calls that fit `matches`.
    pub fn of(world: &'a World, mut matches: Value) -> Self {
        matches["account"] = json!(world.google);
        Self { world, rule: json!({ "match": matches }) }
    }

    /// With these fields.
    pub fn with(mut self, fields: Value) -> Self {
        if let (Some(rule), Value::Object(fields)) = (self.rule.as_object_mut(), fields) {
            rule.extend(fields);
        }
        self
    }

    /// Puts it in force.
    pub async fn set(self) -> anyhow::Result<InForce<'a>> {
        let set = self.world.sandbox.call("POST", "faults", Some(&self.rule)).await?;
        Ok(InForce { world: self.world, id: set["id"].as_u64().context("the rule has no number")? })
    }
}

impl InForce<'_> {
    /// How often it has hit.
    pub async fn hits(&self) -> anyhow::Result<u64> {
        let all = self.world.sandbox.call("GET", "faults", None).await?;
        let faults = all["faults"].as_array().context("no list of rules")?;
        let own = faults.iter().find(|fault| fault["id"] == self.id).context("the rule is gone")?;
        own["hits"].as_u64().context("no hits")
    }

    /// Takes it back.
    pub async fn lift(self) -> anyhow::Result<()> {
        self.world.sandbox.call("DELETE", &format!("faults/{}", self.id), None).await.map(drop)
    }
}

/// This person's requests so far, in order.
pub async fn requests_of(world: &World) -> anyhow::Result<Vec<Request>> {
    let mut log = world.sandbox.call("GET", "requests?since=0", None).await?;
    let all: Vec<Request> = serde_json::from_value(log["requests"].take())?;
    Ok(all.into_iter().filter(|request| request.account.as_deref() == Some(world.google.as_str())).collect())
}
