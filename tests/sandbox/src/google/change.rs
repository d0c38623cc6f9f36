//! Every change to content, with the entries that it leaves in the feeds.

use std::collections::BTreeSet;

use super::{
    feed::{FeedKey, Item},
    file::{Body, File},
    state::{Google, SharedDrive},
};
use crate::{clock, random};

/// A file to be made.
#[derive(Debug, Clone)]
pub struct NewFile<'a> {
    /// Chosen id, or none for a random one.
    pub id: Option<String>,
    pub name: &'a str,
    pub mime_type: &'a str,
    pub body: Body,
    pub text: Option<String>,
    /// Folder; none for the root of the drive.
    pub parent: Option<&'a str>,
    /// Shared drive; none for My Drive (or where the parent is).
    pub drive_id: Option<&'a str>,
}

/// What can be wrong with a requested change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    UnknownAccount(String),
    UnknownFile(String),
    UnknownDrive(String),
    NotAFolder(String),
    /// The folder would lie in itself.
    Loop,
    Taken(String),
    IsRoot,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::UnknownAccount(email) => write!(f, "there is no account {email}"),
            Self::UnknownFile(id) => write!(f, "there is no file {id}"),
            Self::UnknownDrive(id) => write!(f, "there is no shared drive {id}"),
            Self::NotAFolder(id) => write!(f, "{id} is not a folder"),
            Self::Loop => f.write_str("a folder cannot lie in itself"),
            Self::Taken(id) => write!(f, "the id {id} is taken"),
            Self::IsRoot => f.write_str("the root of a drive stays as it is"),
        }
    }
}

/// Changes to one file; an absent field stays as it is.
#[derive(Debug, Default)]
pub struct Edit {
    pub name: Option<String>,
    pub content: Option<(Body, Option<String>)>,
    pub parent: Option<String>,
    pub trashed: Option<bool>,
    pub modified: Option<chrono::DateTime<chrono::Utc>>,
    pub shared_with: Option<BTreeSet<String>>,
    pub downloadable: Option<bool>,
    /// Who does it; none: the owner.
    pub by: Option<String>,
}

impl Google {
    /// Makes a file as `account` and returns its id.
    pub fn create(&mut self, account: &str, new: NewFile<'_>) -> Result<String, Refused> {
        let owner = self.accounts.get(account).ok_or_else(|| Refused::UnknownAccount(account.to_owned()))?.clone();
        let parent_id = match (new.parent, new.drive_id) {
            (Some("root"), _) | (None, None) => owner.root_id.clone(),
            (Some(parent), _) => parent.to_owned(),
            (None, Some(drive)) => {
                self.drives.get(drive).ok_or_else(|| Refused::UnknownDrive(drive.to_owned()))?;
                drive.to_owned()
            }
        };
        let parent = self.files.get(&parent_id).ok_or_else(|| Refused::UnknownFile(parent_id.clone()))?;
        if !matches!(parent.body, Body::Folder) {
            return Err(Refused::NotAFolder(parent_id));
        }
        let id = new.id.unwrap_or_else(|| format!("1{}", random::letters(32)));
        if self.files.contains_key(&id) {
            return Err(Refused::Taken(id));
        }
        let now = clock::now();
        let mut file = File::folder(&id, new.name, account, now);
        new.mime_type.clone_into(&mut file.mime_type);
        file.drive_id = parent.drive_id.clone();
        // A file made in somebody else's folder belongs to whoever made it.
        file.parent = Some(parent_id.clone());
        file.body = new.body;
        file.text = new.text;
        file.opened_by.insert(account.to_owned());
        self.made += 1;
        file.made = self.made;
        self.children.entry(parent_id).or_default().insert(id.clone());
        self.files.insert(id.clone(), file);
        self.tell(&id, &BTreeSet::new());
        Ok(id)
    }

