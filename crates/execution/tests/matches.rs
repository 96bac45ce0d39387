//! Our part in every kind of match: buy and sell, YES and NO, maker and taker, of the same token, minted and merged.

use oddsmith_domain::{
    AccountTrade, Address, AssetId, FeeSchedule, InstanceId, MakerLeg, MarketId, OrderId, Outcome, Price, Shares, Side,
    TradeId, TradeStatus, Usdc,
};
use oddsmith_execution::{Fills, Ledger, OwnLeg, own_legs};

const MAKER: OrderId = OrderId([1; 32]);
const TAKER: OrderId = OrderId([2; 32]);
const OWNER: InstanceId = InstanceId(0);
/// What the resting order states as its price, in its own token.
const MAKER_PRICE: &str = "0.42";

fn price(text: &str) -> Price {
    text.parse().expect("a price")
}

fn asset(outcome: Outcome) -> AssetId {
    MarketId(0).asset(outcome)
}

/// A match of a resting order with a taker of the same token, or of the other one.
fn matched(maker: (Outcome, Side), same_token: bool, size: Shares) -> AccountTrade {
    let (outcome, side) = maker;
    // In one token a seller meets a buyer; two buyers mint a pair, two sellers merge one.
    let (taker_outcome, taker_side) =
        if same_token { (outcome, side.opposite()) } else { (outcome.complement(), side) };
    let maker_price = price(MAKER_PRICE);
    let taker_price = if same_token { maker_price } else { maker_price.complement() };
    AccountTrade {
        id: TradeId::parse("t").expect("short"),
        status: TradeStatus::Matched,
        taker_order: TAKER,
        asset: Some(asset(taker_outcome)),
        side: taker_side,
        size,
        price: taker_price,
        we_take: false,
        legs: vec![MakerLeg {
            order: MAKER,
            maker: Address::default(),
            asset: Some(asset(outcome)),
            side,
            price: maker_price,
            size,
        }],
        match_time_s: 0,
    }
}

fn part(trade: &AccountTrade, order: OrderId, fee: FeeSchedule) -> OwnLeg {
    let legs = own_legs(trade, Address::default(), |id| *id == order, |_| Some(fee));
    assert_eq!(legs.len(), 1);
    legs[0]
}

fn book(trade: &AccountTrade, leg: &OwnLeg) -> (Ledger, Usdc) {
    let (mut fills, mut ledger) = (Fills::default(), Ledger::default());
    let asset = leg.asset.expect("a token of ours");
    fills.apply(&mut ledger, trade.id, TradeStatus::Confirmed, leg, (OWNER, asset));
    assert!(ledger.balances());
    let cash = ledger.cash();
    (ledger, cash)
}

#[test]
fn all_sixteen_cases() {
    let fee = FeeSchedule::new(70_000, 1, true).expect("a schedule");
    // 7.77 shares and a price that does not divide them: the odd millionth is the taker's in a mint and a merge.
    for size in [Shares::from_whole(10), "7.770001".parse().expect("shares")] {
        for outcome in Outcome::BOTH {
            for side in [Side::Buy, Side::Sell] {
                for same_token in [true, false] {
                    let trade = matched((outcome, side), same_token, size);
                    let case = format!("maker {side:?} {outcome:?}, same token: {same_token}, {size}");
                    let (maker, taker) = (part(&trade, MAKER, fee), part(&trade, TAKER, fee));
                    let own = size.cost_floor(price(MAKER_PRICE));

                    assert_eq!((maker.asset, maker.side), (Some(asset(outcome)), side), "{case}");
                    assert_eq!((maker.notional, maker.fee, maker.taker), (own, Usdc::ZERO, false), "{case}");

                    let other = if same_token { own } else { Usdc::from_micros(size.micros()) - own };
                    assert_eq!((taker.asset, taker.side), (trade.asset, trade.side), "{case}");
                    assert_eq!((taker.notional, taker.taker), (other, true), "{case}");
                    assert_eq!(taker.fee, fee.taker_fee(size, trade.price), "{case}: the fee is in collateral");

                    let (maker_ledger, maker_cash) = book(&trade, &maker);
                    let (taker_ledger, taker_cash) = book(&trade, &taker);
                    let made = match (same_token, side) {
                        (true, _) => Usdc::ZERO,
                        (false, Side::Buy) => -Usdc::from_micros(size.micros()),
                        (false, Side::Sell) => Usdc::from_micros(size.micros()),
                    };
                    assert_eq!(maker_cash + taker_cash + taker.fee, made, "{case}: nothing is lost between the two");
                    let moved = |ledger: &Ledger, outcome| ledger.matched(OWNER, asset(outcome));
                    let sign = |side, size: Shares| if side == Side::Buy { size } else { -size };
                    assert_eq!(moved(&maker_ledger, outcome), sign(side, size), "{case}");
                    assert_eq!(moved(&maker_ledger, outcome.complement()), Shares::ZERO, "{case}");
                    let taken = trade.asset.expect("ours").outcome();
                    assert_eq!(moved(&taker_ledger, taken), sign(trade.side, size), "{case}");
                }
            }
        }
    }
}

#[test]
fn a_taker_of_several_makers_pays_each_ones_price() {
    // 10 YES: 4 from a seller of YES at 0.57, 6 minted with a buyer of NO at 0.42.
    let fee = FeeSchedule::new(70_000, 1, true).expect("a schedule");
    let mut trade = matched((Outcome::No, Side::Buy), false, Shares::from_whole(6));
    trade.size = Shares::from_whole(10);
    trade.price = price("0.576");
    trade.legs.push(MakerLeg {
        order: OrderId([3; 32]),
        maker: Address::default(),
        asset: Some(asset(Outcome::Yes)),
        side: Side::Sell,
        price: price("0.57"),
        size: Shares::from_whole(4),
    });
    let taker = part(&trade, TAKER, fee);
    assert_eq!(taker.notional, "5.76".parse().expect("usdc"));
    let each =
        fee.taker_fee(Shares::from_whole(4), price("0.57")) + fee.taker_fee(Shares::from_whole(6), price("0.58"));
    assert_eq!(taker.fee, each);
}

#[test]
fn an_order_that_nobody_knows_is_ours_when_the_venue_says_so() {
    let us = Address([7; 20]);
    let mut trade = matched((Outcome::Yes, Side::Buy), true, Shares::from_whole(5));
    let none = |trade: &AccountTrade| own_legs(trade, us, |_| false, |_| None);
    assert!(none(&trade).is_empty());
    trade.legs[0].maker = us;
    assert_eq!(none(&trade).iter().map(|leg| leg.order).collect::<Vec<_>>(), [MAKER]);
    trade.we_take = true;
    assert_eq!(none(&trade).len(), 2, "a match with ourselves has two parts of ours");
    assert!(own_legs(&trade, Address::default(), |_| false, |_| None).iter().all(|leg| leg.taker));
}
