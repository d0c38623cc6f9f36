//! The only file that spells a key. Every table has the partition key `pk` and the sort key `sk`, both text.
//!
//! | table | entity | `pk` | `sk` | asked by |
//! | --- | --- | --- | --- | --- |
//! | integrations | integration | `O#<owner>` | `I#<provider>` | everyone |
//! | integrations | remembered account | `O#<owner>` | `A#<provider>#<account>` | connecting: the id to use again |
//! | integrations | subscription | `I#<integration id>` | `W#<subscription id>` | webhook, scheduler |
//! | integrations | circuit of a provider | `C#<provider>` | `C` | workers, scheduler |
//! | integrations | circuit of the sink | `C#sink` | `C` | resource-worker, where the sink is an address |
//! | integrations | OAuth state | `S#<SHA-256 of the state, hex>` | `S` | callback |
//! | integrations | counters | `N#<shard, 1 hex digit>` | `D#<day>#<provider>`, `S#<provider>` | statistics |
//! | jobs | sync job | `I#<integration id>` | `J#<job id>` | workers, history, admin |
//! | jobs | page of a run | `J#<job id>` | `P#<page, 8 digits>#<part, 4 digits>` | sync-worker |
//! | records | record | `I#<integration id>` | `R#<external id>` | workers, resources |
//! | records | memories of a resource | `I#<integration id>` | `M#<external id>` | resource-worker, where the sink is Cognia |
//! | records | holders of a memory | `Y#<memory id>` | `Y` | resource-worker, where the sink is Cognia |
//! | directory | user | `U#<user id>` | `U` | access |
//! | directory | organization | `G#<slug>` | `G` | access, settings |
//! | directory | membership | `G#<slug>` | `M#<user id>` | access |
//! | directory | registry entry | `R` | `R#<provider>` | connecting, scheduler, admin |
//! | limits | rate bucket and block | `B#<key>` | `B` | workers |
//! | limits | delivery seen | `D#<key>` | `D` | webhook |
//! | limits | key that a handshake offered | `V#<provider>` | `V` | an operator |
//! | limits | request done once | `K#<hash of who, what and the Idempotency-Key>` | `K` | api |
//! | audit | entry | `A#<month>` | `E#<entry id>` | admin |
//!
//! | table | index | partition | sort | rows |
//! | --- | --- | --- | --- | --- |
//! | integrations | `due` | `due_shard` (`0` to `3`) | `due_at` (epoch ms) | integrations and subscriptions to look at; projects `owner`, `provider`, `integration_id`, `kind`, `active_job_id` |
//! | integrations | `account` | `account_key` (`<provider>#<account>`) | `pk` | connected integrations; projects `owner`, `provider`, `integration_id` |
//! | jobs | `started` | `started_under` (`<month>#<status>`) | `sk` | sync jobs, and not their pages; projects `owner`, `provider` |
//! | directory | `listing` | `listed_under` (`U`, `G`, `M#<user id>`) | `pk` | people, organizations, a person's memberships; projects everything |
//! | audit | `actor` | `actor` | `sk` | what a person did; projects everything |
//! | audit | `owner` | `owner` | `sk` | what was done to what is an owner's; projects everything |
//! | records | `failed` | `failed_pk` (`I#<integration id>`) | `sk` | records in the state `failed`; projects everything |
//!
//! `expires_at` (epoch seconds) is every table's expiry attribute. DynamoDB deletes late, so readers check it too wherever
//! a row that should be gone would do harm (states, deliveries).
//!
//! User and organization ids come from outside and may contain `#`; no key is ever taken apart at a `#` that follows one.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::id::EntryId;
use domain::provider::ProviderId;
use domain::{AccountId, ExternalId, IntegrationId, JobId, OrganizationId, Owner, UserId};
use sha2::{Digest as _, Sha256};

use crate::newest::month;

/// The partition key's attribute.
pub(crate) const PK: &str = "pk";
/// The sort key's attribute.
pub(crate) const SK: &str = "sk";

/// The index of what the scheduler looks at.
pub(crate) const DUE_INDEX: &str = "due";
/// The index from a provider's account to the integrations that are connected to it.
pub(crate) const ACCOUNT_INDEX: &str = "account";
/// The index of failed records.
pub(crate) const FAILED_INDEX: &str = "failed";

/// The index of sync jobs by month and status.
pub(crate) const STARTED_INDEX: &str = "started";
/// The index of people and organizations.
pub(crate) const LISTING_INDEX: &str = "listing";
/// The index of the audit log by who did it.
pub(crate) const ACTOR_INDEX: &str = "actor";
/// The index of the audit log by whose it was done to.
pub(crate) const OWNER_INDEX: &str = "owner";

