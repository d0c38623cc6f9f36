//! Rows as private structs, and the way between them and domain types. Domain types know nothing of the table.

pub(crate) mod integration;
pub(crate) mod job;
pub(crate) mod record;
pub(crate) mod subscription;

use std::fmt;

use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Bytes as DynamoDB's binary type; serde alone would write a list of numbers.
#[derive(Clone, PartialEq, Eq, Default)]
pub(crate) struct Binary(pub(crate) Vec<u8>);

impl Serialize for Binary {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Binary {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_byte_buf(BinaryVisitor)
    }
}

struct BinaryVisitor;

impl<'de> Visitor<'de> for BinaryVisitor {
    type Value = Binary;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes")
    }

    fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Binary, E> {
        Ok(Binary(bytes.to_vec()))
    }

    fn visit_byte_buf<E: serde::de::Error>(self, bytes: Vec<u8>) -> Result<Binary, E> {
        Ok(Binary(bytes))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<Binary, A::Error> {
        Err(A::Error::custom("a list where bytes belong"))
    }
}

impl Binary {
    /// Numbers of 16 bytes, one after the other.
    pub(crate) fn of_keys(keys: &[u128]) -> Self {
        Self(keys.iter().flat_map(|key| key.to_be_bytes()).collect())
    }

    /// The numbers back; `None` if the length is not a multiple of 16.
    pub(crate) fn keys(&self) -> Option<Vec<u128>> {
        let (chunks, rest) = self.0.as_chunks::<16>();
        rest.is_empty().then(|| chunks.iter().map(|chunk| u128::from_be_bytes(*chunk)).collect())
    }

    /// Whether there is nothing to write.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_dynamodb::types::AttributeValue;

    #[test]
    fn bytes_are_written_as_binary_and_read_back() {
        let value: AttributeValue = serde_dynamo::to_attribute_value(Binary(vec![1, 2, 3])).unwrap();
        assert!(matches!(&value, AttributeValue::B(bytes) if bytes.as_ref() == [1, 2, 3]));
        assert!(serde_dynamo::from_attribute_value::<_, Binary>(value).unwrap() == Binary(vec![1, 2, 3]));
    }

    #[test]
    fn keys_read_back_and_a_torn_one_is_noticed() {
        let keys = [0, 1, u128::MAX];
        assert_eq!(Binary::of_keys(&keys).keys().as_deref(), Some(keys.as_slice()));
        assert_eq!(Binary(vec![0; 17]).keys(), None);
    }
}
