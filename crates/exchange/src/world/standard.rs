//! The markets of a session without a scenario.

use oddsmith_domain::{ExchangeKind, FeeSchedule, Shares, Tick};

use crate::core::MarketSpec;

use super::{ProcessSpec, RoomSpec, TraderSpec};

/// Fee rates of the venue's categories, in millionths (protocol 9.5).
const POLITICS: i64 = 40_000;
const SPORTS: i64 = 50_000;
const CRYPTO: i64 = 70_000;
/// The venue's average since August 2026 (protocol 9.8), in seconds.
const AVERAGE_S: u32 = 60;

/// The next match of the same two competitors.
pub(super) fn next_match(last: &MarketSpec, number: u32) -> MarketSpec {
    let base = last.slug.rsplit_once("-match-").map_or(last.slug.as_str(), |(base, _)| base);
    let slug = format!("{base}-match-{number}");
    MarketSpec { event_slug: slug.clone(), slug, ..last.clone() }
}

fn fee(rate_micro: i64) -> FeeSchedule {
    FeeSchedule::new(rate_micro, 1, true).unwrap_or(FeeSchedule::FREE)
}

/// The market of one window of an up-or-down series.
#[must_use]
pub fn up_down_spec(coin: &str, start_s: u64, window_s: u64, average_s: u32) -> MarketSpec {
    let minutes = window_s / 60;
    let slug = format!("{coin}-updown-{minutes}m-{start_s}");
    let name = match coin {
        "btc" => "Bitcoin",
        "eth" => "Ethereum",
        "sol" => "Solana",
        other => other,
    };
    let pair = format!("{}/USD", coin.to_ascii_uppercase());
    MarketSpec {
        question: format!("{name} Up or Down - {minutes} minutes from {start_s}"),
        description: format!(
            "\"Up\" if the {pair} value of the stream at the end of the window is at or above the one at its beginning, else \"Down\"."
        ),
        outcomes: ["Up".to_owned(), "Down".to_owned()],
        fee: fee(CRYPTO),
        fee_type: "crypto_fees_v2".to_owned(),
        start_s: Some(start_s),
        end_s: Some(start_s.saturating_add(window_s)),
        taker_delay_ms: 150,
        event_title: format!("{name} Up or Down"),
        tags: vec!["Crypto".to_owned(), "Up or Down".to_owned()],
        resolution_source: match average_s {
            0 => format!("https://data.chain.link/streams/{coin}-usd"),
            _ => format!("https://data.chain.link/streams/{coin}-usd-twap-{average_s}s-streams"),
        },
        average_s: Some(average_s),
        ..MarketSpec::ordinary(&slug, "")
    }
}

/// A politics, a crypto and a sports market that live, a quiet one, a slow position market, and a neg-risk event of three.
#[must_use]
pub fn standard_rooms(now_s: u64) -> Vec<RoomSpec> {
    let year = 365 * 86_400;
    let mut rooms =
        vec![politics(now_s + year), crypto(now_s), sports(now_s), quiet(now_s + year), position(now_s + year)];
    rooms.extend(election(now_s + year));
    rooms
}

fn politics(end_s: u64) -> RoomSpec {
    let market = MarketSpec {
        fee: fee(POLITICS),
        fee_type: "politics_fees".to_owned(),
        end_s: Some(end_s),
        event_title: "Will the budget pass this year?".to_owned(),
        tags: vec!["Politics".to_owned()],
        ..MarketSpec::ordinary("will-the-budget-pass-this-year", "Will the budget pass this year?")
    };
    let process =
        ProcessSpec::Opinion { start: 0.47, volatility: 0.012, jump_rate: 0.004, jump_size: 0.12, pull: 0.004 };
    RoomSpec { market, process: Some(process), traders: TraderSpec::default() }
}

