//! What the proxy remembers: the plan and its counters, what was struck, who needed which permission, what was sent, which secrets passed.

use std::collections::{BTreeMap, BTreeSet};

use hyper::body::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::call::Call;
use super::grants::Grants;
use super::people::People;
use super::{Fault, Kind, Side};

/// A permission that a call needed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Need {
    /// The function's name without the stack's.
    pub function: String,
    /// `dynamodb:GetItem`.
    pub action: String,
    /// The resource's ARN.
    pub resource: String,
}

/// A fault that struck.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Struck {
    /// Its place in the plan, from 0.
    pub fault: usize,
    /// In words: what was done to which call.
    pub what: String,
}

/// A message that a function put on a queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// The queue.
    pub queue_url: String,
    /// The entry of the batch, or the request, as it was sent.
    pub message: Value,
}

/// Enough for any test.
const SENT_AT_MOST: usize = 20_000;

/// What is planned and noted for a person.
#[derive(Debug, Default)]
pub(super) struct Plan {
    faults: Vec<(Fault, u64)>,
    pub struck: Vec<Struck>,
    /// How often each function made each call.
    pub tally: BTreeMap<String, u64>,
    pub sent: Vec<Sent>,
}

/// All that is remembered, behind one lock.
#[derive(Debug, Default)]
pub(super) struct Notes {
    plans: BTreeMap<String, Plan>,
    /// Whose rows are whose.
    people: People,
    /// Whose token is whose.
    pub grants: Grants,
    pub needs: BTreeSet<Need>,
    pub secrets: BTreeSet<String>,
}

impl Notes {
    /// Sets a person's plan; counting begins anew.
    pub fn set_plan(&mut self, person: &str, faults: Vec<Fault>) {
        self.people.add(person);
        let faults = faults.into_iter().map(|fault| (fault, 0)).collect();
        self.plans.insert(person.to_owned(), Plan { faults, ..Plan::default() });
    }

    /// What was noted for a person.
    pub fn plan(&self, person: &str) -> Option<&Plan> {
        self.plans.get(person)
    }

    /// Counts the call, and says what a plan has for it. The first fault that strikes wins; all count.
    pub fn count(&mut self, call: &Call) -> Option<Kind> {
        let needs = call.needs.iter().map(|(action, resource)| Need {
            function: call.function.clone(),
            action: action.clone(),
            resource: resource.clone(),
        });
        self.needs.extend(needs);
        let concerned = self.people.concerned(call);
        let mut found = None;
        for (person, plan) in &mut self.plans {
            let concerned = concerned.contains(person);
            if concerned {
                *plan.tally.entry(format!("{} {}", call.function, call.operation)).or_default() += 1;
            }
            let faults = plan.faults.iter_mut().enumerate();
            for (place, (fault, seen)) in
                faults.filter(|(_, (fault, _))| (concerned || fault.at.anybody) && call.is_at(&fault.at))
            {
                *seen += 1;
                let strikes = *seen >= fault.nth && *seen - fault.nth < fault.times && possible(&fault.what, call);
                if strikes && found.is_none() {
                    let what = format!("{:?}: {} {} {}", fault.what, call.function, call.operation, call.resource);
                    plan.struck.push(Struck { fault: place, what });
                    found = Some(fault.what.clone());
                }
            }
        }
        found
    }

    /// Remembers messages put on a queue, for those whom they concern.
    pub fn note_sent(&mut self, call: &Call, body: &[u8]) {
        if !call.operation.starts_with("SQS.SendMessage") {
            return;
        }
        let request: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
        let Some(queue) = request.get("QueueUrl").and_then(Value::as_str) else { return };
        let entries = request.get("Entries").and_then(Value::as_array).cloned();
        let messages = entries.unwrap_or_else(|| vec![request.clone()]);
        for person in self.people.concerned(call) {
            if let Some(plan) = self.plans.get_mut(&person).filter(|plan| plan.sent.len() < SENT_AT_MOST) {
                let sent =
                    messages.iter().map(|message| Sent { queue_url: queue.to_owned(), message: message.clone() });
                plan.sent.extend(sent);
            }
        }
    }

    /// Remembers the secrets in what went to and came from a provider's token endpoint, and KMS's plain keys.
    pub fn note_secrets(&mut self, call: &Call, request: &Bytes, answer: &Bytes) {
        match call.side {
            Side::Provider if call.operation.contains("token") || call.operation.contains("revoke") => {
                let form = url::form_urlencoded::parse(request);
                let found = form.filter(|(name, _)| SECRET_FIELDS.contains(&name.as_ref()));
                self.secrets.extend(found.map(|(_, value)| value.into_owned()));
                self.fields(answer, SECRET_FIELDS);
            }
            Side::Aws if call.operation.starts_with("KMS.") => self.fields(answer, &["Plaintext"]),
            Side::Aws | Side::Provider => {}
        }
    }

