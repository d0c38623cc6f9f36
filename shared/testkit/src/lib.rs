#![doc = include_str!("../README.md")]

pub mod actor;
pub mod emulator;
pub mod nowhere;
pub mod people;
pub mod proxy;
mod rows;
pub mod sandbox;
pub mod sinks;
pub mod stack;
pub mod wait;

pub use actor::{Actor, Answer};
pub use sandbox::Sandbox;
pub use stack::Stack;
