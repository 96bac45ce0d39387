//! The bytes of a segment, for who reads it: those of its file, or those that were packed in it.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::format::{Kind, RECORD_HEAD_LEN, SEAL_LEN, parse_head, record_crc, u32_at};
use crate::segment;

/// No segment is greater than this.
const MAX_BYTES: u64 = (1 << 30) + (1 << 20);

/// A segment to be read.
#[derive(Debug)]
pub(crate) enum Store {
    Plain(File),
    /// What could be unpacked, from the start, and why there is no more if there should be.
    Unpacked {
        bytes: Vec<u8>,
        damage: Option<String>,
    },
}

impl Store {
    /// Opens a segment in whichever form it is there.
    pub fn open(dir: &Path, index: u32) -> io::Result<Store> {
        match File::open(segment::path(dir, index)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            opened => return opened.map(Store::Plain),
        }
        let packed = File::open(segment::packed_path(dir, index))?;
        let (mut bytes, mut damage) = (Vec::new(), None);
        // Whatever comes out before a damage is kept: every record proves itself.
        let read = zstd::Decoder::new(packed).and_then(|decoder| decoder.take(MAX_BYTES + 1).read_to_end(&mut bytes));
        if let Err(error) = read {
            damage = Some(error.to_string());
        } else if bytes.len() as u64 > MAX_BYTES {
            bytes.clear();
            damage = Some("it holds more than a segment can".to_owned());
        }
        Ok(Store::Unpacked { bytes, damage })
    }

    /// Why the packed bytes end where they do, if they are damaged there.
    pub fn damage(&self) -> Option<&str> {
        match self {
            Store::Plain(_) | Store::Unpacked { damage: None, .. } => None,
            Store::Unpacked { damage: Some(why), .. } => Some(why),
        }
    }

    pub fn len(&self) -> io::Result<u64> {
        match self {
            Store::Plain(file) => file.metadata().map(|metadata| metadata.len()),
            Store::Unpacked { bytes, .. } => Ok(bytes.len() as u64),
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
            Store::Unpacked { bytes, .. } => {
                let from = usize::try_from(offset).unwrap_or(usize::MAX);
                let part = bytes.get(from..from.saturating_add(out.len())).ok_or(io::ErrorKind::UnexpectedEof)?;
                out.copy_from_slice(part);
                Ok(())
            }
        }
    }
}

/// Whether a run closed its journal: whether the last thing in it is the seal that says so. Nothing before it is looked at.
///
/// # Errors
/// What the system said.
pub fn is_closed(dir: &Path) -> io::Result<bool> {
    let Some(last) = segment::indices(dir)?.pop_last() else { return Ok(false) };
    match tail(dir, last) {
        Ok(end) => Ok(is_last_seal(&end)),
        // What cannot be unpacked to its end has not been seen to be closed.
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof) => Ok(false),
        Err(error) if error.raw_os_error().is_none() => Ok(false),
        Err(error) => Err(error),
    }
}

/// The bytes at the end of a segment, as many as a seal has.
fn tail(dir: &Path, index: u32) -> io::Result<Vec<u8>> {
    match File::open(segment::path(dir, index)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
        Ok(file) => {
            let mut end = vec![0; SEAL_LEN];
            let from = file.metadata()?.len().checked_sub(SEAL_LEN as u64).ok_or(io::ErrorKind::UnexpectedEof)?;
            return file.read_exact_at(&mut end, from).map(|()| end);
        }
    }
    let mut decoder = zstd::Decoder::new(File::open(segment::packed_path(dir, index))?)?;
    let (mut end, mut block) = (Vec::new(), vec![0; 1 << 16]);
    loop {
        match decoder.read(&mut block)? {
            0 => return Ok(end),
            count => {
                end.extend_from_slice(block.get(..count).unwrap_or_default());
                end.drain(..end.len().saturating_sub(SEAL_LEN));
            }
        }
    }
}

fn is_last_seal(bytes: &[u8]) -> bool {
    const LENGTH: u32 = RECORD_HEAD_LEN as u32 + 1;
    let Some((head, [1, padding @ ..])) = bytes.split_first_chunk::<RECORD_HEAD_LEN>() else { return false };
    padding.iter().all(|byte| *byte == 0)
        && u32_at(head, 0) == LENGTH
        && u32_at(head, 4) == record_crc(LENGTH, &head[8..], &[1])
        && parse_head(head).0.kind == Kind::SEAL
}
