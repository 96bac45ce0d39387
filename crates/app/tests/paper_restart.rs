//! Restarts on paper: an account that exists on paper only outlives its runs, to the millionth, however they end.

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, SystemTime};

use oddsmith_domain::{
    AccountSnapshot, CapitalCause, Event, GatewayOutcome, Input, OutputBody, Restore, RunId, Shares, TokenId,
    TradeStatus, Usdc,
};
use oddsmith_exchange::scenario::Scenario;
use oddsmith_exchange::server::{Running, Server, ServerConfig};
use oddsmith_journal::{Kind, Reader, decode_input, decode_output};
use support::chain::{assert_every_run_replays, assert_the_chain_is_one_report, facts, ours, predecessor, runs};
use support::live::{Live, figure, paper_flags, venue_flags};
use support::oddsmith;

/// One market in which a maker is filled every second or so.
const SCENARIO: &str = "
markets:
  - slug: rain-tomorrow
    fee: { rate: 0.05 }
    process: { opinion: { start: 0.5, volatility: 0.01, pull: 0.05 } }
    traders: { noise_rate: 8.0, maker_rate: 2.0, half_spread: 0.03 }
";
/// A trader who does not wait, and a venue that is quick and settles slowly, so that every end meets open settlements. Some fail.
const SETTINGS: [&str; 12] = [
    "paper.entry_ms=5",
    "paper.response_ms=5",
    "paper.feed_ms=5",
    "paper.uneven.jitter_sd=0",
    "paper.queue_model=log",
    "paper.settlement.mined_after_ms=3000",
    "paper.settlement.confirmed_after_ms=3000",
    "paper.settlement.failed_ppm=150000",
    "paper.settlement.retried_ppm=150000",
    "engine.timing.wallet_cooldown_ms=300",
    "engine.timing.caution_ms=300",
    "engine.instances.0.strategy.skewed_maker.target_spread=0.02",
];

fn exchange() -> Running {
    let scenario = Scenario::parse(SCENARIO).expect("a valid scenario");
    Server::start(ServerConfig { scenario, ..ServerConfig::default() }).expect("an exchange")
}

fn arguments(venue: &[String], more: &[&str]) -> Vec<String> {
    let settings = SETTINGS.iter().flat_map(|setting| ["--set", setting]).chain(more.iter().copied());
    venue.iter().cloned().chain(settings.map(str::to_owned)).collect()
}

fn start(data: &Path, exchange: &Running) -> Live {
    let arguments = arguments(&paper_flags(exchange), &[]);
    Live::start(data, &arguments.iter().map(String::as_str).collect::<Vec<_>>())
}

fn run(data: &Path, venue: &[String], more: &[&str]) -> support::Ran {
    let arguments = arguments(venue, more);
    oddsmith(data, &["run"].into_iter().chain(arguments.iter().map(String::as_str)).collect::<Vec<_>>())
}

/// What a journal tells of how its run took over.
#[derive(Default)]
struct Told {
    restored: Option<Restore>,
    /// The account as the venue on paper told it first, by tokens, and whether it showed an order.
    first: Option<(Usdc, BTreeMap<TokenId, Shares>, usize)>,
    events: Vec<Event>,
}

fn told(dir: &Path) -> Told {
    let (mut reader, mut told, mut cards) = (Reader::open(dir).expect("a journal"), Told::default(), BTreeMap::new());
    while let Some(record) = reader.next().expect("a record") {
        if record.head.kind.is_output() {
            if let OutputBody::Event(event) = decode_output(record.payload).expect("an output").body {
                if let Event::Numbered { market, card } = &event {
                    cards.insert(*market, card.clone());
                }
                told.events.push(event);
            }
            continue;
        }
        match (record.head.kind, decode_input(record.payload)) {
            (Kind::RESTORE, Ok(Input::Restore(restore))) => told.restored = Some(*restore),
            (_, Ok(Input::Gateway(result))) => {
                if let (None, GatewayOutcome::Account(Ok(AccountSnapshot { orders, collateral, tokens, .. }))) =
                    (&told.first, &result.outcome)
                {
                    let held = tokens.iter().filter(|(_, size)| !size.is_zero());
                    let token = |asset: oddsmith_domain::AssetId| cards[&asset.market()].token(asset.outcome());
                    let held = held.map(|(asset, size)| (token(*asset), *size)).collect();
                    told.first = Some((*collateral, held, orders.len()));
                }
            }
            _ => {}
        }
    }
    told
}

