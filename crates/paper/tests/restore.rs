//! A venue that goes on after another run has the account that the run's ledger ended with.

mod common;

use common::{Desk, MARKET, START_S, buy, card, order, sell};
use oddsmith_domain::{
    Action, AssetId, ConditionId, GatewayOutcome, InstanceId, MarketCard, MarketId, Movement, OrderState, Outcome,
    PlaceOutcome, Price, RefusalCode, Restore, RestoredAccount, RestoredBooking, RestoredFill, RestoredMarket,
    RestoredOrder, RunId, Shares, Side, SubAccount, Time, TokenOutcome, TradeId, TradeStatus, Usdc,
};
use oddsmith_paper::{PaperSettings, PaperVenue};

/// The numbers that the run before had given: a market that is decided, one that goes on.
const DECIDED: MarketId = MarketId(0);
const OPEN: MarketId = MarketId(1);

fn shares(whole: i64) -> Shares {
    Shares::from_whole(whole)
}

fn dollars(text: &str) -> Usdc {
    text.parse().expect("dollars")
}

fn line(instance: InstanceId, market: MarketId, cash: &str, held: [i64; 2]) -> RestoredAccount {
    let account = SubAccount { cash: dollars(cash), shares: held.map(shares), ..SubAccount::default() };
    RestoredAccount { instance, market, account }
}

fn fill(name: &str, (asset, side): (AssetId, Side), cash: &str, fee: &str, status: TradeStatus) -> RestoredFill {
    let booked = RestoredBooking {
        owner: InstanceId(0),
        asset,
        side,
        size: shares(10),
        status,
        movement: Movement { cash: dollars(cash), fee: dollars(fee), ..Movement::default() },
        matched_s: START_S - 30,
    };
    RestoredFill { trade: TradeId::parse(name).expect("short"), order: buy(1, "0.4", "10").id, booked: Some(booked) }
}

fn before() -> Restore {
    let other = MarketCard { condition: ConditionId::parse("0xcd").expect("a condition"), ..card() };
    let yes = OPEN.asset(Outcome::Yes);
    let resting = RestoredOrder { place: sell(2, "0.9", "5"), state: OrderState::Working, filled: Shares::ZERO };
    Restore {
        run: RunId([7; 16]),
        trades_since_s: START_S - 20,
        markets: vec![
            RestoredMarket { card: other, resolved: Some(Price::ONE) },
            RestoredMarket { card: card(), resolved: None },
        ],
        orders: vec![resting],
        fills: vec![
            fill("on-its-way", (yes, Side::Buy), "-4.168", "0.168", TradeStatus::Retrying),
            fill("sold", (yes, Side::Sell), "5.832", "0.168", TradeStatus::Mined),
            fill("settled", (yes, Side::Buy), "-4", "0", TradeStatus::Confirmed),
            fill("undone", (yes, Side::Buy), "-4", "0", TradeStatus::Failed),
            RestoredFill { booked: None, ..fill("unheard", (yes, Side::Buy), "-4", "0", TradeStatus::Failed) },
        ],
        accounts: vec![
            line(InstanceId(0), DECIDED, "-8", [15, 0]),
            line(InstanceId(0), OPEN, "-20.5", [30, 10]),
            line(InstanceId(1), OPEN, "-2.25", [5, 0]),
            line(InstanceId(0), MarketId::CLOSED, "3", [0, 0]),
        ],
        capital: Some(dollars("1000")),
        ..Restore::default()
    }
}

/// A desk at the venue that follows, where `MARKET` is the market that goes on.
fn after(before: &Restore) -> Desk {
    let mut desk = Desk::new(PaperSettings::ideal(dollars("5")));
    desk.venue = PaperVenue::after(PaperSettings::ideal(dollars("5")), before);
    desk
}

