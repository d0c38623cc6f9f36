//! Requests that carry an `Idempotency-Key`: who began one, and what came of it. The answer arrives sealed by the caller of this
//! module, so that who reads the table cannot use what is in it.

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use chrono::TimeDelta;
use domain::Timestamp;

use crate::Store;
use crate::call::{Ended, Item, delete, n, names, new_mark, put, s, text, values};
use crate::error::Error;
use crate::keys::{self, Key};

/// For how long a request counts as under way. The API's function ends after 29 seconds; who holds a claim longer has died.
const UNDER_WAY: TimeDelta = TimeDelta::seconds(60);

/// A request that may run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyClaim {
    name: String,
    body: String,
    mark: String,
}

/// What is known of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Idempotency {
    /// Nothing: it may run, and whoever has this says how it ended.
    New(IdempotencyClaim),
    /// The same request is under way at this moment.
    UnderWay,
    /// The name was used for a request with another body.
    OtherBody,
    /// It was answered so.
    Answered(Vec<u8>),
}

impl Store {
    /// Begins the request `name`, unless it was begun or answered before. Of any number of calls at once, one gets to run it.
    /// `body` stands for the request's body, as a hash. One request.
    ///
    /// # Errors
    /// [`Error`] if the table cannot be written.
    pub async fn begin_idempotent(&self, name: &str, body: &str, now: Timestamp) -> Result<Idempotency, Error> {
        let claim = IdempotencyClaim { name: name.to_owned(), body: body.to_owned(), mark: new_mark() };
        let item = item(&claim, None, now + UNDER_WAY);
        let call = self
            .client
            .put_item()
            .table_name(&self.tables.limits)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(#pk) OR #expires_at <= :now")
            .set_expression_attribute_names(names(&["pk", "expires_at"]))
            .set_expression_attribute_values(values([("now", n(now.timestamp()))]));
        Ok(match put("begin a request that is done once", call).await? {
            Ended::Written(_) => Idempotency::New(claim),
            Ended::Failed(row) => read(claim, row.unwrap_or_default()),
        })
    }

    /// Keeps the answer of a request until `until`. Without effect if another has taken the request over meanwhile. One request.
    ///
    /// # Errors
    /// [`Error`] if the table cannot be written.
    pub async fn answer_idempotent(
        &self,
        claim: &IdempotencyClaim,
        answer: Vec<u8>,
        until: Timestamp,
    ) -> Result<(), Error> {
        let call = self
            .client
            .put_item()
            .table_name(&self.tables.limits)
            .set_item(Some(item(claim, Some(answer), until)))
            .condition_expression("#mark = :mark")
            .set_expression_attribute_names(names(&["mark"]))
            .set_expression_attribute_values(values([("mark", s(&claim.mark))]));
        put("keep the answer of a request", call).await.map(|_| ())
    }

    /// Forgets a request that had no effect, so that it can be tried again under its name. One request.
    ///
    /// # Errors
    /// [`Error`] if the table cannot be written.
    pub async fn forget_idempotent(&self, claim: &IdempotencyClaim) -> Result<(), Error> {
        let call = self
            .client
            .delete_item()
            .table_name(&self.tables.limits)
            .set_key(keys::idempotency(&claim.name).attributes())
            .condition_expression("#mark = :mark")
            .set_expression_attribute_names(names(&["mark"]))
            .set_expression_attribute_values(values([("mark", s(&claim.mark))]));
        delete("forget a request", call).await.map(|_| ())
    }
}

fn item(claim: &IdempotencyClaim, answer: Option<Vec<u8>>, until: Timestamp) -> Item {
    let Key { pk, sk } = keys::idempotency(&claim.name);
    let mut item = Item::from([
        (keys::PK.to_owned(), s(pk)),
        (keys::SK.to_owned(), s(sk)),
        ("body".to_owned(), s(&claim.body)),
        ("mark".to_owned(), s(&claim.mark)),
        ("expires_at".to_owned(), n(until.timestamp())),
    ]);
    if let Some(answer) = answer {
        item.insert("answer".to_owned(), AttributeValue::B(Blob::new(answer)));
    }
    item
}

/// What a row says that was there before.
fn read(claim: IdempotencyClaim, row: Item) -> Idempotency {
    if text(&row, "mark") == Some(claim.mark.as_str()) {
        // The call was repeated because its answer was lost; the row is its own.
        return Idempotency::New(claim);
    }
    if text(&row, "body") != Some(claim.body.as_str()) {
        return Idempotency::OtherBody;
    }
    match row.get("answer").and_then(|value| value.as_b().ok()) {
        Some(answer) => Idempotency::Answered(answer.as_ref().to_vec()),
        None => Idempotency::UnderWay,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(body: &str, mark: &str) -> IdempotencyClaim {
        IdempotencyClaim { name: "n".into(), body: body.into(), mark: mark.into() }
    }

    #[test]
    fn a_row_tells_its_own_repeat_from_another_request() {
        let at = Timestamp::UNIX_EPOCH;
        let check = |row: Item, expected: Idempotency| assert_eq!(read(claim("b", "mine"), row), expected);
        check(item(&claim("b", "mine"), None, at), Idempotency::New(claim("b", "mine")));
        check(item(&claim("b", "theirs"), None, at), Idempotency::UnderWay);
        check(item(&claim("b", "theirs"), Some(vec![1]), at), Idempotency::Answered(vec![1]));
        check(item(&claim("c", "theirs"), Some(vec![1]), at), Idempotency::OtherBody);
        check(item(&claim("c", "theirs"), None, at), Idempotency::OtherBody);
    }

    #[test]
    fn a_row_under_way_frees_itself() {
        let now = Timestamp::UNIX_EPOCH;
        assert_eq!(crate::call::number::<i64>(&item(&claim("b", "m"), None, now + UNDER_WAY), "expires_at"), Some(60));
    }
}
