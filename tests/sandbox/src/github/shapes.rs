//! Things as the REST API and payloads show them, with every field that GitHub's OpenAPI description requires.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};

use super::state::{Comment, Commit, GitHub, Hook, Issue, Release, Repo, Review, node_id};

pub const API: &str = "https://api.github.com";
pub const WEB: &str = "https://github.com";

/// Addresses below a repository's own, with the parts that a client fills in.
const REPO_URLS: &[(&str, &str)] = &[
    ("forks_url", "/forks"),
    ("keys_url", "/keys{/key_id}"),
    ("collaborators_url", "/collaborators{/collaborator}"),
    ("teams_url", "/teams"),
    ("hooks_url", "/hooks"),
    ("issue_events_url", "/issues/events{/number}"),
    ("events_url", "/events"),
    ("assignees_url", "/assignees{/user}"),
    ("branches_url", "/branches{/branch}"),
    ("tags_url", "/tags"),
    ("blobs_url", "/git/blobs{/sha}"),
    ("git_tags_url", "/git/tags{/sha}"),
    ("git_refs_url", "/git/refs{/sha}"),
    ("trees_url", "/git/trees{/sha}"),
    ("statuses_url", "/statuses/{sha}"),
    ("languages_url", "/languages"),
    ("stargazers_url", "/stargazers"),
    ("contributors_url", "/contributors"),
    ("subscribers_url", "/subscribers"),
    ("subscription_url", "/subscription"),
    ("commits_url", "/commits{/sha}"),
    ("git_commits_url", "/git/commits{/sha}"),
    ("comments_url", "/comments{/number}"),
    ("issue_comment_url", "/issues/comments{/number}"),
    ("contents_url", "/contents/{+path}"),
    ("compare_url", "/compare/{base}...{head}"),
    ("merges_url", "/merges"),
    ("archive_url", "/{archive_format}{/ref}"),
    ("downloads_url", "/downloads"),
    ("issues_url", "/issues{/number}"),
    ("pulls_url", "/pulls{/number}"),
    ("milestones_url", "/milestones{/number}"),
    ("notifications_url", "/notifications{?since,all,participating}"),
    ("labels_url", "/labels{/name}"),
    ("releases_url", "/releases{/id}"),
    ("deployments_url", "/deployments"),
];

/// A time as GitHub writes it.
pub fn time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// A repository's address in the API.
pub fn repo_url(repo: &Repo) -> String {
    format!("{API}/repos/{}", repo.full_name())
}

/// An account; null for one that is gone.
pub fn user(github: &GitHub, login: Option<&str>) -> Value {
    let Some(account) = login.and_then(|login| github.accounts.get(login)) else { return Value::Null };
    let (login, url) = (&account.login, format!("{API}/users/{}", account.login));
    json!({
        "login": login,
        "id": account.id,
        "node_id": node_id("User", account.id),
        "avatar_url": format!("https://avatars.githubusercontent.com/u/{}?v=4", account.id),
        "gravatar_id": "",
        "url": url,
        "html_url": format!("{WEB}/{login}"),
        "followers_url": format!("{url}/followers"),
        "following_url": format!("{url}/following{{/other_user}}"),
        "gists_url": format!("{url}/gists{{/gist_id}}"),
        "starred_url": format!("{url}/starred{{/owner}}{{/repo}}"),
        "subscriptions_url": format!("{url}/subscriptions"),
        "organizations_url": format!("{url}/orgs"),
        "repos_url": format!("{url}/repos"),
        "events_url": format!("{url}/events{{/privacy}}"),
        "received_events_url": format!("{url}/received_events"),
        "type": if account.organization { "Organization" } else { "User" },
        "site_admin": false,
    })
}

/// An organization as payloads show it.
pub fn organization(github: &GitHub, login: &str) -> Value {
    let Some(account) = github.accounts.get(login) else { return Value::Null };
    let url = format!("{API}/orgs/{login}");
    json!({
        "login": login, "id": account.id, "node_id": node_id("Organization", account.id), "url": url,
        "repos_url": format!("{url}/repos"), "events_url": format!("{url}/events"), "hooks_url": format!("{url}/hooks"),
        "issues_url": format!("{url}/issues"), "members_url": format!("{url}/members{{/member}}"),
        "public_members_url": format!("{url}/public_members{{/member}}"),
        "avatar_url": format!("https://avatars.githubusercontent.com/u/{}?v=4", account.id), "description": null,
    })
}

