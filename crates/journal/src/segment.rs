//! One segment as the writer sees it: a preallocated file, mapped.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use oddsmith_domain::RunId;

use crate::format::{HEADER_LEN, RECORD_HEAD_LEN, RecordHead, SegmentHeader, head_bytes, padded, record_crc};
use crate::map::{FlushMap, WriteMap};

pub(crate) const SUFFIX: &str = "segment";

/// The path of a run's segment.
pub(crate) fn path(dir: &Path, index: u32) -> PathBuf {
    dir.join(format!("{index:08}.{SUFFIX}"))
}

/// The path of a run's segment once it is packed.
pub(crate) fn packed_path(dir: &Path, index: u32) -> PathBuf {
    dir.join(format!("{index:08}.{SUFFIX}.zst"))
}

/// Whether a segment is there, in either form.
pub(crate) fn exists(dir: &Path, index: u32) -> bool {
    path(dir, index).exists() || packed_path(dir, index).exists()
}

/// The segments that are there, in either form, each once.
pub(crate) fn indices(dir: &Path) -> io::Result<BTreeSet<u32>> {
    let mut indices = BTreeSet::new();
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        let index = name.to_str().and_then(|name| {
            let name = name.strip_suffix(".zst").unwrap_or(name);
            name.strip_suffix(SUFFIX)?.strip_suffix('.')?.parse::<u32>().ok()
        });
        indices.extend(index);
    }
    Ok(indices)
}

/// The path under which the next segment is prepared. Readers do not look at it.
pub(crate) fn spare_path(dir: &Path) -> PathBuf {
    dir.join("next.spare")
}

/// A file of zeros with its room on the disk taken, mapped, not yet a segment.
#[derive(Debug)]
pub(crate) struct Spare {
    file: File,
    path: PathBuf,
    map: WriteMap,
    capacity: usize,
}

impl Spare {
    pub fn prepare(dir: &Path, capacity: usize) -> io::Result<Spare> {
        let path = spare_path(dir);
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&path)?;
        let map = reserve(&file, capacity).and_then(|()| WriteMap::new(&file));
        match map {
            Ok(map) => Ok(Spare { file, path, map, capacity }),
            Err(error) => {
                // What was reserved is given back, so that a disk that is nearly full does not stay so because of us.
                let _ = fs::remove_file(&path);
                Err(error)
            }
        }
    }

    /// Makes it the run's segment `index`.
    pub fn begin(mut self, dir: &Path, run: RunId, index: u32, first_sequence: u64) -> io::Result<Segment> {
        let capacity = self.capacity as u64;
        let header = SegmentHeader { schema_version: crate::SCHEMA_VERSION, run, index, first_sequence, capacity };
        if !self.map.store(0, &header.to_bytes()) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a segment is smaller than its header"));
        }
        fs::rename(&self.path, path(dir, index))?;
        let flusher = self.map.flusher();
        Ok(Segment {
            file: self.file,
            map: self.map,
            capacity: self.capacity,
            used: HEADER_LEN,
            progress: Arc::new(Progress { map: flusher, used: AtomicUsize::new(HEADER_LEN) }),
        })
    }
}

/// Takes the room on the disk now: a mapped file that finds no room when a page is touched would kill the process.
fn reserve(file: &File, capacity: usize) -> io::Result<()> {
    use rustix::fs::{FallocateFlags, fallocate};
    match fallocate(file, FallocateFlags::empty(), 0, capacity as u64) {
        Ok(()) => Ok(()),
        Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => write_zeros(file, capacity),
        Err(error) => Err(error.into()),
    }
}

fn write_zeros(mut file: &File, capacity: usize) -> io::Result<()> {
    static BLOCK: [u8; 1 << 16] = [0; 1 << 16];
    let mut left = capacity;
    while left > 0 {
        let block = left.min(BLOCK.len());
        file.write_all(&BLOCK[..block])?;
        left -= block;
    }
    file.sync_all()
}

/// How far a segment is written, for whoever flushes it.
#[derive(Debug)]
pub(crate) struct Progress {
    map: FlushMap,
    used: AtomicUsize,
}

impl Progress {
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Acquire)
    }

    /// Flushes from `from` to what is committed now, and says how far that is.
    pub fn flush(&self, from: usize) -> io::Result<usize> {
        let used = self.used();
        self.map.flush(from, used)?;
        Ok(used)
    }
}

/// The segment that is being written.
#[derive(Debug)]
pub(crate) struct Segment {
    file: File,
    map: WriteMap,
    capacity: usize,
    used: usize,
    progress: Arc<Progress>,
}

impl Segment {
    pub fn progress(&self) -> &Arc<Progress> {
        &self.progress
    }

    pub fn used(&self) -> usize {
        self.used
    }

    /// Bytes left.
    pub fn room(&self) -> usize {
        self.capacity - self.used
    }

    /// Stores and commits a record. False when there is no room; nothing has happened then.
    #[must_use]
    pub fn push(&mut self, head: &RecordHead, sequence: u64, payload: &[u8]) -> bool {
        let length = RECORD_HEAD_LEN + payload.len();
        let Ok(length_word) = u32::try_from(length) else { return false };
        if padded(length) > self.room() {
            return false;
        }
        let bytes = head_bytes(head, sequence);
        let crc = record_crc(length_word, &bytes[8..], payload);
        let word = (u64::from(crc) << 32 | u64::from(length_word)).to_le_bytes();
        let stored = self.map.store(self.used + 8, &bytes[8..])
            && self.map.store(self.used + RECORD_HEAD_LEN, payload)
            && self.map.commit(self.used, word);
        if stored {
            self.used += padded(length);
            self.progress.used.store(self.used, Ordering::Release);
        }
        stored
    }

    /// Flushes it whole and gives the unused rest back to the disk. Only after its seal.
    pub fn retire(self) -> io::Result<()> {
        self.progress.flush(0)?;
        let Segment { file, map, used, progress, .. } = self;
        drop(map);
        drop(progress);
        file.set_len(used as u64)?;
        file.sync_all()
    }
}
