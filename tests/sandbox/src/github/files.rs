//! Git data: commits, trees, blobs, comparisons, and contents by path.

use std::collections::{BTreeMap, BTreeSet};

use axum::http::StatusCode;
use base64::Engine;
use serde_json::{Value, json};

use super::{
    api::{Answer, Call, Said},
    error::ApiError,
    shapes,
    state::{Commit, GitHub, Repo, node_id, sha},
};

/// What GitHub serves as JSON at most.
const INLINE_BYTES: u64 = 1_000_000;
const LARGEST_BYTES: u64 = 100_000_000;

/// Everything below a repository that git knows.
pub fn in_repo(github: &GitHub, repo: &Repo, rest: &[&str], call: &Call<'_>) -> Answer {
    match rest {
        ["git", "trees", of] => tree(github, repo, of, call),
        ["git", "blobs", hash] => blob(github, repo, hash, call),
        ["commits"] => commits(github, repo, call),
        ["commits", of @ ..] => {
            let commit = found(repo, &of.join("/"))?;
            if call.wants("github.sha") {
                return Ok(Said::Raw(commit.sha.clone().into_bytes(), "application/vnd.github.sha; charset=utf-8"));
            }
            Ok(Said::One(shapes::commit(github, repo, commit)))
        }
        ["compare", pair @ ..] => compare(github, repo, &pair.join("/")),
        ["contents", path @ ..] => contents(github, repo, &path.join("/"), call),
        _ => Err(ApiError::not_found()),
    }
}

fn empty() -> ApiError {
    ApiError::new(StatusCode::CONFLICT, "Git Repository is empty.")
}

fn found<'a>(repo: &'a Repo, of: &str) -> Result<&'a Commit, ApiError> {
    if repo.commits.is_empty() {
        return Err(empty());
    }
    let missing = || ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, &format!("No commit found for SHA: {of}"));
    repo.commit(of).ok_or_else(missing)
}

/// What lies directly in a folder: files with their hashes, folders with the files below them.
type Level<'a> = (BTreeMap<&'a str, &'a str>, BTreeMap<&'a str, Vec<(&'a str, &'a str)>>);

fn level<'a>(files: &[(&'a str, &'a str)]) -> Level<'a> {
    let (mut here, mut below) = (BTreeMap::new(), BTreeMap::<&str, Vec<_>>::new());
    for (path, hash) in files {
        match path.split_once('/') {
            Some((folder, rest)) => below.entry(folder).or_default().push((rest, *hash)),
            None => {
                here.insert(*path, *hash);
            }
        }
    }
    (here, below)
}

/// The hash of a folder follows from what is in it.
fn folder_hash(files: &[(&str, &str)]) -> String {
    let text: String = files.iter().map(|(path, hash)| format!("{path} {hash}\n")).collect();
    sha(&["tree", &text])
}

/// The files of a tree by its hash: a commit's, or one of a folder anywhere in its history.
fn files_of<'a>(repo: &'a Repo, of: &str) -> Option<Vec<(&'a str, &'a str)>> {
    fn search<'a>(files: Vec<(&'a str, &'a str)>, of: &str) -> Option<Vec<(&'a str, &'a str)>> {
        if folder_hash(&files) == of {
            return Some(files);
        }
        level(&files).1.into_values().find_map(|below| search(below, of))
    }
    let all =
        |commit: &'a Commit| commit.files.iter().map(|(path, hash)| (path.as_str(), hash.as_str())).collect::<Vec<_>>();
    match repo.commit(of) {
        Some(commit) => Some(all(commit)),
        None => repo.commits.iter().rev().find_map(|commit| search(all(commit), of)),
    }
}

fn tree(github: &GitHub, repo: &Repo, of: &str, call: &Call<'_>) -> Answer {
    if repo.commits.is_empty() {
        return Err(empty());
    }
    let files = files_of(repo, of).ok_or_else(ApiError::not_found)?;
    // Any value asks for all, even 0.
    let whole = call.query("recursive").is_some();
    let mut entries = Vec::new();
    walk(github, repo, "", &files, whole, &mut entries);
    let limit = github.settings.tree_limit;
    let truncated = whole && entries.len() > limit;
    if truncated {
        entries.truncate(limit);
    }
    let hash = folder_hash(&files);
    Ok(Said::One(
        json!({ "sha": hash, "url": format!("{}/git/trees/{hash}", shapes::repo_url(repo)), "tree": entries, "truncated": truncated }),
    ))
}

