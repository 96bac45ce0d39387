//! NO of some outcomes of an event that becomes collateral and YES of the others: asked for, booked, refused, and not known.

mod common;

use std::collections::BTreeMap;

use common::{Desk, Taking, card};
use oddsmith_domain::{
    AccountSnapshot, Action, AssetId, BasketState, Booking, Event, EventConversion, FetchWhat, GatewayOutcome, Input,
    MarketCard, MarketId, Movement, Outcome, Shares, Side, TokenOutcome, UnknownCause, Usdc,
};
use oddsmith_engine::{Engine, EngineConfig, InstanceConfig, Tokens};
use oddsmith_strategy::{StrategyConfig, multi};

fn whole(shares: i64) -> Shares {
    Shares::from_whole(shares)
}

fn dollars(text: &str) -> Usdc {
    text.parse().expect("dollars")
}

/// An event of four outcomes with a known set, at a venue that converts, before anything can be had.
fn event(parameters: multi::Parameters, convert: bool) -> Desk {
    let parameters = multi::Parameters { outcomes: 4, depth_share: 1.0, ..parameters };
    let instance = InstanceConfig {
        name: "event".to_owned(),
        markets: vec!["*".to_owned()],
        strategy: StrategyConfig::Multi(parameters),
        listener: Default::default(),
        sharing: Default::default(),
    };
    let tokens = Tokens { convert, ..Tokens::default() };
    let mut desk = Desk::new(EngineConfig { instances: vec![instance], tokens, ..Default::default() });
    desk.merges = true;
    for n in 0..4 {
        desk.put(&Input::Card(Box::new(MarketCard { neg_risk: true, ..card(n) })));
    }
    bid(&mut desk, ["0.1"; 4]);
    desk.run_for(12_000);
    assert!(desk.taken.is_empty());
    desk
}

/// YES of each outcome is bid for at these prices; asks are out of reach.
fn bid(desk: &mut Desk, bids: [&str; 4]) {
    for (n, price) in (0..).zip(bids) {
        desk.sized_book(n, (price, 100), ("0.58", 100));
    }
}

/// NO of all four for 2.90: ten cents less than they are worth.
const WHOLE: [&str; 4] = ["0.3", "0.28", "0.27", "0.25"];
/// NO at 0.45, 0.58, 0.92 and 0.95.
const OUTSIDERS: [&str; 4] = ["0.55", "0.42", "0.08", "0.05"];

fn conversions(desk: &Desk) -> Vec<EventConversion> {
    let of = |a: &&Action| if let Action::Convert(what) = a { Some((**what).clone()) } else { None };
    desk.actions().iter().filter_map(of).collect()
}

fn booked(desk: &Desk) -> Vec<(u32, Movement)> {
    let of = |e: &&Event| match e {
        Event::Booking { booking: Booking::Convert, market, movement, .. } => Some((market.0, *movement)),
        _ => None,
    };
    desk.events().iter().filter_map(of).collect()
}

fn ids(markets: &[MarketId]) -> Vec<u32> {
    markets.iter().map(|market| market.0).collect()
}

fn states(desk: &Desk) -> Vec<BasketState> {
    let state = |e: &&Event| if let Event::Basket { state, .. } = e { Some(*state) } else { None };
    desk.events().iter().filter_map(state).collect()
}

#[test]
fn a_whole_set_becomes_dollars_and_the_next_one_can_be_paid() {
    let forty = Usdc::from_whole(40);
    for converts in [true, false] {
        let parameters = multi::Parameters { max_basket_usdc: forty, max_total_usdc: forty, ..Default::default() };
        let mut desk = event(parameters, converts);
        bid(&mut desk, WHOLE);
        desk.fates.extend([13; 4].map(Taking::Gets));
        desk.run_for(2_000);
        assert_eq!((desk.taken.len(), states(&desk)), (4, vec![BasketState::Complete]));
        bid(&mut desk, WHOLE);
        desk.run_for(70_000);
        if !converts {
            assert_eq!((conversions(&desk).len(), desk.taken.len()), (0, 4), "37.70 of forty dollars are spent");
            continue;
        }
        let all: Vec<_> = conversions(&desk).iter().map(|c| (ids(&c.from), ids(&c.into), c.shares)).collect();
        assert_eq!(all[0], (vec![0, 1, 2, 3], vec![], whole(13)));
        assert!(desk.taken.len() > 4, "the budget has come back");
        // Thirteen sets of 2.90 are thirty-nine dollars: 1.30, a fourth of it in each market.
        let first: Vec<_> = booked(&desk).into_iter().take(4).collect();
        assert_eq!(first.iter().map(|(_, m)| m.cash).sum::<Usdc>(), dollars("39"));
        assert!(first.iter().all(|(_, m)| m.balances() && m.realized == dollars("0.325")), "{first:?}");
    }
}

/// Dollars for thirty sets; what costs more than 0.94 is not bought.
fn outsiders() -> Desk {
    let parameters = multi::Parameters {
        max_basket_usdc: Usdc::from_whole(60),
        max_leg_price: 0.94,
        cooldown_s: 600,
        ..multi::Parameters::default()
    };
    let mut desk = event(parameters, true);
    bid(&mut desk, OUTSIDERS);
    desk.fates.extend([30; 3].map(Taking::Gets));
    desk
}

