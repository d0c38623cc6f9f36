//! What of an account is synced: the integration's `config`, read and checked.

use std::collections::BTreeSet;

use chrono::DateTime;
use domain::{IntegrationConfig, Timestamp};
use serde_json::{Value, json};

use super::ids::What;
use super::kinds;

/// Repositories that a sync covers at most, chosen or not. Each costs some calls at every sync and a place in the change cursor.
pub const MAX_REPOSITORIES: usize = 400;
/// Patterns that a filter may have.
const MAX_PATTERNS: usize = 20;
/// Length of a pattern.
const MAX_PATTERN_BYTES: usize = 200;
/// Files above this size are not synced unless the config says otherwise: they are data, mostly.
const DEFAULT_MAX_BYTES: u64 = 1_000_000;
/// What may be asked for at most.
const MAX_BYTES: u64 = super::client::MAX_FILE_BYTES;

/// A read `config`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Only these, by number; `None`: every repository that the account can reach.
    pub repositories: Option<BTreeSet<u64>>,
    /// Which kinds of things.
    pub what: BTreeSet<What>,
    /// Only files whose path fits one of these.
    pub paths: Vec<String>,
    /// No files whose path fits one of these.
    pub exclude: Vec<String>,
    /// Endings of files that are synced, without the dot.
    pub endings: BTreeSet<String>,
    /// Only files up to this size.
    pub max_bytes: u64,
    /// Only issues, pull requests, discussions and releases that changed at this time or later.
    pub since: Option<Timestamp>,
}

impl Config {
    /// Reads a `config`.
    ///
    /// # Errors
    /// A sentence that names the field and what it takes.
    pub fn read(config: &IntegrationConfig) -> Result<Self, String> {
        const FIELDS: [&str; 7] = ["repositories", "what", "paths", "exclude", "fileTypes", "maxBytes", "since"];
        if let Some(unknown) = config.0.keys().find(|key| !FIELDS.contains(&key.as_str())) {
            let unknown: String = unknown.chars().take(40).collect();
            return Err(format!("{unknown} is not a setting of GitHub; it takes {}.", FIELDS.join(", ")));
        }
        // A null is what forms send for an empty field.
        let field = |name: &str| config.0.get(name).filter(|value| !value.is_null());
        let patterns = |name: &str| field(name).map(|value| patterns(name, value)).transpose();
        Ok(Self {
            repositories: field("repositories").map(repositories).transpose()?.filter(|ids| !ids.is_empty()),
            what: match field("what").map(what).transpose()? {
                Some(what) if !what.is_empty() => what,
                _ => What::ALL.into_iter().collect(),
            },
            paths: patterns("paths")?.unwrap_or_default(),
            exclude: patterns("exclude")?.unwrap_or_default(),
            endings: match field("fileTypes").map(endings).transpose()? {
                Some(endings) if !endings.is_empty() => endings,
                _ => kinds::default_endings(),
            },
            max_bytes: match field("maxBytes") {
                None => DEFAULT_MAX_BYTES,
                Some(value) => value
                    .as_u64()
                    .filter(|bytes| (1..=MAX_BYTES).contains(bytes))
                    .ok_or_else(|| format!("maxBytes takes a whole number of bytes from 1 to {MAX_BYTES}."))?,
            },
            since: field("since").map(time).transpose()?,
        })
    }

    /// Whether a repository is in scope.
    pub fn has_repository(&self, id: u64) -> bool {
        self.repositories.as_ref().is_none_or(|ids| ids.contains(&id))
    }

    /// Whether a kind of thing is in scope.
    pub fn has(&self, what: What) -> bool {
        self.what.contains(&what)
    }

    /// Whether a thing that changed at this time is in scope.
    pub fn is_recent(&self, updated: Timestamp) -> bool {
        self.since.is_none_or(|since| updated >= since)
    }

    /// Whether a file's path is in scope, whatever its size.
    pub fn has_path(&self, path: &str) -> bool {
        (self.paths.is_empty() || self.paths.iter().any(|pattern| fits(pattern, path)))
            && !self.exclude.iter().any(|pattern| fits(pattern, path))
            && !kinds::is_generated(path)
            && kinds::ending(path).is_some_and(|ending| self.endings.contains(&ending))
    }

    /// Whether a file is in scope. One of unknown size passes.
    pub fn has_file(&self, path: &str, bytes: Option<u64>) -> bool {
        bytes.is_none_or(|bytes| bytes <= self.max_bytes) && self.has_path(path)
    }
}

fn repositories(value: &Value) -> Result<BTreeSet<u64>, String> {
    let wrong = || {
        format!(
            "repositories takes a list of at most {MAX_REPOSITORIES} repository numbers, as browsing the account shows them."
        )
    };
    let list = value.as_array().filter(|list| list.len() <= MAX_REPOSITORIES).ok_or_else(wrong)?;
    list.iter().map(|id| id.as_str().and_then(number).ok_or_else(wrong)).collect()
}

