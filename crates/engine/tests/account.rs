//! The account as the engine keeps it: read, compared, put right; decided markets; conversions; the poll.

mod common;

use common::{Desk, card, config, listed};
use oddsmith_domain::{
    AccountOrder, AccountPart, AccountSnapshot, AccountTrade, Action, Activity, Address, Booking, CapitalCause,
    DifferenceKind, DoubtCause, Event, FetchWhat, GatewayOutcome, Input, InstanceId, Link, LinkState, MakerLeg,
    MarketId, Omission, OrderId, Outcome, PlaceOrder, Price, ReadReason, ResolutionSource, Scope, Shares, Side,
    SubAccount, TokenOutcome, TradeId, TradeStatus, UnknownCause, Usdc,
};
use oddsmith_engine::{EngineConfig, Timing, Tokens};

const M: MarketId = MarketId(0);
const MAKER: InstanceId = InstanceId(0);

fn shares(whole: i64) -> Shares {
    Shares::from_whole(whole)
}

fn usdc(text: &str) -> Usdc {
    text.parse().expect("decimal")
}

/// A venue that says what the test wants of the account, and is honest otherwise.
struct Venue {
    desk: Desk,
    tokens: [Shares; 2],
    orders: Vec<AccountOrder>,
    trades: Vec<AccountTrade>,
    resolution: Option<Price>,
    conversion: TokenOutcome,
    omission: Option<Omission>,
    polls: u32,
    reads: Vec<usize>,
}

impl Venue {
    fn new(config: EngineConfig, tokens: [Shares; 2]) -> Venue {
        Venue {
            desk: Desk::new(config),
            tokens,
            orders: Vec::new(),
            trades: Vec::new(),
            resolution: None,
            conversion: TokenOutcome::Done,
            omission: None,
            polls: 0,
            reads: Vec::new(),
        }
    }

    fn quoting(config: EngineConfig) -> Venue {
        let mut venue = Venue::new(config, [Shares::ZERO; 2]);
        venue.run_for(9_000);
        assert!(!venue.desk.resting.is_empty());
        venue
    }

    fn run_for(&mut self, ms: u64) {
        for _ in 0..ms / 10 {
            self.desk.step();
            self.answer();
        }
    }

    fn answer(&mut self) {
        for (seq, action) in std::mem::take(&mut self.desk.waiting) {
            let outcome = match &action {
                Action::Fetch(FetchWhat::Account { assets, .. }) => self.account(assets),
                Action::Fetch(FetchWhat::Activity { .. }) => {
                    self.polls += 1;
                    let orders = self.orders.clone();
                    GatewayOutcome::Activity(Ok(Activity { orders, trades: self.trades.clone() }))
                }
                Action::Fetch(FetchWhat::Resolution(_)) => GatewayOutcome::Resolution(Ok(self.resolution)),
                Action::Merge { .. } | Action::Redeem { .. } => GatewayOutcome::Tokens(self.conversion.clone()),
                other => self.desk.honest(other),
            };
            self.desk.answer(seq, outcome);
        }
    }

    fn account(&mut self, assets: &[oddsmith_domain::AssetId]) -> GatewayOutcome {
        self.reads.push(assets.len());
        if let Some(omission) = &self.omission {
            return GatewayOutcome::Account(Err(omission.clone()));
        }
        let resting = self.desk.resting.iter().map(listed);
        GatewayOutcome::Account(Ok(AccountSnapshot {
            orders: resting.chain(self.orders.iter().cloned()).collect(),
            trades: self.trades.clone(),
            collateral: self.desk.collateral,
            tokens: assets.iter().map(|asset| (*asset, self.tokens[asset.outcome().index()])).collect(),
        }))
    }

    /// A bid of ours is filled whole and reaches the chain.
    fn fill_a_bid(&mut self) -> PlaceOrder {
        let bid = self.desk.resting_buy();
        self.desk.take_from_venue(&bid.id);
        self.desk.fill(&bid, bid.size, "CONFIRMED");
        self.tokens[bid.asset.outcome().index()] += bid.size;
        self.desk.collateral -= bid.size.cost_floor(bid.price);
        bid
    }

