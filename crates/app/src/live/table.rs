//! The status table and the summary: what a person wants to see of a running engine.

use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::mpsc::{self, SyncSender};
use std::thread::JoinHandle;

use hdrhistogram::Histogram;
use oddsmith_domain::{Outcome, Price, Shares, Side, Usdc};
use oddsmith_engine::{EngineView, MarketLine, QuoteView};
use oddsmith_net::EdgeStatus;

use super::LiveEnd;

/// What the table shows, copied at one moment.
struct Moment {
    view: EngineView,
    edge: EdgeStatus,
    on_paper: bool,
    latency: Option<(u64, u64, u64)>,
}

/// Prints tables on a thread of its own: a terminal that takes its time must not hold the trading thread up.
pub struct Screen {
    sender: Option<SyncSender<Moment>>,
    printer: Option<JoinHandle<()>>,
}

impl Screen {
    /// A screen with nothing on it.
    pub fn start() -> Screen {
        let (sender, moments) = mpsc::sync_channel::<Moment>(1);
        let printer = std::thread::spawn(move || {
            for Moment { view, edge, on_paper, latency } in moments {
                let latency = latency.map_or("none yet".to_owned(), |(count, p50, p99)| {
                    format!("p50 {p50} µs, p99 {p99} µs, {count} requests")
                });
                // Whoever closed our output does not stop the engine.
                let _ = std::io::stdout().lock().write_all(table(&view, &edge, on_paper, &latency).as_bytes());
            }
        });
        Screen { sender: Some(sender), printer: Some(printer) }
    }

    /// Shows the engine as it is now. If the last table is still being printed, this one is left out.
    pub fn show(&self, view: EngineView, edge: EdgeStatus, on_paper: bool, tick_to_order: &Histogram<u64>) {
        let figures = |h: &Histogram<u64>| (h.len(), h.value_at_quantile(0.5), h.value_at_quantile(0.99));
        let latency = (!tick_to_order.is_empty()).then(|| figures(tick_to_order));
        if let Some(sender) = &self.sender {
            let _ = sender.try_send(Moment { view, edge, on_paper, latency });
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        drop(self.sender.take());
        if let Some(printer) = self.printer.take() {
            let _ = printer.join();
        }
    }
}

/// The table as text.
pub fn table(view: &EngineView, edge: &EdgeStatus, on_paper: bool, latency: &str) -> String {
    let mut out = String::new();
    let totals = &view.totals;
    let mode = match (view.quoting, view.cautious) {
        _ if !view.doubts.is_empty() => format!("not quoting: {:?}", view.doubts),
        (false, _) => "cooling down".to_owned(),
        (true, true) => "quoting with caution".to_owned(),
        (true, false) => "quoting".to_owned(),
    };
    let time = view.wall_ms / 1_000 % 86_400;
    // Writing to a String cannot fail.
    let _ = writeln!(
        out,
        "\n{:02}:{:02}:{:02} UTC  {mode}  |  cash {}  free {}  realised {}  unrealised {}  fees {}",
        time / 3_600,
        time / 60 % 60,
        time % 60,
        totals.cash.map_or("?".to_owned(), dollars),
        dollars(totals.free),
        dollars(totals.realized),
        dollars(totals.unrealized),
        dollars(totals.fees),
    );
    let up = |up: bool| if up { "up" } else { "down" };
    let orders = match on_paper {
        true => "orders on paper".to_owned(),
        false => {
            format!("user {}  orders {} ({} connections)", up(edge.user), up(edge.orders), edge.order_connections)
        }
    };
    let (live, all) = (edge.shards.1, edge.shards.0);
    let _ = writeln!(out, "links: market {live}/{all}  {orders}  |  tick to order: {latency}");
    let _ = writeln!(
        out,
        "orders: {} sent, {} cancelled, {} refused, {} open  |  fills: {} ({} not settled)  |  frames: {} ({} not understood, {} unfamiliar parts)",
        totals.placed,
        totals.canceled,
        totals.refused,
        totals.open_orders,
        totals.fills,
        totals.unsettled,
        totals.frames,
        totals.undecodable,
        totals.unfamiliar,
    );
    let _ = writeln!(
        out,
        "{:<28} {:>16} {:>16} {:>8} {:>16} {:>16}  {:>26} {:>26} {:>10} {:>8}",
        "market",
        "bid",
        "ask",
        "age",
        "our bid",
        "our ask",
        "YES matched/settled/free",
        "NO matched/settled/free",
        "P&L",
        "mode"
    );
    for market in &view.markets {
        line(&mut out, market);
    }
    out
}

fn line(out: &mut String, market: &MarketLine) {
    let ours = |side: Side| {
        let best: Option<&QuoteView> = market.quotes.iter().find(|quote| quote.side == side);
        best.map_or("-".to_owned(), |quote| level((quote.price, quote.size)))
    };
    let held = |outcome: Outcome| {
        let at = outcome.index();
        format!("{}/{}/{}", shares(market.matched[at]), shares(market.settled[at]), shares(market.sellable[at]))
    };
    let slug: String = market.slug.chars().take(28).collect();
    let mode = if market.doubts.is_empty() { format!("{:?}", market.mode) } else { format!("{:?}", market.doubts) };
    let _ = writeln!(
        out,
        "{slug:<28} {:>16} {:>16} {:>8} {:>16} {:>16}  {:>26} {:>26} {:>10} {mode:>8}",
        market.bid.map_or("-".to_owned(), level),
        market.ask.map_or("-".to_owned(), level),
        market.age_ms.map_or("-".to_owned(), |ms| format!("{ms} ms")),
        ours(Side::Buy),
        ours(Side::Sell),
        held(Outcome::Yes),
        held(Outcome::No),
        dollars(market.realized + market.unrealized),
    );
}

/// The last words of a run.
pub fn summary(end: &LiveEnd) -> String {
    let totals = &end.view.totals;
    let (count, p50, p99, max) = end.tick_to_order_us;
    let mut out = String::new();
    let left = if end.clean {
        "nothing of ours is left at the venue"
    } else {
        "the venue has NOT shown that nothing of ours is left: look there"
    };
    let _ = writeln!(out, "\n{left}");
    let _ = writeln!(
        out,
        "orders: {} sent, {} cancelled, {} refused; fills: {} ({} not settled yet)",
        totals.placed, totals.canceled, totals.refused, totals.fills, totals.unsettled
    );
    let _ = writeln!(
        out,
        "cash {} (began with {}); realised {}, unrealised {}, fees {}",
        totals.cash.map_or("?".to_owned(), dollars),
        totals.opening.map_or("?".to_owned(), dollars),
        dollars(totals.realized),
        dollars(totals.unrealized),
        dollars(totals.fees)
    );
    for market in end.view.markets.iter().filter(|market| market.matched.iter().any(|held| !held.is_zero())) {
        let _ = writeln!(
            out,
            "position {}: YES {} (settled {}), NO {} (settled {}), P&L {}",
            market.slug,
            shares(market.matched[0]),
            shares(market.settled[0]),
            shares(market.matched[1]),
            shares(market.settled[1]),
            dollars(market.realized + market.unrealized)
        );
    }
    let _ = writeln!(out, "tick to order: p50 {p50} µs, p99 {p99} µs, max {max} µs over {count} requests");
    for line in &end.requests {
        let status = if line.status == 0 { "none".to_owned() } else { line.status.to_string() };
        let _ = writeln!(
            out,
            "  {:<6} {:<22} answered {status:>4}: {:>6} times, p50 {} µs, p99 {} µs, max {} µs",
            line.endpoint.method(),
            line.endpoint.path(),
            line.count,
            line.p50_us,
            line.p99_us,
            line.max_us
        );
    }
    let counts = &end.counts;
    let _ = writeln!(
        out,
        "market data: {} frames, {} bytes; channels that ended: {}; requests without an answer: {}",
        counts.market_frames, counts.market_bytes, counts.ws_ends, counts.order_faults
    );
    for (fault, count) in &counts.ws_faults {
        let _ = writeln!(out, "  {count} times: {fault}");
    }
    let _ = writeln!(out, "journal: {}", end.dir.display());
    let _ = writeln!(out, "for a page of it: oddsmith report {}", end.dir.display());
    out
}

fn level((price, size): (Price, Shares)) -> String {
    format!("{price} x {}", shares(size))
}

fn shares(shares: Shares) -> String {
    hundredths(shares.micros())
}

fn dollars(amount: Usdc) -> String {
    hundredths(amount.micros())
}

/// Two decimals, cut towards zero: for the eye only.
fn hundredths(micros: i64) -> String {
    let cents = micros / 10_000;
    let sign = if cents < 0 { "-" } else { "" };
    format!("{sign}{}.{:02}", cents.unsigned_abs() / 100, cents.unsigned_abs() % 100)
}

#[cfg(test)]
mod tests {
    use oddsmith_domain::{BookHealth, MarketId, Mode};
    use oddsmith_engine::Totals;

