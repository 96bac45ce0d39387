//! Everything that can happen to the engine.

use serde::{Deserialize, Serialize};

use crate::{
    AccountPart, Address, AssetId, InstanceId, MarketCard, MarketFacts, OrderId, Price, PriceSource, ReferenceTick,
    Restore, RunId, Scope, Shares, Side, SignatureType, TradeId, TruthReport, Usdc,
};

/// The sequence number of the output that carried an action; its one result names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ActionSeq(pub u64);

/// One thing that happened outside, with nothing decided yet. The journal is the ordered list of these with their times.
///
/// Frames travel as the bytes that were received, so that what decodes them is replayed too. Everything else is decoded by
/// `polymarket`, whose codecs are pure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Input<'a> {
    /// The first input of a run.
    Setup(Box<Setup>),
    /// A market's card arrived or was refreshed.
    Card(Box<MarketCard>),
    /// A frame of the market channel, or a book read by REST.
    Market {
        /// Where it came from.
        source: MarketSource,
        /// The bytes as received.
        #[serde(borrow, with = "raw_bytes")]
        bytes: &'a [u8],
    },
    /// A frame of the user channel.
    User {
        /// The bytes as received.
        #[serde(borrow, with = "raw_bytes")]
        bytes: &'a [u8],
    },
    /// The one result of an action.
    Gateway(Box<GatewayInput>),
    /// A connection changed.
    Link {
        /// Which one.
        link: Link,
        /// How it stands now.
        state: LinkState,
    },
    /// A person, or the process's own life cycle, wants something.
    Command(Command),
    /// Time passed, or a slice of frames ended: look at timers, evaluate what is due.
    Tick,
    /// The watchdog found the loop standing still and acted in the engine's place.
    Guard(GuardReport),
    /// What the run before left behind: the second input of a run that goes on after another.
    Restore(Box<Restore>),
    /// The venue was asked which protocol it speaks.
    Protocol(VenueProtocol),
    /// An evaluation took longer than it may: the driver has measured it, because the engine has no clock.
    Evaluated {
        /// The instance.
        instance: InstanceId,
        /// Which of its evaluations, from 1.
        evaluation: u64,
        /// How long it took, in microseconds of processor time.
        took_us: u64,
    },
    /// A price outside of the venue changed.
    Reference(Box<ReferenceTick>),
    /// A source said how a match stands.
    Truth(Box<TruthReport>),
    /// The venue's list was read whole: every market of it that an instance's rule of selection may look at.
    Listed(Box<[MarketFacts]>),
}

/// Which protocol the venue speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum VenueProtocol {
    /// One that orders can be signed for.
    Supported,
    /// Another one: books may be read, orders must not be sent. `None` when it is not even a number.
    Unknown(Option<u64>),
}

mod raw_bytes {
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(bytes)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<&'de [u8], D::Error> {
        <&'de [u8]>::deserialize(deserializer)
    }
}

/// Who and what a run is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setup {
    /// The run.
    pub run: RunId,
    /// Seeds order salts. Not a secret.
    pub seed: [u8; 32],
    /// The account whose key signs.
    pub account: Address,
    /// The account that pays, and how its orders are signed.
    pub payer: Payer,
    /// The chain that orders are signed for.
    pub chain_id: u64,
    /// The engine's configuration as canonical JSON, strategy parameters included.
    pub config: String,
}

/// The account that pays for orders (protocol sections 2.3 and 4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payer {
    /// The account that holds collateral and tokens: the key's own, or its proxy, Safe or deposit wallet.
    pub maker: Address,
    /// How the venue checks that the key may spend from it.
    pub signature_type: SignatureType,
}

impl Payer {
    /// A key that pays from its own account.
    #[must_use]
    pub const fn own(account: Address) -> Payer {
        Payer { maker: account, signature_type: SignatureType::Eoa }
    }
}

/// Where market data came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum MarketSource {
    /// A market-channel connection, by its number.
    Shard(u16),
    /// A book read by REST.
    Rest,
}

/// A connection that the engine depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Link {
    /// A market-channel connection, by its number.
    Market(u16),
    /// The user channel.
    User,
    /// The connections that carry orders.
    Orders,
    /// The connection to a source of prices outside of the venue.
    Reference(PriceSource),
}

/// How a connection stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LinkState {
    /// Connected and subscribed; for a market shard, every snapshot has arrived.
    Up,
    /// Not connected. The reason is for people.
    Down(String),
    /// Connected, but nothing comes although something should.
    Silent,
    /// A sign of life (a PONG in time) without data.
    Alive,
}

/// What the watchdog did while the loop stood still.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct GuardReport {
    /// How long the loop had stood still when it acted, in milliseconds.
    pub stalled_ms: u64,
    /// How many times it asked the venue to cancel everything.
    pub cancels: u32,
    /// Whether the venue has shown it afterwards that nothing was open.
    pub shown_empty: bool,
}

