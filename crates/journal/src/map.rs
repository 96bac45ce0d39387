//! The only unsafe code of the crate: storing bytes into a mapped file that other threads and processes read.
#![allow(unsafe_code, reason = "a shared mapping can only be written through raw pointers; the proofs are beside them")]

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use memmap2::MmapRaw;

/// The writing end of a mapped file. There is exactly one of these for a mapping: it is not `Clone`, and storing needs `&mut`.
#[derive(Debug)]
pub(crate) struct WriteMap {
    raw: Arc<MmapRaw>,
}

/// Another hold on the same mapping that can only flush it.
#[derive(Clone, Debug)]
pub(crate) struct FlushMap {
    raw: Arc<MmapRaw>,
}

impl WriteMap {
    /// Maps the whole file, shared with everybody who has it open.
    pub fn new(file: &File) -> io::Result<WriteMap> {
        Ok(WriteMap { raw: Arc::new(MmapRaw::map_raw(file)?) })
    }

    pub fn flusher(&self) -> FlushMap {
        FlushMap { raw: Arc::clone(&self.raw) }
    }

    /// Copies `bytes` to `offset`; false when they do not fit.
    #[must_use]
    pub fn store(&mut self, offset: usize, bytes: &[u8]) -> bool {
        if offset.checked_add(bytes.len()).is_none_or(|end| end > self.raw.len()) {
            return false;
        }
        // SAFETY: `offset + bytes.len()` lies inside the mapping, as just checked. `bytes` is ordinary memory of this process and
        // nobody hands out a reference into the mapping, so the two ranges do not overlap. This is the only `WriteMap` of the
        // mapping and `self` is borrowed mutably, so no other thread of this process stores here; a `FlushMap` only passes
        // addresses to the kernel. Readers of the file go through `read(2)` and believe nothing without its checksum. The file keeps
        // its length while it is stored to: the run directory is locked, and the writer drops its map before it shortens a file.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.raw.as_mut_ptr().add(offset), bytes.len()) };
        true
    }

    /// Stores eight bytes at an aligned `offset` so that whoever sees them also sees everything stored before; false when
    /// they do not fit or the offset is not a multiple of eight.
    #[must_use]
    pub fn commit(&mut self, offset: usize, word: [u8; 8]) -> bool {
        if !offset.is_multiple_of(8) || offset.checked_add(8).is_none_or(|end| end > self.raw.len()) {
            return false;
        }
        // SAFETY: the eight bytes lie inside the mapping, which begins at a page boundary, so the address is aligned for an
        // `AtomicU64`; as in `store`, this process holds no reference into the mapping, and every access of these bytes by it
        // goes through this `&mut self`.
        let cell = unsafe { AtomicU64::from_ptr(self.raw.as_mut_ptr().add(offset).cast::<u64>()) };
        cell.store(u64::from_ne_bytes(word), Ordering::Release);
        true
    }
}

impl FlushMap {
    /// Writes the pages of `from..to` to the disk and waits for it.
    pub fn flush(&self, from: usize, to: usize) -> io::Result<()> {
        let to = to.min(self.raw.len());
        if from >= to { Ok(()) } else { self.raw.flush_range(from, to - from) }
    }
}
