//! Rows of a table as plain JSON, so that two states of it can be compared and printed.

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::Value;

/// The value without DynamoDB's types. Bytes become hexadecimal text.
pub(crate) fn plain(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::S(text) => text.as_str().into(),
        AttributeValue::N(number) => serde_json::from_str(number).unwrap_or_else(|_| number.as_str().into()),
        AttributeValue::Bool(flag) => (*flag).into(),
        AttributeValue::B(bytes) => hex::encode(bytes).into(),
        AttributeValue::L(values) => values.iter().map(plain).collect(),
        AttributeValue::M(fields) => fields.iter().map(|(name, value)| (name.clone(), plain(value))).collect(),
        AttributeValue::Ss(texts) | AttributeValue::Ns(texts) => texts.iter().map(String::as_str).collect(),
        _ => Value::Null,
    }
}
