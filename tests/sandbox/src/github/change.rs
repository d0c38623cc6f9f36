//! What people do to repositories. Each act notes what hooks announce of it.

use serde_json::{Value, json};

use super::{
    shapes,
    state::{Account, Blob, Comment, Commit, Event, GitHub, Issue, NO_COMMIT, Pull, Repo, Review, now, sha},
};
use crate::control::Wrong;

/// A file's new content, or its removal.
pub type FileChange = (String, Option<Vec<u8>>);

pub fn no_such(what: &str) -> Wrong {
    Wrong::not_found(format!("there is no such {what}"))
}

impl GitHub {
    /// Adds an account, or renames the one that exists.
    pub fn add_account(&mut self, login: &str, name: &str, organization: bool) -> Account {
        if let Some(account) = self.accounts.get_mut(login) {
            name.clone_into(&mut account.name);
            return account.clone();
        }
        // A number that follows from the name, so that it stays when an account is made again.
        let id = login.bytes().fold(7_u64, |sum, byte| (sum * 31 + u64::from(byte)) % 90_000_000) + 1_000_000;
        let account = Account { id, login: login.to_owned(), name: name.to_owned(), organization, created: now() };
        self.accounts.insert(login.to_owned(), account.clone());
        account
    }

    /// Makes a repository.
    pub fn add_repo(&mut self, owner: &str, name: &str, private: bool) -> Result<u64, Wrong> {
        if !self.accounts.contains_key(owner) {
            return Err(no_such("account"));
        }
        if self.named(owner, name).is_some() {
            return Err(Wrong::conflict("there is such a repository"));
        }
        let (id, at) = (self.next_id(), now());
        let repo = Repo {
            id,
            owner: owner.to_owned(),
            name: name.to_owned(),
            private,
            archived: false,
            has_issues: true,
            has_discussions: false,
            branch: "main".to_owned(),
            created: at,
            updated: at,
            pushed: at,
            people: Default::default(),
            issues: Default::default(),
            discussions: Default::default(),
            releases: Default::default(),
            commits: Vec::new(),
            last_number: 0,
            deleted: Default::default(),
        };
        self.moved.remove(&repo.full_name());
        self.repos.insert(id, repo);
        self.announce(id, "repository", json!({ "action": "created" }), owner);
        Ok(id)
    }

    /// A repository, to be changed.
    pub fn repo_mut(&mut self, id: u64) -> Result<&mut Repo, Wrong> {
        self.repos.get_mut(&id).ok_or_else(|| no_such("repository"))
    }

    /// Notes something to be announced, with the repository and whoever did it.
    pub fn announce(&mut self, repo: u64, name: &'static str, mut payload: Value, by: &str) {
        let Some(found) = self.repos.get(&repo) else { return };
        let organization = shapes::organization(self, &found.owner);
        let is_organization = self.accounts.get(&found.owner).is_some_and(|owner| owner.organization);
        let mut repository = shapes::repo(self, found);
        if name == "push" {
            // In pushes alone these two are seconds.
            let seconds = json!({ "created_at": found.created.timestamp(), "pushed_at": found.pushed.timestamp() });
            shapes::merge(&mut repository, seconds);
        }
        let more = json!({ "repository": repository, "sender": shapes::user(self, Some(by)) });
        shapes::merge(&mut payload, more);
        if is_organization {
            shapes::merge(&mut payload, json!({ "organization": organization }));
        }
        self.outbox.push(Event { repo: Some(repo), name, payload });
    }

    /// Notes something that concerns the App alone.
    pub fn announce_to_app(&mut self, name: &'static str, payload: Value) {
        self.outbox.push(Event { repo: None, name, payload });
    }

    fn announce_issue(&mut self, repo: u64, number: u64, action: &str, changes: Option<Value>, by: &str) {
        let Some((found, issue)) = self.repos.get(&repo).and_then(|found| Some((found, found.issues.get(&number)?)))
        else {
            return;
        };
        let (name, mut payload) = match issue.pull {
            Some(_) => (
                "pull_request",
                json!({ "action": action, "number": number, "pull_request": shapes::pull(self, found, issue) }),
            ),
            None => ("issues", json!({ "action": action, "issue": shapes::issue(self, found, issue) })),
        };
        if let Some(changes) = changes {
            shapes::merge(&mut payload, json!({ "changes": changes }));
        }
        self.announce(repo, name, payload, by);
    }