/// Sort prefix of integrations.
pub(crate) const INTEGRATION: &str = "I#";
/// Sort prefix of subscriptions.
pub(crate) const SUBSCRIPTION: &str = "W#";
/// Sort prefix of sync jobs.
pub(crate) const JOB: &str = "J#";
/// Sort prefix of pages.
pub(crate) const PAGE: &str = "P#";
/// Sort prefix of records.
pub(crate) const RECORD: &str = "R#";
/// Sort prefix of memberships.
pub(crate) const MEMBER: &str = "M#";
/// Sort prefix of remembered accounts.
pub(crate) const ACCOUNT: &str = "A#";
/// Sort prefix of the audit log's entries.
pub(crate) const ENTRY: &str = "E#";
/// Partition prefix of people, and what they are listed under.
pub(crate) const USER: &str = "U";
/// Partition prefix of organizations, and what they are listed under.
pub(crate) const ORGANIZATION: &str = "G";
/// Sort prefix of the counters of a day.
pub(crate) const DAY: &str = "D#";
/// Sort prefix of the counters of what is connected.
pub(crate) const STATE: &str = "S#";
/// The partition, and sort prefix, of the registry.
pub(crate) const REGISTRY: &str = "R";

/// A row's full key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) pk: String,
    pub(crate) sk: String,
}

impl Key {
    const fn new(pk: String, sk: String) -> Self {
        Self { pk, sk }
    }

    /// The key as DynamoDB wants it.
    pub(crate) fn attributes(self) -> Option<HashMap<String, AttributeValue>> {
        Some(HashMap::from([(PK.to_owned(), AttributeValue::S(self.pk)), (SK.to_owned(), AttributeValue::S(self.sk))]))
    }
}

pub(crate) fn owner(owner: &Owner) -> String {
    format!("O#{owner}")
}

pub(crate) fn integration(of: &Owner, provider: ProviderId) -> Key {
    Key::new(owner(of), format!("{INTEGRATION}{provider}"))
}

pub(crate) fn account(of: &Owner, provider: ProviderId, account: &AccountId) -> Key {
    Key::new(owner(of), format!("A#{provider}#{account}"))
}

/// The partition key of the index `account`.
pub(crate) fn account_key(provider: ProviderId, account: &AccountId) -> String {
    format!("{provider}#{account}")
}

/// The partition of what belongs to one integration: subscriptions, jobs, records (each in its own table).
pub(crate) fn of_integration(id: IntegrationId) -> String {
    format!("I#{id}")
}

pub(crate) fn subscription(integration_id: IntegrationId, id: &str) -> Key {
    Key::new(of_integration(integration_id), format!("{SUBSCRIPTION}{id}"))
}

pub(crate) fn circuit(provider: ProviderId) -> Key {
    Key::new(format!("C#{provider}"), "C".to_owned())
}

/// No provider is called `sink`.
pub(crate) fn sink_circuit() -> Key {
    Key::new("C#sink".to_owned(), "C".to_owned())
}

/// Only the state's hash is stored: who reads the table cannot use what is in it.
pub(crate) fn state(state: &str) -> Key {
    Key::new(format!("S#{}", hex::encode(Sha256::digest(state))), "S".to_owned())
}

pub(crate) fn job(integration_id: IntegrationId, id: JobId) -> Key {
    Key::new(of_integration(integration_id), format!("{JOB}{id}"))
}

pub(crate) fn pages(job_id: JobId) -> String {
    format!("J#{job_id}")
}

pub(crate) fn page(job_id: JobId, page: u32, part: u32) -> Key {
    Key::new(pages(job_id), format!("{PAGE}{page:08}#{part:04}"))
}

pub(crate) fn record(integration_id: IntegrationId, external_id: &ExternalId) -> Key {
    Key::new(of_integration(integration_id), format!("{RECORD}{external_id}"))
}

/// What a memory holds of a resource.
pub(crate) fn memories_of(integration_id: IntegrationId, external_id: &ExternalId) -> Key {
    Key::new(of_integration(integration_id), format!("M#{external_id}"))
}

/// Who holds a memory.
pub(crate) fn memory(id: &str) -> Key {
    Key::new(format!("Y#{id}"), "Y".to_owned())
}

pub(crate) fn user(id: &UserId) -> Key {
    Key::new(format!("U#{id}"), "U".to_owned())
}

pub(crate) fn organization(id: &OrganizationId) -> Key {
    Key::new(format!("G#{id}"), "G".to_owned())
}

pub(crate) fn membership(organization_id: &OrganizationId, user: &UserId) -> Key {
    Key::new(organization(organization_id).pk, format!("{MEMBER}{user}"))
}