fn walk(github: &GitHub, repo: &Repo, folder: &str, files: &[(&str, &str)], whole: bool, entries: &mut Vec<Value>) {
    let (here, below) = level(files);
    let url = shapes::repo_url(repo);
    for (name, hash) in here {
        let blob = github.blobs.get(hash);
        let mode = blob.map_or("100644", |blob| blob.mode.as_str());
        let mut entry = json!({ "path": format!("{folder}{name}"), "mode": mode, "type": if mode == "160000" { "commit" } else { "blob" }, "sha": hash });
        if mode != "160000" {
            shapes::merge(
                &mut entry,
                json!({ "size": blob.map_or(0, |blob| blob.size), "url": format!("{url}/git/blobs/{hash}") }),
            );
        }
        entries.push(entry);
    }
    for (name, files) in below {
        let hash = folder_hash(&files);
        let path = format!("{folder}{name}");
        entries.push(json!({ "path": path, "mode": "040000", "type": "tree", "sha": hash, "url": format!("{url}/git/trees/{hash}") }));
        if whole {
            walk(github, repo, &format!("{path}/"), &files, whole, entries);
        }
    }
}

fn bytes_of(github: &GitHub, hash: &str) -> Vec<u8> {
    let blob = github.blobs.get(hash);
    blob.and_then(|blob| base64::engine::general_purpose::STANDARD.decode(&blob.content).ok()).unwrap_or_default()
}

/// GitHub breaks base64 into lines of sixty.
fn broken(content: &str) -> String {
    let lines: Vec<&str> = content.as_bytes().chunks(60).filter_map(|line| std::str::from_utf8(line).ok()).collect();
    lines.iter().map(|line| format!("{line}\n")).collect()
}

fn blob(github: &GitHub, repo: &Repo, hash: &str, call: &Call<'_>) -> Answer {
    let is_here = repo.commits.iter().any(|commit| commit.files.values().any(|one| one == hash));
    let found = github.blobs.get(hash).filter(|_| is_here).ok_or_else(ApiError::not_found)?;
    if found.size > LARGEST_BYTES {
        return Err(too_large());
    }
    if call.wants("github.raw") {
        return Ok(Said::Raw(bytes_of(github, hash), "application/vnd.github.raw+json; charset=utf-8"));
    }
    Ok(Said::One(json!({
        "sha": hash, "node_id": node_id("Blob", found.size), "size": found.size,
        "url": format!("{}/git/blobs/{hash}", shapes::repo_url(repo)), "content": broken(&found.content), "encoding": "base64",
    })))
}

fn too_large() -> ApiError {
    ApiError {
        errors: vec![json!({ "resource": "Blob", "field": "data", "code": "too_large" })],
        ..ApiError::new(StatusCode::FORBIDDEN, "This API returns blobs up to 100 MB in size.")
    }
}

fn commits(github: &GitHub, repo: &Repo, call: &Call<'_>) -> Answer {
    if repo.commits.is_empty() {
        return Err(empty());
    }
    let mut shown = Vec::new();
    let mut before: Option<&Commit> = None;
    for commit in &repo.commits {
        let touches = call
            .query("path")
            .is_none_or(|path| commit.files.get(path) != before.and_then(|before| before.files.get(path)));
        if touches {
            shown.push(shapes::commit(github, repo, commit));
        }
        before = Some(commit);
    }
    shown.reverse();
    Ok(Said::List(shown))
}

fn compare(github: &GitHub, repo: &Repo, pair: &str) -> Answer {
    let (base, head) = pair.split_once("...").ok_or_else(ApiError::not_found)?;
    let (base, head) =
        (repo.commit(base).ok_or_else(ApiError::not_found)?, repo.commit(head).ok_or_else(ApiError::not_found)?);
    let place = |commit: &Commit| repo.commits.iter().position(|one| one.sha == commit.sha).unwrap_or_default();
    let (from, to) = (place(base), place(head));
    let status = match from.cmp(&to) {
        std::cmp::Ordering::Less => "ahead",
        std::cmp::Ordering::Equal => "identical",
        std::cmp::Ordering::Greater => "behind",
    };
    let between: Vec<&Commit> =
        if from < to { repo.commits.iter().skip(from + 1).take(to - from).collect() } else { Vec::new() };
    let mut files = if from < to { changed(repo, base, head) } else { Vec::new() };
    files.truncate(github.settings.compare_limit);
    let url = format!("{}/compare/{}...{}", shapes::repo_url(repo), base.sha, head.sha);
    let web = format!("{}/{}/compare/{}...{}", shapes::WEB, repo.full_name(), base.sha, head.sha);
    Ok(Said::One(json!({
        "url": url, "html_url": web, "permalink_url": web, "diff_url": format!("{web}.diff"), "patch_url": format!("{web}.patch"),
        "base_commit": shapes::commit(github, repo, base), "merge_base_commit": shapes::commit(github, repo, base),
        "status": status, "ahead_by": between.len(), "behind_by": from.saturating_sub(to), "total_commits": between.len(),
        "commits": between.into_iter().take(250).map(|commit| shapes::commit(github, repo, commit)).collect::<Vec<_>>(),
        "files": files,
    })))
}

