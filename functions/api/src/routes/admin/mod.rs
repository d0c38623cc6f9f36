//! What administrators of the platform do: the registry of providers, the directory of people and organizations, and dead letters.

pub mod delete_member;
pub mod list_dead_letters;
pub mod list_registry;
pub mod put_member;
pub mod put_organization;
pub mod put_registry_entry;
pub mod put_user;
pub mod redrive_dead_letters;
