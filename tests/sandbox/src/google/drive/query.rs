//! The search language of `q`: `'id' in parents and trashed = false and not name contains 'draft'`.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};

use crate::google::{
    file::File,
    state::{Account, Google},
};

/// A parsed query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Query {
    And(Box<Query>, Box<Query>),
    Or(Box<Query>, Box<Query>),
    Not(Box<Query>),
    Text(TextField, Compare, String),
    Time(TimeField, Compare, DateTime<Utc>),
    Flag(FlagField, bool),
    In(String, Collection),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextField {
    Name,
    FullText,
    MimeType,
    ShortcutTarget,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeField {
    Modified,
    Created,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlagField {
    Trashed,
    Starred,
    SharedWithMe,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Collection {
    Parents,
    Owners,
    Writers,
    Readers,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compare {
    Contains,
    Equal,
    NotEqual,
    Less,
    AtMost,
    More,
    AtLeast,
}

/// The query is not in the language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAQuery;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Word(String),
    Text(String),
    Operator(Compare),
    Open,
    Close,
}

impl Query {
    /// Parses a query.
    pub fn parse(text: &str) -> Result<Self, NotAQuery> {
        let mut parser = Parser { tokens: tokens(text)?, at: 0, depth: 0 };
        let query = parser.any_of()?;
        if parser.at == parser.tokens.len() { Ok(query) } else { Err(NotAQuery) }
    }

    /// Whether a file satisfies the query, in the eyes of an account.
    pub fn matches(&self, google: &Google, viewer: &Account, file: &File) -> bool {
        match self {
            Self::And(a, b) => a.matches(google, viewer, file) && b.matches(google, viewer, file),
            Self::Or(a, b) => a.matches(google, viewer, file) || b.matches(google, viewer, file),
            Self::Not(inner) => !inner.matches(google, viewer, file),
            Self::Text(field, compare, wanted) => text_matches(*field, *compare, wanted, file),
            Self::Time(field, compare, wanted) => {
                let time = match field {
                    TimeField::Modified => file.modified,
                    TimeField::Created => file.created,
                };
                match compare {
                    Compare::Equal => time == *wanted,
                    Compare::NotEqual => time != *wanted,
                    Compare::Less => time < *wanted,
                    Compare::AtMost => time <= *wanted,
                    Compare::More => time > *wanted,
                    Compare::AtLeast => time >= *wanted,
                    Compare::Contains => false,
                }
            }
            Self::Flag(field, wanted) => {
                let value = match field {
                    FlagField::Trashed => google.is_trashed(file),
                    FlagField::Starred => false,
                    FlagField::SharedWithMe => file.shared_with.contains(&viewer.email),
                };
                value == *wanted
            }
            Self::In(value, Collection::Parents) => {
                let folder = if value == "root" { &viewer.root_id } else { value };
                file.parent.as_ref() == Some(folder)
            }
            Self::In(value, Collection::Owners) => file.drive_id.is_none() && file.owner == *mailbox(value, viewer),
            Self::In(value, Collection::Writers | Collection::Readers) => google.may_see(mailbox(value, viewer), file),
        }
    }

    /// Folders that the query names: it reaches what lies in them, opened before or not.
    pub fn named_parents<'a>(&'a self, found: &mut Vec<&'a str>) {
        match self {
            Self::And(a, b) | Self::Or(a, b) => {
                a.named_parents(found);
                b.named_parents(found);
            }
            Self::In(folder, Collection::Parents) => found.push(folder),
            _ => {}
        }
    }

    /// Whether the query searches the full text; such results cannot be ordered.
    pub fn has_full_text(&self) -> bool {
        match self {
            Self::And(a, b) | Self::Or(a, b) => a.has_full_text() || b.has_full_text(),
            Self::Not(inner) => inner.has_full_text(),
            Self::Text(field, ..) => *field == TextField::FullText,
            _ => false,
        }
    }
}

fn mailbox<'a>(value: &'a str, viewer: &'a Account) -> &'a str {
    if value == "me" { &viewer.email } else { value }
}

fn text_matches(field: TextField, compare: Compare, wanted: &str, file: &File) -> bool {
    let target = match &file.body {
        crate::google::file::Body::Shortcut { target } => target.as_str(),
        _ => "",
    };
    let value = match field {
        TextField::Name | TextField::FullText => file.name.as_str(),
        TextField::MimeType => file.mime_type.as_str(),
        TextField::ShortcutTarget => target,
    };
    match (field, compare) {
        // Names match from the beginning of a word: "Hello" finds HelloWorld, "World" does not.
        (TextField::Name, Compare::Contains) => begins_a_word(value, wanted),
        (TextField::FullText, _) => {
            begins_a_word(value, wanted) || file.text.as_deref().is_some_and(|text| begins_a_word(text, wanted))
        }
        (_, Compare::Contains) => value.contains(wanted),
        (_, Compare::Equal) => value == wanted,
        (_, Compare::NotEqual) => value != wanted,
        _ => false,
    }
}

fn begins_a_word(text: &str, wanted: &str) -> bool {
    let (text, wanted) = (text.to_lowercase(), wanted.to_lowercase());
    let mut before = ' ';
    text.char_indices().any(|(at, c)| {
        let at_word = !before.is_alphanumeric();
        before = c;
        at_word && text.get(at..).is_some_and(|rest| rest.starts_with(&wanted))
    })
}

fn tokens(text: &str) -> Result<Vec<Token>, NotAQuery> {
    let mut found = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let token = match c {
            c if c.is_whitespace() => continue,
            '(' => Token::Open,
            ')' => Token::Close,
            '=' => Token::Operator(Compare::Equal),
            '!' if chars.next_if_eq(&'=').is_some() => Token::Operator(Compare::NotEqual),
            '<' if chars.next_if_eq(&'=').is_some() => Token::Operator(Compare::AtMost),
            '<' => Token::Operator(Compare::Less),
            '>' if chars.next_if_eq(&'=').is_some() => Token::Operator(Compare::AtLeast),
            '>' => Token::Operator(Compare::More),
            '\'' | '"' => {
                let mut value = String::new();
                loop {
                    match chars.next().ok_or(NotAQuery)? {
                        end if end == c => break,
                        '\\' => value.push(chars.next().ok_or(NotAQuery)?),
                        other => value.push(other),
                    }
                }
                Token::Text(value)
            }
            c if c.is_ascii_alphabetic() => {
                let mut word = String::from(c);
                while let Some(next) = chars.next_if(|next| next.is_ascii_alphanumeric() || *next == '.') {
                    word.push(next);
                }
                Token::Word(word)
            }
            _ => return Err(NotAQuery),
        };
        found.push(token);
    }
    Ok(found)
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
}

impl Parser {
    fn next(&mut self) -> Result<Token, NotAQuery> {
        let token = self.tokens.get(self.at).cloned().ok_or(NotAQuery)?;
        self.at += 1;
        Ok(token)
    }

    fn word(&mut self, word: &str) -> bool {
        let found = matches!(self.tokens.get(self.at), Some(Token::Word(next)) if next.eq_ignore_ascii_case(word));
        self.at += usize::from(found);
        found
    }

    fn any_of(&mut self) -> Result<Query, NotAQuery> {
        let mut query = self.all_of()?;
        while self.word("or") {
            query = Query::Or(Box::new(query), Box::new(self.all_of()?));
        }
        Ok(query)
    }

    fn all_of(&mut self) -> Result<Query, NotAQuery> {
        let mut query = self.one()?;
        while self.word("and") {
            query = Query::And(Box::new(query), Box::new(self.one()?));
        }
        Ok(query)
    }

    fn one(&mut self) -> Result<Query, NotAQuery> {
        self.depth += 1;
        // Far beyond any real query; keeps a hostile one from exhausting the stack.
        if self.depth > 500 {
            return Err(NotAQuery);
        }
        if self.word("not") {
            return Ok(Query::Not(Box::new(self.one()?)));
        }
        match self.next()? {
            Token::Open => {
                let query = self.any_of()?;
                if self.next()? == Token::Close { Ok(query) } else { Err(NotAQuery) }
            }
            Token::Text(value) => {
                if !self.word("in") {
                    return Err(NotAQuery);
                }
                let Token::Word(collection) = self.next()? else { return Err(NotAQuery) };
                let collection = match collection.as_str() {
                    "parents" => Collection::Parents,
                    "owners" => Collection::Owners,
                    "writers" => Collection::Writers,
                    "readers" => Collection::Readers,
                    _ => return Err(NotAQuery),
                };
                Ok(Query::In(value, collection))
            }
            Token::Word(field) => self.comparison(&field),
            Token::Operator(_) | Token::Close => Err(NotAQuery),
        }
    }

    fn comparison(&mut self, field: &str) -> Result<Query, NotAQuery> {
        // `sharedWithMe` may stand alone.
        if field == "sharedWithMe" && !matches!(self.tokens.get(self.at), Some(Token::Operator(_))) {
            return Ok(Query::Flag(FlagField::SharedWithMe, true));
        }
        let compare = match self.next()? {
            Token::Operator(compare) => compare,
            Token::Word(word) if word.eq_ignore_ascii_case("contains") => Compare::Contains,
            _ => return Err(NotAQuery),
        };
        let value = self.next()?;
        let text = |allowed: &[Compare], field| match &value {
            Token::Text(text) if allowed.contains(&compare) => Ok(Query::Text(field, compare, text.clone())),
            _ => Err(NotAQuery),
        };
        let time = |field| match &value {
            Token::Text(text) if compare != Compare::Contains => Ok(Query::Time(field, compare, instant(text)?)),
            _ => Err(NotAQuery),
        };
        let flag = |field| match (&value, compare) {
            (Token::Word(word), Compare::Equal) => Ok(Query::Flag(field, truth(word)?)),
            (Token::Word(word), Compare::NotEqual) => Ok(Query::Flag(field, !truth(word)?)),
            _ => Err(NotAQuery),
        };
        match field {
            "name" | "title" => text(&[Compare::Contains, Compare::Equal, Compare::NotEqual], TextField::Name),
            "fullText" => text(&[Compare::Contains], TextField::FullText),
            "mimeType" => text(&[Compare::Contains, Compare::Equal, Compare::NotEqual], TextField::MimeType),
            "shortcutDetails.targetId" => text(&[Compare::Equal, Compare::NotEqual], TextField::ShortcutTarget),
            "modifiedTime" => time(TimeField::Modified),
            "createdTime" => time(TimeField::Created),
            "trashed" => flag(FlagField::Trashed),
            "starred" => flag(FlagField::Starred),
            "sharedWithMe" => flag(FlagField::SharedWithMe),
            _ => Err(NotAQuery),
        }
    }
}

fn truth(word: &str) -> Result<bool, NotAQuery> {
    match word {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(NotAQuery),
    }
}

/// RFC 3339; without a zone it is UTC, without a time midnight.
fn instant(text: &str) -> Result<DateTime<Utc>, NotAQuery> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(time.to_utc());
    }
    if let Ok(time) = text.parse::<NaiveDateTime>() {
        return Ok(time.and_utc());
    }
    let date: NaiveDate = text.parse().map_err(|_| NotAQuery)?;
    Ok(date.and_time(chrono::NaiveTime::MIN).and_utc())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::google::{change::NewFile, file::Body};

    fn google() -> Google {
        let mut google = Google::empty();
        google.add_account("ada", "Ada");
        let new = NewFile {
            id: Some("report".into()),
            name: "Yearly Report.txt",
            mime_type: "text/plain",
            body: Body::blob("x"),
            text: Some("all numbers went up".into()),
            parent: None,
            drive_id: None,
        };
        google.create("ada", new).unwrap();
        google.files.get_mut("report").unwrap().modified = "2026-01-31T12:00:00.500Z".parse().unwrap();
        google
    }

    fn check(q: &str, expected: bool) {
        let google = google();
        let query = Query::parse(q).unwrap_or_else(|_| panic!("{q} does not parse"));
        assert_eq!(query.matches(&google, &google.person("ada"), &google.files["report"]), expected, "{q}");
    }

    #[test]
    fn terms_compare_as_drive_compares() {
        check("trashed = false", true);
        check("trashed=true", false);
        check("trashed != true", true);
        check("'root' in parents", true);
        check("'elsewhere' in parents", false);
        check("mimeType = 'text/plain'", true);
        check("mimeType != 'application/vnd.google-apps.folder'", true);
        check("mimeType contains 'text/'", true);
        check("name = 'Yearly Report.txt'", true);
        check("name contains 'rep'", true);
        check("name contains 'eport'", false);
        check("name contains 'yearly report'", true);
        check("fullText contains 'numbers'", true);
        check("'me' in owners", true);
        check("'bob' in readers", false);
        check("sharedWithMe", false);
    }

    #[test]
    fn times_compare_to_the_millisecond_and_default_to_utc() {
        check("modifiedTime > '2026-01-31T12:00:00Z'", true);
        check("modifiedTime >= '2026-01-31T12:00:00.500Z'", true);
        check("modifiedTime > '2026-01-31T12:00:00.500Z'", false);
        check("modifiedTime <= '2026-01-31T12:00:00.499Z'", false);
        check("modifiedTime < '2026-01-31T13:00:01+01:00'", true);
        check("modifiedTime > '2026-01-31T12:00:00'", true);
        check("createdTime > '2020-01-01'", true);
    }

    #[test]
    fn and_binds_tighter_than_or_and_parentheses_decide() {
        check("trashed = true and trashed = true or name contains 'Yearly'", true);
        check("trashed = true and (trashed = true or name contains 'Yearly')", false);
        check("not trashed = true and name contains 'report'", true);
        check("not (trashed = false or name contains 'x')", false);
    }

    #[test]
    fn quotes_and_backslashes_are_escaped() {
        assert_eq!(
            Query::parse(r"name = 'it\'s a \\ test'"),
            Ok(Query::Text(TextField::Name, Compare::Equal, r"it's a \ test".into()))
        );
    }

    #[test]
    fn what_is_not_in_the_language_is_refused() {
        for q in [
            "",
            "nonsense",
            "name",
            "name = ",
            "name = report",
            "name > 'a'",
            "trashed = 'false'",
            "trashed > false",
            "modifiedTime > 'yesterday'",
            "modifiedTime contains '2026'",
            "'x' in nonsense",
            "(trashed = false",
            "trashed = false)",
            "trashed = false and",
            "name = 'unclosed",
            "trashed = false trashed = true",
        ] {
            assert_eq!(Query::parse(q), Err(NotAQuery), "{q}");
        }
        assert_eq!(Query::parse(&"(".repeat(100_000)), Err(NotAQuery));
    }
}
