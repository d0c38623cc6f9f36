//! The limits of plans, as refusals tell of them: which one was met, and what would lift it.

use domain::plan::Plan;
use domain::{ProviderId, SyncFrequency};
use http::StatusCode;
use web::{ApiError, Limit, Scope};

use crate::error::Error;
use crate::state::Api;

/// What stands in the way of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Barred {
    /// The plan allows no further integration.
    Quota,
    /// The plan has not this provider, or the operator has switched it off.
    NotOffered,
}

/// The refusal of a connection for this owner. Reads the registry's entry where that decides.
pub async fn barred(api: &Api, scope: &Scope, provider: ProviderId, barred: Barred) -> Error {
    let refusal = match barred {
        Barred::Quota => integrations(scope.plan),
        Barred::NotOffered => match api.store.registry_entry(provider).await {
            Ok(entry) if !entry.enabled => disabled(),
            Ok(entry) => not_in_plan(scope.plan, &entry.allowed_plans),
            Err(error) => return error.into(),
        },
    };
    Error(refusal)
}

/// 402: as many integrations are connected as the plan allows.
pub fn integrations(plan: Plan) -> ApiError {
    let most = plan.max_integrations();
    let upgrade = plan.upgrade(|larger| match (larger.max_integrations(), most) {
        (None, _) => true,
        (Some(allowed), Some(most)) => allowed > most,
        (Some(_), None) => false,
    });
    let larger = upgrade.map_or_else(String::new, |larger| {
        format!(", or change to the plan {} ({})", larger.as_str(), number(larger.max_integrations()))
    });
    let words = format!("the plan {} allows {}; disconnect one first{larger}", plan.as_str(), number(most));
    met(
        "quota_exceeded",
        StatusCode::PAYMENT_REQUIRED,
        words,
        "integrations",
        most.map(|most| most.to_string()),
        plan,
        upgrade,
    )
}

/// 402: the plan pulls less often than was asked for.
pub fn frequency(plan: Plan, upgrade: Option<Plan>) -> ApiError {
    let fastest = match plan {
        Plan::Free => SyncFrequency::Daily,
        Plan::Pro => SyncFrequency::Hourly,
        Plan::Enterprise => SyncFrequency::FifteenMin,
    };
    let fastest = match fastest {
        SyncFrequency::Daily => "DAILY",
        SyncFrequency::Hourly => "HOURLY",
        _ => "FIFTEEN_MIN",
    };
    let larger = upgrade.map_or_else(String::new, |larger| format!("; the plan {} allows it", larger.as_str()));
    let words = format!("syncFrequency: the plan {} syncs {fastest} at most{larger}", plan.as_str());
    met(
        "quota_exceeded",
        StatusCode::PAYMENT_REQUIRED,
        words,
        "sync_frequency",
        Some(fastest.to_owned()),
        plan,
        upgrade,
    )
}

/// 403: the provider is in other plans.
pub fn not_in_plan(plan: Plan, allowed: &[Plan]) -> ApiError {
    let upgrade = plan.upgrade(|larger| allowed.contains(&larger));
    let names: Vec<&str> = allowed.iter().map(|plan| plan.as_str()).collect();
    let words = format!("this provider is not part of the plan {}; it is in {}", plan.as_str(), names.join(", "));
    met("not_in_plan", StatusCode::FORBIDDEN, words, "provider", None, plan, upgrade)
}

/// 403: the operator has switched the provider off. No plan lifts that.
pub fn disabled() -> ApiError {
    ApiError::forbidden("provider_disabled", "this provider is switched off at present")
}

fn number(most: Option<usize>) -> String {
    match most {
        Some(1) => "1 integration".to_owned(),
        Some(number) => format!("{number} integrations"),
        None => "any number of integrations".to_owned(),
    }
}

fn met(
    code: &'static str,
    status: StatusCode,
    words: String,
    limit: &'static str,
    allowed: Option<String>,
    plan: Plan,
    upgrade: Option<Plan>,
) -> ApiError {
    let upgrade = upgrade.map(|larger| larger.as_str().to_owned());
    ApiError::new(status, code, words).limited_by(Limit { limit, allowed, plan: plan.as_str().to_owned(), upgrade })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A refusal's words, and what its body says of the limit.
    #[track_caller]
    fn check(error: &ApiError, status: u16, words: &str, limit: (&str, Option<&str>, &str, Option<&str>)) {
        assert_eq!((error.status.as_u16(), error.message.as_ref()), (status, words));
        let met = error.limit.as_deref().expect("a limit");
        assert_eq!((met.limit, met.allowed.as_deref(), met.plan.as_str(), met.upgrade.as_deref()), limit);
    }

    #[test]
    fn a_met_limit_says_what_would_lift_it() {
        let words =
            "the plan free allows 1 integration; disconnect one first, or change to the plan pro (5 integrations)";
        check(&integrations(Plan::Free), 402, words, ("integrations", Some("1"), "free", Some("pro")));
        let words = "the plan pro allows 5 integrations; disconnect one first, \
                     or change to the plan enterprise (any number of integrations)";
        check(&integrations(Plan::Pro), 402, words, ("integrations", Some("5"), "pro", Some("enterprise")));
    }

    #[test]
    fn a_frequency_that_is_refused_names_the_fastest_that_is_not() {
        let words = "syncFrequency: the plan free syncs DAILY at most; the plan enterprise allows it";
        let error = frequency(Plan::Free, Some(Plan::Enterprise));
        check(&error, 402, words, ("sync_frequency", Some("DAILY"), "free", Some("enterprise")));
    }

    #[test]
    fn a_provider_of_other_plans_names_them_and_one_that_is_off_names_none() {
        let error = not_in_plan(Plan::Free, &[Plan::Enterprise]);
        let words = "this provider is not part of the plan free; it is in enterprise";
        check(&error, 403, words, ("provider", None, "free", Some("enterprise")));
        let smaller_only = not_in_plan(Plan::Enterprise, &[Plan::Free]);
        assert_eq!(smaller_only.limit.unwrap().upgrade, None);
        assert!(disabled().limit.is_none());
    }
}
