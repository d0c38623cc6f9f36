//! What a token endpoint's refusals mean at one provider, where that is not what RFC 6749 says.

/// A refusal of the token endpoint that means something of its own at one provider.
///
/// For example: Salesforce answers `invalid_grant` with "token request is already being processed" while a parallel request is at
/// work ([`Verdict::Passing`]) and for a forbidden network ([`Verdict::Ours`], an administrator's matter); for Atlassian
/// `unauthorized_client` with "refresh_token is invalid" is a dead grant, not a dead application; Discord has answered
/// `invalid_request` for a dead refresh token.
#[derive(Debug, Clone, Copy)]
pub struct Refusal {
    /// The `error` of the answer.
    pub code: &'static str,
    /// A part of its `error_description`; empty for any.
    pub saying: &'static str,
    /// What it means.
    pub means: Verdict,
}

/// Whose business a refusal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The person's: the grant is dead, they must connect again.
    Dead,
    /// Nobody's: it passes.
    Passing,
    /// The operator's, or an administrator's: the connection is not to blame.
    Ours,
}
