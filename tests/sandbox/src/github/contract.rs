//! GitHub for tests that drive any provider: issues of a private repository. Ids are `<repository>/<kind>/<which>`.

use super::{
    shapes,
    state::{GitHub, Repo},
};
use crate::{
    control::{
        Wrong,
        contract::{Contract, Edit, New, One, Rename, Tokens, True},
    },
    state::World,
};

/// The acts.
pub const GITHUB: Contract = Contract {
    add_account,
    create,
    edit,
    rename: Some(rename),
    delete,
    truth,
    expire_cursors: None,
    tokens,
    hook: None,
};

/// Endings of files that are synced where nobody says otherwise, as far as the sample has them.
const READ: &[&str] = &[".md", ".txt", ".rs", ".py", ".ts"];

fn add_account(world: &mut World, account: &str) -> Result<(), Wrong> {
    let github = &mut world.github;
    github.add_account(account, account, false);
    if github.repos_of(account).next().is_none() {
        github.add_repo(account, "notes", true)?;
    }
    Ok(())
}

fn place(github: &GitHub, account: &str) -> Result<u64, Wrong> {
    let owned = github.repos.values().find(|repo| repo.owner == account);
    owned.map(|repo| repo.id).ok_or_else(|| Wrong::not_found("the account has no repository"))
}

fn create(world: &mut World, new: &New) -> Result<String, Wrong> {
    let repo = place(&world.github, &new.account)?;
    let number = world.github.open_issue(repo, &new.account, &new.title, &new.text, false)?;
    Ok(format!("{repo}/issues/{number}"))
}

fn number(id: &str) -> Result<(u64, u64), Wrong> {
    let parts = id.split_once("/issues/").and_then(|(repo, number)| Some((repo.parse().ok()?, number.parse().ok()?)));
    parts.ok_or_else(|| Wrong::not_found("this is no issue"))
}

fn edit(world: &mut World, edit: &Edit) -> Result<(), Wrong> {
    let (repo, issue) = number(&edit.id)?;
    world.github.change_issue(repo, issue, &edit.account, "edited", |issue| issue.body = Some(edit.text.clone()))
}

fn rename(world: &mut World, rename: &Rename) -> Result<(), Wrong> {
    let (repo, issue) = number(&rename.id)?;
    world.github.change_issue(repo, issue, &rename.account, "edited", |issue| issue.title.clone_from(&rename.title))
}

fn delete(world: &mut World, one: &One) -> Result<(), Wrong> {
    let (repo, issue) = number(&one.id)?;
    world.github.delete_issue(repo, issue, &one.account)
}

fn truth(world: &World, account: &str) -> Result<Vec<True>, Wrong> {
    let github = &world.github;
    if !github.accounts.contains_key(account) {
        return Err(Wrong::not_found("there is no such account"));
    }
    Ok(github.repos_of(account).flat_map(|repo| all_of(github, repo)).collect())
}

fn all_of(github: &GitHub, repo: &Repo) -> Vec<True> {
    let web = format!("{}/{}", shapes::WEB, repo.full_name());
    let mut all: Vec<True> = Vec::new();
    all.extend(repo.issues.values().map(|issue| {
        let (kind, page) = if issue.pull.is_some() { ("pulls", "pull") } else { ("issues", "issues") };
        True {
            id: format!("{}/{kind}/{}", repo.id, issue.number),
            title: format!("#{} {}", issue.number, issue.title),
            text: Some(issue.body.clone().unwrap_or_default()),
            url: Some(format!("{web}/{page}/{}", issue.number)),
            author: issue.author.clone(),
            created_at: Some(issue.created),
            updated_at: Some(issue.updated),
        }
    }));
    all.extend(repo.discussions.values().map(|one| True {
        id: format!("{}/discussions/{}", repo.id, one.number),
        title: format!("#{} {}", one.number, one.title),
        text: Some(one.body.clone()),
        url: Some(format!("{web}/discussions/{}", one.number)),
        author: one.author.clone(),
        created_at: Some(one.created),
        updated_at: Some(one.updated),
    }));
    all.extend(repo.releases.values().filter(|release| !release.draft).map(|release| True {
        id: format!("{}/releases/{}", repo.id, release.id),
        title: release.name.clone().unwrap_or_else(|| release.tag.clone()),
        text: release.body.clone(),
        url: Some(format!("{web}/releases/tag/{}", release.tag)),
        author: Some(release.author.clone()),
        created_at: Some(release.created),
        updated_at: Some(release.updated),
    }));
    let files = repo.head().into_iter().flat_map(|commit| &commit.files);
    let read = files.filter(|(path, _)| READ.iter().any(|ending| path.ends_with(ending)));
    all.extend(read.map(|(path, hash)| True {
        id: format!("{}/files/{path}", repo.id),
        title: path.clone(),
        text: github.blobs.get(hash).and_then(super::pages::text_of),
        url: None,
        author: None,
        created_at: None,
        updated_at: None,
    }));
    all
}

fn tokens(world: &mut World, wanted: &Tokens) {
    let github = &mut world.github;
    if wanted.access_lifetime_seconds.is_some() {
        // Tokens that end are a GitHub App's, and those rotate whatever is wanted.
        github.settings.access_lifetime_seconds = wanted.access_lifetime_seconds;
    }
    if wanted.expire_access {
        github.grants.end_access(wanted.account.as_deref());
    }
    if wanted.revoke {
        github.grants.revoke(wanted.account.as_deref());
    }
}