fn crypto(now_s: u64) -> RoomSpec {
    let window_s = 900;
    let market = up_down_spec("btc", now_s - now_s % window_s, window_s, AVERAGE_S);
    let process = ProcessSpec::UpDown {
        coin: "btc".to_owned(),
        price: 100_000.0,
        volatility: 0.000_08,
        window_s,
        average_s: AVERAGE_S,
    };
    let traders = TraderSpec { half_spread: 0.03, maker_rate: 1.2, noise_rate: 2.0, ..TraderSpec::default() };
    RoomSpec { market, process: Some(process), traders }
}

fn sports(now_s: u64) -> RoomSpec {
    let market = MarketSpec {
        outcomes: ["Harbour City".to_owned(), "Northfield".to_owned()],
        tick: Tick::Thousandth,
        fee: fee(SPORTS),
        fee_type: "sports_fees_v2".to_owned(),
        end_s: Some(now_s + 86_400),
        game_start_s: Some(now_s + 6 * 3_600),
        clear_on_start: true,
        seconds_delay: 1,
        event_title: "Harbour City vs. Northfield".to_owned(),
        tags: vec!["Sports".to_owned()],
        ..MarketSpec::ordinary("harbour-city-northfield", "Harbour City vs. Northfield")
    };
    let process =
        ProcessSpec::Opinion { start: 0.61, volatility: 0.008, jump_rate: 0.003, jump_size: 0.15, pull: 0.003 };
    let traders = TraderSpec { half_spread: 0.02, ..TraderSpec::default() };
    RoomSpec { market, process: Some(process), traders }
}

fn quiet(end_s: u64) -> RoomSpec {
    let market = MarketSpec {
        end_s: Some(end_s),
        tags: vec!["Test".to_owned()],
        ..MarketSpec::ordinary("quiet-will-nobody-trade-here", "Will nobody trade here by himself?")
    };
    RoomSpec { market, process: None, traders: TraderSpec::default() }
}

fn position(end_s: u64) -> RoomSpec {
    let market = MarketSpec {
        kind: ExchangeKind::Position,
        fee: fee(POLITICS),
        fee_type: "politics_fees".to_owned(),
        end_s: Some(end_s),
        tags: vec!["Politics".to_owned()],
        ..MarketSpec::ordinary("will-the-bridge-open-on-time", "Will the bridge open on time?")
    };
    let process =
        ProcessSpec::Opinion { start: 0.55, volatility: 0.006, jump_rate: 0.001, jump_size: 0.1, pull: 0.004 };
    RoomSpec { market, process: Some(process), traders: slow() }
}

/// Traders who have time.
fn slow() -> TraderSpec {
    TraderSpec { noise_rate: 0.4, maker_rate: 0.4, informed_rate: 0.1, ..TraderSpec::default() }
}

fn election(end_s: u64) -> Vec<RoomSpec> {
    let candidates = [("alder", "Alder", 0.45), ("birch", "Birch", 0.35), ("cedar", "Cedar", 0.2)];
    candidates
        .into_iter()
        .map(|(slug, name, start)| {
            let market = MarketSpec {
                kind: ExchangeKind::NegRisk,
                fee: fee(POLITICS),
                fee_type: "politics_fees".to_owned(),
                end_s: Some(end_s),
                event_slug: "who-wins-the-mayoral-election".to_owned(),
                event_title: "Who wins the mayoral election?".to_owned(),
                group_item_title: name.to_owned(),
                neg_risk_group: Some("who-wins-the-mayoral-election".to_owned()),
                tags: vec!["Politics".to_owned(), "Elections".to_owned()],
                min_size: Shares::from_whole(5),
                ..MarketSpec::ordinary(&format!("will-{slug}-win-the-mayoral-election"), "")
            };
            let market = MarketSpec { question: format!("Will {name} win the mayoral election?"), ..market };
            let process =
                ProcessSpec::Opinion { start, volatility: 0.008, jump_rate: 0.002, jump_size: 0.1, pull: 0.004 };
            RoomSpec { market, process: Some(process), traders: slow() }
        })
        .collect()
}
