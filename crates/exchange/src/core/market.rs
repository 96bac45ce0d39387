//! Markets as the exchange lists them.

use std::fmt::Write as _;

use oddsmith_domain::{
    ConditionId, ExchangeKind, FeeSchedule, MarketCard, MarketId, Outcome, Price, ReferencePrice, RewardTerms,
    Settlement, Shares, Side, Tick, TokenId, Usdc,
};
use oddsmith_polymarket::rules::{self, Said};
use rand::RngCore;

use super::book::Book;

/// What is stated about a market when it is listed.
#[derive(Clone, Debug, PartialEq)]
pub struct MarketSpec {
    /// The short name, unique.
    pub slug: String,
    /// The question in words.
    pub question: String,
    /// The rules in words.
    pub description: String,
    /// The names of the outcomes.
    pub outcomes: [String; 2],
    /// The contract that settles it.
    pub kind: ExchangeKind,
    /// The price grid.
    pub tick: Tick,
    /// The smallest resting order.
    pub min_size: Shares,
    /// The fee schedule.
    pub fee: FeeSchedule,
    /// The venue's name of the fee schedule, such as `crypto_fees_v2`.
    pub fee_type: String,
    /// When its window begins, in seconds since the Unix epoch.
    pub start_s: Option<u64>,
    /// When it is stated to end, in seconds since the Unix epoch.
    pub end_s: Option<u64>,
    /// When the game begins, for sports.
    pub game_start_s: Option<u64>,
    /// Whether resting orders are cancelled when the game begins (`cbos`).
    pub clear_on_start: bool,
    /// The sports delay of marketable orders in whole seconds (`sd`).
    pub seconds_delay: u32,
    /// The delay of marketable orders where the metadata only say that there is one (`itode`), in milliseconds.
    pub taker_delay_ms: u64,
    /// Whether the tick becomes 0.001 beyond 0.96 and 0.04.
    pub dynamic_tick: bool,
    /// The event that it belongs to.
    pub event_slug: String,
    /// The event's title.
    pub event_title: String,
    /// The market's name within its event; empty for an event of one market.
    pub group_item_title: String,
    /// Whether it is one of a group of which exactly one outcome wins.
    pub neg_risk_group: Option<String>,
    /// Labels.
    pub tags: Vec<String>,
    /// What is promised to those whose orders rest near the mid. It is shown, and nobody is paid.
    pub rewards: Option<RewardTerms>,
    /// Where its truth is read.
    pub resolution_source: String,
    /// Over how many seconds the price that decides it is averaged; `None` for a market that no price decides.
    pub average_s: Option<u32>,
}

impl MarketSpec {
    /// An ordinary market: tick 0.01, minimum 5 shares, no fee, no delay.
    #[must_use]
    pub fn ordinary(slug: &str, question: &str) -> MarketSpec {
        MarketSpec {
            slug: slug.to_owned(),
            question: question.to_owned(),
            description: format!("Resolves to Yes if so, to No if not: {question}"),
            outcomes: ["Yes".to_owned(), "No".to_owned()],
            kind: ExchangeKind::Ctf,
            tick: Tick::Cent,
            min_size: Shares::from_whole(5),
            fee: FeeSchedule::FREE,
            fee_type: String::new(),
            start_s: None,
            end_s: None,
            game_start_s: None,
            clear_on_start: false,
            seconds_delay: 0,
            taker_delay_ms: 0,
            dynamic_tick: true,
            event_slug: slug.to_owned(),
            event_title: question.to_owned(),
            group_item_title: String::new(),
            neg_risk_group: None,
            tags: Vec::new(),
            rewards: None,
            resolution_source: String::new(),
            average_s: None,
        }
    }
}

/// Where a market stands in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarketState {
    /// Orders are taken.
    Open,
    /// Listed, but no orders are taken.
    Paused,
    /// Decided: a YES share pays this, a NO share the rest.
    Resolved(Price),
}

/// The last match of a market, as the taker saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastTrade {
    /// The taker's outcome.
    pub outcome: Outcome,
    /// The price in that outcome's terms.
    pub price: Price,
    /// The taker's side.
    pub side: Side,
    /// Its size at that price.
    pub size: Shares,
    /// When, in milliseconds since the Unix epoch.
    pub timestamp_ms: u64,
}

/// A listed market.
#[derive(Clone, Debug)]
pub struct Market {
    /// Our number of it.
    pub id: MarketId,
    /// The number by which Gamma knows it, as text.
    pub gamma_id: String,
    /// The number by which Gamma knows its event, as text.
    pub event_id: String,
    /// What was stated when it was listed; the tick is the one of today in [`Market::tick`].
    pub spec: MarketSpec,
    /// The condition.
    pub condition: ConditionId,
    /// The question, as a 32-byte id.
    pub question_id: ConditionId,
    /// The outcome tokens.
    pub tokens: [TokenId; 2],
    /// The tokens' decimal texts.
    pub token_texts: [String; 2],
    /// The price grid of today.
    pub tick: Tick,
    /// Where it stands.
    pub state: MarketState,
    /// When it was listed, in seconds since the Unix epoch.
    pub listed_s: u64,
    /// When it was resolved, in seconds since the Unix epoch.
    pub closed_s: Option<u64>,
    /// The last match.
    pub last_trade: Option<LastTrade>,
    /// Collateral that stands behind minted pairs.
    pub locked: Usdc,
    /// Tokens that exist, by outcome.
    pub outstanding: [Shares; 2],
    /// Collateral value of all matches.
    pub volume: Usdc,
    /// How many resting orders were met in each way: complementary, mint, merge.
    pub fills: [u64; 3],
    /// What the price that decides it must reach, once that is known.
    pub price_to_beat: Option<ReferencePrice>,
    pub(crate) book: Book,
    /// The top that was last published.
    pub(crate) published_top: (Option<u16>, Option<u16>),
}

