//! A market's life with us: taken up by its card, let go when it has ended, dropped when nothing more is expected of it.
//!
//! Its end is known from three sources: the time on its card, by the engine's clock; a refreshed card that takes no orders; and the
//! venue's word that it is decided. Whatever comes first, what rests there is cancelled, and a later card can take it back. The
//! market is left when the venue has shown that nothing of ours rests in it and nothing is held, or it is decided; a held
//! position keeps it subscribed, so that the decision is heard.

use oddsmith_domain::{
    Action, DoubtCause, Event, Listing, MarketCard, MarketId, Output, Shares, Time, Usdc, VenueProtocol,
};

use crate::core::{Engine, Purpose};
use crate::instance::Wanted;
use crate::market::Market;

/// How long a market that was left is remembered, for reports that come late.
const REMEMBERED_NS: u64 = 60 * Time::SECOND;
/// A tick that the stream told counts for more than cards for this long: they may have been asked for before it.
const STREAM_TICK_NS: u64 = 60 * Time::SECOND;

/// How far a market's life has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Life {
    /// Traded, as far as everything else allows.
    #[default]
    Open,
    /// It has ended; what rests is being cancelled, or something is held and its decision awaited.
    Ended,
    /// Out of every scope and not received since this monotonic time.
    Left(u64),
}

impl Market {
    /// Whether it has ended by all that is known now.
    fn is_over(&self, now: Time) -> bool {
        self.resolved || self.dropped || !takes_orders(&self.card, now)
    }
}

/// Whether a card says that orders are taken at this time.
pub(crate) fn takes_orders(card: &MarketCard, now: Time) -> bool {
    card.accepting_orders && card.end_wall_s.is_none_or(|end| now.wall_s() < end)
}

impl Engine {
    /// The card of a market, while it is known.
    #[must_use]
    pub fn card(&self, market: MarketId) -> Option<&MarketCard> {
        self.markets.get(market.index()).map(|market| &market.card)
    }

    /// How many markets are followed, those included that were left a short while ago.
    #[must_use]
    pub const fn market_count(&self) -> usize {
        self.markets.count()
    }

    pub(crate) fn on_card(&mut self, card: &MarketCard, now: Time, out: &mut Vec<Output>) {
        match self.by_condition.get(&card.condition).copied() {
            Some(id) => self.refresh(id, card, now, out),
            None => self.join(card, now, out),
        }
    }

    /// The venue said which protocol it speaks. Cancelling needs no signature, so that it is still done under an unknown one.
    pub(crate) fn on_protocol(&mut self, protocol: VenueProtocol, now: Time, out: &mut Vec<Output>) {
        match protocol {
            VenueProtocol::Supported => self.wallet.resolve(DoubtCause::ProtocolVersion),
            VenueProtocol::Unknown(version) => {
                if !self.wallet.has(DoubtCause::ProtocolVersion) {
                    let version = version.map_or_else(|| "that is not a number".to_owned(), |v| v.to_string());
                    let text =
                        format!("the venue speaks protocol version {version}: books are read, nothing is traded");
                    self.emit.event(out, Event::Alert { text });
                }
                self.doubt_wallet(DoubtCause::ProtocolVersion, now, out);
            }
        }
    }

    fn refresh(&mut self, id: MarketId, card: &MarketCard, now: Time, out: &mut Vec<Output>) {
        let Some(market) = self.markets.get_mut(id.index()) else { return };
        let mut card = card.clone();
        if market.tick_told.is_some_and(|at| now.mono_ns.saturating_sub(at) < STREAM_TICK_NS) {
            card.tick = market.card.tick;
        }
        market.book.update_card(&card);
        let renamed = market.card.slug != card.slug;
        market.card = card;
        market.touched = true;
        if renamed {
            self.join_groups(id);
        }
        let Some(market) = self.markets.get_mut(id.index()) else { return };
        let open = market.life == Life::Open && !market.is_over(now);
        self.review_life(id, now, out);
        // One that came with the facts of the run before is taken up when its card comes.
        if open && self.is_wanted(id) && !self.instances.iter().any(|instance| instance.wants.contains_key(&id)) {
            self.subscribe(id, out);
            self.emit.event(out, Event::Listing { market: id, listing: Listing::Joined });
        }
    }

    /// Whether some instance trades a market.
    fn is_wanted(&self, id: MarketId) -> bool {
        self.markets.get(id.index()).is_some_and(|market| self.is_taken(&market.card))
    }

    fn is_taken(&self, card: &MarketCard) -> bool {
        (0..self.config.instances.len()).any(|instance| self.trades_in(instance, card))
    }

    /// Takes a market up. One that has ended already, or that nobody wants, is not.
    fn join(&mut self, card: &MarketCard, now: Time, out: &mut Vec<Output>) {
        if !takes_orders(card, now) {
            return;
        }
        if !self.is_taken(card) {
            return self.offer(card);
        }
        self.take_in_card(card, out);
    }

    pub(crate) fn take_in_card(&mut self, card: &MarketCard, out: &mut Vec<Output>) {
        let id = self.number(card, out);
        self.subscribe(id, out);
        self.emit.event(out, Event::Listing { market: id, listing: Listing::Joined });
    }

