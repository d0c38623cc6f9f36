//! Files of a repository's default branch: listed by tree, followed from commit to commit, fetched by the hash of their content.
//!
//! A tree of 100,000 entries is one answer of some megabytes. It is read for every thousand files that it brings, so the last one is kept
//! in memory, with no more than what is in scope of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use domain::resource::DeleteReason;
use domain::{Author, ExternalId, Resource, ResourceKind, Timestamp};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Map, json};
use sha2::{Digest as _, Sha256};

use super::client::{Api, At, malformed};
use super::config::Config;
use super::cursor::Repo;
use super::ids;
use super::kinds;
use super::wire::{self, TreeEntry};
use crate::error::ProviderError;
use crate::provider::{Gone, Listed};

/// Files that one page brings.
const FILES_PER_PAGE: usize = 1_000;
/// Folders that wait to be walked in a repository whose tree GitHub cuts. Beyond, the rest of it is left out.
const MAX_WAITING: usize = 1_000;

/// A file as trees tell it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its path.
    pub path: String,
    /// The hash of its content.
    pub sha: String,
    /// Its size.
    pub bytes: Option<u64>,
}

/// The files in scope of one tree.
type Files = Arc<Vec<Found>>;

/// The tree that was read last, for one account, repository, filter and tree.
#[derive(Debug, Default)]
pub struct Trees(Mutex<Option<([u8; 32], Files)>>);

impl Trees {
    fn key(token: &SecretString, config: &Config, repository: u64, tree: &str) -> [u8; 32] {
        let mut hash = Sha256::new();
        for part in [token.expose_secret(), &format!("{config:?}"), &repository.to_string(), tree] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        hash.finalize().into()
    }

    fn get(&self, key: [u8; 32]) -> Option<Files> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.as_ref().filter(|(kept, _)| *kept == key).map(|(_, files)| Arc::clone(files))
    }

    fn keep(&self, key: [u8; 32], files: &Files) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((key, Arc::clone(files)));
    }
}

/// What reading files takes.
#[derive(Clone, Copy)]
pub struct Reader<'a> {
    /// The API.
    pub api: Api<'a>,
    /// The account, for the kept tree.
    pub token: &'a SecretString,
    /// What is in scope.
    pub config: &'a Config,
    /// The kept tree.
    pub trees: &'a Trees,
}

/// Where a listing of files goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Token {
    /// In a whole tree, after so many files.
    Tree { sha: String, after: usize },
    /// Down from these folders, the next one last, with their hashes. For trees that GitHub cuts.
    Walk { waiting: Vec<(String, String)>, after: usize },
    /// In the difference of two commits, after so many entries.
    Difference { head: String, after: usize },
}

impl Token {
    fn read(text: &str) -> Result<Self, ProviderError> {
        serde_json::from_str(text).map_err(|_| super::client::error(crate::error::Kind::PageExpired))
    }

    fn write(&self) -> Result<String, ProviderError> {
        serde_json::to_string(self).map_err(|cause| malformed("a place in a tree").because(cause))
    }
}

/// A tree, read.
enum Read {
    /// All files in scope, and the tree's hash.
    Whole(Files, String),
    /// GitHub cut it.
    Cut(String),
    /// There is none.
    Nothing,
}

