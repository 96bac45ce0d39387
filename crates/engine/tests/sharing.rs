//! Several instances on one wallet and in one market: parts of the capital, who comes first, and who pauses whom.

mod common;

use std::collections::BTreeMap;

use common::{Desk, Taking, card};
use oddsmith_domain::{
    Action, Command, Denial, Event, Input, InstanceId, Link, LinkState, MarketCard, MarketId, Mode, OrderId,
    OutputBody, PauseCause, PlaceOrder, Reason, Scope, Shares, Side, Usdc, Withdrawal,
};
use oddsmith_engine::{EngineConfig, InstanceConfig, Pauses, Sharing};
use oddsmith_risk::CapitalPart;
use oddsmith_strategy::{StrategyConfig, imbalance, pair, skewed_maker};
use proptest::prelude::*;

const FIRST: InstanceId = InstanceId(0);
const SECOND: InstanceId = InstanceId(1);

fn instance(name: &str, markets: &str, strategy: StrategyConfig, sharing: Sharing) -> InstanceConfig {
    InstanceConfig {
        name: name.to_owned(),
        markets: vec![markets.to_owned()],
        strategy,
        listener: Default::default(),
        sharing,
    }
}

fn maker(name: &str, markets: &str, sharing: Sharing) -> InstanceConfig {
    let parameters = skewed_maker::Parameters { max_book_spread: 0.5, ..skewed_maker::Parameters::default() };
    instance(name, markets, StrategyConfig::SkewedMaker(parameters), sharing)
}

/// Takes five dollars of the side that the book leans to.
fn taker(name: &str, sharing: Sharing) -> InstanceConfig {
    let parameters = imbalance::Parameters {
        size_usdc: Usdc::from_whole(5),
        max_seconds_left: 31_536_000,
        cooldown_s: 600,
        max_spread: 0.05,
        ..imbalance::Parameters::default()
    };
    instance(name, "*", StrategyConfig::Imbalance(parameters), sharing)
}

fn builder(name: &str, sharing: Sharing) -> InstanceConfig {
    let parameters = pair::Parameters { step_usdc: Usdc::from_whole(10), ..pair::Parameters::default() };
    instance(name, "*", StrategyConfig::Pair(parameters), sharing)
}

fn engine(instances: Vec<InstanceConfig>) -> EngineConfig {
    EngineConfig { instances, ..EngineConfig::default() }
}

fn amount(text: &str) -> Sharing {
    Sharing { capital: Some(CapitalPart::Amount(text.parse().expect("dollars"))), ..Sharing::default() }
}

fn share(of_one: &str) -> Sharing {
    let share: Usdc = of_one.parse().expect("a number");
    Sharing { capital: Some(CapitalPart::Share(share.into())), ..Sharing::default() }
}

fn pauses(names: &[&str]) -> Sharing {
    Sharing { pauses: Pauses::Named(names.iter().map(|name| (*name).to_owned()).collect()), ..Sharing::default() }
}

fn resting_of(desk: &Desk, instance: InstanceId) -> Vec<PlaceOrder> {
    desk.resting.iter().filter(|order| order.instance == instance).copied().collect()
}

fn denials(desk: &Desk, of: InstanceId) -> Vec<Denial> {
    let denial = |e: &&Event| match e {
        Event::Denied { instance, denial, .. } if *instance == of => Some(*denial),
        _ => None,
    };
    desk.events().iter().filter_map(denial).collect()
}

fn withdrawn(desk: &Desk, of: Withdrawal) -> Vec<OrderId> {
    let order =
        |e: &&Event| if let Event::Withdrawn { order, why } = e { (*why == of).then_some(*order) } else { None };
    desk.events().iter().filter_map(order).collect()
}

/// What each instance has at work and what the wallet's capital is, from the accounts and from what was placed and filled.
struct Count {
    orders: BTreeMap<OrderId, (PlaceOrder, Shares)>,
    seen: usize,
}

impl Count {
    fn new() -> Count {
        Count { orders: BTreeMap::new(), seen: 0 }
    }

    /// Reads on; the buys that were placed since.
    fn read(&mut self, desk: &Desk) -> Vec<PlaceOrder> {
        let mut placed = Vec::new();
        for output in &desk.outputs[self.seen..] {
            match &output.body {
                OutputBody::Action(Action::Place(place)) => {
                    self.orders.insert(place.id, (**place, Shares::ZERO));
                    placed.extend((place.side() == Side::Buy).then_some(**place));
                }
                OutputBody::Event(Event::Fill { order, size, .. }) => {
                    if let Some((_, filled)) = self.orders.get_mut(order) {
                        *filled += *size;
                    }
                }
                _ => {}
            }
        }
        self.seen = desk.outputs.len();
        placed
    }

