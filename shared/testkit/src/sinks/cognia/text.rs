//! What Cognia does to texts.

use std::collections::BTreeSet;

/// How much of a text it reads.
const LEAD: usize = 1200;

/// As it stores a text: control characters go, line breaks among them, and nothing comes in their place.
pub(super) fn cleaned(text: &str) -> String {
    let kept: String = text.chars().filter(|letter| !letter.is_control()).collect();
    kept.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What it compares texts by.
pub(super) fn canonical(text: &str) -> String {
    text.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What a text is found by.
pub(super) fn lead(text: &str) -> String {
    let units: Vec<u16> = text.encode_utf16().take(LEAD).collect();
    String::from_utf16_lossy(&units)
}

/// How alike two texts are, by their words.
pub(super) fn similarity(one: &str, other: &str) -> f64 {
    let words = |text: &str| text.split(' ').map(str::to_owned).collect::<BTreeSet<_>>();
    let (one, other) = (words(one), words(other));
    let shared = one.intersection(&other).count();
    let all = one.union(&other).count();
    if all == 0 { 1.0 } else { shared as f64 / all as f64 }
}

/// An address without what stands behind `?` and `#`.
pub(super) fn place(url: &str) -> String {
    url.split(['?', '#']).next().unwrap_or_default().to_lowercase()
}

/// The kinds of sensitive data in a text.
pub(super) fn sensitive(text: &str) -> Vec<&'static str> {
    let is_number = |word: &str| {
        let parts: Vec<&str> = word.split('-').collect();
        matches!(parts.as_slice(), [a, b, c] if (a.len(), b.len(), c.len()) == (3, 2, 4))
            && parts.iter().all(|part| part.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let words = || text.split_whitespace();
    let mut found = Vec::new();
    if words().any(is_number) {
        found.push("us_ssn");
    }
    if words().any(|word| word.len() == 20 && word.starts_with("AKIA")) {
        found.push("aws_access_key");
    }
    found
}
