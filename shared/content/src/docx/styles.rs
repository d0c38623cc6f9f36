//! What the styles and lists of a Word document say of its paragraphs.

use std::collections::HashMap;
use std::io::Read;

use crate::error::Error;
use crate::limits::Budget;
use crate::xml::{Node, Xml};

/// Most styles and lists that are remembered. Documents have hundreds; the rest would read as plain paragraphs.
const MOST: usize = 5_000;
/// Levels of a list.
const LEVELS: usize = 9;

/// A paragraph's place in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Item {
    /// The list's id.
    pub(super) list: String,
    /// How deep, from 0.
    pub(super) level: usize,
}

/// How paragraphs of a style look.
#[derive(Debug, Clone, Default)]
pub(super) struct Looks {
    /// Heading level from 1.
    pub(super) heading: Option<u8>,
    /// List, where the style brings one.
    pub(super) item: Option<Item>,
    based_on: Option<String>,
}

/// The styles by their id.
#[derive(Default)]
pub(super) struct Styles(HashMap<String, Looks>);

impl Styles {
    /// Reads the part.
    pub(super) fn read(part: impl Read, budget: &Budget<'_>) -> Result<Self, Error> {
        let mut xml = Xml::new(part, budget);
        let mut styles = HashMap::new();
        let mut present: Option<(String, Looks)> = None;
        while let Some(node) = xml.next()? {
            match (node, xml.name()) {
                (Node::Start, "style") => present = xml.attribute("styleId").map(|id| (id, Looks::default())),
                (Node::End, "style") => {
                    if let Some((id, looks)) = present.take().filter(|_| styles.len() < MOST) {
                        styles.insert(id, looks);
                    }
                }
                (Node::Start, name) => {
                    let name = name.to_owned();
                    let value = xml.attribute("val");
                    if let (Some((_, looks)), Some(value)) = (present.as_mut(), value) {
                        looks.learn(&name, value);
                    }
                }
                _ => {}
            }
        }
        Ok(Self(styles))
    }

    /// How paragraphs of this style look, through the styles it is based on.
    pub(super) fn looks(&self, id: &str) -> Looks {
        let mut looks = Looks::default();
        let mut next = Some(id);
        // Styles may be based on each other in a ring.
        for _ in 0..16 {
            let Some(style) = next.and_then(|id| self.0.get(id)) else { break };
            looks.heading = looks.heading.or(style.heading);
            looks.item = looks.item.or_else(|| style.item.clone());
            next = style.based_on.as_deref();
        }
        if looks.heading.is_none() && self.0.is_empty() {
            looks.heading = heading_of_name(&id.to_lowercase().replace("heading", "heading "));
        }
        looks
    }
}

impl Looks {
    fn learn(&mut self, element: &str, value: String) {
        match element {
            "name" => self.heading = heading_of_name(&value.to_lowercase()).or(self.heading),
            "basedOn" => self.based_on = Some(value),
            "outlineLvl" => {
                self.heading =
                    self.heading.or(value.parse::<u8>().ok().filter(|level| *level < 9).map(|level| level + 1));
            }
            "numId" => {
                let level = self.item.as_ref().map_or(0, |item| item.level);
                self.item = Some(Item { list: value, level });
            }
            "ilvl" => {
                let level = value.parse().unwrap_or(0);
                let list = self.item.take().map(|item| item.list).unwrap_or_default();
                self.item = Some(Item { list, level });
            }
            _ => {}
        }
    }
}

/// The built-in styles keep these names in every language of the program.
fn heading_of_name(name: &str) -> Option<u8> {
    match name {
        "title" => Some(1),
        "subtitle" => Some(2),
        name => name.strip_prefix("heading ")?.trim().parse().ok().filter(|level| (1..=9).contains(level)),
    }
}

/// What stands before an item.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Bullet,
    Number,
    Nothing,
}

/// The lists by their id.
#[derive(Default)]
pub(super) struct Numbering {
    kinds: HashMap<String, [Kind; LEVELS]>,
    lists: HashMap<String, String>,
}

/// How far each numbered list has come, level by level.
#[derive(Default)]
pub(super) struct Counters(HashMap<String, [u32; LEVELS]>);

impl Numbering {
    /// Reads the part.
    pub(super) fn read(part: impl Read, budget: &Budget<'_>) -> Result<Self, Error> {
        let mut xml = Xml::new(part, budget);
        let mut numbering = Self::default();
        let (mut shape, mut list, mut level) = (None, None, 0);
        while let Some(node) = xml.next()? {
            if node != Node::Start || numbering.kinds.len() + numbering.lists.len() > MOST {
                continue;
            }
            match xml.name() {
                "abstractNum" => shape = xml.attribute("abstractNumId"),
                "lvl" => level = xml.attribute("ilvl").and_then(|level| level.parse().ok()).unwrap_or(0),
                "numFmt" => {
                    let kind = match xml.attribute("val").as_deref() {
                        Some("bullet") => Kind::Bullet,
                        Some("none") => Kind::Nothing,
                        _ => Kind::Number,
                    };
                    if let Some(shape) = &shape {
                        let kinds = numbering.kinds.entry(shape.clone()).or_insert([Kind::Number; LEVELS]);
                        if let Some(slot) = kinds.get_mut(level) {
                            *slot = kind;
                        }
                    }
                }
                "num" => list = xml.attribute("numId"),
                "abstractNumId" => {
                    if let (Some(list), Some(shape)) = (list.take(), xml.attribute("val")) {
                        numbering.lists.insert(list, shape);
                    }
                }
                _ => {}
            }
        }
        Ok(numbering)
    }

    /// What stands before the next item: indentation and a bullet or number. `None` if it is no item after all.
    pub(super) fn mark(&self, item: &Item, counters: &mut Counters) -> Option<String> {
        // List 0 takes a paragraph out of the list that its style brings.
        if item.list == "0" || item.list.is_empty() {
            return None;
        }
        let level = item.level.min(LEVELS - 1);
        let shape = self.lists.get(&item.list);
        let kind = shape.and_then(|shape| self.kinds.get(shape)).and_then(|kinds| kinds.get(level)).copied();
        let indent = "  ".repeat(level);
        match kind.unwrap_or(Kind::Bullet) {
            Kind::Nothing => Some(indent),
            Kind::Bullet => Some(format!("{indent}- ")),
            Kind::Number => {
                // Lists of one shape continue each other's numbers.
                let counts = counters.0.entry(shape.unwrap_or(&item.list).clone()).or_insert([0; LEVELS]);
                for deeper in counts.iter_mut().skip(level + 1) {
                    *deeper = 0;
                }
                let count = counts.get_mut(level)?;
                *count = count.saturating_add(1);
                Some(format!("{indent}{count}. "))
            }
        }
    }
}
