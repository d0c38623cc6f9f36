//! What people said, as one text: a head line, the first words, then every remark with who said it and when.

use chrono::SecondsFormat;
use domain::{Author, Timestamp};
use sha2::{Digest as _, Sha256};

use super::graph;
use super::wire;

/// What GitHub shows where an account is gone.
const GHOST: &str = "ghost";

/// Texts of at most this many bytes travel with a listing; longer ones are fetched.
pub const INLINE_BYTES: usize = 150_000;

/// A remark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Its number, which orders remarks of the same second.
    pub id: u64,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub who: String,
    /// What it is, or where it stands; empty for a plain comment.
    pub how: String,
    /// What was said.
    pub text: String,
}

impl Said {
    /// A comment; one on a line of a pull request says where.
    pub fn comment(comment: &wire::Comment) -> Self {
        Self {
            id: comment.id,
            at: comment.created_at,
            who: login(comment.user.as_ref()),
            how: comment.path.as_deref().map(|path| format!("on {path}")).unwrap_or_default(),
            text: comment.body.clone().unwrap_or_default(),
        }
    }

    /// A comment as GraphQL tells it; `how` says what else it is.
    pub fn remark(remark: &graph::Remark, how: &str) -> Self {
        Self {
            id: remark.database_id.unwrap_or_default(),
            at: remark.created_at,
            who: actor(remark.author.as_ref()),
            how: remark.path.as_deref().map_or_else(|| how.to_owned(), |path| format!("on {path}")),
            text: remark.body.clone(),
        }
    }

    /// A review; `None` for one that says nothing, or that is not handed in yet.
    pub fn review(review: &wire::Review) -> Option<Self> {
        Self::reviewed(login(review.user.as_ref()), &review.state, review.body.as_deref(), review.submitted_at)
    }

    /// A review as GraphQL tells it.
    pub fn graph_review(review: &graph::Review) -> Option<Self> {
        Self::reviewed(actor(review.author.as_ref()), &review.state, Some(&review.body), review.submitted_at)
    }

    fn reviewed(who: String, state: &str, body: Option<&str>, at: Option<Timestamp>) -> Option<Self> {
        let how = match state.to_ascii_uppercase().as_str() {
            "APPROVED" => "approving",
            "CHANGES_REQUESTED" => "requesting changes",
            "PENDING" => return None,
            _ => "reviewing",
        };
        let text = body.unwrap_or_default().to_owned();
        // A bare comment's review has no words of its own: its remarks stand at their lines.
        let is_silent = text.trim().is_empty() && how == "reviewing";
        (!is_silent).then_some(Self { id: 0, at: at?, who, how: how.to_owned(), text })
    }
}

/// Remarks in a row.
pub fn written(remarks: &[Said]) -> String {
    let mut text = String::new();
    for said in remarks {
        let at = said.at.to_rfc3339_opts(SecondsFormat::Secs, true);
        let how = if said.how.is_empty() { String::new() } else { format!(", {}", said.how) };
        text.push_str(&format!("\n\n{} wrote at {at}{how}:\n", said.who));
        text.push_str(&plain(&said.text));
    }
    text
}

/// The head line and the first words of an issue or pull request.
pub fn opening(issue: &wire::Issue) -> String {
    let kind = if issue.pull_request.is_some() { "Pull request" } else { "Issue" };
    let mut head = format!("{kind}, {}", if issue.draft { "draft" } else { issue.state.as_str() });
    if let Some(reason) = issue.state_reason.as_deref().filter(|reason| !reason.is_empty() && issue.state == "closed") {
        head.push_str(&format!(" ({})", reason.replace('_', " ")));
    }
    let labels: Vec<&str> = issue.labels.iter().filter_map(wire::Label::name).collect();
    if !labels.is_empty() {
        head.push_str(&format!(". Labels: {}", labels.join(", ")));
    }
    head.push_str(".\n\n");
    head.push_str(&plain(issue.body.as_deref().unwrap_or_default()));
    head
}

/// Lines end as everywhere else, and nothing stands around the text.
pub fn plain(text: &str) -> String {
    text.replace("\r\n", "\n").trim().to_owned()
}

/// A revision made of what is delivered.
pub fn revision(title: &str, text: &str) -> String {
    let mut hash = Sha256::new();
    hash.update((title.len() as u64).to_be_bytes());
    hash.update(title);
    hash.update(text);
    let mut hex = hex::encode(hash.finalize());
    hex.truncate(32);
    hex
}

/// Who, by the name that people know.
pub fn login(user: Option<&wire::User>) -> String {
    // Apps write under a name that REST marks and GraphQL does not.
    user.map_or(GHOST, |user| user.login.trim_end_matches("[bot]")).to_owned()
}

/// Who, as GraphQL tells it.
pub fn actor(actor: Option<&graph::Actor>) -> String {
    actor.map_or(GHOST, |actor| actor.login.as_str()).to_owned()
}

/// An author. GitHub shows no addresses.
pub fn author(user: Option<&wire::User>) -> Author {
    Author { id: user.map(|user| user.id.to_string()).unwrap_or_default(), name: login(user), email: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at() -> Timestamp {
        "2026-01-02T03:04:05Z".parse().unwrap()
    }

    #[test]
    fn rest_and_graphql_make_the_same_text() {
        let time = "2026-01-02T03:04:05Z";
        let rest: wire::Comment = serde_json::from_value(
            serde_json::json!({"id": 7, "body": "Hi\r\nthere ", "user": {"id": 1, "login": "helper[bot]"},
            "created_at": time, "updated_at": time, "path": "src/a.rs"}),
        )
        .unwrap();
        let graph: graph::Remark = serde_json::from_value(
            serde_json::json!({"databaseId": 7, "body": "Hi\r\nthere ", "author": {"login": "helper"},
            "createdAt": time, "path": "src/a.rs"}),
        )
        .unwrap();
        assert_eq!(Said::comment(&rest), Said::remark(&graph, ""));
        assert_eq!(
            written(&[Said::comment(&rest)]),
            "\n\nhelper wrote at 2026-01-02T03:04:05Z, on src/a.rs:\nHi\nthere"
        );
    }

    #[test]
    fn a_review_counts_if_it_says_something() {
        let check = |state: &str, body: &str, how: Option<&str>| {
            let said = Said::reviewed("a".to_owned(), state, Some(body), Some(at()));
            assert_eq!(said.map(|said| said.how).as_deref(), how, "{state}");
        };
        check("APPROVED", "", Some("approving"));
        check("changes_requested", "No.", Some("requesting changes"));
        check("COMMENTED", "", None);
        check("COMMENTED", "So so.", Some("reviewing"));
        check("PENDING", "Secret.", None);
    }

    #[test]
    fn somebody_who_is_gone_is_a_ghost() {
        assert_eq!((login(None), actor(None), author(None).name), ("ghost".into(), "ghost".into(), "ghost".into()));
    }
}
