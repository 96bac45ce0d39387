//! A run on paper that ends anywhere: the next one, at a venue that begins with the ledger of the first, has nothing to reconcile.
//!
//! Time is virtual. A story with fills, failed settlements, merges, a decision and redemptions is cut at some hundred of its outputs;
//! after each cut another engine goes on at another venue.

use std::collections::BTreeMap;

use oddsmith_domain::{
    Action, ActionSeq, Address, Booking, CapitalCause, ConditionId, Event, FeeSchedule, Input, InstanceId, Link,
    LinkState, MarketCard, MarketId, MarketSource, Output, OutputBody, Payer, Restore, RunId, Setup, Shares, Tick,
    Time, TokenId, TradeStatus, Usdc,
};
use oddsmith_engine::{Engine, EngineConfig, Facts, InstanceConfig, Lanes, OwnedInput, Sink};
use oddsmith_paper::latency::{LatencyModel, Unevenness};
use oddsmith_paper::queue::QueueModel;
use oddsmith_paper::{PaperInput, PaperSettings, PaperVenue, Settlement};
use oddsmith_strategy::StrategyConfig;
use oddsmith_strategy::skewed_maker::Parameters;

const ACCOUNT: Address = Address([9; 20]);
const STORY_S: u64 = 150;
/// The second market is decided here.
const DECIDED_S: u64 = 100;
/// Of the outputs that move money or orders, every so many is a cut.
const EVERY: usize = 23;
const TOKENS: [[&str; 2]; 2] = [["111", "222"], ["333", "444"]];
const CONDITIONS: [&str; 2] = ["0xab", "0xcd"];

fn card(n: usize) -> MarketCard {
    MarketCard {
        condition: ConditionId::parse(CONDITIONS[n]).expect("a condition"),
        slug: format!("market-{n}"),
        question: "Will it?".to_owned(),
        tokens: TOKENS[n].map(|text| TokenId::parse(text).expect("a token")),
        outcomes: ["Yes".to_owned(), "No".to_owned()],
        tick: Some(Tick::Cent),
        min_size: Some(Shares::from_whole(5)),
        fee: Some(FeeSchedule::new(50_000, 1, true).expect("a schedule")),
        end_wall_s: None,
        neg_risk: false,
        accepting_orders: true,
        taker_delay_ms: 0,
        settlement: Default::default(),
    }
}

fn config() -> EngineConfig {
    let strategy = Parameters {
        target_spread: 0.02,
        toxic_notional_usdc: Usdc::from_whole(100_000),
        markout_fills: 0,
        ..Parameters::default()
    };
    let instance = InstanceConfig {
        name: "maker".to_owned(),
        markets: vec!["*".to_owned()],
        strategy: StrategyConfig::SkewedMaker(strategy),
        listener: Default::default(),
        sharing: Default::default(),
    };
    let mut config = EngineConfig { instances: vec![instance], ..EngineConfig::default() };
    (config.tokens.merge_pairs, config.tokens.merge_min, config.tokens.redeem) = (true, Shares::from_whole(5), true);
    (config.timing.wallet_cooldown_ms, config.timing.caution_ms) = (300, 300);
    config.limits.max_daily_loss_usdc = Usdc::from_whole(100_000);
    config.limits.drawdown.max_usdc = Usdc::ZERO;
    config
}

fn paper(collateral: i64) -> PaperSettings {
    PaperSettings {
        queue: QueueModel::Log,
        latency: LatencyModel::Constant { entry_ns: 20 * Time::MILLI as i64, response_ns: 20 * Time::MILLI as i64 },
        uneven: Unevenness::NONE,
        feed_ns: 10 * Time::MILLI,
        settlement: Settlement {
            mined_after_ms: 2_000,
            confirmed_after_ms: 2_000,
            retried_ppm: 150_000,
            failed_ppm: 150_000,
        },
        payer: Payer::own(ACCOUNT),
        ..PaperSettings::with(Usdc::from_whole(collateral), 3)
    }
}