    fn last_ledger(&self, instance: InstanceId) -> SubAccount {
        let of = |e: &&Event| match e {
            Event::Ledger { instance: i, account, .. } if *i == instance => Some(*account),
            _ => None,
        };
        self.desk.events().iter().rev().find_map(of).unwrap_or_default()
    }

    fn differences(&self, kind: DifferenceKind) -> usize {
        self.count(|e| matches!(e, Event::Difference { kind: k, .. } if *k == kind))
    }

    fn bookings(&self, booking: Booking) -> usize {
        self.count(|e| matches!(e, Event::Booking { booking: b, .. } if *b == booking))
    }

    fn count(&self, is: impl Fn(&Event) -> bool) -> usize {
        self.desk.events().into_iter().filter(|e| is(e)).count()
    }

    fn began(&self, scope: Scope, cause: DoubtCause) -> usize {
        self.count(|e| matches!(e, Event::DoubtBegan { scope: s, cause: c } if (*s, *c) == (scope, cause)))
    }

    fn resolved_frame(&mut self, winner: Option<Outcome>) {
        let c = card(0);
        let (token, name) = winner.map_or((c.tokens[0], ""), |w| (c.token(w), c.outcomes[w.index()].as_str()));
        let frame = format!(
            r#"{{"event_type":"market_resolved","id":"1","market":"{}","assets_ids":["{}","{}"],"winning_asset_id":"{token}","winning_outcome":"{name}","timestamp":"{}"}}"#,
            c.condition,
            c.tokens[0],
            c.tokens[1],
            self.desk.now.wall_ms()
        );
        self.desk.frame(frame.as_bytes());
    }

    fn capital(&self) -> Usdc {
        self.desk.engine.view(self.desk.now).totals.opening.expect("told")
    }
}

fn soon() -> EngineConfig {
    EngineConfig { timing: Timing { reconcile_ms: 3_000, ..Timing::default() }, ..config() }
}

#[test]
fn tokens_of_before_the_run_are_taken_in_at_the_mid_and_are_nobodys() {
    let mut venue = Venue::new(config(), [shares(40), Shares::ZERO]);
    venue.run_for(6_000);
    let account = venue.last_ledger(InstanceId::WALLET);
    assert_eq!((account.settled, account.cost), ([shares(40), Shares::ZERO], [usdc("20"), Usdc::ZERO]));
    assert_eq!(venue.capital(), usdc("1020"), "the capital is the collateral and the tokens");
    assert_eq!(venue.desk.engine.view(venue.desk.now).totals.cash, Some(usdc("1000")));
    assert_eq!((venue.bookings(Booking::Opening), venue.bookings(Booking::Transfer)), (1, 0));
    assert!(venue.desk.quotes().iter().all(|q| q.starts_with("BUY")), "what is nobody's is not sold");
    assert_eq!(venue.count(|e| matches!(e, Event::Difference { .. })), 0, "the beginning is no difference");
}

#[test]
fn tokens_of_before_the_run_go_to_the_instance_that_is_named() {
    let tokens = Tokens { adopt: Some("maker".to_owned()), ..Tokens::default() };
    let mut venue = Venue::new(EngineConfig { tokens, ..config() }, [shares(40), Shares::ZERO]);
    venue.run_for(9_000);
    assert_eq!(venue.last_ledger(MAKER).settled, [shares(40), Shares::ZERO]);
    assert_eq!(venue.last_ledger(InstanceId::WALLET).shares, [Shares::ZERO; 2]);
    assert_eq!((venue.bookings(Booking::Opening), venue.bookings(Booking::Transfer)), (1, 2), "explicit, both sides");
    assert!(venue.desk.quotes().iter().any(|q| q.starts_with("SELL Yes")), "{:?}", venue.desk.quotes());
}

