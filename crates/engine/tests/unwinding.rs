//! The maker's inventory that has lost too much: offered first, then sold across the spread.

mod common;

use common::{Desk, config};
use oddsmith_domain::{BasketState, Event, OrderType, Outcome, Shares, Side};
use oddsmith_strategy::{StrategyConfig, skewed_maker::Parameters};

fn desk(unwind: bool) -> Desk {
    let mut config = config();
    config.instances[0].strategy = StrategyConfig::SkewedMaker(Parameters { unwind, ..Parameters::default() });
    let mut desk = Desk::quoting_with(config);
    desk.run_for(5_000);
    // Twenty YES at 0.48.
    let bid = *desk.resting.iter().find(|o| o.asset.outcome() == Outcome::Yes).expect("a bid for YES");
    assert_eq!((bid.side(), bid.price.to_string()), (Side::Buy, "0.48".to_owned()));
    desk.take_from_venue(&bid.id);
    let id = desk.fill(&bid, bid.size, "MATCHED");
    desk.report(&id, &bid, bid.size, "CONFIRMED");
    desk.collateral -= bid.size.cost_ceil(bid.price);
    desk.run_for(1_000);
    desk
}

fn held(desk: &Desk) -> Shares {
    desk.engine.view(desk.now).markets[0].matched[0]
}

#[test]
fn a_loss_of_more_than_the_limit_is_offered_at_the_middle_and_crosses_after_five_minutes() {
    let mut desk = desk(true);
    let size = held(&desk);
    desk.book(0, "0.40", "0.42");
    desk.run_for(1_000);
    assert_eq!(desk.quotes().len(), 2, "0.41 is less than fifteen percent below 0.48: {:?}", desk.quotes());
    desk.book(0, "0.39", "0.41");
    desk.run_for(1_000);
    assert_eq!(desk.quotes(), [format!("SELL Yes {size} @0.4")]);
    // The price comes back; what has begun goes on.
    desk.book(0, "0.47", "0.49");
    desk.run_for(298_000);
    assert_eq!((desk.quotes(), desk.taken.len()), (vec![format!("SELL Yes {size} @0.48")], 0));
    desk.run_for(2_000);
    let sold = desk.taken[0];
    assert_eq!((sold.order_type, sold.side(), sold.asset.outcome()), (OrderType::Fak, Side::Sell, Outcome::Yes));
    assert_eq!((sold.price.to_string(), sold.size), ("0.46".to_owned(), size), "two cents beyond the middle");
    let ended = |e: &&Event| matches!(e, Event::Basket { state: BasketState::Complete, .. });
    assert!(desk.events().iter().any(ended));
    assert!(held(&desk) < Shares::from_whole(1), "the desk matches whole shares");
    desk.run_for(2_000);
    assert_eq!(desk.quotes().len(), 2, "and it quotes both sides again");
}

#[test]
fn without_the_word_inventory_is_only_skewed_against() {
    let mut desk = desk(false);
    desk.book(0, "0.39", "0.41");
    desk.run_for(310_000);
    assert!(desk.taken.is_empty() && held(&desk) > Shares::from_whole(20));
}