/// The account of the token.
pub fn own_user(github: &GitHub, login: &str) -> Value {
    let mut shown = user(github, Some(login));
    let account = github.accounts.get(login);
    let more = json!({
        "name": account.map(|account| account.name.clone()),
        "company": null, "blog": "", "location": null, "email": null, "hireable": null, "bio": null,
        "public_repos": github.repos.values().filter(|repo| repo.owner == login && !repo.private).count(),
        "public_gists": 0, "followers": 0, "following": 0,
        "created_at": account.map(|account| time(account.created)),
        "updated_at": account.map(|account| time(account.created)),
        "user_view_type": "public",
    });
    merge(&mut shown, more);
    shown
}

/// Puts the fields of one object into another.
pub fn merge(into: &mut Value, more: Value) {
    if let (Some(into), Value::Object(more)) = (into.as_object_mut(), more) {
        into.extend(more);
    }
}

/// A repository.
pub fn repo(github: &GitHub, repo: &Repo) -> Value {
    let (name, url) = (repo.full_name(), repo_url(repo));
    let open = repo.issues.values().filter(|issue| issue.open).count();
    let mut fields = Map::new();
    for (field, below) in REPO_URLS {
        fields.insert((*field).to_owned(), json!(format!("{url}{below}")));
    }
    let mut shown = Value::Object(fields);
    merge(
        &mut shown,
        json!({
            "id": repo.id,
            "node_id": node_id("Repository", repo.id),
            "name": repo.name,
            "full_name": name,
            "private": repo.private,
            "owner": user(github, Some(&repo.owner)),
            "html_url": format!("{WEB}/{name}"),
            "description": null,
            "fork": false,
            "url": url,
            "created_at": time(repo.created),
            "updated_at": time(repo.updated),
            "pushed_at": time(repo.pushed),
            "git_url": format!("git://github.com/{name}.git"),
            "ssh_url": format!("git@github.com:{name}.git"),
            "clone_url": format!("{WEB}/{name}.git"),
            "svn_url": format!("{WEB}/{name}"),
            "homepage": null,
            "size": 1, "stargazers_count": 0, "watchers_count": 0, "watchers": 0, "forks_count": 0, "forks": 0,
            "language": null,
            "has_issues": repo.has_issues,
            "has_projects": false, "has_downloads": false, "has_wiki": false, "has_pages": false,
            "has_discussions": repo.has_discussions,
            "mirror_url": null,
            "archived": repo.archived,
            "disabled": false,
            "open_issues_count": open,
            "open_issues": open,
            "license": null,
            "allow_forking": true, "is_template": false, "web_commit_signoff_required": false, "topics": [],
            "visibility": if repo.private { "private" } else { "public" },
            "default_branch": repo.branch,
        }),
    );
    shown
}

/// A label.
fn label(repo: &Repo, name: &str) -> Value {
    let id = name.bytes().fold(repo.id * 1000, |sum, byte| sum + u64::from(byte));
    json!({
        "id": id, "node_id": node_id("Label", id), "url": format!("{}/labels/{name}", repo_url(repo)), "name": name,
        "color": "ededed", "default": false, "description": null,
    })
}

fn reactions(url: &str) -> Value {
    json!({
        "url": format!("{url}/reactions"), "total_count": 0, "+1": 0, "-1": 0, "laugh": 0, "hooray": 0, "confused": 0, "heart": 0,
        "rocket": 0, "eyes": 0,
    })
}