    fn at_work(&self, desk: &Desk, of: InstanceId) -> Usdc {
        let alive = |id: &OrderId| desk.engine.order_state(id).is_some_and(|state| !state.is_final());
        let bids = self
            .orders
            .iter()
            .filter(|(id, (place, _))| place.side() == Side::Buy && place.instance == of && alive(id));
        let bids: Usdc = bids.map(|(_, (place, filled))| (place.size - *filled).cost_ceil(place.price)).sum();
        let accounts = desk.engine.accounts().filter(|(instance, ..)| *instance == of);
        bids + accounts.map(|(_, _, account)| account.cost_basis() + account.incoming).sum::<Usdc>()
    }

    fn capital(desk: &Desk) -> Usdc {
        let moved: Usdc = desk.engine.accounts().map(|(_, _, account)| account.cash + account.cost_basis()).sum();
        Usdc::from_whole(1_000) + moved
    }
}

#[test]
fn each_maker_stays_within_its_part_and_the_lowest_limit_wins() {
    // Both sides cost nineteen dollars: one of them has room for one side, one for both, and one for all that is wanted.
    let instances = vec![
        maker("small", "*", amount("11")),
        maker("part", "*", share("0.02")),
        maker("free", "*", Sharing::default()),
    ];
    let mut desk = Desk::new(engine(instances));
    let mut count = Count::new();
    desk.run_for(12_000);
    count.read(&desk);
    assert_eq!([0, 1, 2].map(|n| resting_of(&desk, InstanceId(n)).len()), [1, 2, 2], "{:?}", desk.quotes());
    assert!(denials(&desk, FIRST).contains(&Denial::Capital), "{:?}", denials(&desk, FIRST));
    assert!(!denials(&desk, InstanceId(2)).contains(&Denial::Capital));

    // What is bought stays at work; another market gets what is left of the part, whatever the wallet has.
    let bid = resting_of(&desk, SECOND)[0];
    desk.take_from_venue(&bid.id);
    let trade = desk.fill(&bid, bid.size, "MATCHED");
    desk.report(&trade, &bid, bid.size, "CONFIRMED");
    desk.collateral -= bid.size.cost_ceil(bid.price);
    desk.add_market(1);
    desk.run_for(12_000);
    count.read(&desk);
    let at_work = count.at_work(&desk, SECOND);
    assert!(at_work <= Usdc::from_whole(20) && denials(&desk, SECOND).contains(&Denial::Capital), "{at_work}");
    let free = resting_of(&desk, InstanceId(2));
    assert!(free.iter().any(|order| order.asset.market() == MarketId(1)), "who has no part has all that is free");
}

#[test]
fn an_instance_enters_no_more_markets_than_it_may() {
    let sharing = |most| Sharing { max_markets: Some(most), ..Sharing::default() };
    let mut desk = Desk::new(engine(vec![maker("one", "*", sharing(1)), maker("two", "*", sharing(2))]));
    desk.add_market(1);
    desk.add_market(2);
    desk.run_for(12_000);
    let markets =
        |of| resting_of(&desk, of).iter().map(|o| o.asset.market()).collect::<std::collections::BTreeSet<_>>();
    assert_eq!([FIRST, SECOND].map(|of| markets(of).len()), [1, 2], "{:?}", desk.quotes());
    assert!([FIRST, SECOND].iter().all(|of| denials(&desk, *of).contains(&Denial::InstanceMarkets)));
}

#[test]
fn collateral_goes_to_the_higher_priority_first() {
    let both = |first: i16, second: i16| {
        let sharing = |priority| Sharing { priority, ..Sharing::default() };
        let mut desk = Desk::new(engine(vec![maker("a", "*", sharing(first)), maker("b", "*", sharing(second))]));
        // One maker's quotes are paid for, and not the other's.
        desk.collateral = Usdc::from_whole(20);
        desk.run_for(12_000);
        [FIRST, SECOND].map(|of| resting_of(&desk, of).len())
    };
    assert_eq!(both(0, 0), [2, 0], "the file's order");
    assert_eq!(both(3, 3), [2, 0], "among equals, the file's order");
    assert_eq!(both(0, 1), [0, 2]);
    assert_eq!(both(-1, 0), [0, 2]);
}

