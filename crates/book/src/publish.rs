//! The end of a frame: the stated best prices, the repair, and the published top.

use oddsmith_domain::{Outcome, Price, Shares, Time};

use crate::pair::{PairBook, Top};
use crate::ring::MidSample;
use crate::signal;

/// What readers see, in YES prices.
#[derive(Clone, Debug, Default)]
pub(crate) struct Published {
    pub bid: Option<Top>,
    pub ask: Option<Top>,
    pub crossed: bool,
    /// Whether the venue itself states that bids and asks meet.
    pub meant: bool,
    /// How many times the published top changed.
    pub version: u64,
    /// Order-flow imbalance in millionths of a share.
    pub ofi_micros: i64,
    /// Set by a snapshot: the step from the top before it is not order flow.
    pub resynced: bool,
}

impl Published {
    pub fn clear(&mut self) {
        (self.bid, self.ask, self.resynced) = (None, None, true);
        (self.crossed, self.meant) = (false, false);
        self.version += 1;
    }
}

/// The best prices that the venue stated last, in YES prices. `None` is what it did not state.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stated {
    /// The token in whose prices it was stated.
    pub by: Outcome,
    pub stamp: u32,
    /// [`Price::ZERO`] when nobody bids.
    pub bid: Option<Price>,
    /// [`Price::ONE`] when nobody offers.
    pub ask: Option<Price>,
}

/// What the end of a frame brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FrameEnd {
    /// Own levels that were better than the venue's stated best and were removed.
    pub repaired: u32,
    /// Whether the top agreed with the stated best prices before the repair; `None` when none were stated in this frame.
    pub agreed_before_repair: Option<bool>,
    /// Whether it agrees now.
    pub agreed: Option<bool>,
    /// Whether the book is crossed and therefore publishes nothing.
    pub crossed: bool,
    /// Whether the published top changed.
    pub top_changed: bool,
}

impl PairBook {
    /// Ends a frame: repairs the book by the best prices that the frame stated, and publishes the new top.
    ///
    /// Own levels better than the stated best are levels whose removal never arrived; they go, and the book is suspect until
    /// the venue's hash proves it again. A book that is still crossed afterwards publishes nothing, and is dirty unless the venue itself
    /// states that bids and asks meet ([`PairBook::is_crossed_by_venue`]).
    pub fn end_of_frame(&mut self, now: Time) -> FrameEnd {
        let mut end = FrameEnd::default();
        let stated = self.stated.filter(|stated| stated.stamp >= self.newest && !self.checks.stated_seen);
        if let Some(stated) = stated {
            self.checks.stated_seen = true;
            end.agreed_before_repair = Some(self.agrees(&stated));
            end.repaired = self.repair(&stated);
            end.agreed = Some(self.agrees(&stated));
            if end.repaired > 0 {
                self.repaired += u64::from(end.repaired);
                for record in &mut self.records {
                    record.suspect();
                }
            }
        }
        end.top_changed = self.publish(now);
        end.crossed = self.published.crossed;
        if end.crossed && !self.published.meant {
            for record in &mut self.records {
                record.dirty(self.newest);
            }
        }
        end
    }

    /// Whether the venue itself states that bids and asks meet: by best prices on both sides that are the ladder's, newer than which
    /// nothing is known, or by a whole book whose hash it reproduces and that nothing has changed since.
    fn is_crossing_meant(&self) -> bool {
        let whole = |stated: &Stated| stated.bid.is_some() && stated.ask.is_some();
        let by_best = self.stated.as_ref().is_some_and(|s| s.stamp >= self.newest && whole(s) && self.agrees(s));
        by_best || self.whole_since == Some(self.newest)
    }

    /// Whether the ladder's best prices are the stated ones.
    pub(crate) fn agrees(&self, stated: &Stated) -> bool {
        let bid = self.bids.highest().unwrap_or(Price::ZERO);
        let ask = self.asks.lowest().unwrap_or(Price::ONE);
        stated.bid.is_none_or(|stated| stated == bid) && stated.ask.is_none_or(|stated| stated == ask)
    }

    /// Removes the levels that are better than the stated best; says how many.
    fn repair(&mut self, stated: &Stated) -> u32 {
        let mut removed = 0;
        while let (Some(limit), Some(best)) = (stated.bid, self.bids.highest()) {
            if best <= limit {
                break;
            }
            let slot = *self.bids.slot(best);
            self.bids.set(best, crate::ladder::Slot { micros: 0, stamp: stated.stamp, ..slot });
            removed += 1;
        }
        while let (Some(limit), Some(best)) = (stated.ask, self.asks.lowest()) {
            if best >= limit {
                break;
            }
            let slot = *self.asks.slot(best);
            self.asks.set(best, crate::ladder::Slot { micros: 0, stamp: stated.stamp, ..slot });
            removed += 1;
        }
        removed
    }

    /// Moves the published top to the ladder's; says whether it changed.
    pub(crate) fn publish(&mut self, now: Time) -> bool {
        let top =
            |price: Option<Price>, micros: i64| price.map(|price| Top { price, size: Shares::from_micros(micros) });
        let (best_bid, best_ask) = (self.bids.highest(), self.asks.lowest());
        let crossed = best_bid.zip(best_ask).is_some_and(|(bid, ask)| bid >= ask);
        let bid = top(best_bid, best_bid.map_or(0, |price| self.bids.slot(price).micros)).filter(|_| !crossed);
        let ask = top(best_ask, best_ask.map_or(0, |price| self.asks.slot(price).micros)).filter(|_| !crossed);
        self.published.meant = crossed && self.is_crossing_meant();
        let before = (self.published.bid, self.published.ask);
        if before == (bid, ask) && self.published.crossed == crossed {
            return false;
        }
        if let (false, (Some(bid_0), Some(ask_0)), (Some(bid_1), Some(ask_1))) =
            (self.published.resynced, before, (bid, ask))
        {
            let step = signal::ofi_step((bid_0, ask_0), (bid_1, ask_1));
            self.published.ofi_micros = self.published.ofi_micros.saturating_add(step);
        }
        self.published = Published {
            bid,
            ask,
            crossed,
            meant: self.published.meant,
            version: self.published.version + 1,
            ofi_micros: self.published.ofi_micros,
            resynced: false,
        };
        if let (Some(bid), Some(ask)) = (bid, ask) {
            self.mids.push(MidSample {
                mono_ns: now.mono_ns,
                twice_mid: bid.price.units() + ask.price.units(),
                ofi_micros: self.published.ofi_micros,
            });
        }
        true
    }

    /// How many times the published top has changed: a reader that remembers it knows whether there is anything new.
    #[must_use]
    pub fn top_version(&self) -> u64 {
        self.published.version
    }
}
