//! One denial for each limit; and whatever is proposed, filled and cancelled, no limit is ever exceeded.

use oddsmith_domain::{
    ConditionId, Denial, Event, KillReason, Latch, LatchScope, Latched, MarketCard, MarketId, Outcome, Price, Shares,
    Side, Tick, Time, TokenId, TradingMode, TripCause, Usdc,
};
use oddsmith_risk::{
    BookStanding, CapitalPart, DailyLossReset, DrawdownRules, Elsewhere, Factor, Gate, GroupLimit, GroupLoss,
    GroupStanding, KillRules, Limits, MarketExposure, OpenOrder, Proposal, Standing, Went,
};
use proptest::prelude::*;

const NOON: u64 = 20_748 * 86_400 + 12 * 3_600;

fn card() -> MarketCard {
    MarketCard {
        condition: ConditionId::parse("0xab").expect("a condition"),
        slug: "test".to_owned(),
        question: "?".to_owned(),
        tokens: [TokenId::from_be_bytes([1; 32]), TokenId::from_be_bytes([2; 32])],
        outcomes: ["Yes".to_owned(), "No".to_owned()],
        tick: Some(Tick::Cent),
        min_size: Some(Shares::from_whole(5)),
        fee: None,
        end_wall_s: Some(NOON + 3_600),
        neg_risk: false,
        accepting_orders: true,
        taker_delay_ms: 0,
        settlement: Default::default(),
    }
}

fn usd(whole: i64) -> Usdc {
    Usdc::from_whole(whole)
}

fn order(outcome: Outcome, side: Side, price: &str, size: &str) -> OpenOrder {
    let (price, size) = (price.parse().expect("price"), size.parse().expect("size"));
    OpenOrder { outcome, side, price, size }
}

fn book() -> BookStanding {
    let price = |cents: u16| Price::from_units(cents * 100);
    BookStanding { bid: price(48), ask: price(52), depth: usd(100), fresh: true }
}

/// A standing in which everything is allowed.
fn standing<'a>(card: &'a MarketCard, exposure: &'a MarketExposure) -> Standing<'a> {
    Standing {
        card,
        exposure,
        own: exposure,
        elsewhere: Elsewhere::default(),
        own_elsewhere: Usdc::ZERO,
        own_limit: usd(1_000_000),
        groups: &[],
        book: book(),
        latch: None,
        factor: Factor::ONE,
        wall_s: NOON,
        free_collateral: usd(1_000_000),
        own_capital: None,
        own_markets: None,
        sellable: Shares::from_whole(1_000_000),
        halted: false,
        market_halted: false,
    }
}

