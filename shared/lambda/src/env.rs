//! Reads the environment, for the `config` of functions and nobody else. Every error names its variable, none shows a value.

use std::fmt;
use std::str::FromStr;

/// A variable that stops the start.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It is not set, or empty.
    #[error("the environment variable {0} is missing")]
    Missing(&'static str),
    /// It is set to something else than what it should be.
    #[error("the environment variable {name} is not {wanted}")]
    Malformed {
        /// The variable.
        name: &'static str,
        /// What it should be, in words.
        wanted: &'static str,
    },
}

/// As for people: what `main` returns is printed in this form.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The variable's value.
///
/// # Errors
/// [`Error::Missing`] if it is not set or empty.
pub fn required(name: &'static str) -> Result<String, Error> {
    optional(name).ok_or(Error::Missing(name))
}

/// The variable's value; an empty one counts as not set.
#[must_use]
pub fn optional(name: &'static str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The variable's value as a `T`; `wanted` says in words what that is ("a number of seconds").
///
/// # Errors
/// [`Error::Missing`] if it is not set or empty, [`Error::Malformed`] if it is no `T`.
pub fn parsed<T: FromStr>(name: &'static str, wanted: &'static str) -> Result<T, Error> {
    parse(name, wanted, required(name)?)
}

/// As [`parsed`], with a default for a variable that is not set.
///
/// # Errors
/// [`Error::Malformed`] if it is set to something that is no `T`.
pub fn parsed_or<T: FromStr>(name: &'static str, wanted: &'static str, default: T) -> Result<T, Error> {
    optional(name).map_or(Ok(default), |value| parse(name, wanted, value))
}

fn parse<T: FromStr>(name: &'static str, wanted: &'static str, value: String) -> Result<T, Error> {
    value.parse().map_err(|_| Error::Malformed { name, wanted })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_variable_is_named() {
        let error = required("COGNIA_NOT_SET_ANYWHERE").unwrap_err();
        assert_eq!(format!("{error:?}"), "the environment variable COGNIA_NOT_SET_ANYWHERE is missing");
        assert_eq!(parsed_or("COGNIA_NOT_SET_ANYWHERE", "a number", 7), Ok(7));
    }

    #[test]
    fn a_malformed_variable_is_named_without_its_value() {
        let error = parse::<u32>("STALL_SECONDS", "a number of seconds", "secret".to_owned()).unwrap_err();
        assert_eq!(error.to_string(), "the environment variable STALL_SECONDS is not a number of seconds");
    }
}
