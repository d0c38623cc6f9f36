//! Codes and tokens: what was granted to the app by whom, and until when.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::{clock, random};

/// What a code is good for, once and for ten minutes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Code {
    pub team: String,
    pub user: String,
    pub redirect_uri: String,
    pub bot_scopes: BTreeSet<String>,
    pub user_scopes: BTreeSet<String>,
    pub expires: DateTime<Utc>,
    pub used: bool,
}

/// A token: the bot's, or a person's.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Token {
    pub team: String,
    /// Whom it acts as.
    pub user: String,
    pub is_bot: bool,
    pub scopes: BTreeSet<String>,
    pub expires: Option<DateTime<Utc>>,
    pub revoked: bool,
}

/// A refresh token of a bot or person.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Refresh {
    pub team: String,
    pub user: String,
    pub is_bot: bool,
    pub scopes: BTreeSet<String>,
    pub dead: bool,
}

/// Tokens as they are handed out.
#[derive(Debug, Clone)]
pub struct Pair {
    pub access: String,
    pub refresh: Option<String>,
    pub lifetime: Option<i64>,
    pub scopes: BTreeSet<String>,
}

/// All of them.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Grants {
    codes: BTreeMap<String, Code>,
    tokens: BTreeMap<String, Token>,
    refresh: BTreeMap<String, Refresh>,
}

impl Grants {
    /// Issues a code.
    pub fn issue(&mut self, code: Code) -> String {
        let text = format!("{}.{}.{}", random::letters(12), random::letters(12), random::letters(40));
        self.codes.insert(text.clone(), code);
        text
    }