    /// Applies an edit to one file.
    pub fn edit(&mut self, id: &str, edit: Edit) -> Result<(), Refused> {
        let file = self.files.get(id).ok_or_else(|| Refused::UnknownFile(id.to_owned()))?;
        if file.root {
            return Err(Refused::IsRoot);
        }
        let (before, was_trashed) = (self.feeds_of(file), self.is_trashed(file));
        let by = edit.by.clone().unwrap_or_else(|| file.owner.clone());
        let now = clock::now();
        let mut moved_below = Vec::new();
        if let Some(parent) = &edit.parent {
            moved_below = self.move_to(id, parent, &by)?;
        }
        let Some(file) = self.files.get_mut(id) else { return Err(Refused::UnknownFile(id.to_owned())) };
        // A move, sharing and the trash leave the time of modification alone; name and content do not.
        let mut touched = edit.name.is_some();
        if let Some(name) = edit.name {
            file.name = name;
        }
        if let Some((body, text)) = edit.content {
            (file.body, file.text) = (body, text);
            file.revision += 1;
            touched = true;
        }
        if touched {
            file.modified = now.max(file.modified + chrono::TimeDelta::milliseconds(1));
            by.clone_into(&mut file.modified_by);
            file.opened_by.insert(by.clone());
        }
        if let Some(modified) = edit.modified {
            file.modified = modified;
        }
        if let Some(trashed) = edit.trashed {
            file.trashed_at = trashed.then(|| file.trashed_at.unwrap_or(now));
            file.trashed_by = trashed.then_some(by);
        }
        if let Some(people) = edit.shared_with {
            file.shared_with = people;
        }
        if let Some(downloadable) = edit.downloadable {
            file.downloadable = downloadable;
        }
        self.tell(id, &before);
        // Things in a folder change with it only when they enter or leave the trash or their drive.
        let trash_turned = self.files.get(id).is_some_and(|file| self.is_trashed(file) != was_trashed);
        let below = if trash_turned { self.descendants(id) } else { moved_below };
        for child in below {
            self.tell(&child, &before);
        }
        Ok(())
    }

    /// Deletes a file for good, and everything in it.
    pub fn delete(&mut self, id: &str) -> Result<(), Refused> {
        let file = self.files.get(id).ok_or_else(|| Refused::UnknownFile(id.to_owned()))?;
        if file.root {
            return Err(Refused::IsRoot);
        }
        let mut doomed = self.descendants(id);
        doomed.push(id.to_owned());
        let feeds: Vec<_> =
            doomed.iter().filter_map(|id| Some((id.clone(), self.feeds_of(self.files.get(id)?)))).collect();
        if let Some(siblings) = file.parent.clone().and_then(|parent| self.children.get_mut(&parent)) {
            siblings.remove(id);
        }
        let now = clock::now();
        for (id, feeds) in feeds {
            self.files.remove(&id);
            self.children.remove(&id);
            for feed in feeds {
                self.feeds.record(&feed, Item::File(id.clone()), now);
            }
        }
        Ok(())
    }

    /// Makes a shared drive; every member gets an entry for the drive, none for its files.
    pub fn add_drive(&mut self, id: Option<String>, name: &str, members: &[String]) -> Result<String, Refused> {
        let id = id.unwrap_or_else(|| format!("0A{}Uk9PVA", random::letters(11)));
        if self.files.contains_key(&id) {
            return Err(Refused::Taken(id));
        }
        let first = members.first().cloned().unwrap_or_default();
        let mut root = File::folder(&id, name, &first, clock::now());
        (root.root, root.drive_id) = (true, Some(id.clone()));
        self.files.insert(id.clone(), root);
        let drive =
            SharedDrive { id: id.clone(), name: name.to_owned(), created: clock::now(), members: BTreeSet::new() };
        self.drives.insert(id.clone(), drive);
        for member in members {
            self.join(&id, member)?;
        }
        Ok(id)
    }

