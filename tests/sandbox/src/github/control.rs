//! GitHub's part of the control API: `POST /control/github/do` with an act, and what there is.

use axum::{
    Json, Router,
    extract::State,
    routing::{get, post},
};
use base64::Engine;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use super::state::{AppHook, GitHub, Settings};
use crate::{
    control::{Answer, Wrong, parse},
    state::Shared,
};

/// All routes below `/control/github`.
pub fn routes() -> Router<Shared> {
    Router::new()
        .route("/accounts", get(accounts))
        .route("/repos", get(repos))
        .route("/settings", get(settings).post(set_settings))
        .route("/do", post(act))
}

async fn accounts(State(sandbox): State<Shared>) -> Json<Value> {
    let all = sandbox
        .read(|world| serde_json::to_value(world.github.accounts.values().collect::<Vec<_>>()).unwrap_or_default());
    Json(json!({ "accounts": all, "reusedRefreshTokens": sandbox.read(|world| world.github.grants.reused) }))
}

async fn repos(State(sandbox): State<Shared>) -> Json<Value> {
    Json(sandbox.read(|world| {
        let shown = world.github.repos.values().map(|repo| {
            json!({
                "id": repo.id, "fullName": repo.full_name(), "private": repo.private, "archived": repo.archived,
                "issues": repo.issues.len(), "discussions": repo.discussions.len(), "releases": repo.releases.keys().collect::<Vec<_>>(),
                "head": repo.head().map(|commit| commit.sha.clone()), "files": repo.head().map_or(0, |commit| commit.files.len()),
                "hooks": world.github.hooks.values().filter(|hook| hook.repo == repo.id).count(),
            })
        });
        json!({ "repos": shown.collect::<Vec<_>>() })
    }))
}

async fn settings(State(sandbox): State<Shared>) -> Json<Value> {
    Json(sandbox.read(|world| serde_json::to_value(&world.github.settings).unwrap_or_default()))
}

async fn set_settings(State(sandbox): State<Shared>, body: Bytes) -> Answer {
    let wanted: Settings = parse(&body)?;
    sandbox.write(|world| world.github.settings = wanted);
    Ok(settings(State(sandbox)).await)
}

/// Something that somebody does.
#[derive(Debug, Deserialize)]
#[serde(tag = "act", rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
enum Act {
    AddAccount {
        login: String,
        name: Option<String>,
        #[serde(default)]
        organization: bool,
    },
    AddRepo {
        owner: String,
        name: String,
        #[serde(default)]
        public: bool,
    },
    /// Lets somebody reach a repository, as an administrator or not; `null` ends it.
    Share {
        repo: u64,
        login: String,
        admin: Option<bool>,
    },
    RenameRepo {
        repo: u64,
        by: String,
        owner: Option<String>,
        name: Option<String>,
    },
    Archive {
        repo: u64,
        by: String,
    },
    DeleteRepo {
        repo: u64,
        by: String,
    },
    Features {
        repo: u64,
        issues: Option<bool>,
        discussions: Option<bool>,
    },
    OpenIssue {
        repo: u64,
        by: String,
        title: String,
        body: String,
        #[serde(default)]
        pull: bool,
    },
    EditIssue {
        repo: u64,
        number: u64,
        by: String,
        title: Option<String>,
        body: Option<String>,
        open: Option<bool>,
        labels: Option<Vec<String>>,
    },
    DeleteIssue {
        repo: u64,
        number: u64,
        by: String,
    },
    Comment {
        repo: u64,
        number: u64,
        by: String,
        body: String,
    },
    EditComment {
        repo: u64,
        number: u64,
        comment: u64,
        by: String,
        body: String,
    },
    DeleteComment {
        repo: u64,
        number: u64,
        comment: u64,
        by: String,
    },
    Review {
        repo: u64,
        number: u64,
        by: String,
        state: String,
        body: String,
        #[serde(default)]
        lines: Vec<(String, String)>,
    },
    Discuss {
        repo: u64,
        by: String,
        title: String,
        body: String,
    },
    EditDiscussion {
        repo: u64,
        number: u64,
        by: String,
        body: String,
    },
    CommentDiscussion {
        repo: u64,
        number: u64,
        by: String,
        body: String,
        reply_to: Option<u64>,
    },
    DeleteDiscussion {
        repo: u64,
        number: u64,
        by: String,
    },
    Publish {
        repo: u64,
        by: String,
        tag: String,
        name: String,
        body: String,
    },
    EditRelease {
        repo: u64,
        release: u64,
        by: String,
        body: String,
    },
    DeleteRelease {
        repo: u64,
        release: u64,
        by: String,
    },
    /// Texts by path, or base64; `null` removes a file.
    Push {
        repo: u64,
        by: String,
        message: String,
        #[serde(default)]
        texts: std::collections::BTreeMap<String, Option<String>>,
        #[serde(default)]
        base64: std::collections::BTreeMap<String, String>,
        #[serde(default)]
        forced: bool,
    },
    /// So many small text files in one commit.
    PushMany {
        repo: u64,
        by: String,
        prefix: String,
        count: usize,
    },
    /// Makes a file a link (`120000`) or another repository (`160000`).
    Mode {
        repo: u64,
        path: String,
        mode: String,
    },
    /// The App's hook; `null` takes it away.
    AppHook {
        url: Option<String>,
        secret: Option<String>,
    },
    /// The person takes the App's authorization back, or uninstalls it.
    Revoke {
        login: String,
    },
    Uninstall {
        login: String,
    },
}

async fn act(State(sandbox): State<Shared>, body: Bytes) -> Answer {
    let wanted: Act = parse(&body)?;
    sandbox.write(|world| carry_out(&mut world.github, wanted)).map(Json)
}

