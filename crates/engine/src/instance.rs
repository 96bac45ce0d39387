//! A strategy instance at work.

use std::collections::BTreeMap;

use oddsmith_domain::{
    InstanceId, IntentId, MarketId, Mode, Outcome, Price, Reasons, Shares, Side, Time, TradingMode, Usdc,
};
use oddsmith_risk::{CapitalPart, OpenOrder};
use oddsmith_strategy::{OwnFills, Rest, Strategy};

use crate::basket::{Carried, Patience};
use crate::discipline::Repel;
use crate::listen::{Listener, Mid};
use crate::pause::Pause;
use crate::permit::Narrowing;
use crate::share::Claim;
use crate::states::Track;

/// One configured instance, its strategy's state, and what it wants where.
pub(crate) struct Instance {
    pub(crate) id: InstanceId,
    pub(crate) name: String,
    /// Its place by priority, from 0, and the number that gave it that place.
    pub(crate) rank: usize,
    pub(crate) priority: i16,
    /// The part of the wallet's capital that it may have at work, if it has one of its own.
    pub(crate) capital: Option<CapitalPart>,
    /// The most markets that it may hold or quote at once.
    pub(crate) max_markets: Option<u32>,
    /// What it has at work, without the fees of what takes, see [`crate::share`].
    pub(crate) at_work: Usdc,
    pub(crate) strategy: Box<dyn Strategy + Send>,
    /// When a change is worth an evaluation.
    pub(crate) listener: Listener,
    pub(crate) scope: Vec<MarketId>,
    /// The worst losses of its markets added up, see [`Wanted::loss`].
    pub(crate) loss: Usdc,
    pub(crate) wants: BTreeMap<MarketId, Wanted>,
    /// Something that it looks at has changed since it was last evaluated.
    pub(crate) dirty: bool,
    /// It must be evaluated without waiting for the debounce.
    pub(crate) urgent: bool,
    pub(crate) evaluated_at: Option<u64>,
    /// How often it was evaluated, which evaluation was the last that was too slow, and how many in a row were.
    pub(crate) evaluations: u64,
    pub(crate) slow: (u64, u32),
    /// It failed and is not evaluated any more.
    pub(crate) quarantined: bool,
    /// Its last basket, on its way or over.
    pub(crate) basket: Option<Carried>,
    /// How long it waits after baskets that got nothing.
    pub(crate) patience: Patience,
}

/// What an instance wants in one market, and how far that is carried out.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    pub(crate) intent: IntentId,
    pub(crate) rest: Option<Rest>,
    pub(crate) fills: OwnFills,
    pub(crate) planned_at: Option<u64>,
    /// The market's mid when the instance last looked at it.
    pub(crate) looked: Option<Mid>,
    /// After refusals: no placement before this time.
    pub(crate) paused_until: u64,
    pub(crate) refusals: u32,
    /// The plan waits for the pause to end.
    pub(crate) held: bool,
    /// The last denial that was told, so that it is not told at every plan.
    pub(crate) told: Option<oddsmith_domain::Denial>,
    /// How far post-only refusals have pushed its quotes back, by side in YES terms.
    pub(crate) repel: [Repel; 2],
    /// Orders that wait until an order of an instance with a lower priority has made way.
    pub(crate) claims: Vec<OpenOrder>,
    /// Who pauses the instance here.
    pub(crate) pause: Option<Pause>,
    /// Collateral that it waits for.
    pub(crate) claim: Claim,
    /// Its rule of selection refuses the market: only what reduces is sent, until nothing is left there.
    pub(crate) leaving: bool,
    /// How far the wish could be followed when that was last looked at.
    pub(crate) narrowed: Narrowing,
    /// Where the instance's trading stands here.
    pub(crate) track: Track,
    /// The worst loss of what the instance holds and has open in the market.
    pub(crate) loss: Usdc,
    /// The last residual that was told.
    pub(crate) residual: Option<(Side, Shares)>,
    /// When the reasons of what it wants were told last, on the monotonic clock.
    pub(crate) reasoned_at: u64,
    /// When the instance's fair value was told last, on the monotonic clock.
    pub(crate) valued_at: Option<u64>,
}

/// Reasons that come and go with every frame are told this often at most.
const REASONS_EVERY_NS: u64 = Time::SECOND;