fn check(limits: Limits, order: OpenOrder, change: impl FnOnce(&mut Standing<'_>)) -> Result<(), Denial> {
    let (card, exposure) = (card(), MarketExposure::default());
    let mut standing = standing(&card, &exposure);
    change(&mut standing);
    Gate::new(limits).check(&Proposal { order, fee: Usdc::ZERO, rests: true }, &standing).map(|_| ())
}

#[test]
fn one_denial_for_each_limit() {
    let buy = order(Outcome::Yes, Side::Buy, "0.5", "20");
    let d = Limits::default;
    assert_eq!(check(d(), buy, |_| {}), Ok(()));
    assert_eq!(check(d(), order(Outcome::Yes, Side::Buy, "0.505", "20"), |_| {}), Err(Denial::OffGrid));
    assert_eq!(check(d(), order(Outcome::Yes, Side::Buy, "0.5", "4.99"), |_| {}), Err(Denial::MinSize));
    let sell = order(Outcome::No, Side::Sell, "0.5", "20");
    assert_eq!(check(d(), sell, |s| s.sellable = Shares::from_whole(19)), Err(Denial::Tokens));
    for (limits, denial) in [
        (Limits { max_order_shares: Shares::from_whole(19), ..d() }, Denial::OrderSize),
        (Limits { max_order_usdc: usd(9), ..d() }, Denial::OrderNotional),
        (Limits { max_position_shares: Shares::from_whole(19), ..d() }, Denial::Position),
        (Limits { max_net_shares: Shares::from_whole(19), ..d() }, Denial::NetPosition),
        (Limits { max_gross_shares: Shares::from_whole(19), ..d() }, Denial::GrossPosition),
        (Limits { max_market_loss_usdc: usd(9), ..d() }, Denial::MarketExposure),
        (Limits { max_total_loss_usdc: usd(9), ..d() }, Denial::TotalExposure),
        (Limits { max_total_gross_usdc: usd(9), ..d() }, Denial::TotalGross),
    ] {
        assert_eq!(check(limits, buy, |_| {}), Err(denial));
    }
    let full = Elsewhere { losses: usd(991), at_work: usd(0), orders: 0, markets: 100 };
    assert_eq!(check(d(), buy, |s| s.elsewhere = Elsewhere { markets: 0, ..full }), Err(Denial::TotalExposure));
    assert_eq!(check(d(), buy, |s| s.elsewhere = Elsewhere { losses: usd(0), ..full }), Err(Denial::Markets));
    let orders = Elsewhere { orders: 500, ..Elsewhere::default() };
    assert_eq!(check(d(), buy, |s| s.elsewhere = orders), Err(Denial::WalletOrders));
    let group = GroupLimit { name: "g".into(), markets: vec!["*".into()], exclusive: false, max_loss_usdc: usd(30) };
    let groups = [GroupStanding { limit: &group, others: GroupLoss::default().with([usd(21), usd(-5)]) }];
    let (card, exposure) = (card(), MarketExposure::default());
    let grouped = Standing { groups: &groups, ..standing(&card, &exposure) };
    let checked = Gate::new(d()).check(&Proposal { order: buy, fee: Usdc::ZERO, rests: true }, &grouped);
    assert_eq!(checked.map(|_| ()), Err(Denial::GroupExposure));
}

#[test]
fn what_is_above_its_limit_on_one_side_hides_nothing_on_the_other() {
    // Twenty too many towards NO, and an order that would make it ten too many towards YES.
    let mut exposure = MarketExposure::default();
    exposure.add(&order(Outcome::No, Side::Buy, "0.5", "100"));
    exposure.add(&order(Outcome::Yes, Side::Buy, "0.5", "70"));
    let buy = order(Outcome::Yes, Side::Buy, "0.5", "20");
    let at = |limits: Limits| {
        let card = card();
        let gate = Gate::new(limits);
        gate.check(&Proposal { order: buy, fee: Usdc::ZERO, rests: true }, &standing(&card, &exposure)).map(|_| ())
    };
    let d = Limits::default;
    assert_eq!(at(Limits { max_net_shares: Shares::from_whole(80), ..d() }), Err(Denial::NetPosition));
    assert_eq!(at(Limits { max_net_shares: Shares::from_whole(90), ..d() }), Ok(()));
    assert_eq!(at(Limits { max_market_loss_usdc: usd(40), ..d() }), Err(Denial::MarketExposure));
    assert_eq!(at(Limits { max_market_loss_usdc: usd(45), ..d() }), Ok(()));
    // Above it already if YES wins (50), and 35 would become 45 if NO does.
    assert_eq!(at(Limits { max_total_loss_usdc: usd(40), ..d() }), Err(Denial::TotalExposure));
    assert_eq!(at(Limits { max_total_loss_usdc: usd(45), ..d() }), Ok(()));
    let card = card();
    for (limit, exclusive, expected) in [
        (40, false, Err(Denial::GroupExposure)),
        (45, false, Ok(())),
        (40, true, Err(Denial::GroupExposure)),
        (45, true, Ok(())),
    ] {
        let limit =
            GroupLimit { name: "g".to_owned(), markets: vec!["*".to_owned()], exclusive, max_loss_usdc: usd(limit) };
        let groups = [GroupStanding { limit: &limit, others: GroupLoss::default() }];
        let standing = Standing { groups: &groups, ..standing(&card, &exposure) };
        let proposal = Proposal { order: buy, fee: Usdc::ZERO, rests: true };
        assert_eq!(Gate::new(d()).check(&proposal, &standing).map(|_| ()), expected);
    }
    for (limit, expected) in [(40, Err(Denial::InstanceExposure)), (45, Ok(()))] {
        let standing = Standing { own: &exposure, own_limit: usd(limit), ..standing(&card, &exposure) };
        let proposal = Proposal { order: buy, fee: Usdc::ZERO, rests: true };
        assert_eq!(Gate::new(d()).check(&proposal, &standing).map(|_| ()), expected);
    }
}

#[test]
fn one_denial_for_each_state_of_things() {
    let buy = order(Outcome::Yes, Side::Buy, "0.5", "20");
    let check = |change: &dyn Fn(&mut Standing<'_>)| check(Limits::default(), buy, |s| change(s));
    type Change = Box<dyn Fn(&mut Standing<'_>)>;
    let latched = |latch| -> Change { Box::new(move |s| s.latch = Some(latch)) };
    let rows: [(Denial, Change); 19] = [
        (Denial::Halted, Box::new(|s| s.halted = true)),
        (Denial::MarketHalted, Box::new(|s| s.market_halted = true)),
        (Denial::Collateral, Box::new(|s| s.free_collateral = usd(9))),
        (Denial::InstanceMarkets, Box::new(|s| s.own_markets = Some(0))),
        (Denial::Capital, Box::new(|s| s.own_capital = Some(usd(9)))),
        (Denial::KillSwitch, latched(Latch::Kill(KillReason::Errors))),
        (Denial::KillSwitch, latched(Latch::CoolDown)),
        (Denial::DailyLoss, latched(Latch::DailyLoss)),
        (Denial::Breaker, latched(Latch::Breaker(TripCause::Rejects))),
        (Denial::Latched, latched(Latch::Mode(TradingMode::Halted))),
        (Denial::ReduceOnly, latched(Latch::Mode(TradingMode::Reducing))),
        (Denial::InstanceExposure, Box::new(|s| (s.own_elsewhere, s.own_limit) = (usd(91), usd(100)))),
        (Denial::TooNearEnd, Box::new(|s| s.wall_s = NOON + 3_595)),
        (Denial::NearEnd, Box::new(|s| s.wall_s = NOON + 3_550)),
        (Denial::StaleBook, Box::new(|s| s.book.fresh = false)),
        (Denial::NoBook, Box::new(|s| s.book.bid = None)),
        (Denial::WideBook, Box::new(|s| s.book.ask = Some(Price::ONE))),
        (Denial::ThinBook, Box::new(|s| s.book.depth = usd(1))),
        (Denial::Drawdown, Box::new(|s| s.factor = Factor::percent(0))),
    ];
    for (denial, change) in rows {
        assert_eq!(check(&*change), Err(denial));
    }
    assert_eq!(check(&|s| s.latch = Some(Latch::HalfSize)), Ok(()), "it only halves");
    assert_eq!(check(&|s| s.factor = Factor::percent(3)), Err(Denial::OrderSize), "a scaled size has a scaled limit");
}

#[test]
fn the_gross_limit_shrinks_near_the_end() {
    let limits = || Limits { max_gross_shares: Shares::from_whole(100), ..Limits::default() };
    let buy = order(Outcome::Yes, Side::Buy, "0.5", "70");
    assert_eq!(check(limits(), buy, |_| {}), Ok(()));
    // Three minutes before the end three quarters of the limit are left, one minute before it a half.
    assert_eq!(check(limits(), buy, |s| s.wall_s = NOON + 3_600 - 180), Ok(()));
    assert_eq!(check(limits(), buy, |s| s.wall_s = NOON + 3_600 - 61), Err(Denial::GrossPosition));
}

#[test]
fn getting_out_is_always_allowed() {
    let card = card();
    let mut exposure = MarketExposure::new([Shares::from_whole(900), Shares::ZERO], [usd(450), Usdc::ZERO]);
    exposure.add(&order(Outcome::Yes, Side::Buy, "0.5", "1"));
    let standing = Standing {
        elsewhere: Elsewhere { losses: usd(5_000), at_work: usd(9_000), ..Elsewhere::default() },
        latch: Some(Latch::Mode(TradingMode::Reducing)),
        factor: Factor::percent(0),
        wall_s: NOON + 3_560,
        book: BookStanding { bid: None, ..book() },
        free_collateral: Usdc::ZERO,
        own_capital: None,
        own_markets: None,
        ..standing(&card, &exposure)
    };
    let gate = Gate::new(Limits::default());
    let sell = Proposal { order: order(Outcome::Yes, Side::Sell, "0.9", "100"), fee: Usdc::ZERO, rests: true };
    assert!(gate.check(&sell, &standing).is_ok());
    // At a price at which it is the other outcome that would lose: no more than is lost already if this one fails.
    let cheap = Proposal { order: order(Outcome::Yes, Side::Sell, "0.1", "100"), fee: Usdc::ZERO, rests: true };
    let tight = Gate::new(Limits { max_market_loss_usdc: usd(1), max_instance_loss_usdc: usd(1), ..Limits::default() });
    assert!(tight.check(&cheap, &standing).is_ok());
    let more = Proposal { order: order(Outcome::No, Side::Sell, "0.1", "100"), fee: Usdc::ZERO, rests: true };
    assert_eq!(gate.check(&more, &standing).map(|_| ()), Err(Denial::ReduceOnly));
}

#[test]
fn losses_shrink_sizes_and_at_the_end_throw_the_kill_switch() {
    let limits = Limits {
        max_daily_loss_usdc: usd(1_000),
        drawdown: DrawdownRules { max_usdc: usd(15), power: 1 },
        kill: KillRules { cooldown_s: 1_800, ..KillRules::default() },
        ..Limits::default()
    };
    let ns = |s: u64| (NOON + s) * Time::SECOND;
    let mut gate = Gate::new(limits.clone());
    let mut left = |profit: i64, s| {
        let events = gate.mark(usd(profit), ns(s));
        (gate.size_factor(NOON, None).parts(), events.iter().filter(|e| matches!(e, Event::Latched(_))).count())
    };
    // A fall of 6 from the peak of 15 leaves three fifths of a size.
    assert_eq!([left(5, 0), left(10, 1), left(4, 2), left(9, 3)], [(10_000, 0), (10_000, 0), (6_000, 0), (9_333, 0)]);
    assert_eq!(left(-5, 4), (0, 3), "the switch, the cool-down, and half sizes afterwards");
    let squared = Gate::new(Limits { drawdown: DrawdownRules { power: 2, ..limits.drawdown.clone() }, ..limits });
    assert_eq!(squared.limits().drawdown.factor(gate.profit_mark().expect("marked")).parts(), 0);

    gate.latches_mut().release(|l| matches!(l.latch, Latch::Kill(_)));
    gate.forgive_losses();
    assert!(gate.mark(usd(-5), ns(5)).iter().all(|e| !matches!(e, Event::Latched(_))), "it counts from here");
    assert_eq!(gate.latches().wallet_mode(), TradingMode::Halted, "cooling down, reset or not");
    gate.latches_mut().expire(ns(4 + 1_800));
    assert_eq!(gate.latches().wallet_mode(), TradingMode::Active);
    assert_eq!(gate.size_factor(NOON, None).parts(), 5_000);
    gate.latches_mut().expire(ns(86_400));
    assert_eq!(gate.size_factor(NOON, None), Factor::ONE);
}

#[test]
fn the_days_loss_latches_until_the_next_day() {
    let limits = Limits { max_daily_loss_usdc: usd(10), daily_reset_hour_utc: 12, ..Limits::default() };
    let mut gate = Gate::new(limits);
    let ns = |s: u64| (NOON + s) * Time::SECOND;
    let latched = |events: &[Event]| events.iter().any(|e| matches!(e, Event::Latched(_)));
    assert!(!latched(&gate.mark(usd(3), ns(0))));
    assert!(!latched(&gate.mark(usd(-6), ns(60))));
    assert!(latched(&gate.mark(usd(-7), ns(61))), "ten below the day's start");
    assert!(!latched(&gate.mark(usd(-50), ns(62))), "said once");
    assert!(gate.latches_mut().expire(ns(86_399)).is_empty());
    assert_eq!(gate.latches_mut().expire(ns(86_400)).len(), 1);
    assert!(!latched(&gate.mark(usd(-50), ns(86_400))), "a new day counts from its own start");
}

#[test]
fn a_loss_that_needs_a_person_outlives_the_process() {
    let limits = Limits {
        max_daily_loss_usdc: usd(10),
        daily_loss_reset: DailyLossReset::Operator,
        drawdown: DrawdownRules { max_usdc: Usdc::ZERO, power: 1 },
        ..Limits::default()
    };
    let mut gate = Gate::new(limits.clone());
    gate.mark(Usdc::ZERO, 1);
    gate.mark(usd(-10), 2);
    assert_eq!(gate.latches().killed(), Some(KillReason::DailyLoss));
    let held: Vec<_> = gate.latches().iter().cloned().collect();
    let mut next = Gate::new(limits);
    next.restore(&held, gate.profit_mark().copied());
    next.latches_mut().expire(u64::MAX);
    assert_eq!(next.latches().killed(), Some(KillReason::DailyLoss), "no day ends it");
    next.latches_mut().release(|_| true);
    next.forgive_losses();
    assert!(next.mark(usd(-19), 3).iter().all(|e| !matches!(e, Event::Latched(_))));
}

#[test]
fn errors_in_a_row_count_over_all_markets() {
    let mut gate = Gate::new(Limits { kill: KillRules { max_errors: 4, ..KillRules::default() }, ..Limits::default() });
    let mut note = |market, went| gate.note_request(MarketId(market), went, 1);
    for market in 0..3 {
        assert_eq!(note(market, Went::Rejected), (None, false));
    }
    assert_eq!(note(3, Went::Canceled), (None, false));
    for market in 0..3 {
        assert_eq!(note(market, Went::CancelFailed), (None, false));
    }
    assert_eq!(note(2, Went::Rejected), (None, true));
    // The third in a row of one market opens its breaker.
    let mut gate = Gate::new(Limits::default());
    let tripped: Vec<_> = (0..3).map(|_| gate.note_request(MarketId(7), Went::Rejected, 1).0).collect();
    assert_eq!(tripped, [None, None, Some(TripCause::Rejects)]);
    let scope = LatchScope::Market(card().condition);
    let latch = gate.breaker_latch(scope.clone(), TripCause::Rejects, 5);
    assert_eq!(
        latch,
        Latched { scope, latch: Latch::Breaker(TripCause::Rejects), until_wall_ns: Some(300_000_000_005) }
    );
}

#[test]
fn what_is_out_of_range_is_named() {
    assert_eq!(Limits::default().validate(), Ok(()));
    let named = |change: &dyn Fn(&mut Limits)| {
        let mut limits = Limits::default();
        change(&mut limits);
        limits.validate().expect_err("refused").to_string()
    };
    assert!(named(&|l| l.max_order_usdc = Usdc::ZERO).contains("`max_order_usdc` is 0"));
    assert!(named(&|l| l.daily_reset_hour_utc = 24).contains("0 … 23"));
    assert!(named(&|l| l.breakers.halt_s = 0).contains("breakers.halt_s"));
    assert!(named(&|l| l.times.end_percent = 101).contains("times.end_percent"));
    assert!(named(&|l| l.drawdown.power = 9).contains("drawdown.power"));
    assert!(named(&|l| l.book.max_spread = Price::ZERO).contains("book.max_spread"));
    let group = GroupLimit { name: "g".into(), markets: Vec::new(), exclusive: true, max_loss_usdc: usd(1) };
    assert!(named(&|l| l.groups = vec![group.clone()]).contains("`groups` is g"));
}

/// One step of a random history.
#[derive(Clone, Debug)]
enum Step {
    Propose {
        market: usize,
        instance: usize,
        yes: bool,
        buy: bool,
        cents: u16,
        whole: i64,
    },
    /// Part of an open order fills; it may have been thought lost before.
    Fill {
        order: usize,
        whole: i64,
    },
    Cancel {
        order: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..3usize, 0..2usize, any::<bool>(), any::<bool>(), 1u16..100, 5i64..200)
            .prop_map(|(market, instance, yes, buy, cents, whole)| Step::Propose { market, instance, yes, buy, cents, whole }),
        3 => (any::<usize>(), 1i64..100).prop_map(|(order, whole)| Step::Fill { order, whole }),
        1 => any::<usize>().prop_map(|order| Step::Cancel { order }),
    ]
}

#[derive(Clone, Copy)]
struct Open {
    market: usize,
    instance: usize,
    order: OpenOrder,
}

/// What each instance may have at work: so many dollars, or a quarter of 400.
fn part_of(instance: usize) -> Usdc {
    let quarter = serde_json::from_str(r#"{"share": "0.25"}"#).expect("a share");
    [CapitalPart::Amount(usd(130)), quarter][instance].of(usd(400))
}

/// Holdings and costs per market and instance, in whole micros, and every order that may still fill.
#[derive(Default)]
struct World {
    held: [[[i64; 2]; 2]; 3],
    cost: [[[i64; 2]; 2]; 3],
    open: Vec<Open>,
}

impl World {
    fn own(&self, market: usize, instance: usize) -> MarketExposure {
        let mut exposure = self.bare(market, instance);
        let own = self.open.iter().filter(|o| o.market == market && o.instance == instance);
        own.for_each(|o| exposure.add(&o.order));
        exposure
    }

    fn bare(&self, market: usize, instance: usize) -> MarketExposure {
        let (held, cost) = (self.held[market][instance], self.cost[market][instance]);
        MarketExposure::new(held.map(Shares::from_micros), cost.map(Usdc::from_micros))
    }

    fn market(&self, market: usize) -> MarketExposure {
        let sum = |of: &[[[i64; 2]; 2]; 3], i: usize| of[market][0][i] + of[market][1][i];
        let held = [0, 1].map(|i| Shares::from_micros(sum(&self.held, i)));
        let mut exposure = MarketExposure::new(held, [0, 1].map(|i| Usdc::from_micros(sum(&self.cost, i))));
        for open in self.open.iter().filter(|o| o.market == market) {
            exposure.add_owned(&open.order, &self.bare(market, open.instance));
        }
        exposure
    }

    fn propose(&mut self, gate: &Gate, open: Open) {
        let Open { market, instance, order } = open;
        let promised: Shares = self
            .open
            .iter()
            .filter(|o| o.market == market && o.instance == instance && o.order.side == Side::Sell)
            .filter(|o| o.order.outcome == order.outcome)
            .map(|o| o.order.size)
            .sum();
        let mut elsewhere = Elsewhere::default();
        (0..3).filter(|m| *m != market).for_each(|m| elsewhere.add(&self.market(m)));
        let limits = gate.limits();
        let groups: Vec<_> = limits
            .groups
            .iter()
            .map(|limit| {
                let others = (0..3).filter(|m| *m != market);
                let others = others.fold(GroupLoss::default(), |sum, m| sum.with(self.market(m).losses()));
                GroupStanding { limit, others }
            })
            .collect();
        let (card, exposure, own) = (card(), self.market(market), self.own(market, instance));
        let standing = Standing {
            own: &own,
            elsewhere,
            own_elsewhere: (0..3).filter(|m| *m != market).map(|m| self.own(m, instance).worst().loss).sum(),
            own_limit: limits.max_instance_loss_usdc,
            groups: &groups,
            own_capital: Some(part_of(instance) - self.at_work(instance)),
            sellable: Shares::from_micros(self.held[market][instance][order.outcome.index()]) - promised,
            ..standing(&card, &exposure)
        };
        if gate.check(&Proposal { order, fee: Usdc::ZERO, rests: true }, &standing).is_ok() {
            self.open.push(open);
        }
    }

    fn fill(&mut self, index: usize, whole: i64) {
        let Some(open) = self.open.get_mut(index) else { return };
        let size = Shares::from_whole(whole).min(open.order.size);
        open.order.size -= size;
        let Open { market, instance, order } = *open;
        let i = order.outcome.index();
        let (held, cost) = (&mut self.held[market][instance][i], &mut self.cost[market][instance][i]);
        match order.side {
            Side::Buy => {
                *held += size.micros();
                *cost += size.cost_ceil(order.price).micros();
            }
            Side::Sell => {
                let gone = i128::from(*cost) * i128::from(size.micros()) / i128::from(*held);
                *cost -= i64::try_from(gone).expect("no more than the cost");
                *held -= size.micros();
            }
        }
        self.open.retain(|o| o.order.size.is_positive());
    }

    /// What an instance holds at its cost, and what it bids for.
    fn at_work(&self, instance: usize) -> Usdc {
        (0..3).map(|market| self.own(market, instance).at_work()).sum()
    }

    fn obeys(&self, limits: &Limits) -> Result<(), TestCaseError> {
        // A sold part of a cost is rounded to a millionth.
        let slack = Usdc::from_micros(200);
        let (mut total, mut at_work, mut orders) = (Usdc::ZERO, Usdc::ZERO, 0);
        let mut group = GroupLoss::default();
        for market in 0..3 {
            let exposure = self.market(market);
            let worst = exposure.worst();
            prop_assert!(worst.position.iter().all(|p| *p <= limits.max_position_shares));
            prop_assert!(
                worst.net.iter().all(|net| *net <= limits.max_net_shares) && worst.gross <= limits.max_gross_shares
            );
            prop_assert!(worst.loss <= limits.max_market_loss_usdc + slack, "{:?}", worst.loss);
            prop_assert!(worst.orders <= limits.max_open_orders);
            (total, at_work, orders) = (total + worst.loss, at_work + exposure.at_work(), orders + worst.orders);
            group = group.with(exposure.losses());
        }
        prop_assert!(total <= limits.max_total_loss_usdc + slack, "{total:?}");
        prop_assert!(at_work <= limits.max_total_gross_usdc + slack, "{at_work:?}");
        prop_assert!(orders <= limits.max_wallet_orders);
        for limit in &limits.groups {
            prop_assert!(group.worst(limit.exclusive) <= limit.max_loss_usdc + slack, "{limit:?}");
        }
        for instance in 0..2 {
            let loss: Usdc = (0..3).map(|m| self.own(m, instance).worst().loss).sum();
            prop_assert!(loss <= limits.max_instance_loss_usdc + slack, "{loss:?}");
            let at_work = self.at_work(instance);
            prop_assert!(at_work <= part_of(instance) + slack, "instance {instance} has {at_work} at work");
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Two instances in three markets; orders are proposed, filled in parts and cancelled in any order.
    #[test]
    fn no_history_exceeds_a_limit(steps in prop::collection::vec(step(), 1..120)) {
        let group = |name: &str, exclusive, loss| GroupLimit {
            name: name.to_owned(), markets: vec!["*".to_owned()], exclusive, max_loss_usdc: usd(loss),
        };
        let limits = Limits {
            max_open_orders: 8,
            max_wallet_orders: 15,
            max_total_loss_usdc: usd(350),
            max_total_gross_usdc: usd(500),
            max_instance_loss_usdc: usd(220),
            groups: vec![group("event", true, 150), group("coins", false, 300)],
            ..Limits::default()
        };
        let gate = Gate::new(limits.clone());
        let mut world = World::default();
        for step in steps {
            match step {
                Step::Propose { market, instance, yes, buy, cents, whole } => {
                    let order = OpenOrder {
                        outcome: if yes { Outcome::Yes } else { Outcome::No },
                        side: if buy { Side::Buy } else { Side::Sell },
                        price: Price::from_units(cents * 100).expect("in range"),
                        size: Shares::from_whole(whole),
                    };
                    world.propose(&gate, Open { market, instance, order });
                }
                Step::Fill { order, whole } if !world.open.is_empty() => {
                    let index = order % world.open.len();
                    world.fill(index, whole);
                }
                Step::Cancel { order } if !world.open.is_empty() => {
                    let index = order % world.open.len();
                    world.open.swap_remove(index);
                }
                Step::Fill { .. } | Step::Cancel { .. } => {}
            }
            world.obeys(&limits)?;
        }
    }
}

#[test]
fn what_only_takes_may_be_smaller_than_the_least_that_rests_but_not_worth_less_than_a_dollar() {
    let (card, exposure) = (card(), MarketExposure::default());
    let check = |size: &str, rests| {
        let order = order(Outcome::Yes, Side::Buy, "0.5", size);
        let proposal = Proposal { order, fee: Usdc::ZERO, rests };
        Gate::new(Limits::default()).check(&proposal, &standing(&card, &exposure)).map(|_| ())
    };
    assert_eq!(check("4.99", true), Err(Denial::MinSize));
    assert_eq!(check("4.99", false), Ok(()));
    assert_eq!((check("2", false), check("1.99", false)), (Ok(()), Err(Denial::MinSize)));
}
