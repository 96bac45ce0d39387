//! A negative control: both tokens of a market are polled at different instants while the price moves. Compared side by side, the two
//! answers look like pairs for less than a dollar that nobody ever offered; pair arbitrage reports none of them.

use oddsmith_book::PairBook;
use oddsmith_domain::{
    BookLevel, ConditionId, FeeSchedule, MarketCard, MarketId, MarketSource, Outcome, Price, Shares, Side, SizeText,
    SnapshotHeader, Tick, Time, TokenId, Usdc,
};
use oddsmith_strategy::pair::{Pair, Parameters};
use oddsmith_strategy::{Decision, MarketView, OwnFills, Position, Strategy, View};

const MARKET: MarketId = MarketId(0);
/// Between two polls of the same token; the other one is polled halfway.
const POLL_MS: u64 = 1_000;
const POLLS: u64 = 20_000;

fn card() -> MarketCard {
    MarketCard {
        condition: ConditionId::parse("0x1").expect("a condition"),
        slug: "moving".to_owned(),
        question: "Moving?".to_owned(),
        tokens: [TokenId::from_be_bytes([1; 32]), TokenId::from_be_bytes([2; 32])],
        outcomes: ["Yes".to_owned(), "No".to_owned()],
        tick: Some(Tick::Cent),
        min_size: Some(Shares::from_whole(5)),
        fee: Some(FeeSchedule::FREE),
        end_wall_s: None,
        neg_risk: false,
        accepting_orders: true,
        taker_delay_ms: 0,
        settlement: Default::default(),
    }
}

fn at(ms: u64) -> Time {
    Time { mono_ns: (1_000 + ms) * Time::MILLI, wall_ns: 1_800_000_000 * Time::SECOND + ms * Time::MILLI }
}

/// The YES bid of the venue at a moment, in cents: a walk of the price that both tokens' books show, a cent wide, on each outcome the
/// mirror of the other.
fn walk() -> impl FnMut() -> u16 {
    let (mut bid, mut state) = (50i32, 7u64);
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        bid = (bid + (state >> 33) as i32 % 7 - 3).clamp(5, 94);
        u16::try_from(bid).expect("a few cents")
    }
}

fn cents(cents: u16) -> Price {
    Price::from_units(cents * 100).expect("in range")
}

/// Best bid and ask of a token while YES is bid at so much.
fn top(outcome: Outcome, yes_bid: u16) -> (Price, Price) {
    match outcome {
        Outcome::Yes => (cents(yes_bid), cents(yes_bid + 1)),
        Outcome::No => (cents(99 - yes_bid), cents(100 - yes_bid)),
    }
}

fn poll(book: &mut PairBook, outcome: Outcome, (bid, ask): (Price, Price), now: Time) {
    let header = SnapshotHeader {
        asset: MARKET.asset(outcome),
        timestamp_ms: now.wall_ms(),
        hash: None,
        first_level: 0,
        bids: 1,
        asks: 1,
        tick: None,
        min_size: None,
        neg_risk: None,
        last_trade: None,
        last_trade_stated: false,
        version_v2: false,
        irregular_text: true,
    };
    let level =
        |price| BookLevel { price, price_decimals: 2, size: SizeText { shares: Shares::from_whole(500), decimals: 2 } };
    book.apply_snapshot(outcome, &header, &[level(bid)], &[level(ask)], now, MarketSource::Rest);
    book.end_of_frame(now);
}

/// What the strategy sees and takes.
fn decide(pair: &mut Pair, card: &MarketCard, book: &PairBook, now: Time) -> Decision {
    let fills = OwnFills::default();
    let nothing = Position { matched: Shares::ZERO, settled: Shares::ZERO, sellable: Shares::ZERO, cost: Usdc::ZERO };
    let market = MarketView {
        id: MARKET,
        card,
        book,
        book_age_ns: Some(0),
        position: [nothing; 2],
        own: &[],
        working: &[],
        fills: &fills,
        caution: false,
        underlying: None,
        truth: None,
    };
    let mut decision = Decision::default();
    let view = View { now, markets: &[market], spendable: Usdc::from_whole(1_000), converts: false, basket: None };
    pair.evaluate(&view, &mut decision);
    decision
}

#[test]
fn quotes_that_are_polled_at_different_instants_are_no_opportunity() {
    let (card, mut venue) = (card(), walk());
    let mut pair = Pair::new(Parameters { accumulate: false, ..Parameters::default() });
    let mut book = PairBook::new(&card);
    let mut asks = [None; 2];
    let mut phantoms = 0u64;
    for n in 0..POLLS {
        let (outcome, now) = (if n % 2 == 0 { Outcome::Yes } else { Outcome::No }, at(n * POLL_MS / 2));
        let seen = top(outcome, venue());
        asks[outcome.index()] = Some(seen.1);
        if let [Some(yes), Some(no)] = asks {
            phantoms += u64::from(yes.units() + no.units() <= 9_900);
        }
        poll(&mut book, outcome, seen, now);
        let decision = decide(&mut pair, &card, &book, now);
        assert!(decision.basket().is_none() && decision.opportunities().is_empty(), "poll {n}: {decision:?}");
        let bought = book.best_ask(Outcome::Yes).zip(book.best_ask(Outcome::No));
        assert!(bought.is_none_or(|(yes, no)| yes.price.units() + no.price.units() > 10_000), "poll {n}");
    }
    // The control could have failed: side by side, the answers showed thousands.
    assert!(phantoms > POLLS / 10, "{phantoms}");
}

/// The same strategy does take what is there: the lagging token at a price that completes what is held.
#[test]
fn what_is_really_there_is_taken() {
    let card = card();
    let mut pair = Pair::new(Parameters { accumulate: false, ..Parameters::default() });
    let mut book = PairBook::new(&card);
    poll(&mut book, Outcome::Yes, top(Outcome::Yes, 60), at(0));
    let held = Position {
        matched: Shares::from_whole(40),
        settled: Shares::from_whole(40),
        sellable: Shares::from_whole(40),
        cost: Usdc::from_whole(16),
    };
    let nothing = Position { matched: Shares::ZERO, settled: Shares::ZERO, sellable: Shares::ZERO, cost: Usdc::ZERO };
    let fills = OwnFills::default();
    let market = MarketView {
        id: MARKET,
        card: &card,
        book: &book,
        book_age_ns: Some(0),
        position: [held, nothing],
        own: &[],
        working: &[],
        fills: &fills,
        caution: false,
        underlying: None,
        truth: None,
    };
    let mut decision = Decision::default();
    let view =
        View { now: at(1), markets: &[market], spendable: Usdc::from_whole(1_000), converts: false, basket: None };
    pair.evaluate(&view, &mut decision);
    let basket = decision.basket().expect("YES at 0.40 and NO at 0.40 make a dollar for 0.80");
    assert!(basket.legs.iter().all(|leg| leg.outcome == Outcome::No && leg.side == Side::Buy), "{basket:?}");
}
