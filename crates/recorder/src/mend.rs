//! Packed files that a recorder could not finish.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;

/// What a packed file held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mended {
    /// Whole lines.
    pub lines: u64,
    /// Packed bytes that could not be read.
    pub lost_bytes: u64,
    /// Whether the file had to be written anew.
    pub rewritten: bool,
}

/// Makes sure that a file can be read to its end: what can be read of its last, unfinished frame is packed anew, up to the last whole line.
/// The file is replaced at once, so that a second death in the middle of this loses nothing.
pub(crate) fn mend(path: &Path) -> io::Result<Mended> {
    let mut file = BufReader::new(File::open(path)?);
    let mut mended = Mended::default();
    let (mut good, end) = (0, file.get_ref().metadata()?.len());
    let mut rest = Vec::new();
    while good < end {
        let mut content = Vec::new();
        let mut decoder = zstd::Decoder::with_buffer(&mut file)?.single_frame();
        let whole = read_all(&mut decoder, &mut content).is_ok();
        drop(decoder);
        let lines = content.iter().filter(|byte| **byte == b'\n').count() as u64;
        mended.lines += lines;
        if whole && content.last().is_none_or(|byte| *byte == b'\n') {
            good = file.stream_position()?;
            continue;
        }
        content.truncate(content.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1));
        rest = content;
        break;
    }
    if good == end {
        return Ok(mended);
    }
    (mended.lost_bytes, mended.rewritten) = (end - good, true);
    let beside = path.with_extension("mending");
    let mut out = File::create(&beside)?;
    file.seek(SeekFrom::Start(0))?;
    io::copy(&mut file.by_ref().take(good), &mut out)?;
    if !rest.is_empty() {
        out.write_all(&zstd::encode_all(rest.as_slice(), super::pen::LEVEL)?)?;
    }
    out.sync_all()?;
    fs::rename(&beside, path)?;
    Ok(mended)
}

/// Reads as far as it goes; what was read stays when it fails.
fn read_all(from: &mut impl Read, content: &mut Vec<u8>) -> io::Result<()> {
    let mut chunk = vec![0; 1 << 16];
    loop {
        match from.read(&mut chunk) {
            Ok(0) => return Ok(()),
            Ok(count) => content.extend_from_slice(chunk.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Hands over the lines of a packed file, without those before `skip`.
pub(crate) fn lines(path: &Path, skip: u64, each: &mut impl FnMut(&[u8])) -> io::Result<()> {
    let file = File::open(path)?;
    if file.metadata()?.len() == 0 {
        return Ok(());
    }
    let mut reader = BufReader::new(zstd::Decoder::new(file)?);
    let (mut line, mut number) = (Vec::new(), 0);
    while reader.read_until(b'\n', &mut line)? > 0 {
        if number >= skip {
            each(&line);
        }
        number += 1;
        line.clear();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(lines: std::ops::Range<u32>) -> Vec<u8> {
        let text: String =
            lines.map(|n| format!("{{\"line\":{n},\"x\":\"{}\"}}\n", n.wrapping_mul(2_654_435_761))).collect();
        zstd::encode_all(text.as_bytes(), 1).expect("memory")
    }

    fn numbers(path: &Path, skip: u64) -> usize {
        let mut count = 0;
        lines(path, skip, &mut |line| {
            assert!(line.ends_with(b"}\n"));
            count += 1;
        })
        .expect("readable to its end");
        count
    }

    #[test]
    fn wherever_it_is_torn_the_rest_is_readable() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("frames-0000.jsonl.zst");
        let (first, second) = (packed(0..500), packed(500..9_000));
        let whole = [first.clone(), second].concat();
        for cut in
            [0, 1, first.len() - 1, first.len(), first.len() + 3, whole.len() * 2 / 3, whole.len() - 1, whole.len()]
        {
            fs::write(&path, &whole[..cut]).expect("written");
            let mended = mend(&path).expect("mended");
            let read = numbers(&path, 0) as u64;
            assert_eq!(read, mended.lines, "cut at {cut}");
            assert_eq!(mended.rewritten, cut != 0 && cut != first.len() && cut != whole.len(), "cut at {cut}");
            assert!(cut < first.len() || read >= 500, "cut at {cut}");
            assert_eq!(mend(&path).expect("mended"), Mended { lines: read, ..Mended::default() });
        }
        assert_eq!(numbers(&path, 8_990), 10);
    }

    #[test]
    fn what_was_flushed_is_not_lost() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("frames-0000.jsonl.zst");
        let mut encoder = zstd::Encoder::new(File::create(&path).expect("a file"), 3).expect("memory");
        encoder.write_all(b"{\"a\":1}\n{\"a\":2}\n").expect("written");
        encoder.flush().expect("flushed");
        encoder.write_all(b"{\"a\":3}\n").expect("written");
        // The process dies here: nothing of the encoder's memory reaches the disk.
        std::mem::forget(encoder);
        assert_eq!(mend(&path).expect("mended").lines, 2);
        assert_eq!(numbers(&path, 0), 2);
    }

    #[test]
    fn garbage_is_not_kept() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("frames-0000.jsonl.zst");
        fs::write(&path, b"this was never packed").expect("written");
        assert_eq!(mend(&path).expect("mended"), Mended { lines: 0, lost_bytes: 21, rewritten: true });
        assert_eq!(numbers(&path, 0), 0);
    }
}