/// The second of two runs has begun with what the first one ended with, and found its books in order at the first look.
fn assert_took_over(before: &Path, after: &Path) {
    let (left, told) = (facts(before), told(after));
    assert_eq!(told.restored.as_ref(), Some(&left));
    let (cash, tokens) = ours(&left);
    assert_eq!(told.first, Some((cash, tokens, 0)), "the account on paper");
    let mut reads = told.events.iter().filter_map(|event| match event {
        Event::AccountRead { suspected, differences, .. } => Some((*suspected, *differences)),
        _ => None,
    });
    assert_eq!(reads.next(), Some((0, 0)), "the first look at the account");
    for event in &told.events {
        let wrong = match event {
            Event::Difference { .. } | Event::IllegalSettlement { .. } | Event::AccountRejected { .. } => true,
            Event::Capital { cause, .. } => *cause != CapitalCause::Opening || left.capital.is_some(),
            Event::Alert { text } => text.contains("were refused"),
            _ => false,
        };
        assert!(!wrong, "{event:?}");
    }
    // What was on its way has come to the chain, each match of it, before anything else happened to it.
    for fill in left.fills.iter().filter(|fill| fill.booked.is_some_and(|booked| !booked.is_final())) {
        let ended = told.events.iter().find_map(|event| match event {
            Event::Settlement { trade, order, status } if (*trade, *order) == (fill.trade, fill.order) => Some(*status),
            _ => None,
        });
        assert_eq!(ended, Some(TradeStatus::Confirmed), "{fill:?}");
    }
    // Orders of the run before are gone, and said to be.
    let ended = facts(after);
    for order in left.orders.iter().filter(|order| !order.state.is_final()) {
        let known = ended.orders.iter().find(|known| known.place.id == order.place.id);
        assert!(known.is_none_or(|known| known.state.is_final() && known.filled == order.filled), "{known:?}");
    }
}

fn assert_is_one_chain(data: &Path) {
    let runs = runs(data);
    for pair in runs.windows(2) {
        let before: RunId = pair[0].1["run_id"].as_str().expect("an id").parse().expect("a run id");
        assert_eq!(predecessor(&pair[1].1), Some(before));
        assert_took_over(&pair[0].0, &pair[1].0);
    }
    assert_every_run_replays(data);
    assert_the_chain_is_one_report(data, runs.len());
    let listed = oddsmith(data, &["journal", "ls"]).out;
    assert_eq!(listed.matches("  after ").count(), runs.len() - 1, "{listed}");
    assert_eq!(listed.matches("run on paper").count(), runs.len(), "{listed}");
}