#[test]
fn a_token_balance_is_believed_at_the_third_sight_and_stops_its_market_at_the_second() {
    let mut venue = Venue::new(soon(), [Shares::ZERO; 2]);
    venue.desk.add_market(1);
    venue.run_for(9_000);
    let bid = venue.fill_a_bid();
    venue.run_for(4_000);
    let id = bid.asset.market();
    // Someone moves a part of the tokens away.
    let i = bid.asset.outcome().index();
    venue.tokens[i] -= shares(3);
    venue.run_for(3_100);
    assert_eq!(venue.began(Scope::Market(id), DoubtCause::Mismatch), 0, "seen once: only read again");
    venue.run_for(2_100);
    assert_eq!(venue.began(Scope::Market(id), DoubtCause::Mismatch), 1);
    assert_eq!(venue.differences(DifferenceKind::Tokens), 1);
    assert!(venue.desk.resting.iter().all(|o| o.asset.market() != id), "its orders are cancelled");
    assert!(venue.desk.resting.iter().any(|o| o.asset.market() != id), "the other market goes on");
    venue.run_for(2_100);
    assert_eq!(venue.bookings(Booking::Correction), 1);
    let account = venue.last_ledger(MAKER);
    assert_eq!((account.shares[i], account.balances()), (bid.size - shares(3), true));
    venue.run_for(4_000);
    assert!(venue.desk.resting.iter().any(|o| o.asset.market() == id), "it quotes again");
    assert_eq!(venue.began(Scope::Wallet, DoubtCause::Mismatch), 0);
}

#[test]
fn a_balance_that_is_only_late_changes_nothing() {
    let mut venue = Venue::quoting(soon());
    let bid = venue.fill_a_bid();
    // The venue's balances lag behind its own matches for a while.
    let (tokens, collateral) = (venue.tokens, venue.desk.collateral);
    venue.tokens = [Shares::ZERO; 2];
    venue.desk.collateral += bid.size.cost_floor(bid.price);
    while venue.count(|e| matches!(e, Event::AccountRead { suspected, .. } if *suspected > 0)) == 0 {
        venue.run_for(10);
    }
    (venue.tokens, venue.desk.collateral) = (tokens, collateral);
    venue.run_for(6_000);
    assert_eq!(venue.count(|e| matches!(e, Event::Difference { .. } | Event::Booking { .. })), 0);
}

#[test]
fn collateral_that_comes_is_a_deposit_and_collateral_that_goes_stops_the_wallet() {
    let mut venue = Venue::quoting(soon());
    venue.desk.collateral += usdc("50");
    venue.run_for(9_000);
    assert_eq!((venue.capital(), venue.differences(DifferenceKind::Collateral)), (usdc("1050"), 1));
    assert_eq!(venue.began(Scope::Wallet, DoubtCause::Mismatch), 0, "a gift is no danger");
    venue.desk.collateral -= usdc("70");
    venue.run_for(12_000);
    assert_eq!((venue.capital(), venue.differences(DifferenceKind::Collateral)), (usdc("980"), 2));
    assert_eq!(venue.began(Scope::Wallet, DoubtCause::Mismatch), 1);
    let cause = |c| venue.count(|e| matches!(e, Event::Capital { cause, .. } if *cause == c));
    assert_eq!((cause(CapitalCause::Deposit), cause(CapitalCause::Withdrawal)), (1, 1));
    assert_eq!(venue.desk.engine.view(venue.desk.now).totals.realized, Usdc::ZERO, "neither is profit");
}

#[test]
fn what_is_within_tolerance_is_no_difference() {
    let mut venue = Venue::quoting(soon());
    venue.fill_a_bid();
    venue.desk.collateral += usdc("0.00001");
    venue.tokens[1] += Shares::from_micros(9_000);
    venue.run_for(20_000);
    assert_eq!(venue.count(|e| matches!(e, Event::Difference { .. })), 0);
}

#[test]
fn a_read_that_is_not_whole_is_rejected_named_and_counted() {
    let omission = Omission {
        part: AccountPart::Trades,
        page: 3,
        cause: UnknownCause::Undecodable,
        rejected: 2,
        rejects: vec!["`price`: not a number".to_owned(), "`side`: neither BUY nor SELL".to_owned()],
    };
    let mut venue = Venue::new(config(), [Shares::ZERO; 2]);
    venue.omission = Some(omission.clone());
    venue.run_for(5_000);
    let last = venue.desk.events().into_iter().rev().find_map(|e| match e {
        Event::AccountRejected { omission, rejected, .. } => Some((omission.as_ref().clone(), *rejected)),
        _ => None,
    });
    let (told, count) = last.expect("it is told");
    assert_eq!(told, omission);
    assert!(count >= 3);
    assert_eq!(venue.desk.count(|a| matches!(a, Action::Place(_))), 0, "nothing is begun on half of the truth");
    venue.omission = None;
    // So many failures in a row have opened the breaker of reads.
    venue.run_for(45_000);
    assert!(!venue.desk.resting.is_empty());
}

