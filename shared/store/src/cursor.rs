//! Where a list goes on: opaque to whoever holds it.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// A place in a list. It holds the last row's sort key only; the partition comes from whoever asks, so that a cursor of
/// somebody else's list leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor(String);

/// The text is no cursor.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("not a valid cursor")]
pub struct BadCursor;

impl Cursor {
    /// DynamoDB's longest sort key.
    const MAX_BYTES: usize = 1024;

    /// Reads what [`Display`](fmt::Display) wrote.
    ///
    /// # Errors
    /// [`BadCursor`] if it is something else.
    pub fn parse(text: &str) -> Result<Self, BadCursor> {
        if text.len() > Self::MAX_BYTES * 2 {
            return Err(BadCursor);
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| BadCursor)?;
        let sk = String::from_utf8(bytes).map_err(|_| BadCursor)?;
        if sk.is_empty() || sk.len() > Self::MAX_BYTES || sk.chars().any(char::is_control) {
            return Err(BadCursor);
        }
        Ok(Self(sk))
    }

    /// The place after this resource in a list of an integration's records.
    #[must_use]
    pub fn after_record(id: domain::IntegrationId, external_id: &domain::ExternalId) -> Self {
        Self::after(crate::keys::record(id, external_id).sk)
    }

    /// A cursor after the row with this sort key.
    pub(crate) const fn after(sk: String) -> Self {
        Self(sk)
    }

    /// The sort key, if it belongs to the kind of row that is being listed.
    pub(crate) fn sort_key(&self, prefix: &str) -> Option<&str> {
        self.0.starts_with(prefix).then_some(self.0.as_str())
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(&self.0))
    }
}

impl FromStr for Cursor {
    type Err = BadCursor;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_as_written() {
        let cursor = Cursor::after("R#ä/1".to_owned());
        assert_eq!(Cursor::parse(&cursor.to_string()), Ok(cursor));
    }

    #[test]
    fn what_is_no_cursor_is_refused() {
        for text in ["", "%%%", "gIA", "AA", &"A".repeat(3000)] {
            assert_eq!(Cursor::parse(text), Err(BadCursor), "{text}");
        }
    }

    #[test]
    fn a_cursor_of_another_list_does_not_fit() {
        let cursor = Cursor::after("J#1".to_owned());
        assert_eq!(cursor.sort_key("J#"), Some("J#1"));
        assert_eq!(cursor.sort_key("R#"), None);
    }
}
