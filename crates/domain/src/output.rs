//! Everything that the engine can want or say.

use arrayvec::ArrayVec;
use serde::{Deserialize, Serialize};

use crate::denial::Denial;
use crate::{
    Address, AssetId, Booking, BookingId, CapitalCause, DifferenceKind, InstanceId, IntentId, Latch, LatchScope,
    Latched, MarketCard, MarketId, Movement, Omission, OrderId, OrderState, Outcome, PlaceOrder, Price, ProfitMark,
    ReadReason, ResolutionSource, RunId, Shares, Side, StateCause, SubAccount, TradeId, TradeStatus, TradingState,
    Usdc,
};

/// One thing that came out of the engine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Output {
    /// Its number within the run, from 1; an action's result names it.
    pub seq: u64,
    /// What it is.
    pub body: OutputBody,
}

/// An action to carry out, or an event to know of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum OutputBody {
    /// Something to do.
    Action(Action),
    /// Something that happened, and why.
    Event(Event),
}

/// Something for an edge to do. Each has exactly one result, a [`crate::GatewayInput`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Action {
    /// Sign and send an order.
    Place(Box<PlaceOrder>),
    /// Cancel one order.
    Cancel {
        /// The order.
        order: OrderId,
        /// Its token.
        asset: AssetId,
    },
    /// Cancel every order of a market. Jumps the queue and removes queued placements of the market.
    CancelMarket {
        /// The market.
        market: MarketId,
    },
    /// Cancel every order of the key. Jumps the queue, removes every queued placement, ignores throttles.
    CancelAll,
    /// Ask how one order stands.
    Query {
        /// The order.
        order: OrderId,
    },
    /// Tell the venue that we live.
    Heartbeat,
    /// Receive these markets.
    Subscribe {
        /// The markets.
        markets: Vec<MarketId>,
    },
    /// Read something whole.
    Fetch(FetchWhat),
    /// Receive these markets no more: they have ended, and nothing of ours is left in them.
    Unsubscribe {
        /// The markets.
        markets: Vec<MarketId>,
    },
    /// Turn pairs of both tokens of a market into collateral.
    Merge {
        /// The market.
        market: MarketId,
        /// How many pairs.
        pairs: Shares,
    },
    /// Turn everything held in a decided market into what it pays.
    Redeem {
        /// The market.
        market: MarketId,
    },
}

/// What to read by REST.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FetchWhat {
    /// The book of one token; it comes back as [`crate::Input::Market`].
    Book(AssetId),
    /// Open orders, trades since a time, balances.
    Account {
        /// Trades matched at or after this many seconds since the Unix epoch.
        trades_since_s: u64,
        /// The tokens whose balances are read.
        assets: Vec<AssetId>,
    },
    /// Open orders and trades since a time, without balances: what stands in for the user channel.
    Activity {
        /// As for the account.
        trades_since_s: u64,
    },
    /// How a market was decided.
    Resolution(MarketId),
}

/// How a strategy wants to be in a market.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Mode {
    /// No order.
    #[default]
    Stop,
    /// Both sides, full size.
    Normal,
    /// Both sides, smaller and wider.
    Caution,
    /// Only buying YES exposure.
    OneSidedBuy,
    /// Only selling YES exposure.
    OneSidedSell,
}

/// How a desired quote becomes an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Route {
    /// By the cheaper of the two equivalent ways: selling what is held of the complement first, then buying (systems 4.1).
    Materialise,
    /// Exactly this token and side.
    Exact,
}

/// A quote that a strategy wants to have resting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DesiredQuote {
    /// The outcome that the price speaks of.
    pub outcome: Outcome,
    /// The side.
    pub side: Side,
    /// The limit price, on the market's grid.
    pub price: Price,
    /// The size.
    pub size: Shares,
    /// How it becomes an order.
    pub route: Route,
}