/// A number written as text, which does not lose digits on its way through browsers.
fn number(text: &str) -> Option<u64> {
    text.parse().ok().filter(|id| *id > 0 && text.len() <= 15 && text.bytes().all(|byte| byte.is_ascii_digit()))
}

fn what(value: &Value) -> Result<BTreeSet<What>, String> {
    let wrong = || {
        let words: Vec<_> = What::ALL.iter().map(|what| what.word()).collect();
        format!("what takes a list of {}.", words.join(", "))
    };
    let list = value.as_array().filter(|list| list.len() <= What::ALL.len()).ok_or_else(wrong)?;
    list.iter().map(|word| word.as_str().and_then(What::of).ok_or_else(wrong)).collect()
}

fn patterns(field: &str, value: &Value) -> Result<Vec<String>, String> {
    let wrong = || {
        format!(
            "{field} takes a list of at most {MAX_PATTERNS} paths like docs/ or *.md, of at most {MAX_PATTERN_BYTES} bytes each."
        )
    };
    let list = value.as_array().filter(|list| list.len() <= MAX_PATTERNS).ok_or_else(wrong)?;
    let is_good =
        |text: &&str| !text.is_empty() && text.len() <= MAX_PATTERN_BYTES && !text.chars().any(char::is_control);
    list.iter().map(|item| item.as_str().filter(is_good).map(str::to_owned).ok_or_else(wrong)).collect()
}

fn endings(value: &Value) -> Result<BTreeSet<String>, String> {
    let wrong = || {
        let names: Vec<_> = kinds::GROUPS.iter().map(|group| group.name).collect();
        format!("fileTypes takes a list of endings like .py, or of {}.", names.join(", "))
    };
    let mut endings = BTreeSet::new();
    for item in value.as_array().filter(|list| list.len() <= 100).ok_or_else(wrong)? {
        let text = item.as_str().ok_or_else(wrong)?;
        if let Some(group) = kinds::GROUPS.iter().find(|group| group.name == text) {
            endings.extend(group.endings.split_whitespace().map(str::to_owned));
        } else {
            let is_good = |ending: &&str| {
                (1..=20).contains(&ending.len())
                    && ending.bytes().all(|b| b.is_ascii_alphanumeric() || b"_+-".contains(&b))
            };
            let ending = text.strip_prefix('.').filter(is_good).ok_or_else(wrong)?;
            endings.insert(ending.to_ascii_lowercase());
        }
    }
    Ok(endings)
}

fn time(value: &Value) -> Result<Timestamp, String> {
    let wrong = "since takes a date and time like 2026-01-31T00:00:00Z.";
    let text = value.as_str().ok_or(wrong)?;
    DateTime::parse_from_rfc3339(text).map(|time| time.to_utc()).map_err(|_| wrong.to_owned())
}

