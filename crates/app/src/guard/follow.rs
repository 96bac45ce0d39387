//! Following a run from outside, by the head of its journal.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use oddsmith_journal::{Cursor, ReadError, Reader};

use super::Ended;

/// How often the head is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// How following ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Followed {
    /// The run has ended and the venue had shown it that nothing is left.
    EndedCleanly,
    /// The run has ended in another way.
    EndedBadly(String),
    /// The head stands still.
    StandsStill {
        /// For how long.
        silence: Duration,
        /// The last record's number.
        record: u64,
    },
}

/// Follows a run until it ends or its journal's head stands still for `limit`.
///
/// # Errors
/// When the journal cannot be opened at all.
pub fn follow(dir: &Path, limit: Duration) -> Result<Followed, ReadError> {
    let mut head = Head::open(dir)?;
    let mut moved = Instant::now();
    loop {
        if head.advance() {
            moved = Instant::now();
        }
        if let Some(ended) = Ended::read(dir) {
            return Ok(if ended.clean { Followed::EndedCleanly } else { Followed::EndedBadly(ended.why) });
        }
        let silence = moved.elapsed();
        if silence >= limit {
            return Ok(Followed::StandsStill { silence, record: head.cursor.sequence.saturating_sub(1) });
        }
        std::thread::sleep(LOOK);
    }
}

struct Head {
    dir: PathBuf,
    cursor: Cursor,
    reader: Option<Reader>,
}

impl Head {
    fn open(dir: &Path) -> Result<Head, ReadError> {
        let reader = Reader::open(dir)?;
        Ok(Head { dir: dir.to_owned(), cursor: reader.cursor(), reader: Some(reader) })
    }

    /// Reads what is new; says whether there was anything. A place that cannot be read is looked at afresh: only a head that moves is
    /// a sign of life.
    fn advance(&mut self) -> bool {
        let before = self.cursor.sequence;
        if self.reader.is_none() {
            self.reader = Reader::open_at(&self.dir, self.cursor).ok();
        }
        if let Some(reader) = &mut self.reader {
            let readable = loop {
                match reader.next() {
                    Ok(Some(_)) => {}
                    Ok(None) => break true,
                    Err(_) => break false,
                }
            };
            self.cursor = reader.cursor();
            if !readable {
                self.reader = None;
            }
        }
        self.cursor.sequence != before
    }
}

#[cfg(test)]
mod tests {
    use oddsmith_domain::{Input, RunId, Time};
    use oddsmith_journal::{Encoder, Options, RecordHead, Writer};

    use super::*;

    fn tick(writer: &mut Writer) {
        let mut encoder = Encoder::default();
        let record = encoder.input(&Input::Tick).expect("encodes");
        let head = RecordHead { time: Time::default(), kind: record.kind, ids: record.ids };
        writer.append(&head, record.payload).expect("appended");
    }

    #[test]
    fn a_head_that_moves_is_followed_and_one_that_stands_still_is_told() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut writer = Writer::create(dir.path(), RunId([1; 16]), &Options::default()).expect("a journal");
        let path = dir.path().to_owned();
        let limit = Duration::from_millis(600);
        let began = Instant::now();
        let followed = std::thread::spawn(move || follow(&path, limit));
        while began.elapsed() < Duration::from_millis(1_500) {
            tick(&mut writer);
            std::thread::sleep(Duration::from_millis(50));
        }
        let written = writer.next_sequence() - 1;
        let end = followed.join().expect("no panic").expect("readable");
        assert!(began.elapsed() >= Duration::from_millis(2_000), "it followed as long as the head moved");
        match end {
            Followed::StandsStill { silence, record } => assert!(silence >= limit && record == written, "{end:?}"),
            other => panic!("{other:?}"),
        }
        Ended { clean: true, why: "asked to".into() }.write(dir.path());
        assert_eq!(follow(dir.path(), limit).expect("readable"), Followed::EndedCleanly);
        Ended { clean: false, why: "forced".into() }.write(dir.path());
        assert_eq!(follow(dir.path(), limit).expect("readable"), Followed::EndedBadly("forced".into()));
    }
}
