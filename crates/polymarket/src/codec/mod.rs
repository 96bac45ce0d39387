//! From the venue's bytes to numbers of the domain.
//!
//! Decoders never panic and never guess. A frame is one element or an array of elements; an element that cannot be decoded
//! is left out whole, counted, and the first one is explained, while its neighbours are kept. What is merely unknown (an event, a
//! field, a token) is counted and does no harm.

use thiserror::Error;

pub mod calendar;
pub mod data;
pub mod gamma;
pub mod market;
pub mod rest;
pub mod user;

mod number;
mod scan;

/// What became of one frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DecodeReport {
    /// Elements that were understood, those about unknown tokens included.
    pub elements: u32,
    /// Announcements of new markets among them.
    pub listings: u32,
    /// Elements with an event type that is not known.
    pub unknown_events: u32,
    /// Fields that are not known in their element.
    pub unknown_fields: u32,
    /// Parts of elements that concern a token or market which is not ours.
    pub unknown_assets: u32,
    /// Elements, or changes within an element, that could not be decoded.
    pub undecodable: u32,
    /// The first thing that could not be decoded.
    pub first_fault: Option<Fault>,
    /// Where in the frame the first unknown field or event stands, for a sample.
    pub first_unknown: Option<u32>,
}

impl DecodeReport {
    /// Counts something that could not be decoded.
    pub fn fail(&mut self, fault: Fault) {
        self.undecodable = self.undecodable.saturating_add(1);
        self.first_fault.get_or_insert(fault);
    }

    /// Adds what another report of the same frame counted.
    pub(crate) fn absorb(&mut self, other: &DecodeReport) {
        self.elements += other.elements;
        self.listings += other.listings;
        self.unknown_events += other.unknown_events;
        self.unknown_fields += other.unknown_fields;
        self.unknown_assets += other.unknown_assets;
        self.undecodable = self.undecodable.saturating_add(other.undecodable);
        self.first_fault = self.first_fault.or(other.first_fault);
        self.first_unknown = self.first_unknown.or(other.first_unknown);
    }
}

/// Why and where something could not be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{kind}{} at byte {at}", field.map(|name| format!(" in `{name}`")).unwrap_or_default())]
pub struct Fault {
    /// Where in the frame, in bytes from its start.
    pub at: u32,
    /// The field concerned, when it is a field.
    pub field: Option<&'static str>,
    /// What is wrong.
    pub kind: FaultKind,
}

/// What is wrong with something that could not be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FaultKind {
    /// The frame ends in the middle of something.
    #[error("the frame is cut short")]
    Truncated,
    /// Not JSON.
    #[error("not JSON")]
    Syntax,
    /// Bytes that are not UTF-8.
    #[error("not UTF-8")]
    NotUtf8,
    /// Nested deeper than anything that the venue sends.
    #[error("nested too deeply")]
    TooDeep,
    /// Larger than any frame of the venue.
    #[error("too large")]
    TooLarge,
    /// Something follows the end of the frame.
    #[error("something follows the end")]
    Trailing,
    /// A required field is missing.
    #[error("a required field is missing")]
    Missing,
    /// The same field twice.
    #[error("the same field twice")]
    Duplicate,
    /// The value has another type than the field should have.
    #[error("a value of the wrong type")]
    WrongType,
    /// Not a decimal number.
    #[error("not a decimal number")]
    NotDecimal,
    /// Finer than the unit can hold.
    #[error("finer than the unit can hold")]
    TooFine,
    /// Out of range: negative, or too large.
    #[error("a number out of range")]
    OutOfRange,
    /// A word that the field cannot have.
    #[error("an unknown word")]
    UnknownWord,
    /// Not the identifier that it should be.
    #[error("not an identifier")]
    NotAnId,
    /// Neither an event type nor the shape of an event.
    #[error("not an event")]
    NotAnEvent,
}
