//! Carries a query out over repositories, issues, pull requests, reviews and discussions.

use serde_json::{Map, Value, json};

use super::parse::{Field, Query, Selected};
use crate::github::{
    shapes,
    state::{Comment, Discussion, GitHub, Issue, Repo, Review, node_id, of_node},
};

/// A query being carried out.
pub struct Run<'a> {
    pub github: &'a GitHub,
    pub login: &'a str,
    pub query: &'a Query,
    pub variables: &'a Value,
    pub errors: Vec<Value>,
}

/// Something that fields are asked of.
#[derive(Clone, Copy)]
enum Node<'a> {
    Root,
    Repository(&'a Repo),
    Issue(&'a Issue),
    Pull(&'a Issue),
    /// A comment, by its type.
    Comment(&'static str, &'a Comment),
    Review(&'a Review),
    Discussion(&'a Repo, &'a Discussion),
    User(&'a str),
    /// A name, of a category.
    Named(&'a str),
    Branch(&'a Repo),
    Target(&'a str),
}

impl Node<'_> {
    const fn kind(&self) -> &'static str {
        match self {
            Self::Root => "Query",
            Self::Repository(_) => "Repository",
            Self::Issue(_) => "Issue",
            Self::Pull(_) => "PullRequest",
            Self::Comment(kind, _) => kind,
            Self::Review(_) => "PullRequestReview",
            Self::Discussion(..) => "Discussion",
            Self::User(_) => "User",
            Self::Named(_) => "DiscussionCategory",
            Self::Branch(_) => "Ref",
            Self::Target(_) => "Commit",
        }
    }
}

impl<'a> Run<'a> {
    /// The data of the whole query.
    pub fn root(&mut self) -> Value {
        let query = self.query;
        self.object(Node::Root, &query.selection)
    }

    fn object(&mut self, node: Node<'a>, selection: &'a [Selected]) -> Value {
        let mut fields = Map::new();
        self.select(node, selection, &mut fields);
        Value::Object(fields)
    }

    fn select(&mut self, node: Node<'a>, selection: &'a [Selected], fields: &mut Map<String, Value>) {
        for selected in selection {
            match selected {
                Selected::Field(field) => {
                    let value = self.field(node, field);
                    fields.insert(field.alias.clone(), value);
                }
                Selected::Inline(kind, inner) => {
                    if kind.as_deref().is_none_or(|kind| kind == node.kind()) {
                        self.select(node, inner, fields);
                    }
                }
                Selected::Spread(name) => match self.query.fragments.get(name) {
                    Some((kind, inner)) if kind == node.kind() => self.select(node, inner, fields),
                    Some(_) => {}
                    None => {
                        self.errors.push(json!({ "message": format!("Fragment {name} was used, but not defined") }))
                    }
                },
            }
        }
    }

    fn argument(&self, field: &Field, name: &str) -> Value {
        let found = field.arguments.iter().find(|(given, _)| given == name);
        found.map_or(Value::Null, |(_, input)| input.value(self.variables))
    }

    fn field(&mut self, node: Node<'a>, field: &'a Field) -> Value {
        if field.name == "__typename" {
            return json!(node.kind());
        }
        match (node, field.name.as_str()) {
            (Node::Root, "nodes") => {
                let ids: Vec<String> = self
                    .argument(field, "ids")
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(|id| id.as_str().map(str::to_owned))
                    .collect();
                if ids.len() > 100 {
                    self.errors.push(json!({ "message": "You may not provide more than 100 node ids" }));
                    return Value::Null;
                }
                Value::Array(ids.iter().map(|id| self.by_id(id, field)).collect())
            }
            (Node::Root, "repository") => {
                let text = |value: Value| value.as_str().map(str::to_owned).unwrap_or_default();
                let (owner, name) = (text(self.argument(field, "owner")), text(self.argument(field, "name")));
                let found = self.github.named(&owner, &name);
                let found = found.or_else(|| self.github.repos.get(self.github.moved.get(&format!("{owner}/{name}"))?));
                match found.filter(|repo| self.github.may_read(self.login, repo)) {
                    Some(repo) => self.object(Node::Repository(repo), &field.selection),
                    None => self
                        .missing(field, &format!("Could not resolve to a Repository with the name '{owner}/{name}'.")),
                }
            }
            (Node::Repository(repo), "databaseId") => json!(repo.id),
            (Node::Repository(repo), "id") => json!(node_id("Repository", repo.id)),
            (Node::Repository(repo), "nameWithOwner") => json!(repo.full_name()),
            (Node::Repository(repo), "defaultBranchRef") => match repo.head() {
                Some(_) => self.object(Node::Branch(repo), &field.selection),
                None => Value::Null,
            },
            (Node::Branch(repo), "name") => json!(repo.branch),
            (Node::Branch(repo), "target") => match repo.head() {
                Some(commit) => self.object(Node::Target(&commit.sha), &field.selection),
                None => Value::Null,
            },
            (Node::Target(sha), "oid") => json!(sha),
            (Node::Repository(repo), "discussions") => {
                let order = self.argument(field, "orderBy");
                let mut all: Vec<&Discussion> = repo.discussions.values().collect();
                match order.get("field").and_then(Value::as_str) {
                    Some("CREATED_AT") => all.sort_by_key(|one| (one.created, one.number)),
                    _ => all.sort_by_key(|one| (one.updated, one.number)),
                }
                if order.get("direction").and_then(Value::as_str) != Some("ASC") {
                    all.reverse();
                }
                let nodes = all.into_iter().map(|one| Node::Discussion(repo, one)).collect();
                self.connection(field, nodes)
            }
            (Node::Repository(repo), "discussion") => {
                let number = self.argument(field, "number").as_u64().unwrap_or_default();
                match repo.discussions.get(&number) {
                    Some(one) => self.object(Node::Discussion(repo, one), &field.selection),
                    None => {
                        self.missing(field, &format!("Could not resolve to a Discussion with the number of {number}."))
                    }
                }
            }
            (Node::Issue(issue) | Node::Pull(issue), "comments") => {
                let nodes = issue.comments.values().map(|comment| Node::Comment("IssueComment", comment)).collect();
                self.connection(field, nodes)
            }
            (Node::Pull(issue), "reviews") => {
                let nodes = issue.pull.iter().flat_map(|pull| pull.reviews.values()).map(Node::Review).collect();
                self.connection(field, nodes)
            }
            (Node::Review(review), "comments") => {
                let nodes = review
                    .comments
                    .values()
                    .map(|comment| Node::Comment("PullRequestReviewComment", comment))
                    .collect();
                self.connection(field, nodes)
            }
            (Node::Discussion(_, one), "comments") => {
                let nodes = one.comments.values().map(|comment| Node::Comment("DiscussionComment", comment)).collect();
                self.connection(field, nodes)
            }
            (Node::Comment("DiscussionComment", comment), "replies") => {
                let nodes = comment.replies.values().map(|reply| Node::Comment("DiscussionComment", reply)).collect();
                self.connection(field, nodes)
            }
            (Node::Discussion(_, one), "category") => self.object(Node::Named(&one.category), &field.selection),
            (Node::Named(name), "name") => json!(name),
            (Node::User(login), "login") => json!(login),
            (Node::User(login), "databaseId") => json!(self.github.accounts.get(login).map(|account| account.id)),
            (node, "author") => match author(node) {
                Some(login) => self.object(Node::User(login), &field.selection),
                None => Value::Null,
            },
            (node, name) => match plain(node, name) {
                Some(value) => value,
                None => {
                    let message = format!("Field '{name}' doesn't exist on type '{}'", node.kind());
                    self.errors.push(json!({ "message": message }));
                    Value::Null
                }
            },
        }
    }

    fn missing(&mut self, field: &Field, message: &str) -> Value {
        self.errors.push(json!({ "type": "NOT_FOUND", "path": [field.alias], "message": message }));
        Value::Null
    }

    fn by_id(&mut self, id: &str, field: &'a Field) -> Value {
        let found = of_node(id).and_then(|(kind, id)| self.find(&kind, id));
        match found {
            Some(node) => self.object(node, &field.selection),
            None => self.missing(field, &format!("Could not resolve to a node with the global id of '{id}'")),
        }
    }

    fn find(&self, kind: &str, id: u64) -> Option<Node<'a>> {
        let mut repos = self.github.repos.values().filter(|repo| self.github.may_read(self.login, repo));
        if kind == "Repository" {
            return repos.find(|repo| repo.id == id).map(Node::Repository);
        }
        repos.find_map(|repo| {
            let issue = repo.issues.values().find(|issue| issue.id == id)?;
            Some(if issue.pull.is_some() { Node::Pull(issue) } else { Node::Issue(issue) })
        })
    }

    /// A page of a list, under a cursor that tells the place.
    fn connection(&mut self, field: &'a Field, nodes: Vec<Node<'a>>) -> Value {
        let Some(first) = self.argument(field, "first").as_u64().filter(|first| (1..=100).contains(first)) else {
            let message = format!(
                "You must provide a `first` or `last` value to properly paginate the `{}` connection.",
                field.name
            );
            self.errors.push(json!({ "message": message }));
            return Value::Null;
        };
        let after = self
            .argument(field, "after")
            .as_str()
            .and_then(|cursor| cursor.strip_prefix("place:")?.parse::<usize>().ok());
        let begin = after.unwrap_or_default();
        let end = (begin + usize::try_from(first).unwrap_or(100)).min(nodes.len());
        let mut shown = Map::new();
        for selected in &field.selection {
            let Selected::Field(inner) = selected else { continue };
            let value = match inner.name.as_str() {
                "totalCount" => json!(nodes.len()),
                "nodes" => {
                    let page: Vec<Node<'a>> =
                        nodes.iter().skip(begin).take(end.saturating_sub(begin)).copied().collect();
                    Value::Array(page.into_iter().map(|node| self.object(node, &inner.selection)).collect())
                }
                "pageInfo" => {
                    let all = json!({ "hasNextPage": end < nodes.len(), "endCursor": (end > begin).then(|| format!("place:{end}")) });
                    let wanted = inner.selection.iter().filter_map(|one| match one {
                        Selected::Field(field) => Some(field.name.clone()),
                        _ => None,
                    });
                    Value::Object(wanted.filter_map(|name| Some((name.clone(), all.get(&name)?.clone()))).collect())
                }
                other => {
                    self.errors.push(json!({ "message": format!("Field '{other}' doesn't exist on a connection") }));
                    Value::Null
                }
            };
            shown.insert(inner.alias.clone(), value);
        }
        Value::Object(shown)
    }
}

fn author(node: Node<'_>) -> Option<&str> {
    match node {
        Node::Issue(issue) | Node::Pull(issue) => issue.author.as_deref(),
        Node::Comment(_, comment) => comment.author.as_deref(),
        Node::Review(review) => review.author.as_deref(),
        Node::Discussion(_, one) => one.author.as_deref(),
        _ => None,
    }
}

/// Fields that are plain values.
fn plain(node: Node<'_>, name: &str) -> Option<Value> {
    let found = match (node, name) {
        (Node::Issue(issue), "id") => json!(node_id("Issue", issue.id)),
        (Node::Pull(issue), "id") => json!(node_id("PullRequest", issue.id)),
        (Node::Issue(issue) | Node::Pull(issue), "number") => json!(issue.number),
        (Node::Issue(issue) | Node::Pull(issue), "title") => json!(issue.title),
        (Node::Comment(_, comment), "databaseId") => json!(comment.id),
        (Node::Comment(_, comment), "body") => json!(comment.body),
        (Node::Comment(_, comment), "createdAt") => json!(shapes::time(comment.created)),
        (Node::Comment(_, comment), "updatedAt") => json!(shapes::time(comment.updated)),
        (Node::Comment("PullRequestReviewComment", comment), "path") => json!(comment.path),
        (Node::Review(review), "body") => json!(review.body),
        (Node::Review(review), "state") => json!(review.state),
        (Node::Review(review), "submittedAt") => json!(shapes::time(review.submitted)),
        (Node::Discussion(_, one), "number") => json!(one.number),
        (Node::Discussion(_, one), "title") => json!(one.title),
        (Node::Discussion(_, one), "body") => json!(one.body),
        (Node::Discussion(_, one), "closed") => json!(one.closed),
        (Node::Discussion(_, one), "createdAt") => json!(shapes::time(one.created)),
        (Node::Discussion(_, one), "updatedAt") => json!(shapes::time(one.updated)),
        (Node::Discussion(repo, one), "url") => {
            json!(format!("{}/{}/discussions/{}", shapes::WEB, repo.full_name(), one.number))
        }
        _ => return None,
    };
    Some(found)
}
