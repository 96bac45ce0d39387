//! Books by REST while the market connection cannot be had.

mod common;

use common::{Desk, card, config};
use oddsmith_domain::{
    Action, Event, FetchWhat, GatewayOutcome, Input, Link, LinkState, MarketSource, Outcome, Price, UnknownCause,
};

/// What the venue answers to a read of a book.
#[derive(Clone, Copy)]
enum Reads {
    Books(&'static str, &'static str),
    Fail,
}

/// Time passes; reads of books are answered so, everything else honestly. The connection is told to fail every now and then.
fn run(desk: &mut Desk, ms: u64, mut reads: impl FnMut(Outcome) -> Reads) {
    for step in 0..ms / 10 {
        if step % 170 == 0 {
            let refused = LinkState::Down("refused".to_owned());
            desk.put(&Input::Link { link: Link::Market(0), state: refused });
        }
        desk.step();
        for (seq, action) in std::mem::take(&mut desk.waiting) {
            let outcome = match &action {
                Action::Fetch(FetchWhat::Book(asset)) => match reads(asset.outcome()) {
                    Reads::Books(bid, ask) => {
                        read(desk, asset.outcome(), bid, ask);
                        GatewayOutcome::Done(Ok(()))
                    }
                    Reads::Fail => GatewayOutcome::Done(Err(UnknownCause::Timeout)),
                },
                _ => desk.honest(&action),
            };
            desk.answer(seq, outcome);
        }
    }
}

/// The answer to `GET /book`.
fn read(desk: &mut Desk, outcome: Outcome, bid: &str, ask: &str) {
    let price = |text: &str| text.parse::<Price>().expect("price");
    let (bid, ask) = match outcome {
        Outcome::Yes => (price(bid), price(ask)),
        Outcome::No => (price(ask).complement(), price(bid).complement()),
    };
    let body = format!(
        r#"{{"market":"{}","asset_id":"{}","timestamp":"{}","bids":[{{"price":"{bid}","size":"100"}}],"asks":[{{"price":"{ask}","size":"100"}}],"hash":""}}"#,
        card(0).condition,
        card(0).token(outcome),
        desk.now.wall_ms(),
    );
    desk.put(&Input::Market { source: MarketSource::Rest, bytes: body.as_bytes() });
}

/// A desk whose market connection fails from the beginning of the run.
fn without_socket() -> Desk {
    let mut desk = Desk::new(config());
    desk.alive = false;
    desk
}

fn told(desk: &Desk) -> Vec<bool> {
    let of = |e: &&Event| if let Event::Degraded { on, .. } = e { Some(*on) } else { None };
    desk.events().iter().filter_map(of).collect()
}

fn width(desk: &Desk) -> i32 {
    let [bid, no_bid] = [Outcome::Yes, Outcome::No].map(|outcome| {
        let order = desk.resting.iter().find(|o| o.asset.outcome() == outcome).expect("both sides are quoted");
        i32::from(order.price.units())
    });
    i32::from(Price::ONE.units()) - no_bid - bid
}

#[test]
fn two_agreeing_reads_lead_to_cautious_quotes_until_the_socket_is_healthy() {
    let mut desk = without_socket();
    run(&mut desk, 9_500, |_| Reads::Books("0.48", "0.52"));
    assert!(desk.resting.is_empty() && told(&desk).is_empty(), "not before the time is over");
    run(&mut desk, 30_000, |_| Reads::Books("0.48", "0.52"));
    assert_eq!(told(&desk), [true]);
    assert!(!desk.resting.is_empty(), "{:?}", desk.engine.view(desk.now));
    assert!(desk.resting.iter().all(|o| o.post_only), "nothing is taken");
    let cautious = width(&desk);
    // The connection comes back: every snapshot is there.
    desk.alive = true;
    desk.book(0, "0.48", "0.52");
    desk.put(&Input::Link { link: Link::Market(0), state: LinkState::Up });
    desk.run_for(10_000);
    assert_eq!(told(&desk), [true, false]);
    assert!(width(&desk) < cautious, "{} is not narrower than {cautious}", width(&desk));
}

#[test]
fn one_read_is_not_believed() {
    let mut desk = without_socket();
    // Every read shows another market.
    let mut turns = [0; 2];
    run(&mut desk, 40_000, |outcome| {
        turns[outcome.index()] += 1;
        if turns[outcome.index()] % 2 == 0 { Reads::Books("0.48", "0.52") } else { Reads::Books("0.58", "0.62") }
    });
    assert_eq!(told(&desk), [true]);
    assert_eq!(desk.count(|a| matches!(a, Action::Place(_))), 0);
}

#[test]
fn a_jump_pulls_the_quotes_until_it_is_confirmed() {
    let mut desk = without_socket();
    run(&mut desk, 30_000, |_| Reads::Books("0.48", "0.52"));
    assert!(!desk.resting.is_empty());
    let mut pulled = false;
    for _ in 0..12 {
        run(&mut desk, 100, |_| Reads::Books("0.58", "0.62"));
        pulled |= desk.resting.is_empty();
    }
    assert!(pulled);
    run(&mut desk, 15_000, |_| Reads::Books("0.58", "0.62"));
    let bid = desk.resting.iter().find(|o| o.asset.outcome() == Outcome::Yes).expect("quoted at the new price");
    assert!(bid.price >= "0.55".parse().expect("price"), "{:?}", desk.quotes());
}

#[test]
fn reads_that_stop_coming_stop_the_quotes() {
    let mut desk = without_socket();
    run(&mut desk, 30_000, |_| Reads::Books("0.48", "0.52"));
    assert!(!desk.resting.is_empty());
    run(&mut desk, 6_000, |_| Reads::Fail);
    assert!(desk.resting.is_empty());
    run(&mut desk, 60_000, |_| Reads::Books("0.48", "0.52"));
    assert!(!desk.resting.is_empty(), "and they come back");
}

#[test]
fn it_can_be_switched_off() {
    let mut with = config();
    with.doubt.degraded_after_ms = 0;
    let mut desk = Desk::new(with);
    desk.alive = false;
    run(&mut desk, 40_000, |_| Reads::Books("0.48", "0.52"));
    assert!(told(&desk).is_empty() && desk.resting.is_empty());
}
