//! A proxy that breaks things on purpose, at a named call: one ear between the functions and the embedded AWS, one before the
//! emulated providers. It also notes what every function asks of AWS, and which secrets pass.
//!
//! It runs as a process of its own (`chaos-proxy`), because the stack it stands in outlives each test. Tests tell it what to break
//! through [`Control`]. Between plans it only passes on.
//!
//! Each plan belongs to a person, and strikes calls that concern this person: many tests plan and break at once. A request to AWS
//! concerns whom it names, or whose rows it names (`people`); one to a provider, whose token it shows (`grants`). A killed process may
//! have been busy for others too; that is as it is in the world.
//!
//! A fault is an event at a boundary: before or after the n-th call that a [`Boundary`] describes. Counting begins when a plan
//! is set, so the same plan breaks the same calls again, as far as the scheduling of many processes repeats itself.

mod answers;
mod body;
mod call;
mod control;
mod grants;
mod notes;
mod people;
mod process;
mod server;
mod sign;
mod strike;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use control::Control;
pub use notes::{Need, Sent, Struck};
pub use server::{Ports, serve};

/// Where the proxy's own routes begin, on the ear that the functions use; no bucket can have this name.
pub(crate) const OWN: &str = "/_chaos/";

/// Which of the proxy's two ears.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Side {
    /// Functions to AWS.
    Aws,
    /// Functions, and people's browsers, to the providers.
    Provider,
}

/// Which calls are counted, of those that concern the person whose plan it is. What is not said matches all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Boundary {
    /// The ear.
    pub side: Side,
    /// The function's name without the stack's, such as `sync-worker`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
    /// A part of the operation's name: `DynamoDB.UpdateItem`, `SQS.`, or for providers of `GET /google/www/drive/v3/files`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// A part of the table's, queue's, bucket's or key's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// Whether calls count too that name nobody, such as those to Secrets Manager, and what concerns others.
    #[serde(default)]
    pub anybody: bool,
}

impl Boundary {
    /// Every call of the person at this ear.
    #[must_use]
    pub const fn of(side: Side) -> Self {
        Self { side, function: None, operation: None, resource: None, anybody: false }
    }

    /// Only of this function.
    #[must_use]
    pub fn function(mut self, name: &str) -> Self {
        self.function = Some(name.to_owned());
        self
    }

    /// Only operations with this in their name.
    #[must_use]
    pub fn operation(mut self, part: &str) -> Self {
        self.operation = Some(part.to_owned());
        self
    }

    /// Only of resources with this in their name.
    #[must_use]
    pub fn resource(mut self, part: &str) -> Self {
        self.resource = Some(part.to_owned());
        self
    }

    /// Whomever it concerns.
    #[must_use]
    pub const fn anybody(mut self) -> Self {
        self.anybody = true;
        self
    }
}

/// What happens at a boundary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum Kind {
    /// 500 or 503 in the words of the service; nothing is carried out.
    Refuse {
        /// The status.
        status: u16,
    },
    /// It is carried out, and the caller is told that it failed.
    LoseAnswer {
        /// The status that the caller sees.
        status: u16,
    },
    /// The service's refusal of too many calls; nothing is carried out.
    Throttle,
    /// The connection ends without an answer; nothing is carried out.
    Reset,
    /// It is carried out, and the connection ends without an answer.
    ResetAfter,
    /// It is carried out, and half of the answer's body comes.
    Cut,
    /// The answer comes late by so many milliseconds.
    Delay {
        /// How late.
        ms: u64,
    },
    /// Nothing is carried out and nothing is said; after so many milliseconds the connection ends.
    Silent {
        /// How long.
        ms: u64,
    },
    /// The process that calls is killed; nothing is carried out. On the side of AWS and providers alike.
    KillBefore,
    /// It is carried out, and the process that called is killed before it hears of it.
    KillAfter,
    /// It is carried out, and the process that called stands still from then on, until the platform ends it at its time limit.
    Freeze,
    /// Messages are put on the queue so many times.
    Duplicate {
        /// How often in all.
        copies: u32,
    },
    /// Messages are put on the queue with this delay.
    Postpone {
        /// Seconds.
        seconds: u32,
    },
    /// The entries of a batch are put on the queue in another order.
    Reorder,
    /// The last entries of a batch are not carried out, and the answer says so.
    LeaveOut {
        /// How many; at least one is left out, and one carried out if there are two.
        count: usize,
    },
}

/// A fault of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Fault {
    /// Which calls are counted.
    pub at: Boundary,
    /// The first that is struck, from 1.
    pub nth: u64,
    /// How many are struck in a row.
    pub times: u64,
    /// What happens to them.
    pub what: Kind,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = match self.at.side {
            Side::Aws => "AWS",
            Side::Provider => "the provider",
        };
        let function = self.at.function.as_deref().unwrap_or("any function");
        write!(f, "{:?} at call {}", self.what, self.nth)?;
        if self.times > 1 {
            write!(f, " and {} more", self.times - 1)?;
        }
        write!(f, " of {function} to {side}")?;
        for part in [&self.at.operation, &self.at.resource].into_iter().flatten() {
            write!(f, " {part}")?;
        }
        Ok(())
    }
}
