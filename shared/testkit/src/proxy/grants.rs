//! Whose token is whose, learned from what passes: a code or a refresh token becomes an access token, and with that one the account is asked for.

use std::collections::BTreeSet;

use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;
use serde_json::Value;

/// The grants seen so far.
#[derive(Debug, Default)]
pub(super) struct Grants(Vec<Grant>);

#[derive(Debug, Default)]
struct Grant {
    tokens: BTreeSet<String>,
    account: Option<String>,
}

impl Grants {
    /// The address of the account on whose behalf a request is made.
    pub fn account(&self, headers: &HeaderMap, body: &[u8]) -> Option<String> {
        let token = bearer(headers).map(str::to_owned).or_else(|| field(body, "refresh_token"))?;
        self.0.iter().find(|grant| grant.tokens.contains(&token))?.account.clone()
    }

    /// Learns from a request and its answer.
    pub fn learn(&mut self, operation: &str, headers: &HeaderMap, body: &[u8], answer: &[u8]) {
        if operation.contains("/oauth2/token") {
            let answer: Value = serde_json::from_slice(answer).unwrap_or(Value::Null);
            let given = ["access_token", "refresh_token"].into_iter().filter_map(|name| answer.get(name)?.as_str());
            let given: BTreeSet<String> = given.map(str::to_owned).collect();
            if given.is_empty() {
                return;
            }
            let before = field(body, "refresh_token");
            let known =
                self.0.iter_mut().find(|grant| before.as_ref().is_some_and(|token| grant.tokens.contains(token)));
            match known {
                Some(grant) => grant.tokens.extend(given),
                None => self.0.push(Grant { tokens: given, account: None }),
            }
        } else if operation.ends_with("/about") {
            let answer: Value = serde_json::from_slice(answer).unwrap_or(Value::Null);
            let address = answer.pointer("/user/emailAddress").and_then(Value::as_str);
            if let (Some(token), Some(address)) = (bearer(headers), address) {
                for grant in self.0.iter_mut().filter(|grant| grant.tokens.contains(token)) {
                    grant.account = Some(address.to_owned());
                }
            }
        }
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
}

fn field(form: &[u8], name: &str) -> Option<String> {
    url::form_urlencoded::parse(form).find(|(found, _)| found == name).map(|(_, value)| value.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_known_by_every_token_of_its_grant() {
        let with = |token: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
            headers
        };
        let mut grants = Grants::default();
        let none = HeaderMap::new();
        grants.learn(
            "POST /google/oauth2/token",
            &none,
            b"code=c",
            b"{\"access_token\": \"a1\", \"refresh_token\": \"r1\"}",
        );
        assert_eq!(grants.account(&with("a1"), b""), None);
        grants.learn(
            "GET /google/www/drive/v3/about",
            &with("a1"),
            b"",
            b"{\"user\": {\"emailAddress\": \"ada@example.com\"}}",
        );
        grants.learn("POST /google/oauth2/token", &none, b"refresh_token=r1", b"{\"access_token\": \"a2\"}");
        for headers in [with("a1"), with("a2")] {
            assert_eq!(grants.account(&headers, b"").as_deref(), Some("ada@example.com"));
        }
        assert_eq!(grants.account(&none, b"refresh_token=r1").as_deref(), Some("ada@example.com"));
        assert_eq!(grants.account(&with("b"), b""), None);
    }
}