/// How many fills the last table counts: those of this run.
fn fills(said: &str) -> u64 {
    let after = said.rfind("fills: ").map_or("", |at| &said[at + 7..]);
    after.split(' ').next().and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

#[test]
fn killed_in_a_burst_and_again_it_goes_on_with_its_money_and_its_tokens() {
    let (exchange, data) = (exchange(), support::data());
    let mut chance = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").subsec_nanos();
    for _ in 0..3 {
        let mut live = start(data.path(), &exchange);
        live.wait_for("fills", |said| fills(said) > 1 && figure(said, " open ") > 0);
        chance = chance.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        std::thread::sleep(Duration::from_millis(u64::from(chance >> 16) % 1_500));
        live.child.kill().expect("killed");
        live.child.wait().expect("dead");
    }
    let live = start(data.path(), &exchange);
    live.wait_for("a fill", |said| fills(said) > 0);
    live.interrupt();
    let (code, said) = live.end();
    assert_eq!(code, 0, "{said}");
    // After a clean end, too.
    let quick = run(data.path(), &paper_flags(&exchange), &["--for", "3s", "--status", "0"]);
    assert_eq!(quick.code, 0, "{quick:?}");
    let runs = runs(data.path());
    let left = facts(&runs[3].0);
    let (cash, tokens) = ours(&left);
    assert!(quick.err.contains(&format!("with {cash} dollars")), "{cash} in {}", quick.err);
    assert!(!tokens.is_empty() || cash != Usdc::from_whole(10_000), "something was traded");
    let at_kills: Vec<Restore> = runs[..3].iter().map(|(dir, _)| facts(dir)).collect();
    let met = |what: &dyn Fn(&Restore) -> bool| at_kills.iter().any(what);
    assert!(met(&|left| left.orders.iter().any(|order| !order.state.is_final())), "a kill met an order");
    let on_its_way = |left: &Restore| left.fills.iter().any(|f| f.booked.is_some_and(|booked| !booked.is_final()));
    assert!(met(&on_its_way), "a kill met a match on its way");
    assert_is_one_chain(data.path());
}

#[test]
fn a_torn_end_is_given_up_on_paper_and_the_rest_agrees() {
    let (exchange, data) = (exchange(), support::data());
    let mut live = start(data.path(), &exchange);
    live.wait_for("fills", |said| fills(said) > 1);
    live.child.kill().expect("killed");
    live.child.wait().expect("dead");
    let dir = runs(data.path()).remove(0).0;
    let mut fill = Vec::new();
    let mut reader = Reader::open(&dir).expect("a journal");
    while let Some(record) = reader.next().expect("a record") {
        if record.head.kind == Kind::FILL {
            fill = record.payload.to_vec();
        }
    }
    // The power went while the last fill was written: what led to it is known, it is not, and all that came later is lost.
    let segment = dir.join("00000000.segment");
    let mut bytes = std::fs::read(&segment).expect("a segment");
    let at = bytes.windows(fill.len()).rposition(|window| window == fill).expect("the fill's record");
    bytes[at + fill.len() / 2..].fill(0);
    std::fs::write(&segment, bytes).expect("written");
    assert_eq!(oddsmith(data.path(), &["journal", "verify", "latest"]).code, 1, "the end is torn");
    let live = start(data.path(), &exchange);
    live.wait_for("a fill", |said| fills(said) > 0);
    live.interrupt();
    let (code, said) = live.end();
    assert_eq!(code, 0, "{said}");
    let runs = runs(data.path());
    assert_took_over(&runs[0].0, &runs[1].0);
    let replay = oddsmith(data.path(), &["replay", "latest"]);
    assert_eq!(replay.code, 0, "{}{}", replay.out, replay.err);
    for (dir, _) in &runs {
        let audit = oddsmith(data.path(), &["audit", &dir.to_string_lossy()]);
        assert_eq!(audit.code, 0, "{}{}", audit.out, audit.err);
    }
}

#[test]
fn one_run_at_a_time_and_a_fresh_one_begins_anew() {
    let (exchange, data) = (exchange(), support::data());
    let (paper, real) = (paper_flags(&exchange), venue_flags(&exchange));
    let live = start(data.path(), &exchange);
    live.wait_for("a fill", |said| fills(said) > 0);
    for more in [&[][..], &["--fresh"]] {
        let second = run(data.path(), &paper, more);
        assert_eq!(second.code, 2, "{second:?}");
        let process = format!("process {}", live.child.id());
        for part in [process.as_str(), "on paper", "--data", "--fresh", "oddsmith shutdown"] {
            assert!(second.err.contains(part), "{part} in {}", second.err);
        }
    }
    assert_eq!(runs(data.path()).len(), 1, "a run that did not begin leaves nothing");
    // Real orders of the same account have another past, and are in nobody's way.
    let beside = run(data.path(), &real, &["--for", "3s", "--status", "0"]);
    assert_eq!(beside.code, 0, "{beside:?}");
    let elsewhere = support::data();
    let beside = run(elsewhere.path(), &paper, &["--for", "2s", "--status", "0"]);
    assert_eq!(beside.code, 0, "{beside:?}");
    assert!(beside.err.contains("begins with 10000 dollars"), "{}", beside.err);
    live.interrupt();
    assert_eq!(live.end().0, 0);

    let fresh = run(data.path(), &paper, &["--fresh", "--for", "2s", "--status", "0"]);
    assert_eq!(fresh.code, 0, "{fresh:?}");
    for part in ["is given up", "the account on paper begins anew", "begins with 10000 dollars"] {
        assert!(fresh.err.contains(part), "{part} in {}", fresh.err);
    }
    let next = run(data.path(), &paper, &["--for", "2s", "--status", "0"]);
    assert_eq!(next.code, 0, "{next:?}");
    let runs = runs(data.path());
    let before: Vec<Option<RunId>> = runs.iter().map(|(_, manifest)| predecessor(manifest)).collect();
    let id = |at: usize| -> RunId { runs[at].1["run_id"].as_str().expect("an id").parse().expect("a run id") };
    assert_eq!(before, [None, None, None, Some(id(2))]);
    assert_took_over(&runs[2].0, &runs[3].0);
}

#[test]
fn a_kill_switch_holds_on_paper_too() {
    let (exchange, data) = (exchange(), support::data());
    let mut live = start(data.path(), &exchange);
    live.wait_for("order", |said| figure(said, " open ") > 0);
    assert_eq!(oddsmith(data.path(), &["kill"]).code, 0);
    live.child.kill().expect("killed");
    live.child.wait().expect("dead");
    let fresh = run(data.path(), &paper_flags(&exchange), &["--fresh"]);
    assert_eq!(fresh.code, 2, "{fresh:?}");
    assert!(fresh.err.contains("oddsmith reset"), "{fresh:?}");
    let live = start(data.path(), &exchange);
    live.wait_for("the kill switch", |said| said.contains("KillSwitch"));
    assert_eq!(oddsmith(data.path(), &["reset"]).code, 0);
    live.wait_for("an order after the reset", |said| figure(said, " sent,") > 0);
    live.interrupt();
    assert_eq!(live.end().0, 0);
    assert_is_one_chain(data.path());
}
