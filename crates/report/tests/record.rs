//! A record is gathered whatever the clocks did.

use oddsmith_domain::{Event, Input, InstanceId, MarketId, Output, OutputBody, SubAccount, Time, Usdc};
use oddsmith_report::{Identity, Record, Report, page, tables};

/// Recordings are not always in the order of time, and a wall clock can be set back: the run's own time never goes back.
#[test]
fn a_wall_clock_that_goes_back_makes_no_hole() {
    let mut record = Record::default();
    for (second, wall_s) in [(1u64, 1_790_000_000u64), (70, 1_790_000_070), (140, 1_780_000_000), (210, 1_795_000_000)]
    {
        let now = Time { mono_ns: second * Time::SECOND, wall_ns: wall_s * Time::SECOND };
        record.input(&Input::Tick, now);
        let profit = Usdc::from_whole(second as i64);
        let account = SubAccount { cash: profit, realized: profit, ..SubAccount::default() };
        let event = Event::Ledger { instance: InstanceId(0), market: MarketId(0), account };
        record.output(&Output { seq: second, body: OutputBody::Event(event) });
    }
    let report = Report::new(record, Identity::default());
    assert_eq!(report.attribution.total.total, Usdc::from_whole(210));
    assert!((report.span_s - 209.0).abs() < 1e-9, "{}", report.span_s);
    let times: Vec<f64> = report.equity.points(100).into_iter().map(|point| point.0).collect();
    assert!(times.windows(2).all(|pair| pair[0] <= pair[1]) && times.last() < Some(&1_790_000_210.0), "{times:?}");
    assert!(page(&report).contains("they agree") && tables(&report).len() == 6);
}