#[test]
fn an_order_that_vanished_is_asked_about_and_then_unknown() {
    let mut venue = Venue::quoting(soon());
    let bid = venue.desk.resting_buy();
    venue.desk.take_from_venue(&bid.id);
    venue.run_for(4_000);
    let asked = venue.desk.count(|a| matches!(a, Action::Query { order } if *order == bid.id));
    assert!(asked > 0);
    assert_eq!(venue.differences(DifferenceKind::MissingOrder), 1);
    venue.run_for(9_000);
    assert!(venue.began(Scope::Wallet, DoubtCause::UnknownOrder) > 0, "in the end a cancel-all decides");
}

#[test]
fn an_order_that_nobody_here_made_is_told_once_and_cancelled() {
    let mut venue = Venue::quoting(soon());
    let stranger = AccountOrder { id: OrderId([0xee; 32]), ..listed(&venue.desk.resting_buy()) };
    venue.orders.push(stranger);
    let before = venue.desk.count(|a| matches!(a, Action::CancelAll));
    venue.run_for(3_200);
    venue.orders.clear();
    assert_eq!(venue.differences(DifferenceKind::ForeignOrder), 1);
    assert!(venue.desk.count(|a| matches!(a, Action::CancelAll)) > before);
    venue.run_for(9_000);
    assert!(!venue.desk.resting.is_empty());
}

/// A match of an order that this run has not made, with our account behind it.
fn strangers_match(venue: &Venue, status: TradeStatus) -> AccountTrade {
    let ours = venue.desk.resting_buy();
    AccountTrade {
        id: TradeId::parse("foreign").expect("short"),
        status,
        taker_order: OrderId([9; 32]),
        asset: Some(M.asset(Outcome::Yes)),
        side: Side::Sell,
        size: shares(5),
        price: "0.4".parse().expect("price"),
        we_take: false,
        legs: vec![MakerLeg {
            order: OrderId([0xab; 32]),
            maker: ours.fields.maker,
            asset: Some(M.asset(Outcome::Yes)),
            side: Side::Buy,
            price: "0.4".parse().expect("price"),
            size: shares(5),
        }],
        match_time_s: venue.desk.now.wall_s(),
    }
}

#[test]
fn a_fill_of_an_unknown_order_moves_the_wallet_and_is_told_once() {
    let mut venue = Venue::quoting(soon());
    venue.trades.push(strangers_match(&venue, TradeStatus::Confirmed));
    venue.tokens[0] += shares(5);
    venue.desk.collateral -= usdc("2");
    venue.run_for(10_000);
    assert_eq!(venue.differences(DifferenceKind::ForeignFill), 1);
    let account = venue.last_ledger(InstanceId::WALLET);
    assert_eq!((account.shares[0], account.cash), (shares(5), usdc("-2")));
    assert_eq!(venue.last_ledger(MAKER), SubAccount::default());
    assert_eq!(venue.differences(DifferenceKind::Tokens) + venue.differences(DifferenceKind::Collateral), 0);
    let nobodys = |e: &Event| matches!(e, Event::Fill { instance: None, .. });
    assert_eq!(venue.count(nobodys), 1);
}

#[test]
fn a_match_from_before_the_run_is_in_the_balances_already() {
    let mut venue = Venue::quoting(soon());
    let mut trade = strangers_match(&venue, TradeStatus::Confirmed);
    trade.match_time_s -= 3_600;
    trade.legs[0].maker = Address::default();
    venue.trades.push(trade.clone());
    trade.legs[0].maker = venue.desk.resting_buy().fields.maker;
    venue.trades.push(trade);
    venue.run_for(7_000);
    assert_eq!(venue.count(|e| matches!(e, Event::Fill { .. } | Event::Difference { .. })), 0);
}

