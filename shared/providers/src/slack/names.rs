//! Who people are and what channels are called: asked for once and remembered for some minutes.
//!
//! A page of messages mentions the same people again and again, and the API names them by id only. What is remembered belongs to
//! one access token and serves no other; it is bounded, and nothing depends on it but the number of calls.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::TimeDelta;
use domain::{Author, Timestamp};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use secrecy::ExposeSecret as _;
use sha2::{Digest as _, Sha256};

use super::client::Api;
use super::config::{is_channel, is_id};
use super::wire;
use crate::error::{Kind, ProviderError};

/// How long a name is believed.
const LIFE: TimeDelta = TimeDelta::minutes(10);
/// Accesses that are remembered at once.
const ACCESSES: usize = 8;
/// Names that are remembered of one access: about 2 MB.
const NAMES: usize = 20_000;
/// With more people than this to ask for, the directory is read instead.
const ONE_BY_ONE: usize = 10;
/// Pages of the directory that are read; whoever is not on them is asked for one by one.
const DIRECTORY_PAGES: usize = 5;
/// Calls under way at once.
const AT_ONCE: usize = 4;

/// A person or bot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The name that the workspace shows.
    pub name: String,
    /// Their address, where we may see it.
    pub email: Option<String>,
}

/// What kind of place a channel is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A channel, public or private.
    Channel,
    /// A direct message.
    Direct,
    /// A direct message of several people.
    Group,
}

/// A channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    /// Its name; in a direct message whom it is with, as an id.
    pub name: String,
    /// What it is.
    pub place: Place,
    /// When it was made; a back-fill ends there.
    pub created: Option<Timestamp>,
}

/// What is remembered of one access.
#[derive(Debug)]
struct Known {
    since: Timestamp,
    workspace: Option<String>,
    has_directory: bool,
    people: HashMap<String, Option<Person>>,
    rooms: HashMap<String, Room>,
}

/// What is remembered of several.
#[derive(Debug, Clone, Default)]
pub struct Memory(Arc<Mutex<HashMap<[u8; 32], Known>>>);

/// What is known through one access, and how to ask for more.
#[derive(Clone, Copy)]
pub struct Names<'a> {
    api: Api<'a>,
    memory: &'a Memory,
    key: [u8; 32],
}

impl Memory {
    /// The names that `api` sees.
    pub fn of<'a>(&'a self, api: Api<'a>) -> Names<'a> {
        let key = Sha256::digest(api.access().token.expose_secret()).into();
        Names { api, memory: self, key }
    }
}

