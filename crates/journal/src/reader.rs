//! Reading a journal: from the start, from a cursor, and behind a writer that is still at work.

use std::io;
use std::path::{Path, PathBuf};

use oddsmith_domain::RunId;
use serde::{Deserialize, Serialize};

use crate::damage::{Damage, Ending, Flaw, ReadError};
use crate::format::{
    HEADER_LEN, Kind, RECORD_HEAD_LEN, RecordHead, SCHEMA_VERSION, SegmentHeader, padded, parse_head, record_crc,
    u32_at, u64_at,
};
use crate::segment;
use crate::store::Store;

/// Where a reader stands: the next record's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// The segment.
    pub segment: u32,
    /// The offset in it.
    pub offset: u64,
    /// The sequence number that the next record must have.
    pub sequence: u64,
}

/// A record. Its payload borrows the reader's buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Its number within the run, from 1 without gaps.
    pub sequence: u64,
    /// What it says before its payload.
    pub head: RecordHead,
    /// Its payload.
    pub payload: &'a [u8],
}

/// What stands at a place.
enum Found {
    /// A whole record of this many bytes, unpadded.
    Record(usize),
    /// Nothing yet.
    Nothing,
    Bad(Flaw),
}

/// Reads a journal record by record.
#[derive(Debug)]
pub struct Reader {
    dir: PathBuf,
    run: RunId,
    segment: u32,
    file: Store,
    capacity: u64,
    offset: u64,
    sequence: u64,
    sealed: bool,
    torn: Option<Damage>,
    window: Window,
}

impl Reader {
    /// Opens a run's journal at its first record.
    ///
    /// # Errors
    /// [`ReadError`] when there is none, or its first segment cannot be understood.
    pub fn open(dir: &Path) -> Result<Reader, ReadError> {
        Reader::open_at(dir, Cursor { segment: 0, offset: HEADER_LEN as u64, sequence: 1 })
    }

