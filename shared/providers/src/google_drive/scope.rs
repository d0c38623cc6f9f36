//! Whether a file is among what is synced. Drive knows a file's parents one level up only, so the folders above are looked up and
//! remembered for the length of a call.

use std::collections::{BTreeSet, HashMap, HashSet};

use domain::resource::DeleteReason;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};

use super::client::Api;
use super::config::Config;
use super::resources::has_content;
use super::wire::{FILE_FIELDS, FOLDER, File, SHORTCUT};
use crate::error::{Kind, ProviderError};

/// Look-ups under way at once.
const AT_ONCE: usize = 8;
/// Levels that are looked up; Drive nests 100 deep at most, and a longer way is a loop.
const MAX_DEPTH: usize = 110;
/// Targets asked for in one search.
const TARGETS_PER_QUERY: usize = 50;

/// What is synced, with what was learned about folders during this call.
pub struct Scope<'a> {
    api: Api<'a>,
    /// The settings.
    pub config: Config,
    roots: Option<BTreeSet<String>>,
    parents: HashMap<String, Vec<String>>,
}

impl<'a> Scope<'a> {
    /// The scope of a `config`. Costs a call if `root` stands for a folder.
    pub async fn new(api: Api<'a>, config: Config) -> Result<Self, ProviderError> {
        let mut roots = config.folders.clone();
        if let Some(roots) = roots.as_mut()
            && roots.remove("root")
        {
            roots.insert(api.file("root", "id").await?.id);
        }
        Ok(Self { api, config, roots, parents: HashMap::new() })
    }

    /// Whether only chosen folders are synced.
    pub const fn has_folders(&self) -> bool {
        self.roots.is_some()
    }

    /// Which of these files the chosen folders allow: their positions. Everything else is judged by [`Self::judge`]. `drives` are the
    /// shared drives in which shortcuts may lie.
    pub async fn inside(&mut self, files: &[File], drives: &[String]) -> Result<HashSet<usize>, ProviderError> {
        if !self.has_folders() {
            return Ok((0..files.len()).collect());
        }
        self.learn(files).await?;
        let is_inside = |scope: &Self| -> HashSet<usize> {
            files.iter().enumerate().filter(|(_, file)| scope.is_below_root(&file.parents)).map(|(at, _)| at).collect()
        };
        let mut inside = is_inside(self);
        let outside: Vec<&str> =
            files.iter().enumerate().filter(|(at, _)| !inside.contains(at)).map(|(_, file)| file.id.as_str()).collect();
        if outside.is_empty() {
            return Ok(inside);
        }
        let reached = self.reached_by_shortcuts(&outside, drives).await?;
        inside.extend(files.iter().enumerate().filter(|(_, file)| reached.contains(&file.id)).map(|(at, _)| at));
        Ok(inside)
    }

    /// What all settings but the folders say of a file: why it is out of scope, or `None`. Files without content are no matter for this.
    pub fn judge(&self, file: &File) -> Option<DeleteReason> {
        if file.trashed {
            return Some(DeleteReason::Trashed);
        }
        // Chosen folders bring their drives with them.
        let drive =
            self.has_folders() || file.drive_id.as_ref().is_none_or(|id| self.config.shared_drives.contains(id));
        (!drive || !self.config.passes(file)).then_some(DeleteReason::OutOfScope)
    }

    /// The files that shortcuts lead to, as far as they are not `known` already, can be read, hold content and are not in the bin.
    pub async fn targets(&self, shortcuts: &[File], known: &HashSet<String>) -> Result<Vec<File>, ProviderError> {
        let ids: BTreeSet<&str> = shortcuts
            .iter()
            .filter_map(|file| file.shortcut_details.as_ref())
            .filter(|to| to.target_mime_type.as_deref() != Some(FOLDER))
            .filter_map(|to| to.target_id.as_deref())
            .filter(|id| !known.contains(*id))
            .collect();
        let calls: Vec<_> = ids.into_iter().map(|id| read(self.api, id.to_owned(), FILE_FIELDS)).collect();
        let found: Vec<(String, Option<File>)> = stream::iter(calls).buffer_unordered(AT_ONCE).try_collect().await?;
        // A target that is a shortcut again leads nowhere: following on could go in circles.
        Ok(found
            .into_iter()
            .filter_map(|(_, file)| file)
            .filter(|file| has_content(&file.mime_type) && !file.trashed)
            .collect())
    }