#[test]
fn what_a_higher_priority_needs_is_called_in_from_a_lower_one_and_from_no_equal() {
    let desk_of = |priority: i16| {
        let first = maker("low", "market-0", Sharing::default());
        let second = maker("high", "market-1", Sharing { priority, ..Sharing::default() });
        let mut desk = Desk::new(engine(vec![first, second]));
        desk.collateral = Usdc::from_whole(20);
        desk.run_for(12_000);
        assert_eq!(resting_of(&desk, FIRST).len(), 2);
        desk.add_market(1);
        desk.run_for(6_000);
        desk
    };
    let desk = desk_of(0);
    assert_eq!([FIRST, SECOND].map(|of| resting_of(&desk, of).len()), [2, 0]);
    assert_eq!(withdrawn(&desk, Withdrawal::Priority), []);
    assert!(denials(&desk, SECOND).contains(&Denial::Collateral));
    let desk = desk_of(1);
    assert_eq!([FIRST, SECOND].map(|of| resting_of(&desk, of).len()), [0, 2], "{:?}", desk.quotes());
    assert_eq!(withdrawn(&desk, Withdrawal::Priority).len(), 2, "each is cancelled once");
    assert!(denials(&desk, FIRST).contains(&Denial::Collateral));
}

/// The last decision of an instance in a market.
fn decided(desk: &Desk, of: InstanceId) -> (Mode, Vec<Reason>) {
    let last = desk.events().into_iter().rev().find_map(|event| match event {
        Event::Decision { instance, mode, reasons, .. } if *instance == of => Some((*mode, reasons.to_vec())),
        _ => None,
    });
    last.expect("a decision")
}

fn pause_events(desk: &Desk) -> Vec<(bool, InstanceId, InstanceId, PauseCause)> {
    let told = |e: &&Event| match e {
        Event::Paused { instance, by, cause, .. } => Some((true, *instance, *by, *cause)),
        Event::Unpaused { instance, by, cause, .. } => Some((false, *instance, *by, *cause)),
        _ => None,
    };
    desk.events().iter().filter_map(told).collect()
}

/// A taker that pauses a maker, whose basket has just begun; the maker quotes two markets.
fn basket_under_way(sharing: Sharing) -> Desk {
    let mut desk = Desk::new(engine(vec![taker("taker", sharing), maker("maker", "*", Sharing::default())]));
    let end = Some(desk.now.wall_s() + 10_000);
    desk.put(&Input::Card(Box::new(MarketCard { end_wall_s: end, ..card(0) })));
    desk.add_market(1);
    desk.run_for(12_000);
    assert_eq!(resting_of(&desk, SECOND).len(), 4, "{:?}", desk.quotes());
    desk.fates.push_back(Taking::Delayed);
    desk.sized_book(0, ("0.49", 300), ("0.51", 100));
    desk.run_for(600);
    assert_eq!(desk.taken.len(), 1);
    desk
}

#[test]
fn a_basket_pauses_others_in_its_market_until_it_is_over() {
    for sharing in [pauses(&["maker"]), Sharing { pauses: Pauses::Others, ..Sharing::default() }] {
        let mut desk = basket_under_way(sharing);
        let paused = (true, SECOND, FIRST, PauseCause::Basket);
        assert_eq!(pause_events(&desk), [paused]);
        let rests = resting_of(&desk, SECOND);
        assert!(
            rests.len() == 2 && rests.iter().all(|o| o.asset.market() == MarketId(1)),
            "the other market is quoted"
        );
        assert_eq!(withdrawn(&desk, Withdrawal::Paused).len(), 2);
        let pulled = desk.events().iter().any(|e| {
            matches!(e, Event::Decision { instance: SECOND, market: MarketId(0), mode: Mode::Stop, quotes, reasons, .. }
                if quotes.is_empty() && reasons.as_slice() == [Reason::Paused])
        });
        assert!(pulled, "the reason for not quoting is told");
        // The quotes are pulled before the leg leaves.
        let place = desk
            .outputs
            .iter()
            .position(|o| matches!(&o.body, OutputBody::Action(Action::Place(p)) if p.id == desk.taken[0].id));
        let pull = desk
            .outputs
            .iter()
            .rposition(|o| matches!(&o.body, OutputBody::Event(Event::Withdrawn { why: Withdrawal::Paused, .. })));
        assert!(pull < place, "{pull:?} {place:?}");
        let until = desk.count(|a| matches!(a, Action::Place(p) if p.instance == SECOND));
        for bid in ["0.47", "0.45", "0.49"] {
            desk.sized_book(0, (bid, 300), ("0.51", 100));
            desk.run_for(100);
        }
        let after =
            desk.count(|a| matches!(a, Action::Place(p) if p.instance == SECOND && p.asset.market() == MarketId(0)));
        assert!(after <= until, "nothing new");

        let taken = desk.taken[0];
        desk.match_taker(&taken, 9, "CONFIRMED");
        desk.later.push(canceled_frame(&taken, 9));
        desk.run_for(3_000);
        assert_eq!(pause_events(&desk), [paused, (false, SECOND, FIRST, PauseCause::Basket)]);
        assert!(resting_of(&desk, SECOND).iter().any(|o| o.asset.market() == MarketId(0)), "{:?}", desk.quotes());
        assert_ne!(decided(&desk, SECOND).0, Mode::Stop);
    }
}

