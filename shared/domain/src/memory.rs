//! What a memory holds of a resource, under its own names: kept so that an edit, a crash in the middle and a text that two resources
//! share all end well. Pure; `sink` works by it and `store` keeps it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::id::UserId;

/// What a memory holds of one resource. The field names are short because a long text has thousands of parts in one row.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Sheet {
    /// Grows by one with every write; 0 while there is none. Kept beside the sheet, not in it.
    #[serde(skip)]
    pub version: u64,
    /// In whose name all of this was put there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acting: Option<UserId>,
    /// Parts that are there.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub held: BTreeMap<String, Held>,
    /// Parts that are about to be there: written down before they are submitted, so that whoever comes after a crash looks for them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub submitted: BTreeMap<String, Submitted>,
    /// Memories that were let go of and may still have to be deleted.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub leaving: BTreeSet<String>,
}

/// A part that is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// Of what was delivered.
    #[serde(rename = "h")]
    pub hash: String,
    /// What the memory calls it. Parts of equal text may share one.
    #[serde(rename = "m")]
    pub memory_id: String,
    /// Its text was taken away again, once it had been read.
    #[serde(rename = "b", default, skip_serializing_if = "std::ops::Not::not")]
    pub is_bare: bool,
}

/// A part that is about to be there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submitted {
    /// Of what is submitted.
    #[serde(rename = "h")]
    pub hash: String,
    /// Its title, to look for it.
    #[serde(rename = "t")]
    pub title: String,
    /// When this was first intended.
    #[serde(rename = "s")]
    pub since: Timestamp,
    /// When it was last submitted.
    #[serde(rename = "a")]
    pub at: Timestamp,
}

impl Sheet {
    /// Whether nothing is there and nothing under way: the row can go.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.held.is_empty() && self.submitted.is_empty() && self.leaving.is_empty()
    }

    /// Whether nothing is under way.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.submitted.is_empty() && self.leaving.is_empty()
    }

    /// Takes up a part under the name that the memory gave it.
    pub fn hold(&mut self, part: &str, hash: &str, memory_id: &str) {
        self.submitted.remove(part);
        let held = Held { hash: hash.to_owned(), memory_id: memory_id.to_owned(), is_bare: false };
        self.held.insert(part.to_owned(), held);
    }

    /// Lets go of parts; says how many of them each memory loses.
    pub fn let_go<'a>(&mut self, parts: impl IntoIterator<Item = &'a str>) -> BTreeMap<String, u32> {
        let mut lost = BTreeMap::new();
        for part in parts {
            if let Some(held) = self.held.remove(part) {
                *lost.entry(held.memory_id.clone()).or_default() += 1;
                self.leaving.insert(held.memory_id);
            }
        }
        lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_memory_that_two_parts_share_loses_both() {
        let mut sheet = Sheet::default();
        sheet.hold("a", "1", "m1");
        sheet.hold("b", "1", "m1");
        sheet.hold("c", "2", "m2");
        let lost = sheet.let_go(["a", "b", "gone"]);
        assert_eq!(lost, BTreeMap::from([("m1".to_owned(), 2)]));
        assert_eq!(sheet.leaving, BTreeSet::from(["m1".to_owned()]));
        assert_eq!(sheet.held.keys().collect::<Vec<_>>(), ["c"]);
    }

    #[test]
    fn a_sheet_reads_back_as_written_and_an_older_one_too() {
        let mut sheet = Sheet { acting: Some(UserId::new("ada").unwrap()), ..Sheet::default() };
        sheet.hold("a", "1", "m1");
        let at = Timestamp::from_timestamp(9, 0).unwrap();
        let submitted = Submitted { hash: "2".to_owned(), title: "B".to_owned(), since: at, at };
        sheet.submitted.insert("b".to_owned(), submitted);
        let text = serde_json::to_string(&sheet).unwrap();
        assert_eq!(serde_json::from_str::<Sheet>(&text).unwrap(), sheet);
        assert!(serde_json::from_str::<Sheet>("{}").unwrap().is_empty());
        assert!(!sheet.is_empty());
    }
}