pub(crate) fn offered_key(provider: ProviderId) -> Key {
    Key::new(format!("V#{provider}"), "V".to_owned())
}

pub(crate) fn registry(provider: ProviderId) -> Key {
    Key::new(REGISTRY.to_owned(), format!("{REGISTRY}#{provider}"))
}

pub(crate) fn bucket(key: &str) -> Key {
    Key::new(format!("B#{key}"), "B".to_owned())
}

pub(crate) fn delivery(key: &str) -> Key {
    Key::new(format!("D#{key}"), "D".to_owned())
}

/// `name` is a hash already: an `Idempotency-Key` opens the answer that is kept under it.
pub(crate) fn idempotency(name: &str) -> Key {
    Key::new(format!("K#{name}"), "K".to_owned())
}

/// What a sync job is listed under in the index `started`. Its month is its id's, so that who has the id finds it.
pub(crate) fn started_under(id: JobId, status: domain::JobStatus) -> String {
    started_in(&month(id.made_at()), status)
}

/// The partition of the index `started` for jobs of a month in this status.
pub(crate) fn started_in(month: &str, status: domain::JobStatus) -> String {
    format!("{month}#{}", status.as_str())
}

/// The sort key of a sync job.
pub(crate) fn job_sort(id: JobId) -> String {
    format!("{JOB}{id}")
}

/// What a membership is listed under: its person.
pub(crate) fn memberships_of(user: &UserId) -> String {
    format!("{MEMBER}{user}")
}

/// The partition of the audit log's entries of a month.
pub(crate) fn audit_month(month: &str) -> String {
    format!("A#{month}")
}

/// The sort key of an entry of the audit log.
pub(crate) fn entry(id: EntryId) -> String {
    format!("{ENTRY}{id}")
}

/// The entry that a sort key names.
pub(crate) fn entry_id(sort_key: &str) -> Option<EntryId> {
    sort_key.strip_prefix(ENTRY)?.parse().ok()
}

/// The integration whose partition this is.
pub(crate) fn integration_of(partition: &str) -> Option<IntegrationId> {
    partition.strip_prefix(INTEGRATION)?.parse().ok()
}

/// The job that a sort key names.
pub(crate) fn job_id(sort_key: &str) -> Option<JobId> {
    sort_key.strip_prefix(JOB)?.parse().ok()
}

pub(crate) fn audit(id: EntryId) -> Key {
    Key::new(audit_month(&month(id.made_at())), entry(id))
}

/// How many rows share the counting: two transactions that meet on one are both tried again.
pub(crate) const COUNTER_SHARDS: u8 = 16;

/// The partition of one share of the counters.
pub(crate) fn counters(shard: u8) -> String {
    format!("N#{:x}", shard % COUNTER_SHARDS)
}

/// The counters of what is connected at a provider.
pub(crate) fn connected(shard: u8, provider: ProviderId) -> Key {
    Key::new(counters(shard), format!("{STATE}{provider}"))
}

/// The counters of a provider's runs that ended on a day (`2026-11-25`).
pub(crate) fn day(shard: u8, day: &str, provider: ProviderId) -> Key {
    Key::new(counters(shard), format!("{DAY}{day}#{provider}"))
}

/// How many partitions the index `due` is spread over.
pub const DUE_SHARDS: u8 = 4;

/// The partition of the index `due` that an integration, and what belongs to it, stands in. A ULID ends in random bits.
pub(crate) fn due_shard(id: IntegrationId) -> String {
    let last = id.to_string().bytes().last().unwrap_or_default();
    (last % DUE_SHARDS).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_of_different_kinds_share_no_key() {
        let user = Owner::User(UserId::new("acme").unwrap());
        let organization = Owner::Organization(OrganizationId::new("acme").unwrap());
        assert_ne!(owner(&user), owner(&organization));
    }

    #[test]
    fn pages_sort_by_number() {
        let job_id = "01JD0000000000000000000001".parse().unwrap();
        assert!(page(job_id, 9, 3).sk < page(job_id, 10, 0).sk);
        assert!(page(job_id, 9, 9).sk < page(job_id, 9, 10).sk);
    }

    #[test]
    fn a_state_is_stored_as_its_hash() {
        assert!(!state("planted").pk.contains("planted"));
        assert_eq!(state("planted").pk.len(), 2 + 64);
    }

    #[test]
    fn every_shard_is_one_of_those_that_are_read() {
        for last in "0123456789ABCDEFGHJKMNPQRSTVWXYZ".chars() {
            let id: IntegrationId = format!("01JD000000000000000000000{last}").parse().unwrap();
            assert!(due_shard(id).parse::<u8>().unwrap() < DUE_SHARDS);
        }
    }
}
