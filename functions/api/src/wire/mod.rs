//! What travels: separate from `domain`, so that a rename there never changes the API. Rows have the snake_case names of the
//! data model, descriptions of providers and request bodies camelCase names.

pub mod any_job;
pub mod audit;
pub mod dead_letter;
pub mod directory;
pub mod integration;
pub mod job;
pub mod provider;
pub mod resource;
pub mod stats;
pub mod words;