/// Why a decision is as it is. Also for *not* quoting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Nothing unusual.
    Quoting,
    /// No book, or a side of it is empty.
    NoBook,
    /// The book is not to be trusted.
    BookNotTrusted,
    /// The book is older than the strategy's limit.
    StaleBook,
    /// The spread is wider than the strategy's limit.
    WideSpread,
    /// The market's card lacks something that quoting needs.
    CardIncomplete,
    /// The market ends too soon.
    NearExpiry,
    /// The mid is outside the strategy's zone.
    OutsideZone,
    /// The quote is skewed because of inventory.
    InventorySkew,
    /// Inventory is at its limit: only the reducing side.
    InventoryLimit,
    /// The recent flow was one-sided.
    ToxicFlow,
    /// The size would be below the market's minimum.
    BelowMinSize,
    /// There is no order price left on the grid.
    NoPrice,
    /// Re-entering after doubt.
    Caution,
    /// The signal is too weak.
    WeakSignal,
    /// The last taking here was too short a while ago.
    CoolDown,
    /// As many positions as may be are held.
    MaxPositions,
    /// The position that the signal asks for is held already.
    AlreadyHeld,
    /// What it costs, fees included, leaves no edge.
    NoEdge,
    /// The market states no fee schedule: what a taking costs is not known.
    FeeUnknown,
    /// A basket is on its way.
    BasketRunning,
    /// Too little can be had at the price.
    ThinBook,
    /// The outcomes of the scope are not all that there are.
    IncompleteSet,
    /// Taking, on a signal.
    Taking,
    /// Closing a position: its time is over, or its aim is reached.
    Exit,
    /// How the market is decided is not known.
    SettlementUnknown,
    /// The reference price is too old, or too little of it is known.
    ReferenceStale,
    /// The reference price, or the book, jumped.
    Shock,
    /// The fair value moves more while we react than the widest spread allows for.
    TooFast,
    /// The strategy is switched off.
    Disabled,
    /// Nothing is known of the match.
    TruthUnknown,
    /// What is known of the match is too old.
    TruthStale,
    /// The event is too old: others know of it too.
    TooLate,
    /// The market's text does not say clearly how it is decided.
    RulesUnclear,
}

/// The reasons of one decision.
pub type Reasons = ArrayVec<Reason, 8>;

/// How far a market's book can be trusted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BookHealth {
    /// No snapshot yet.
    #[default]
    Empty,
    /// Proven by the venue's hash.
    Verified,
    /// Nothing speaks against it, but the card lacks what the hash needs.
    Unverifiable,
    /// One check failed: compared by REST, still quoted.
    Suspect,
    /// Wrong: quotes are pulled until a fresh snapshot is there.
    Dirty,
}

/// What doubt, or a command, covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// One market.
    Market(MarketId),
    /// Everything under the key.
    Wallet,
    /// One strategy instance. Doubt never covers one: what is uncertain is uncertain for all who trade there.
    Instance(InstanceId),
}

/// Why there is doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DoubtCause {
    /// The run has just begun.
    Start,
    /// A person said stop.
    Operator,
    /// The process ends.
    Shutdown,
    /// A market connection is down or silent.
    MarketLink,
    /// The user channel is down or silent.
    UserLink,
    /// A book is dirty.
    DirtyBook,
    /// A book is older than the limit.
    StaleBook,
    /// An order's fate has been unknown for too long.
    UnknownOrder,
    /// The venue does not hear our heartbeat.
    Heartbeat,
    /// The daily loss limit is reached.
    DailyLoss,
    /// Own state and the venue's do not agree.
    Mismatch,
    /// The kill switch is thrown, or cools down.
    KillSwitch,
    /// The market's breaker is open.
    Breaker,
    /// The operator halted the scope.
    Halted,
    /// The venue's matching engine restarts.
    VenueRestarting,
    /// The venue takes only cancels.
    VenueCancelOnly,
    /// The venue takes nothing, cancels neither.
    VenueDisabled,
    /// The wall clock and the monotonic clock disagree about how much time has passed.
    ClockJump,
    /// The venue speaks a version of its protocol that is not known: nothing is signed for it.
    ProtocolVersion,
    /// The account could not be read whole several times in a row.
    Resync,
    /// The loop stood still, and the watchdog has cancelled everything without it.
    Guardian,
    /// The market has ended, was closed, or takes no orders.
    MarketEnded,
}

/// A state of the venue in which it takes less than everything (protocol section 7.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VenueMode {
    /// The matching engine restarts: try again soon, post-only at first.
    Restarting,
    /// Nothing is taken, cancels neither.
    Disabled,
    /// Only cancels are taken.
    CancelOnly,
    /// Only post-only orders and cancels are taken.
    PostOnly,
}

/// Why a working order is cancelled although the plan has not asked for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Withdrawal {
    /// The book has moved through its price.
    MovedThrough,
    /// The venue took it later than the limit allows.
    LateAnswer,
    /// It has rested longer than an order may.
    TooOld,
    /// It stands in the way of an order of an instance with a higher priority.
    SelfTrade,
}

/// A kind of request that a breaker watches. Cancels and heartbeats have none: they are never held back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestKind {
    /// Placing orders.
    Place,
    /// Asking for one order.
    Query,
    /// Reading the account.
    Account,
    /// Reading a book.
    Book,
}

/// How a breaker stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakerState {
    /// Requests go out.
    #[default]
    Closed,
    /// Nothing goes out until the pause is over.
    Open,
    /// A few requests may go out and decide.
    HalfOpen,
}

/// Where a market stands in its life with us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Listing {
    /// Taken up: subscribed to, and in the scope of the instances that cover it.
    Joined,
    /// It has ended by its card or by the venue's word, or takes no orders: what rests there is cancelled.
    Ended,
    /// A later card says that it goes on after all.
    Resumed,
    /// Nothing of ours is left there, or it is decided: out of every scope, and no longer received.
    Left,
    /// Nothing more is expected of it: its card and its books are dropped. Its accounts stay.
    Forgotten,
}

