//! Who sees what, and what lies where.

use std::collections::BTreeSet;

use super::{
    feed::FeedKey,
    file::File,
    state::{Account, Google},
};

impl Google {
    /// The file and the folders above it, nearest first. Ends at a root, a gap, or after 100 steps (no real tree is so deep).
    pub fn with_ancestors<'a>(&'a self, file: &'a File) -> impl Iterator<Item = &'a File> {
        std::iter::successors(Some(file), |file| self.files.get(file.parent.as_ref()?)).take(100)
    }

    /// Whether the file or a folder above it is in the trash.
    pub fn is_trashed(&self, file: &File) -> bool {
        self.with_ancestors(file).any(|file| file.trashed_at.is_some())
    }

    /// Whether the account may see the file at all.
    pub fn may_see(&self, email: &str, file: &File) -> bool {
        match &file.drive_id {
            Some(drive) => {
                self.drives.get(drive).is_some_and(|drive| drive.members.contains(email))
                    || self.with_ancestors(file).any(|file| file.shared_with.contains(email))
            }
            // What somebody puts into another's folder is seen by the owner of the folder too.
            None => self.with_ancestors(file).any(|file| file.owner == email || file.shared_with.contains(email)),
        }
    }

    /// The file, if the account may see it. `root` names the account's My Drive.
    pub fn visible<'a>(&'a self, account: &Account, id: &str) -> Option<&'a File> {
        let id = if id == "root" { account.root_id.as_str() } else { id };
        self.files.get(id).filter(|file| self.may_see(&account.email, file))
    }

    /// Everybody who may see the file.
    pub fn viewers(&self, file: &File) -> BTreeSet<String> {
        let mut viewers: BTreeSet<String> = match file.drive_id.as_ref() {
            Some(drive) => self.drives.get(drive).map(|drive| drive.members.clone()).unwrap_or_default(),
            None => BTreeSet::from([file.owner.clone()]),
        };
        for above in self.with_ancestors(file) {
            viewers.extend(above.shared_with.iter().cloned());
            if file.drive_id.is_none() {
                viewers.insert(above.owner.clone());
            }
        }
        viewers
    }

    /// The feeds that tell of changes to the file. A shared drive's own feed tells of all its items; the feed of a member
    /// only of those that the member opened or changed.
    pub fn feeds_of(&self, file: &File) -> BTreeSet<FeedKey> {
        let members = self.viewers(file).into_iter();
        match &file.drive_id {
            Some(drive) => members
                .filter(|member| file.opened_by.contains(member))
                .map(|member| FeedKey::user(&member))
                .chain([FeedKey::drive(drive)])
                .collect(),
            None => members.map(|member| FeedKey::user(&member)).collect(),
        }
    }

    /// Ids of everything below a folder.
    pub fn descendants(&self, id: &str) -> Vec<String> {
        let mut found = Vec::new();
        let mut open = vec![id.to_owned()];
        while let Some(folder) = open.pop() {
            for child in self.children.get(&folder).into_iter().flatten() {
                found.push(child.clone());
                open.push(child.clone());
            }
        }
        found
    }

    /// Everything the account may see, roots left out.
    pub fn files_of<'a>(&'a self, email: &'a str) -> impl Iterator<Item = &'a File> {
        self.files.values().filter(move |file| !file.root && self.may_see(email, file))
    }
}