/// What a person or the process's life cycle wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Command {
    /// Cancel everything, quote nothing until [`Command::Resume`].
    Stop,
    /// Quote again after a stop.
    Resume,
    /// Cancel everything and never quote again in this run.
    Shutdown,
    /// Throw the kill switch: cancel everything and quote nothing, in this run and the next, until [`Command::Reset`].
    Kill,
    /// A person has looked: the kill switch, a reached loss limit and open breakers are undone.
    Reset,
    /// Only orders that reduce what is held, in this scope.
    Reduce(Scope),
    /// No orders in this scope; what works there is cancelled.
    Halt(Scope),
    /// Undo [`Command::Reduce`] and [`Command::Halt`] of this scope, and its open breakers.
    Activate(Scope),
}

/// The result of one action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GatewayInput {
    /// The action.
    pub action: ActionSeq,
    /// What became of it.
    pub outcome: GatewayOutcome,
}

/// What became of an action. Every action has exactly one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum GatewayOutcome {
    /// Of a placement.
    Place(PlaceOutcome),
    /// Of a single cancel.
    Cancel(CancelOutcome),
    /// Of a cancel of a scope: what the venue says it cancelled and what it could not, or that nobody knows.
    CancelScope(Result<CanceledOrders, UnknownCause>),
    /// Of a query: the order, or that the venue does not know it, or that nobody knows.
    Query(Result<Option<AccountOrder>, UnknownCause>),
    /// Of a read of the whole account. A read that is not whole says what it lacks and is no read.
    Account(Result<AccountSnapshot, Omission>),
    /// Of a heartbeat.
    Heartbeat(Result<(), UnknownCause>),
    /// Of a read of orders and matches alone, whole or not at all.
    Activity(Result<Activity, Omission>),
    /// Of the question how a market was decided: what a YES share pays, or that it is not decided.
    Resolution(Result<Option<Price>, UnknownCause>),
    /// Of a merge or a redemption.
    Tokens(TokenOutcome),
    /// Of an action whose data comes as an input of its own (a book, a card), or that has none (a subscription).
    Done(Result<(), UnknownCause>),
}

/// What became of a merge or a redemption.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TokenOutcome {
    /// The tokens are gone and the collateral is there.
    Done,
    /// It was not carried out, for this reason.
    Refused(String),
    /// It never reached the wire.
    NotSent(UnknownCause),
    /// Nobody knows.
    Unknown(UnknownCause),
}

/// What a read of the account lacks, and why. Half of the truth about an account is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Omission {
    /// The part that could not be read.
    pub part: AccountPart,
    /// Its page, from 1.
    pub page: u32,
    /// Why.
    pub cause: UnknownCause,
    /// How many entries of the page could not be understood.
    pub rejected: u32,
    /// The first of them, and why each was not.
    pub rejects: Vec<String>,
}

/// Orders and matches as the venue lists them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Activity {
    /// Every open order of the key.
    pub orders: Vec<AccountOrder>,
    /// The matches since the time asked for.
    pub trades: Vec<AccountTrade>,
}

/// What the venue said about a cancel of a scope.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CanceledOrders {
    /// Cancelled now.
    pub canceled: Vec<OrderId>,
    /// Not cancelled, with the venue's reason.
    pub not_canceled: Vec<(OrderId, String)>,
}

/// What became of a placement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PlaceOutcome {
    /// The venue took it.
    Accepted {
        /// How it stands.
        status: VenueOrderStatus,
        /// The immediate matches that the venue named.
        trades: Vec<TradeId>,
    },
    /// The venue proved that it did not take it.
    Refused {
        /// Why, as a code.
        code: RefusalCode,
        /// Why, in the venue's words.
        text: String,
    },
    /// It never reached the wire (deadline passed, queue cleared by a cancel-all).
    NotSent(UnknownCause),
    /// Nobody knows whether the venue took it.
    Unknown(UnknownCause),
}

/// What became of a single cancel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CancelOutcome {
    /// Cancelled now.
    Canceled,
    /// There was nothing to cancel: already cancelled, matched or not found. The reason is the venue's.
    Gone(String),
    /// The venue refused for another reason (delayed order, cancels disabled).
    Refused(String),
    /// It never reached the wire.
    NotSent(UnknownCause),
    /// Nobody knows.
    Unknown(UnknownCause),
}

/// Why an outcome is not known, or an action was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnknownCause {
    /// No answer in time.
    Timeout,
    /// The connection broke after the request began.
    Broken,
    /// No connection could be had.
    NoConnection,
    /// The venue answered with this status, which proves nothing.
    Status(u16),
    /// The venue's answer could not be understood.
    Undecodable,
    /// It could not reach the wire within its deadline.
    Deadline,
    /// A cancel-all removed it from the queue.
    Cleared,
    /// The rate budget is exhausted.
    RateBudget,
    /// The queue is full.
    QueueFull,
}

