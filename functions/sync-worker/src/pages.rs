//! What a run's pages say together. Sets, so that a page recorded twice counts once.

use std::collections::{BTreeMap, HashSet};

use domain::ExternalId;
use domain::resource::DeleteReason;
use store::{PageRow, resource_key};

/// A run's pages, taken together.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct History {
    /// What the provider listed.
    pub listed: HashSet<u128>,
    /// What the provider said is gone.
    pub gone: BTreeMap<ExternalId, DeleteReason>,
    /// What was handed out, to be synced or to be deleted.
    pub handed: HashSet<u128>,
    /// Whether deletions have been handed out: then they were allowed.
    pub deletes_begun: bool,
    /// Whether deletions were held back for a person.
    pub held: u64,
}

impl History {
    /// Takes pages together.
    pub fn of(pages: &[PageRow]) -> Self {
        let mut history = Self::default();
        for page in pages {
            history.listed.extend(page.seen.iter().copied());
            let handed: HashSet<u128> = page.handed.iter().map(resource_key).collect();
            if page.listing {
                history.gone.extend(page.gone.iter().cloned());
            } else if !page.gone.is_empty() {
                // A page of deletions names in `handed` those that were handed out; what it only names was held back.
                history.deletes_begun |= !handed.is_empty();
                let held = page.gone.iter().filter(|(id, _)| !handed.contains(&resource_key(id))).count();
                history.held += held as u64;
            }
            history.handed.extend(handed);
        }
        history
    }

    /// Whether the provider listed it and said that it is gone, in whichever order: it has moved, perhaps, and must be looked at.
    pub fn is_contradictory(&self, id: &ExternalId) -> bool {
        self.listed.contains(&resource_key(id)) && self.gone.contains_key(id)
    }
}

/// The page that records deletions: handed out, or held back for a person.
pub(crate) fn deletions_page(number: u32, deletions: &[(ExternalId, DeleteReason)], held: bool) -> PageRow {
    PageRow {
        page: number,
        listing: false,
        handed: if held { Vec::new() } else { deletions.iter().map(|(id, _)| id.clone()).collect() },
        gone: deletions.to_vec(),
        ..PageRow::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> ExternalId {
        ExternalId::new(text).unwrap()
    }

    #[test]
    fn a_page_recorded_twice_counts_once() {
        let page = PageRow {
            listing: true,
            seen: vec![resource_key(&id("a"))],
            handed: vec![id("a")],
            gone: vec![(id("b"), DeleteReason::Trashed)],
            ..PageRow::default()
        };
        assert_eq!(History::of(&[page.clone(), page.clone()]), History::of(&[page]));
    }

    #[test]
    fn deletions_are_begun_or_held() {
        let deletions = [(id("a"), DeleteReason::NotListed), (id("b"), DeleteReason::NotListed)];
        let begun = History::of(&[deletions_page(4, &deletions, false)]);
        assert_eq!((begun.deletes_begun, begun.held, begun.handed.len()), (true, 0, 2));
        let held = History::of(&[deletions_page(4, &deletions, true)]);
        assert_eq!((held.deletes_begun, held.held, held.handed.len()), (false, 2, 0));
        assert!(held.gone.is_empty(), "what was held back is no word of the provider's");
    }

    #[test]
    fn what_is_listed_and_gone_is_looked_at() {
        let moved = PageRow {
            listing: true,
            seen: vec![resource_key(&id("a"))],
            gone: vec![(id("a"), DeleteReason::Removed), (id("b"), DeleteReason::Removed)],
            ..PageRow::default()
        };
        let history = History::of(&[moved]);
        assert!(history.is_contradictory(&id("a")));
        assert!(!history.is_contradictory(&id("b")));
    }
}
