//! Clients, codes and tokens: what was granted to whom, and until when.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::pkce::Challenge;
use crate::random;

/// The oldest refresh token of an account and client silently dies when there are more than this many.
const LIVE_REFRESH_TOKENS: usize = 100;

/// A registered OAuth client.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Client {
    pub secret: String,
    /// Allowed return addresses; empty allows any, for the sandbox's convenience.
    pub redirect_uris: Vec<String>,
}

/// An authorization code, good for ten minutes and one use.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Code {
    pub client: String,
    pub account: String,
    pub scopes: BTreeSet<String>,
    pub redirect_uri: String,
    pub challenge: Option<Challenge>,
    /// Whether a refresh token comes with it.
    pub refreshable: bool,
    pub expires: DateTime<Utc>,
}

/// An access token.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Access {
    pub client: String,
    pub account: String,
    pub scopes: BTreeSet<String>,
    pub expires: DateTime<Utc>,
    /// The consent that it stems from; revoking one token of a consent revokes all.
    pub grant: u64,
}

/// A refresh token.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Refresh {
    pub client: String,
    pub account: String,
    pub scopes: BTreeSet<String>,
    pub grant: u64,
}

/// All of them.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Grants {
    pub clients: BTreeMap<String, Client>,
    codes: BTreeMap<String, Code>,
    access: BTreeMap<String, Access>,
    refresh: BTreeMap<String, Refresh>,
    /// Refresh tokens that were rotated, with what they were and when.
    #[serde(default)]
    rotated: BTreeMap<String, (Refresh, DateTime<Utc>)>,
    /// How often a rotated refresh token came again.
    #[serde(default)]
    pub reused: u64,
    /// Accounts that consented to a client before: `client account`.
    consents: BTreeSet<String>,
    last_grant: u64,
}

impl Grants {
    /// Whether the account has consented to the client before.
    pub fn has_consented(&self, client: &str, account: &str) -> bool {
        self.consents.contains(&consent(client, account))
    }

    /// Issues a code and remembers the consent.
    pub fn issue_code(&mut self, code: Code) -> String {
        self.consents.insert(consent(&code.client, &code.account));
        let text = format!("4/0A{}", random::letters(60));
        self.codes.insert(text.clone(), code);
        text
    }

    /// Who a code was issued for, while it has not been used.
    pub fn code_account(&self, code: &str) -> Option<&str> {
        self.codes.get(code).map(|code| code.account.as_str())
    }

    /// Takes a code: whatever comes of it, it cannot be used again.
    pub fn take_code(&mut self, code: &str, now: DateTime<Utc>) -> Option<Code> {
        self.codes.retain(|_, code| code.expires > now);
        self.codes.remove(code)
    }

    /// Begins a grant and returns its number.
    pub fn begin(&mut self) -> u64 {
        self.last_grant += 1;
        self.last_grant
    }

    /// Issues an access token. Expired ones are forgotten on the way.
    pub fn issue_access(&mut self, token: Access, now: DateTime<Utc>) -> String {
        self.access.retain(|_, old| old.expires + TimeDelta::days(1) > now);
        let text = format!("ya29.{}", random::letters(80));
        self.access.insert(text.clone(), token);
        text
    }

    /// Issues a refresh token.
    pub fn issue_refresh(&mut self, token: Refresh) -> String {
        let mut of_pair: Vec<(u64, String)> = self
            .refresh
            .iter()
            .filter(|(_, old)| old.client == token.client && old.account == token.account)
            .map(|(text, old)| (old.grant, text.clone()))
            .collect();
        of_pair.sort_unstable();
        for (_, text) in of_pair.iter().take((of_pair.len() + 1).saturating_sub(LIVE_REFRESH_TOKENS)) {
            self.refresh.remove(text);
        }
        let text = format!("1//0{}", random::letters(60));
        self.refresh.insert(text.clone(), token);
        text
    }

    /// A live access token.
    pub fn access(&self, token: &str, now: DateTime<Utc>) -> Option<&Access> {
        self.access.get(token).filter(|access| access.expires > now)
    }

    /// The account of an access token, live or not: for the request log.
    pub fn account_of(&self, token: &str) -> Option<&str> {
        self.access.get(token).map(|access| access.account.as_str())
    }

    /// A live refresh token.
    pub fn refresh(&self, token: &str) -> Option<&Refresh> {
        self.refresh.get(token)
    }

    /// The account of a refresh token, live or rotated: for the request log.
    pub fn account_of_refresh(&self, token: &str) -> Option<&str> {
        let known = self.refresh.get(token).or_else(|| self.rotated.get(token).map(|(old, _)| old));
        known.map(|token| token.account.as_str())
    }

    /// Ends one refresh token, as rotation does.
    pub fn rotate(&mut self, token: &str, now: DateTime<Utc>) {
        if let Some(old) = self.refresh.remove(token) {
            self.rotated.insert(token.to_owned(), (old, now));
        }
    }

    /// What a rotated refresh token was, as long as its grace lasts. It is counted in any case; after the grace it ends the
    /// whole grant, if that is wanted.
    pub fn reuse(&mut self, token: &str, grace: TimeDelta, revokes: bool, now: DateTime<Utc>) -> Option<Refresh> {
        let (old, since) = self.rotated.get(token).cloned()?;
        self.reused += 1;
        if now - since <= grace && !grace.is_zero() {
            return Some(old);
        }
        if revokes {
            self.end(old.grant);
        }
        None
    }