    fn fields(&mut self, json: &Bytes, names: &[&str]) {
        let value: Value = serde_json::from_slice(json).unwrap_or(Value::Null);
        let found = names.iter().filter_map(|name| value.get(*name)?.as_str());
        self.secrets.extend(found.map(str::to_owned));
    }
}

/// Fields of OAuth's requests and answers whose values nobody may read in a log.
const SECRET_FIELDS: &[&str] = &["access_token", "refresh_token", "code", "code_verifier", "client_secret", "token"];

/// Whether a kind of fault fits the call: some concern messages only, and only functions can be killed.
fn possible(kind: &Kind, call: &Call) -> bool {
    match kind {
        Kind::Duplicate { .. } | Kind::Postpone { .. } => call.operation.starts_with("SQS.SendMessage"),
        Kind::Reorder => call.operation == "SQS.SendMessageBatch",
        Kind::LeaveOut { .. } => ["SQS.SendMessageBatch", "DynamoDB.BatchWriteItem", "DynamoDB.BatchGetItem"]
            .contains(&call.operation.as_str()),
        Kind::KillBefore | Kind::KillAfter | Kind::Freeze => !call.function.is_empty(),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::super::Boundary;
    use super::*;

    fn call(operation: &str) -> Call {
        Call {
            side: Side::Aws,
            function: "api".into(),
            operation: operation.into(),
            resource: String::new(),
            about: "ada".into(),
            needs: vec![("a:B".into(), "arn".into())],
        }
    }

    #[test]
    fn a_fault_strikes_only_what_concerns_its_person() {
        let mut notes = Notes::default();
        let at = Boundary::of(Side::Aws);
        notes.set_plan("ada", vec![Fault { at, nth: 1, times: 9, what: Kind::Reset }]);
        assert_eq!(notes.count(&Call { about: "bob".into(), ..call("SQS.X") }), None);
        assert_eq!(notes.count(&call("SQS.X")), Some(Kind::Reset));
        let at = Boundary::of(Side::Aws).anybody();
        notes.set_plan("ada", vec![Fault { at, nth: 1, times: 9, what: Kind::Reset }]);
        assert_eq!(notes.count(&Call { about: "bob".into(), ..call("SQS.X") }), Some(Kind::Reset));
    }

    #[test]
    fn a_fault_strikes_the_call_it_names_and_as_often_as_it_says() {
        let mut notes = Notes::default();
        let at = Boundary::of(Side::Aws).operation("SQS.");
        notes.set_plan("ada", vec![Fault { at, nth: 2, times: 2, what: Kind::Reset }]);
        let kinds: Vec<_> = (0..5).map(|_| (notes.count(&call("SQS.X")), notes.count(&call("KMS.X")))).collect();
        let struck: Vec<bool> = kinds.iter().map(|(sqs, _)| sqs.is_some()).collect();
        assert_eq!(struck, [false, true, true, false, false]);
        assert!(kinds.iter().all(|(_, kms)| kms.is_none()));
        let plan = notes.plan("ada").unwrap();
        assert_eq!((plan.struck.len(), plan.tally["api SQS.X"]), (2, 5));
        assert_eq!(notes.needs.len(), 1);
    }

    #[test]
    fn what_does_not_fit_the_call_does_not_happen() {
        let mut notes = Notes::default();
        notes.set_plan("ada", vec![Fault { at: Boundary::of(Side::Aws), nth: 1, times: 9, what: Kind::Reorder }]);
        assert_eq!(notes.count(&call("SQS.SendMessage")), None);
        assert_eq!(notes.count(&call("SQS.SendMessageBatch")), Some(Kind::Reorder));
    }

    #[test]
    fn secrets_that_pass_are_remembered() {
        let mut notes = Notes::default();
        let call = Call::to_provider("api", "POST", "/google/oauth2/token", None);
        let form = Bytes::from_static(b"grant_type=refresh_token&refresh_token=r%2F1&client_secret=s");
        notes.note_secrets(&call, &form, &Bytes::from_static(b"{\"access_token\": \"a\", \"scope\": \"x\"}"));
        assert_eq!(notes.secrets.iter().map(String::as_str).collect::<Vec<_>>(), ["a", "r/1", "s"]);
    }
}