#[test]
fn a_decided_market_pays_and_is_redeemed_by_rule() {
    for (winner, yes) in [(Some(Outcome::Yes), Price::ONE), (Some(Outcome::No), Price::ZERO)] {
        let tokens = Tokens { redeem: true, ..Tokens::default() };
        let mut venue = Venue::quoting(EngineConfig { tokens, ..soon() });
        let bid = venue.fill_a_bid();
        venue.run_for(1_000);
        venue.resolution = Some(yes);
        venue.resolved_frame(winner);
        let wins = winner == Some(bid.asset.outcome());
        let paid = if wins { Usdc::from_micros(bid.size.micros()) } else { Usdc::ZERO };
        let account = venue.last_ledger(MAKER);
        assert_eq!(account.realized, paid - bid.size.cost_floor(bid.price), "booked at the word of the channel");
        assert_eq!(account.cost_basis(), paid);
        // The exchange redeems when it is asked to.
        (venue.tokens, venue.desk.collateral) = ([Shares::ZERO; 2], venue.desk.collateral + paid);
        venue.run_for(9_000);
        assert_eq!(venue.desk.count(|a| matches!(a, Action::Redeem { .. })), 1);
        let account = venue.last_ledger(MAKER);
        assert_eq!((account.shares, account.cash), ([Shares::ZERO; 2], account.realized));
        assert_eq!(venue.count(|e| matches!(e, Event::Resolved { .. })), 1, "two sources, one decision");
        assert_eq!(venue.count(|e| matches!(e, Event::Difference { .. })), 0);
        assert_eq!(venue.desk.engine.view(venue.desk.now).totals.cash, Some(venue.desk.collateral));
    }
}

#[test]
fn a_void_pays_half_and_only_the_venue_can_say_so() {
    let mut venue = Venue::quoting(soon());
    let bid = venue.fill_a_bid();
    venue.run_for(500);
    venue.resolved_frame(None);
    assert_eq!(venue.count(|e| matches!(e, Event::Resolved { .. })), 0, "no winner was named");
    venue.resolution = Some("0.5".parse().expect("price"));
    venue.run_for(500);
    let half = bid.size.cost_floor("0.5".parse().expect("price"));
    assert_eq!(venue.last_ledger(MAKER).realized, half - bid.size.cost_floor(bid.price));
    let by_venue = |e: &Event| matches!(e, Event::Resolved { source: ResolutionSource::Venue, .. });
    assert_eq!(venue.count(by_venue), 1);
    // The venue redeems by itself, and nobody has asked.
    (venue.tokens, venue.desk.collateral) = ([Shares::ZERO; 2], venue.desk.collateral + half);
    venue.run_for(9_000);
    assert_eq!(venue.bookings(Booking::Redeem), 1);
    assert_eq!(venue.count(|e| matches!(e, Event::Difference { .. })), 0);
    assert_eq!(venue.capital(), usdc("1000"), "what was redeemed is no deposit");
}

#[test]
fn a_market_that_nobody_announces_is_asked_about_after_its_end() {
    let mut venue = Venue::quoting(soon());
    let mut ended = card(0);
    ended.end_wall_s = Some(venue.desk.now.wall_s() + 5);
    venue.desk.put(&Input::Card(Box::new(ended)));
    venue.fill_a_bid();
    venue.resolution = Some(Price::ONE);
    venue.run_for(30_000);
    assert_eq!(venue.count(|e| matches!(e, Event::Resolved { .. })), 0, "deciding takes its time");
    venue.run_for(10_000);
    assert_eq!(venue.count(|e| matches!(e, Event::Resolved { .. })), 1);
    let asked = venue.desk.count(|a| matches!(a, Action::Fetch(FetchWhat::Resolution(_))));
    venue.run_for(30_000);
    assert_eq!(venue.desk.count(|a| matches!(a, Action::Fetch(FetchWhat::Resolution(_)))), asked, "once it is known");
}

