//! Names of people. Notion's answers carry ids; a name costs a call, so names are remembered for as long as the process lives.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use domain::{Author, Timestamp};
use secrecy::ExposeSecret as _;
use sha2::{Digest as _, Sha256};

use super::client::Api;
use crate::error::{Kind, ProviderError};
use crate::provider::Access;

/// Names that are remembered at most; beyond that all are forgotten.
const MOST: usize = 5000;
/// How long a name is believed, and its absence too.
const BELIEVED: Duration = Duration::from_secs(3600);

/// Whose name, asked with whose token: what one connection may know is not shown to another.
type Key = ([u8; 32], String);

/// Names that were asked for.
#[derive(Default)]
pub struct People(Mutex<HashMap<Key, (Timestamp, Option<Author>)>>);

impl People {
    /// Who this is, by id; `None` where the integration may not know. Costs a call, counted in `calls`, if it is not remembered.
    ///
    /// # Errors
    /// Those of the call that are not about the person: limits, outages, a dead token.
    pub async fn named(
        &self,
        api: Api<'_>,
        access: &Access,
        id: &str,
        calls: &mut u32,
    ) -> Result<Option<Author>, ProviderError> {
        let key = (Sha256::digest(access.token.expose_secret()).into(), id.to_owned());
        let now = api.now();
        let fresh = |at: &Timestamp| (now - *at).to_std().is_ok_and(|age| age < BELIEVED);
        if let Some((_, author)) = self.lock().get(&key).filter(|(at, _)| fresh(at)) {
            return Ok(author.clone());
        }
        *calls = calls.saturating_sub(1);
        let author = match api.user(id).await {
            Ok(user) => user.name.filter(|name| !name.trim().is_empty()).map(|name| Author {
                id: id.to_owned(),
                name,
                email: user.person.and_then(|person| person.email),
            }),
            // The capability is missing, or it is a guest: the page has no author then.
            Err(ProviderError {
                kind: Kind::ScopeMissing | Kind::NotFound | Kind::Forbidden(_) | Kind::Rejected(_),
                ..
            }) => None,
            Err(error) => return Err(error),
        };
        let mut known = self.lock();
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(key, (now, author.clone()));
        Ok(author)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Key, (Timestamp, Option<Author>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Http;
    use crate::notion::tests::{access, id};
    use crate::testing::{Reply, Server};
    use serde_json::json;

    #[tokio::test]
    async fn a_name_is_asked_for_once_by_each_connection() {
        let server = Server::start(|request| {
            assert_eq!(request.path, format!("/v1/users/{}", id(7)));
            Reply::json(200, json!({"object": "user", "id": id(7), "type": "person", "name": "Ada", "person": {"email": "ada@example.com"}}))
        })
        .await;
        let (people, http, mine) = (People::default(), Http::new(), access(&server));
        let other = Access { token: "other".into(), ..mine.clone() };
        for (access, calls_left) in [(&mine, 4), (&mine, 5), (&other, 4)] {
            let mut calls = 5;
            let author = people.named(Api::new(&http, access), access, &id(7), &mut calls).await.unwrap().unwrap();
            assert_eq!((author.name.as_str(), author.email.as_deref()), ("Ada", Some("ada@example.com")));
            assert_eq!(calls, calls_left);
        }
    }

    #[tokio::test]
    async fn who_may_not_be_known_is_nobody_and_an_outage_is_an_outage() {
        let check = async |status, code: &'static str| {
            let server = Server::start(move |_| Reply::json(status, json!({"object": "error", "code": code}))).await;
            let (people, http, access) = (People::default(), Http::new(), access(&server));
            people.named(Api::new(&http, &access), &access, &id(7), &mut 5).await.map_err(|error| error.kind)
        };
        assert_eq!(check(403, "restricted_resource").await, Ok(None));
        assert_eq!(check(404, "object_not_found").await, Ok(None));
        assert_eq!(check(503, "service_unavailable").await, Err(Kind::Unavailable));
        assert_eq!(check(401, "unauthorized").await, Err(Kind::TokenRejected));
    }
}
