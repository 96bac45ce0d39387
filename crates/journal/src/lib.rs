//! The journal: everything that goes into the engine and everything that comes out, written down in order.
//!
//! This crate owns the format of a run's journal, its writer, its reader, its verification and its export. It never decides
//! anything, never holds a secret, and never makes the engine wait for a disk: a record is copied into a memory-mapped file and
//! a thread of its own does the flushing.
//!
//! # The story
//!
//! A run has one directory with segments `00000000.segment`, `00000001.segment`, … Each is preallocated, so that a full disk shows
//! when a segment is prepared and never in the middle of a record. [`Writer::append`] copies a record in and *commits* it by
//! storing its first eight bytes last: what `append` has returned for survives `kill -9` of the process, because the pages belong to the
//! operating system; a power cut loses at most what was not flushed yet ([`Options::flush_every`], [`Writer::sync`]).
//!
//! ```
//! use oddsmith_domain::{Input, RunId, Time};
//! use oddsmith_journal::{Ending, Encoder, Options, Reader, RecordHead, Writer, decode_input};
//!
//! let dir = tempfile::tempdir()?;
//! let mut writer = Writer::create(dir.path(), RunId([7; 16]), &Options::default())?;
//! let mut encoder = Encoder::default();
//! let record = encoder.input(&Input::Tick)?;
//! let head = RecordHead { time: Time { mono_ns: 1, wall_ns: 2 }, kind: record.kind, ids: record.ids };
//! writer.append(&head, record.payload)?;
//! writer.close()?;
//!
//! let mut reader = Reader::open(dir.path())?;
//! while let Some(record) = reader.next()? {
//!     assert_eq!(decode_input(record.payload)?, Input::Tick);
//! }
//! assert_eq!(reader.ending()?, Ending::Sealed);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What can be wrong, and how it is told
//!
//! Every record carries a CRC-32C over all of it, its sequence number, and its segment's number is known. A damaged record with
//! nothing valid behind it is a *torn tail* ([`Ending::Torn`]): the valid prefix is read and what was lost is stated. A damaged
//! record with valid ones behind it is *corruption* ([`ReadError::Corrupt`]): reading stops there and names segment, offset and
//! sequence. A journal of a schema that is not known is refused by name.

mod codec;
mod damage;
mod export;
mod format;
mod keeper;
mod map;
mod pack;
mod packer;
mod reader;
mod segment;
mod store;
mod verify;
mod writer;

pub use codec::{CodecError, Encoded, Encoder, decode_input, decode_output};
pub use damage::{Damage, Ending, Flaw, ReadError};
pub use export::{Envelope, ExportError, envelope, export};
pub use format::{Ids, Kind, RecordHead, SCHEMA_VERSION};
pub use pack::{PackError, Packed, is_alive, is_journal, pack};
pub use packer::Packing;
pub use reader::{Cursor, Reader, Record};
pub use store::is_closed;
pub use verify::{Verification, verify};
pub use writer::{AppendError, CreateError, Options, Pressure, Writer};
