//! `orderBy`: `folder,modifiedTime desc,name`.

use std::cmp::Ordering;

use crate::{clock, google::file::File};

/// The order of a listing, and the key of each file in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order(Vec<(By, bool)>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Created,
    Folder,
    Modified,
    Name,
    NameNatural,
    Size,
    /// Kinds of time that the sandbox does not keep apart.
    Never,
}

/// A file's place in an order: comparable texts, the file's own number last.
pub type Key = Vec<String>;

impl Order {
    /// Reads an order; none when a key is unknown. An empty text is newest first.
    pub fn parse(text: &str) -> Option<Self> {
        text.split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .map(|part| {
                let (name, descending) = match part.split_once(char::is_whitespace) {
                    Some((name, direction)) if direction.trim() == "desc" => (name, true),
                    Some(_) => return None,
                    None => (part, false),
                };
                let by = match name {
                    "createdTime" => By::Created,
                    "folder" => By::Folder,
                    "modifiedTime" | "modifiedByMeTime" | "recency" => By::Modified,
                    "name" => By::Name,
                    "name_natural" => By::NameNatural,
                    "quotaBytesUsed" => By::Size,
                    "sharedWithMeTime" | "starred" | "viewedByMeTime" => By::Never,
                    _ => return None,
                };
                Some((by, descending))
            })
            .collect::<Option<_>>()
            .map(Self)
    }

    /// The key of a file.
    pub fn key(&self, file: &File) -> Key {
        let mut key: Key = self
            .0
            .iter()
            .map(|(by, _)| match by {
                By::Created => clock::rfc3339(file.created),
                By::Folder => if file.mime_type == crate::google::file::FOLDER { "0" } else { "1" }.to_owned(),
                By::Modified => clock::rfc3339(file.modified),
                By::Name => file.name.to_lowercase(),
                By::NameNatural => natural(&file.name.to_lowercase()),
                By::Size => format!("{:020}", file.body.bytes().map_or(0, |bytes| bytes.len())),
                By::Never => String::new(),
            })
            .collect();
        key.push(format!("{:020}", file.made));
        key
    }

    /// Compares two keys of this order; ties are broken by the newest file first.
    pub fn compare(&self, a: &Key, b: &Key) -> Ordering {
        let directions = self.0.iter().map(|(_, descending)| *descending).chain([true]);
        a.iter().zip(b).zip(directions).fold(Ordering::Equal, |so_far, ((a, b), descending)| {
            so_far.then_with(|| if descending { b.cmp(a) } else { a.cmp(b) })
        })
    }
}

/// Digits padded, so that `file 9` comes before `file 10`.
fn natural(name: &str) -> String {
    let mut padded = String::new();
    let mut digits = String::new();
    for c in name.chars().chain(['\0']) {
        if c.is_ascii_digit() {
            digits.push(c);
            continue;
        }
        if !digits.is_empty() {
            padded.push_str(&format!("{digits:0>20}"));
            digits.clear();
        }
        padded.push(c);
    }
    padded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, minute: u32, made: u64) -> File {
        let mut file = File::folder(name, name, "ada", clock::now());
        file.mime_type = "text/plain".into();
        file.modified = format!("2026-01-31T12:{minute:02}:00Z").parse().unwrap();
        file.made = made;
        file
    }

    fn check(order: &str, expected: &[&str]) {
        let order = Order::parse(order).unwrap();
        let mut files = [file("b 10", 2, 1), file("B 9", 1, 2), file("a", 2, 3)];
        files.sort_by(|a, b| order.compare(&order.key(a), &order.key(b)));
        assert_eq!(files.each_ref().map(|file| file.name.as_str()), expected, "{order:?}");
    }

    #[test]
    fn files_come_in_the_order_asked_for() {
        check("", &["a", "B 9", "b 10"]);
        check("name", &["a", "b 10", "B 9"]);
        check("name_natural desc", &["b 10", "B 9", "a"]);
        check("modifiedTime desc,name", &["a", "b 10", "B 9"]);
        check("folder, modifiedTime", &["B 9", "a", "b 10"]);
    }

    #[test]
    fn unknown_keys_and_directions_are_refused() {
        assert_eq!(Order::parse("size"), None);
        assert_eq!(Order::parse("name asc"), None);
        assert_eq!(Order::parse("name desc desc"), None);
    }
}