#[test]
fn the_account_is_what_the_ledger_says_with_nothing_open_and_nothing_on_its_way() {
    let mut desk = after(&before());
    let assets: Vec<AssetId> =
        [DECIDED, OPEN].iter().flat_map(|market| Outcome::BOTH.map(|outcome| market.asset(outcome))).collect();
    let since = before().trades_since_s;
    let what = oddsmith_domain::FetchWhat::Account { trades_since_s: since, assets };
    let seq = desk.act(Action::Fetch(what));
    let Some(GatewayOutcome::Account(Ok(account))) = desk.result(seq) else { panic!("{:?}", desk.result(seq)) };
    // 1000 - 8 - 20.5 - 2.25 + 3: the settings' five dollars are of no account.
    assert_eq!(account.collateral, dollars("972.25"));
    assert_eq!(account.tokens.iter().map(|(_, held)| *held).collect::<Vec<_>>(), [15, 0, 35, 10].map(shares));
    assert!(account.orders.is_empty(), "orders die with their venue");
    let told: Vec<_> = account.trades.iter().map(|t| (t.id.as_str(), t.status, t.legs[0].side, t.price)).collect();
    let price = |text: &str| text.parse::<Price>().expect("a price");
    assert_eq!(
        told,
        [
            ("on-its-way", TradeStatus::Confirmed, Side::Buy, price("0.4")),
            ("sold", TradeStatus::Confirmed, Side::Sell, price("0.6")),
        ]
    );
    assert!(desk.venue.is_idle() && desk.venue.next_due().is_none(), "nothing happens by itself");
}

#[test]
fn without_a_capital_the_settings_say_what_the_account_has() {
    let venue = PaperVenue::after(PaperSettings::ideal(dollars("5")), &Restore::default());
    assert_eq!(venue.collateral(), dollars("5"));
}

#[test]
fn what_was_decided_is_redeemed_and_pairs_are_merged() {
    let mut desk = after(&before());
    let redeem = desk.act(Action::Redeem { market: DECIDED });
    assert_eq!(desk.result(redeem), Some(&GatewayOutcome::Tokens(TokenOutcome::Done)));
    assert_eq!(desk.venue.collateral(), dollars("987.25"));
    let merge = desk.act(Action::Merge { market: OPEN, pairs: shares(10) });
    assert_eq!(desk.result(merge), Some(&GatewayOutcome::Tokens(TokenOutcome::Done)));
    assert_eq!(desk.venue.collateral(), dollars("997.25"));
}

#[test]
fn a_market_trades_again_when_it_is_followed_and_its_book_is_seen() {
    let before = Restore { markets: vec![before().markets.remove(1); 4], ..before() };
    let mut desk = after(&before);
    let held = order(3, Outcome::Yes, Side::Sell, "0.60", "5");
    let first = desk.place(held);
    let PlaceOutcome::Refused { code, .. } = desk.placed(first) else { panic!("{:?}", desk.placed(first)) };
    assert_eq!(*code, RefusalCode::MarketNotReady, "nobody follows it yet");
    desk.venue.learn(MARKET, &card());
    desk.venue.give(MARKET.asset(Outcome::Yes), shares(5));
    desk.book(&[("0.48", "100")], &[("0.52", "30")]);
    let second = desk.place(held);
    assert!(matches!(desk.placed(second), PlaceOutcome::Accepted { .. }), "{:?}", desk.placed(second));
}

#[test]
fn two_runs_of_a_chain_draw_other_numbers() {
    let ids = |run: u8| {
        let mut desk = after(&Restore { run: RunId([run; 16]), ..Restore::default() });
        desk.venue.learn(MARKET, &card());
        desk.venue.give(MARKET.asset(Outcome::Yes), shares(10));
        desk.book(&[("0.48", "100")], &[("0.52", "30")]);
        desk.now = desk.now.plus_ns(Time::SECOND);
        desk.place(sell(1, "0.48", "10"));
        desk.trades(TradeStatus::Matched).iter().map(|trade| trade.id).collect::<Vec<_>>()
    };
    assert_eq!(ids(1).len(), 1);
    assert_eq!(ids(1), ids(1), "the same run, the same chance");
    assert_ne!(ids(1), ids(2));
}