/// Numbers that look like chance.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// What everybody else does: books that wander, and prints that go through whatever rests near them.
struct Others {
    chance: Chance,
    cents: [u64; 2],
}

impl Others {
    fn frames(&mut self, n: usize, ms: u64) -> Vec<String> {
        let step = self.chance.below(3);
        self.cents[n] = (self.cents[n] + step).saturating_sub(1).clamp(35, 65);
        let mid = self.cents[n];
        let side = |cents: [u64; 3]| {
            let level = |cents: u64| format!(r#"{{"price":"0.{cents}","size":"100"}}"#);
            cents.map(level).join(",")
        };
        let book = |token: &str, bids: [u64; 3], asks: [u64; 3]| {
            format!(
                r#"{{"event_type":"book","market":"{}","asset_id":"{token}","timestamp":"{ms}","bids":[{}],"asks":[{}],"tick_size":"0.01","min_order_size":"5","neg_risk":false}}"#,
                CONDITIONS[n],
                side(bids),
                side(asks),
            )
        };
        let (bids, asks) = ([mid - 5, mid - 4, mid - 3], [mid + 5, mid + 4, mid + 3]);
        let mut frames = vec![
            book(TOKENS[n][0], bids, asks),
            book(TOKENS[n][1], asks.map(|cents| 100 - cents), bids.map(|cents| 100 - cents)),
        ];
        let (price, side) = match self.chance.below(8) {
            0 => (mid - 3, "SELL"),
            1 => (mid + 3, "BUY"),
            _ => return frames,
        };
        frames.push(format!(
            r#"{{"market":"{}","asset_id":"{}","price":"0.{price}","size":"7.53","fee_rate_bps":"0","side":"{side}","timestamp":"{ms}","event_type":"last_trade_price"}}"#,
            CONDITIONS[n], TOKENS[n][0],
        ));
        frames
    }
}

/// A place in the story at which its process dies.
struct Cut {
    after: String,
    at: Time,
    facts: Facts,
}

/// What is noted of a run.
#[derive(Default)]
struct Notes {
    facts: Facts,
    cuts: Vec<Cut>,
    cutting: bool,
    moves: usize,
    events: Vec<Event>,
    placed: u64,
    actions: Vec<(ActionSeq, Action)>,
    now: Time,
}

impl Sink for Notes {
    fn record(&mut self, input: &Input<'_>, now: Time, outputs: &[Output]) {
        self.facts.input(input);
        for output in outputs {
            self.facts.apply(output, now);
            let moves = match &output.body {
                OutputBody::Action(action) => {
                    self.placed += u64::from(matches!(action, Action::Place(_)));
                    self.actions.push((ActionSeq(output.seq), action.clone()));
                    matches!(action, Action::Place(_) | Action::Merge { .. } | Action::Redeem { .. })
                }
                OutputBody::Event(event) => {
                    self.events.push(event.clone());
                    matches!(
                        event,
                        Event::Fill { .. }
                            | Event::Settlement { .. }
                            | Event::Ledger { .. }
                            | Event::Booking { .. }
                            | Event::Resolved { .. }
                            | Event::Order { .. }
                            | Event::Capital { .. }
                    )
                }
            };
            self.moves += usize::from(moves);
            if self.cutting && moves && self.moves.is_multiple_of(EVERY) {
                let after = format!("{:?}", output.body);
                self.cuts.push(Cut { after, at: now, facts: self.facts.clone() });
            }
        }
    }

