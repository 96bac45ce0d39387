//! The markets of a tape, as far as they are known at the moment.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use memchr::memchr;
use oddsmith_domain::{ConditionId, FeeSchedule, MarketCard, Price, Shares, Tick, Time, TokenId};
use serde::Serialize;
use serde_json::Value;

use super::MarketNo;
use super::listed::{Listed, beside};
use crate::recording::Needle;

static MARKET: Needle = Needle::new("\"market\"");
static TIMESTAMP: Needle = Needle::new("\"timestamp\"");
static TICK_SIZE: Needle = Needle::new("\"tick_size\"");
static MIN_ORDER_SIZE: Needle = Needle::new("\"min_order_size\"");

/// What is taken for true where a recording is silent. Whatever is used is named in the result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Assumptions {
    /// The price grid; without it, the finest one that the prices seen so far need.
    pub tick: Option<Tick>,
    /// The smallest order. Without it nobody quotes in a market whose recording does not state one.
    pub min_size: Option<Shares>,
    /// The fee. Without it nobody takes in a market whose recording does not state one.
    pub fee: Option<FeeSchedule>,
    /// How long a marketable order waits, in milliseconds, where no card says it.
    pub taker_delay_ms: u64,
}

/// Which facts of a market were assumed and not stated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Assumed {
    /// The price grid.
    pub tick: bool,
    /// The smallest order.
    pub min_size: bool,
    /// The fee.
    pub fee: bool,
}

/// What is known of one market.
#[derive(Clone, Debug)]
pub(super) struct Known {
    condition: ConditionId,
    /// Its card, when a journal or a source of this crate has stated it whole.
    card: Option<MarketCard>,
    listed: Option<Listed>,
    tokens: Vec<TokenId>,
    tick: Option<Tick>,
    min_size: Option<Shares>,
    neg_risk: bool,
}

/// The markets of a tape.
#[derive(Debug)]
pub struct Roster {
    assumptions: Assumptions,
    markets: Vec<Known>,
    /// By the texts of their conditions, so that a known one is found without parsing it.
    by_condition: BTreeMap<Box<[u8]>, MarketNo>,
    listed: HashMap<ConditionId, Listed>,
    /// The markets of which something was learned, when somebody wants to know.
    learned: Option<Vec<MarketNo>>,
}

impl Roster {
    pub(super) fn new(assumptions: Assumptions) -> Roster {
        Roster {
            assumptions,
            markets: Vec::new(),
            by_condition: BTreeMap::new(),
            listed: HashMap::new(),
            learned: None,
        }
    }

    /// Remembers from now on of which markets something is learned, beginning with those that are known already.
    pub(super) fn remember(&mut self) {
        self.learned = Some((0..self.markets.len()).map(|index| MarketNo(index as u32)).collect());
    }

    /// What was learned since this was asked for last, each market as it is known now.
    pub(super) fn take_learned(&mut self) -> Vec<(MarketNo, Known)> {
        let learned = self.learned.as_mut().map(std::mem::take).unwrap_or_default();
        learned.into_iter().filter_map(|no| Some((no, self.markets.get(no.index())?.clone()))).collect()
    }

    /// Takes what another roster has learned. Markets come in the order of their numbers.
    pub(super) fn relearn(&mut self, no: MarketNo, known: &Known) {
        match self.markets.get_mut(no.index()) {
            Some(market) => market.clone_from(known),
            None => self.markets.push(known.clone()),
        }
    }

    fn note(&mut self, no: MarketNo) {
        if let Some(learned) = &mut self.learned {
            learned.push(no);
        }
    }

    /// Reads the list of markets that lies beside a recording, if there is one.
    pub(super) fn list_beside(&mut self, recording: &Path) {
        for listed in beside(recording) {
            self.listed.entry(listed.condition).or_insert(listed);
        }
    }

    /// How many markets have been named.
    #[must_use]
    pub fn count(&self) -> usize {
        self.markets.len()
    }

    /// Whether both tokens of a market are known, so that it has a card.
    #[must_use]
    pub fn is_known(&self, no: MarketNo) -> bool {
        self.markets
            .get(no.index())
            .is_some_and(|market| market.card.is_some() || market.listed.is_some() || market.tokens.len() == 2)
    }

    /// The card of a market as it can be known now, and what of it was assumed; `None` while one of its tokens is not known.
    #[must_use]
    pub fn card(&self, no: MarketNo) -> Option<(MarketCard, Assumed)> {
        let market = self.markets.get(no.index())?;
        let mut card = market.card.clone().map_or_else(|| market.made(), Some)?;
        let mut assumed = Assumed::default();
        if card.tick.is_none() {
            card.tick = self.assumptions.tick;
            assumed.tick = card.tick.is_some();
        }
        if card.min_size.is_none() {
            card.min_size = self.assumptions.min_size;
            assumed.min_size = card.min_size.is_some();
        }
        if card.fee.is_none() {
            card.fee = self.assumptions.fee;
            assumed.fee = card.fee.is_some();
        }
        if market.card.is_none() {
            card.taker_delay_ms = self.assumptions.taker_delay_ms;
        }
        Some((card, assumed))
    }

    /// Takes a whole card, and tells the market's number.
    pub(super) fn state(&mut self, card: &MarketCard) -> MarketNo {
        let no = self.number(card.condition);
        if let Some(market) = self.markets.get_mut(no.index()) {
            market.card = Some(card.clone());
        }
        self.note(no);
        no
    }