    /// Lets an account into a shared drive.
    pub fn join(&mut self, drive: &str, email: &str) -> Result<(), Refused> {
        if !self.accounts.contains_key(email) {
            return Err(Refused::UnknownAccount(email.to_owned()));
        }
        let found = self.drives.get_mut(drive).ok_or_else(|| Refused::UnknownDrive(drive.to_owned()))?;
        if found.members.insert(email.to_owned()) {
            self.feeds.record(&FeedKey::user(email), Item::Drive(drive.to_owned()), clock::now());
        }
        Ok(())
    }

    /// Takes an account out of a shared drive: one entry for the drive, none for its files.
    pub fn leave(&mut self, drive: &str, email: &str) -> Result<(), Refused> {
        let found = self.drives.get_mut(drive).ok_or_else(|| Refused::UnknownDrive(drive.to_owned()))?;
        if found.members.remove(email) {
            self.feeds.record(&FeedKey::user(email), Item::Drive(drive.to_owned()), clock::now());
        }
        Ok(())
    }

    /// Notes that a member looked at a file; from then on it is in the member's own view. Says whether that is new.
    pub fn opened(&mut self, id: &str, email: &str) -> bool {
        self.files.get_mut(id).is_some_and(|file| file.opened_by.insert(email.to_owned()))
    }

    /// Moves a file, across drives too; returns what moved with it into another drive.
    fn move_to(&mut self, id: &str, parent: &str, by: &str) -> Result<Vec<String>, Refused> {
        let parent = match (parent, self.accounts.get(by)) {
            ("root", Some(account)) => account.root_id.clone(),
            _ => parent.to_owned(),
        };
        let target = self.files.get(&parent).ok_or_else(|| Refused::UnknownFile(parent.clone()))?;
        if !matches!(target.body, Body::Folder) {
            return Err(Refused::NotAFolder(parent));
        }
        if self.with_ancestors(target).any(|above| above.id == id) {
            return Err(Refused::Loop);
        }
        let drive = target.drive_id.clone();
        let Some(file) = self.files.get_mut(id) else { return Err(Refused::UnknownFile(id.to_owned())) };
        let changes_drive = file.drive_id != drive;
        let old = file.parent.replace(parent.clone());
        if let Some(siblings) = old.and_then(|old| self.children.get_mut(&old)) {
            siblings.remove(id);
        }
        self.children.entry(parent).or_default().insert(id.to_owned());
        if !changes_drive {
            return Ok(Vec::new());
        }
        let below = self.descendants(id);
        for moved in below.iter().map(String::as_str).chain([id]) {
            if let Some(file) = self.files.get_mut(moved) {
                file.drive_id.clone_from(&drive);
            }
        }
        Ok(below)
    }