fn carry_out(github: &mut GitHub, act: Act) -> Result<Value, Wrong> {
    let id = |id: u64| json!({ "id": id });
    let number = |number: u64| json!({ "number": number });
    let done = json!({ "done": true });
    Ok(match act {
        Act::AddAccount { login, name, organization } => {
            let name = name.unwrap_or_else(|| login.clone());
            id(github.add_account(&login, &name, organization).id)
        }
        Act::AddRepo { owner, name, public } => id(github.add_repo(&owner, &name, !public)?),
        Act::Share { repo, login, admin } => {
            let people = &mut github.repo_mut(repo)?.people;
            match admin {
                Some(admin) => people.insert(login, admin),
                None => people.remove(&login),
            };
            done
        }
        Act::RenameRepo { repo, by, owner, name } => {
            github.rename_repo(repo, owner.as_deref(), name.as_deref(), &by)?;
            done
        }
        Act::Archive { repo, by } => {
            github.repo_mut(repo)?.archived = true;
            github.announce(repo, "repository", json!({ "action": "archived" }), &by);
            done
        }
        Act::DeleteRepo { repo, by } => {
            github.delete_repo(repo, &by)?;
            done
        }
        Act::Features { repo, issues, discussions } => {
            let found = github.repo_mut(repo)?;
            found.has_issues = issues.unwrap_or(found.has_issues);
            found.has_discussions = discussions.unwrap_or(found.has_discussions);
            done
        }
        Act::OpenIssue { repo, by, title, body, pull } => number(github.open_issue(repo, &by, &title, &body, pull)?),
        Act::EditIssue { repo, number, by, title, body, open, labels } => {
            let action = match (open, labels.is_some()) {
                (Some(true), _) => "reopened",
                (Some(false), _) => "closed",
                (None, true) => "labeled",
                (None, false) => "edited",
            };
            github.change_issue(repo, number, &by, action, |issue| {
                issue.title = title.unwrap_or_else(|| issue.title.clone());
                issue.body = body.or_else(|| issue.body.clone());
                issue.open = open.unwrap_or(issue.open);
                issue.labels = labels.unwrap_or_else(|| issue.labels.clone());
            })?;
            done
        }
        Act::DeleteIssue { repo, number, by } => {
            github.delete_issue(repo, number, &by)?;
            done
        }
        Act::Comment { repo, number, by, body } => id(github.comment(repo, number, &by, &body)?),
        Act::EditComment { repo, number, comment, by, body } => {
            github.edit_comment(repo, number, comment, &by, &body)?;
            done
        }
        Act::DeleteComment { repo, number, comment, by } => {
            github.delete_comment(repo, number, comment, &by)?;
            done
        }
        Act::Review { repo, number, by, state, body, lines } => {
            id(github.review(repo, number, &by, &state, &body, &lines)?)
        }
        Act::Discuss { repo, by, title, body } => number(github.discuss(repo, &by, &title, &body)?),
        Act::EditDiscussion { repo, number, by, body } => {
            github.change_discussion(repo, number, &by, "edited", |one| one.body = body)?;
            done
        }
        Act::CommentDiscussion { repo, number, by, body, reply_to } => {
            id(github.comment_discussion(repo, number, &by, &body, reply_to)?)
        }
        Act::DeleteDiscussion { repo, number, by } => {
            github.delete_discussion(repo, number, &by)?;
            done
        }
        Act::Publish { repo, by, tag, name, body } => id(github.publish(repo, &by, &tag, &name, &body)?),
        Act::EditRelease { repo, release, by, body } => {
            github.edit_release(repo, release, &by, &body)?;
            done
        }
        Act::DeleteRelease { repo, release, by } => {
            github.delete_release(repo, release, &by)?;
            done
        }
        Act::Push { repo, by, message, texts, base64, forced } => {
            let mut changes: Vec<_> =
                texts.into_iter().map(|(path, text)| (path, text.map(String::into_bytes))).collect();
            for (path, text) in base64 {
                let bytes = base64::engine::general_purpose::STANDARD.decode(text).map_err(Wrong::unprocessable)?;
                changes.push((path, Some(bytes)));
            }
            json!({ "sha": github.push(repo, &by, &message, changes, forced)? })
        }
        Act::PushMany { repo, by, prefix, count } => {
            let changes =
                (0..count).map(|n| (format!("{prefix}{n}.md"), Some(format!("File {n} of many.\n").into_bytes())));
            json!({ "sha": github.push(repo, &by, "Many files", changes.collect(), false)? })
        }
        Act::Mode { repo, path, mode } => {
            let hash = github.repo_mut(repo)?.head().and_then(|commit| commit.files.get(&path)).cloned();
            let blob = hash
                .and_then(|hash| github.blobs.get_mut(&hash))
                .ok_or_else(|| Wrong::not_found("there is no such file"))?;
            blob.mode = mode;
            done
        }
        Act::AppHook { url, secret } => {
            github.app_hook = url.map(|url| AppHook { url, secret });
            done
        }
        Act::Revoke { login } => {
            github.grants.revoke(Some(&login));
            let sender = super::shapes::user(github, Some(&login));
            github.announce_to_app("github_app_authorization", json!({ "action": "revoked", "sender": sender }));
            done
        }
        Act::Uninstall { login } => {
            let account = super::shapes::user(github, Some(&login));
            let payload = json!({ "action": "deleted", "installation": { "id": 777, "account": account }, "repositories": [], "sender": account });
            github.announce_to_app("installation", payload);
            done
        }
    })
}