    use super::*;

    #[test]
    fn amounts_are_cut_for_the_eye() {
        for (micros, text) in [(0, "0.00"), (1_239_999, "1.23"), (-5_000, "0.00"), (-1_250_000, "-1.25")] {
            assert_eq!(hundredths(micros), text);
        }
    }

    #[test]
    fn the_table_shows_book_quotes_position_cash_and_age() {
        let price = |units| Price::from_units(units).expect("in range");
        let quote = |side, units| QuoteView {
            outcome: Outcome::Yes,
            side,
            price: price(units),
            size: Shares::from_whole(20),
            working: true,
        };
        let market = MarketLine {
            market: MarketId(0),
            slug: "a-market".into(),
            bid: Some((price(4_900), Shares::from_whole(100))),
            ask: Some((price(5_100), Shares::from_whole(50))),
            health: [BookHealth::Verified; 2],
            age_ms: Some(12),
            doubts: vec![],
            mode: Mode::Normal,
            quotes: vec![quote(Side::Buy, 4_850), quote(Side::Sell, 5_150)],
            matched: [Shares::from_whole(20), Shares::ZERO],
            settled: [Shares::from_whole(15), Shares::ZERO],
            sellable: [Shares::from_whole(5), Shares::ZERO],
            realized: Usdc::from_micros(250_000),
            unrealized: Usdc::ZERO,
            worst_loss: Usdc::ZERO,
        };
        let totals = Totals { cash: Some(Usdc::from_whole(990)), fills: 3, ..Totals::default() };
        let view = EngineView {
            wall_ms: 3_661_000,
            quoting: true,
            cautious: false,
            doubts: vec![],
            markets: vec![market],
            instances: vec![],
            totals,
        };
        let text = table(&view, &EdgeStatus::default(), false, "none yet");
        assert!(table(&view, &EdgeStatus::default(), true, "none yet").contains("orders on paper"));
        for part in [
            "01:01:01 UTC  quoting",
            "cash 990.00",
            "0.49 x 100.00",
            "0.515 x 20.00",
            "20.00/15.00/5.00",
            "12 ms",
            "0.25",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }
}
