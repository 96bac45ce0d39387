//! Who meets whom, at which price, for how much.

mod support;

use oddsmith_domain::{Outcome, Side};
use oddsmith_exchange::core::PlacedStatus;
use support::{Desk, S, usdc};

#[test]
fn a_mint_as_in_the_protocols_example() {
    let mut desk = Desk::new();
    desk.put(1, "BUY NO 10 @ 0.42");
    assert_eq!(desk.ladder(Outcome::Yes, Side::Sell), ["10@0.58"], "mirrored");
    let placed = desk.put(0, "BUY YES 10 @ 0.6");
    assert_eq!(placed.status, PlacedStatus::Matched);
    assert_eq!((placed.making_micro, placed.taking_micro), (5_800_000, 10_000_000));
    desk.wait(2 * S);
    assert_eq!(desk.cash(0), usdc("9994.2"));
    assert_eq!(desk.cash(1), usdc("9995.8"));
    assert_eq!(desk.tokens(0, Outcome::Yes), desk.tokens(1, Outcome::No));
}

#[test]
fn a_merge_as_in_the_protocols_example() {
    let mut desk = Desk::new();
    desk.split(0, "10");
    desk.split(1, "10");
    desk.put(1, "SELL NO 10 @ 0.4");
    desk.put(0, "SELL YES 10 @ 0.55");
    desk.wait(2 * S);
    assert_eq!(desk.cash(0), usdc("9996"));
    assert_eq!(desk.cash(1), usdc("9994"));
    assert_eq!(desk.core.market(desk.market).expect("a market").locked, usdc("10"));
}

#[test]
fn price_improvement_belongs_to_the_taker_and_time_decides_within_a_price() {
    let mut desk = Desk::new();
    desk.split(1, "20");
    desk.split(2, "20");
    desk.put(1, "SELL YES 10 @ 0.55");
    desk.put(2, "SELL YES 10 @ 0.55");
    desk.put(2, "SELL YES 5 @ 0.54");
    let placed = desk.put(0, "BUY YES 20 @ 0.6");
    assert_eq!(placed.making_micro, 5_000_000 * 54 / 100 + 15_000_000 * 55 / 100);
    desk.wait(2 * S);
    assert_eq!(desk.cash(1), usdc("9985.5"), "the first at 0.55 is filled whole");
    assert_eq!(desk.cash(2), usdc("9985.45"), "the second at 0.55 is filled with what is left");
    assert_eq!(desk.ladder(Outcome::Yes, Side::Sell), ["5@0.55"]);
}
