//! Listings that lie: pages with items missing, cursors that lead in circles or to nothing, values of the wrong type.
//!
//! Invented cursors say what they are: `loop-a` and `loop-b` lead to empty pages for as long as the rule is in force,
//! `after-empty.<n>.<cursor>` leads on to `<cursor>`.

use serde_json::{Value, json};

use crate::faults::Kind;

/// How a provider writes the pages of a listing.
#[derive(Debug, Clone, Copy)]
pub struct Listing {
    /// The field with the items.
    pub items: &'static str,
    /// The field of an item that names it.
    pub id: &'static str,
    /// The field with the next page's cursor; of one inside of another both, parted by a dot.
    pub next: &'static str,
    /// The query parameter that asks for a page.
    pub token: &'static str,
    /// A field that only the last page has.
    pub last: Option<&'static str>,
}

const AFTER_EMPTY: &str = "after-empty.";

/// The cursor that an invented one stands for, with the number of empty pages before it. `None` if it is none of these.
pub fn after_empty(cursor: &str) -> Option<(u32, &str)> {
    let (count, original) = cursor.strip_prefix(AFTER_EMPTY)?.split_once('.')?;
    Some((count.parse().ok()?, original))
}

impl Listing {
    /// The answer that a lie makes without asking the provider: the pages that `cursor` leads to are not there.
    pub fn invented(&self, kind: Kind, cursor: &str) -> Option<Value> {
        match kind {
            Kind::EmptyPage => {
                let (count, original) = after_empty(cursor).unwrap_or((0, cursor));
                Some(self.empty(&format!("{AFTER_EMPTY}{}.{original}", count + 1)))
            }
            Kind::RepeatCursor if cursor == "loop-a" => Some(self.empty("loop-a")),
            Kind::LoopCursor if cursor == "loop-a" => Some(self.empty("loop-b")),
            Kind::LoopCursor if cursor == "loop-b" => Some(self.empty("loop-a")),
            _ => None,
        }
    }

    /// A true page, spoiled. `share` of the items is left out by [`Kind::CutListing`], the same ones each time.
    pub fn spoil(&self, kind: Kind, share: f64, page: &mut Value) {
        match kind {
            Kind::CutListing => {
                if let Some(items) = page.get_mut(self.items).and_then(Value::as_array_mut) {
                    let whole = items.len() as f64;
                    let mut ranked: Vec<u64> = items.iter().map(|item| self.rank(item)).collect();
                    ranked.sort_unstable();
                    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a length")]
                    let left_out = (whole * share).round() as usize;
                    let Some(from) = ranked.get(left_out).copied() else { return items.clear() };
                    items.retain(|item| self.rank(item) >= from);
                }
            }
            Kind::EndListing => {
                self.remove(page, self.next);
            }
            Kind::RepeatCursor | Kind::LoopCursor => {
                if let Some(last) = self.last {
                    self.remove(page, last);
                }
                self.lead_on(page, "loop-a");
            }
            Kind::WrongTypes => {
                let last = page.get_mut(self.items).and_then(Value::as_array_mut).and_then(|items| items.last_mut());
                if let Some(item) = last.and_then(Value::as_object_mut) {
                    item.insert(self.id.to_owned(), json!(7));
                }
            }
            _ => {}
        }
    }

    /// `ok` is what Slack's answers begin with; nobody else reads it.
    fn empty(&self, next: &str) -> Value {
        let mut page = json!({ self.items: [], "ok": true });
        self.lead_on(&mut page, next);
        page
    }

    fn lead_on(&self, page: &mut Value, next: &str) {
        let fields = match self.next.split_once('.') {
            Some((outer, inner)) => [(outer, json!({ inner: next }))],
            None => [(self.next, json!(next))],
        };
        if let Some(page) = page.as_object_mut() {
            page.extend(fields.map(|(name, value)| (name.to_owned(), value)));
        }
    }

