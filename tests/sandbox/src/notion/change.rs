//! What people do: write pages, rename, move, trash and delete them, comment.

use serde_json::{Map, Value};

use super::{
    outline::{self, Draft},
    state::{Comment, Node, Notion, What, minute, uuid},
};
use crate::{clock, control::Wrong};

/// A page or row to make.
#[derive(Debug, Clone, Default)]
pub struct NewPage<'a> {
    pub id: Option<String>,
    pub title: &'a str,
    /// What it is in; absent: at the top of the person's workspace.
    pub parent: Option<&'a str>,
    pub text: &'a str,
    pub values: Map<String, Value>,
}

impl Notion {
    /// Makes a page and answers its id.
    pub fn add_page(&mut self, email: &str, new: NewPage<'_>) -> Result<String, Wrong> {
        let what = What::Page {
            title: new.title.to_owned(),
            icon: None,
            values: new.values,
            text: new.text.trim_end().to_owned(),
        };
        let id = self.add_node(email, new.id, new.parent, what)?;
        self.add_blocks(email, &id, outline::blocks(new.text))?;
        let by = self.id_of(email)?;
        self.tell(&id, "created", &by, &[]);
        Ok(id)
    }

    /// Makes a database with one data source and answers both ids.
    pub fn add_database(
        &mut self,
        email: &str,
        title: &str,
        parent: Option<&str>,
        description: &str,
        columns: Map<String, Value>,
    ) -> Result<(String, String), Wrong> {
        let database = self.add_node(email, None, parent, What::Database { title: title.to_owned() })?;
        let source = What::Source { title: title.to_owned(), description: description.to_owned(), columns };
        let source = self.add_node(email, None, Some(&database), source)?;
        let by = self.id_of(email)?;
        self.tell(&database, "created", &by, &[]);
        self.tell(&source, "created", &by, &[]);
        Ok((database, source))
    }

    /// Puts blocks at the end of a page or block.
    pub fn add_blocks(&mut self, email: &str, parent: &str, drafts: Vec<Draft>) -> Result<Vec<String>, Wrong> {
        let mut ids = Vec::new();
        for draft in drafts {
            let what = What::Block { kind: draft.kind, content: draft.content };
            let id = self.add_node(email, None, Some(parent), what)?;
            self.add_blocks(email, &id, draft.children)?;
            ids.push(id);
        }
        Ok(ids)
    }

    /// Gives a page another text; its blocks are made anew, what lies in it as a page of its own stays.
    pub fn write_page(&mut self, email: &str, id: &str, new: &str) -> Result<(), Wrong> {
        let by = self.id_of(email)?;
        let node = self.node_mut(id)?;
        let What::Page { text, .. } = &mut node.what else { return Err(Wrong::unprocessable("this is no page")) };
        new.trim_end().clone_into(text);
        let children = std::mem::take(&mut node.children);
        let (blocks, kept): (Vec<String>, Vec<String>) = children.into_iter().partition(|child| self.is_block(child));
        for block in blocks {
            self.forget(&block);
        }
        self.node_mut(id)?.children = kept;
        let blocks = self.add_blocks(email, id, outline::blocks(new))?;
        self.touch(id, &by)?;
        self.tell(id, "content_updated", &by, &blocks);
        Ok(())
    }

    /// Gives a page, database or data source another name.
    pub fn rename(&mut self, email: &str, id: &str, name: &str) -> Result<(), Wrong> {
        let by = self.id_of(email)?;
        match &mut self.node_mut(id)?.what {
            What::Page { title, .. } | What::Database { title } | What::Source { title, .. } => name.clone_into(title),
            What::Block { .. } => return Err(Wrong::unprocessable("a block has no name")),
        }
        self.touch(id, &by)?;
        let event =
            if matches!(self.node(id)?.what, What::Page { .. }) { "properties_updated" } else { "schema_updated" };
        self.tell(id, event, &by, &[]);
        Ok(())
    }

    /// Sets a property of a row, in the API's form.
    pub fn set_value(&mut self, email: &str, id: &str, name: &str, value: Value) -> Result<(), Wrong> {
        let by = self.id_of(email)?;
        let What::Page { values, .. } = &mut self.node_mut(id)?.what else {
            return Err(Wrong::unprocessable("this is no page"));
        };
        values.insert(name.to_owned(), value);
        self.touch(id, &by)?;
        self.tell(id, "properties_updated", &by, &[]);
        Ok(())
    }

    /// Puts something into the trash, or takes it out.
    pub fn trash(&mut self, email: &str, id: &str, trashed: bool) -> Result<(), Wrong> {
        let by = self.id_of(email)?;
        self.node_mut(id)?.trashed = trashed;
        self.touch(id, &by)?;
        self.tell(id, if trashed { "deleted" } else { "undeleted" }, &by, &[]);
        Ok(())
    }

    /// Moves a page to another page or data source, or to the top.
    pub fn move_to(&mut self, email: &str, id: &str, parent: Option<&str>) -> Result<(), Wrong> {
        let by = self.id_of(email)?;
        if let Some(parent) = parent {
            let target = self.node(parent)?;
            if self.with_ancestors(target).any(|node| node.id == id) {
                return Err(Wrong::unprocessable("a page cannot lie in itself"));
            }
        }
        let before = self.node(id)?.parent.clone();
        if let Some(before) = before.and_then(|before| self.nodes.get_mut(&before)) {
            before.children.retain(|child| child != id);
        }
        self.node_mut(id)?.parent = parent.map(str::to_owned);
        if let Some(parent) = parent {
            self.node_mut(parent)?.children.push(id.to_owned());
        }
        self.touch(id, &by)?;
        self.tell(id, "moved", &by, &[]);
        Ok(())
    }

