//! The application's registration, codes and tokens. A connection is a bot of one workspace that sees the pages which its person picked.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::state::{token, uuid};

/// A code, good for ten minutes and one use.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Code {
    pub client: String,
    pub account: String,
    pub pages: Option<BTreeSet<String>>,
    pub redirect_uri: String,
    pub expires: DateTime<Utc>,
}

/// A connection.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Bot {
    pub id: String,
    pub client: String,
    /// Who connected it.
    pub account: String,
    pub workspace: String,
    /// The picked pages and what is in them; absent: everything in the workspace.
    pub pages: Option<BTreeSet<String>>,
}

/// Everything about tokens.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Grants {
    /// Secrets by client id.
    pub clients: BTreeMap<String, String>,
    codes: BTreeMap<String, Code>,
    /// Bots by id.
    pub bots: BTreeMap<String, Bot>,
    /// Access tokens: the bot, and when it ends.
    access: BTreeMap<String, (String, Option<DateTime<Utc>>)>,
    /// Refresh tokens: the bot.
    refresh: BTreeMap<String, String>,
    /// Refresh tokens that were used up.
    used: BTreeMap<String, String>,
    /// How often a used refresh token came again.
    pub reused: u64,
}

impl Grants {
    /// With the client that every sandbox has.
    pub fn with_sandbox_client() -> Self {
        let clients = BTreeMap::from([("sandbox-client".to_owned(), "sandbox-secret".to_owned())]);
        Self { clients, ..Self::default() }
    }

    /// Issues a code.
    pub fn issue_code(&mut self, code: Code) -> String {
        let text = uuid();
        self.codes.insert(text.clone(), code);
        text
    }

    /// Takes a code: whatever comes of it, it cannot be used again.
    pub fn take_code(&mut self, code: &str, now: DateTime<Utc>) -> Option<Code> {
        self.codes.retain(|_, code| code.expires > now);
        self.codes.remove(code)
    }

    /// Connects: the same person at the same client is the same bot, whose earlier tokens end.
    pub fn connect(&mut self, code: &Code, workspace: &str) -> Bot {
        let of = |bot: &&Bot| bot.client == code.client && bot.account == code.account;
        let id = self.bots.values().find(of).map_or_else(uuid, |bot| bot.id.clone());
        let bot = Bot {
            id: id.clone(),
            client: code.client.clone(),
            account: code.account.clone(),
            workspace: workspace.to_owned(),
            pages: code.pages.clone(),
        };
        self.end(&id);
        self.bots.insert(id, bot.clone());
        bot
    }

    /// Issues an access token.
    pub fn issue_access(&mut self, bot: &str, life_seconds: Option<i64>, now: DateTime<Utc>) -> String {
        let text = token("ntn");
        let ends = life_seconds.map(|seconds| now + TimeDelta::try_seconds(seconds).unwrap_or_default());
        self.access.insert(text.clone(), (bot.to_owned(), ends));
        text
    }

    /// Issues a refresh token.
    pub fn issue_refresh(&mut self, bot: &str) -> String {
        let text = token("nrt");
        self.refresh.insert(text.clone(), bot.to_owned());
        text
    }

    /// The bot of a live access token.
    pub fn bot(&self, token: &str, now: DateTime<Utc>) -> Option<&Bot> {
        let (bot, _) = self.access.get(token).filter(|(_, ends)| ends.is_none_or(|ends| ends > now))?;
        self.bots.get(bot)
    }

    /// The bot of a refresh token; with `rotate` the token is used up. One that is used up already is counted.
    pub fn use_refresh(&mut self, token: &str, client: &str, rotate: bool) -> Option<Bot> {
        let Some(id) = self.refresh.get(token).cloned() else {
            self.reused += u64::from(self.used.contains_key(token));
            return None;
        };
        let bot = self.bots.get(&id).filter(|bot| bot.client == client).cloned()?;
        if rotate {
            self.refresh.remove(token);
            self.used.insert(token.to_owned(), id);
        }
        Some(bot)
    }

