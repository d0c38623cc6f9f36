//! The rules of the house, checked like any other behaviour. Each rule is a function from what it looks at to the complaints it has,
//! so that its own tests can show that it complains; one test per rule then holds the real project to it.

pub mod arrows;
pub mod commands;
pub mod environment;
pub mod events;
pub mod guarantees;
pub mod policies;
pub mod project;
pub mod source;
pub mod template;
pub mod yaml;

/// One complaint, for people: where, and what is wrong there.
pub type Complaint = String;

/// Fails a test with all complaints at once.
#[cfg(test)]
pub(crate) fn assert_none(complaints: &[Complaint]) {
    assert!(complaints.is_empty(), "\n  {}", complaints.join("\n  "));
}