#[test]
fn two_sources_that_disagree_are_told_and_the_venue_rules() {
    let mut venue = Venue::quoting(soon());
    let bid = venue.fill_a_bid();
    venue.resolution = Some(Price::ZERO);
    venue.resolved_frame(Some(Outcome::Yes));
    venue.run_for(500);
    assert_eq!(venue.differences(DifferenceKind::Resolution), 1);
    let paid = if bid.asset.outcome() == Outcome::No { Usdc::from_micros(bid.size.micros()) } else { Usdc::ZERO };
    assert_eq!(venue.last_ledger(MAKER).realized, paid - bid.size.cost_floor(bid.price));
}

fn merging() -> EngineConfig {
    EngineConfig { tokens: Tokens { merge_pairs: true, ..Tokens::default() }, ..soon() }
}

#[test]
fn an_unknown_merge_is_settled_by_the_balances() {
    for carried_out in [true, false] {
        let mut venue = Venue::new(merging(), [shares(10), shares(10)]);
        venue.conversion = TokenOutcome::Unknown(UnknownCause::Timeout);
        while venue.desk.count(|a| matches!(a, Action::Merge { .. })) == 0 {
            venue.run_for(10);
            assert!(venue.desk.now.mono_ns < 60_000_000_000, "{:#?}", venue.desk.events());
        }
        let reserved = venue.last_ledger(InstanceId::WALLET).reserved;
        assert!(reserved[0].is_positive() && reserved[0] == reserved[1], "{reserved:?}");
        if carried_out {
            venue.tokens = [shares(10) - reserved[0]; 2];
            venue.desk.collateral += Usdc::from_micros(reserved[0].micros());
        }
        venue.conversion = TokenOutcome::Refused("enough".to_owned());
        venue.run_for(12_000);
        assert_eq!(venue.bookings(Booking::Merge), usize::from(carried_out));
        let account = venue.last_ledger(InstanceId::WALLET);
        assert_eq!((account.settled, account.reserved), (venue.tokens, [Shares::ZERO; 2]));
        assert_eq!(venue.count(|e| matches!(e, Event::Difference { .. })), 0, "{:#?}", venue.desk.events());
        assert_eq!(venue.desk.engine.view(venue.desk.now).totals.cash, Some(venue.desk.collateral));
    }
}

#[test]
fn nothing_is_converted_unless_it_is_configured() {
    let mut venue = Venue::new(soon(), [shares(7), shares(9)]);
    venue.run_for(9_000);
    assert_eq!(venue.desk.count(|a| matches!(a, Action::Merge { .. } | Action::Redeem { .. })), 0);
    let mut venue = Venue::new(merging(), [shares(7), shares(9)]);
    venue.run_for(9_000);
    assert_eq!(venue.desk.count(|a| matches!(a, Action::Merge { .. })), 1, "pairs that nobody owns are merged too");
}

#[test]
fn the_poll_finds_fills_while_the_user_channel_is_away_and_stops_when_it_is_back() {
    let mut venue = Venue::quoting(config());
    venue.run_for(5_000);
    assert_eq!(venue.polls, 0, "no poll while the channel is healthy");
    let bid = venue.desk.resting_buy();
    venue.desk.put(&Input::Link { link: Link::User, state: LinkState::Silent });
    let mut trade = strangers_match(&venue, TradeStatus::Matched);
    trade.legs[0] = MakerLeg {
        order: bid.id,
        asset: Some(bid.asset),
        side: Side::Buy,
        price: bid.price,
        size: bid.size,
        ..trade.legs[0]
    };
    venue.trades = vec![trade.clone()];
    venue.run_for(1_100);
    assert!(venue.polls >= 1);
    let fills = |venue: &Venue| venue.count(|e| matches!(e, Event::Fill { .. }));
    assert_eq!(fills(&venue), 1, "within a second");
    venue.trades[0].status = TradeStatus::Confirmed;
    venue.run_for(3_000);
    assert_eq!(fills(&venue), 1, "once, however often it is found");
    assert_eq!(venue.last_ledger(MAKER).settled[bid.asset.outcome().index()], bid.size);
    venue.desk.put(&Input::Link { link: Link::User, state: LinkState::Up });
    // The channel tells it once more.
    venue.desk.report("foreign", &bid, bid.size, "MINED");
    let polls = venue.polls;
    venue.run_for(10_000);
    assert_eq!((venue.polls, fills(&venue)), (polls, 1));
    let (began, ended) =
        (venue.count(|e| matches!(e, Event::PollBegan)), venue.count(|e| matches!(e, Event::PollEnded { .. })));
    assert_eq!((began, ended), (1, 1));
    let found = |e: &Event| matches!(e, Event::PollEnded { fills: 1, .. });
    assert_eq!(venue.count(found), 1);
}

