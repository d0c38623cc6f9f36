//! A small GitHub for people: repositories with their issues and files, to be added and changed.

use std::collections::HashMap;

use axum::{
    Form, Router,
    extract::{Query, State},
    http::StatusCode,
    response::{Html, IntoResponse, Redirect, Response},
    routing::{get, post},
};
use base64::Engine;

use super::state::{Blob, GitHub, Issue, Repo};
use crate::{
    control::Wrong,
    pages::html::{escape, in_query, page as frame},
    state::Shared,
};

type Fields = HashMap<String, String>;

/// The pages.
pub fn routes() -> Router<Shared> {
    Router::new()
        .route("/github-repo", get(page))
        .route("/github-repo/file", get(file_page))
        .route("/github-repo/do", post(act))
}

/// What the front page says.
pub fn front(sandbox: &Shared) -> String {
    let repos: String = sandbox.read(|world| {
        let link = |repo: &Repo| {
            format!(
                "<li><a href=\"/github-repo?repo={}\">{}</a> <span class=quiet>{} issues</span></li>",
                repo.id,
                escape(&repo.full_name()),
                repo.issues.len()
            )
        };
        world.github.repos.values().map(link).collect()
    });
    format!("<p>Open, edit and comment on issues, and push files, as members would:</p><ul>{repos}</ul>")
}

/// A blob as text, if it is any.
pub fn text_of(blob: &Blob) -> Option<String> {
    let bytes = base64::engine::general_purpose::STANDARD.decode(&blob.content).ok()?;
    String::from_utf8(bytes).ok().filter(|text| !text.contains('\0'))
}

fn number(fields: &Fields, name: &str) -> u64 {
    fields.get(name).and_then(|text| text.parse().ok()).unwrap_or_default()
}

async fn page(State(sandbox): State<Shared>, Query(fields): Query<Fields>) -> Response {
    let shown = sandbox
        .read(|world| world.github.repos.get(&number(&fields, "repo")).map(|repo| repository(&world.github, repo)));
    shown.map_or_else(nothing, |html| Html(html).into_response())
}

async fn file_page(State(sandbox): State<Shared>, Query(fields): Query<Fields>) -> Response {
    let path = fields.get("path").cloned().unwrap_or_default();
    let shown = sandbox.read(|world| {
        let repo = world.github.repos.get(&number(&fields, "repo"))?;
        let text = text_of(world.github.blobs.get(repo.head()?.files.get(&path)?)?)?;
        Some(frame(
            "GitHub (sandbox)",
            &format!(
                "<p class=quiet><a href=\"/github-repo?repo={}\">Back to the repository</a></p><h1>{}</h1>{}<textarea name=text>\n{}</textarea>\
                 <p><button class=main>Push</button></p></form>",
                repo.id,
                escape(&path),
                form(repo, "push", &[("path", &path)]),
                escape(&text)
            ),
        ))
    });
    shown.map_or_else(nothing, |html| Html(html).into_response())
}

fn nothing() -> Response {
    let body = "<h1>Nothing here</h1><p>There is no such thing, or it is no text.</p><p><a href=\"/\">Sandbox</a></p>";
    (StatusCode::NOT_FOUND, Html(frame("GitHub (sandbox)", body))).into_response()
}

async fn act(State(sandbox): State<Shared>, Form(fields): Form<Fields>) -> Response {
    let repo = number(&fields, "repo");
    match sandbox.write(|world| perform(&mut world.github, repo, &fields)) {
        Ok(()) => Redirect::to(&format!("/github-repo?repo={repo}")).into_response(),
        Err(wrong) => wrong.into_response(),
    }
}

fn perform(github: &mut GitHub, repo: u64, fields: &Fields) -> Result<(), Wrong> {
    let field = |name: &str| fields.get(name).map(|text| text.replace("\r\n", "\n")).unwrap_or_default();
    let (by, issue) = (field("by"), number(fields, "issue"));
    if !github.accounts.contains_key(&by) {
        return Err(Wrong::not_found("there is no such account"));
    }
    match field("action").as_str() {
        "open" => github.open_issue(repo, &by, &field("title"), &field("text"), false).map(drop),
        "edit" => github.change_issue(repo, issue, &by, "edited", |one| {
            (one.title, one.body) = (field("title"), Some(field("text")))
        }),
        "close" => github.change_issue(repo, issue, &by, "closed", |one| one.open = false),
        "reopen" => github.change_issue(repo, issue, &by, "reopened", |one| one.open = true),
        "delete" => github.delete_issue(repo, issue, &by),
        "comment" => github.comment(repo, issue, &by, &field("text")).map(drop),
        "push" => github
            .push(repo, &by, "Change a file", vec![(field("path"), Some(field("text").into_bytes()))], false)
            .map(drop),
        "remove" => github.push(repo, &by, "Remove a file", vec![(field("path"), None)], false).map(drop),
        "rename" => github.rename_repo(repo, None, Some(&field("name")), &by),
        _ => Err(Wrong::unprocessable("there is no such act")),
    }
}