    /// Raises the version of a file and notes the change in the feeds that know it now or knew it before.
    fn tell(&mut self, id: &str, before: &BTreeSet<FeedKey>) {
        let now = clock::now();
        if let Some(file) = self.files.get_mut(id) {
            file.version += 1;
        }
        let after = self.files.get(id).map(|file| self.feeds_of(file)).unwrap_or_default();
        for feed in before.union(&after) {
            self.feeds.record(feed, Item::File(id.to_owned()), now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Scene {
        google: Google,
        place: u64,
    }

    impl Scene {
        fn new() -> Self {
            let mut google = Google::empty();
            google.add_account("ada", "Ada");
            google.add_account("bob", "Bob");
            Self { google, place: 0 }
        }

        fn add(&mut self, id: &str, parent: Option<&str>, folder: bool) {
            let body = if folder { Body::Folder } else { Body::blob("text") };
            let new = NewFile {
                id: Some(id.to_owned()),
                name: id,
                mime_type: "text/plain",
                body,
                text: None,
                parent,
                drive_id: None,
            };
            self.google.create("ada", new).unwrap();
        }

        /// Ids with an entry in the feed since this was last called.
        fn told(&mut self, feed: &FeedKey) -> BTreeSet<String> {
            let now = clock::now();
            let page = self.google.feeds.page(feed, self.place, 100, now, |_| true);
            self.place = self.google.feeds.start(feed, now);
            page.entries
                .into_iter()
                .map(|(_, entry)| match entry.item {
                    Item::File(id) => id,
                    Item::Drive(id) => format!("drive {id}"),
                })
                .collect()
        }
    }

    fn ids(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn trashing_a_folder_trashes_what_is_in_it_and_tells_of_each() {
        let mut scene = Scene::new();
        scene.add("folder", None, true);
        scene.add("inner", Some("folder"), true);
        scene.add("file", Some("inner"), false);
        let ada = FeedKey::user("ada");
        scene.told(&ada);
        scene.google.edit("folder", Edit { trashed: Some(true), ..Edit::default() }).unwrap();
        assert_eq!(scene.told(&ada), ids(&["folder", "inner", "file"]));
        let file = &scene.google.files["file"];
        assert!(scene.google.is_trashed(file));
        assert!(file.trashed_at.is_none(), "not trashed explicitly");
    }

    #[test]
    fn moving_a_folder_tells_of_the_folder_alone() {
        let mut scene = Scene::new();
        scene.add("a", None, true);
        scene.add("b", None, true);
        scene.add("file", Some("a"), false);
        let ada = FeedKey::user("ada");
        scene.told(&ada);
        scene.google.edit("a", Edit { parent: Some("b".into()), ..Edit::default() }).unwrap();
        assert_eq!(scene.told(&ada), ids(&["a"]));
        let into_itself = Edit { parent: Some("a".into()), ..Edit::default() };
        assert_eq!(scene.google.edit("b", into_itself), Err(Refused::Loop));
    }

    #[test]
    fn sharing_a_folder_and_taking_it_back_tells_of_the_folder_alone() {
        let mut scene = Scene::new();
        scene.add("a", None, true);
        scene.add("file", Some("a"), false);
        let bob = FeedKey::user("bob");
        scene.told(&bob);
        scene.google.edit("a", Edit { shared_with: Some(ids(&["bob"])), ..Edit::default() }).unwrap();
        assert_eq!(scene.told(&bob), ids(&["a"]));
        assert!(scene.google.may_see("bob", &scene.google.files["file"]));
        scene.google.edit("a", Edit { shared_with: Some(BTreeSet::new()), ..Edit::default() }).unwrap();
        assert_eq!(scene.told(&bob), ids(&["a"]));
        assert!(!scene.google.may_see("bob", &scene.google.files["file"]));
    }

    #[test]
    fn joining_a_drive_tells_of_the_drive_and_its_files_only_in_its_own_feed() {
        let mut scene = Scene::new();
        let drive = scene.google.add_drive(Some("D".into()), "Team", &["ada".into()]).unwrap();
        let new = NewFile {
            id: Some("file".into()),
            name: "file",
            mime_type: "text/plain",
            body: Body::blob("x"),
            text: None,
            parent: None,
            drive_id: Some(&drive),
        };
        scene.google.create("ada", new).unwrap();
        scene.google.join(&drive, "bob").unwrap();
        assert_eq!(scene.told(&FeedKey::user("bob")), ids(&["drive D"]));
        scene.place = 0;
        assert_eq!(scene.told(&FeedKey::drive("D")), ids(&["file"]));
    }

    #[test]
    fn deleting_a_folder_deletes_and_tells_of_all_below() {
        let mut scene = Scene::new();
        scene.add("a", None, true);
        scene.add("file", Some("a"), false);
        let ada = FeedKey::user("ada");
        scene.told(&ada);
        scene.google.delete("a").unwrap();
        assert_eq!(scene.told(&ada), ids(&["a", "file"]));
        assert!(!scene.google.files.contains_key("file"));
    }

    #[test]
    fn every_edit_of_content_moves_the_modification_time_forward() {
        let mut scene = Scene::new();
        scene.add("file", None, false);
        let before = scene.google.files["file"].modified;
        let edit = Edit { content: Some((Body::blob("new"), None)), ..Edit::default() };
        scene.google.edit("file", edit).unwrap();
        assert!(scene.google.files["file"].modified > before);
    }
}
