//! A report as tables of comma-separated values.

use std::fmt::Write;

use oddsmith_domain::OrderState;

use crate::fills::HORIZONS_S;
use crate::orders::yes_terms;
use crate::report::Report;
use crate::split::Split;

/// The tables: each file's name and its text. The first line of each names the columns; amounts of money are exact. A fill has the side and the
/// price of its token, and beside them what that is for YES; other prices are those of YES.
#[must_use]
pub fn tables(report: &Report) -> Vec<(&'static str, String)> {
    vec![
        ("attribution.csv", attribution(report)),
        ("equity.csv", equity(report)),
        ("inventory.csv", inventory(report)),
        ("fills.csv", fills(report)),
        ("orders.csv", orders(report)),
        ("statistics.csv", statistics(report)),
    ]
}

/// A field: quoted where it has to be.
pub(crate) fn field(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}

fn or_empty<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

// Writing to a String cannot fail.
macro_rules! line {
    ($out:expr, $($rest:tt)*) => {
        let _ = writeln!($out, $($rest)*);
    };
}

fn attribution(report: &Report) -> String {
    let names = Split::default().parts().map(|(name, _)| name.replace(' ', "_"));
    let mut out = format!("instance,market,{},total\n", names.join(","));
    for row in &report.attribution.lines {
        let parts = row.split.parts().map(|(_, amount)| amount.to_string());
        line!(out, "{},{},{},{}", field(&row.instance), field(&row.market), parts.join(","), row.split.total);
    }
    out
}

fn equity(report: &Report) -> String {
    let mut out = "time_s,profit\n".to_owned();
    for (at, value) in report.equity.points(usize::MAX) {
        line!(out, "{at:.3},{value:.6}");
    }
    out
}

fn inventory(report: &Report) -> String {
    let mut out = "time_s,instance,market,yes_less_no\n".to_owned();
    for market in &report.markets {
        for (instance, series) in &market.inventory {
            for (at, value) in series.points(usize::MAX) {
                line!(out, "{at:.3},{},{},{value:.6}", field(instance), field(&market.slug));
            }
        }
    }
    out
}

fn fills(report: &Report) -> String {
    let horizons = HORIZONS_S.map(|s| format!("markout_{s}s"));
    let mut out = format!(
        "time_ns,trade,order,instance,market,token,side,price,size,notional,fee,role,yes_side,yes_price,inventory_after,yes_mid,waited_ns,undone,{},markout_settlement\n",
        horizons.join(",")
    );
    let decimals = |value: Option<f64>| value.map_or_else(String::new, |value| format!("{value:.6}"));
    for fill in &report.fills {
        let markouts = fill.markouts.map(decimals);
        let (side, price) = yes_terms(fill.token, fill.side, fill.price);
        line!(
            out,
            "{},{},{},{},{},{:?},{},{},{},{},{},{},{},{},{},{},{},{},{}",
            fill.at_ns,
            fill.trade,
            fill.order,
            field(report.name(fill.instance)),
            field(report.slug(fill.market)),
            fill.token,
            side.as_str(),
            price,
            fill.size,
            fill.notional,
            fill.fee,
            if fill.taker { "taker" } else { "maker" },
            fill.side.as_str(),
            fill.price,
            fill.held,
            decimals(fill.mid),
            or_empty(fill.waited_ns),
            fill.undone,
            markouts.join(",")
        );
    }
    out
}

fn orders(report: &Report) -> String {
    let mut out =
        "placed_ms,ended_ms,order,instance,market,side,price,size,filled,queue_ahead,behind,cancelled,traded,first_fill_ms,result,rests,state\n"
            .to_owned();
    for row in &report.order_rows {
        let level = row.level.map_or_else(
            || [const { String::new() }; 3],
            |level| [level.behind, level.cancelled, level.traded].map(|shares| shares.to_string()),
        );
        // Times are those of resting: from when the venue took it.
        let taken = row.placed_ns.saturating_add(row.taken_ns.unwrap_or_default());
        let ms = |ns: u64| format!("{:.3}", ns as f64 / 1e6);
        let result = match row.state {
            OrderState::Filled => "filled",
            _ if row.filled.is_positive() => "partial",
            _ => "cancelled",
        };
        line!(
            out,
            "{},{},{},{},{},{},{},{},{},{},{},{},{result},{},{:?}",
            ms(taken),
            ms(taken.saturating_add(row.rested_ns.unwrap_or_default())),
            row.order,
            field(report.name(row.instance)),
            field(report.slug(row.market)),
            row.side.as_str(),
            row.price,
            row.size,
            row.filled,
            or_empty(row.ahead),
            level.join(","),
            or_empty(row.first_fill_ns.map(|ns| ms(taken.saturating_add(ns)))),
            row.rests,
            row.state
        );
    }
    out
}

fn statistics(report: &Report) -> String {
    let mut out = "name,value,n,least,too_few\n".to_owned();
    for figure in &report.statistics {
        line!(
            out,
            "{},{},{},{},{}",
            field(&figure.name),
            or_empty(figure.value),
            figure.n,
            figure.least,
            figure.is_weak()
        );
    }
    out
}
