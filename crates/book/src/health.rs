//! What the proofs and refutations of a book add up to.

use oddsmith_domain::BookHealth;

/// The health of one token's view of the ladder.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Record {
    health: BookHealth,
    /// Hash mismatches since the last match.
    misses: u8,
    /// The stamp of what made the book dirty: only a snapshot at least as new can clean it.
    dirty_since: u32,
    /// How often the book became dirty.
    pub times_dirty: u64,
}

impl Record {
    pub fn health(&self) -> BookHealth {
        self.health
    }

    /// The venue's hash was reproduced: a proof of the whole book, whatever was held against it.
    pub fn proven(&mut self) {
        self.misses = 0;
        self.health = BookHealth::Verified;
    }

    /// The venue's hash was not reproduced: suspect the first time, dirty when it happens again.
    pub fn refuted(&mut self, stamp: u32) {
        self.misses = self.misses.saturating_add(1);
        if self.misses >= 2 {
            self.dirty(stamp);
        } else if self.health != BookHealth::Dirty {
            self.health = BookHealth::Suspect;
        }
    }

    /// Something small had to be put right.
    pub fn suspect(&mut self) {
        if matches!(self.health, BookHealth::Verified | BookHealth::Unverifiable) {
            self.health = BookHealth::Suspect;
        }
    }

    /// The book is known to be wrong. A book that was never filled is empty, not wrong.
    pub fn dirty(&mut self, stamp: u32) {
        if self.health == BookHealth::Empty {
            return;
        }
        if self.health != BookHealth::Dirty {
            self.times_dirty += 1;
        }
        self.health = BookHealth::Dirty;
        self.dirty_since = self.dirty_since.max(stamp);
    }

    /// A snapshot replaced the book, but its hash could not be checked.
    pub fn replaced_unproven(&mut self, stamp: u32) {
        if self.health == BookHealth::Dirty && stamp < self.dirty_since {
            return;
        }
        self.misses = 0;
        self.health = BookHealth::Unverifiable;
    }

    /// A snapshot with a matching hash arrived. It says nothing of what is newer than itself.
    pub fn replaced_proven(&mut self, stamp: u32) {
        if self.health != BookHealth::Dirty || stamp >= self.dirty_since {
            self.proven();
        }
    }

    /// The hash of a change cannot be checked, because something that it covers is not known.
    pub fn unverifiable(&mut self) {
        if self.health == BookHealth::Verified {
            self.health = BookHealth::Unverifiable;
        }
    }

    pub fn shift_stamps(&mut self, shift: u32) {
        self.dirty_since = self.dirty_since.saturating_sub(shift);
    }

    /// Back to empty, the count kept.
    pub fn reset(&mut self) {
        *self = Record { times_dirty: self.times_dirty, ..Record::default() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled() -> Record {
        let mut record = Record::default();
        record.replaced_proven(10);
        record
    }

    #[test]
    fn one_mismatch_is_suspect_and_two_are_dirty() {
        let mut record = filled();
        assert_eq!(record.health(), BookHealth::Verified);
        record.refuted(11);
        assert_eq!(record.health(), BookHealth::Suspect);
        record.proven();
        record.refuted(12);
        assert_eq!(record.health(), BookHealth::Suspect, "a match in between begins the count again");
        record.refuted(13);
        assert_eq!((record.health(), record.times_dirty), (BookHealth::Dirty, 1));
        record.refuted(14);
        assert_eq!(record.times_dirty, 1, "it became dirty once");
    }

    #[test]
    fn only_a_snapshot_that_is_new_enough_cleans() {
        let mut record = filled();
        record.dirty(20);
        record.replaced_proven(19);
        assert_eq!(record.health(), BookHealth::Dirty);
        record.replaced_unproven(19);
        assert_eq!(record.health(), BookHealth::Dirty);
        record.replaced_proven(20);
        assert_eq!(record.health(), BookHealth::Verified);
    }

    #[test]
    fn what_was_never_filled_is_empty() {
        let mut record = Record::default();
        record.dirty(5);
        record.suspect();
        assert_eq!((record.health(), record.times_dirty), (BookHealth::Empty, 0));
    }

    #[test]
    fn a_book_without_card_fields_is_unverifiable_not_dirty() {
        let mut record = Record::default();
        record.replaced_unproven(5);
        assert_eq!(record.health(), BookHealth::Unverifiable);
        record.suspect();
        assert_eq!(record.health(), BookHealth::Suspect);
        record.unverifiable();
        assert_eq!(record.health(), BookHealth::Suspect, "doubt is not taken back by ignorance");
    }
}
