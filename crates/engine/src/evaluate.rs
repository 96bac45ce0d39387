//! When an instance is evaluated, and what becomes of its decision.

use std::panic::{AssertUnwindSafe, catch_unwind};

use oddsmith_domain::{Event, InstanceId, Mode, Outcome, Output, Time, Usdc};
use oddsmith_strategy::{MarketView, OwnOrder, Position, Rest, View, Working};

use crate::basket::Carried;
use crate::config::Timing;
use crate::core::Engine;
use crate::instance::Instance;
use crate::own::Gone;
use crate::pause::paused_rest;

impl Instance {
    /// When the instance is due, on the monotonic clock; `None` while it has no market or was put in quarantine.
    pub(crate) fn next_evaluation(&self, timing: &Timing) -> Option<u64> {
        if self.scope.is_empty() || self.quarantined {
            return None;
        }
        let Some(last) = self.evaluated_at else { return Some(0) };
        Some(self.listener.next(last, (self.dirty, self.urgent), timing))
    }
}

impl Engine {
    /// Evaluates the next instance that is due, if any. One at a time: the driver looks at lossless inputs in between.
    pub(crate) fn evaluate_one(&mut self, now: Time, out: &mut Vec<Output>) {
        let count = self.instances.len();
        let due = |i: &Instance| i.next_evaluation(&self.config.timing).is_some_and(|at| at <= now.mono_ns);
        let Some(index) = (0..count).map(|k| (self.turn + k) % count).find(|&i| due(&self.instances[i])) else {
            return;
        };
        self.turn = (index + 1) % count;
        self.counts.evaluations += 1;
        if !self.evaluate_watched(index, now) {
            return self.put_away(index, "failed", out);
        }
        let decision = std::mem::take(&mut self.scratch.decision);
        self.follow_signals(index, decision.opportunities(), now, out);
        self.scratch.decision = decision;
        self.accept_decision(index, now, out);
        self.tell_fair_values(index, now, out);
        self.accept_basket(index, now, out);
        self.accept_conversion(index, now, out);
    }

    /// Runs the strategy on a fresh view; `false` if it panicked.
    pub(crate) fn evaluate(&mut self, index: usize, now: Time) -> bool {
        let spendable = self.instances.get(index).map_or(Usdc::ZERO, |instance| self.spendable(instance.id, now));
        let converts = self.may_convert(now);
        let Engine { instances, markets, orders, ledger, scratch, wallet, shards, references, truths, .. } = self;
        let Some(Instance { id, strategy, scope, wants, dirty, urgent, evaluated_at, basket, .. }) =
            instances.get_mut(index)
        else {
            return true;
        };
        (*dirty, *urgent, *evaluated_at) = (false, false, Some(now.mono_ns));
        let (own, working, ends) = (&mut scratch.own, &mut scratch.own_working, &mut scratch.own_ends);
        own.clear();
        working.clear();
        ends.clear();
        for market_id in scope.iter() {
            if let Some(market) = markets.get_mut(market_id.index()) {
                market.mid_ticks = market.mid_in_ticks();
                if let Some(wanted) = wants.get_mut(market_id) {
                    wanted.looked = market.mid();
                }
            }
            // What only takes rests in no book; a basket's progress is told by the basket.
            let resting = || orders.open_in(*market_id).filter(|order| order.place.order_type.rests());
            own.extend(resting().map(|order| {
                let (side, price) = order.open().in_yes_terms();
                OwnOrder { side, price, size: order.remaining() }
            }));
            let ours = resting().filter(|order| order.place.instance == *id);
            working.extend(ours.map(|order| Working {
                id: order.place.id,
                outcome: order.place.asset.outcome(),
                side: order.place.side(),
                price: order.place.price,
                size: order.remaining(),
                settled: order.is_settled(),
            }));
            ends.push((own.len(), working.len()));
        }
        let mut views = Vec::with_capacity(scope.len());
        let mut begin = (0, 0);
        for (market_id, &end) in scope.iter().zip(ends.iter()) {
            let from = std::mem::replace(&mut begin, end);
            let everybodys = own.get(from.0..end.0).unwrap_or_default();
            let ours = working.get(from.1..end.1).unwrap_or_default();
            let (Some(market), Some(wanted)) = (markets.get(market_id.index()), wants.get(market_id)) else {
                continue;
            };
            if market.resolved {
                continue;
            }
            let position = Outcome::BOTH.map(|outcome| {
                let asset = market_id.asset(outcome);
                let available = ledger.available(*id, asset);
                Position {
                    matched: ledger.matched(*id, asset),
                    settled: ledger.settled(*id, asset),
                    sellable: available - orders.promised(*id, asset).min(available),
                    cost: ledger.account(*id, *market_id).cost[outcome.index()],
                }
            });
            views.push(MarketView {
                id: *market_id,
                card: &market.card,
                book_age_ns: market.book_age_ns(now, Engine::proof_of(shards, *market_id)),
                book: &market.book,
                position,
                own: everybodys,
                working: ours,
                fills: &wanted.fills,
                caution: wallet.is_cautious() || market.doubt.is_cautious() || market.reads.on,
                underlying: references.underlying(*market_id, &market.card, now),
                truth: truths.of(&market.card.slug, &market.card.settlement, now),
            });
        }
        let decision = &mut scratch.decision;
        decision.clear();
        let view = View { now, markets: &views, spendable, converts, basket: basket.as_ref().map(Carried::view) };
        catch_unwind(AssertUnwindSafe(|| strategy.evaluate(&view, decision))).is_ok()
    }

