//! The query language (GraphQL specification, section 2): one operation with its fragments.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// A field with what is asked of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    pub alias: String,
    pub name: String,
    pub arguments: Vec<(String, Input)>,
    pub selection: Vec<Selected>,
}

/// Something selected.
#[derive(Debug, Clone, PartialEq)]
pub enum Selected {
    Field(Field),
    /// A part for one type, or for any.
    Inline(Option<String>, Vec<Selected>),
    Spread(String),
}

/// A value in a query.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    Value(Value),
    Variable(String),
    Object(Vec<(String, Input)>),
    List(Vec<Input>),
}

/// A parsed query.
#[derive(Debug, Default)]
pub struct Query {
    pub selection: Vec<Selected>,
    pub fragments: BTreeMap<String, (String, Vec<Selected>)>,
}

type Parsed<T> = Result<T, String>;

struct Tokens {
    tokens: Vec<String>,
    at: usize,
    depth: usize,
}

/// Deepest nesting that is followed.
const DEEPEST: usize = 30;

/// Reads a query.
pub fn query(text: &str) -> Parsed<Query> {
    let mut tokens = Tokens { tokens: split(text)?, at: 0, depth: 0 };
    let mut query = Query::default();
    while let Some(token) = tokens.peek() {
        match token {
            "query" => {
                tokens.at += 1;
                while tokens.peek().is_some_and(|token| token != "{") {
                    tokens.at += 1;
                }
                query.selection = tokens.selection()?;
            }
            "{" => query.selection = tokens.selection()?,
            "fragment" => {
                tokens.at += 1;
                let name = tokens.next()?;
                tokens.expect("on")?;
                let kind = tokens.next()?;
                query.fragments.insert(name, (kind, tokens.selection()?));
            }
            other => return Err(format!("Parse error on \"{other}\"")),
        }
    }
    Ok(query)
}

/// Words, numbers, texts and marks.
fn split(text: &str) -> Parsed<Vec<String>> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            c if c.is_whitespace() || c == ',' => {
                rest = rest.get(c.len_utf8()..).unwrap_or_default();
                continue;
            }
            '"' => 2 + rest.get(1..).and_then(|inner| inner.find('"')).ok_or("Parse error: a text without an end")?,
            '.' if rest.starts_with("...") => 3,
            c if c.is_ascii_alphanumeric() || c == '_' || c == '-' || c == '$' => {
                1 + rest.chars().skip(1).take_while(|c| c.is_ascii_alphanumeric() || *c == '_').count()
            }
            '{' | '}' | '(' | ')' | '[' | ']' | ':' | '!' | '=' => 1,
            other => return Err(format!("Parse error on \"{other}\"")),
        };
        let (token, after) = rest.split_at_checked(length).ok_or("Parse error")?;
        tokens.push(token.to_owned());
        rest = after;
    }
    Ok(tokens)
}

impl Tokens {
    fn peek(&self) -> Option<&str> {
        self.tokens.get(self.at).map(String::as_str)
    }

    fn next(&mut self) -> Parsed<String> {
        let token = self.tokens.get(self.at).cloned().ok_or("Parse error: the query ends early")?;
        self.at += 1;
        Ok(token)
    }

    fn expect(&mut self, wanted: &str) -> Parsed<()> {
        let token = self.next()?;
        if token == wanted { Ok(()) } else { Err(format!("Parse error: \"{wanted}\" is expected, not \"{token}\"")) }
    }

    fn takes(&mut self, wanted: &str) -> bool {
        let is_there = self.peek() == Some(wanted);
        self.at += usize::from(is_there);
        is_there
    }

    fn selection(&mut self) -> Parsed<Vec<Selected>> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err("Query is too deep".to_owned());
        }
        self.expect("{")?;
        let mut selection = Vec::new();
        while !self.takes("}") {
            selection.push(self.selected()?);
        }
        self.depth -= 1;
        Ok(selection)
    }

    fn selected(&mut self) -> Parsed<Selected> {
        if self.takes("...") {
            if self.takes("on") {
                let kind = self.next()?;
                return Ok(Selected::Inline(Some(kind), self.selection()?));
            }
            return match self.peek() {
                Some("{") => Ok(Selected::Inline(None, self.selection()?)),
                _ => Ok(Selected::Spread(self.next()?)),
            };
        }
        let alias = self.next()?;
        let name = if self.takes(":") { self.next()? } else { alias.clone() };
        let mut arguments = Vec::new();
        if self.takes("(") {
            while !self.takes(")") {
                let name = self.next()?;
                self.expect(":")?;
                arguments.push((name, self.input()?));
            }
        }
        let selection = if self.peek() == Some("{") { self.selection()? } else { Vec::new() };
        Ok(Selected::Field(Field { alias, name, arguments, selection }))
    }

    fn input(&mut self) -> Parsed<Input> {
        let token = self.next()?;
        if let Some(name) = token.strip_prefix('$') {
            return Ok(Input::Variable(name.to_owned()));
        }
        if let Some(text) = token.strip_prefix('"') {
            return Ok(Input::Value(json!(text.trim_end_matches('"'))));
        }
        Ok(match token.as_str() {
            "{" => {
                let mut fields = Vec::new();
                while !self.takes("}") {
                    let name = self.next()?;
                    self.expect(":")?;
                    fields.push((name, self.input()?));
                }
                Input::Object(fields)
            }
            "[" => {
                let mut items = Vec::new();
                while !self.takes("]") {
                    items.push(self.input()?);
                }
                Input::List(items)
            }
            "true" => Input::Value(json!(true)),
            "false" => Input::Value(json!(false)),
            "null" => Input::Value(Value::Null),
            word => Input::Value(word.parse::<i64>().map_or_else(|_| json!(word), |number| json!(number))),
        })
    }
}

impl Input {
    /// The value under these variables.
    pub fn value(&self, variables: &Value) -> Value {
        match self {
            Self::Value(value) => value.clone(),
            Self::Variable(name) => variables.get(name).cloned().unwrap_or(Value::Null),
            Self::List(items) => Value::Array(items.iter().map(|item| item.value(variables)).collect()),
            Self::Object(fields) => {
                let fields: Map<String, Value> =
                    fields.iter().map(|(name, item)| (name.clone(), item.value(variables))).collect();
                Value::Object(fields)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_read_with_aliases_arguments_and_fragments() {
        let text = "query($ids:[ID!]!, $n: Int = 3){ a: nodes(ids:$ids, by:{field:X, desc:true}) { id ... on Issue { title } ...more } } \
            fragment more on Node { __typename }";
        let query = query(text).unwrap();
        let Selected::Field(field) = &query.selection[0] else { panic!("no field") };
        assert_eq!((field.alias.as_str(), field.name.as_str(), field.selection.len()), ("a", "nodes", 3));
        let variables = json!({ "ids": ["x"] });
        assert_eq!(field.arguments[0].1.value(&variables), json!(["x"]));
        assert_eq!(field.arguments[1].1.value(&variables), json!({ "field": "X", "desc": true }));
        assert!(query.fragments.contains_key("more"));
    }

    #[test]
    fn what_is_no_query_is_told() {
        for text in ["mutation{x}", "{", "{a(", "{a(b:\"x)}", "{é}", &"{a".repeat(60)] {
            assert!(query(text).is_err(), "{text:.20}");
        }
    }
}
