//! Discussions and releases: what people do to them, and what hooks announce of it.

use serde_json::json;

use super::{
    change::{no_such, said},
    shapes,
    state::{Discussion, GitHub, Release, now},
};
use crate::control::Wrong;

impl GitHub {
    /// Starts a discussion.
    pub fn discuss(&mut self, repo: u64, by: &str, title: &str, body: &str) -> Result<u64, Wrong> {
        let (id, at) = (self.next_id(), now());
        let found = self.repo_mut(repo)?;
        found.has_discussions = true;
        found.last_number += 1;
        let number = found.last_number;
        let discussion = Discussion {
            id,
            number,
            title: title.to_owned(),
            body: body.to_owned(),
            author: Some(by.to_owned()),
            category: "General".to_owned(),
            closed: false,
            created: at,
            updated: at,
            comments: Default::default(),
        };
        found.discussions.insert(number, discussion);
        self.announce_discussion(repo, number, "created", by);
        Ok(number)
    }

    /// Changes a discussion; `action` is what hooks call it.
    pub fn change_discussion(
        &mut self,
        repo: u64,
        number: u64,
        by: &str,
        action: &str,
        change: impl FnOnce(&mut Discussion),
    ) -> Result<(), Wrong> {
        let found = self.repo_mut(repo)?.discussions.get_mut(&number).ok_or_else(|| no_such("discussion"))?;
        change(found);
        found.updated = now();
        self.announce_discussion(repo, number, action, by);
        Ok(())
    }

    /// Comments on a discussion, or replies to a comment on it.
    pub fn comment_discussion(
        &mut self,
        repo: u64,
        number: u64,
        by: &str,
        body: &str,
        reply_to: Option<u64>,
    ) -> Result<u64, Wrong> {
        let id = self.next_id();
        let found = self.repo_mut(repo)?.discussions.get_mut(&number).ok_or_else(|| no_such("discussion"))?;
        let list = match reply_to {
            Some(to) => &mut found.comments.get_mut(&to).ok_or_else(|| no_such("comment"))?.replies,
            None => &mut found.comments,
        };
        list.insert(id, said(id, Some(by), body, None));
        found.updated = now();
        self.announce_discussion(repo, number, "created", by);
        Ok(id)
    }

    /// Deletes a discussion.
    pub fn delete_discussion(&mut self, repo: u64, number: u64, by: &str) -> Result<(), Wrong> {
        self.announce_discussion(repo, number, "deleted", by);
        self.repo_mut(repo)?.discussions.remove(&number).map(drop).ok_or_else(|| no_such("discussion"))
    }

    fn announce_discussion(&mut self, repo: u64, number: u64, action: &str, by: &str) {
        let Some((found, one)) = self.repos.get(&repo).and_then(|found| Some((found, found.discussions.get(&number)?)))
        else {
            return;
        };
        let shown = json!({
            "id": one.id, "number": number, "title": one.title, "body": one.body, "state": if one.closed { "closed" } else { "open" },
            "html_url": format!("{}/{}/discussions/{number}", shapes::WEB, found.full_name()),
            "user": shapes::user(self, one.author.as_deref()), "comments": one.comments.len(),
            "created_at": shapes::time(one.created), "updated_at": shapes::time(one.updated),
        });
        self.announce(repo, "discussion", json!({ "action": action, "discussion": shown }), by);
    }

    /// Publishes a release.
    pub fn publish(&mut self, repo: u64, by: &str, tag: &str, name: &str, body: &str) -> Result<u64, Wrong> {
        let (id, at) = (self.next_id(), now());
        let release = Release {
            id,
            tag: tag.to_owned(),
            name: Some(name.to_owned()),
            body: Some(body.to_owned()),
            draft: false,
            prerelease: false,
            author: by.to_owned(),
            created: at,
            updated: at,
        };
        self.repo_mut(repo)?.releases.insert(id, release);
        self.announce_release(repo, id, "published", by);
        Ok(id)
    }

    /// Edits a release.
    pub fn edit_release(&mut self, repo: u64, id: u64, by: &str, body: &str) -> Result<(), Wrong> {
        let release = self.repo_mut(repo)?.releases.get_mut(&id).ok_or_else(|| no_such("release"))?;
        (release.body, release.updated) = (Some(body.to_owned()), now());
        self.announce_release(repo, id, "edited", by);
        Ok(())
    }

    /// Deletes a release.
    pub fn delete_release(&mut self, repo: u64, id: u64, by: &str) -> Result<(), Wrong> {
        self.announce_release(repo, id, "deleted", by);
        self.repo_mut(repo)?.releases.remove(&id).map(drop).ok_or_else(|| no_such("release"))
    }

    fn announce_release(&mut self, repo: u64, id: u64, action: &str, by: &str) {
        let Some((found, release)) = self.repos.get(&repo).and_then(|found| Some((found, found.releases.get(&id)?)))
        else {
            return;
        };
        let payload = json!({ "action": action, "release": shapes::release(self, found, release) });
        self.announce(repo, "release", payload, by);
    }
}
