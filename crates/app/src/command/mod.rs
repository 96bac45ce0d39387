//! One module per command.

pub mod journal;