/// An issue, or a pull request as the issues' list shows it.
pub fn issue(github: &GitHub, repo: &Repo, issue: &Issue) -> Value {
    let repository = repo_url(repo);
    let url = format!("{repository}/issues/{}", issue.number);
    let kind = if issue.pull.is_some() { "pull" } else { "issues" };
    let html_url = format!("{WEB}/{}/{kind}/{}", repo.full_name(), issue.number);
    let mut shown = json!({
        "url": url,
        "repository_url": repository,
        "labels_url": format!("{url}/labels{{/name}}"),
        "comments_url": format!("{url}/comments"),
        "events_url": format!("{url}/events"),
        "html_url": html_url,
        "id": issue.id,
        "node_id": node_id(if issue.pull.is_some() { "PullRequest" } else { "Issue" }, issue.id),
        "number": issue.number,
        "title": issue.title,
        "user": user(github, issue.author.as_deref()),
        "labels": issue.labels.iter().map(|name| label(repo, name)).collect::<Vec<_>>(),
        "state": state(issue),
        "locked": false,
        "assignee": null,
        "assignees": [],
        "milestone": null,
        "comments": issue.comments.len(),
        "created_at": time(issue.created),
        "updated_at": time(issue.updated),
        "closed_at": issue.closed.map(time),
        "author_association": "OWNER",
        "active_lock_reason": null,
        "body": issue.body,
        "reactions": reactions(&url),
        "timeline_url": format!("{url}/timeline"),
        "performed_via_github_app": null,
        "state_reason": if issue.open { Value::Null } else { json!("completed") },
    });
    if let Some(pull) = &issue.pull {
        let api = format!("{repository}/pulls/{}", issue.number);
        merge(
            &mut shown,
            json!({
                "draft": pull.draft,
                "pull_request": {
                    "url": api, "html_url": html_url, "diff_url": format!("{html_url}.diff"), "patch_url": format!("{html_url}.patch"),
                    "merged_at": null,
                },
            }),
        );
    }
    shown
}

fn state(issue: &Issue) -> &'static str {
    if issue.open { "open" } else { "closed" }
}

/// A pull request as payloads show it, as far as clients read it.
pub fn pull(github: &GitHub, repo: &Repo, issue: &Issue) -> Value {
    let url = format!("{}/pulls/{}", repo_url(repo), issue.number);
    let html_url = format!("{WEB}/{}/pull/{}", repo.full_name(), issue.number);
    json!({
        "url": url, "id": issue.id, "node_id": node_id("PullRequest", issue.id), "html_url": html_url, "number": issue.number,
        "state": state(issue), "locked": false, "title": issue.title, "user": user(github, issue.author.as_deref()),
        "body": issue.body, "created_at": time(issue.created), "updated_at": time(issue.updated), "closed_at": issue.closed.map(time),
        "merged_at": null, "draft": issue.pull.as_ref().is_some_and(|pull| pull.draft), "comments": issue.comments.len(),
        "labels": issue.labels.iter().map(|name| label(repo, name)).collect::<Vec<_>>(), "author_association": "OWNER",
    })
}

/// A comment on an issue.
pub fn comment(github: &GitHub, repo: &Repo, issue: &Issue, comment: &Comment) -> Value {
    let url = format!("{}/issues/comments/{}", repo_url(repo), comment.id);
    let kind = if issue.pull.is_some() { "pull" } else { "issues" };
    json!({
        "url": url,
        "html_url": format!("{WEB}/{}/{kind}/{}#issuecomment-{}", repo.full_name(), issue.number, comment.id),
        "issue_url": format!("{}/issues/{}", repo_url(repo), issue.number),
        "id": comment.id,
        "node_id": node_id("IssueComment", comment.id),
        "user": user(github, comment.author.as_deref()),
        "created_at": time(comment.created),
        "updated_at": time(comment.updated),
        "author_association": "OWNER",
        "body": comment.body,
        "reactions": reactions(&url),
        "performed_via_github_app": null,
    })
}

/// A review.
pub fn review(github: &GitHub, repo: &Repo, number: u64, review: &Review) -> Value {
    let html = format!("{WEB}/{}/pull/{number}#pullrequestreview-{}", repo.full_name(), review.id);
    let pull = format!("{}/pulls/{number}", repo_url(repo));
    json!({
        "id": review.id,
        "node_id": node_id("PullRequestReview", review.id),
        "user": user(github, review.author.as_deref()),
        "body": review.body,
        "state": review.state,
        "html_url": html,
        "pull_request_url": pull,
        "_links": { "html": { "href": html }, "pull_request": { "href": pull } },
        "submitted_at": time(review.submitted),
        "commit_id": repo.head().map(|commit| commit.sha.clone()),
        "author_association": "MEMBER",
    })
}