/// The beginning of a form that does something in a repository, as its owner or whoever administers it.
fn form(repo: &Repo, action: &str, more: &[(&str, &str)]) -> String {
    let by = repo.people.iter().find(|(_, admin)| **admin).map_or(&repo.owner, |(login, _)| login);
    let hidden: String = [("repo", repo.id.to_string().as_str()), ("by", by), ("action", action)]
        .iter()
        .chain(more)
        .map(|(name, value)| format!("<input type=hidden name=\"{name}\" value=\"{}\">", escape(value)))
        .collect();
    format!("<form method=post action=\"/github-repo/do\">{hidden}")
}

fn repository(github: &GitHub, repo: &Repo) -> String {
    let issues: String = repo.issues.values().rev().take(200).map(|issue| shown(repo, issue)).collect();
    let files: String = repo
        .head()
        .into_iter()
        .flat_map(|commit| &commit.files)
        .take(500)
        .map(|(path, hash)| {
            let is_text = github.blobs.get(hash).and_then(text_of).is_some();
            let name = match is_text {
                true => format!(
                    "<a href=\"/github-repo/file?repo={}&amp;path={}\">{}</a>",
                    repo.id,
                    in_query(path),
                    escape(path)
                ),
                false => escape(path),
            };
            format!(
                "<tr><td>{name}</td><td>{}<button>Remove</button></form></td></tr>",
                form(repo, "remove", &[("path", path)])
            )
        })
        .collect();
    frame(
        "GitHub (sandbox)",
        &format!(
            "<p class=quiet><a href=\"/\">Sandbox</a></p><h1>{name}</h1><h2>Issues and pull requests</h2>{issues}\
             <h2>Open an issue</h2>{open}<p><input name=title required placeholder=Title></p><textarea name=text></textarea>\
             <p><button class=main>Open</button></p></form><h2>Files</h2><table>{files}</table>\
             <h2>Push a file</h2>{push}<p><input name=path required placeholder=\"docs/file.md\"></p><textarea name=text></textarea>\
             <p><button class=main>Push</button></p></form><h2>Name</h2>{rename}<input name=name value=\"{short}\" required> \
             <button>Rename</button></form>",
            name = escape(&repo.full_name()),
            short = escape(&repo.name),
            open = form(repo, "open", &[]),
            push = form(repo, "push", &[]),
            rename = form(repo, "rename", &[]),
        ),
    )
}

fn shown(repo: &Repo, issue: &Issue) -> String {
    let number = issue.number.to_string();
    let more = [("issue", number.as_str())];
    let comments: String = issue
        .comments
        .values()
        .map(|comment| {
            format!("<p><b>{}</b> {}</p>", escape(comment.author.as_deref().unwrap_or("ghost")), escape(&comment.body))
        })
        .collect();
    let toggle = if issue.open { ("close", "Close") } else { ("reopen", "Reopen") };
    format!(
        "<details><summary>#{number} {title} <span class=quiet>{state}</span></summary>{edit}<p><input name=title value=\"{title}\" required></p>\
         <textarea name=text>\n{body}</textarea><p><button>Save</button></p></form>{comments}{comment}<textarea name=text></textarea>\
         <p><button>Comment</button></p></form>{toggle_form}<button>{toggle}</button></form>{delete}<button>Delete for good</button></form></details>",
        title = escape(&issue.title),
        state = if issue.open { "open" } else { "closed" },
        edit = form(repo, "edit", &more),
        body = escape(issue.body.as_deref().unwrap_or_default()),
        comment = form(repo, "comment", &more),
        toggle_form = form(repo, toggle.0, &more),
        toggle = toggle.1,
        delete = form(repo, "delete", &more),
    )
}
