//! What deliveries say, in our terms ("Webhook events and payloads").

use domain::resource::DeleteReason;
use domain::subscription::WebhookEvent;
use domain::{ExternalId, Timestamp};
use serde::Deserialize;

use super::client::malformed;
use super::ids::{What, numbered};
use crate::error::ProviderError;
use crate::provider::Delivery;

/// What of a delivery's body is read.
#[derive(Debug, Default, Deserialize)]
pub struct Payload {
    #[serde(default)]
    action: String,
    repository: Option<Repository>,
    organization: Option<Id>,
    installation: Option<Installation>,
    sender: Option<Id>,
    issue: Option<Issue>,
    pull_request: Option<Numbered>,
    discussion: Option<Numbered>,
    release: Option<Release>,
    comment: Option<Dated>,
    review: Option<Dated>,
    #[serde(rename = "ref")]
    reference: Option<serde_json::Value>,
}

#[derive(Debug, Deserialize)]
struct Id {
    id: u64,
}

#[derive(Debug, Deserialize)]
struct Repository {
    id: u64,
    owner: Option<Id>,
    default_branch: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Installation {
    account: Option<Id>,
}

#[derive(Debug, Deserialize)]
struct Numbered {
    number: u64,
    updated_at: Option<Timestamp>,
}

#[derive(Debug, Deserialize)]
struct Dated {
    updated_at: Option<Timestamp>,
    submitted_at: Option<Timestamp>,
}

#[derive(Debug, Deserialize)]
struct Issue {
    number: u64,
    updated_at: Option<Timestamp>,
    pull_request: Option<serde::de::IgnoredAny>,
}

#[derive(Debug, Deserialize)]
struct Release {
    id: u64,
    updated_at: Option<Timestamp>,
    published_at: Option<Timestamp>,
    #[serde(default)]
    draft: bool,
}

impl Payload {
    /// Reads a delivery's body: JSON, or a form with the JSON in it, as hooks are made where nobody says otherwise.
    ///
    /// # Errors
    /// [`crate::error::Kind::Malformed`].
    pub fn read(delivery: &Delivery) -> Result<Self, ProviderError> {
        let is_form =
            delivery.header("content-type").is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
        let wrong = || malformed("a delivery that is not what GitHub sends");
        if is_form {
            let mut fields = url::form_urlencoded::parse(&delivery.body);
            let (_, payload) = fields.find(|(name, _)| name == "payload").ok_or_else(wrong)?;
            return serde_json::from_str(&payload).map_err(|_| wrong());
        }
        serde_json::from_slice(&delivery.body).map_err(|_| wrong())
    }