    fn remove(&self, page: &mut Value, field: &str) {
        let (object, field) = match field.split_once('.') {
            Some((outer, inner)) => (page.get_mut(outer), inner),
            None => (Some(page), field),
        };
        if let Some(object) = object.and_then(Value::as_object_mut) {
            object.remove(field);
        }
    }

    /// A number that is the same for an item on every page and in every run (FNV-1a).
    fn rank(&self, item: &Value) -> u64 {
        let id = item.get(self.id).and_then(Value::as_str).unwrap_or_default();
        id.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILES: Listing =
        Listing { items: "files", id: "id", next: "nextPageToken", token: "pageToken", last: Some("end") };

    fn page(count: usize) -> Value {
        let files: Vec<Value> = (0..count).map(|number| json!({ "id": format!("file-{number}") })).collect();
        json!({ "files": files, "end": "here" })
    }

    #[test]
    fn a_cut_listing_lacks_its_share_and_always_the_same_items() {
        let (mut once, mut again) = (page(200), page(200));
        FILES.spoil(Kind::CutListing, 0.3, &mut once);
        FILES.spoil(Kind::CutListing, 0.3, &mut again);
        assert_eq!(once["files"].as_array().unwrap().len(), 140);
        assert_eq!(once, again);
        let mut all = page(3);
        FILES.spoil(Kind::CutListing, 1.0, &mut all);
        assert_eq!(all["files"], json!([]));
    }

    #[test]
    fn cursors_lead_in_circles() {
        let mut first = page(1);
        FILES.spoil(Kind::LoopCursor, 0.0, &mut first);
        assert_eq!(first, json!({ "files": [{ "id": "file-0" }], "nextPageToken": "loop-a" }));
        let next = |kind, cursor| FILES.invented(kind, cursor).map(|page| page["nextPageToken"].clone());
        assert_eq!(next(Kind::LoopCursor, "loop-a"), Some(json!("loop-b")));
        assert_eq!(next(Kind::LoopCursor, "loop-b"), Some(json!("loop-a")));
        assert_eq!(next(Kind::RepeatCursor, "loop-a"), Some(json!("loop-a")));
        assert_eq!(next(Kind::RepeatCursor, "real"), None);
    }

    #[test]
    fn an_empty_page_leads_on_to_the_page_that_was_asked_for() {
        let first = FILES.invented(Kind::EmptyPage, "").unwrap();
        assert_eq!(first, json!({ "files": [], "ok": true, "nextPageToken": "after-empty.1." }));
        let second = FILES.invented(Kind::EmptyPage, "after-empty.1.a.b").unwrap();
        assert_eq!(second["nextPageToken"], "after-empty.2.a.b");
        assert_eq!(after_empty("after-empty.2.a.b"), Some((2, "a.b")));
        assert_eq!(after_empty("real"), None);
    }

    #[test]
    fn a_cursor_may_stand_in_an_object_of_its_own() {
        const MESSAGES: Listing =
            Listing { items: "messages", id: "ts", next: "response_metadata.next_cursor", token: "cursor", last: None };
        let mut page = json!({ "messages": [], "response_metadata": { "next_cursor": "more" } });
        MESSAGES.spoil(Kind::LoopCursor, 0.0, &mut page);
        assert_eq!(page["response_metadata"], json!({ "next_cursor": "loop-a" }));
        MESSAGES.spoil(Kind::EndListing, 0.0, &mut page);
        assert_eq!(page["response_metadata"], json!({}));
    }

    #[test]
    fn wrong_types_and_a_missing_end_spoil_what_is_there() {
        let mut wrong = page(2);
        FILES.spoil(Kind::WrongTypes, 0.0, &mut wrong);
        assert_eq!(wrong["files"], json!([{ "id": "file-0" }, { "id": 7 }]));
        let mut ended = json!({ "files": [], "nextPageToken": "more" });
        FILES.spoil(Kind::EndListing, 0.0, &mut ended);
        assert_eq!(ended, json!({ "files": [] }));
    }
}
