//! Shorthand for what every call needs: attribute values, names, and the two ways a conditional write can end.

use std::collections::HashMap;

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::delete_item::builders::DeleteItemFluentBuilder;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::put_item::builders::PutItemFluentBuilder;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure, TransactWriteItem};
use domain::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Store;
use crate::error::Error;
use crate::keys::Key;

/// A row as DynamoDB carries it.
pub(crate) type Item = HashMap<String, AttributeValue>;

/// Text.
pub(crate) fn s(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}

/// A number.
pub(crate) fn n(number: impl std::fmt::Display) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

/// A moment in milliseconds since the epoch.
pub(crate) fn ms(at: Timestamp) -> AttributeValue {
    n(at.timestamp_millis())
}

/// A value, or NULL, which rows read back as absent. Never for attributes that an index or a condition looks for.
pub(crate) fn or_null(value: Option<AttributeValue>) -> AttributeValue {
    value.unwrap_or(AttributeValue::Null(true))
}

/// Anything that serde can write.
pub(crate) fn encode(value: impl Serialize) -> Result<AttributeValue, Error> {
    serde_dynamo::to_attribute_value(value).map_err(|e| Error::malformed("encode a value", e))
}

/// A whole row.
pub(crate) fn encode_item(item: impl Serialize) -> Result<Item, Error> {
    serde_dynamo::to_item(item).map_err(|e| Error::malformed("encode a row", e))
}

/// A row as its private struct; `what` names the kind of row. The cause is dropped, because it may quote the row.
pub(crate) fn decode<T: DeserializeOwned>(what: &'static str, item: Item) -> Result<T, Error> {
    serde_dynamo::from_item(item).map_err(|_| Error::Corrupt { what })
}

/// Attribute names, each behind `#` and itself.
pub(crate) fn names(attributes: &[&str]) -> Option<HashMap<String, String>> {
    Some(attributes.iter().map(|name| (format!("#{name}"), (*name).to_owned())).collect())
}

/// Attribute values, each behind `:` and its name.
pub(crate) fn values<const N: usize>(pairs: [(&str, AttributeValue); N]) -> Option<HashMap<String, AttributeValue>> {
    Some(pairs.into_iter().map(|(name, value)| (format!(":{name}"), value)).collect())
}

/// A random mark that a claim leaves in the row it wins. When the SDK repeats a claim whose answer was lost, the repeat
/// fails on its own earlier write, finds its mark there and knows that it has won.
pub(crate) fn new_mark() -> String {
    hex::encode(rand::random::<[u8; 16]>())
}

/// How a conditional write ended.
pub(crate) enum Ended {
    /// Written; the attributes that were asked for.
    Written(Item),
    /// The condition did not hold; the row as it was, if there is one.
    Failed(Option<Item>),
}

/// A text attribute of a row.
pub(crate) fn text<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    item.get(name).and_then(|value| value.as_s().ok()).map(String::as_str)
}

/// A number attribute of a row.
pub(crate) fn number<T: std::str::FromStr>(item: &Item, name: &str) -> Option<T> {
    item.get(name).and_then(|value| value.as_n().ok()).and_then(|number| number.parse().ok())
}

/// A moment kept in milliseconds since the epoch.
pub(crate) fn moment(item: &Item, name: &str) -> Option<Timestamp> {
    number(item, name).and_then(Timestamp::from_timestamp_millis)
}

/// Sends a conditional update.
pub(crate) async fn update(what: &'static str, call: UpdateItemFluentBuilder) -> Result<Ended, Error> {
    let call = call.return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
    match call.send().await {
        Ok(done) => Ok(Ended::Written(done.attributes.unwrap_or_default())),
        Err(error) => match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(failed)) => Ok(Ended::Failed(failed.item.clone())),
            _ => Err(Error::dynamo(what, error)),
        },
    }
}

/// Sends a conditional put.
pub(crate) async fn put(what: &'static str, call: PutItemFluentBuilder) -> Result<Ended, Error> {
    let call = call.return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
    match call.send().await {
        Ok(done) => Ok(Ended::Written(done.attributes.unwrap_or_default())),
        Err(error) => match error.as_service_error() {
            Some(PutItemError::ConditionalCheckFailedException(failed)) => Ok(Ended::Failed(failed.item.clone())),
            _ => Err(Error::dynamo(what, error)),
        },
    }
}

/// Sends a conditional delete.
pub(crate) async fn delete(what: &'static str, call: DeleteItemFluentBuilder) -> Result<Ended, Error> {
    match call.send().await {
        Ok(done) => Ok(Ended::Written(done.attributes.unwrap_or_default())),
        Err(error) => match error.as_service_error() {
            Some(DeleteItemError::ConditionalCheckFailedException(failed)) => Ok(Ended::Failed(failed.item.clone())),
            _ => Err(Error::dynamo(what, error)),
        },
    }
}

/// All rows of a query, page after page.
pub(crate) async fn query_all(what: &'static str, call: QueryFluentBuilder) -> Result<Vec<Item>, Error> {
    let mut pages = call.into_paginator().items().send();
    let mut rows = Vec::new();
    while let Some(row) = pages.next().await {
        rows.push(row.map_err(|e| Error::dynamo(what, e))?);
    }
    Ok(rows)
}

impl Store {
    /// One row, read consistently. One request.
    pub(crate) async fn get(&self, what: &'static str, table: &str, key: Key) -> Result<Option<Item>, Error> {
        let call = self.client.get_item().table_name(table).set_key(key.attributes()).consistent_read(true);
        Ok(call.send().await.map_err(|e| Error::dynamo(what, e))?.item)
    }

    /// Writes all of these or none. `false`: a condition did not hold, or another transaction was in the way; the caller
    /// reads again and decides. The SDK gives every call a token, so that a repeat after a lost answer changes nothing.
    pub(crate) async fn transact(&self, what: &'static str, items: Vec<TransactWriteItem>) -> Result<bool, Error> {
        let Err(error) = self.client.transact_write_items().set_transact_items(Some(items)).send().await else {
            return Ok(true);
        };
        let may_pass = match &error {
            SdkError::ServiceError(context) => match context.err() {
                TransactWriteItemsError::TransactionCanceledException(cancelled) => {
                    !cancelled.cancellation_reasons().iter().any(|r| r.code() == Some("ValidationError"))
                }
                _ => false,
            },
            _ => false,
        };
        if may_pass { Ok(false) } else { Err(Error::dynamo(what, error)) }
    }
}