impl Reader<'_> {
    async fn tree(&self, at: At<'_>, of: &str) -> Result<Read, ProviderError> {
        let key = Trees::key(self.token, self.config, at.id, of);
        if super::client::is_sha(of)
            && let Some(files) = self.trees.get(key)
        {
            return Ok(Read::Whole(files, of.to_owned()));
        }
        let Some(tree) = self.api.tree(at, of, true).await? else { return Ok(Read::Nothing) };
        if tree.truncated {
            return Ok(Read::Cut(tree.sha));
        }
        let files: Files = Arc::new(self.in_scope("", tree.tree));
        self.trees.keep(Trees::key(self.token, self.config, at.id, &tree.sha), &files);
        Ok(Read::Whole(files, tree.sha))
    }

    /// The files in scope of a folder's tree. Links, and other repositories inside this one, are no files.
    fn in_scope(&self, folder: &str, entries: Vec<TreeEntry>) -> Vec<Found> {
        let files = entries.into_iter().filter(|entry| entry.kind == "blob" && entry.mode != "120000");
        let found = files.map(|entry| Found { path: joined(folder, &entry.path), sha: entry.sha, bytes: entry.size });
        found.filter(|file| self.config.has_file(&file.path, file.bytes)).collect()
    }

    /// A page of all files: at most a thousand, and where the next page goes on.
    pub async fn list(&self, repo: &Repo, token: Option<&str>) -> Result<(Vec<Listed>, Option<String>), ProviderError> {
        let (files, next) = match token.map(Token::read).transpose()? {
            None if repo.branch.is_empty() => return Ok((Vec::new(), None)),
            None => self.page(repo, &repo.branch, 0).await?,
            Some(Token::Tree { sha, after }) => self.page(repo, &sha, after).await?,
            Some(Token::Walk { waiting, after }) => self.walk(repo, waiting, after).await?,
            Some(Token::Difference { head, .. }) => self.page(repo, &head, 0).await?,
        };
        let seen = Seen { at: repo.pushed_at(), author: None };
        let listed = files.iter().filter_map(|file| listed(repo, file, &seen)).collect();
        Ok((listed, next.map(|next| next.write()).transpose()?))
    }

    async fn page(&self, repo: &Repo, of: &str, after: usize) -> Result<(Vec<Found>, Option<Token>), ProviderError> {
        match self.tree(repo.at(), of).await? {
            Read::Nothing => Ok((Vec::new(), None)),
            Read::Cut(sha) => self.walk(repo, vec![(String::new(), sha)], 0).await,
            Read::Whole(files, sha) => {
                let page: Vec<Found> = files.iter().skip(after).take(FILES_PER_PAGE).cloned().collect();
                let after = after + page.len();
                Ok((page, (after < files.len()).then_some(Token::Tree { sha, after })))
            }
        }
    }

    /// The next waiting folder: whole if GitHub gives it whole, else what lies in it, and its folders wait.
    async fn walk(
        &self,
        repo: &Repo,
        mut waiting: Vec<(String, String)>,
        after: usize,
    ) -> Result<(Vec<Found>, Option<Token>), ProviderError> {
        let Some((folder, sha)) = waiting.last().cloned() else { return Ok((Vec::new(), None)) };
        // The top was cut already, or nobody would walk.
        let whole = if folder.is_empty() { None } else { self.api.tree(repo.at(), &sha, true).await? };
        let is_whole = whole.as_ref().is_some_and(|tree| !tree.truncated);
        let tree = if is_whole { whole } else { self.api.tree(repo.at(), &sha, false).await? };
        let entries = tree.map(|tree| tree.tree).unwrap_or_default();
        let folders: Vec<(String, String)> = match is_whole {
            true => Vec::new(),
            false => {
                let below = entries.iter().filter(|entry| entry.kind == "tree");
                let below = below.map(|entry| (joined(&folder, &entry.path), entry.sha.clone()));
                below.filter(|(path, _)| !kinds::is_generated(&format!("{path}/x"))).collect()
            }
        };
        let files = self.in_scope(&folder, entries);
        let page: Vec<Found> = files.iter().skip(after).take(FILES_PER_PAGE).cloned().collect();
        let after = after + page.len();
        if after < files.len() {
            return Ok((page, Some(Token::Walk { waiting, after })));
        }
        waiting.pop();
        waiting.extend(folders.into_iter().rev());
        if waiting.len() > MAX_WAITING {
            tracing::warn!(
                repository = repo.id,
                folders = waiting.len(),
                "a repository has too many folders to walk; some are left out"
            );
            waiting.drain(..waiting.len() - MAX_WAITING);
        }
        Ok((page, (!waiting.is_empty()).then_some(Token::Walk { waiting, after: 0 })))
    }

    /// What changed between two commits.
    pub async fn changes(
        &self,
        repo: &Repo,
        base: &str,
        head: &str,
        token: Option<&str>,
    ) -> Result<Changes, ProviderError> {
        let after = match token.map(Token::read).transpose()? {
            Some(Token::Difference { after, .. }) => after,
            _ => 0,
        };
        let Read::Whole(now, _) = self.tree(repo.at(), head).await? else { return Ok(Changes::Unclear) };
        let (changed, gone, seen) = match self.told(repo, base, head).await? {
            Some(told) => told,
            None => {
                // Too much changed to be told, or history was rewritten: both trees say.
                let Read::Whole(before, _) = self.tree(repo.at(), base).await? else { return Ok(Changes::Unclear) };
                let (changed, gone) = difference(&before, &now);
                (changed, gone, Seen { at: repo.pushed_at(), author: None })
            }
        };
        let by_path: BTreeMap<&str, &Found> = now.iter().map(|file| (file.path.as_str(), file)).collect();
        let mut page = Vec::new();
        let mut left: Vec<Gone> = Vec::new();
        let total = changed.len() + gone.len();
        for path in changed.iter().chain(&gone).skip(after).take(FILES_PER_PAGE) {
            match by_path.get(path.as_str()) {
                Some(file) => page.extend(listed(repo, file, &seen)),
                // It is there and out of scope by now (it has grown), or it is not there.
                None => left.extend(self.left(repo.id, path, changed.contains(path))),
            }
        }
        let done = after + FILES_PER_PAGE.min(total.saturating_sub(after));
        let next =
            (done < total).then(|| Token::Difference { head: head.to_owned(), after: done }.write()).transpose()?;
        Ok(Changes::These { listed: page, gone: left, next })
    }

    fn left(&self, repository: u64, path: &str, is_there: bool) -> Option<Gone> {
        let reason = if is_there { DeleteReason::OutOfScope } else { DeleteReason::Removed };
        let external_id = ids::file(repository, path).filter(|_| self.config.has_path(path))?;
        Some(Gone { external_id, reason })
    }

    /// What GitHub says changed: paths to look at, and paths that are no more. `None` if it does not tell all.
    async fn told(
        &self,
        repo: &Repo,
        base: &str,
        head: &str,
    ) -> Result<Option<(Vec<String>, Vec<String>, Seen)>, ProviderError> {
        /// GitHub tells of at most so many files, and does not say that there are more.
        const MAX_FILES: usize = 300;
        let Some(comparison) = self.api.compare(repo.at(), base, head).await? else { return Ok(None) };
        let files = comparison.files.unwrap_or_default();
        if !matches!(comparison.status.as_str(), "ahead" | "identical") || files.len() >= MAX_FILES {
            return Ok(None);
        }
        let (mut changed, mut gone) = (Vec::new(), Vec::new());
        for file in files {
            match (file.status.as_str(), file.previous_filename) {
                ("removed", _) => gone.push(file.filename),
                ("unchanged", _) => {}
                ("renamed", Some(previous)) => {
                    gone.push(previous);
                    changed.push(file.filename);
                }
                _ => changed.push(file.filename),
            }
        }
        let last = comparison.commits.last();
        let at = last.and_then(committed).unwrap_or_else(|| repo.pushed_at());
        // Of several commits it is not told which one changed which file.
        let author = last.filter(|_| comparison.commits.len() == 1).and_then(author);
        Ok(Some((changed, gone, Seen { at, author })))
    }
}

