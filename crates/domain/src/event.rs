//! Everything that the engine says of itself.

use serde::{Deserialize, Serialize};

use crate::{
    Address, AssetId, Basket, BasketId, BasketPart, BasketState, BookHealth, Booking, BookingId, BreakerState,
    CapitalCause, Denial, DesiredQuote, DifferenceKind, DoubtCause, InstanceId, IntentId, Latch, LatchScope, Latched,
    Listing, MarketCard, MarketChoice, MarketId, Mode, Movement, Omission, OrderId, OrderState, PauseCause, Price,
    ProfitMark, ReadReason, Reasons, RequestKind, ResolutionSource, RunId, Scope, Shares, Side, StateCause, SubAccount,
    TradeId, TradeStatus, TradingState, Usdc, VenueMode, Withdrawal,
};

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
    /// A basket was accepted: from now on it is carried through to an end.
    BasketTaken {
        /// The instance.
        instance: InstanceId,
        /// The basket's number.
        basket: BasketId,
        /// The decision's number: the basket's orders carry it.
        intent: IntentId,
        /// What it is.
        what: Box<Basket>,
    },
    /// A basket stands otherwise than before.
    Basket {
        /// The instance.
        instance: InstanceId,
        /// The basket's number.
        basket: BasketId,
        /// How it stands now.
        state: BasketState,
        /// Shares that every leg has.
        matched: Shares,
        /// What came of each leg: what one has beyond `matched` has no counterpart.
        parts: Vec<BasketPart>,
    },
    /// The run before ended with a basket on its way. It is not taken up again: what its orders did stays.
    BasketAbandoned {
        /// The instance.
        instance: InstanceId,
        /// The basket's number in the run before.
        basket: BasketId,
        /// How it stood.
        state: BasketState,
        /// What had come of each leg when that was told last.
        parts: Vec<BasketPart>,
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
    /// What an instance's own model says that a YES share is worth, once a minute at most. It decides nothing; how a market was decided
    /// tells how good it was.
    FairValue {
        /// The instance.
        instance: InstanceId,
        /// The market.
        market: MarketId,
        /// The fair value of YES, rounded to the nearest price unit.
        yes: Price,
    },
    /// An instance is paused in a market: its quotes are pulled, and it places nothing new there.
    Paused {
        /// The market.
        market: MarketId,
        /// The instance that is paused.
        instance: InstanceId,
        /// The instance that pauses it.
        by: InstanceId,
        /// What that one has under way.
        cause: PauseCause,
    },
    /// What an instance was paused for is over.
    Unpaused {
        /// The market.
        market: MarketId,
        /// The instance that was paused.
        instance: InstanceId,
        /// The instance that paused it.
        by: InstanceId,
        /// What that one had under way.
        cause: PauseCause,
    },
    /// An instance's rule says otherwise of these markets than before.
    Selection {
        /// The instance.
        instance: InstanceId,
        /// What it says of each of them now.
        choices: Vec<MarketChoice>,
    },
    /// A decision stands, for other reasons than were told last. Told once a second at most.
    Reasons {
        /// The instance.
        instance: InstanceId,
        /// The market.
        market: MarketId,
        /// The decision that stands.
        intent: IntentId,
        /// Why it stands now.
        reasons: Reasons,
    },
}
