//! One module per command.

pub mod audit;
pub mod config;
pub mod eval;
pub mod exchange;
pub mod export;
pub mod guard;
pub mod journal;
pub mod keep;
pub mod operator;
pub mod profile;
pub mod queue;
pub mod record;
pub mod replay;
pub mod report;
pub mod run;
pub mod simulate;
pub mod verify;