/// The venue has dropped the rest of an order.
fn canceled_frame(order: &PlaceOrder, matched: i64) -> String {
    let c = card(0);
    format!(
        r#"{{"event_type":"order","type":"CANCELLATION","id":"{}","market":"{}","asset_id":"{}","side":"{}","original_size":"{}","size_matched":"{matched}","price":"{}","status":"CANCELED","outcome":"Yes","owner":"00000000-0000-0000-0000-000000000001","order_owner":"00000000-0000-0000-0000-000000000001","maker_address":"{}","order_type":"FAK","created_at":"1","expiration":"0","timestamp":"1","associate_trades":null}}"#,
        order.id,
        c.condition,
        c.token(order.asset.outcome()),
        order.side().as_str(),
        order.size,
        order.price,
        order.fields.maker,
    )
}

#[test]
fn without_the_setting_nobody_is_paused() {
    let desk = basket_under_way(Sharing::default());
    assert_eq!(pause_events(&desk), []);
    assert_eq!(resting_of(&desk, SECOND).len(), 4);
    // Nor is one that comes first in priority, by a rule for those that come after.
    let mut first = maker("maker", "*", Sharing { priority: 1, ..Sharing::default() });
    first.name = "maker".to_owned();
    let others = Sharing { pauses: Pauses::Others, ..Sharing::default() };
    let mut desk = Desk::new(engine(vec![builder("builder", others), first]));
    desk.run_for(12_000);
    assert_eq!(pause_events(&desk), []);
}

#[test]
fn building_a_pair_pauses_and_ends_with_the_opportunity_or_by_the_operator() {
    let desk_of = || {
        let mut desk =
            Desk::new(engine(vec![builder("builder", pauses(&["maker"])), maker("maker", "*", Sharing::default())]));
        desk.run_for(12_000);
        assert_eq!(pause_events(&desk).last(), Some(&(true, SECOND, FIRST, PauseCause::BuildingPair)));
        assert!(resting_of(&desk, SECOND).is_empty() && resting_of(&desk, FIRST).len() == 2, "{:?}", desk.quotes());
        assert_eq!(decided(&desk, SECOND), (Mode::Stop, vec![Reason::Paused]));
        desk
    };
    // So near the end no pair is begun any more: after a hundred evaluations without the opportunity it is given up.
    let mut desk = desk_of();
    let end_wall_s = Some(desk.now.wall_s() + 110);
    desk.put(&Input::Card(Box::new(MarketCard { end_wall_s, ..card(0) })));
    for n in 0..150 {
        let (bid, ask) = if n % 2 == 0 { ("0.49", "0.51") } else { ("0.48", "0.50") };
        desk.book(0, bid, ask);
        desk.run_for(200);
    }
    assert_eq!(pause_events(&desk).last(), Some(&(false, SECOND, FIRST, PauseCause::BuildingPair)));
    // An instance that the operator has halted keeps nobody waiting; one that goes on again does.
    let mut desk = desk_of();
    desk.command(Command::Halt(Scope::Instance(FIRST)));
    desk.run_for(2_000);
    assert_eq!(pause_events(&desk).last(), Some(&(false, SECOND, FIRST, PauseCause::BuildingPair)));
    assert_eq!([FIRST, SECOND].map(|of| resting_of(&desk, of).len()), [0, 2]);
    desk.command(Command::Activate(Scope::Instance(FIRST)));
    desk.run_for(2_000);
    assert_eq!([FIRST, SECOND].map(|of| resting_of(&desk, of).len()), [2, 0]);
}