/// Files that differ between two commits. One that went while the same content came elsewhere was renamed.
fn changed(repo: &Repo, base: &Commit, head: &Commit) -> Vec<Value> {
    let gone: Vec<(&String, &String)> = base.files.iter().filter(|(path, _)| !head.files.contains_key(*path)).collect();
    let mut renamed = BTreeSet::new();
    let mut entries = Vec::new();
    let entry = |path: &str, hash: &str, status: &str| {
        let url = shapes::repo_url(repo);
        json!({
            "sha": hash, "filename": path, "status": status, "additions": 1, "deletions": 0, "changes": 1,
            "blob_url": format!("{}/{}/blob/{}/{path}", shapes::WEB, repo.full_name(), head.sha),
            "raw_url": format!("{}/{}/raw/{}/{path}", shapes::WEB, repo.full_name(), head.sha),
            "contents_url": format!("{url}/contents/{path}?ref={}", head.sha),
        })
    };
    for (path, hash) in &head.files {
        match base.files.get(path) {
            Some(before) if before == hash => {}
            Some(_) => entries.push(entry(path, hash, "modified")),
            None => match gone.iter().find(|(old, before)| *before == hash && !renamed.contains(*old)) {
                Some((old, _)) => {
                    renamed.insert((*old).clone());
                    let mut shown = entry(path, hash, "renamed");
                    shapes::merge(&mut shown, json!({ "previous_filename": old }));
                    entries.push(shown);
                }
                None => entries.push(entry(path, hash, "added")),
            },
        }
    }
    let removed = gone.into_iter().filter(|(path, _)| !renamed.contains(*path));
    entries.extend(removed.map(|(path, hash)| entry(path, hash, "removed")));
    entries
}

fn contents(github: &GitHub, repo: &Repo, path: &str, call: &Call<'_>) -> Answer {
    let commit = repo.commit(call.query("ref").unwrap_or("HEAD")).ok_or_else(ApiError::not_found)?;
    let Some(hash) = commit.files.get(path) else {
        let is_folder =
            commit.files.keys().any(|file| file.strip_prefix(path).is_some_and(|rest| rest.starts_with('/')));
        return match is_folder {
            // In the object form a folder is an object too.
            true => {
                Ok(Said::One(json!({ "type": "dir", "path": path, "entries": [], "size": 0, "url": "", "sha": "" })))
            }
            false => Err(ApiError::not_found()),
        };
    };
    let found = github.blobs.get(hash).ok_or_else(ApiError::not_found)?;
    if found.size > LARGEST_BYTES {
        return Err(too_large());
    }
    if call.wants("github.raw") {
        return Ok(Said::Raw(bytes_of(github, hash), "application/vnd.github.raw+json; charset=utf-8"));
    }
    let inline = found.size <= INLINE_BYTES;
    let url = format!("{}/contents/{path}?ref={}", shapes::repo_url(repo), repo.branch);
    let git_url = format!("{}/git/blobs/{hash}", shapes::repo_url(repo));
    let encode =
        |part: &str| percent_encoding::utf8_percent_encode(part, percent_encoding::NON_ALPHANUMERIC).to_string();
    let web_path: Vec<String> =
        path.split('/').map(|part| encode(part).replace("%2E", ".").replace("%2D", "-").replace("%5F", "_")).collect();
    let html_url = format!("{}/{}/blob/{}/{}", shapes::WEB, repo.full_name(), repo.branch, web_path.join("/"));
    let kind = if found.mode == "120000" { "symlink" } else { "file" };
    Ok(Said::One(json!({
        "name": path.rsplit('/').next(), "path": path, "sha": hash, "size": found.size, "url": url, "html_url": html_url, "git_url": git_url,
        "download_url": format!("https://raw.githubusercontent.com/{}/{}/{path}", repo.full_name(), repo.branch), "type": kind,
        "content": if inline { broken(&found.content) } else { String::new() },
        "encoding": if inline { "base64" } else { "none" },
        "_links": { "self": url, "git": git_url, "html": html_url },
    })))
}
