//! The venue's milliseconds, packed into 32 bits.

/// The pair's zero of venue time. A stamp counts milliseconds from it; stamp 0 is "never, or before everything else".
///
/// Four bytes of stamp in each slot keep a slot in 16 bytes. They cover 49 days: a book that lives longer moves its zero
/// forward ([`Epoch::shift_for`]), which only makes stamps older than 24 days equal to each other.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Epoch {
    zero_ms: Option<u64>,
}

/// Room left on either side of the first timestamp, and after a shift.
const HALF: u64 = 1 << 31;

impl Epoch {
    /// The stamp of a venue time. Times before the zero become 1: older than all that is known, but not "never".
    pub fn stamp(&mut self, timestamp_ms: u64) -> u32 {
        let zero = *self.zero_ms.get_or_insert(timestamp_ms.saturating_sub(HALF));
        u32::try_from(timestamp_ms.saturating_sub(zero).max(1)).unwrap_or(u32::MAX)
    }

    /// How far all stamps must move back before `timestamp_ms` fits; moves the zero by as much.
    pub fn shift_for(&mut self, timestamp_ms: u64) -> Option<u32> {
        let zero = self.zero_ms?;
        if timestamp_ms.saturating_sub(zero) < u64::from(u32::MAX) {
            return None;
        }
        let moved = timestamp_ms.saturating_sub(HALF);
        self.zero_ms = Some(moved);
        Some(u32::try_from(moved - zero).unwrap_or(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_keep_the_order_of_times_for_as_long_as_a_book_lives() {
        let mut epoch = Epoch::default();
        let start = 1_777_000_000_000;
        let first = epoch.stamp(start);
        assert!(epoch.stamp(start + 1) > first && epoch.stamp(start - 1) < first && epoch.stamp(0) == 1);
        let day = 86_400_000;
        assert_eq!(epoch.shift_for(start + 20 * day), None);
        let late = start + 60 * day;
        let shift = epoch.shift_for(late).expect("60 days do not fit");
        assert!(epoch.stamp(late) > first.saturating_sub(shift));
        assert!(epoch.stamp(late) < epoch.stamp(late + 1));
        assert!(epoch.shift_for(u64::MAX).is_some() && epoch.stamp(u64::MAX) > 0);
    }
}
