//! The one world that all requests share: behind a lock, and saved to a file shortly after each change.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, watch};

use crate::{
    config::{Config, HostApp},
    deliveries::Deliveries,
    faults::Faults,
    github::state::GitHub,
    google::state::Google,
    limits::Limits,
    notion::state::Notion,
    requests::RequestLog,
    slack::state::Slack,
};

/// What every handler gets.
pub type Shared = Arc<Sandbox>;

/// Everything that outlives a restart; one field per emulated provider.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct World {
    pub google: Google,
    #[serde(default)]
    pub slack: Slack,
    #[serde(default = "GitHub::empty")]
    pub github: GitHub,
    #[serde(default)]
    pub notion: Notion,
}

/// What happened on the wire and what shall go wrong on it; lives in memory only.
#[derive(Debug, Default)]
pub struct Traffic {
    pub faults: Faults,
    pub limits: Limits,
    pub requests: RequestLog,
    pub deliveries: Deliveries,
}

/// A running sandbox.
pub struct Sandbox {
    /// How others reach it, without trailing slash.
    pub public_url: String,
    /// The host application that `/app` stands in for.
    pub app: Option<HostApp>,
    /// Requests that the sandbox makes: webhooks, and calls to the host application's API.
    pub http: reqwest::Client,
    /// Counts the changes, for the tasks that send webhooks.
    changed: watch::Sender<u64>,
    unsaved: Notify,
    /// Held while the file is written, so that two writers never share the new file.
    saving: Mutex<()>,
    world: Mutex<World>,
    traffic: Mutex<Traffic>,
}

impl Sandbox {
    /// A sandbox that goes on where its state file ends, or begins empty (with sample content if asked).
    pub fn open(config: &Config, port: u16, http: reqwest::Client) -> Result<Self> {
        let stored = config.state_file.as_deref().map(load).transpose()?.flatten();
        let world = match stored {
            Some(mut world) => {
                world.after_load();
                world
            }
            None => World::fresh(config.demo)?,
        };
        let public_url = config.public_url.clone().unwrap_or_else(|| format!("http://localhost:{port}"));
        Ok(Self {
            public_url,
            app: config.app.clone(),
            http,
            changed: watch::Sender::new(0),
            unsaved: Notify::new(),
            saving: Mutex::new(()),
            world: Mutex::new(world),
            traffic: Mutex::new(Traffic::default()),
        })
    }

    /// Looks at the world.
    pub fn read<T>(&self, look: impl FnOnce(&World) -> T) -> T {
        look(&lock(&self.world))
    }

    /// Changes the world; webhooks and the state file follow.
    pub fn write<T>(&self, change: impl FnOnce(&mut World) -> T) -> T {
        let answer = change(&mut lock(&self.world));
        self.changed.send_modify(|count| *count = count.wrapping_add(1));
        self.unsaved.notify_one();
        answer
    }

    /// Tells one task of each change from now on; several changes may be told as one.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Looks at or changes what happens on the wire.
    pub fn traffic<T>(&self, work: impl FnOnce(&mut Traffic) -> T) -> T {
        work(&mut lock(&self.traffic))
    }

    /// Saves after changes until the process ends. Several changes share one write; a large world is written less often.
    pub async fn keep_saved(self: Arc<Self>, file: PathBuf) {
        let mut rest = Duration::from_millis(100);
        loop {
            self.unsaved.notified().await;
            tokio::time::sleep(rest).await;
            let (sandbox, target) = (Arc::clone(&self), file.clone());
            let started = Instant::now();
            match tokio::task::spawn_blocking(move || sandbox.save(&target)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::error!("cannot save the state: {error:#}"),
                Err(error) => tracing::error!("cannot save the state: {error}"),
            }
            rest = (started.elapsed() * 4).max(Duration::from_millis(100));
        }
    }

    /// Writes the state file whole or not at all: a new file takes the old one's name.
    pub fn save(&self, file: &Path) -> Result<()> {
        let _saving = lock(&self.saving);
        let json = serde_json::to_vec(&*lock(&self.world)).context("the state does not serialize")?;
        let beside = file.with_extension("new");
        if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        }
        std::fs::write(&beside, json).with_context(|| format!("cannot write {}", beside.display()))?;
        std::fs::rename(&beside, file).with_context(|| format!("cannot replace {}", file.display()))
    }
}

impl World {
    /// Rebuilds what is not stored.
    fn after_load(&mut self) {
        self.google.after_load();
    }

    /// An empty world, or one with sample content.
    pub fn fresh(demo: bool) -> Result<Self> {
        let mut world = Self {
            google: Google::empty(),
            slack: Slack::default(),
            github: GitHub::empty(),
            notion: Notion::default(),
        };
        if demo {
            crate::google::demo::fill(&mut world.google)?;
            crate::slack::demo::fill(&mut world.slack).map_err(|refused| anyhow::anyhow!("{refused}"))?;
            crate::github::fill(&mut world.github)?;
            crate::notion::demo::fill(&mut world.notion)?;
        }
        Ok(world)
    }
}

/// A panic elsewhere must not take the sandbox down with it, so a poisoned lock is taken all the same.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn load(file: &Path) -> Result<Option<World>> {
    match std::fs::read(file) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .with_context(|| format!("{} is not a state of this sandbox; delete it to start afresh", file.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", file.display())),
    }
}