/// Whether a path fits a pattern: a `*` stands for any characters, slashes too; one that ends with a slash is a folder with all that is
/// below it.
fn fits(pattern: &str, path: &str) -> bool {
    if let Some(folder) = pattern.strip_suffix('/') {
        return path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
    }
    let pieces: Vec<&str> = pattern.split('*').collect();
    let [first, middle @ .., last] = pieces.as_slice() else { return pattern == path };
    let Some(mut rest) = path.strip_prefix(first) else { return false };
    for piece in middle {
        match rest.find(piece).and_then(|at| rest.get(at + piece.len()..)) {
            Some(after) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// The JSON Schema of what [`Config::read`] takes.
pub fn schema() -> Value {
    let words: Vec<_> = What::ALL.iter().map(|what| what.word()).collect();
    let groups: Vec<_> = kinds::GROUPS.iter().map(|group| group.name).collect();
    let pattern = json!({"type": "string", "minLength": 1, "maxLength": MAX_PATTERN_BYTES});
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "repositories": {
                "title": "Repositories",
                "description": "Only these repositories. Without a choice, every repository that the account can reach (the oldest 400).",
                "type": ["array", "null"],
                "maxItems": MAX_REPOSITORIES,
                "items": {"type": "string", "pattern": "^[1-9][0-9]{0,14}$"}
            },
            "what": {
                "title": "What to sync",
                "description": "All of these without a choice.",
                "type": ["array", "null"],
                "maxItems": What::ALL.len(),
                "items": {"enum": words}
            },
            "paths": {
                "title": "Paths",
                "description": "Only files whose path fits one of these: docs/ is a folder, * stands for any characters.",
                "type": ["array", "null"],
                "maxItems": MAX_PATTERNS,
                "items": pattern
            },
            "exclude": {
                "title": "Paths to leave out",
                "description": "No files whose path fits one of these.",
                "type": ["array", "null"],
                "maxItems": MAX_PATTERNS,
                "items": pattern
            },
            "fileTypes": {
                "title": "File types",
                "description": "Endings like .py, or groups of them. Without a choice: markdown, text and source.",
                "type": ["array", "null"],
                "maxItems": 100,
                "items": {"anyOf": [{"enum": groups}, {"type": "string", "pattern": "^\\.[A-Za-z0-9_+-]{1,20}$"}]}
            },
            "maxBytes": {
                "title": "Largest file",
                "description": "Larger files are left out, in bytes. One megabyte without a choice.",
                "type": ["integer", "null"],
                "minimum": 1,
                "maximum": MAX_BYTES
            },
            "since": {
                "title": "Changed since",
                "description": "Only issues, pull requests, discussions and releases that changed at this time or later.",
                "type": ["string", "null"],
                "format": "date-time"
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::config;

    fn read(json: Value) -> Result<Config, String> {
        Config::read(&config(json))
    }

    #[test]
    fn schema_and_reader_agree() {
        let validator = jsonschema::validator_for(&schema()).unwrap();
        let check = |value: Value, good: bool| {
            assert_eq!(read(value.clone()).is_ok(), good, "reader: {value}");
            assert_eq!(validator.is_valid(&value), good, "schema: {value}");
        };
        check(json!({}), true);
        check(
            json!({"repositories": null, "what": null, "paths": null, "exclude": null, "fileTypes": null, "maxBytes": null, "since": null}),
            true,
        );
        check(json!({"repositories": ["501", "7"]}), true);
        check(json!({"repositories": [501]}), false);
        check(json!({"repositories": ["acme/app"]}), false);
        check(json!({"repositories": ["0"]}), false);
        check(json!({"repositories": vec!["1"; 401]}), false);
        check(json!({"what": ["issues", "pulls", "discussions", "releases", "files"]}), true);
        check(json!({"what": ["wikis"]}), false);
        check(json!({"paths": ["docs/", "*.md"], "exclude": ["docs/old/"]}), true);
        check(json!({"paths": [""]}), false);
        check(json!({"paths": "docs/"}), false);
        check(json!({"fileTypes": ["markdown", ".py", "document"]}), true);
        check(json!({"fileTypes": ["py"]}), false);
        check(json!({"fileTypes": ["./x"]}), false);
        check(json!({"maxBytes": 1}), true);
        check(json!({"maxBytes": 0}), false);
        check(json!({"maxBytes": 100_000_001}), false);
        check(json!({"since": "2026-01-31T00:00:00Z"}), true);
        check(json!({"branch": "main"}), false);
    }

    #[test]
    fn a_wrong_time_is_told_in_a_sentence() {
        assert!(read(json!({"since": "yesterday"})).unwrap_err().starts_with("since takes"));
        assert!(read(json!({"brunch": 1})).unwrap_err().starts_with("brunch is not a setting of GitHub"));
    }

    #[test]
    fn patterns_fit_as_people_expect() {
        let check =
            |pattern: &str, path: &str, expected: bool| assert_eq!(fits(pattern, path), expected, "{pattern} {path}");
        check("docs/", "docs/a/b.md", true);
        check("docs/", "docs", false);
        check("docs/", "docsx/a.md", false);
        check("*.md", "a/b.md", true);
        check("*.md", "b.mdx", false);
        check("README.md", "README.md", true);
        check("README.md", "x/README.md", false);
        check("a*b*c", "a-b-b-c", true);
        check("a*b*c", "a-c-b", false);
        check("a*a", "a", false);
    }

    #[test]
    fn files_are_chosen_by_path_kind_and_size() {
        let check = |json: Value, path: &str, bytes: u64, expected: bool| {
            assert_eq!(read(json.clone()).unwrap().has_file(path, Some(bytes)), expected, "{json} {path}");
        };
        check(json!({}), "README.md", 10, true);
        check(json!({}), "README", 10, true);
        check(json!({}), "src/main.rs", 10, true);
        check(json!({}), "logo.png", 10, false);
        check(json!({}), "data.json", 10, false);
        check(json!({}), "node_modules/x/README.md", 10, false);
        check(json!({}), "web/app.min.js", 10, false);
        check(json!({}), "big.md", 1_000_001, false);
        check(json!({"maxBytes": 2_000_000}), "big.md", 1_000_001, true);
        check(json!({"paths": ["docs/"]}), "src/main.rs", 10, false);
        check(json!({"exclude": ["src/"]}), "src/main.rs", 10, false);
        check(json!({"fileTypes": [".JSON"]}), "data.json", 10, true);
        check(json!({"fileTypes": ["document"]}), "paper.pdf", 10, true);
    }
}
