//! What administrators of the platform do and see: the registry of providers, the directory of people and organizations, everybody's
//! syncs, statistics, the audit log, and dead letters.

pub mod delete_member;
pub mod get_any_sync_job;
pub mod get_organization;
pub mod get_stats;
pub mod get_user;
pub mod list_all_sync_jobs;
pub mod list_audit;
pub mod list_dead_letters;
pub mod list_members;
pub mod list_organizations;
pub mod list_registry;
pub mod list_users;
pub mod put_member;
pub mod put_organization;
pub mod put_registry_entry;
pub mod put_user;
pub mod redrive_dead_letters;

use domain::{Owner, UserId};
use web::ApiError;

/// Longest owner that a query may name, in characters: the longer kind, and an id of the greatest length.
const MAX_OWNER_CHARS: usize = 141;

/// The owner that a query names, as keys and logs spell one; `None` if nobody can be called so.
fn owner_named(text: &str) -> Result<Option<Owner>, ApiError> {
    let has_form = text.split_once('/').is_some_and(|(kind, id)| {
        matches!(kind, "user" | "organization") && !id.is_empty() && !id.chars().any(char::is_control)
    });
    if !has_form || text.chars().count() > MAX_OWNER_CHARS {
        return Err(ApiError::invalid("owner: user/<id> or organization/<slug>"));
    }
    Ok(text.parse().ok())
}

/// The person that a query names; `None` if nobody can be called so.
fn person_named(text: String) -> Result<Option<UserId>, ApiError> {
    if text.is_empty() || text.chars().count() > UserId::MAX_BYTES || text.chars().any(char::is_control) {
        return Err(ApiError::invalid("actor: from 1 to 128 characters, none of them a control character"));
    }
    Ok(UserId::new(text).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_are_named_with_their_kind() {
        for name in ["user/ada", "organization/acme", "user/a/b"] {
            assert_eq!(owner_named(name).unwrap().unwrap().to_string(), name);
        }
        for bad in ["", "ada", "user/", "team/x", "organization/", "user/a\nb", &format!("user/{}", "a".repeat(137))] {
            assert_eq!(owner_named(bad).unwrap_err().status.as_u16(), 422, "{bad}");
        }
        assert_eq!(owner_named(&format!("user/{}", "ä".repeat(100))).unwrap(), None, "longer than any id, in bytes");
    }

    #[test]
    fn people_are_named_by_what_can_be_an_id() {
        assert_eq!(person_named("ada#1".to_owned()).unwrap().unwrap().as_str(), "ada#1");
        for bad in ["", "a\0b", &"a".repeat(129)] {
            assert_eq!(person_named(bad.to_owned()).unwrap_err().status.as_u16(), 422, "{bad:?}");
        }
        assert_eq!(person_named("ä".repeat(100)).unwrap(), None, "longer than any id, in bytes");
    }
}
