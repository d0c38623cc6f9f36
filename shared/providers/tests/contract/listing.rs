//! Listings walked to their ends, and texts fetched to theirs.

use std::collections::{BTreeMap, BTreeSet};

use domain::resource::DeleteReason;
use domain::{ExternalId, Resource};
use providers::provider::{From, ListRequest};
use providers::{Body, FetchRequest, ProviderError};

use crate::provider::Connected;

/// Pages that no listing of these tests needs.
const MOST_PAGES: usize = 500;
/// Parts that no resource of these tests has.
const MOST_PARTS: usize = 500;

/// A listing from its first page to its last.
#[derive(Debug, Default)]
pub struct Whole {
    /// What is there, with the text where a page carried it. Of one that stands twice, the later.
    pub resources: BTreeMap<ExternalId, (Resource, Option<String>)>,
    /// What is gone.
    pub gone: BTreeMap<ExternalId, DeleteReason>,
    /// The cursor that it ended with.
    pub cursor: Option<String>,
    /// Whether a page asked for a full listing.
    pub relist: bool,
    /// How many pages it had.
    pub pages: usize,
}

impl Connected {
    /// Where changes can be listed from.
    pub async fn start_cursor(&self) -> String {
        self.provider().start_cursor(&self.access(), &self.config).await.expect("a cursor")
    }

    /// One listing, walked to its end.
    pub async fn list(&self, from: From<'_>) -> Result<Whole, ProviderError> {
        let mut whole = Whole::default();
        let (mut page, mut seen): (Option<String>, BTreeSet<String>) = (None, BTreeSet::new());
        loop {
            let request = ListRequest { config: &self.config, from, page: page.as_deref() };
            let found = self.provider().list(&self.access(), request).await?;
            whole.pages += 1;
            whole.relist |= found.relist;
            whole.gone.extend(found.gone.into_iter().map(|gone| (gone.external_id, gone.reason)));
            for listed in found.resources {
                whole.resources.insert(listed.resource.external_id.clone(), (listed.resource, listed.text));
            }
            match found.next {
                Some(next) => {
                    assert!(seen.insert(next.clone()), "the listing runs in a circle");
                    assert!(next.len() < 200_000, "a page cursor travels in a row of a table");
                    page = Some(next);
                }
                None => {
                    whole.cursor = found.cursor;
                    return Ok(whole);
                }
            }
            assert!(whole.pages < MOST_PAGES, "the listing does not end");
        }
    }

    /// Everything.
    pub async fn everything(&self) -> Whole {
        self.list(From::Everything).await.expect("a full listing")
    }

    /// What changed since a cursor, and the next cursor.
    pub async fn changes(&self, cursor: &str) -> (Whole, String) {
        let whole = self.list(From::Cursor(cursor)).await.expect("a listing of changes");
        let next = whole.cursor.clone().expect("changes end with a cursor");
        (whole, next)
    }

    /// A resource's text, fetched to its end in as many parts as it takes; `known` as a listing said it.
    pub async fn text(&self, id: &ExternalId, known: Option<&Resource>) -> Result<(Resource, String), ProviderError> {
        let calls = self.provider().fetch_calls(known).max(1);
        let (mut text, mut resume): (String, Option<String>) = (String::new(), None);
        for _ in 0..MOST_PARTS {
            let request = FetchRequest { id, known, resume: resume.as_deref(), calls };
            let part = self.provider().fetch(&self.access(), request).await?;
            match part.body {
                Body::Text(more) => text.push_str(&more),
                // Whatever else a file may be, those of these tests are made as text.
                Body::File { file, .. } => text.push_str(&std::fs::read_to_string(file.path()).expect("it is text")),
            }
            let Some(next) = part.next else { return Ok((part.resource, text)) };
            assert!(next.len() <= 64 * 1024, "where to go on travels in a message");
            assert_ne!(resume.as_ref(), Some(&next), "the fetch makes no progress");
            resume = Some(next);
        }
        panic!("the fetch does not end");
    }

    /// The text of a listed resource: the listing's, or fetched.
    pub async fn text_of(&self, listed: &(Resource, Option<String>)) -> String {
        match &listed.1 {
            Some(text) => text.clone(),
            None => self.text(&listed.0.external_id, Some(&listed.0)).await.expect("it is fetched").1,
        }
    }
}

/// A text without what formatting adds: whitespace runs are one space.
pub fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