    fn now(&mut self) -> Time {
        self.now
    }
}

/// An engine and its venue.
struct Run {
    engine: Engine,
    lanes: Lanes,
    venue: PaperVenue,
    notes: Notes,
    others: Others,
}

impl Run {
    fn begin(id: u8, venue: PaperVenue, restore: Option<Restore>, now: Time) -> Run {
        let notes = Notes { now, cutting: restore.is_none(), ..Notes::default() };
        let others = Others { chance: Chance(u64::from(id)), cents: [50, 45] };
        let mut run = Run { engine: Engine::new(), lanes: Lanes::new(), venue, notes, others };
        let setup = Setup {
            run: RunId([id; 16]),
            seed: [id; 32],
            account: ACCOUNT,
            payer: Payer::own(ACCOUNT),
            chain_id: 137,
            config: config().to_json().expect("JSON"),
        };
        let first = [Input::Setup(Box::new(setup))].into_iter();
        let first = first.chain(restore.map(|restore| Input::Restore(Box::new(restore))));
        let cards = (0..2).map(|n| Input::Card(Box::new(card(n))));
        let links = [Link::User, Link::Market(0)].map(|link| Input::Link { link, state: LinkState::Up });
        for input in first.chain(cards).chain(links) {
            run.lanes.push(OwnedInput::Other(input));
        }
        run.settle();
        run
    }

    fn settle(&mut self) {
        loop {
            self.venue.advance(self.notes.now);
            while let Some(input) = self.venue.next_input() {
                self.lanes.push(match input {
                    PaperInput::User(bytes) => OwnedInput::User(bytes),
                    PaperInput::Gateway(result) => OwnedInput::Other(Input::Gateway(Box::new(result))),
                });
            }
            let more = self.lanes.slice(&mut self.engine, &mut self.notes);
            for (seq, action) in std::mem::take(&mut self.notes.actions) {
                if let Action::Subscribe { markets } = &action {
                    for (market, card) in markets.iter().filter_map(|id| Some((*id, self.engine.card(*id)?))) {
                        self.venue.learn(market, card);
                    }
                }
                self.venue.act(seq, &action, self.notes.now);
            }
            if !more && self.venue.next_due().is_none_or(|due| due > self.notes.now.mono_ns) {
                return;
            }
        }
    }

    fn pass_ms(&mut self, ms: u64) {
        let target = self.notes.now.plus_ns(ms * Time::MILLI);
        let due = |run: &Run| [run.engine.next_deadline(), run.venue.next_due()].into_iter().flatten().min();
        while let Some(due) = due(self).filter(|due| *due < target.mono_ns) {
            self.notes.now = self.notes.now.plus_ns(due.saturating_sub(self.notes.now.mono_ns));
            self.settle();
        }
        self.notes.now = target;
        self.settle();
    }

    fn hear(&mut self, frame: &str) {
        self.venue.frame(frame.as_bytes(), self.notes.now);
        self.lanes.push_frame(MarketSource::Shard(0), frame.as_bytes());
        self.settle();
    }

    /// A quarter of a second in the markets that are not decided.
    fn quarter(&mut self, markets: usize) {
        for n in 0..markets {
            for frame in self.others.frames(n, self.notes.now.wall_ms()) {
                self.hear(&frame);
            }
        }
        self.pass_ms(250);
    }

    fn count(&self, which: impl Fn(&Event) -> bool) -> usize {
        self.notes.events.iter().filter(|event| which(event)).count()
    }
}

fn story() -> Run {
    let now = Time { mono_ns: Time::SECOND, wall_ns: 1_790_000_000 * Time::SECOND };
    let mut run = Run::begin(1, PaperVenue::new(paper(1_000)), None, now);
    for quarter in 0..STORY_S * 4 {
        if quarter == DECIDED_S * 4 {
            let ms = run.notes.now.wall_ms();
            run.hear(&format!(
                r#"{{"id":"7","market":"0xcd","winning_asset_id":"333","winning_outcome":"Yes","assets_ids":["333","444"],"timestamp":"{ms}","event_type":"market_resolved"}}"#
            ));
        }
        run.quarter(if quarter < DECIDED_S * 4 { 2 } else { 1 });
    }
    run
}

type Held = BTreeMap<(MarketId, InstanceId), (Usdc, [Shares; 2])>;

/// Cash and tokens by sub-account: what no restart may change.
fn held<'a>(accounts: impl Iterator<Item = ((MarketId, InstanceId), &'a oddsmith_domain::SubAccount)>) -> (Held, Usdc) {
    let held: Held = accounts.map(|(place, account)| (place, (account.cash, account.shares))).collect();
    let cash = held.values().map(|(cash, _)| *cash).sum();
    (held, cash)
}