    /// The number of a market, which is made known if it was not.
    pub(super) fn number(&mut self, condition: ConditionId) -> MarketNo {
        if let Some(no) = self.by_condition.get(condition.as_str().as_bytes()) {
            return *no;
        }
        let no = MarketNo(u32::try_from(self.markets.len()).unwrap_or(u32::MAX));
        let listed = self.listed.get(&condition).cloned();
        self.by_condition.insert(condition.as_str().as_bytes().into(), no);
        self.markets.push(Known {
            condition,
            card: None,
            listed,
            tokens: Vec::new(),
            tick: None,
            min_size: None,
            neg_risk: false,
        });
        self.note(no);
        no
    }

    /// Learns what a frame says of markets, and puts those that it names into `markets`. Whether a fact came to light that a card
    /// states.
    pub(super) fn read(&mut self, frame: &[u8], markets: &mut Vec<MarketNo>) -> bool {
        markets.clear();
        let mut unknown = false;
        for text in texts(frame, &MARKET) {
            let known = self.by_condition.get(text).copied();
            let new = || Some(self.number(ConditionId::parse(std::str::from_utf8(text).ok()?).ok()?));
            let Some(no) = known.or_else(new) else { continue };
            if !markets.contains(&no) {
                markets.push(no);
                unknown |= self.wants(no, frame);
            }
        }
        unknown && self.learn(frame)
    }

    /// Whether the frame may hold what is not known of a market yet.
    fn wants(&self, no: MarketNo, frame: &[u8]) -> bool {
        let Some(market) = self.markets.get(no.index()).filter(|market| market.card.is_none()) else { return false };
        let facts = market.tick().is_none() || market.min_size().is_none();
        !self.is_known(no) || facts && (TICK_SIZE.is_in(frame) || MIN_ORDER_SIZE.is_in(frame))
    }

    fn learn(&mut self, frame: &[u8]) -> bool {
        match serde_json::from_slice::<Value>(frame) {
            Ok(Value::Array(elements)) => elements.iter().fold(false, |new, element| self.element(element) | new),
            Ok(element) => self.element(&element),
            // The engine will say what is wrong with it.
            Err(_) => false,
        }
    }

    fn element(&mut self, element: &Value) -> bool {
        let Some(condition) = element["market"].as_str().and_then(|text| ConditionId::parse(text).ok()) else {
            return false;
        };
        let no = self.number(condition);
        let Some(market) = self.markets.get_mut(no.index()) else { return false };
        let before = (market.tokens.len(), market.tick, market.min_size, market.neg_risk);
        let changes = element["price_changes"].as_array().into_iter().flatten().map(|change| &change["asset_id"]);
        for token in std::iter::once(&element["asset_id"]).chain(changes) {
            if let Some(token) = token.as_str().and_then(|text| TokenId::parse(text).ok())
                && market.tokens.len() < 2
                && !market.tokens.contains(&token)
            {
                market.tokens.push(token);
            }
        }
        let text = |name: &str| element[name].as_str().unwrap_or_default().as_bytes();
        market.tick = market.tick.or_else(|| Tick::parse(text("tick_size")).ok());
        market.min_size = market.min_size.or_else(|| Shares::parse(text("min_order_size")).ok());
        market.neg_risk |= element["neg_risk"].as_bool().unwrap_or(false);
        let learned = before != (market.tokens.len(), market.tick, market.min_size, market.neg_risk);
        if learned {
            self.note(no);
        }
        learned
    }
}

impl Known {
    fn tick(&self) -> Option<Tick> {
        self.tick.or_else(|| self.listed.as_ref()?.tick)
    }

    fn min_size(&self) -> Option<Shares> {
        self.min_size.or_else(|| self.listed.as_ref()?.min_size)
    }

    /// A card from what was listed and seen.
    fn made(&self) -> Option<MarketCard> {
        let listed = self.listed.as_ref();
        let (tokens, outcomes) = match (listed, self.tokens.as_slice()) {
            (Some(listed), _) => (listed.tokens, listed.outcomes.clone()),
            (None, [first, second]) => ([*first, *second], ["first".to_owned(), "second".to_owned()]),
            _ => return None,
        };
        Some(MarketCard {
            condition: self.condition,
            slug: listed.and_then(|market| market.slug.clone()).unwrap_or_else(|| self.condition.to_string()),
            question: listed.and_then(|market| market.question.clone()).unwrap_or_default(),
            tokens,
            outcomes,
            tick: self.tick(),
            min_size: self.min_size(),
            fee: listed.and_then(|market| market.fee),
            end_wall_s: listed.and_then(|market| market.end_wall_s),
            neg_risk: self.neg_risk,
            accepting_orders: true,
            taker_delay_ms: 0,
            settlement: listed.map_or_else(Default::default, |market| market.settlement.clone()),
        })
    }
}

/// The texts under a name in a frame, without understanding the frame.
fn texts<'f>(frame: &'f [u8], name: &'static Needle) -> impl Iterator<Item = &'f [u8]> {
    name.ends(frame).filter_map(|end| {
        let rest = frame.get(end..)?.trim_ascii_start().strip_prefix(b":")?.trim_ascii_start();
        let text = rest.strip_prefix(b"\"")?;
        text.get(..memchr(b'"', text)?)
    })
}

/// The newest time that the venue states in a frame, in nanoseconds; `None` when it states none.
pub(crate) fn venue_ns(frame: &[u8]) -> Option<u64> {
    let times = texts(frame, &TIMESTAMP).filter_map(|ms| std::str::from_utf8(ms).ok()?.parse::<u64>().ok());
    times.max()?.checked_mul(Time::MILLI)
}

/// The finest grid of the venue's that a price needs, no coarser than `so_far`.
pub(super) fn finer(so_far: Option<Tick>, price: Price) -> Option<Tick> {
    [Tick::Cent, Tick::Thousandth, Tick::TenThousandth].into_iter().find(|tick| {
        price.units().is_multiple_of(tick.units()) && so_far.is_none_or(|known| tick.units() <= known.units())
    })
}