/// What changed in a repository's files.
pub enum Changes {
    /// This; more of it follows if there is a token.
    These { listed: Vec<Listed>, gone: Vec<Gone>, next: Option<String> },
    /// It cannot be told: everything is to be listed.
    Unclear,
}

/// When a file was seen as it is, and who made it so.
pub struct Seen {
    /// When.
    pub at: Timestamp,
    /// Who, if that is known.
    pub author: Option<Author>,
}

impl Seen {
    /// What the last commit of a file says.
    pub fn of(commit: &wire::Commit) -> Option<Self> {
        Some(Self { at: committed(commit)?, author: author(commit) })
    }
}

/// Paths that are new or other than before, and paths that are no more.
fn difference(before: &[Found], now: &[Found]) -> (Vec<String>, Vec<String>) {
    let old: BTreeMap<&str, &str> = before.iter().map(|file| (file.path.as_str(), file.sha.as_str())).collect();
    let new: BTreeMap<&str, &str> = now.iter().map(|file| (file.path.as_str(), file.sha.as_str())).collect();
    let changed = new.iter().filter(|(path, sha)| old.get(**path) != Some(sha)).map(|(path, _)| (*path).to_owned());
    let gone = old.keys().filter(|path| !new.contains_key(**path)).map(|path| (*path).to_owned());
    (changed.collect(), gone.collect())
}

