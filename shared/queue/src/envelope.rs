//! A message with what it carries besides its body: whose it is, the call reserved for it, and the attempts it has had.

use std::time::Duration;

use aws_sdk_sqs::types::MessageAttributeValue;
use domain::{Owner, Timestamp};

use crate::error::Error;

/// The attribute that carries a reserved call's time, in milliseconds since the epoch.
pub const SLOT: &str = "slot";
/// The attribute that carries the attempts that a message has had before it was sent again.
pub const SPENT: &str = "spent";

/// A message to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope<M> {
    /// Whose work it is; SQS shares the workers out among groups.
    pub group: Owner,
    /// What it says.
    pub message: M,
    /// When the call that is reserved for it is due: it arrives then. `None`: at once, and without a reserved call.
    pub slot: Option<Timestamp>,
}

impl<M> Envelope<M> {
    /// A message that arrives at once.
    #[must_use]
    pub const fn new(group: Owner, message: M) -> Self {
        Self { group, message, slot: None }
    }

    /// The same, to arrive when its call is due.
    #[must_use]
    pub fn at(self, slot: Timestamp) -> Self {
        Self { slot: Some(slot), ..self }
    }
}

/// A message that was received and is sent again as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Again {
    /// Its group, as it came with it.
    pub group: String,
    /// Its body, as it came.
    pub body: String,
    /// It arrives no sooner than this long from now.
    pub delay: Duration,
    /// Nor before the call that is reserved for it is due.
    pub slot: Option<Timestamp>,
    /// Attempts it has had.
    pub spent: u32,
}

/// A text attribute of a message.
pub(crate) fn text(value: impl Into<String>) -> Result<MessageAttributeValue, Error> {
    attribute("String", value)
}

/// A whole number as an attribute.
pub(crate) fn number(value: impl ToString) -> Result<MessageAttributeValue, Error> {
    attribute("Number", value.to_string())
}

fn attribute(kind: &str, value: impl Into<String>) -> Result<MessageAttributeValue, Error> {
    let attribute = MessageAttributeValue::builder().data_type(kind).string_value(value);
    attribute.build().map_err(Error::malformed)
}
