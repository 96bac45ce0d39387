//! Packed segments: the same bytes in less room, once nobody writes them any more.
//!
//! `00000003.segment` becomes `00000003.segment.zst`. The packed file is written beside it, read again and compared, and takes its name
//! before the plain one goes: whenever this dies, one of the two forms is whole. Where both are there, readers take the plain one, so
//! that nothing is counted twice.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::segment;

/// No segment is greater than this.
const MAX_BYTES: u64 = (1 << 30) + (1 << 20);
const LEVEL: i32 = 3;

/// What packing came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Packed {
    /// Segments that were packed now.
    pub segments: u32,
    /// Their bytes on the disk before, and after.
    pub bytes: (u64, u64),
}

/// Why a journal could not be packed.
#[derive(Debug, Error)]
pub enum PackError {
    /// Its run still works.
    #[error("the journal in {0} is being written: it can be packed when its run has ended")]
    Alive(PathBuf),
    /// The system said no.
    #[error("cannot pack {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
}

/// Whether a run's journal is in this directory.
#[must_use]
pub fn is_journal(dir: &Path) -> bool {
    segment::exists(dir, 0)
}

/// Whether somebody writes the journal in this directory now.
///
/// # Errors
/// What the system said.
pub fn is_alive(dir: &Path) -> io::Result<bool> {
    match OpenOptions::new().write(true).open(dir.join("journal.lock")) {
        Ok(lock) => match lock.try_lock() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(error),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Packs every segment of a journal that nobody writes.
///
/// # Errors
/// [`PackError`]; what was packed before stays packed, everything else is as it was.
pub fn pack(dir: &Path) -> Result<Packed, PackError> {
    let fail = |path: &Path| {
        let path = path.to_owned();
        move |source| PackError::Io { path, source }
    };
    let lock_path = dir.join("journal.lock");
    let lock =
        OpenOptions::new().write(true).create(true).truncate(false).open(&lock_path).map_err(fail(&lock_path))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(PackError::Alive(dir.to_owned())),
        Err(TryLockError::Error(source)) => return Err(fail(&lock_path)(source)),
    }
    let mut packed = Packed::default();
    for index in segment::indices(dir).map_err(fail(dir))? {
        let plain = segment::path(dir, index);
        if plain.exists() {
            let (before, after) = pack_one(&plain, &segment::packed_path(dir, index)).map_err(fail(&plain))?;
            packed.segments += 1;
            packed.bytes = (packed.bytes.0 + before, packed.bytes.1 + after);
        }
    }
    Ok(packed)
}

fn pack_one(plain: &Path, packed: &Path) -> io::Result<(u64, u64)> {
    let beside = packed.with_extension("packing");
    let mut encoder = zstd::Encoder::new(File::create(&beside)?, LEVEL)?;
    encoder.include_checksum(true)?;
    io::copy(&mut File::open(plain)?, &mut encoder)?;
    let out = encoder.finish()?;
    out.sync_all()?;
    let sizes = (fs::metadata(plain)?.len(), out.metadata()?.len());
    if !same(File::open(plain)?, zstd::Decoder::new(File::open(&beside)?)?)? {
        fs::remove_file(&beside)?;
        return Err(io::Error::other("the packed bytes are not those that were packed"));
    }
    fs::rename(&beside, packed)?;
    fs::remove_file(plain)?;
    Ok(sizes)
}

fn same(left: impl Read, right: impl Read) -> io::Result<bool> {
    let (mut left, mut right) = (BufReader::new(left).bytes(), BufReader::new(right).bytes());
    loop {
        match (left.next().transpose()?, right.next().transpose()?) {
            (None, None) => return Ok(true),
            (left, right) if left != right => return Ok(false),
            _ => {}
        }
    }
}

/// A segment to be read: the file, or what was packed in it.
#[derive(Debug)]
pub(crate) enum Store {
    Plain(File),
    Unpacked(Vec<u8>),
}

impl Store {
    /// Opens a segment in whichever form it is there.
    pub fn open(dir: &Path, index: u32) -> io::Result<Store> {
        match File::open(segment::path(dir, index)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            opened => return opened.map(Store::Plain),
        }
        let mut bytes = Vec::new();
        let mut decoder = zstd::Decoder::new(File::open(segment::packed_path(dir, index))?)?.take(MAX_BYTES + 1);
        let read = decoder.read_to_end(&mut bytes);
        let damaged =
            |why: String| io::Error::new(io::ErrorKind::InvalidData, format!("the packed segment is damaged: {why}"));
        read.map_err(|error| damaged(error.to_string()))?;
        if bytes.len() as u64 > MAX_BYTES {
            return Err(damaged("it holds more than a segment can".to_owned()));
        }
        Ok(Store::Unpacked(bytes))
    }

    pub fn len(&self) -> io::Result<u64> {
        match self {
            Store::Plain(file) => file.metadata().map(|metadata| metadata.len()),
            Store::Unpacked(bytes) => Ok(bytes.len() as u64),
        }
    }

    /// Reads up to so many bytes, and says how many there were: a writer that turns over gives the rest of its full segment back.
    pub fn read_at(&self, out: &mut [u8], offset: u64) -> io::Result<usize> {
        let Store::Plain(file) = self else {
            let count = out.len().min(usize::try_from(self.len()?.saturating_sub(offset)).unwrap_or(usize::MAX));
            let part = out.get_mut(..count).unwrap_or_default();
            return self.read_exact_at(part, offset).map(|()| count);
        };
        let mut count = 0;
        while let Some(rest) = out.get_mut(count..).filter(|rest| !rest.is_empty()) {
            match file.read_at(rest, offset + count as u64) {
                Ok(0) => break,
                Ok(more) => count += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(count)
    }

    pub fn read_exact_at(&self, out: &mut [u8], offset: u64) -> io::Result<()> {
        match self {
            Store::Plain(file) => file.read_exact_at(out, offset),
            Store::Unpacked(bytes) => {
                let from = usize::try_from(offset).unwrap_or(usize::MAX);
                let part = bytes.get(from..from.saturating_add(out.len())).ok_or(io::ErrorKind::UnexpectedEof)?;
                out.copy_from_slice(part);
                Ok(())
            }
        }
    }
}
