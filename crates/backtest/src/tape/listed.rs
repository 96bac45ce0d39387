//! Lists of markets that lie beside recordings.

use std::path::Path;

use oddsmith_domain::{ConditionId, FeeSchedule, Settlement, Shares, Tick, TokenId};
use oddsmith_polymarket::rules::{Said, settlement};
use serde::Deserialize;
use serde_json::value::RawValue;

/// The name of such a list.
pub(super) const NAME: &str = "markets.jsonl";

/// What a list says of a market. What it does not say stays unknown.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Listed {
    pub condition: ConditionId,
    pub slug: Option<String>,
    pub question: Option<String>,
    pub tokens: [TokenId; 2],
    pub outcomes: [String; 2],
    pub tick: Option<Tick>,
    pub min_size: Option<Shares>,
    pub fee: Option<FeeSchedule>,
    pub end_wall_s: Option<u64>,
    pub settlement: Settlement,
}

/// One line.
#[derive(Debug, Deserialize)]
struct Line<'l> {
    condition_id: String,
    slug: Option<String>,
    title: Option<String>,
    #[serde(default)]
    outcomes: Vec<Outcome>,
    start_ts: Option<u64>,
    end_ts: Option<u64>,
    resolution_source: Option<String>,
    #[serde(borrow)]
    tick_size: Option<&'l RawValue>,
    #[serde(borrow)]
    min_order_size: Option<&'l RawValue>,
    #[serde(borrow)]
    fee_parameters: Option<Fees<'l>>,
}

#[derive(Debug, Deserialize)]
struct Outcome {
    token_id: String,
    outcome: String,
}

#[derive(Debug, Deserialize)]
struct Fees<'l> {
    fees_enabled: Option<bool>,
    #[serde(borrow)]
    raw_fee_config: Option<Schedule<'l>>,
}

#[derive(Debug, Deserialize)]
struct Schedule<'l> {
    exponent: u32,
    #[serde(borrow)]
    rate: &'l RawValue,
    #[serde(rename = "takerOnly")]
    taker_only: Option<bool>,
}

/// The lists beside a recording, line by line. Lines that are no market are left out.
pub(super) fn beside(recording: &Path) -> Vec<Listed> {
    let path = recording.parent().unwrap_or(Path::new("")).join(NAME);
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().filter_map(line).collect()
}

fn line(text: &str) -> Option<Listed> {
    let line: Line<'_> = serde_json::from_str(text).ok()?;
    let [first, second] = line.outcomes.as_slice() else { return None };
    let number = |raw: Option<&RawValue>| raw.map(|raw| raw.get().trim_matches('"').as_bytes().to_vec());
    let said = Said {
        question: line.title.as_deref().unwrap_or_default(),
        source: line.resolution_source.as_deref().unwrap_or_default(),
        outcomes: [&first.outcome, &second.outcome],
        start_s: line.start_ts.map(|ms| ms / 1_000),
        end_s: line.end_ts.map(|ms| ms / 1_000),
        ..Said::default()
    };
    Some(Listed {
        settlement: settlement(&said),
        condition: ConditionId::parse(&line.condition_id).ok()?,
        tokens: [TokenId::parse(&first.token_id).ok()?, TokenId::parse(&second.token_id).ok()?],
        outcomes: [first.outcome.clone(), second.outcome.clone()],
        slug: line.slug,
        question: line.title,
        tick: number(line.tick_size).and_then(|text| Tick::parse(&text).ok()),
        min_size: number(line.min_order_size).and_then(|text| Shares::parse(&text).ok()),
        fee: line.fee_parameters.and_then(|fees| fee(&fees)),
        end_wall_s: line.end_ts.map(|ms| ms / 1_000),
    })
}

fn fee(fees: &Fees<'_>) -> Option<FeeSchedule> {
    if fees.fees_enabled == Some(false) {
        return Some(FeeSchedule::FREE);
    }
    let schedule = fees.raw_fee_config.as_ref()?;
    let rate = oddsmith_domain::parse_fixed(schedule.rate.get().as_bytes(), 6).ok()?;
    FeeSchedule::new(rate, schedule.exponent, schedule.taker_only?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_it_says_and_nothing_more() {
        let text = r#"{"condition_id":"0x1f","slug":"up-or-down","outcomes":[{"token_id":"11","outcome":"Up"},{"token_id":"22",
            "outcome":"Down"}],"end_ts":1777000900000,"tick_size":0.01,"min_order_size":5.0,"fee_parameters":{"fees_enabled":true,
            "raw_fee_config":{"exponent":1,"rate":0.072,"takerOnly":true}}}"#;
        let listed = line(text).expect("a market");
        assert_eq!((listed.tick, listed.min_size), (Some(Tick::Cent), Some(Shares::from_whole(5))));
        assert_eq!(listed.fee, FeeSchedule::new(72_000, 1, true).ok());
        assert_eq!(listed.end_wall_s, Some(1_777_000_900));
        let bare = r#"{"condition_id":"0x1f","outcomes":[{"token_id":"11","outcome":"Up"},{"token_id":"22","outcome":"Down"}]}"#;
        let bare = line(bare).expect("a market");
        assert_eq!((bare.tick, bare.min_size, bare.fee, bare.end_wall_s), (None, None, None, None));
        let config = r#"{"condition_id":"0x1","outcomes":[],"fee_parameters":null}"#;
        assert_eq!(line(config), None, "a market without tokens");
        assert_eq!(line("not json"), None);
    }
}