/// Something that happened inside, and why. Together with the inputs these are what every report, table and alert is
/// made from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// A strategy decided something new.
    Decision {
        /// The instance.
        instance: InstanceId,
        /// The market.
        market: MarketId,
        /// The decision's number.
        intent: IntentId,
        /// How it wants to be.
        mode: Mode,
        /// Orders that work and shall stay as they are.
        keep: Vec<OrderId>,
        /// What it wants to have resting besides; complete.
        quotes: Vec<DesiredQuote>,
        /// Why.
        reasons: Reasons,
    },
    /// An order went from one state to another.
    Order {
        /// The order.
        order: OrderId,
        /// From here.
        from: OrderState,
        /// To here.
        to: OrderState,
        /// How much of it has been filled so far.
        filled: Shares,
    },
    /// An order could not go where an input wanted it: reported, not followed.
    IllegalTransition {
        /// The order.
        order: OrderId,
        /// It stands here.
        from: OrderState,
        /// It was to go there.
        to: OrderState,
    },
    /// A settlement that had ended was said to have ended otherwise: reported, not followed.
    IllegalSettlement {
        /// The match.
        trade: TradeId,
        /// The order.
        order: OrderId,
        /// It ended so.
        from: TradeStatus,
        /// It was then said to have ended so.
        to: TradeStatus,
    },
    /// A part of an own order was filled.
    Fill {
        /// The match.
        trade: TradeId,
        /// The order.
        order: OrderId,
        /// The instance that owns it; `None` for an order that this run does not know.
        instance: Option<InstanceId>,
        /// The token.
        asset: AssetId,
        /// The side.
        side: Side,
        /// The price.
        price: Price,
        /// The size.
        size: Shares,
        /// The fee.
        fee: Usdc,
        /// Whether we took.
        taker: bool,
        /// What it did to the sub-account.
        movement: Movement,
        /// When it was matched, in seconds since the Unix epoch.
        matched_s: u64,
    },
    /// A fill's settlement moved on. `FAILED` undoes it.
    Settlement {
        /// The match.
        trade: TradeId,
        /// The order.
        order: OrderId,
        /// How far it is.
        status: TradeStatus,
    },
    /// A sub-account after a change: the ledger's identity can be checked at each of these.
    Ledger {
        /// The instance.
        instance: InstanceId,
        /// The market.
        market: MarketId,
        /// The whole of it.
        account: SubAccount,
    },
    /// A sub-account moved without a match.
    Booking {
        /// Its number: the same in every run that books the same thing.
        id: BookingId,
        /// The instance; [`InstanceId::WALLET`] for what nobody owns.
        instance: InstanceId,
        /// The market.
        market: MarketId,
        /// Why.
        booking: Booking,
        /// What it did.
        movement: Movement,
    },
    /// The capital changed that profit is counted from: collateral is `capital` and the cash of all sub-accounts.
    Capital {
        /// The capital now.
        capital: Usdc,
        /// By how much it changed.
        change: Usdc,
        /// Why.
        cause: CapitalCause,
    },
    /// A market is decided.
    Resolved {
        /// The market.
        market: MarketId,
        /// What a YES share pays; a NO share pays the rest.
        yes: Price,
        /// Who said so.
        source: ResolutionSource,
    },
    /// An order was not built.
    Denied {
        /// The instance.
        instance: InstanceId,
        /// The market.
        market: MarketId,
        /// The limit.
        denial: Denial,
    },
    /// A quote was not turned into an order, or not wholly: what is left is smaller than the market's minimum.
    Residual {
        /// The instance.
        instance: InstanceId,
        /// The market.
        market: MarketId,
        /// The quote's side in YES terms.
        side: Side,
        /// What is left.
        size: Shares,
    },
    /// A book's health changed.
    Book {
        /// The token.
        asset: AssetId,
        /// Its health now.
        health: BookHealth,
    },
    /// Doubt began: quoting stops in its scope and everything is cancelled there.
    DoubtBegan {
        /// What it covers.
        scope: Scope,
        /// Why.
        cause: DoubtCause,
    },
    /// The venue answered the cancel of the scope. What it shows is looked at next.
    DoubtCanceled {
        /// What it covers.
        scope: Scope,
    },
    /// The venue showed that nothing of ours rests in the scope any more; the cool-down begins.
    DoubtCleared {
        /// What it covers.
        scope: Scope,
    },
    /// Doubt ended: quoting may begin again, in caution first.
    DoubtEnded {
        /// What it covered.
        scope: Scope,
    },
    /// Caution is over: nothing was wrong in the scope for a while.
    CautionEnded {
        /// What it covered.
        scope: Scope,
    },
    /// The venue takes less than before, or, with no mode, everything as far as is known.
    VenueMode {
        /// What it is in.
        mode: Option<VenueMode>,
    },
    /// An order is cancelled although no plan asked for it.
    Withdrawn {
        /// The order.
        order: OrderId,
        /// Why.
        why: Withdrawal,
    },
    /// The venue refused post-only orders on a side because they would cross: quotes there stand further away, or not at all.
    Repelled {
        /// The instance.
        instance: InstanceId,
        /// The market.
        market: MarketId,
        /// The side, in YES terms.
        side: Side,
        /// Ticks by which quotes now stand further away; 0 when they stand where they are wanted again.
        ticks: u16,
        /// Whether the side is not quoted for a while.
        defence: bool,
    },
    /// A breaker changed.
    Breaker {
        /// Of which requests.
        requests: RequestKind,
        /// How it stands now.
        state: BreakerState,
    },
    /// A market's books come from REST reads because its connection cannot be had, or again from the connection.
    Degraded {
        /// The market.
        market: MarketId,
        /// Whether REST is their source now.
        on: bool,
    },
    /// The account was read whole and compared.
    AccountRead {
        /// Why it was read.
        reason: ReadReason,
        /// Open orders in it.
        orders: u32,
        /// Matches in it.
        trades: u32,
        /// Tokens that were counted.
        tokens: u32,
        /// Balances that differ, but were not yet seen to do so often enough.
        suspected: u32,
        /// Differences that were told of it.
        differences: u32,
    },
    /// A read of the account was not whole, and nothing of it was taken.
    AccountRejected {
        /// Why it was read.
        reason: ReadReason,
        /// What it lacks.
        omission: Box<Omission>,
        /// How many reads of the run were rejected so far.
        rejected: u64,
    },
    /// Orders and matches are asked for every so often, because the user channel is away.
    PollBegan,
    /// The user channel is back and the asking is over.
    PollEnded {
        /// How often was asked.
        polls: u64,
        /// Fills that were found meanwhile.
        fills: u64,
    },
    /// The venue's account and ours differ; ours was put right by the venue's facts.
    Difference {
        /// In what.
        kind: DifferenceKind,
        /// The market, when it is about one.
        market: Option<MarketId>,
        /// What differs, in words and numbers.
        what: String,
    },
    /// A frame could not be understood, in whole or in part. Its bytes are in the journal under the input before this event.
    Undecodable {
        /// How many elements of it were not understood.
        elements: u32,
        /// The first fault.
        why: String,
    },
    /// The venue refused an order.
    Refused {
        /// The order.
        order: OrderId,
        /// Why, in its words.
        text: String,
    },
    /// Something a person should look at.
    Alert {
        /// What.
        text: String,
    },
    /// Something stops or narrows trading from now on, a restart included.
    Latched(Latched),
    /// A latch ended, by itself or by the operator.
    Unlatched {
        /// What it covered.
        scope: LatchScope,
        /// What it was.
        latch: Latch,
    },
    /// How the wallet's profit stands: at each new day, at each latch it causes, and at most once a second when it moved.
    Profit(ProfitMark),
    /// Trading in a market, or an instance's trading there, went from one state to another.
    State {
        /// The market.
        market: MarketId,
        /// The instance; `None` for the market itself.
        instance: Option<InstanceId>,
        /// From here.
        from: TradingState,
        /// To here.
        to: TradingState,
        /// Why.
        cause: StateCause,
    },
    /// An evaluation of an instance took longer than it may. Three in a row quarantine it.
    SlowEvaluation {
        /// The instance.
        instance: InstanceId,
        /// How long it took, in microseconds of processor time.
        took_us: u64,
        /// How many in a row were too slow.
        in_a_row: u32,
    },
    /// A run began.
    Began {
        /// The run.
        run: RunId,
        /// The account that pays.
        account: Address,
        /// The names of its instances, by their numbers.
        instances: Vec<String>,
    },
    /// A market got its number.
    Numbered {
        /// The number.
        market: MarketId,
        /// Its card, as it is now.
        card: Box<MarketCard>,
    },
    /// The facts of the run before were taken over.
    Restored {
        /// The run before.
        run: RunId,
        /// How many orders may still be alive.
        open: u32,
        /// How many fills are remembered.
        fills: u32,
    },
    /// The venue said more than is known: told at most once a minute for each channel, counted always.
    Unfamiliar {
        /// Elements of an unknown kind since the run began.
        events: u64,
        /// Unknown fields of known elements since the run began.
        fields: u64,
        /// Where the first of them stands in the frame, at most 200 bytes.
        sample: String,
    },
    /// A market came or went.
    Listing {
        /// The market.
        market: MarketId,
        /// Where it stands now.
        listing: Listing,
    },
}
