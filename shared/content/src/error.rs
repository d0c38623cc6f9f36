//! Why a file gave no text.

use std::fmt;
use std::time::Duration;

/// Why a file gave no text. The message is written for the person whose file it is.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Larger than a limit allows, or than it claims to be.
    #[error("the file has more than {0}")]
    TooLarge(Exceeded),
    /// Needs a password.
    #[error("the file is protected with a password")]
    Encrypted,
    /// Damaged, or not what its name and type say; the text says how.
    #[error("the file could not be read: {0}")]
    Unreadable(String),
    /// A kind of file that no text is read from; the text says which.
    #[error("no text is read from {0}")]
    Unsupported(String),
    /// Took longer than [`crate::Limits::time`].
    #[error("reading the file took longer than {} s", .0.as_secs())]
    TimedOut(Duration),
    /// Our own disk or memory failed; the file may be fine.
    #[error("cannot read the downloaded file")]
    Io(#[from] std::io::Error),
}

/// The limit that a file goes beyond, with its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exceeded {
    /// [`crate::Limits::file_bytes`].
    FileBytes(u64),
    /// [`crate::Limits::expanded_bytes`].
    ExpandedBytes(u64),
    /// [`crate::Limits::pages`].
    Pages(u32),
    /// [`crate::Limits::cells`].
    Cells(u64),
    /// [`crate::Limits::entries`].
    Entries(u32),
    /// The largest single piece (an XML tag, a PDF object) that is held in memory, in bytes.
    PieceBytes(u64),
    /// The deepest nesting that is followed.
    Levels(u32),
}

impl fmt::Display for Exceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FileBytes(limit) => write!(f, "{limit} bytes"),
            Self::ExpandedBytes(limit) => write!(f, "{limit} bytes once decompressed"),
            Self::Pages(limit) => write!(f, "{limit} pages"),
            Self::Cells(limit) => write!(f, "{limit} cells"),
            Self::Entries(limit) => write!(f, "{limit} entries"),
            Self::PieceBytes(limit) => write!(f, "{limit} bytes in one piece"),
            Self::Levels(limit) => write!(f, "{limit} levels of nesting"),
        }
    }
}

impl Error {
    /// A damaged file, told in a few words.
    pub(crate) fn unreadable(what: impl Into<String>) -> Self {
        Self::Unreadable(what.into())
    }

    /// The stable word for records and answers.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLarge(_) => "too_large",
            Self::Encrypted => "encrypted",
            Self::Unreadable(_) => "unreadable",
            Self::Unsupported(_) => "unsupported",
            Self::TimedOut(_) => "timed_out",
            Self::Io(_) => "io",
        }
    }

    /// Whether another attempt may end better: only when the fault was ours.
    #[must_use]
    pub const fn is_retriable(&self) -> bool {
        match self {
            Self::Io(_) => true,
            Self::TooLarge(_) | Self::Encrypted | Self::Unreadable(_) | Self::Unsupported(_) | Self::TimedOut(_) => {
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_its_limit() {
        let check = |error: Error, code, text| {
            assert_eq!((error.code(), error.to_string().as_str()), (code, text));
        };
        check(Error::TooLarge(Exceeded::Pages(2000)), "too_large", "the file has more than 2000 pages");
        check(
            Error::TooLarge(Exceeded::ExpandedBytes(7)),
            "too_large",
            "the file has more than 7 bytes once decompressed",
        );
        check(Error::Encrypted, "encrypted", "the file is protected with a password");
        check(Error::TimedOut(Duration::from_secs(20)), "timed_out", "reading the file took longer than 20 s");
    }

    #[test]
    fn only_our_own_faults_are_tried_again() {
        assert!(Error::Io(std::io::Error::other("disk")).is_retriable());
        assert!(!Error::Encrypted.is_retriable());
        assert!(!Error::unreadable("cut short").is_retriable());
    }
}