    /// Looks the folders above these files up, level by level.
    async fn learn(&mut self, files: &[File]) -> Result<(), ProviderError> {
        let mut unknown: BTreeSet<String> = files.iter().flat_map(|file| self.unknown(&file.parents)).collect();
        for _ in 0..MAX_DEPTH {
            if unknown.is_empty() {
                break;
            }
            let calls: Vec<_> = unknown.into_iter().map(|id| read(self.api, id, "id,parents")).collect();
            let found: Vec<(String, Option<File>)> =
                stream::iter(calls).buffer_unordered(AT_ONCE).try_collect().await?;
            let above: Vec<String> =
                found.iter().filter_map(|(_, file)| file.as_ref()).flat_map(|file| file.parents.clone()).collect();
            self.parents
                .extend(found.into_iter().map(|(id, file)| (id, file.map(|file| file.parents).unwrap_or_default())));
            unknown = self.unknown(&above).into_iter().collect();
        }
        Ok(())
    }

    fn unknown(&self, ids: &[String]) -> Vec<String> {
        let is_root = |id: &String| self.roots.as_ref().is_some_and(|roots| roots.contains(id));
        ids.iter().filter(|id| !is_root(id) && !self.parents.contains_key(*id)).cloned().collect()
    }

    fn is_below_root(&self, parents: &[String]) -> bool {
        let Some(roots) = &self.roots else { return true };
        let (mut left, mut seen) = (parents.to_vec(), HashSet::new());
        while let Some(id) = left.pop() {
            if roots.contains(&id) {
                return true;
            }
            if seen.insert(id.clone()) {
                left.extend(self.parents.get(&id).into_iter().flatten().cloned());
            }
        }
        false
    }

    /// Which of these targets a shortcut inside the chosen folders leads to.
    async fn reached_by_shortcuts(
        &mut self,
        ids: &[&str],
        drives: &[String],
    ) -> Result<HashSet<String>, ProviderError> {
        let mut shortcuts = Vec::new();
        for some in ids.chunks(TARGETS_PER_QUERY) {
            let targets: Vec<String> = some.iter().map(|id| format!("shortcutDetails.targetId = '{id}'")).collect();
            let query = format!("trashed = false and mimeType = '{SHORTCUT}' and ({})", targets.join(" or "));
            for drive in std::iter::once(None).chain(drives.iter().map(|id| Some(id.as_str()))) {
                // A target with more than a thousand shortcuts in one drive is left to its first thousand.
                shortcuts.extend(self.api.files(drive, &query, None).await?.files);
            }
        }
        self.learn(&shortcuts).await?;
        let inside = shortcuts.iter().filter(|file| !file.trashed && self.is_below_root(&file.parents));
        Ok(inside.filter_map(|file| file.shortcut_details.as_ref()?.target_id.clone()).collect())
    }
}

/// A file with the id that was asked for; `None` if it is gone or hidden.
async fn read(api: Api<'_>, id: String, fields: &'static str) -> Result<(String, Option<File>), ProviderError> {
    match api.file(&id, fields).await {
        Ok(file) => Ok((id, Some(file))),
        Err(ProviderError { kind: Kind::NotFound | Kind::Forbidden(_), .. }) => Ok((id, None)),
        Err(error) => Err(error),
    }
}

/// These files as far as they can be read: for chosen folders, with the drives that they are in.
pub async fn read_all(api: Api<'_>, ids: &BTreeSet<String>, fields: &'static str) -> Result<Vec<File>, ProviderError> {
    let calls: Vec<_> = ids.iter().map(|id| read(api, id.clone(), fields)).collect();
    let found: Vec<(String, Option<File>)> = stream::iter(calls).buffer_unordered(AT_ONCE).try_collect().await?;
    Ok(found.into_iter().filter_map(|(_, file)| file).collect())
}