impl Market {
    pub(crate) fn new(id: MarketId, spec: MarketSpec, event_id: String, now_ns: u64, rng: &mut impl RngCore) -> Market {
        let (condition, tokens) = draw_ids(spec.kind, rng);
        let token_texts = tokens.map(|token| token.to_string());
        let market = Market {
            id,
            gamma_id: (500_001 + u64::from(id.0)).to_string(),
            event_id,
            condition,
            question_id: draw_bytes32(rng),
            tokens,
            tick: spec.tick,
            state: MarketState::Open,
            listed_s: now_ns / 1_000_000_000,
            closed_s: None,
            last_trade: None,
            locked: Usdc::ZERO,
            outstanding: [Shares::ZERO; 2],
            volume: Usdc::ZERO,
            fills: [0; 3],
            price_to_beat: None,
            book: Book::new(),
            published_top: (None, None),
            token_texts,
            spec,
        };
        let mut market = market;
        market.restamp(now_ns);
        market
    }

    /// Whether it settles through the neg-risk exchange.
    #[must_use]
    pub fn neg_risk(&self) -> bool {
        self.spec.kind == ExchangeKind::NegRisk
    }

    /// Whether it is a position market ("protocol V2").
    #[must_use]
    pub fn is_position(&self) -> bool {
        self.spec.kind == ExchangeKind::Position
    }

    /// Whether orders are taken.
    #[must_use]
    pub fn accepts_orders(&self) -> bool {
        self.state == MarketState::Open
    }

    /// How long a marketable order waits, in milliseconds.
    #[must_use]
    pub fn delay_ms(&self) -> u64 {
        u64::from(self.spec.seconds_delay).saturating_mul(1_000).max(self.spec.taker_delay_ms)
    }

    /// The flags of the average: whether there is one, and over how many seconds.
    pub(crate) fn average(&self) -> Option<(bool, Option<u32>)> {
        self.spec.average_s.map(|seconds| (seconds > 0, Some(seconds).filter(|seconds| *seconds > 0)))
    }

    fn settlement(&self) -> Settlement {
        let spec = &self.spec;
        rules::settlement(&Said {
            question: &spec.question,
            description: &spec.description,
            source: &spec.resolution_source,
            outcomes: [&spec.outcomes[0], &spec.outcomes[1]],
            start_s: spec.start_s,
            end_s: spec.end_s,
            average: self.average(),
            strike: self.price_to_beat.map(|price| price.to_string()).as_deref(),
        })
    }

    /// The card that a client would read of it.
    #[must_use]
    pub fn card(&self) -> MarketCard {
        MarketCard {
            condition: self.condition,
            slug: self.spec.slug.clone(),
            question: self.spec.question.clone(),
            tokens: self.tokens,
            outcomes: self.spec.outcomes.clone(),
            tick: Some(self.tick),
            min_size: Some(self.spec.min_size),
            fee: Some(self.spec.fee),
            end_wall_s: self.spec.end_s,
            neg_risk: self.neg_risk(),
            accepting_orders: self.accepts_orders(),
            taker_delay_ms: self.delay_ms(),
            settlement: self.settlement(),
        }
    }

    /// What a share of an outcome pays; `None` before resolution.
    #[must_use]
    pub fn payout(&self, outcome: Outcome) -> Option<Price> {
        match (self.state, outcome) {
            (MarketState::Resolved(yes), Outcome::Yes) => Some(yes),
            (MarketState::Resolved(yes), Outcome::No) => Some(yes.complement()),
            _ => None,
        }
    }
}

fn draw_bytes32(rng: &mut impl RngCore) -> ConditionId {
    let mut bytes = [0u8; 32];
    rng.fill_bytes(&mut bytes);
    hex_condition(&bytes)
}

fn hex_condition(bytes: &[u8]) -> ConditionId {
    let mut text = String::with_capacity(2 + bytes.len() * 2);
    text.push_str("0x");
    for byte in bytes {
        let _infallible = write!(text, "{byte:02x}");
    }
    ConditionId::parse(&text).expect("0x and at most 64 hexadecimal digits were just written")
}

/// Draws a condition and its tokens. A CTF token never looks like a position id, whose bits 40..103 are all zero (protocol
/// 1.1); a position id has module 1, a random base hash, and the outcome in its last byte, which is zero in the condition.
fn draw_ids(kind: ExchangeKind, rng: &mut impl RngCore) -> (ConditionId, [TokenId; 2]) {
    if kind == ExchangeKind::Position {
        let mut id = [0u8; 32];
        id[0] = 1;
        rng.fill_bytes(&mut id[1..17]);
        // The id has 31 bytes; on the wire of the CLOB it is padded to 32 (seen in a recorded session of October 2026).
        let condition = hex_condition(&id);
        let yes = TokenId::from_be_bytes(id);
        id[31] = 1;
        return (condition, [yes, TokenId::from_be_bytes(id)]);
    }
    let mut draw = || loop {
        let mut id = [0u8; 32];
        rng.fill_bytes(&mut id);
        if id[19..27].iter().any(|byte| *byte != 0) && id[0] != 0 {
            return TokenId::from_be_bytes(id);
        }
    };
    let tokens = [draw(), draw()];
    (draw_bytes32(rng), tokens)
}
