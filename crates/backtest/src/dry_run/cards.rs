//! The markets of recordings, learned from the recordings themselves.
//!
//! A book read by REST states tick, minimum size and neg-risk; a list of markets beside the recording (`markets.jsonl`) names
//! them. What neither says stays unknown: no fee, no end, no order of tokens other than that in which they were seen.

use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use oddsmith_domain::{ConditionId, MarketCard, Shares, Tick, TokenId};
use serde::Deserialize;
use serde_json::Value;

use super::DryRunError;
use crate::recording::{Recording, is_market_frame, unwrap};

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) cards: Vec<MarketCard>,
    pub(super) half: usize,
    /// When the first frame was received, in nanoseconds since the Unix epoch.
    pub(super) first_ns: Option<u64>,
}

#[derive(Debug, Default)]
struct Seen {
    tokens: Vec<TokenId>,
    tick: Option<Tick>,
    min_size: Option<Shares>,
    neg_risk: bool,
}

/// One line of a list of markets.
#[derive(Debug, Deserialize)]
struct Listed {
    condition_id: String,
    slug: Option<String>,
    title: Option<String>,
    #[serde(default)]
    outcomes: Vec<ListedOutcome>,
    end_ts: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct ListedOutcome {
    token_id: String,
    outcome: String,
}

/// Goes through all recordings once.
pub(super) fn find(files: &[PathBuf]) -> Result<Found, DryRunError> {
    let mut seen: IndexMap<String, Seen> = IndexMap::new();
    let mut found = Found::default();
    for path in files {
        let mut recording = Recording::open(path)?;
        while let Some(piece) = recording.next_piece()? {
            let unwrapped = unwrap(piece.bytes);
            if !is_market_frame(&unwrapped.frame) {
                continue;
            }
            found.first_ns = found.first_ns.or(unwrapped.received_ns);
            match serde_json::from_slice::<Value>(&unwrapped.frame) {
                Ok(Value::Array(elements)) => elements.iter().for_each(|element| learn(&mut seen, element)),
                Ok(element) => learn(&mut seen, &element),
                // The engine will say what is wrong with it.
                Err(_) => {}
            }
        }
    }
    let listed = listed(files);
    for (condition, market) in &seen {
        match card(condition, market, listed.get(condition)) {
            Some(card) => found.cards.push(card),
            None => found.half += 1,
        }
    }
    Ok(found)
}

fn learn(seen: &mut IndexMap<String, Seen>, element: &Value) {
    let Some(condition) = element["market"].as_str() else { return };
    let market = seen.entry(condition.to_owned()).or_default();
    let mut token = |value: &Value| {
        if let Some(token) = value.as_str().and_then(|text| TokenId::parse(text).ok())
            && !market.tokens.contains(&token)
        {
            market.tokens.push(token);
        }
    };
    token(&element["asset_id"]);
    for change in element["price_changes"].as_array().into_iter().flatten() {
        token(&change["asset_id"]);
    }
    let text = |name: &str| element[name].as_str().unwrap_or_default().as_bytes();
    market.tick = market.tick.or_else(|| Tick::parse(text("tick_size")).ok());
    market.min_size = market.min_size.or_else(|| Shares::parse(text("min_order_size")).ok());
    market.neg_risk |= element["neg_risk"].as_bool().unwrap_or(false);
}

/// Lists of markets that lie beside the recordings, by condition.
fn listed(files: &[PathBuf]) -> IndexMap<String, Listed> {
    let mut all = IndexMap::new();
    for path in files {
        let beside = path.parent().unwrap_or(Path::new("")).join("markets.jsonl");
        let Ok(text) = std::fs::read_to_string(beside) else { continue };
        for market in text.lines().filter_map(|line| serde_json::from_str::<Listed>(line).ok()) {
            all.insert(market.condition_id.clone(), market);
        }
    }
    all
}

fn card(condition: &str, seen: &Seen, listed: Option<&Listed>) -> Option<MarketCard> {
    let named: Vec<_> = listed
        .iter()
        .flat_map(|market| &market.outcomes)
        .filter_map(|outcome| Some((TokenId::parse(&outcome.token_id).ok()?, outcome.outcome.clone())))
        .collect();
    let (tokens, outcomes) = match (named.as_slice(), seen.tokens.as_slice()) {
        ([(first, yes), (second, no)], _) => ([*first, *second], [yes.clone(), no.clone()]),
        (_, [first, second]) => ([*first, *second], ["first".to_owned(), "second".to_owned()]),
        _ => return None,
    };
    Some(MarketCard {
        condition: ConditionId::parse(condition).ok()?,
        slug: listed.and_then(|market| market.slug.clone()).unwrap_or_else(|| condition.to_owned()),
        question: listed.and_then(|market| market.title.clone()).unwrap_or_default(),
        tokens,
        outcomes,
        tick: seen.tick,
        min_size: seen.min_size,
        fee: None,
        end_wall_s: listed.and_then(|market| market.end_ts).map(|ms| ms / 1_000),
        neg_risk: seen.neg_risk,
        accepting_orders: true,
        taker_delay_ms: 0,
        settlement: Default::default(),
    })
}
