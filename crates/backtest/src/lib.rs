//! Recordings of the venue: reading them and proving them.
//!
//! This crate owns [`recording`], which turns the files that people record into frames with receive times, and [`verify`],
//! which rebuilds the books from them and compares them with the venue's own hash and best prices. It has no strategy code and
//! no second implementation of anything that decides.

pub mod recording;
pub mod verify;