    /// Opens a run's journal where another reader of it stood.
    ///
    /// # Errors
    /// As [`Reader::open`].
    pub fn open_at(dir: &Path, cursor: Cursor) -> Result<Reader, ReadError> {
        let path = segment::path(dir, cursor.segment);
        let file = match Store::open(dir, cursor.segment) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(ReadError::NoJournal(dir.to_owned())),
            Err(source) => return Err(ReadError::Io { path, source }),
        };
        let mut reader = Reader {
            dir: dir.to_owned(),
            run: RunId::default(),
            segment: cursor.segment,
            file,
            capacity: 0,
            offset: cursor.offset.max(HEADER_LEN as u64).next_multiple_of(8),
            sequence: cursor.sequence,
            sealed: false,
            torn: None,
            window: Window::default(),
        };
        match reader.read_header()? {
            Ok(header) => {
                reader.run = header.run;
                reader.capacity = header.capacity;
                if header.index != cursor.segment {
                    let flaw = Flaw::Misplaced { index: header.index, run: header.run };
                    return Err(reader.corrupt(flaw));
                }
            }
            Err(flaw) => reader.settle(flaw)?,
        }
        Ok(reader)
    }

    /// The run that the journal is of; zeros when its first header is damaged.
    #[must_use]
    pub const fn run(&self) -> RunId {
        self.run
    }

    /// Where the next record is.
    #[must_use]
    pub const fn cursor(&self) -> Cursor {
        Cursor { segment: self.segment, offset: self.offset, sequence: self.sequence }
    }

    /// The next record, or `None` at the end of what can be read now. If a writer is still at work, ask again later.
    ///
    /// # Errors
    /// [`ReadError::Corrupt`] when valid records exist behind a damaged place; a damaged end is no error but an [`Ending`].
    #[allow(clippy::should_implement_trait, reason = "a record borrows the reader, which no Iterator can express")]
    pub fn next(&mut self) -> Result<Option<Record<'_>>, ReadError> {
        let length = loop {
            if self.sealed || self.torn.is_some() {
                return Ok(None);
            }
            match self.look(self.offset)? {
                Found::Record(length) => {
                    let (head, sequence) = self.head(length)?;
                    if sequence != self.sequence {
                        return Err(self.corrupt(Flaw::Sequence { found: sequence }));
                    }
                    if head.kind != Kind::SEAL {
                        break length;
                    }
                    if !self.pass_seal(length)? {
                        return Ok(None);
                    }
                }
                // A seal is there before the segment behind it is: a writer that turned over between the two looks has left one.
                Found::Nothing if self.next_exists() => {
                    if matches!(self.look(self.offset)?, Found::Nothing) {
                        self.settle(Flaw::Unsealed)?;
                    }
                }
                Found::Nothing => return Ok(None),
                Found::Bad(flaw) => self.settle(flaw)?,
            }
        };
        let (offset, sequence) = (self.offset, self.sequence);
        self.offset += padded(length) as u64;
        self.sequence += 1;
        let path_error = |source| ReadError::Io { path: segment::path(&self.dir, self.segment), source };
        let bytes = self.window.get(&self.file, offset, length, false).map_err(path_error)?;
        let mut head = [0; RECORD_HEAD_LEN];
        head.copy_from_slice(&bytes[..RECORD_HEAD_LEN]);
        Ok(Some(Record { sequence, head: parse_head(&head).0, payload: &bytes[RECORD_HEAD_LEN..] }))
    }

    /// How the journal ends, once [`Reader::next`] has given `None`. Looks at everything behind the last record.
    ///
    /// # Errors
    /// [`ReadError::Corrupt`] when there are valid records behind a gap.
    pub fn ending(&mut self) -> Result<Ending, ReadError> {
        if let Some(damage) = &self.torn {
            return Ok(Ending::Torn(damage.clone()));
        }
        if self.rest()? == 0 {
            return Ok(if self.sealed { Ending::Sealed } else { Ending::Open });
        }
        // A writer may have committed since the last look: then nothing is wrong, there is only more to read.
        if self.sealed || matches!(self.look(self.offset)?, Found::Nothing) {
            self.settle(Flaw::Uncommitted)?;
        }
        Ok(self.state())
    }

    fn state(&self) -> Ending {
        self.torn.clone().map_or(Ending::Open, Ending::Torn)
    }

    /// What stands at an offset. Looks twice before it believes in damage or in nothing: a writer may just be there.
    fn look(&mut self, offset: u64) -> Result<Found, ReadError> {
        match self.examine(offset, false).map_err(|e| self.io(e))? {
            Found::Record(length) => Ok(Found::Record(length)),
            _ => self.examine(offset, true).map_err(|e| self.io(e)),
        }
    }

    fn examine(&mut self, offset: u64, fresh: bool) -> io::Result<Found> {
        let len = self.file.len()?;
        let cut = Found::Bad(self.cut_short(len));
        if offset + 8 > len {
            return Ok(if len < self.capacity { cut } else { Found::Nothing });
        }
        let word = u64_at(self.window.get(&self.file, offset, 8, fresh)?, 0);
        if word == 0 {
            return Ok(if len < self.capacity { cut } else { Found::Nothing });
        }
        let (length, crc) = (word as u32, (word >> 32) as u32);
        let total = padded(length as usize);
        if (length as usize) < RECORD_HEAD_LEN || offset + total as u64 > self.capacity {
            return Ok(Found::Bad(Flaw::Length(length)));
        }
        if offset + total as u64 > len {
            return Ok(cut);
        }
        let bytes = self.window.get(&self.file, offset, total, false)?;
        let (record, padding) = bytes.split_at(length as usize);
        let (head, payload) = record.split_at(RECORD_HEAD_LEN);
        if padding.iter().any(|&byte| byte != 0) || record_crc(length, &head[8..], payload) != crc {
            return Ok(Found::Bad(Flaw::Checksum));
        }
        Ok(Found::Record(length as usize))
    }

    fn cut_short(&self, found: u64) -> Flaw {
        self.file.damage().map_or(Flaw::CutShort { found }, |why| Flaw::Packed(why.to_owned()))
    }

    fn head(&mut self, length: usize) -> Result<(RecordHead, u64), ReadError> {
        let path = segment::path(&self.dir, self.segment);
        let bytes =
            self.window.get(&self.file, self.offset, length, false).map_err(|source| ReadError::Io { path, source })?;
        let mut head = [0; RECORD_HEAD_LEN];
        head.copy_from_slice(&bytes[..RECORD_HEAD_LEN]);
        Ok(parse_head(&head))
    }

    /// Steps over a seal; true when there is another segment to read now.
    fn pass_seal(&mut self, length: usize) -> Result<bool, ReadError> {
        let path = segment::path(&self.dir, self.segment);
        let bytes =
            self.window.get(&self.file, self.offset, length, false).map_err(|source| ReadError::Io { path, source })?;
        let last = bytes.get(RECORD_HEAD_LEN).is_some_and(|&byte| byte != 0);
        if last {
            self.offset += padded(length) as u64;
            if self.next_exists() {
                return Err(self.corrupt(Flaw::Unsealed));
            }
            self.sealed = true;
            return Ok(false);
        }
        if !self.next_exists() {
            // Its writer has just sealed this one and not begun the next, or was killed right there.
            if !self.later_exists()? {
                return Ok(false);
            }
            // Segments come in order: where a later one is, the next must be by now.
            if !self.next_exists() {
                self.segment += 1;
                return Err(self.corrupt(Flaw::MissingSegment));
            }
        }
        self.enter_next()
    }

    fn enter_next(&mut self) -> Result<bool, ReadError> {
        let path = segment::path(&self.dir, self.segment + 1);
        self.file = Store::open(&self.dir, self.segment + 1).map_err(|source| ReadError::Io { path, source })?;
        self.segment += 1;
        self.offset = HEADER_LEN as u64;
        self.window = Window::default();
        match self.read_header()? {
            Ok(header) => {
                self.capacity = header.capacity;
                if header.run != self.run || header.index != self.segment {
                    return Err(self.corrupt(Flaw::Misplaced { index: header.index, run: header.run }));
                }
                if header.first_sequence != self.sequence {
                    return Err(self.corrupt(Flaw::Sequence { found: header.first_sequence }));
                }
            }
            Err(flaw) => self.settle(flaw)?,
        }
        Ok(true)
    }

    fn read_header(&mut self) -> Result<Result<SegmentHeader, Flaw>, ReadError> {
        let mut bytes = [0; HEADER_LEN];
        let len = self.file_len()?;
        if len < HEADER_LEN as u64 {
            return Ok(Err(self.cut_short(len)));
        }
        self.file.read_exact_at(&mut bytes, 0).map_err(|e| self.io(e))?;
        match SegmentHeader::from_bytes(&bytes) {
            None => Ok(Err(Flaw::Header)),
            Some(header) if header.schema_version != SCHEMA_VERSION => Err(ReadError::UnknownSchema {
                path: segment::path(&self.dir, self.segment),
                found: header.schema_version,
                known: SCHEMA_VERSION,
            }),
            Some(header) => Ok(Ok(header)),
        }
    }

    /// Decides whether a flaw is a torn end or corruption in the middle.
    fn settle(&mut self, flaw: Flaw) -> Result<(), ReadError> {
        if self.later_exists()? || self.valid_record_follows()? {
            return Err(self.corrupt(flaw));
        }
        let lost_bytes = self.rest()?;
        let (segment, offset, sequence) = (self.segment, self.offset, self.sequence);
        self.torn = Some(Damage { segment, offset, sequence, flaw, lost_bytes });
        Ok(())
    }

    /// Whether a whole record of a later sequence number stands anywhere behind the damaged place.
    fn valid_record_follows(&mut self) -> Result<bool, ReadError> {
        let len = self.file_len()?;
        // A damaged header leaves the capacity unknown; the file's length bounds it then.
        self.capacity = self.capacity.max(len);
        let mut offset = self.offset;
        while offset + RECORD_HEAD_LEN as u64 <= len {
            let window = match self.window.get(&self.file, offset, 16, false) {
                Ok(window) => window,
                Err(source) => return Err(self.io(source)),
            };
            let (length, sequence) = (u32_at(window, 0) as usize, u64_at(window, 8));
            let plausible = length >= RECORD_HEAD_LEN
                && offset + padded(length) as u64 <= len
                && (self.sequence..self.sequence.saturating_add(len)).contains(&sequence);
            if plausible
                && offset > self.offset
                && matches!(self.examine(offset, false).map_err(|e| self.io(e))?, Found::Record(_))
            {
                return Ok(true);
            }
            offset += 8;
        }
        Ok(false)
    }

    /// Bytes from here to the last one that is not zero.
    fn rest(&mut self) -> Result<u64, ReadError> {
        let len = self.file_len()?;
        let mut last = self.offset;
        let mut block = vec![0u8; 1 << 16];
        let mut at = self.offset;
        while at < len {
            let want = block.len().min((len - at) as usize);
            let count = self.file.read_at(&mut block[..want], at).map_err(|e| self.io(e))?;
            if let Some(position) = block[..count].iter().rposition(|&byte| byte != 0) {
                last = at + position as u64 + 1;
            }
            if count < want {
                break;
            }
            at += want as u64;
        }
        Ok(last - self.offset)
    }

    fn file_len(&self) -> Result<u64, ReadError> {
        self.file.len().map_err(|e| self.io(e))
    }

    fn next_exists(&self) -> bool {
        segment::exists(&self.dir, self.segment + 1)
    }

    fn later_exists(&self) -> Result<bool, ReadError> {
        let indices = segment::indices(&self.dir);
        let indices = indices.map_err(|source| ReadError::Io { path: self.dir.clone(), source })?;
        Ok(indices.last().is_some_and(|last| *last > self.segment))
    }

    fn corrupt(&self, flaw: Flaw) -> ReadError {
        let damage =
            Damage { segment: self.segment, offset: self.offset, sequence: self.sequence, flaw, lost_bytes: 0 };
        ReadError::Corrupt { dir: self.dir.clone(), damage }
    }

    fn io(&self, source: io::Error) -> ReadError {
        ReadError::Io { path: segment::path(&self.dir, self.segment), source }
    }
}

/// A part of the file in memory.
#[derive(Debug, Default)]
struct Window {
    start: u64,
    bytes: Vec<u8>,
}

impl Window {
    const LEN: usize = 1 << 18;

    /// `len` bytes at `offset`, which must lie inside the file; read again if `fresh`.
    fn get(&mut self, file: &Store, offset: u64, len: usize, fresh: bool) -> io::Result<&[u8]> {
        let inside = offset >= self.start && offset + len as u64 <= self.start + self.bytes.len() as u64;
        if fresh || !inside {
            let file_len = file.len()?;
            let want = (file_len.saturating_sub(offset)).min(len.max(Window::LEN) as u64) as usize;
            self.start = offset;
            self.bytes.resize(want, 0);
            let count = file.read_at(&mut self.bytes, offset)?;
            self.bytes.truncate(count);
        }
        let from = (offset - self.start) as usize;
        self.bytes.get(from..from + len).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }
}
