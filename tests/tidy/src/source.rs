//! How source files are made: short, introduced, and without a way to read a whole table.

use crate::Complaint;

/// Lines of code that a file may have before its tests. Aim for a hundred.
const MAX_LINES: usize = 400;

/// Complains about one file; `path` is from the project's root.
#[must_use]
pub fn check(path: &str, text: &str) -> Vec<Complaint> {
    let code = if path.ends_with("/tests.rs") { "" } else { before_tests(text) };
    let mut complaints = Vec::new();
    let lines = code.lines().count();
    if lines > MAX_LINES {
        complaints.push(format!("{path} has {lines} lines before its tests, more than {MAX_LINES}: split it"));
    }
    if !introduced(text) {
        complaints.push(format!("{path} does not open with //! saying what it is for"));
    }
    if path.starts_with("shared/store/src/") {
        for (number, line) in code.lines().enumerate().filter(|(_, line)| scans(line)) {
            complaints.push(format!(
                "{path}:{} reads a whole table ({}): get, batch_get or query instead",
                number + 1,
                line.trim()
            ));
        }
    }
    complaints
}

/// The part of a file that ships.
fn before_tests(text: &str) -> &str {
    text.split_once("\n#[cfg(test)]\nmod ").map_or(text, |(code, _)| code)
}

/// A file opens with `//!`, or includes its introduction; attributes may come first.
fn introduced(text: &str) -> bool {
    let first = text
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty() && (!line.starts_with("#![") || line.starts_with("#![doc")));
    first.is_some_and(|line| line.starts_with("//!") || line.starts_with("#![doc"))
}

fn scans(line: &str) -> bool {
    let code = line.split("//").next().unwrap_or_default();
    code.contains(".scan()") || code.contains("::scan::") || code.contains("ScanInput")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assert_none;

    #[test]
    fn the_project_keeps_its_files_short_and_introduced() {
        let sources = crate::project::sources().unwrap();
        let complaints: Vec<_> = sources.iter().flat_map(|(path, text)| check(path, text)).collect();
        assert_none(&complaints);
    }

    #[test]
    fn a_long_file_is_refused_but_long_tests_are_not() {
        let long = format!("//! Words.\n{}", "fn f() {}\n".repeat(MAX_LINES));
        assert_eq!(check("a.rs", &long).len(), 1);
        let tested = format!("//! Words.\n\n#[cfg(test)]\nmod tests {{\n{}}}\n", "fn f() {}\n".repeat(MAX_LINES));
        assert_none(&check("a.rs", &tested));
        assert_none(&check("a/tests.rs", &long));
    }

    #[test]
    fn a_file_without_introduction_is_refused() {
        assert_eq!(check("a.rs", "use std::fmt;\n").len(), 1);
        assert_eq!(check("a.rs", "").len(), 1);
        assert_none(&check("a.rs", "#![cfg(feature = \"it\")]\n//! Words.\n"));
        assert_none(&check("a.rs", "#![doc = include_str!(\"../README.md\")]\n"));
    }

    #[test]
    fn the_store_may_not_scan() {
        let text = "//! Words.\nlet all = client.scan().send();\n";
        assert_eq!(check("shared/store/src/jobs.rs", text).len(), 1);
        assert_none(&check("shared/store/src/jobs.rs", "//! Words.\n// never .scan()\n"));
        assert_none(&check("shared/content/src/pdf.rs", text));
    }
}
