//! Packed segments: the same bytes in less room, once nobody writes them any more.
//!
//! `00000003.segment` becomes `00000003.segment.zst`. The packed file is written beside it, read again and compared, and takes its name
//! on the disk before the plain one goes: whenever this dies, one of the two forms is whole. Where both are there, readers take the
//! plain one, so that nothing is counted twice. Where there is no room for the packed form, what was written of it is given back.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::segment;

const LEVEL: i32 = 3;
/// Between two blocks of so many bytes a background packing looks whether it is to stop.
const BLOCK_BYTES: usize = 1 << 18;

/// What packing came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Packed {
    /// Segments that were packed now.
    pub segments: u32,
    /// Their bytes on the disk before, and after.
    pub bytes: (u64, u64),
}

impl Packed {
    pub(crate) const fn add(&mut self, (before, after): (u64, u64)) {
        self.segments += 1;
        self.bytes = (self.bytes.0 + before, self.bytes.1 + after);
    }
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
            packed.add(pack_one(dir, index, &|| false).map_err(fail(&plain))?);
        }
    }
    Ok(packed)
}

/// Packs one segment that nobody writes any more, and says its bytes before and after.
///
/// # Errors
/// What the system said, or [`io::ErrorKind::Interrupted`] when it was to stop; then everything is as it was.
pub(crate) fn pack_one(dir: &Path, index: u32, stop: &dyn Fn() -> bool) -> io::Result<(u64, u64)> {
    let (plain, packed) = (segment::path(dir, index), segment::packed_path(dir, index));
    let beside = packed.with_extension("packing");
    let sizes = pack_beside(&plain, &beside, stop).inspect_err(|_| {
        // The room is given back: a disk that is nearly full must not stay so because of this.
        let _ = fs::remove_file(&beside);
    })?;
    fs::rename(&beside, &packed)?;
    File::open(dir)?.sync_all()?;
    fs::remove_file(&plain)?;
    Ok(sizes)
}

fn pack_beside(plain: &Path, beside: &Path, stop: &dyn Fn() -> bool) -> io::Result<(u64, u64)> {
    let mut encoder = zstd::Encoder::new(File::create(beside)?, LEVEL)?;
    encoder.include_checksum(true)?;
    let (mut from, mut block) = (File::open(plain)?, vec![0; BLOCK_BYTES]);
    loop {
        let count = fill(&mut from, &mut block)?;
        encoder.write_all(block.get(..count).unwrap_or_default())?;
        if stop() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        if count < block.len() {
            break;
        }
    }
    let out = encoder.finish()?;
    out.sync_all()?;
    if !same(File::open(plain)?, zstd::Decoder::new(File::open(beside)?)?)? {
        return Err(io::Error::other("the packed bytes are not those that were packed"));
    }
    Ok((from.metadata()?.len(), out.metadata()?.len()))
}

fn same(mut left: impl Read, mut right: impl Read) -> io::Result<bool> {
    let (mut one, mut other) = (vec![0; BLOCK_BYTES], vec![0; BLOCK_BYTES]);
    loop {
        let (count, counted) = (fill(&mut left, &mut one)?, fill(&mut right, &mut other)?);
        if one.get(..count) != other.get(..counted) {
            return Ok(false);
        }
        if count < BLOCK_BYTES {
            return Ok(true);
        }
    }
}

/// Reads until the block is full or there is no more.
fn fill(from: &mut impl Read, block: &mut [u8]) -> io::Result<usize> {
    let mut count = 0;
    while let Some(rest) = block.get_mut(count..).filter(|rest| !rest.is_empty()) {
        match from.read(rest) {
            Ok(0) => break,
            Ok(more) => count += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(count)
}
