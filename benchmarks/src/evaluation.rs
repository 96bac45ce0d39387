//! What one evaluation of one market costs, beside a bare signature.

use std::hint::black_box;

use oddsmith_book::PairBook;
use oddsmith_domain::{
    BookLevel, ConditionId, FeeSchedule, MarketCard, MarketId, MarketSource, OrderId, Outcome, Price, Shares,
    SizeText, SnapshotHeader, Tick, Time, TokenId, Usdc,
};
use oddsmith_strategy::{
    Decision, MarketView, OwnFills, OwnOrder, Position, Strategy, StrategyConfig, View, Working, amm, bands,
    skewed_maker,
};

use crate::harness::{Effort, Work, race};
use crate::orders::bare_signature;
use crate::report::{Bar, Row};

const MARKET: MarketId = MarketId(0);
const NOW: Time = Time { mono_ns: 100_000 * Time::SECOND, wall_ns: 1_800_000_000 * Time::SECOND };

/// One market with ten levels on each side and 300 shares of each token.
struct Scene {
    card: MarketCard,
    book: PairBook,
    fills: OwnFills,
    own: Vec<OwnOrder>,
    working: Vec<Working>,
    decision: Decision,
}

impl Scene {
    fn new() -> Scene {
        let card = MarketCard {
            condition: ConditionId::parse("0x1").expect("a condition"),
            slug: "scene".to_owned(),
            question: "Scene?".to_owned(),
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
        };
        let mut book = PairBook::new(&card);
        let header = SnapshotHeader {
            asset: MARKET.asset(Outcome::Yes),
            timestamp_ms: NOW.wall_ms(),
            hash: None,
            first_level: 0,
            bids: 10,
            asks: 10,
            tick: None,
            min_size: None,
            neg_risk: None,
            last_trade: None,
            last_trade_stated: false,
            version_v2: false,
            irregular_text: true,
        };
        let level = |cents: u16| BookLevel {
            price: Price::from_units(cents * 100).expect("in range"),
            price_decimals: 2,
            size: SizeText { shares: Shares::from_whole(100), decimals: 2 },
        };
        let (bids, asks): (Vec<_>, Vec<_>) = ((40..50).map(level).collect(), (51..61).map(level).collect());
        book.apply_snapshot(Outcome::Yes, &header, &bids, &asks, NOW, MarketSource::Rest);
        book.end_of_frame(NOW);
        let (fills, decision) = (OwnFills::default(), Decision::default());
        Scene { card, book, fills, own: Vec::new(), working: Vec::new(), decision }
    }

    fn evaluate(&mut self, strategy: &mut dyn Strategy) {
        let held = Shares::from_whole(300);
        let position = Position { matched: held, settled: held, sellable: held, cost: Usdc::from_whole(150) };
        let market = MarketView {
            id: MARKET,
            card: &self.card,
            book: &self.book,
            book_age_ns: Some(0),
            position: [position; 2],
            own: &self.own,
            working: &self.working,
            fills: &self.fills,
            caution: false,
            underlying: None,
            truth: None,
        };
        self.decision.clear();
        let view = View { now: NOW, markets: &[market], spendable: Usdc::from_whole(1_000), converts: false, basket: None };
        strategy.evaluate(black_box(&view), &mut self.decision);
    }

    /// Everything that was wanted works meanwhile. How many orders that are.
    fn settle(&mut self) -> usize {
        let wanted = self.decision.rests().iter().flat_map(|rest| &rest.quotes).enumerate();
        self.working = wanted
            .map(|(n, quote)| Working {
                id: OrderId([n as u8; 32]),
                outcome: quote.outcome,
                side: quote.side,
                price: quote.price,
                size: quote.size,
                settled: true,
            })
            .collect();
        let yes = |order: &Working| match order.outcome {
            Outcome::Yes => (order.side, order.price),
            Outcome::No => (order.side.opposite(), order.price.complement()),
        };
        let own = |order: &Working| {
            let (side, price) = yes(order);
            OwnOrder { side, price, size: order.size }
        };
        self.own = self.working.iter().map(own).collect();
        self.working.len()
    }
}

fn row(name: &str, config: &StrategyConfig, unchanged: bool, bar: Bar, effort: Effort) -> Row {
    let mut strategy = config.build().expect("valid parameters");
    let mut scene = Scene::new();
    scene.evaluate(strategy.as_mut());
    let wanted: usize = scene.decision.rests().iter().map(|rest| rest.quotes.len()).sum();
    assert!(wanted > 0, "{name} quotes");
    let note = if unchanged {
        format!("its {} orders work and nothing has changed", scene.settle())
    } else {
        format!("a ladder of {wanted} orders from nothing")
    };
    let ours: Work<'_> = Box::new(move |times| {
        for _ in 0..times {
            scene.evaluate(strategy.as_mut());
            black_box(&scene.decision);
        }
    });
    let figures = race(effort, vec![("oddsmith", ours), ("bare libsecp256k1 signature", bare_signature())]);
    Row::new(name, &note, figures, &[bar])
}

/// All benches of evaluations.
pub fn run(effort: Effort) -> Vec<Row> {
    let skewed = StrategyConfig::SkewedMaker(skewed_maker::Parameters {
        max_net_shares: Shares::from_whole(1_000),
        ..skewed_maker::Parameters::default()
    });
    let ladder = StrategyConfig::Amm(amm::Parameters { min_size: 5.0, ..amm::Parameters::default() });
    let bands = StrategyConfig::Bands(bands::Parameters::default());
    let (maker, whole) = (Bar::at_most(1, 0.05, 0.02), Bar::at_most(1, 1.0, 0.25));
    vec![
        row("evaluation of a market: skewed_maker", &skewed, true, maker, effort),
        row("evaluation of a market: bands", &bands, true, maker, effort),
        row("evaluation of a market: amm, full ladder", &ladder, false, whole, effort),
        row("evaluation of a market: amm, unchanged", &ladder, true, whole, effort),
    ]
}