fn listed(repo: &Repo, file: &Found, seen: &Seen) -> Option<Listed> {
    let external_id = ids::file(repo.id, &file.path)?;
    let url = page_of(&repo.url, &repo.branch, &file.path);
    Some(Listed { resource: resource(external_id, repo.id, &repo.name, file, url, seen), text: None })
}

/// A file as a resource. Its revision is its content's hash: nothing else of it is delivered but its path, which is its id.
pub fn resource(
    external_id: ExternalId,
    repository: u64,
    name: &str,
    file: &Found,
    url: Option<String>,
    seen: &Seen,
) -> Resource {
    let mut metadata = Map::new();
    metadata.insert("repository".to_owned(), json!(name));
    metadata.insert("blob".to_owned(), json!(file.sha));
    Resource {
        external_id,
        kind: ResourceKind::File,
        name: file.path.clone(),
        mime_type: Some(kinds::media_type(&file.path).to_owned()),
        revision: file.sha.clone(),
        bytes: file.bytes,
        url,
        parent_id: Some(repository.to_string()),
        author: seen.author.clone(),
        // Trees know no times. What is told is when the branch was last seen to move, or the file's last commit.
        created_at: seen.at,
        updated_at: seen.at,
        metadata,
    }
}

/// A file's page.
fn page_of(repository: &str, branch: &str, path: &str) -> Option<String> {
    let mut url = url::Url::parse(repository).ok()?;
    url.path_segments_mut().ok()?.push("blob").extend(branch.split('/')).extend(path.split('/'));
    Some(url.to_string())
}

fn joined(folder: &str, path: &str) -> String {
    if folder.is_empty() { path.to_owned() } else { format!("{folder}/{path}") }
}

fn committed(commit: &wire::Commit) -> Option<Timestamp> {
    let signatures = [commit.commit.committer.as_ref(), commit.commit.author.as_ref()];
    signatures.into_iter().flatten().find_map(|signature| signature.date)
}

fn author(commit: &wire::Commit) -> Option<Author> {
    let signed = commit.commit.author.as_ref();
    let account = commit.author.as_ref().and_then(|user| Some((user.id?, user.login.clone()?)));
    let email = signed.and_then(|signed| signed.email.clone());
    match account {
        Some((id, name)) => Some(Author { id: id.to_string(), name, email }),
        None => Some(Author { id: String::new(), name: signed?.name.clone()?, email }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, sha: &str) -> Found {
        Found { path: path.to_owned(), sha: sha.to_owned(), bytes: None }
    }

    #[test]
    fn two_trees_tell_what_is_new_what_changed_and_what_is_gone() {
        let before = [file("a", "1"), file("b", "2"), file("c", "3")];
        let now = [file("a", "1"), file("b", "9"), file("d", "3")];
        assert_eq!(difference(&before, &now), (vec!["b".to_owned(), "d".to_owned()], vec!["c".to_owned()]));
    }

    #[test]
    fn a_files_page_is_encoded_part_by_part() {
        let page = page_of("https://github.com/acme/app", "feature/x", "docs/a b#1?.md").unwrap();
        assert_eq!(page, "https://github.com/acme/app/blob/feature/x/docs/a%20b%231%3F.md");
        assert_eq!(page_of("", "main", "a"), None);
    }

    #[test]
    fn an_account_goes_before_what_git_says_of_an_author() {
        let commit: wire::Commit = serde_json::from_value(serde_json::json!({"author": {"id": 7, "login": "ana"},
            "commit": {"author": {"name": "Ana A", "email": "a@example.com", "date": "2026-01-02T03:04:05Z"}}}))
        .unwrap();
        let seen = Seen::of(&commit).unwrap();
        assert_eq!(
            seen.author.unwrap(),
            Author { id: "7".into(), name: "ana".into(), email: Some("a@example.com".into()) }
        );
        let nobody: wire::Commit =
            serde_json::from_value(serde_json::json!({"author": {}, "commit": {"author": {"name": "Ana A"}}})).unwrap();
        assert_eq!(author(&nobody).unwrap().name, "Ana A");
        assert!(Seen::of(&nobody).is_none());
    }
}