    /// Takes over what differs from what was wanted before: latest wins, and what is the same is no news.
    fn accept_decision(&mut self, index: usize, now: Time, out: &mut Vec<Output>) {
        let tolerance = self.config.planning.shrink_tolerance;
        let decision = std::mem::take(&mut self.scratch.decision);
        for rest in decision.rests() {
            let Some(instance) = self.instances.get_mut(index) else { break };
            let Some(wanted) = instance.wants.get_mut(&rest.market) else { continue };
            let paused = wanted.pause.map(|_| paused_rest(rest.market));
            let rest = paused.as_ref().unwrap_or(rest);
            if !wanted.differs(rest, tolerance) {
                if wanted.told.is_some() {
                    // A limit was in the way: what it counts may have changed meanwhile.
                    self.plans.insert((instance.id, rest.market), ());
                }
                if let Some(reasons) = wanted.other_reasons(rest, now) {
                    let (instance, market, intent) = (instance.id, rest.market, wanted.intent);
                    self.emit.event(out, Event::Reasons { instance, market, intent, reasons });
                }
                continue;
            }
            (wanted.held, wanted.reasoned_at) = (false, now.mono_ns);
            self.intents += 1;
            wanted.intent = oddsmith_domain::IntentId(self.intents);
            match &mut wanted.rest {
                Some(old) => old.clone_from(rest),
                none => *none = Some(rest.clone()),
            }
            wanted.told = None;
            let (instance, market) = (instance.id, rest.market);
            self.plans.insert((instance, market), ());
            self.emit.event(
                out,
                Event::Decision {
                    instance,
                    market,
                    intent: oddsmith_domain::IntentId(self.intents),
                    mode: rest.mode,
                    keep: rest.keep.iter().map(|w| w.id).collect(),
                    quotes: rest.quotes.clone(),
                    reasons: rest.reasons.clone(),
                },
            );
        }
        self.scratch.decision = decision;
    }

    /// A strategy that failed wants nothing any more, and its state is discarded; its orders are cancelled and the other instances go on.
    pub(crate) fn quarantine(&mut self, index: usize, out: &mut Vec<Output>) {
        let Some(instance) = self.instances.get_mut(index) else { return };
        instance.quarantined = true;
        instance.strategy = Box::new(Gone);
        if let Some(basket) = &mut instance.basket {
            basket.run.abort();
        }
        let id: InstanceId = instance.id;
        for (market, wanted) in &mut instance.wants {
            self.intents += 1;
            wanted.intent = oddsmith_domain::IntentId(self.intents);
            wanted.rest = Some(Rest {
                market: *market,
                mode: Mode::Stop,
                keep: Vec::new(),
                quotes: Vec::new(),
                reasons: Default::default(),
                figures: Default::default(),
            });
            self.plans.insert((id, *market), ());
            self.emit.event(
                out,
                Event::Decision {
                    instance: id,
                    market: *market,
                    intent: wanted.intent,
                    mode: Mode::Stop,
                    keep: Vec::new(),
                    quotes: Vec::new(),
                    reasons: Default::default(),
                },
            );
        }
    }
}
