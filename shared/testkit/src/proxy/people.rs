//! Whom a request is about. Many rows are kept under ids of their own (an integration's, a job's); whose these are shows in the first
//! requests that name both the id and the person.

use std::collections::{BTreeMap, BTreeSet};

use super::Side;
use super::call::Call;

/// Length of a ULID, as our ids are.
const LENGTH: usize = 26;

/// The people with plans, each with the ids that are theirs.
#[derive(Debug, Default)]
pub(super) struct People(BTreeMap<String, BTreeSet<String>>);

impl People {
    /// Somebody for whom there is a plan.
    pub fn add(&mut self, person: &str) {
        self.0.entry(person.to_owned()).or_default();
    }

    /// Whom of them the request is about, and learns from it.
    pub fn concerned(&mut self, call: &Call) -> BTreeSet<String> {
        if self.0.is_empty() {
            return BTreeSet::new();
        }
        let ids = if call.side == Side::Aws { ids(&call.about) } else { BTreeSet::new() };
        let mut found = BTreeSet::new();
        for (person, known) in &mut self.0 {
            if call.about.contains(person.as_str()) {
                known.extend(ids.iter().map(|id| (*id).to_owned()));
                found.insert(person.clone());
            } else if ids.iter().any(|id| known.contains(*id)) {
                found.insert(person.clone());
            }
        }
        found
    }
}

/// The ULIDs in a text.
fn ids(text: &str) -> BTreeSet<&str> {
    let is_part = |c: char| c.is_ascii_digit() || c.is_ascii_uppercase();
    let words = text.split(|c: char| !is_part(c)).filter(|word| word.len() == LENGTH);
    words.filter(|word| word.starts_with('0') && !word.contains(['I', 'L', 'O', 'U'])).collect()
}

#[cfg(test)]
mod tests {
    use hyper::HeaderMap;

    use super::*;

    #[test]
    fn a_row_is_known_by_the_id_that_was_seen_with_its_person() {
        let call = |body: &str| Call::to_aws("api", "POST", "/", &HeaderMap::new(), body.as_bytes());
        let named =
            |operation: &str, body: &str| Call { operation: operation.to_owned(), about: body.to_owned(), ..call("") };
        let mut people = People::default();
        people.add("ada");
        people.add("bob");
        let row = "{\"pk\": {\"S\": \"I#01JD0000000000000000000001\"}}";
        assert!(people.concerned(&named("DynamoDB.GetItem", row)).is_empty());
        let both = "{\"owner\": \"user/ada\", \"id\": \"01JD0000000000000000000001\"}";
        assert_eq!(people.concerned(&named("DynamoDB.PutItem", both)).into_iter().collect::<Vec<_>>(), ["ada"]);
        assert_eq!(people.concerned(&named("DynamoDB.GetItem", row)).into_iter().collect::<Vec<_>>(), ["ada"]);
    }
}