#[test]
fn after_a_reconnect_the_account_is_read_before_the_doubt_ends() {
    let mut venue = Venue::quoting(config());
    venue.desk.put(&Input::Link { link: Link::User, state: LinkState::Down("closed".to_owned()) });
    venue.run_for(5_000);
    venue.omission = Some(Omission {
        part: AccountPart::Collateral,
        page: 1,
        cause: UnknownCause::Timeout,
        rejected: 0,
        rejects: Vec::new(),
    });
    venue.desk.put(&Input::Link { link: Link::User, state: LinkState::Up });
    venue.run_for(1_500);
    let reconnect = |e: &Event| matches!(e, Event::AccountRejected { reason: ReadReason::Reconnect, .. });
    assert!(venue.count(reconnect) > 0);
    assert!(!venue.desk.engine.view(venue.desk.now).quoting, "not on half of the truth");
    venue.omission = None;
    venue.run_for(9_000);
    assert!(venue.desk.engine.view(venue.desk.now).quoting);
    let read = |e: &Event| matches!(e, Event::AccountRead { reason: ReadReason::Reconnect, .. });
    assert_eq!(venue.count(read), 1);
}

#[test]
fn most_reads_count_only_the_tokens_that_matter() {
    let mut venue =
        Venue::quoting(EngineConfig { timing: Timing { reconcile_ms: 1_000, ..Timing::default() }, ..config() });
    venue.reads.clear();
    venue.run_for(20_000);
    assert!(venue.reads.iter().filter(|n| **n == 0).count() > venue.reads.len() / 2, "{:?}", venue.reads);
    assert!(venue.reads.contains(&2), "now and then everything is counted");
}

#[test]
fn without_a_poll_interval_nothing_is_ever_polled() {
    let timing = Timing { poll_ms: 0, ..Timing::default() };
    let mut venue = Venue::quoting(EngineConfig { timing, ..config() });
    venue.desk.put(&Input::Link { link: Link::User, state: LinkState::Silent });
    venue.run_for(20_000);
    venue.desk.put(&Input::Link { link: Link::User, state: LinkState::Up });
    venue.run_for(5_000);
    assert_eq!((venue.polls, venue.count(|e| matches!(e, Event::PollBegan | Event::PollEnded { .. }))), (0, 0));
}

#[test]
fn three_partial_fills_and_a_cancel_keep_the_rest_and_the_average() {
    let mut venue = Venue::quoting(config());
    let bid = venue.desk.resting_buy();
    let i = bid.asset.outcome().index();
    for whole in [1, 2, 3] {
        venue.desk.fill(&bid, shares(whole), "CONFIRMED");
        let open = venue.desk.engine.view(venue.desk.now).markets[0].quotes.iter().map(|q| q.size).collect::<Vec<_>>();
        let rest = bid.size - shares((1..=whole).sum());
        assert!(open.contains(&rest), "{rest} of {} is left: {open:?}", bid.size);
    }
    venue.desk.command(oddsmith_domain::Command::Stop);
    venue.run_for(1_000);
    let canceled = |e: &Event| {
        matches!(e, Event::Order { order, to: oddsmith_domain::OrderState::Canceled, filled, .. }
            if *order == bid.id && *filled == shares(6))
    };
    assert_eq!(venue.count(canceled), 1);
    let account = venue.last_ledger(MAKER);
    assert_eq!(
        (account.shares[i], account.cost[i]),
        (shares(6), shares(6).cost_floor(bid.price)),
        "at its average price"
    );
}
