//! What shall go wrong on the wire: rules set by the control API, matched against each request.

use serde::{Deserialize, Serialize};

/// Which requests a rule hits; an absent field matches everything.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Match {
    pub method: Option<String>,
    /// Beginning of the path as the sandbox sees it: `/google/www/drive/v3/files`.
    pub path_prefix: Option<String>,
    pub account: Option<String>,
    /// Name of the operation, as in the request log (`files.list`), or the beginning of it up to a dot (`oauth2.token`).
    pub operation: Option<String>,
}

/// What a rule does to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// Answer with `status` (503) in the provider's error form, or with `body`.
    Status,
    /// Cut the connection without an answer.
    Reset,
    /// Wait `delayMs`, then answer truly; with `afterEffect` the work is done before the wait.
    Delay,
    /// Say nothing for `delayMs` (an hour), then cut the connection.
    Silent,
    /// The true answer, a byte every `delayMs` (20).
    Trickle,
    /// 200 with a body that is not JSON.
    Garbage,
    /// The true answer, cut in the middle.
    Truncate,
    /// 200 with an HTML page.
    Html,
    /// 200 with a body that never ends; `delayMs` between pieces makes it trickle.
    Endless,
    /// The provider's own "too fast", with `retryAfter` seconds if given.
    RateLimit,
    /// The true page without `share` (0.3) of its items.
    CutListing,
    /// The true page without the cursor that leads on.
    EndListing,
    /// The true page, and from then on empty pages that lead to themselves.
    RepeatCursor,
    /// The true page, and from then on empty pages that lead to each other.
    LoopCursor,
    /// An empty page that leads on to the true one.
    EmptyPage,
    /// The true page with a number where the last item's id belongs.
    WrongTypes,
    /// The true answer with fields that nobody knows, in the object and in the objects of its lists.
    ExtraFields,
    /// The true answer without the fields that say nothing: null, an empty text, list or object.
    LeanFields,
}

/// A rule as set: `POST /control/faults`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rule {
    #[serde(default, rename = "match")]
    pub matches: Match,
    pub kind: Kind,
    /// How often it hits before it is spent; absent: until removed.
    pub times: Option<u64>,
    /// Chance of a hit for each matching request; absent: always.
    pub probability: Option<f64>,
    pub status: Option<u16>,
    pub reason: Option<String>,
    /// Seconds, or any text that the header shall carry.
    pub retry_after: Option<serde_json::Value>,
    pub delay_ms: Option<u64>,
    pub body: Option<String>,
    /// Which part of the items `cutListing` leaves out.
    pub share: Option<f64>,
    /// Let the request take effect first and spoil only its answer.
    #[serde(default)]
    pub after_effect: bool,
}

/// A rule in force.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Fault {
    pub id: u64,
    #[serde(flatten)]
    pub rule: Rule,
    pub hits: u64,
}

/// What a rule is matched against.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    pub method: &'a str,
    pub path: &'a str,
    pub account: Option<&'a str>,
    pub operation: &'a str,
}

/// All rules in force; the first that hits decides.
#[derive(Debug, Default)]
pub struct Faults {
    last_id: u64,
    rules: Vec<Fault>,
}

impl Faults {
    /// Adds a rule and returns it with its number.
    pub fn add(&mut self, rule: Rule) -> Fault {
        self.last_id += 1;
        let fault = Fault { id: self.last_id, rule, hits: 0 };
        self.rules.push(fault.clone());
        fault
    }

    /// All rules, spent ones too.
    pub fn all(&self) -> &[Fault] {
        &self.rules
    }

    /// Removes one rule; what it was, if it was there.
    pub fn remove(&mut self, id: u64) -> Option<Fault> {
        let at = self.rules.iter().position(|fault| fault.id == id)?;
        Some(self.rules.remove(at))
    }

    /// Removes all rules.
    pub fn clear(&mut self) {
        self.rules.clear();
    }

    /// The rule that hits this request, if one does; counts the hit. `chance` gives a number in `0..1`.
    pub fn hit(&mut self, subject: Subject<'_>, mut chance: impl FnMut() -> f64) -> Option<Rule> {
        let fault = self.rules.iter_mut().find(|fault| {
            let unspent = fault.rule.times.is_none_or(|times| fault.hits < times);
            unspent && fault.rule.matches.covers(subject) && fault.rule.probability.is_none_or(|p| chance() < p)
        })?;
        fault.hits += 1;
        Some(fault.rule.clone())
    }
}

impl Match {
    fn covers(&self, subject: Subject<'_>) -> bool {
        self.method.as_deref().is_none_or(|method| method.eq_ignore_ascii_case(subject.method))
            && self.path_prefix.as_deref().is_none_or(|prefix| subject.path.starts_with(prefix))
            && self.account.as_deref().is_none_or(|account| subject.account == Some(account))
            && self.operation.as_deref().is_none_or(|operation| {
                let rest = subject.operation.strip_prefix(operation);
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: Subject<'_> =
        Subject { method: "GET", path: "/google/www/drive/v3/files", account: Some("ada"), operation: "files.list" };

    fn rule(json: &str) -> Rule {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_rule_is_spent_after_its_times() {
        let mut faults = Faults::default();
        faults.add(rule(r#"{"kind":"reset","times":2}"#));
        let hits: Vec<bool> = (0..3).map(|_| faults.hit(LIST, || 0.0).is_some()).collect();
        assert_eq!(hits, [true, true, false]);
    }

    #[test]
    fn every_field_of_the_match_must_agree() {
        for (matches, expected) in [
            (r#"{"method":"get"}"#, true),
            (r#"{"method":"POST"}"#, false),
            (r#"{"pathPrefix":"/google/www"}"#, true),
            (r#"{"pathPrefix":"/google/oauth2"}"#, false),
            (r#"{"account":"bob"}"#, false),
            (r#"{"account":"ada","operation":"files.list"}"#, true),
            (r#"{"operation":"files.get"}"#, false),
            (r#"{"operation":"files"}"#, true),
            (r#"{"operation":"files.li"}"#, false),
        ] {
            let mut faults = Faults::default();
            faults.add(rule(&format!(r#"{{"kind":"html","match":{matches}}}"#)));
            assert_eq!(faults.hit(LIST, || 0.0).is_some(), expected, "{matches}");
        }
    }

    #[test]
    fn probability_is_the_share_of_requests_hit() {
        let mut faults = Faults::default();
        faults.add(rule(r#"{"kind":"status","probability":0.5}"#));
        assert!(faults.hit(LIST, || 0.49).is_some());
        assert!(faults.hit(LIST, || 0.5).is_none());
    }
}
