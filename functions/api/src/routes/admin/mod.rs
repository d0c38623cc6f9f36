//! What administrators of the platform do: the registry of providers, and the directory of people and organizations.

pub mod delete_member;
pub mod list_registry;
pub mod put_member;
pub mod put_organization;
pub mod put_registry_entry;
pub mod put_user;
