//! What we call GitHub's things: `<repository id>/<kind>/<what>`. The repository's number outlives its renaming and its moving.

use domain::ExternalId;

use super::client::malformed;
use crate::error::ProviderError;

/// The kinds of things that are synced, as they stand in ids and in the config.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum What {
    /// Issues.
    Issues,
    /// Pull requests.
    Pulls,
    /// Discussions.
    Discussions,
    /// Releases.
    Releases,
    /// Files of the default branch.
    Files,
}

impl What {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Issues, Self::Pulls, Self::Discussions, Self::Releases, Self::Files];

    /// The word in ids and in the config.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Issues => "issues",
            Self::Pulls => "pulls",
            Self::Discussions => "discussions",
            Self::Releases => "releases",
            Self::Files => "files",
        }
    }

    /// The kind that a word means.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|what| what.word() == word)
    }
}

/// An id, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Name<'a> {
    /// The repository's number.
    pub repository: u64,
    /// Which kind of thing.
    pub what: What,
    /// The number of an issue, pull request, discussion or release; the path of a file.
    pub which: &'a str,
}

impl<'a> Name<'a> {
    /// Reads an id; `None` if it is none of ours.
    pub fn read(id: &'a str) -> Option<Self> {
        let mut parts = id.splitn(3, '/');
        let (repository, what, which) = (parts.next()?.parse().ok()?, What::of(parts.next()?)?, parts.next()?);
        let is_good = match what {
            What::Files => is_path(which),
            _ => which.parse::<u64>().is_ok(),
        };
        is_good.then_some(Self { repository, what, which })
    }

    /// The number, of anything but a file.
    pub fn number(&self) -> u64 {
        self.which.parse().unwrap_or_default()
    }
}

/// Whether a path can be one in a repository. Git itself refuses the parts `.`, `..` and `.git`; what is refused here never becomes part
/// of an address.
pub fn is_path(path: &str) -> bool {
    !path.is_empty()
        && !path.chars().any(char::is_control)
        && path.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

/// The id of a numbered thing.
///
/// # Errors
/// [`crate::error::Kind::Malformed`], which cannot happen.
pub fn numbered(repository: u64, what: What, number: u64) -> Result<ExternalId, ProviderError> {
    ExternalId::new(format!("{repository}/{}/{number}", what.word())).map_err(|_| malformed("an impossible number"))
}

/// The id of a file; `None` for a path that no id can hold (over 700 bytes, control characters), which is not synced.
pub fn file(repository: u64, path: &str) -> Option<ExternalId> {
    ExternalId::new(format!("{repository}/{}/{path}", What::Files.word())).ok().filter(|_| is_path(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_nothing_else() {
        let id = numbered(501, What::Pulls, 7).unwrap();
        let name = Name::read(id.as_str()).unwrap();
        assert_eq!((name.repository, name.what, name.number()), (501, What::Pulls, 7));
        let id = file(501, "docs/a b/ü.md").unwrap();
        assert_eq!(Name::read(id.as_str()).unwrap().which, "docs/a b/ü.md");
        for bad in [
            "",
            "501",
            "501/issues",
            "501/issues/x",
            "x/issues/1",
            "501/wikis/1",
            "501/files/",
            "501/files/../x",
            "501/files//x",
        ] {
            assert_eq!(Name::read(bad), None, "{bad}");
        }
        assert_eq!((file(1, "a\nb"), file(1, &"x".repeat(800)), file(1, "a/../b")), (None, None, None));
    }
}
