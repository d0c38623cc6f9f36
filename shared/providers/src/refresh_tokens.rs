//! What becomes of a refresh token once it was used, and what that allows after a crash. A fact of each provider, which its
//! manifest declares; the decisions that follow from it are here, as one function without I/O.
//!
//! The dangerous moment of a refresh lies between the provider's answer and our write: where tokens rotate, the new pair
//! exists nowhere else then. So the row says *before* the provider is asked that it will be, and whoever finds that
//! word standing knows that an earlier request may have been carried out though nobody kept its answer.

use std::time::Duration;

/// What a provider does with a refresh token that was used.
///
/// | provider | what it does | source |
/// | --- | --- | --- |
/// | Google (Drive, Calendar) | kept: answers carry no refresh token; one that does come is stored | Google's OAuth guide for web servers |
/// | Dropbox | kept: the answer has an access token only | its OAuth guide; its SDK stores no other |
/// | HubSpot | kept in practice: the same one comes back; what comes is stored | its OAuth guide, seen in use |
/// | OneDrive, Teams (Microsoft) | a new one at each use, and the old one is *not* revoked by it: kept, for our purpose | Microsoft's page on refresh tokens |
/// | Slack | kept without rotation; with it (an app setting) once: revoked at use | its page on token rotation; node-slack-sdk#2504 |
/// | Salesforce | kept, unless the customer's admin turns rotation on: then once, and a second use revokes everything | its page on refresh token rotation |
/// | Notion | rotates; no grace is documented: once | its reference of the token endpoint |
/// | Jira | rotates with a grace of 10 minutes | Atlassian's OAuth guide (3LO) |
/// | Confluence | rotates; the grace that is told of Atlassian is not confirmed for it: once | Atlassian's OAuth guide (3LO) |
/// | Linear | rotates with a grace of 30 minutes, in which the same request brings the same pair again | its OAuth guide |
/// | GitHub | once: the old refresh token *and* the old access token die at once | its page on refreshing user access tokens |
/// | GitLab | once: a lost answer means connecting again | its OAuth reference |
/// | Box | once, within 60 days; no grace documented | its page on refresh tokens |
/// | Discord | once | discord-api-docs#5942 |
/// | Coda | has none (keys only) | its API reference |
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefreshTokens {
    /// It can be used again and again: a lost answer costs nothing.
    Kept,
    /// Each use brings a new one. The old one serves so much longer, so that a request whose answer was lost can be repeated.
    RotatedWithGrace(Duration),
    /// Each use brings a new one and ends the old one: if the answer is lost, so is the connection.
    RotatedOnce,
}

/// What to do after the provider has said that a refresh token is dead, and the row has no newer one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterRefusal {
    /// Ask once more: a refusal alone may be a race or a passing fault.
    AskAgain,
    /// The grant is dead.
    Dead,
    /// The pair that took this one's place was lost with an earlier request's answer.
    Lost,
}

impl RefreshTokens {
    /// Decides after the `refusals`-th refusal (from 1) of one token in one holder's hands. `unanswered`: how long ago an
    /// earlier holder announced a request with this token of which nobody knows how it ended; `None` if there is none.
    #[must_use]
    pub fn after_refusal(self, unanswered: Option<Duration>, refusals: u32) -> AfterRefusal {
        let lost = match (self, unanswered) {
            (Self::Kept, _) | (_, None) => false,
            (Self::RotatedOnce | Self::RotatedWithGrace(_), Some(_)) => true,
        };
        // Within its grace the old token is still expected to work; a used-up one is offered once and never again, because
        // some providers take a second offer for theft.
        let is_used_up = match (self, unanswered) {
            (Self::RotatedOnce, Some(_)) => true,
            (Self::RotatedWithGrace(grace), Some(since)) => since > grace,
            (Self::Kept, _) | (_, None) => false,
        };
        match (lost, is_used_up || refusals >= 2) {
            (_, false) => AfterRefusal::AskAgain,
            (false, true) => AfterRefusal::Dead,
            (true, true) => AfterRefusal::Lost,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: RefreshTokens = RefreshTokens::RotatedWithGrace(Duration::from_secs(600));

    fn check(tokens: RefreshTokens, unanswered_seconds: Option<u64>, refusals: u32, next: AfterRefusal) {
        let unanswered = unanswered_seconds.map(Duration::from_secs);
        assert_eq!(tokens.after_refusal(unanswered, refusals), next, "{tokens:?} {unanswered:?} {refusals}");
    }

    #[test]
    fn a_refusal_is_believed_the_second_time() {
        for tokens in [RefreshTokens::Kept, GRACE, RefreshTokens::RotatedOnce] {
            check(tokens, None, 1, AfterRefusal::AskAgain);
            check(tokens, None, 2, AfterRefusal::Dead);
        }
    }

    #[test]
    fn a_token_that_may_be_used_up_is_offered_once_and_its_refusal_is_a_loss() {
        check(RefreshTokens::RotatedOnce, Some(90), 1, AfterRefusal::Lost);
        check(GRACE, Some(601), 1, AfterRefusal::Lost);
        check(GRACE, Some(600), 1, AfterRefusal::AskAgain);
        check(GRACE, Some(600), 2, AfterRefusal::Lost);
    }

    #[test]
    fn where_tokens_are_kept_a_crash_changes_nothing() {
        check(RefreshTokens::Kept, Some(90), 1, AfterRefusal::AskAgain);
        check(RefreshTokens::Kept, Some(90), 2, AfterRefusal::Dead);
    }
}
