//! Several runs as one report.

use oddsmith_domain::{
    ConditionId, Event, Input, InstanceId, MarketCard, MarketId, Output, OutputBody, Price, ResolutionSource, RunId,
    SubAccount, Time, TokenId, Usdc,
};
use oddsmith_report::{Identity, Joined, Record, Report, page};

const MAKER: InstanceId = InstanceId(0);
const START_S: u64 = 1_790_000_000;

fn card(n: u32) -> Box<MarketCard> {
    let token = |k: u32| TokenId::parse(&(100 + 2 * n + k).to_string()).expect("a token");
    Box::new(MarketCard {
        condition: ConditionId::parse(&format!("0x{n:064x}")).expect("a condition"),
        slug: format!("market-{n}"),
        question: String::new(),
        tokens: [token(0), token(1)],
        outcomes: ["Yes".to_owned(), "No".to_owned()],
        tick: None,
        min_size: None,
        fee: None,
        end_wall_s: None,
        neg_risk: false,
        accepting_orders: true,
        taker_delay_ms: 0,
        settlement: Default::default(),
    })
}

/// A run whose ledger says what it earned.
struct Run {
    record: Record,
    now: Time,
    seq: u64,
}

impl Run {
    fn begin(id: u8, wall_s: u64, instances: &[&str]) -> Run {
        // Each process has a monotonic clock of its own.
        let now = Time { mono_ns: u64::from(id) * 7 + 1, wall_ns: wall_s * Time::SECOND };
        let mut run = Run { record: Record::default(), now, seq: 0 };
        run.record.input(&Input::Tick, now);
        let instances = instances.iter().map(|name| (*name).to_owned()).collect();
        run.tell(Event::Began { run: RunId([id; 16]), account: Default::default(), instances });
        run
    }

    fn tell(&mut self, event: Event) {
        self.seq += 1;
        self.record.output(&Output { seq: self.seq, body: OutputBody::Event(event) });
    }

    fn pass(&mut self, seconds: u64) {
        self.now = self.now.plus_ns(seconds * Time::SECOND);
        self.record.input(&Input::Tick, self.now);
    }

    fn earned(&mut self, instance: InstanceId, market: u32, dollars: i64) {
        let profit = Usdc::from_whole(dollars);
        let account = SubAccount { cash: profit, realized: profit, ..SubAccount::default() };
        self.tell(Event::Ledger { instance, market: MarketId(market), account });
    }

    fn takes_over(&mut self) {
        self.record.input(&Input::Restore(Box::default()), self.now);
    }
}

fn number(run: &mut Run, market: u32, n: u32) {
    run.tell(Event::Numbered { market: MarketId(market), card: card(n) });
}

/// The first run earns ten; the second says that it took over nine, numbers everything otherwise, and earns three more.
fn chain() -> (Record, Record) {
    let mut first = Run::begin(1, START_S, &["maker", "taker"]);
    number(&mut first, 0, 0);
    first.pass(60);
    first.earned(MAKER, 0, 10);
    first.pass(60);
    let mut second = Run::begin(2, START_S + 600, &["taker", "maker"]);
    second.takes_over();
    number(&mut second, 0, 1);
    number(&mut second, 1, 0);
    second.earned(InstanceId(1), 1, 9);
    second.pass(60);
    second.earned(InstanceId(1), 1, 11);
    second.earned(InstanceId(0), 0, 1);
    second.pass(60);
    (first.record, second.record)
}