#[test]
fn no_of_three_outcomes_becomes_two_dollars_and_yes_of_the_fourth_which_is_sold() {
    let mut desk = outsiders();
    desk.run_for(3_000);
    let legs: Vec<_> = desk.taken.iter().map(|o| (o.asset.market().0, o.asset.outcome(), o.side())).collect();
    let no = |market| (market, Outcome::No, Side::Buy);
    assert_eq!(legs, [no(0), no(1), no(2), (3, Outcome::Yes, Side::Sell)]);
    assert_eq!((desk.taken[3].price.to_string(), desk.taken[3].size), ("0.05".to_owned(), whole(30)));
    let expected =
        EventConversion { from: [0, 1, 2].map(MarketId).to_vec(), into: vec![MarketId(3)], shares: whole(30) };
    assert_eq!(conversions(&desk), [expected]);
    // 58.50 were paid for sixty dollars and thirty YES, which cost nothing therefore, and bring 1.50.
    let booked = booked(&desk);
    assert_eq!(booked.iter().map(|(market, _)| *market).collect::<Vec<_>>(), [0, 1, 2, 3]);
    assert_eq!(booked.iter().map(|(_, m)| m.cash).sum::<Usdc>(), dollars("60"));
    assert_eq!(booked.iter().map(|(_, m)| m.realized).collect::<Vec<_>>(), ["0.5", "0.5", "0.5", "0"].map(dollars));
    let view = desk.engine.view(desk.now);
    assert_eq!((view.totals.realized, view.totals.cash), (dollars("3"), Some(dollars("1003"))));
    assert!(view.markets.iter().all(|m| m.matched == [Shares::ZERO; 2]));
    assert_eq!(states(&desk), [BasketState::Complete; 2]);

    let mut again = Engine::new();
    let mut out = Vec::new();
    for (now, bytes) in &desk.tape {
        let input: Input<'_> = postcard::from_bytes(bytes).expect("an input");
        again.handle(&input, *now, &mut out);
    }
    assert!(out == desk.outputs, "the same inputs lead to the same outputs");
}

#[test]
fn what_is_refused_is_free_again_and_the_form_is_not_begun_meanwhile() {
    let mut desk = outsiders();
    desk.merges = false;
    desk.run_for(3_000);
    assert_eq!((conversions(&desk).len(), booked(&desk).len(), desk.taken.len()), (1, 0, 3));
    let view = desk.engine.view(desk.now);
    assert!(view.markets[..3].iter().all(|m| m.sellable == [Shares::ZERO, whole(30)]), "{:?}", view.markets);
    let alert = |e: &&Event| matches!(e, Event::Alert { text } if text.contains("nobody converts tokens here"));
    assert!(desk.events().iter().any(alert));
    desk.run_for(50_000);
    assert_eq!(conversions(&desk).len(), 1);
    // It is asked for again after a minute, and then it is done.
    desk.merges = true;
    bid(&mut desk, OUTSIDERS);
    desk.run_for(10_000);
    assert_eq!((conversions(&desk).len(), booked(&desk).len()), (2, 4));
}

#[test]
fn a_conversion_without_an_answer_is_settled_by_the_balances() {
    for carried_out in [true, false] {
        let mut desk = outsiders();
        let mut answer = TokenOutcome::Unknown(UnknownCause::Timeout);
        let mut tokens: BTreeMap<AssetId, Shares> = BTreeMap::new();
        for _ in 0..3_000 {
            desk.step();
            for (seq, action) in std::mem::take(&mut desk.waiting) {
                let outcome = match &action {
                    Action::Fetch(FetchWhat::Account { assets, .. }) => {
                        let held = |asset: &AssetId| (*asset, tokens.get(asset).copied().unwrap_or(Shares::ZERO));
                        GatewayOutcome::Account(Ok(AccountSnapshot {
                            collateral: desk.collateral,
                            tokens: assets.iter().map(held).collect(),
                            ..AccountSnapshot::default()
                        }))
                    }
                    Action::Convert(what) => {
                        if matches!(answer, TokenOutcome::Unknown(_)) && carried_out {
                            desk.collateral += what.collateral();
                            tokens = BTreeMap::from([(what.into[0].asset(Outcome::Yes), what.shares)]);
                        }
                        GatewayOutcome::Tokens(std::mem::replace(&mut answer, TokenOutcome::Refused("no".to_owned())))
                    }
                    other => desk.honest(other),
                };
                if let Action::Place(place) = &action {
                    let held = tokens.entry(place.asset).or_default();
                    let moved = whole(30);
                    *held = if place.side() == Side::Buy { *held + moved } else { *held - moved };
                }
                desk.answer(seq, outcome);
            }
            for frame in std::mem::take(&mut desk.later) {
                desk.put(&Input::User { bytes: frame.as_bytes() });
            }
        }
        assert_eq!(booked(&desk).len(), if carried_out { 4 } else { 0 });
        let differences = desk.events().iter().filter(|e| matches!(e, Event::Difference { .. })).count();
        assert_eq!(differences, 0, "{:#?}", desk.events());
        let view = desk.engine.view(desk.now);
        assert_eq!(view.totals.cash, Some(desk.collateral));
        let left = if carried_out { Shares::ZERO } else { whole(30) };
        assert!(view.markets[..3].iter().all(|m| m.sellable[1] == left && m.matched[1] == left), "{carried_out}");
    }
}