impl Names<'_> {
    fn with<T>(&self, work: impl FnOnce(&mut Known) -> T) -> T {
        let mut all = self.memory.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.api.now();
        all.retain(|_, known| now - known.since < LIFE);
        if all.len() >= ACCESSES && !all.contains_key(&self.key) {
            all.clear();
        }
        let known = all.entry(self.key).or_insert_with(|| Known {
            since: now,
            workspace: None,
            has_directory: false,
            people: HashMap::new(),
            rooms: HashMap::new(),
        });
        if known.people.len() > NAMES {
            known.people.clear();
            known.has_directory = false;
        }
        if known.rooms.len() > NAMES {
            known.rooms.clear();
        }
        work(known)
    }

    /// The address of the workspace, `https://acme.slack.com/`; one that is none of Slack's is not repeated.
    pub async fn workspace(&self) -> Result<String, ProviderError> {
        if let Some(known) = self.with(|known| known.workspace.clone()) {
            return Ok(known);
        }
        let said = self.api.identity().await?.url.unwrap_or_default();
        let parsed = url::Url::parse(&said).ok().filter(|url| matches!(url.scheme(), "https" | "http"));
        let url = parsed.map_or_else(|| "https://slack.com/".to_owned(), |url| url.to_string());
        self.with(|known| known.workspace = Some(url.clone()));
        Ok(url)
    }

    /// Remembers channels that were listed.
    pub fn learn(&self, channels: &[wire::Channel]) {
        self.with(|known| known.rooms.extend(channels.iter().map(|channel| (channel.id.clone(), room(channel)))));
    }

    /// A channel: as remembered, or asked for.
    ///
    /// # Errors
    /// [`Kind::Forbidden`] with [`super::client::NO_CHANNEL`] for one that cannot be seen.
    pub async fn room(&self, id: &str) -> Result<Room, ProviderError> {
        if let Some(known) = self.with(|known| known.rooms.get(id).cloned()) {
            return Ok(known);
        }
        let channel = self.api.channel(id).await?;
        let found = room(&channel);
        self.with(|known| known.rooms.insert(id.to_owned(), found.clone()));
        Ok(found)
    }

    /// When a channel was made, if that is remembered.
    pub fn created(&self, id: &str) -> Option<Timestamp> {
        self.with(|known| known.rooms.get(id)?.created)
    }

    /// The names of channels that messages mention; those that cannot be seen are left out.
    pub async fn rooms(&self, ids: &BTreeSet<String>) -> Result<HashMap<String, String>, ProviderError> {
        let mut names = HashMap::new();
        for id in ids.iter().filter(|id| is_channel(id)) {
            match self.room(id).await {
                Ok(room) => names.insert(id.clone(), room.name),
                Err(ProviderError { kind: Kind::Forbidden(_) | Kind::NotFound | Kind::Rejected(_), .. }) => {
                    // Not to be asked for again with every page.
                    let hidden = Room { name: id.clone(), place: Place::Channel, created: None };
                    self.with(|known| known.rooms.insert(id.clone(), hidden));
                    None
                }
                Err(error) => return Err(error),
            };
        }
        Ok(names)
    }

    /// People by their ids; those that nobody knows are left out.
    pub async fn people(&self, ids: &BTreeSet<String>) -> Result<HashMap<String, Person>, ProviderError> {
        let unknown = |known: &mut Known| {
            ids.iter().filter(|id| is_id(id) && !known.people.contains_key(*id)).cloned().collect::<Vec<_>>()
        };
        let mut missing = self.with(unknown);
        if missing.len() > ONE_BY_ONE && !self.with(|known| known.has_directory) {
            self.read_directory().await?;
            missing = self.with(unknown);
        }
        let mut calls = Vec::with_capacity(missing.len());
        for id in &missing {
            calls.push(self.ask(id));
        }
        stream::iter(calls).buffer_unordered(AT_ONCE).try_collect::<Vec<()>>().await?;
        Ok(self.with(|known| {
            let found = ids.iter().filter_map(|id| Some((id.clone(), known.people.get(id)?.clone()?)));
            found.collect()
        }))
    }

    async fn read_directory(&self) -> Result<(), ProviderError> {
        let mut cursor = None;
        for _ in 0..DIRECTORY_PAGES {
            let (users, next) = self.api.users(cursor.as_deref()).await?;
            self.with(|known| known.people.extend(users.iter().map(|user| (user.id.clone(), Some(person(user))))));
            cursor = next;
            if cursor.is_none() {
                break;
            }
        }
        self.with(|known| known.has_directory = true);
        Ok(())
    }

    /// Asks for one person. A limit ends the page: a text with ids in place of names would be taken for the true one.
    async fn ask(&self, id: &str) -> Result<(), ProviderError> {
        let found = match self.api.user(id).await {
            Ok(user) => Some(person(&user)),
            Err(ProviderError { kind: Kind::NotFound | Kind::Forbidden(_) | Kind::Rejected(_), .. }) => None,
            Err(error) => return Err(error),
        };
        self.with(|known| known.people.insert(id.to_owned(), found));
        Ok(())
    }
}

