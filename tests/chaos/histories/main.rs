//! Histories of changes at the source under faults, each ended by the question whether all is as if nothing had broken; and faults at
//! chosen calls, for each guarantee that speaks of them. Everything runs through the fault proxy of a deployed stack.

#![expect(clippy::indexing_slicing, reason = "a field that is missing fails the history, as it should")]

mod dead_letters;
mod faults;
mod history;
mod killed;
mod oracle;
mod person;
mod random;
mod seeds;
mod settings;
mod stage;
mod steps;
mod storage;
mod twice;