#[test]
fn one_that_is_paused_begins_no_basket() {
    let mut desk = Desk::new(engine(vec![builder("builder", pauses(&["taker"])), taker("taker", Sharing::default())]));
    let end = Some(desk.now.wall_s() + 10_000);
    desk.put(&Input::Card(Box::new(MarketCard { end_wall_s: end, ..card(0) })));
    desk.run_for(12_000);
    desk.sized_book(0, ("0.48", 300), ("0.52", 100));
    desk.sized_book(0, ("0.49", 300), ("0.52", 100));
    desk.run_for(2_000);
    assert!(desk.taken.is_empty() && denials(&desk, SECOND).contains(&Denial::Paused), "{:?}", denials(&desk, SECOND));
}

/// What happens to the desk.
#[derive(Clone, Debug)]
enum Step {
    /// The book of a market moves.
    Book(u8, u16),
    /// Part of a resting order fills, and settles or is still open.
    Fill(usize, i64, bool),
    /// The venue answers, or does not, for so many steps of ten milliseconds.
    Wait(u8, bool),
    /// The operator stops and goes on.
    Halt(u16),
    Activate(u16),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0u8..2, 20u16..80).prop_map(|(market, mid)| Step::Book(market, mid)),
        4 => (any::<usize>(), 1i64..20, any::<bool>()).prop_map(|(order, whole, settles)| Step::Fill(order, whole, settles)),
        6 => (1u8..60, prop::bool::weighted(0.8)).prop_map(|(steps, answers)| Step::Wait(steps, answers)),
        1 => (0u16..3).prop_map(Step::Halt),
        2 => (0u16..3).prop_map(Step::Activate),
    ]
}

fn take(desk: &mut Desk, step: &Step) {
    match step {
        Step::Book(market, mid) => {
            let price = |cents: u16| format!("0.{cents:02}");
            desk.book(*market, &price(mid - 2), &price(mid + 2));
        }
        Step::Fill(order, whole, settles) if !desk.resting.is_empty() => {
            let at = order % desk.resting.len();
            let place = desk.resting[at];
            let size = place.size.min(Shares::from_whole(*whole));
            // A part of an order is filled at most once here: what is left of it is taken away.
            desk.take_from_venue(&place.id);
            let trade = desk.fill(&place, size, "MATCHED");
            if *settles {
                desk.report(&trade, &place, size, "CONFIRMED");
            }
        }
        Step::Fill(..) => {}
        Step::Wait(steps, answers) => {
            for _ in 0..*steps {
                desk.step();
                if *answers {
                    desk.answer_all();
                }
            }
        }
        Step::Halt(instance) => desk.command(Command::Halt(Scope::Instance(InstanceId(*instance)))),
        Step::Activate(instance) => desk.command(Command::Activate(Scope::Instance(InstanceId(*instance)))),
    }
    desk.tick();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Whatever moves, fills, is left unanswered or stopped, and in whatever order: nothing is bought beyond a part of the capital.
    #[test]
    fn no_interleaving_lets_an_instance_pass_its_part(steps in prop::collection::vec(step(), 1..50)) {
        let parts = [CapitalPart::Amount("22".parse().expect("dollars")), share("0.03").capital.expect("a part")];
        let part = |n: usize| Sharing { capital: Some(parts[n]), priority: 1 - i16::try_from(n).expect("small"), ..Sharing::default() };
        let instances = vec![maker("a", "*", part(0)), maker("b", "*", part(1)), builder("c", Sharing::default())];
        let mut desk = Desk::new(engine(instances));
        desk.add_market(1);
        desk.run_for(9_000);
        let mut count = Count::new();
        count.read(&desk);
        for step in &steps {
            take(&mut desk, step);
            desk.put(&Input::Link { link: Link::Market(0), state: LinkState::Alive });
            let placed = count.read(&desk);
            for (instance, part) in [FIRST, SECOND].into_iter().zip(parts) {
                let (at_work, most) = (count.at_work(&desk, instance), part.of(Count::capital(&desk)));
                // A loss makes a share smaller, and a sale that is not settled may count for more than it has cost: then nothing is bought.
                let buys = placed.iter().any(|place| place.instance == instance);
                prop_assert!(at_work <= most || !buys, "{:?}: {} of {} after {:?}", instance, at_work, most, step);
            }
            prop_assert_eq!(desk.engine.check_figures(), Ok(()), "after {:?}", step);
        }
    }
}