    /// Deletes something for good, with all that is in it.
    pub fn delete(&mut self, email: &str, id: &str) -> Result<(), Wrong> {
        let by = self.id_of(email)?;
        let parent = self.node(id)?.parent.clone();
        self.tell(id, "deleted", &by, &[]);
        if let Some(parent) = parent.and_then(|parent| self.nodes.get_mut(&parent)) {
            parent.children.retain(|child| child != id);
        }
        self.forget(id);
        Ok(())
    }

    /// Comments on a page and answers the comment's id. The page's time stays.
    pub fn comment(&mut self, email: &str, page: &str, text: &str) -> Result<String, Wrong> {
        let by = self.id_of(email)?;
        self.node(page)?;
        let comment =
            Comment { id: uuid(), page: page.to_owned(), by: by.clone(), text: text.to_owned(), created: clock::now() };
        let id = comment.id.clone();
        self.comments.push(comment);
        self.tell_comment(&id, page, "created", &by);
        Ok(id)
    }

    /// The person's id.
    pub fn id_of(&self, email: &str) -> Result<String, Wrong> {
        let person = self.people.get(email);
        person.map(|person| person.id.clone()).ok_or_else(|| Wrong::not_found(format!("there is no account {email}")))
    }

    /// A node, or what the control API says of its absence.
    pub fn node(&self, id: &str) -> Result<&Node, Wrong> {
        self.nodes.get(id).ok_or_else(|| Wrong::not_found(format!("there is no page or block {id}")))
    }

    fn node_mut(&mut self, id: &str) -> Result<&mut Node, Wrong> {
        self.nodes.get_mut(id).ok_or_else(|| Wrong::not_found(format!("there is no page or block {id}")))
    }

    fn add_node(&mut self, email: &str, id: Option<String>, parent: Option<&str>, what: What) -> Result<String, Wrong> {
        let person = self.people.get(email).ok_or_else(|| Wrong::not_found(format!("there is no account {email}")))?;
        let (by, mut workspace) = (person.id.clone(), person.workspace.clone());
        let id = id.unwrap_or_else(uuid);
        if self.nodes.contains_key(&id) {
            return Err(Wrong::conflict(format!("{id} is there already")));
        }
        if let Some(parent) = parent {
            let parent = self.node_mut(parent)?;
            workspace.clone_from(&parent.workspace);
            parent.children.push(id.clone());
        }
        let now = minute();
        let node = Node {
            id: id.clone(),
            workspace,
            parent: parent.map(str::to_owned),
            children: Vec::new(),
            what,
            created: now,
            edited: now,
            created_by: by.clone(),
            edited_by: by,
            trashed: false,
            unindexed: false,
        };
        self.nodes.insert(id.clone(), node);
        Ok(id)
    }

    /// Moves the time of a page to now. What it is in keeps its own.
    fn touch(&mut self, id: &str, by: &str) -> Result<(), Wrong> {
        let page = self.page_of(self.node(id)?).id.clone();
        for id in [id, page.as_str()] {
            let node = self.node_mut(id)?;
            node.edited = minute();
            by.clone_into(&mut node.edited_by);
        }
        Ok(())
    }

    fn is_block(&self, id: &str) -> bool {
        self.nodes.get(id).is_some_and(|node| matches!(node.what, What::Block { .. }))
    }

    fn forget(&mut self, id: &str) {
        let mut all = vec![id.to_owned()];
        while let Some(id) = all.pop() {
            all.extend(self.nodes.remove(&id).into_iter().flat_map(|node| node.children));
            self.comments.retain(|comment| comment.page != id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADA: &str = "ada@example.com";

    fn notion() -> Notion {
        let mut notion = Notion::default();
        notion.add_person(ADA, "Ada", None);
        notion
    }

    #[test]
    fn a_page_has_the_blocks_of_its_text_and_keeps_the_pages_in_it() {
        let mut notion = notion();
        let page = notion
            .add_page(ADA, NewPage { title: "A", text: "one\n\n- two\n  - three", ..NewPage::default() })
            .unwrap();
        let inner = notion.add_page(ADA, NewPage { title: "B", parent: Some(&page), ..NewPage::default() }).unwrap();
        assert_eq!(notion.nodes[&page].children.len(), 3);
        notion.write_page(ADA, &page, "new").unwrap();
        assert_eq!(notion.nodes[&page].children.len(), 2);
        assert_eq!(notion.nodes[&page].children[0], inner);
        assert_eq!(notion.nodes.len(), 3);
        let kinds: Vec<&str> = notion.news.iter().map(|news| news.kind.as_str()).collect();
        assert_eq!(kinds, ["page.created", "page.created", "page.content_updated"]);
    }

    #[test]
    fn what_lies_in_the_trash_with_its_page_is_trashed_and_what_is_deleted_is_gone_with_all_in_it() {
        let mut notion = notion();
        let page = notion.add_page(ADA, NewPage { title: "A", text: "one", ..NewPage::default() }).unwrap();
        let inner = notion.add_page(ADA, NewPage { title: "B", parent: Some(&page), ..NewPage::default() }).unwrap();
        notion.comment(ADA, &inner, "hm").unwrap();
        notion.trash(ADA, &page, true).unwrap();
        assert!(notion.is_trashed(&notion.nodes[&inner]));
        assert!(notion.move_to(ADA, &page, Some(&inner)).is_err(), "a page cannot lie in itself");
        notion.delete(ADA, &page).unwrap();
        assert!(notion.nodes.is_empty() && notion.comments.is_empty());
    }
}