    /// Opens an issue, or a pull request.
    pub fn open_issue(&mut self, repo: u64, by: &str, title: &str, body: &str, is_pull: bool) -> Result<u64, Wrong> {
        let id = self.next_id();
        let at = now();
        let found = self.repo_mut(repo)?;
        found.last_number += 1;
        let number = found.last_number;
        let issue = Issue {
            id,
            number,
            title: title.to_owned(),
            body: Some(body.to_owned()).filter(|body| !body.is_empty()),
            author: Some(by.to_owned()),
            open: true,
            labels: Vec::new(),
            created: at,
            updated: at,
            closed: None,
            comments: Default::default(),
            pull: is_pull.then(Pull::default),
        };
        found.issues.insert(number, issue);
        self.announce_issue(repo, number, "opened", None, by);
        Ok(number)
    }

    /// Changes an issue; `action` is what hooks call it.
    pub fn change_issue(
        &mut self,
        repo: u64,
        number: u64,
        by: &str,
        action: &str,
        change: impl FnOnce(&mut Issue),
    ) -> Result<(), Wrong> {
        let issue = self.repo_mut(repo)?.issues.get_mut(&number).ok_or_else(|| no_such("issue"))?;
        let before = (issue.title.clone(), issue.body.clone());
        change(issue);
        issue.updated = now();
        issue.closed = if issue.open { None } else { Some(issue.closed.unwrap_or(issue.updated)) };
        let mut changes = json!({});
        if before.0 != issue.title {
            shapes::merge(&mut changes, json!({ "title": { "from": before.0 } }));
        }
        if before.1 != issue.body {
            shapes::merge(&mut changes, json!({ "body": { "from": before.1 } }));
        }
        self.announce_issue(repo, number, action, (action == "edited").then_some(changes), by);
        Ok(())
    }

    /// Deletes an issue, as its administrators may.
    pub fn delete_issue(&mut self, repo: u64, number: u64, by: &str) -> Result<(), Wrong> {
        let found = self.repos.get(&repo).ok_or_else(|| no_such("repository"))?;
        let issue = found.issues.get(&number).ok_or_else(|| no_such("issue"))?;
        let payload = json!({ "action": "deleted", "issue": shapes::issue(self, found, issue) });
        self.announce(repo, "issues", payload, by);
        let found = self.repo_mut(repo)?;
        found.issues.remove(&number);
        found.deleted.insert(number);
        Ok(())
    }

    /// Comments on an issue; the comment's number.
    pub fn comment(&mut self, repo: u64, number: u64, by: &str, body: &str) -> Result<u64, Wrong> {
        let (id, at) = (self.next_id(), now());
        let issue = self.repo_mut(repo)?.issues.get_mut(&number).ok_or_else(|| no_such("issue"))?;
        issue.comments.insert(id, said(id, Some(by), body, None));
        issue.updated = at;
        self.announce_comment(repo, number, id, "created", by);
        Ok(id)
    }

    /// Edits a comment. Its issue's own time does not move.
    pub fn edit_comment(&mut self, repo: u64, number: u64, comment: u64, by: &str, body: &str) -> Result<(), Wrong> {
        let issue = self.repo_mut(repo)?.issues.get_mut(&number).ok_or_else(|| no_such("issue"))?;
        let found = issue.comments.get_mut(&comment).ok_or_else(|| no_such("comment"))?;
        (found.body, found.updated) = (body.to_owned(), now().max(found.created + chrono::TimeDelta::seconds(1)));
        self.announce_comment(repo, number, comment, "edited", by);
        Ok(())
    }