    fn end(&mut self, grant: u64) {
        self.refresh.retain(|_, refresh| refresh.grant != grant);
        self.access.retain(|_, access| access.grant != grant);
        self.rotated.retain(|_, (refresh, _)| refresh.grant != grant);
    }

    /// Revokes the whole grant of an access or refresh token. Returns its client and account, none if there is no such token.
    pub fn revoke(&mut self, token: &str) -> Option<(String, String)> {
        let (client, account, grant) = match (self.refresh.get(token), self.access.get(token)) {
            (Some(refresh), _) => (refresh.client.clone(), refresh.account.clone(), refresh.grant),
            (None, Some(access)) => (access.client.clone(), access.account.clone(), access.grant),
            (None, None) => return None,
        };
        self.end(grant);
        if !self.is_connected(&client, &account) {
            self.consents.remove(&consent(&client, &account));
        }
        Some((client, account))
    }

    /// Whether the client still holds anything of the account.
    pub fn is_connected(&self, client: &str, account: &str) -> bool {
        self.refresh.values().any(|token| token.client == client && token.account == account)
            || self.access.values().any(|token| token.client == client && token.account == account)
    }

    /// Expires access tokens at once, of one account or of all; says how many.
    pub fn expire_access(&mut self, account: Option<&str>, now: DateTime<Utc>) -> usize {
        let live = self.access.values_mut().filter(|token| token.expires > now);
        live.filter(|token| account.is_none_or(|account| token.account == account))
            .map(|token| token.expires = now)
            .count()
    }

    /// Kills refresh tokens, of one account or of all; says how many.
    pub fn kill_refresh(&mut self, account: Option<&str>) -> usize {
        let before = self.refresh.len();
        self.refresh.retain(|_, token| account.is_some_and(|account| token.account != account));
        before - self.refresh.len()
    }

    /// Numbers of live access and refresh tokens.
    pub fn live(&self, now: DateTime<Utc>) -> (usize, usize) {
        (self.access.values().filter(|token| token.expires > now).count(), self.refresh.len())
    }
}

fn consent(client: &str, account: &str) -> String {
    format!("{client} {account}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::now;

    fn refresh(grant: u64) -> Refresh {
        Refresh { client: "c".into(), account: "ada".into(), scopes: BTreeSet::new(), grant }
    }

    #[test]
    fn a_code_is_used_once_and_dies_after_its_time() {
        let mut grants = Grants::default();
        let code = Code {
            client: "c".into(),
            account: "ada".into(),
            scopes: BTreeSet::new(),
            redirect_uri: "http://x".into(),
            challenge: None,
            refreshable: true,
            expires: now() + TimeDelta::minutes(10),
        };
        let text = grants.issue_code(code.clone());
        assert!(grants.take_code(&text, now()).is_some());
        assert!(grants.take_code(&text, now()).is_none());
        let late = grants.issue_code(code);
        assert!(grants.take_code(&late, now() + TimeDelta::minutes(11)).is_none());
    }

    #[test]
    fn revoking_an_access_token_kills_the_refresh_token_of_its_grant_only() {
        let mut grants = Grants::default();
        let (kept, lost) = (grants.issue_refresh(refresh(1)), grants.issue_refresh(refresh(2)));
        let access = Access {
            client: "c".into(),
            account: "ada".into(),
            scopes: BTreeSet::new(),
            expires: now() + TimeDelta::hours(1),
            grant: 2,
        };
        let access = grants.issue_access(access, now());
        assert!(grants.revoke(&access).is_some());
        assert!(grants.refresh(&lost).is_none());
        assert!(grants.refresh(&kept).is_some());
        assert!(grants.revoke("unknown").is_none());
    }

    #[test]
    fn a_rotated_token_serves_in_its_grace_and_ends_its_grant_after_it() {
        let mut grants = Grants::default();
        let (old, other) = (grants.issue_refresh(refresh(1)), grants.issue_refresh(refresh(2)));
        grants.rotate(&old, now());
        let fresh = grants.issue_refresh(refresh(1));
        let minute = TimeDelta::minutes(1);
        assert!(grants.reuse(&old, minute, true, now()).is_some());
        assert!(grants.reuse(&old, TimeDelta::zero(), false, now()).is_none());
        assert!(grants.refresh(&fresh).is_some(), "without the strict rule the new one lives");
        assert!(grants.reuse(&old, minute, true, now() + minute + minute).is_none());
        assert!(grants.refresh(&fresh).is_none());
        assert!(grants.refresh(&other).is_some(), "another grant is not touched");
        assert!(grants.reuse("unknown", minute, true, now()).is_none());
        assert_eq!(grants.reused, 3);
    }

    #[test]
    fn the_oldest_refresh_token_dies_when_there_are_more_than_a_hundred() {
        let mut grants = Grants::default();
        let tokens: Vec<String> = (1..=101).map(|grant| grants.issue_refresh(refresh(grant))).collect();
        assert!(grants.refresh(&tokens[0]).is_none());
        assert!(grants.refresh(&tokens[1]).is_some());
        assert!(grants.refresh(&tokens[100]).is_some());
    }
}