/// A price of a token's side.
type Level = (Outcome, Side, Price);

/// Where a wish wants something, kept or new; a level can come twice.
fn levels(rest: &Rest) -> impl Iterator<Item = Level> + '_ {
    let kept = rest.keep.iter().map(|w| (w.outcome, w.side, w.price));
    kept.chain(rest.quotes.iter().map(|q| (q.outcome, q.side, q.price)))
}

/// How much a wish wants at a level, kept and new together.
fn at(rest: &Rest, level: Level) -> Shares {
    let kept = rest.keep.iter().filter(|w| (w.outcome, w.side, w.price) == level).map(|w| w.size);
    kept.chain(rest.quotes.iter().filter(|q| (q.outcome, q.side, q.price) == level).map(|q| q.size)).sum()
}

impl Wanted {
    /// Whether nothing but limits stands between the wish and its orders.
    pub(crate) fn is_free(&self) -> bool {
        self.narrowed.mode == TradingMode::Active
    }

    /// Whether there is something that could be narrowed.
    pub(crate) fn wants_quotes(&self) -> bool {
        self.rest.as_ref().is_some_and(|rest| !rest.quotes.is_empty() || !rest.keep.is_empty())
    }

    /// Whether a new wish differs enough from the present one to be worth an intent: another mode, a price one tick away, or a
    /// size beyond the tolerance.
    pub(crate) fn differs(&self, new: &Rest, size_tolerance: Shares) -> bool {
        let Some(old) = &self.rest else { return true };
        if !(old.keep.is_empty() && new.keep.is_empty()) {
            // What was wanted newly works meanwhile and is kept: only what stands at each price matters.
            return old.mode != new.mode
                || [(old, new), (new, old)].iter().any(|(a, b)| {
                    levels(a)
                        .any(|level| (at(a, level) - at(b, level)).abs() > size_tolerance || at(b, level).is_zero())
                });
        }
        if old.mode != new.mode || old.quotes.len() != new.quotes.len() {
            return true;
        }
        old.quotes.iter().zip(&new.quotes).any(|(a, b)| {
            (a.outcome, a.side, a.route, a.price) != (b.outcome, b.side, b.route, b.price)
                || (a.size - b.size).abs() > size_tolerance
        })
    }

    /// The reasons for what is wanted anyway, if they are others than were told and that is long enough ago.
    pub(crate) fn other_reasons(&mut self, new: &Rest, now: Time) -> Option<Reasons> {
        let told = self.rest.as_mut()?;
        if told.reasons == new.reasons || now.mono_ns.saturating_sub(self.reasoned_at) < REASONS_EVERY_NS {
            return None;
        }
        self.reasoned_at = now.mono_ns;
        told.reasons.clone_from(&new.reasons);
        Some(new.reasons.clone())
    }

    /// How it wants to be in the market.
    pub(crate) fn mode(&self) -> Mode {
        self.rest.as_ref().map_or(Mode::Stop, |rest| rest.mode)
    }
}

#[cfg(test)]
mod tests {
    use oddsmith_domain::{DesiredQuote, OrderId, Route};
    use oddsmith_strategy::{Decision, Working};

    use super::*;

    #[test]
    fn a_quote_that_works_meanwhile_is_no_news() {
        let price: Price = "0.48".parse().expect("price");
        let (outcome, side, size) = (Outcome::Yes, Side::Buy, Shares::from_whole(30));
        let mut decision = Decision::default();
        decision.set(MarketId(0), Mode::Normal).quotes.push(DesiredQuote {
            outcome,
            side,
            price,
            size,
            route: Route::Exact,
        });
        let wanted = Wanted { rest: decision.rests().first().cloned(), ..Wanted::default() };
        let kept = |size| {
            let mut later = Decision::default();
            let id = OrderId([1; 32]);
            later.set(MarketId(0), Mode::Normal).keep.push(Working { id, outcome, side, price, size, settled: true });
            later.rests().first().cloned().expect("a wish")
        };
        assert!(!wanted.differs(&kept(size), Shares::from_whole(1)));
        assert!(wanted.differs(&kept(Shares::from_whole(20)), Shares::from_whole(1)), "partly filled");
    }
}