    /// Deletes a comment.
    pub fn delete_comment(&mut self, repo: u64, number: u64, comment: u64, by: &str) -> Result<(), Wrong> {
        self.announce_comment(repo, number, comment, "deleted", by);
        let issue = self.repo_mut(repo)?.issues.get_mut(&number).ok_or_else(|| no_such("issue"))?;
        issue.comments.remove(&comment).map(drop).ok_or_else(|| no_such("comment"))
    }

    fn announce_comment(&mut self, repo: u64, number: u64, comment: u64, action: &str, by: &str) {
        let found = self.repos.get(&repo).and_then(|found| {
            let issue = found.issues.get(&number)?;
            Some((found, issue, issue.comments.get(&comment)?))
        });
        let Some((found, issue, comment)) = found else { return };
        let payload = json!({
            "action": action, "issue": shapes::issue(self, found, issue), "comment": shapes::comment(self, found, issue, comment),
        });
        self.announce(repo, "issue_comment", payload, by);
    }

    /// Reviews a pull request, with remarks on lines.
    pub fn review(
        &mut self,
        repo: u64,
        number: u64,
        by: &str,
        state: &str,
        body: &str,
        lines: &[(String, String)],
    ) -> Result<u64, Wrong> {
        let id = self.next_id();
        let ids: Vec<u64> = lines.iter().map(|_| self.next_id()).collect();
        let at = now();
        let issue = self.repo_mut(repo)?.issues.get_mut(&number).ok_or_else(|| no_such("pull request"))?;
        let pull = issue.pull.as_mut().ok_or_else(|| no_such("pull request"))?;
        let comments = ids.into_iter().zip(lines).map(|(id, (path, text))| (id, said(id, Some(by), text, Some(path))));
        let review = Review {
            id,
            author: Some(by.to_owned()),
            state: state.to_owned(),
            body: body.to_owned(),
            submitted: at,
            comments: comments.collect(),
        };
        pull.reviews.insert(id, review.clone());
        issue.updated = at;
        if let Some((found, issue)) = self.repos.get(&repo).and_then(|found| Some((found, found.issues.get(&number)?)))
        {
            let payload = json!({
                "action": "submitted", "review": shapes::review(self, found, number, &review), "pull_request": shapes::pull(self, found, issue),
            });
            self.announce(repo, "pull_request_review", payload, by);
        }
        Ok(id)
    }

    /// Pushes a commit to the default branch; its hash. `forced` forgets the commits before.
    pub fn push(
        &mut self,
        repo: u64,
        by: &str,
        message: &str,
        changes: Vec<FileChange>,
        forced: bool,
    ) -> Result<String, Wrong> {
        use base64::Engine;
        let at = now();
        let mut hashes: Vec<(String, Option<String>)> = Vec::with_capacity(changes.len());
        for (path, content) in changes {
            let hash = content.map(|content| {
                let text = base64::engine::general_purpose::STANDARD.encode(&content);
                let hash = sha(&["blob", &text]);
                let blob = Blob { size: content.len() as u64, content: text, mode: "100644".to_owned() };
                self.blobs.entry(hash.clone()).or_insert(blob);
                hash
            });
            hashes.push((path, hash));
        }
        let salt = self.next_id().to_string();
        let found = self.repo_mut(repo)?;
        let before = found.head().cloned();
        let mut files = before.as_ref().map(|commit| commit.files.clone()).unwrap_or_default();
        let (mut added, mut modified, mut removed) = (Vec::new(), Vec::new(), Vec::new());
        for (path, hash) in hashes {
            match hash {
                Some(hash) if files.insert(path.clone(), hash.clone()).is_some() => modified.push(path),
                Some(_) => added.push(path),
                None if files.remove(&path).is_some() => removed.push(path),
                None => {}
            }
        }
        let old = before.as_ref().map_or(NO_COMMIT.to_owned(), |commit| commit.sha.clone());
        let hash = sha(&["commit", &old, message, &salt]);
        if forced {
            found.commits.clear();
        }
        let parent = before.filter(|_| !forced).map(|commit| commit.sha);
        let commit =
            Commit { sha: hash.clone(), parent, message: message.to_owned(), author: by.to_owned(), date: at, files };
        found.commits.push(commit);
        // Two pushes within a second are told apart by the commit alone.
        found.pushed = at.max(found.pushed + chrono::TimeDelta::seconds(1));
        let reference = format!("refs/heads/{}", found.branch);
        let payload = json!({
            "ref": reference, "before": old, "after": hash, "created": old == NO_COMMIT, "deleted": false, "forced": forced,
            "base_ref": null,
            "commits": [{ "id": hash, "message": message, "timestamp": shapes::time(at), "added": added, "modified": modified, "removed": removed }],
        });
        self.announce(repo, "push", payload, by);
        Ok(hash)
    }