/// A comment on a line of a pull request.
pub fn line(github: &GitHub, repo: &Repo, number: u64, review: &Review, comment: &Comment) -> Value {
    let url = format!("{}/pulls/comments/{}", repo_url(repo), comment.id);
    let html = format!("{WEB}/{}/pull/{number}#discussion_r{}", repo.full_name(), comment.id);
    let pull = format!("{}/pulls/{number}", repo_url(repo));
    let commit = repo.head().map(|commit| commit.sha.clone()).unwrap_or_default();
    json!({
        "url": url,
        "pull_request_review_id": review.id,
        "id": comment.id,
        "node_id": node_id("PullRequestReviewComment", comment.id),
        "diff_hunk": "@@ -1 +1 @@",
        "path": comment.path,
        "commit_id": commit,
        "original_commit_id": commit,
        "user": user(github, comment.author.as_deref()),
        "body": comment.body,
        "created_at": time(comment.created),
        "updated_at": time(comment.updated),
        "html_url": html,
        "pull_request_url": pull,
        "author_association": "MEMBER",
        "_links": { "self": { "href": url }, "html": { "href": html }, "pull_request": { "href": pull } },
    })
}

/// A release.
pub fn release(github: &GitHub, repo: &Repo, release: &Release) -> Value {
    let url = format!("{}/releases/{}", repo_url(repo), release.id);
    json!({
        "url": url,
        "html_url": format!("{WEB}/{}/releases/tag/{}", repo.full_name(), release.tag),
        "assets_url": format!("{url}/assets"),
        "upload_url": format!("https://uploads.github.com/repos/{}/releases/{}/assets{{?name,label}}", repo.full_name(), release.id),
        "tarball_url": format!("{}/tarball/{}", repo_url(repo), release.tag),
        "zipball_url": format!("{}/zipball/{}", repo_url(repo), release.tag),
        "id": release.id,
        "node_id": node_id("Release", release.id),
        "tag_name": release.tag,
        "target_commitish": repo.branch,
        "name": release.name,
        "body": release.body,
        "draft": release.draft,
        "prerelease": release.prerelease,
        "created_at": time(release.created),
        "updated_at": time(release.updated),
        "published_at": if release.draft { Value::Null } else { json!(time(release.created)) },
        "author": user(github, Some(&release.author)),
        "assets": [],
    })
}

/// A commit.
pub fn commit(github: &GitHub, repo: &Repo, commit: &Commit) -> Value {
    let url = format!("{}/commits/{}", repo_url(repo), commit.sha);
    let name = github.accounts.get(&commit.author).map(|account| account.name.clone()).unwrap_or_default();
    let signature = json!({ "name": name, "email": format!("{}@users.noreply.github.com", commit.author), "date": time(commit.date) });
    let parents: Vec<Value> = commit
        .parent
        .iter()
        .map(|sha| json!({ "sha": sha, "url": format!("{}/commits/{sha}", repo_url(repo)), "html_url": format!("{WEB}/{}/commit/{sha}", repo.full_name()) }))
        .collect();
    json!({
        "sha": commit.sha,
        "node_id": node_id("Commit", commit.sha.len() as u64),
        "commit": {
            "author": signature, "committer": signature, "message": commit.message,
            "tree": { "sha": commit.sha, "url": format!("{}/git/trees/{}", repo_url(repo), commit.sha) },
            "url": format!("{}/git/commits/{}", repo_url(repo), commit.sha), "comment_count": 0,
            "verification": { "verified": false, "reason": "unsigned", "signature": null, "payload": null, "verified_at": null },
        },
        "url": url,
        "html_url": format!("{WEB}/{}/commit/{}", repo.full_name(), commit.sha),
        "comments_url": format!("{url}/comments"),
        "author": user(github, Some(&commit.author)),
        "committer": user(github, Some(&commit.author)),
        "parents": parents,
    })
}

/// A hook.
pub fn hook(repo: &Repo, hook: &Hook) -> Value {
    let url = format!("{}/hooks/{}", repo_url(repo), hook.id);
    json!({
        "type": "Repository",
        "id": hook.id,
        "name": "web",
        "active": hook.active,
        "events": hook.events,
        "config": {
            "url": hook.url, "content_type": hook.content_type, "insecure_ssl": "0",
            "secret": if hook.secret.is_some() { json!("********") } else { json!("") },
        },
        "updated_at": time(hook.created),
        "created_at": time(hook.created),
        "url": url,
        "test_url": format!("{url}/test"),
        "ping_url": format!("{url}/pings"),
        "deliveries_url": format!("{url}/deliveries"),
        "last_response": { "code": null, "status": "unused", "message": null },
    })
}