    /// Whose a token or code is, live or not: for the request log.
    pub fn account_of(&self, secret: &str) -> Option<&str> {
        if let Some(code) = self.codes.get(secret) {
            return Some(&code.account);
        }
        let bot = self.access.get(secret).map(|(bot, _)| bot).or_else(|| self.refresh.get(secret));
        let bot = bot.or_else(|| self.used.get(secret))?;
        self.bots.get(bot).map(|bot| bot.account.as_str())
    }

    /// Ends all tokens of the bot behind an access or refresh token; whether there was one.
    pub fn revoke(&mut self, token: &str) -> bool {
        let bot = self.access.get(token).map(|(bot, _)| bot).or_else(|| self.refresh.get(token)).cloned();
        if let Some(bot) = &bot {
            self.end(bot);
        }
        bot.is_some()
    }

    fn end(&mut self, bot: &str) {
        self.access.retain(|_, (of, _)| of != bot);
        self.refresh.retain(|_, of| of != bot);
    }

    /// Ends access tokens, and with `refresh` the grants, of one account or of all.
    pub fn end_of(&mut self, account: Option<&str>, refresh: bool) {
        let bots: Vec<String> = self
            .bots
            .values()
            .filter(|bot| account.is_none_or(|account| bot.account == account))
            .map(|bot| bot.id.clone())
            .collect();
        self.access.retain(|_, (bot, _)| !bots.contains(bot));
        if refresh {
            self.refresh.retain(|_, bot| !bots.contains(bot));
        }
    }

    /// Bots that hold a token.
    pub fn live(&self) -> impl Iterator<Item = &Bot> {
        let holds =
            |id: &String| self.access.values().any(|(bot, _)| bot == id) || self.refresh.values().any(|bot| bot == id);
        self.bots.values().filter(move |bot| holds(&bot.id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::now;

    fn connected() -> (Grants, Bot) {
        let mut grants = Grants::with_sandbox_client();
        let code = Code {
            client: "sandbox-client".to_owned(),
            account: "ada".to_owned(),
            pages: None,
            redirect_uri: "http://localhost".to_owned(),
            expires: now() + TimeDelta::minutes(10),
        };
        let text = grants.issue_code(code);
        let code = grants.take_code(&text, now()).unwrap();
        assert!(grants.take_code(&text, now()).is_none(), "a code works once");
        let bot = grants.connect(&code, "w");
        (grants, bot)
    }

    #[test]
    fn a_refresh_token_is_used_up_and_counted_when_it_comes_again() {
        let (mut grants, bot) = connected();
        let token = grants.issue_refresh(&bot.id);
        assert!(grants.use_refresh(&token, "another", true).is_none());
        assert!(grants.use_refresh(&token, "sandbox-client", false).is_some());
        assert!(grants.use_refresh(&token, "sandbox-client", true).is_some());
        assert!(grants.use_refresh(&token, "sandbox-client", true).is_none());
        assert_eq!((grants.reused, grants.account_of(&token)), (1, Some("ada")));
    }

    #[test]
    fn connecting_again_is_the_same_bot_and_ends_its_earlier_tokens() {
        let (mut grants, bot) = connected();
        let token = grants.issue_access(&bot.id, None, now());
        assert!(grants.bot(&token, now()).is_some());
        let code = Code {
            client: bot.client.clone(),
            account: bot.account.clone(),
            pages: None,
            redirect_uri: String::new(),
            expires: now(),
        };
        assert_eq!(grants.connect(&code, "w").id, bot.id);
        assert!(grants.bot(&token, now()).is_none());
        let short = grants.issue_access(&bot.id, Some(60), now());
        assert!(grants.bot(&short, now() + TimeDelta::minutes(2)).is_none());
        assert!(grants.revoke(&short) && !grants.revoke(&short));
    }
}
