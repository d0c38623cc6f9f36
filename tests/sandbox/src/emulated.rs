//! The emulated providers, in one table: what each brings, and nothing about it anywhere else but in the world's state.

use axum::{Router, extract::Request, middleware};
use serde_json::{Map, Value};

use crate::{
    control::contract::Contract,
    gate::{self, Dialect},
    github, google, notion, slack,
    state::Shared,
};

/// An emulated provider. Everything is a plain function, so that the table is a constant.
pub struct Emulated {
    /// Its name in addresses: `/slack`, `/control/slack`.
    pub name: &'static str,
    /// What the product calls it: the page of the host application asks the product's API by this.
    pub id: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// Everything below `/<name>`: its API, its OAuth endpoints and its consent page. The gate stands in front.
    pub routes: fn() -> Router<Shared>,
    /// How the gate speaks for it.
    pub dialect: Dialect,
    /// Everything below `/control/<name>` that is its own.
    pub control: fn() -> Router<Shared>,
    /// Pages for people, at the root.
    pub pages: fn() -> Router<Shared>,
    /// The mapping that points a client of the provider at this sandbox, from the sandbox's public URL.
    pub endpoints: fn(&str) -> Value,
    /// What the front page says of it: HTML below its title.
    pub front: fn(&Shared) -> String,
    /// Begins what it does by itself, sending webhooks.
    pub start: fn(&Shared),
    /// What tests of any provider do to it.
    pub contract: Contract,
}

/// All of them, in the order in which pages show them.
pub const ALL: &[Emulated] = &[google::EMULATED, slack::EMULATED, github::EMULATED, notion::EMULATED];

/// The provider of this name in addresses.
pub fn named(name: &str) -> Option<&'static Emulated> {
    ALL.iter().find(|emulated| emulated.name == name)
}

/// What answers as the providers, each behind the gate.
pub fn routes(sandbox: &Shared) -> Router<Shared> {
    ALL.iter().fold(Router::new(), |router, emulated| {
        let (gated, dialect) = (sandbox.clone(), emulated.dialect);
        let gate = middleware::from_fn(move |request: Request, next: middleware::Next| {
            gate::pass(gated.clone(), dialect, request, next)
        });
        router.nest(&format!("/{}", emulated.name), (emulated.routes)().layer(gate))
    })
}

/// The endpoint mappings of all, by name.
pub fn endpoints(public_url: &str) -> Value {
    let pairs = ALL.iter().map(|emulated| (emulated.name.to_owned(), (emulated.endpoints)(public_url)));
    Value::Object(pairs.collect::<Map<_, _>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_ids_are_not_shared() {
        let names: std::collections::BTreeSet<_> = ALL.iter().map(|emulated| emulated.name).collect();
        let ids: std::collections::BTreeSet<_> = ALL.iter().map(|emulated| emulated.id).collect();
        assert_eq!((names.len(), ids.len()), (ALL.len(), ALL.len()));
        assert!(names.iter().all(|name| !["health", "control", "app"].contains(name)));
    }
}