    /// Uses a code.
    pub fn redeem(&mut self, code: &str, redirect_uri: Option<&str>) -> Result<Code, &'static str> {
        let found = self.codes.get_mut(code).ok_or("invalid_code")?;
        if found.used {
            return Err("code_already_used");
        }
        if found.expires <= clock::now() {
            return Err("code_expired");
        }
        if redirect_uri.is_some_and(|uri| uri != found.redirect_uri) {
            return Err("bad_redirect_uri");
        }
        found.used = true;
        Ok(found.clone())
    }

    /// Whose a code is, for the log.
    pub fn team_of_code(&self, code: &str) -> Option<&str> {
        self.codes.get(code).map(|code| code.team.as_str())
    }

    /// Whose a refresh token is, for the log.
    pub fn team_of_refresh(&self, token: &str) -> Option<&str> {
        self.refresh.get(token).map(|refresh| refresh.team.as_str())
    }

    /// A token for a bot or person. Scopes only ever grow. Without rotation there is one token for each, and it is given again.
    pub fn grant(
        &mut self,
        team: &str,
        user: &str,
        is_bot: bool,
        scopes: &BTreeSet<String>,
        lifetime: Option<i64>,
    ) -> Pair {
        let same = |token: &&mut Token| token.team == team && token.user == user && !token.revoked;
        let mut all = scopes.clone();
        for token in self.tokens.values_mut().filter(same) {
            all.extend(token.scopes.iter().cloned());
        }
        let standing = self.tokens.iter_mut().find(|(_, token)| {
            token.team == team && token.user == user && !token.revoked && token.expires.is_none() && lifetime.is_none()
        });
        if let Some((text, token)) = standing {
            token.scopes.clone_from(&all);
            return Pair { access: text.clone(), refresh: None, lifetime: None, scopes: all };
        }
        let kind = if is_bot { "xoxb" } else { "xoxp" };
        let rotated = lifetime.map(|_| "xoxe.").unwrap_or_default();
        let access = format!("{rotated}{kind}-{}", random::letters(48));
        let token = Token {
            team: team.to_owned(),
            user: user.to_owned(),
            is_bot,
            scopes: all.clone(),
            expires: lifetime.map(|seconds| clock::now() + TimeDelta::seconds(seconds)),
            revoked: false,
        };
        self.tokens.insert(access.clone(), token);
        let refresh = lifetime.map(|_| format!("xoxe-1-{}", random::letters(64)));
        if let Some(text) = &refresh {
            let refresh =
                Refresh { team: team.to_owned(), user: user.to_owned(), is_bot, scopes: all.clone(), dead: false };
            self.refresh.insert(text.clone(), refresh);
        }
        Pair { access, refresh, lifetime, scopes: all }
    }

    /// A new pair for a refresh token, which is used up by that.
    pub fn renew(&mut self, token: &str, lifetime: i64) -> Result<(Refresh, Pair), &'static str> {
        let old = self.refresh.get_mut(token).filter(|refresh| !refresh.dead).ok_or("invalid_refresh_token")?;
        old.dead = true;
        let old = old.clone();
        let pair = self.grant(&old.team, &old.user, old.is_bot, &old.scopes, Some(lifetime));
        Ok((old, pair))
    }

    /// A live token, or what Slack says of it.
    pub fn token(&self, text: &str) -> Result<&Token, &'static str> {
        let token = self.tokens.get(text).ok_or("invalid_auth")?;
        match token {
            token if token.revoked => Err("token_revoked"),
            token if token.expires.is_some_and(|end| end <= clock::now()) => Err("token_expired"),
            token => Ok(token),
        }
    }

    /// Revokes one token.
    pub fn revoke_one(&mut self, text: &str) {
        if let Some(token) = self.tokens.get_mut(text) {
            token.revoked = true;
            let (team, user) = (token.team.clone(), token.user.clone());
            for refresh in self.refresh.values_mut().filter(|refresh| refresh.team == team && refresh.user == user) {
                refresh.dead = true;
            }
        }
    }

    /// Revokes everything of a workspace, or of all; how many tokens that were.
    pub fn revoke(&mut self, team: Option<&str>) -> usize {
        for refresh in self.refresh.values_mut().filter(|refresh| team.is_none_or(|team| refresh.team == team)) {
            refresh.dead = true;
        }
        let live = |token: &&mut Token| !token.revoked && team.is_none_or(|team| token.team == team);
        self.tokens.values_mut().filter(live).map(|token| token.revoked = true).count()
    }

    /// Lets access tokens end that can be refreshed; how many.
    pub fn expire(&mut self, team: Option<&str>) -> usize {
        let now = clock::now();
        let live = |token: &&mut Token| token.expires.is_some() && team.is_none_or(|team| token.team == team);
        self.tokens.values_mut().filter(live).map(|token| token.expires = Some(now)).count()
    }

    /// Those whom events of a channel may be sent for: the live tokens of a workspace.
    pub fn of(&self, team: &str) -> impl Iterator<Item = &Token> {
        self.tokens.values().filter(move |token| token.team == team && !token.revoked)
    }

    /// How many tokens are alive: access and refresh.
    pub fn live(&self) -> (usize, usize) {
        let now = clock::now();
        let is_live = |token: &&Token| !token.revoked && token.expires.is_none_or(|end| end > now);
        (self.tokens.values().filter(is_live).count(), self.refresh.values().filter(|refresh| !refresh.dead).count())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scopes(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn without_rotation_a_bot_has_one_token_whose_scopes_grow() {
        let mut grants = Grants::default();
        let first = grants.grant("T1", "U1", true, &scopes(&["a"]), None);
        let second = grants.grant("T1", "U1", true, &scopes(&["b"]), None);
        assert_eq!(first.access, second.access);
        assert_eq!(second.scopes, scopes(&["a", "b"]));
        assert!(second.refresh.is_none() && grants.token(&first.access).is_ok());
        grants.revoke(Some("T1"));
        assert_eq!(grants.token(&first.access).err(), Some("token_revoked"));
    }

    #[test]
    fn a_refresh_token_is_good_once() {
        let mut grants = Grants::default();
        let first = grants.grant("T1", "U1", true, &scopes(&["a"]), Some(43_200));
        let refresh = first.refresh.unwrap();
        let (_, second) = grants.renew(&refresh, 43_200).unwrap();
        assert!(grants.token(&second.access).is_ok() && second.access.starts_with("xoxe.xoxb-"));
        assert_eq!(grants.renew(&refresh, 43_200).err(), Some("invalid_refresh_token"));
        grants.expire(None);
        assert_eq!(grants.token(&second.access).err(), Some("token_expired"));
    }
}