    /// Gives a repository another name or owner; the old name leads to it.
    pub fn rename_repo(&mut self, repo: u64, owner: Option<&str>, name: Option<&str>, by: &str) -> Result<(), Wrong> {
        let found = self.repo_mut(repo)?;
        let old = found.full_name();
        if let Some(owner) = owner {
            owner.clone_into(&mut found.owner);
        }
        if let Some(name) = name {
            name.clone_into(&mut found.name);
        }
        let short = old.rsplit('/').next().unwrap_or_default().to_owned();
        self.moved.insert(old, repo);
        let (action, changes) = match owner {
            Some(_) => ("transferred", json!({ "owner": { "from": {} } })),
            None => ("renamed", json!({ "repository": { "name": { "from": short } } })),
        };
        self.announce(repo, "repository", json!({ "action": action, "changes": changes }), by);
        Ok(())
    }

    /// Deletes a repository with its hooks.
    pub fn delete_repo(&mut self, repo: u64, by: &str) -> Result<(), Wrong> {
        self.announce(repo, "repository", json!({ "action": "deleted" }), by);
        self.repos.remove(&repo).map(drop).ok_or_else(|| no_such("repository"))
    }
}

/// Something that somebody says now.
pub fn said(id: u64, by: Option<&str>, body: &str, path: Option<&str>) -> Comment {
    let at = now();
    Comment {
        id,
        author: by.map(str::to_owned),
        body: body.to_owned(),
        created: at,
        updated: at,
        path: path.map(str::to_owned),
        replies: Default::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_push_makes_a_commit_with_the_whole_tree_and_says_what_it_changed() {
        let mut github = GitHub::empty();
        github.add_account("ada", "Ada", false);
        let repo = github.add_repo("ada", "app", true).unwrap();
        github
            .push(
                repo,
                "ada",
                "one",
                vec![("a.md".into(), Some(b"A".to_vec())), ("b.md".into(), Some(b"B".to_vec()))],
                false,
            )
            .unwrap();
        github
            .push(repo, "ada", "two", vec![("a.md".into(), None), ("b.md".into(), Some(b"C".to_vec()))], false)
            .unwrap();
        let found = &github.repos[&repo];
        assert_eq!(found.head().unwrap().files.keys().collect::<Vec<_>>(), ["b.md"]);
        let push = &github.outbox.last().unwrap().payload;
        assert_eq!(
            (push["commits"][0]["removed"][0].as_str(), push["commits"][0]["modified"][0].as_str()),
            (Some("a.md"), Some("b.md"))
        );
        assert_eq!(push["before"], found.commits[0].sha);
    }

    #[test]
    fn a_deleted_issues_number_is_not_given_again_and_a_former_name_leads_on() {
        let mut github = GitHub::empty();
        github.add_account("ada", "Ada", false);
        let repo = github.add_repo("ada", "app", true).unwrap();
        let first = github.open_issue(repo, "ada", "One", "", false).unwrap();
        github.delete_issue(repo, first, "ada").unwrap();
        assert_eq!(github.open_issue(repo, "ada", "Two", "", true).unwrap(), 2);
        github.rename_repo(repo, None, Some("tool"), "ada").unwrap();
        assert!(github.named("ada", "app").is_none() && github.moved["ada/app"] == repo);
        assert_eq!(github.outbox.last().unwrap().payload["action"], "renamed");
    }
}