#[test]
fn a_chain_sums_to_the_ledger_of_its_last_run() {
    let (mut all, second) = chain();
    all.join(second, Joined::Chain);
    let report = Report::new(all, Identity::default());
    let total = report.attribution.total;
    assert_eq!((total.total, total.sum()), (Usdc::from_whole(12), Usdc::from_whole(12)), "{total:?}");
    assert_eq!(total.carried, Usdc::from_whole(-1), "what was lost between the runs");
    let of = |instance: &str, market: &str| {
        let mut lines = report.attribution.lines.iter();
        lines.find(|line| line.instance == instance && line.market == market).map(|line| line.split.total)
    };
    assert_eq!(of("maker", "market-0"), Some(Usdc::from_whole(12)), "ten of the first run and two of the second");
    assert_eq!(of("maker", "between the runs"), Some(Usdc::from_whole(-1)));
    assert_eq!(of("taker", "market-1"), Some(Usdc::from_whole(1)));
    assert!((report.span_s - 720.0).abs() < 1e-6, "from the first to the last, by the clock: {}", report.span_s);
    let times: Vec<f64> = report.equity.points(100).into_iter().map(|point| point.0).collect();
    assert!(times.windows(2).all(|pair| pair[0] < pair[1]), "{times:?}");
    assert_eq!(report.equity.latest(), Some(12.0));
    let (how, parts) = report.joined.as_ref().expect("several runs");
    let profits: Vec<Usdc> = parts.iter().map(|part| part.profit).collect();
    assert_eq!((*how, profits), (Joined::Chain, vec![Usdc::from_whole(10), Usdc::from_whole(3)]));
    let page = page(&report);
    assert!(page.contains("2 runs") && page.contains("they agree"), "{page}");
}

#[test]
fn runs_with_accounts_of_their_own_are_added_and_laid_end_to_end() {
    let (mut all, second) = chain();
    let mut fresh = Run::begin(3, START_S - 900_000, &["maker"]);
    number(&mut fresh, 0, 1);
    fresh.earned(MAKER, 0, -4);
    fresh.pass(30);
    drop(second);
    all.join(fresh.record, Joined::EndToEnd);
    let report = Report::new(all, Identity::default());
    assert_eq!(report.attribution.total.total, Usdc::from_whole(6));
    assert_eq!(report.attribution.total.sum(), Usdc::from_whole(6));
    assert!((report.span_s - 150.0).abs() < 1e-6, "{}", report.span_s);
    let points = report.equity.points(100);
    assert!(
        points.windows(2).all(|pair| pair[0].0 <= pair[1].0),
        "the earlier run stands behind the later one: {points:?}"
    );
    assert_eq!(points.last().map(|point| point.1), Some(6.0));
    assert!(report.drawdown.points(100).iter().any(|point| (point.1 + 4.0).abs() < 1e-9), "from the peak of ten");
}

/// What a strategy says that an outcome is worth is judged by how the market was decided, also when that came in a later run.
#[test]
fn stated_fair_values_are_judged_by_the_outcome() {
    let mut first = Run::begin(1, START_S, &["maker"]);
    number(&mut first, 0, 0);
    let value = |run: &mut Run, market: u32, units: u16| {
        let yes = Price::from_units(units).expect("in range");
        run.tell(Event::FairValue { instance: MAKER, market: MarketId(market), yes });
    };
    value(&mut first, 0, 8_000);
    value(&mut first, 0, 9_000);
    let mut second = Run::begin(2, START_S + 60, &["maker"]);
    second.takes_over();
    number(&mut second, 0, 1);
    number(&mut second, 1, 0);
    value(&mut second, 0, 5_000);
    second.tell(Event::Resolved { market: MarketId(1), yes: Price::ONE, source: ResolutionSource::Socket });
    value(&mut second, 1, 1_000);
    let mut all = first.record;
    all.join(second.record, Joined::Chain);
    let report = Report::new(all, Identity::default());
    let opinion = report.opinions.iter().find(|opinion| opinion.source.contains("maker")).expect("its own line");
    let found = opinion.calibration.as_ref().expect("one market was decided");
    assert_eq!(found.n, 2, "not the undecided market's, and nothing that was said after the decision");
    let brier = (0.2_f64.powi(2) + 0.1_f64.powi(2)) / 2.0;
    assert!(found.brier.is_some_and(|score| (score - brier).abs() < 1e-9), "{found:?}");
}