/// Goes on after a cut, and looks at what the first read of the account makes of it.
fn goes_on(cut: Cut, quotes: bool) {
    let Cut { after, at, facts } = cut;
    let restore = facts.into_restore();
    let (left, cash) = held(restore.accounts.iter().map(|line| ((line.market, line.instance), &line.account)));
    let open = restore.fills.iter().filter(|fill| fill.booked.is_some_and(|booked| !booked.is_final())).count();
    // The settings' own collateral would be noticed.
    let venue = PaperVenue::after(paper(7), &restore);
    let expected = restore.capital.unwrap_or(Usdc::from_whole(7)) + cash;
    assert_eq!(venue.collateral(), expected, "after {after}");
    let (capital, later) = (restore.capital, at.plus_ns(5 * Time::SECOND));
    let mut run = Run::begin(2, venue, Some(restore), later);
    while run.count(|event| matches!(event, Event::AccountRead { .. })) == 0 {
        assert!(run.notes.now.since(later) < 2 * Time::SECOND, "no read of the account after {after}");
        run.pass_ms(10);
    }
    assert!(run.notes.events.iter().all(|event| !matches!(
        event,
        Event::AccountRead { suspected, differences, .. } if suspected + differences > 0
    )));
    let now =
        |run: &Run| held(run.engine.accounts().map(|(instance, market, account)| ((market, instance), account))).0;
    assert_eq!(now(&run), left, "after {after}");
    for (_, market, account) in run.engine.accounts() {
        let on_its_way = [account.arriving, account.leaving].iter().flatten().any(|shares| !shares.is_zero());
        let paying = !account.incoming.is_zero() || !account.outgoing.is_zero();
        assert!(!on_its_way && !paying, "market {} after {after}: {account:?}", market.0);
    }
    let settled = run.count(|event| matches!(event, Event::Settlement { status: TradeStatus::Confirmed, .. }));
    assert_eq!(settled, open, "after {after}");
    if quotes {
        (0..16).for_each(|_| run.quarter(1));
        assert!(run.notes.placed > 0, "nothing is quoted after {after}");
    }
    for event in &run.notes.events {
        let wrong = match event {
            Event::Difference { .. } | Event::IllegalSettlement { .. } | Event::AccountRejected { .. } => true,
            Event::Capital { cause, .. } => capital.is_some() || *cause != CapitalCause::Opening,
            Event::Alert { text } => text.contains("were refused"),
            _ => false,
        };
        assert!(!wrong, "{event:?} after {after}");
    }
}

#[test]
fn wherever_a_paper_run_ends_the_next_one_has_nothing_to_reconcile() {
    let mut run = story();
    let booked =
        |wanted: Booking| run.count(|event| matches!(event, Event::Booking { booking, .. } if *booking == wanted));
    let fills = run.count(|event| matches!(event, Event::Fill { .. }));
    let failed = run.count(|event| matches!(event, Event::Settlement { status: TradeStatus::Failed, .. }));
    let (merged, decided, redeemed) = (booked(Booking::Merge), booked(Booking::Decided), booked(Booking::Redeem));
    assert!(fills > 30 && failed > 0, "{fills} fills, {failed} failed");
    assert!(merged > 0 && decided > 0 && redeemed > 0, "{merged} merges, {decided} decided, {redeemed} redeemed");
    let cuts = std::mem::take(&mut run.notes.cuts);
    assert!(cuts.len() > 100, "{} cuts", cuts.len());
    for (n, cut) in cuts.into_iter().enumerate() {
        goes_on(cut, n % 10 == 0);
    }
}