    /// Puts a market into the scopes that take it, and receives it.
    pub(crate) fn subscribe(&mut self, id: MarketId, out: &mut Vec<Output>) {
        let Some(market) = self.markets.get_mut(id.index()) else { return };
        market.unsubscribed = false;
        for index in 0..self.instances.len() {
            if self.markets.get(id.index()).is_some_and(|market| self.trades_in(index, &market.card)) {
                self.enter(index, id);
            }
        }
        let action = self.emit.action(out, Action::Subscribe { markets: vec![id] });
        self.awaited.insert(action, Purpose::Other);
    }

    /// Puts a market into the scope of an instance.
    pub(crate) fn enter(&mut self, index: usize, id: MarketId) {
        let (Some(market), Some(instance)) = (self.markets.get(id.index()), self.instances.get_mut(index)) else {
            return;
        };
        if instance.scope.contains(&id) {
            return;
        }
        instance.scope.push(id);
        let loss = market.figures.own(instance.id).worst().loss;
        instance.wants.insert(id, Wanted { loss, ..Wanted::default() });
        instance.loss += loss;
        instance.dirty = true;
    }

    /// Looks at the life of every market.
    pub(crate) fn watch_lives(&mut self, now: Time, out: &mut Vec<Output>) {
        let mut n = 0;
        while let Some(id) = self.markets.nth(n) {
            self.review_life(id, now, out);
            // One that was forgotten has made room for the next.
            n += usize::from(self.markets.nth(n) == Some(id));
        }
    }

    /// Draws the consequences of what is known about a market's end.
    pub(crate) fn review_life(&mut self, id: MarketId, now: Time, out: &mut Vec<Output>) {
        let Some(known) = self.markets.get(id.index()) else { return };
        let (over, known_over) = (known.is_over(now), known.life != Life::Open);
        // One that goes on after all is taken up again when a rule has chosen it.
        let unchosen = known_over && !over && self.is_left_by_rule(id);
        let Some(market) = self.markets.get_mut(id.index()) else { return };
        if unchosen {
            market.dropped = true;
            return self.selector.disturb();
        }
        match market.life {
            Life::Open if over => {
                market.life = Life::Ended;
                let (listing, cause) = match market.resolved || !takes_orders(&market.card, now) {
                    true => (Listing::Ended, DoubtCause::MarketEnded),
                    false => (Listing::Dropped, DoubtCause::Unselected),
                };
                self.emit.event(out, Event::Listing { market: id, listing });
                self.doubt_market(id, cause, now, out);
                self.selector.disturb();
            }
            Life::Open => {}
            before if !over => {
                market.life = Life::Open;
                market.doubt.resolve(DoubtCause::MarketEnded);
                market.doubt.resolve(DoubtCause::Unselected);
                self.emit.event(out, Event::Listing { market: id, listing: Listing::Resumed });
                if before != Life::Ended {
                    self.subscribe(id, out);
                }
            }
            Life::Ended => {
                let (resolved, shown_empty) = (market.resolved, market.doubt.is_verified());
                if shown_empty && self.orders.open_in(id).next().is_none() && (resolved || self.is_flat(id)) {
                    self.leave(id, now, out);
                }
            }
            Life::Left(since) => {
                if now.mono_ns.saturating_sub(since) >= REMEMBERED_NS && self.is_flat(id) {
                    self.forget(id, out);
                }
            }
        }
    }

    /// Whether the market's book comes by the stream.
    pub(crate) fn is_received(&self, id: MarketId) -> bool {
        self.markets.get(id.index()).is_some_and(|market| !matches!(market.life, Life::Left(_)))
    }

    /// Whether nothing is held in a market, settled or not.
    fn is_flat(&self, id: MarketId) -> bool {
        self.ledger.market(id).all(|(instance, account)| {
            let empty = |shares: &Shares| shares.is_zero();
            account.shares.iter().all(empty)
                && oddsmith_domain::Outcome::BOTH.iter().all(|outcome| {
                    let asset = id.asset(*outcome);
                    empty(&self.ledger.matched(instance, asset)) && empty(&self.ledger.settled(instance, asset))
                })
        })
    }

    fn leave(&mut self, id: MarketId, now: Time, out: &mut Vec<Output>) {
        let Some(market) = self.markets.get_mut(id.index()) else { return };
        market.life = Life::Left(now.mono_ns);
        market.book.reset();
        for instance in &mut self.instances {
            instance.scope.retain(|market| *market != id);
            instance.loss -= instance.wants.remove(&id).map_or(Usdc::ZERO, |wanted| wanted.loss);
            self.plans.remove(&(instance.id, id));
        }
        self.emit.event(out, Event::Listing { market: id, listing: Listing::Left });
        if self.is_flat(id) {
            self.unsubscribe(id, out);
        }
    }

    /// Receives a market no more. While something is held its balances are still read.
    fn unsubscribe(&mut self, id: MarketId, out: &mut Vec<Output>) {
        let Some(market) = self.markets.get_mut(id.index()) else { return };
        if std::mem::replace(&mut market.unsubscribed, true) {
            return;
        }
        let action = self.emit.action(out, Action::Unsubscribe { markets: vec![id] });
        self.awaited.insert(action, Purpose::Other);
    }

    fn forget(&mut self, id: MarketId, out: &mut Vec<Output>) {
        self.unsubscribe(id, out);
        let Some(market) = self.markets.remove(id) else { return };
        self.offer(&market.card);
        self.uncount(&market);
        self.by_condition.remove(&market.card.condition);
        self.assets.remove(&market.card);
        self.orders.forget(id);
        self.gate.forget(id);
        self.emit.event(out, Event::Listing { market: id, listing: Listing::Forgotten });
    }
}
