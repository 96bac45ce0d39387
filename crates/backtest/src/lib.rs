//! Recordings of the venue, and the engine run over them and against the exchange.
//!
//! This crate owns [`recording`], which turns the files that people record into frames with receive times; [`verify`], which
//! rebuilds the books from them and compares them with the venue's own hash and best prices; [`tape`], which merges recordings of
//! every kind into one stream by receive time; [`trial`], which runs the engine over a tape at a venue on paper; [`dry_run`], which runs the engine over recorded frames; and [`simulate`], which runs engine and exchange under virtual time with faults between them. It has no
//! strategy code and no second implementation of anything that decides.

pub mod dry_run;
pub mod recording;
pub mod simulate;
pub mod sweep;
pub mod tape;
pub mod trial;
pub mod verify;
