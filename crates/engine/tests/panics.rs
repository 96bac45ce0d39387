//! A strategy that panics: its instance is put away, everything else goes on, and the journal replays.

mod common;

use common::{Desk, config};
use oddsmith_domain::{
    DesiredQuote, Event, Input, InstanceId, MarketId, Mode, Outcome, OutputBody, Reason, Route, Shares, Side,
};
use oddsmith_engine::{Engine, EngineConfig};
use oddsmith_strategy::{Decision, Strategy, View};

/// It bids for YES, and panics in the middle of its decision as soon as the best bid of others is above half a dollar.
struct Fragile;

impl Strategy for Fragile {
    fn name(&self) -> &'static str {
        "fragile"
    }

    fn version(&self) -> u32 {
        1
    }

    fn evaluate(&mut self, view: &View<'_>, decision: &mut Decision) {
        for market in view.markets {
            let rest = decision.set(market.id, Mode::OneSidedBuy);
            let Some(best) = market.best_of_others(Side::Buy) else { continue };
            let price = best.price.saturating_add_units(-100);
            let (outcome, side, size) = (Outcome::Yes, Side::Buy, Shares::from_whole(10));
            rest.quotes.push(DesiredQuote { outcome, side, price, size, route: Route::Exact });
            rest.because(Reason::Quoting);
            assert!(best.price.units() <= 5_000, "a strategy with a bug");
        }
    }
}

/// The first instance is fragile, the second a maker; the first has market 0 alone or shares it with the second.
fn desk(shared: bool) -> Desk {
    let mut config = config();
    let mut other = config.instances[0].clone();
    (other.name, other.markets) = ("sound".to_owned(), vec!["market-1".to_owned()]);
    config.instances[0].name = "fragile".to_owned();
    config.instances[0].markets = vec!["market-0".to_owned()];
    if shared {
        other.markets.push("market-0".to_owned());
    }
    config.instances.push(other);
    let mut desk = Desk::of(engine(), EngineConfig { ..config });
    desk.add_market(1);
    desk.run_for(9_000);
    desk
}

fn engine() -> Engine {
    Engine::new().with_strategy("fragile", Box::new(Fragile))
}

fn resting(desk: &Desk, instance: u16, market: u32) -> usize {
    let of =
        |o: &&oddsmith_domain::PlaceOrder| o.instance == InstanceId(instance) && o.asset.market() == MarketId(market);
    desk.resting.iter().filter(of).count()
}

#[test]
fn only_the_instance_that_panics_is_put_away() {
    for shared in [false, true] {
        let mut desk = desk(shared);
        assert!(resting(&desk, 0, 0) == 1 && resting(&desk, 1, 1) > 0, "both quote");
        assert_eq!(resting(&desk, 1, 0) > 0, shared);
        let before = desk.events().len();
        desk.book(0, "0.53", "0.57");
        desk.book(1, "0.40", "0.44");
        desk.run_for(3_000);

        let events: Vec<Event> = desk.events().iter().skip(before).map(|event| (*event).clone()).collect();
        let told = |e: &Event| matches!(e, Event::Alert { text } if text.contains("`fragile` failed"));
        assert_eq!(events.iter().filter(|e| told(e)).count(), 1, "{events:#?}");
        let stopped = |e: &Event| matches!(e, Event::Decision { instance: InstanceId(0), mode: Mode::Stop, quotes, .. } if quotes.is_empty());
        assert!(events.iter().any(stopped), "nothing of the broken decision is taken over");
        assert!(!events.iter().any(|e| matches!(e, Event::DoubtBegan { .. })), "nobody else is stopped");
        assert_eq!(resting(&desk, 0, 0), 0, "its orders are cancelled");
        let view = desk.engine.view(desk.now);
        assert_eq!(view.instances.iter().map(|i| i.quarantined).collect::<Vec<_>>(), [true, false]);

        // The other goes on: it follows its books, in the shared market too.
        let moved = |e: &Event, market| matches!(e, Event::Decision { instance: InstanceId(1), market: m, quotes, .. } if *m == market && !quotes.is_empty());
        assert!(events.iter().any(|e| moved(e, MarketId(1))) && resting(&desk, 1, 1) > 0);
        assert_eq!(events.iter().any(|e| moved(e, MarketId(0))) && resting(&desk, 1, 0) > 0, shared);

        // And it stays put away: a book that it would have quoted on does not bring it back.
        desk.book(0, "0.45", "0.49");
        desk.run_for(3_000);
        assert_eq!(resting(&desk, 0, 0), 0);
    }
}

#[test]
fn a_run_with_a_panic_replays() {
    let mut desk = desk(true);
    desk.book(0, "0.53", "0.57");
    desk.run_for(2_000);
    let mut again = engine();
    let mut outputs = Vec::new();
    for (now, bytes) in &desk.tape {
        let input: Input<'_> = postcard::from_bytes(bytes).expect("an input");
        again.handle(&input, *now, &mut outputs);
    }
    assert!(
        outputs.iter().any(|o| matches!(&o.body, OutputBody::Event(Event::Alert { text }) if text.contains("failed")))
    );
    assert_eq!(outputs, desk.outputs);
}