/// Why the venue refused an order (protocol section 7.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalCode {
    /// Balance or allowance too small.
    InsufficientBalance,
    /// The price is off the grid or out of range.
    InvalidPrice,
    /// Smaller than the market's minimum.
    MinSize,
    /// A post-only order would match.
    PostOnlyWouldCross,
    /// The venue takes only post-only orders now.
    PostOnlyMode,
    /// The venue takes only cancels now.
    CancelOnlyMode,
    /// Trading is off.
    TradingDisabled,
    /// The matching engine restarts (status 425).
    EngineRestarting,
    /// Too many requests.
    RateLimited,
    /// The same order again.
    Duplicate,
    /// Signed for another protocol version.
    VersionMismatch,
    /// A fill-or-kill order could not be filled.
    FokNotFilled,
    /// A fill-and-kill order found nothing.
    FakNotFilled,
    /// The market takes no orders yet, or no more.
    MarketNotReady,
    /// The expiry is too near or not allowed.
    InvalidExpiration,
    /// Key, signature or owner do not fit each other.
    Unauthorized,
    /// The account is banned, or may only close.
    AccountRestricted,
    /// The payload is malformed.
    InvalidPayload,
    /// Something else.
    Other,
}

/// How the venue says an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VenueOrderStatus {
    /// Rests.
    Live,
    /// Matched at once, wholly or in part.
    Matched,
    /// Waits for its taker delay; cannot be cancelled.
    Delayed,
    /// Was delayed, found nothing, rests now.
    Unmatched,
    /// Cancelled, for whatever reason.
    Canceled,
    /// A word that is not known.
    Other,
}

/// How far the settlement of a match has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TradeStatus {
    /// Matched by the operator.
    Matched,
    /// In a block.
    Mined,
    /// Final.
    Confirmed,
    /// Failed once, will be tried again.
    Retrying,
    /// Undone for good.
    Failed,
}

/// The account as the venue reports it, read completely.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountSnapshot {
    /// Every open order of the key.
    pub orders: Vec<AccountOrder>,
    /// The trades since the time asked for.
    pub trades: Vec<AccountTrade>,
    /// Collateral that the venue counts.
    pub collateral: Usdc,
    /// Tokens that the venue counts, for the markets asked for.
    pub tokens: Vec<(AssetId, Shares)>,
}

/// An order as the venue reports it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountOrder {
    /// Its id.
    pub id: OrderId,
    /// Its token, when it is one of ours.
    pub asset: Option<AssetId>,
    /// Its side.
    pub side: Side,
    /// Its limit price.
    pub price: Price,
    /// Its size when it was placed.
    pub original_size: Shares,
    /// How much of it has been matched, cumulative.
    pub size_matched: Shares,
    /// How it stands.
    pub status: VenueOrderStatus,
}

/// A match as the venue reports it, on the user channel or by REST (protocol sections 6.4 and 8.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountTrade {
    /// Its id; every report of the same match has the same one.
    pub id: TradeId,
    /// How far its settlement has come.
    pub status: TradeStatus,
    /// The taker's order.
    pub taker_order: OrderId,
    /// The taker's token, when it is one of ours.
    pub asset: Option<AssetId>,
    /// The taker's side.
    pub side: Side,
    /// The taker's size.
    pub size: Shares,
    /// The taker's average price, rounded to the price unit by the venue.
    pub price: Price,
    /// Whether we are the taker; otherwise some of the legs are ours.
    pub we_take: bool,
    /// The resting orders that it was matched with.
    pub legs: Vec<MakerLeg>,
    /// When it was matched, in seconds since the Unix epoch; 0 when not stated.
    pub match_time_s: u64,
}

/// One resting order's part in a match. Token and side are the maker's own, which differ from the taker's in a mint or a merge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MakerLeg {
    /// The resting order.
    pub order: OrderId,
    /// The account that pays for it; zero when not stated.
    pub maker: Address,
    /// Its token, when it is one of ours.
    pub asset: Option<AssetId>,
    /// Its side.
    pub side: Side,
    /// Its price.
    pub price: Price,
    /// How much of it was matched.
    pub size: Shares,
}

impl Input<'_> {
    /// Whether this input may be coalesced or delayed behind others of its class: only market data, reference prices and ticks may.
    #[must_use]
    pub const fn is_lossless(&self) -> bool {
        !matches!(self, Input::Market { .. } | Input::Reference(_) | Input::Tick)
    }

    /// The word that names the input's kind in the journal and in messages.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Input::Setup(_) => "setup",
            Input::Card(_) => "card",
            Input::Market { .. } => "market",
            Input::User { .. } => "user",
            Input::Gateway(_) => "gateway",
            Input::Link { .. } => "link",
            Input::Command(_) => "command",
            Input::Tick => "tick",
            Input::Guard(_) => "guard",
            Input::Restore(_) => "restore",
            Input::Protocol(_) => "protocol",
            Input::Evaluated { .. } => "evaluated",
            Input::Reference(_) => "reference",
            Input::Truth(_) => "truth",
            Input::Listed(_) => "listed",
        }
    }
}