fn room(channel: &wire::Channel) -> Room {
    let place = match (channel.is_im, channel.is_mpim) {
        (Some(true), _) => Place::Direct,
        (_, Some(true)) => Place::Group,
        _ => Place::Channel,
    };
    let name = match place {
        Place::Direct => channel.user.as_ref(),
        Place::Channel | Place::Group => channel.name.as_ref(),
    };
    let name = name.filter(|name| !name.is_empty()).cloned().unwrap_or_else(|| channel.id.clone());
    let created = channel.created.and_then(|seconds| Timestamp::from_timestamp(seconds, 0));
    Room { name, place, created }
}

fn person(user: &wire::User) -> Person {
    let profile = user.profile.clone().unwrap_or_default();
    let names = [profile.display_name, profile.real_name, user.real_name.clone(), user.name.clone()];
    let name =
        names.into_iter().flatten().map(|name| super::text::unescape(&name)).find(|name| !name.trim().is_empty());
    Person { name: name.unwrap_or_else(|| user.id.clone()), email: profile.email.filter(|email| !email.is_empty()) }
}

/// A person as the author of something.
pub fn author(id: &str, people: &HashMap<String, Person>) -> Author {
    match people.get(id) {
        Some(person) => Author { id: id.to_owned(), name: person.name.clone(), email: person.email.clone() },
        None => Author { id: id.to_owned(), name: id.to_owned(), email: None },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Http;
    use crate::testing::{Reply, Seen, Server, slack};
    use serde_json::json;

    fn ids(ids: &[&str]) -> BTreeSet<String> {
        ids.iter().map(|id| (*id).to_owned()).collect()
    }

    #[tokio::test]
    async fn a_name_is_asked_for_once_and_only_for_the_token_that_asked() {
        let server = Server::start(|request: &Seen| {
            let id = request.query("user");
            Reply::json(200, json!({"ok": true, "user": {"id": id, "name": "n", "profile": {"display_name": "", "real_name": "Ada &amp; Co"}}}))
        })
        .await;
        let (http, memory) = (Http::new(), Memory::default());
        let access = slack(&server);
        let names = memory.of(Api::new(&http, &access));
        for _ in 0..3 {
            assert_eq!(names.people(&ids(&["U1"])).await.unwrap()["U1"].name, "Ada & Co");
        }
        assert_eq!(server.seen().len(), 1);
        let other = crate::Access { token: "another".into(), ..access.clone() };
        memory.of(Api::new(&http, &other)).people(&ids(&["U1"])).await.unwrap();
        assert_eq!(server.seen().len(), 2);
    }

    #[tokio::test]
    async fn many_people_are_read_from_the_directory_and_strangers_are_left_out() {
        let server = Server::start(|request: &Seen| match request.path.as_str() {
            "/api/users.list" => {
                let members: Vec<_> =
                    (0..20).map(|n| json!({"id": format!("U{n}"), "name": format!("n{n}")})).collect();
                Reply::json(200, json!({"ok": true, "members": members}))
            }
            _ => Reply::json(200, json!({"ok": false, "error": "user_not_found"})),
        })
        .await;
        let (http, memory, access) = (Http::new(), Memory::default(), slack(&server));
        let names = memory.of(Api::new(&http, &access));
        let wanted: BTreeSet<String> = (0..21).map(|n| format!("U{n}")).chain(["<evil>".to_owned()]).collect();
        for _ in 0..2 {
            let found = names.people(&wanted).await.unwrap();
            assert_eq!((found.len(), found["U7"].name.as_str()), (20, "n7"));
        }
        assert_eq!(server.seen().len(), 2, "the directory, and one stranger");
    }

    #[tokio::test]
    async fn a_limit_is_said_and_not_papered_over_with_ids() {
        let server =
            Server::start(|_| Reply::json(429, json!({"ok": false, "error": "ratelimited"})).with("retry-after", "3"))
                .await;
        let (http, memory, access) = (Http::new(), Memory::default(), slack(&server));
        let limited = memory.of(Api::new(&http, &access)).people(&ids(&["U1"])).await.unwrap_err();
        assert!(matches!(limited.kind, Kind::RateLimited { retry_after: Some(_) }));
    }
}