    /// The account that it is about: the installation's, the repository's owner, or whoever withdrew an authorization.
    pub fn account(&self) -> Option<u64> {
        let installed = self.installation.as_ref().and_then(|installation| installation.account.as_ref());
        let owner = self.repository.as_ref().and_then(|repository| repository.owner.as_ref());
        let of = [installed, owner, self.organization.as_ref(), self.sender.as_ref()];
        of.into_iter().flatten().next().map(|account| account.id)
    }
}

impl Payload {
    /// When what it is about last changed, as far as it says. What is gone went later.
    fn changed_at(&self) -> Timestamp {
        let times = [
            self.comment.as_ref().and_then(|one| one.updated_at),
            self.review.as_ref().and_then(|one| one.updated_at.or(one.submitted_at)),
            self.issue.as_ref().and_then(|one| one.updated_at),
            self.pull_request.as_ref().and_then(|one| one.updated_at),
            self.discussion.as_ref().and_then(|one| one.updated_at),
            self.release.as_ref().and_then(|one| one.updated_at.or(one.published_at)),
        ];
        times.into_iter().flatten().max().unwrap_or_default()
    }
}

/// What an event means.
///
/// # Errors
/// [`crate::error::Kind::Malformed`] for an event that lacks what it is about.
pub fn meaning(event: &str, payload: &Payload) -> Result<Vec<WebhookEvent>, ProviderError> {
    let one = |event: WebhookEvent| Ok(vec![event]);
    let (action, at) = (payload.action.as_str(), payload.changed_at());
    let repository = || payload.repository.as_ref().ok_or_else(|| malformed("an event without its repository"));
    let thing = |what: What, number: Option<u64>| -> Result<ExternalId, ProviderError> {
        numbered(repository()?.id, what, number.ok_or_else(|| malformed("an event without what it is about"))?)
    };
    let touched = |external_id| one(WebhookEvent::Touched { external_id, at });
    let gone = |external_id, reason| one(WebhookEvent::Gone { external_id, reason, at });
    match (event, action) {
        ("issues", "deleted" | "transferred") => {
            gone(thing(What::Issues, payload.issue.as_ref().map(|one| one.number))?, DeleteReason::Removed)
        }
        ("issues" | "issue_comment", _) => {
            let issue = payload.issue.as_ref();
            let what = if issue.is_some_and(|one| one.pull_request.is_some()) { What::Pulls } else { What::Issues };
            touched(thing(what, issue.map(|one| one.number))?)
        }
        ("pull_request" | "pull_request_review" | "pull_request_review_comment" | "pull_request_review_thread", _) => {
            touched(thing(What::Pulls, payload.pull_request.as_ref().map(|one| one.number))?)
        }
        ("discussion" | "discussion_comment", _) => {
            let id = thing(What::Discussions, payload.discussion.as_ref().map(|one| one.number))?;
            let is_gone = event == "discussion" && matches!(action, "deleted" | "transferred");
            if is_gone { gone(id, DeleteReason::Removed) } else { touched(id) }
        }
        ("release", _) => {
            let release = payload.release.as_ref();
            let id = thing(What::Releases, release.map(|one| one.id))?;
            match (action, release.is_some_and(|one| one.draft)) {
                ("deleted", _) => gone(id, DeleteReason::Removed),
                // It is a draft (again).
                ("unpublished", _) | (_, true) => gone(id, DeleteReason::OutOfScope),
                _ => touched(id),
            }
        }
        ("push", _) => {
            let branch = repository()?.default_branch.as_deref();
            let pushed =
                payload.reference.as_ref().and_then(|reference| reference.as_str()?.strip_prefix("refs/heads/"));
            // Which files are in scope, the listing of changes knows.
            one(if pushed.is_some() && pushed == branch { WebhookEvent::Changed } else { WebhookEvent::Nothing })
        }
        // A repository's number outlives its new name and its new owner: nothing in it is another thing for that.
        ("repository", "renamed" | "edited" | "archived" | "unarchived" | "privatized" | "publicized") => {
            one(WebhookEvent::Changed)
        }
        ("repository" | "installation_repositories", _) => one(WebhookEvent::Rearranged),
        ("installation", "deleted") | ("github_app_authorization", "revoked") => one(WebhookEvent::Revoked),
        // Suspended, taken up again, or with other permissions.
        ("installation", _) => one(WebhookEvent::Rearranged),
        _ => one(WebhookEvent::Nothing),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn read(kind: &str, body: &[u8]) -> Result<Payload, ProviderError> {
        let headers = [("content-type".to_owned(), kind.to_owned())];
        Payload::read(&Delivery { headers: headers.into(), body: body.to_vec() })
    }

    fn check(event: &str, more: Value, expected: &[WebhookEvent]) {
        let mut body =
            json!({"repository": {"id": 501, "default_branch": "main", "owner": {"id": 44}}, "sender": {"id": 7}});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let payload = read("application/json", body.to_string().as_bytes()).unwrap();
        assert_eq!(meaning(event, &payload).unwrap(), expected, "{event} {more}");
        assert_eq!(payload.account(), Some(44));
    }

    fn touched(id: &str) -> WebhookEvent {
        WebhookEvent::Touched { external_id: ExternalId::new(id).unwrap(), at: time() }
    }

    fn gone(id: &str, reason: DeleteReason) -> WebhookEvent {
        WebhookEvent::Gone { external_id: ExternalId::new(id).unwrap(), reason, at: time() }
    }

    fn time() -> Timestamp {
        "2026-01-03T00:00:00Z".parse().unwrap()
    }

    #[test]
    fn each_event_names_what_it_is_about() {
        let at = "2026-01-03T00:00:00Z";
        let issue = json!({"number": 12, "updated_at": at});
        let pull = json!({"number": 12, "updated_at": at, "pull_request": {"url": "x"}});
        check("issues", json!({"action": "edited", "issue": issue}), &[touched("501/issues/12")]);
        check("issues", json!({"action": "brand_new", "issue": issue}), &[touched("501/issues/12")]);
        check("issues", json!({"action": "deleted", "issue": issue}), &[gone("501/issues/12", DeleteReason::Removed)]);
        check(
            "issues",
            json!({"action": "transferred", "issue": issue}),
            &[gone("501/issues/12", DeleteReason::Removed)],
        );
        check("issue_comment", json!({"action": "deleted", "issue": issue}), &[touched("501/issues/12")]);
        check("issue_comment", json!({"action": "created", "issue": pull}), &[touched("501/pulls/12")]);
        check(
            "pull_request",
            json!({"action": "synchronize", "pull_request": {"number": 12, "updated_at": at}}),
            &[touched("501/pulls/12")],
        );
        check(
            "discussion",
            json!({"action": "deleted", "discussion": {"number": 3, "updated_at": at}}),
            &[gone("501/discussions/3", DeleteReason::Removed)],
        );
        check(
            "discussion_comment",
            json!({"action": "deleted", "discussion": {"number": 3, "updated_at": at}}),
            &[touched("501/discussions/3")],
        );
        check(
            "release",
            json!({"action": "published", "release": {"id": 9, "updated_at": at}}),
            &[touched("501/releases/9")],
        );
        check(
            "release",
            json!({"action": "edited", "release": {"id": 9, "updated_at": at, "draft": true}}),
            &[gone("501/releases/9", DeleteReason::OutOfScope)],
        );
    }

    #[test]
    fn a_push_counts_on_the_default_branch_and_repositories_move_as_wholes() {
        check("push", json!({"ref": "refs/heads/main"}), &[WebhookEvent::Changed]);
        check("push", json!({"ref": "refs/heads/other"}), &[WebhookEvent::Nothing]);
        check("push", json!({"ref": "refs/tags/main"}), &[WebhookEvent::Nothing]);
        check("create", json!({"ref": "x", "ref_type": "branch"}), &[WebhookEvent::Nothing]);
        check("repository", json!({"action": "renamed"}), &[WebhookEvent::Changed]);
        for action in ["deleted", "transferred", "created"] {
            check("repository", json!({"action": action}), &[WebhookEvent::Rearranged]);
        }
        check("ping", json!({"zen": "…"}), &[WebhookEvent::Nothing]);
        check("star", json!({"action": "created"}), &[WebhookEvent::Nothing]);
    }

    #[test]
    fn what_concerns_the_app_names_an_account() {
        let body = json!({"action": "deleted", "installation": {"id": 777, "account": {"id": 9}}, "sender": {"id": 7}});
        let payload = read("application/json", body.to_string().as_bytes()).unwrap();
        assert_eq!(
            (meaning("installation", &payload).unwrap(), payload.account()),
            (vec![WebhookEvent::Revoked], Some(9))
        );
        let payload = read("application/json", br#"{"action":"revoked","sender":{"id":7}}"#).unwrap();
        assert_eq!(
            (meaning("github_app_authorization", &payload).unwrap(), payload.account()),
            (vec![WebhookEvent::Revoked], Some(7))
        );
        let payload = read("application/json", br#"{"action":"removed","installation":{"id":777}}"#).unwrap();
        assert_eq!(
            (meaning("installation_repositories", &payload).unwrap(), payload.account()),
            (vec![WebhookEvent::Rearranged], None)
        );
    }

    #[test]
    fn a_form_carries_the_same_and_what_is_incomplete_is_refused() {
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("payload", r#"{"sender":{"id":7}}"#)
            .finish();
        assert_eq!(read("application/x-www-form-urlencoded", form.as_bytes()).unwrap().account(), Some(7));
        assert!(read("application/x-www-form-urlencoded", b"other=1").is_err());
        for body in [&b"[]"[..], b"null", b"", b"\xff", br#"{"issue":{"number":"12"}}"#] {
            assert!(read("application/json", body).is_err());
        }
        let payload = read("application/json", br#"{"action":"opened","issue":{"number":1}}"#).unwrap();
        assert!(meaning("issues", &payload).is_err(), "which repository?");
        let payload = read("application/json", br#"{"action":"opened","repository":{"id":1}}"#).unwrap();
        assert!(meaning("issues", &payload).is_err(), "which issue?");
    }
}
