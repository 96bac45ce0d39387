//! What a strategy would want, and what would be planned for it, in one stated situation.
//!
//! Everything that decides is what trades: the strategy's own code, and the planner. Limits and doubt are not asked; an order that they
//! would withhold is shown.

mod natural;
mod state;

use std::collections::BTreeMap;

use oddsmith_domain::{
    Basket, DesiredQuote, EventConversion, MarketId, Mode, OrderId, Outcome, Price, Reasons, Shares, Side, Time, Usdc,
};
use oddsmith_execution::{MinSizePolicy, Plan, PlanInput, PlanPolicy, WorkingOrder, plan};
use oddsmith_risk::OpenOrder;
use oddsmith_strategy::{Decision, MarketView, OwnOrder, ParameterError, Rest, StrategyConfig, View, Working};
use serde::Serialize;
use thiserror::Error;

pub use state::{
    BookState, FeeState, FillState, Holdings, MarketState, OpenOrderState, ReferenceState, State, TruthState,
};

/// Why a state was not evaluated.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum EvalError {
    /// The state cannot be read, or contradicts itself.
    #[error("the state: {0}")]
    State(String),
    /// A parameter of the strategy is out of range.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
}

/// What came out.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evaluation {
    /// The strategy.
    pub strategy: &'static str,
    /// Its version.
    pub version: u32,
    /// What it would take, if anything.
    pub basket: Option<Basket>,
    /// NO of some outcomes that it would turn into collateral and YES of the others, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conversion: Option<EventConversion>,
    /// Market by market, in the state's order. A market that the strategy did not mention keeps what it has, and is not here.
    pub markets: Vec<MarketEvaluation>,
}

/// What came out for one market.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MarketEvaluation {
    /// The market.
    pub slug: String,
    /// How the strategy wants to be there.
    pub mode: Mode,
    /// Why.
    pub reasons: Reasons,
    /// What it was made from: decimal strings by name.
    pub figures: BTreeMap<&'static str, String>,
    /// Open orders that shall stay as they are, by the names of the state.
    pub keep: Vec<String>,
    /// What shall rest besides.
    pub quotes: Vec<DesiredQuote>,
    /// What the planner would do.
    pub plan: Planned,
}

/// Orders to cancel and to place.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Planned {
    /// Open orders to cancel, by the names of the state.
    pub cancel: Vec<String>,
    /// Orders to place at once.
    pub place: Vec<Placed>,
    /// Orders to place when the cancels are confirmed: until then they would meet an own order, or sell promised tokens.
    pub place_after_cancels: Vec<Placed>,
    /// Wanted, but below the minimum size: side in YES terms, and shares.
    pub residual: Vec<(Side, Shares)>,
}

/// An order that would be placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Placed {
    /// The token.
    pub outcome: Outcome,
    /// The side.
    pub side: Side,
    /// The limit price.
    pub price: Price,
    /// The size.
    pub size: Shares,
}

/// Evaluates one state.
///
/// # Errors
/// [`EvalError`] says what is wrong with the state or the parameters.
pub fn evaluate(config: &StrategyConfig, state: &State) -> Result<Evaluation, EvalError> {
    let mut strategy = config.build()?;
    let now = state.now();
    let mut parts = Vec::with_capacity(state.markets.len());
    for (index, market) in state.markets.iter().enumerate() {
        let id = MarketId(u32::try_from(index).unwrap_or(u32::MAX));
        let card = market.card(id)?;
        let book = market.book(id, &card, now);
        parts.push((id, market, card, book, market.fills(now), working(index, market)));
    }
    // Only what is among the book's levels is taken out of them.
    let includes_own = |market: &MarketState| market.book.as_ref().is_some_and(|book| book.includes_own);
    let views: Vec<_> = parts
        .iter()
        .map(|(_, market, _, _, _, working)| if includes_own(market) { everybodys(working) } else { Vec::new() })
        .collect();
    let views: Vec<_> = parts
        .iter()
        .zip(&views)
        .map(|((id, market, card, book, fills, working), own)| MarketView {
            id: *id,
            card,
            book,
            book_age_ns: market.book.as_ref().map(|_| market.book_age_ms.saturating_mul(Time::MILLI)),
            position: market.positions(),
            own,
            working,
            fills,
            caution: market.caution,
            underlying: market.underlying(now),
            truth: market.truth(now),
        })
        .collect();
    let reserved: Usdc = views.iter().map(MarketView::in_own_bids).sum();
    let (mut decision, spendable) = (Decision::default(), state.collateral - reserved);
    strategy.evaluate(&View { now, markets: &views, spendable, converts: state.converts, basket: None }, &mut decision);

    let policy = state.planning.as_ref().map_or(EXACT, |planning| planning.policy());
    let markets = decision.rests().iter().filter_map(|rest| {
        let (_, market, _, _, _, working) = parts.get(rest.market.index())?;
        Some(result(market, working, rest, policy))
    });
    let (name, version) = (strategy.name(), strategy.version());
    let (basket, conversion) = (decision.basket().cloned(), decision.conversion().cloned());
    Ok(Evaluation { strategy: name, version, basket, conversion, markets: markets.collect() })
}

/// What is not exactly as wanted is replaced.
const EXACT: PlanPolicy = PlanPolicy {
    price_tolerance_ticks: 0,
    shrink_tolerance: Shares::ZERO,
    top_up_threshold: Shares::LOT,
    min_size: MinSizePolicy::PassiveFirst,
    safety_buffer: Shares::ZERO,
};

/// The state's open orders under ids of our own: the market's number, and the order's.
fn working(index: usize, market: &MarketState) -> Vec<Working> {
    let id = |number: usize| {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&(index as u64).to_be_bytes());
        bytes[8..16].copy_from_slice(&(number as u64).to_be_bytes());
        OrderId(bytes)
    };
    let orders = market.open_orders.iter().enumerate();
    orders
        .map(|(number, o)| Working {
            id: id(number),
            outcome: o.outcome,
            side: o.side,
            price: o.price,
            size: o.size,
            settled: true,
        })
        .collect()
}

fn open_order(order: &Working) -> OpenOrder {
    OpenOrder { outcome: order.outcome, side: order.side, price: order.price, size: order.size }
}

fn everybodys(working: &[Working]) -> Vec<OwnOrder> {
    working
        .iter()
        .map(|order| {
            let (side, price) = open_order(order).in_yes_terms();
            OwnOrder { side, price, size: order.size }
        })
        .collect()
}

fn result(market: &MarketState, orders: &[Working], rest: &Rest, policy: PlanPolicy) -> MarketEvaluation {
    let name = |id: &OrderId| {
        let at = orders.iter().position(|order| order.id == *id);
        at.and_then(|at| market.open_orders.get(at)).map_or_else(|| id.to_string(), |order| order.id.clone())
    };
    let mut working: Vec<_> = orders
        .iter()
        .map(|order| WorkingOrder {
            id: order.id,
            open: open_order(order),
            settled: true,
            keep: rest.keep.iter().any(|kept| kept.id == order.id),
        })
        .collect();
    let made = |working: &[WorkingOrder]| {
        let mut out = Plan::default();
        let (min_size, tick) = (market.min_size, market.tick);
        plan(&PlanInput { quotes: &rest.quotes, working, available: market.held(), min_size, tick, policy }, &mut out);
        out
    };
    let placed = |plan: &Plan| -> Vec<Placed> {
        let order = |o: OpenOrder| Placed { outcome: o.outcome, side: o.side, price: o.price, size: o.size };
        plan.places.iter().map(|leg| order(leg.order)).collect()
    };
    let first = made(&working);
    let place = placed(&first);
    // The cancels are confirmed, and what could be placed at once works.
    working.retain(|order| !first.cancels.contains(&order.id));
    working.extend(first.places.iter().enumerate().map(|(number, leg)| WorkingOrder {
        id: OrderId([0xff - u8::try_from(number).unwrap_or(0xff); 32]),
        open: leg.order,
        settled: true,
        keep: false,
    }));
    let place_after_cancels = if first.waits { placed(&made(&working)) } else { Vec::new() };
    MarketEvaluation {
        slug: market.slug.clone(),
        mode: rest.mode,
        reasons: rest.reasons.clone(),
        figures: rest.figures.iter().map(|(name, value)| (*name, format!("{value:.6}"))).collect(),
        keep: rest.keep.iter().map(|kept| name(&kept.id)).collect(),
        quotes: rest.quotes.clone(),
        plan: Planned {
            cancel: first.cancels.iter().map(name).collect(),
            place,
            place_after_cancels,
            residual: first.residuals,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATE: &str = r#"{
        "time_ms": 1800000000000, "collateral": "1000",
        "markets": [{
            "slug": "m", "tick": "0.01", "min_size": "5",
            "book": { "bids": [["0.49", "100"], ["0.48", "50"]], "asks": [["0.51", "80"]] },
            "open_orders": [
                { "id": "a", "outcome": "YES", "side": "BUY", "price": "0.48", "size": "30" },
                { "id": "b", "outcome": "YES", "side": "BUY", "price": "0.48", "size": "30" },
                { "id": "c", "outcome": "YES", "side": "BUY", "price": "0.4", "size": "30" },
                { "id": "d", "outcome": "YES", "side": "BUY", "price": "0.46", "size": "15" }
            ]
        }]
    }"#;

    const BANDS: &str = r#"{"bands": [
        {"minMargin": 0.01, "avgMargin": 0.02, "maxMargin": 0.03, "minAmount": 20, "avgAmount": 30, "maxAmount": 40},
        {"minMargin": 0.03, "avgMargin": 0.04, "maxMargin": 0.05, "minAmount": 20, "avgAmount": 30, "maxAmount": 40}]}"#;

    fn shown(placed: &[Placed]) -> Vec<String> {
        placed.iter().map(|p| format!("{} {:?} {} @{}", p.side.as_str(), p.outcome, p.size, p.price)).collect()
    }

    #[test]
    fn the_golden_vector_of_bands_comes_out_as_orders() {
        let config = StrategyConfig::Bands(serde_json::from_str(BANDS).expect("parameters"));
        let state = State::from_json(STATE).expect("state");
        let result = evaluate(&config, &state).expect("an evaluation");
        let plan = &result.markets[0].plan;
        assert_eq!(result.markets[0].keep, ["a", "d"]);
        assert_eq!(plan.cancel, ["b", "c"]);
        assert_eq!(shown(&plan.place), ["BUY Yes 15 @0.46", "BUY No 30 @0.48", "BUY No 30 @0.46"]);
        assert!(plan.place_after_cancels.is_empty() && plan.residual.is_empty());
    }

    #[test]
    fn what_waits_for_a_cancel_is_shown_apart() {
        // The price fell: the old bid at 0.50 meets every new ask of YES at 0.50 or below, which here is a bid for NO.
        let config = StrategyConfig::Amm(oddsmith_strategy::amm::Parameters { min_size: 5.0, ..Default::default() });
        let mut state = State::from_json(STATE).expect("state");
        let market = &mut state.markets[0];
        market.book = serde_json::from_str(r#"{"bids": [["0.39", "100"]], "asks": [["0.41", "80"]]}"#).expect("book");
        market.open_orders.truncate(1);
        let result = evaluate(&config, &state).expect("an evaluation");
        let plan = &result.markets[0].plan;
        assert_eq!(plan.cancel, ["a"]);
        assert!(shown(&plan.place_after_cancels).iter().all(|o| o.starts_with("BUY No")), "{plan:?}");
        assert!(!plan.place_after_cancels.is_empty() && !plan.place.is_empty());
    }

    #[test]
    fn without_a_book_the_reason_is_told() {
        let config = StrategyConfig::Amm(Default::default());
        let mut state = State::from_json(STATE).expect("state");
        state.markets[0].book = None;
        let result = evaluate(&config, &state).expect("an evaluation");
        assert_eq!(result.markets[0].mode, Mode::Stop);
        assert_eq!(result.markets[0].reasons[..], [oddsmith_domain::Reason::StaleBook]);
        assert_eq!(result.markets[0].plan.cancel.len(), 4);
    }

    #[test]
    fn a_reference_and_a_taking_come_out() {
        let mut state = State::from_json(STATE).expect("state");
        state.markets[0].open_orders.clear();
        state.markets[0].reference = Some(
            serde_json::from_str(
                r#"{"price": "84600", "sigma": 8e-5, "start_s": 1799999400, "end_s": 1800000300, "average_s": 60,
                    "strike": "84550", "strike_mean": "84550"}"#,
            )
            .expect("a reference"),
        );
        let parameters = oddsmith_strategy::reference_maker::Parameters { model_weight: 1.0, ..Default::default() };
        let result = evaluate(&StrategyConfig::ReferenceMaker(parameters), &state).expect("an evaluation");
        let prices: Vec<_> = result.markets[0].quotes.iter().map(|q| q.price.to_string()).collect();
        // 0.6766 is far above the book's 0.51: the bid stays a tick below it.
        assert_eq!(prices, ["0.5", "0.7"], "{result:?}");

        state.markets[0].fee = Some(FeeState { rate: Usdc::ZERO, exponent: 1 });
        state.markets[0].book =
            serde_json::from_str(r#"{"bids": [["0.49", "900"]], "asks": [["0.51", "100"]]}"#).expect("book");
        let parameters = oddsmith_strategy::imbalance::Parameters {
            size_usdc: Usdc::from_whole(5),
            max_seconds_left: 31_536_000,
            ..Default::default()
        };
        state.markets[0].end_s = Some(1_800_003_600);
        let result = evaluate(&StrategyConfig::Imbalance(parameters), &state).expect("an evaluation");
        let leg = result.basket.expect("a taking").legs[0];
        assert_eq!((leg.side, leg.limit.to_string()), (Side::Buy, "0.51".to_owned()));
    }

    #[test]
    fn a_bad_state_is_named_with_the_key_where_it_is() {
        let named = |change: fn(&mut serde_json::Value)| {
            let mut state: serde_json::Value = serde_json::from_str(STATE).expect("state");
            change(&mut state);
            State::from_value(state).expect_err("bad").to_string()
        };
        let error = named(|state| state["market"] = serde_json::json!([]));
        assert!(error.contains("market"), "{error}");
        let error = named(|state| state["markets"][0]["open_orders"][2]["price"] = "0,4".into());
        assert!(error.contains("markets[0].open_orders[2].price"), "{error}");
        let error = named(|state| state["markets"][0]["tick"] = serde_json::Value::Null);
        assert!(error.contains("markets[0].tick"), "{error}");
        let error = named(|state| state["markets"][0]["book"] = serde_json::json!({"bids": []}));
        assert!(error.contains("markets[0].book") && error.contains("an empty side is `[]`"), "{error}");
    }

    #[test]
    fn own_orders_are_taken_out_of_the_book_only_when_they_are_said_to_be_in_it() {
        let config = StrategyConfig::Amm(Default::default());
        let price = |includes_own: bool| {
            let mut state = State::from_json(STATE).expect("state");
            // All that is bid at 0.49 could be ours.
            state.markets[0].open_orders[0].price = "0.49".parse().expect("price");
            state.markets[0].open_orders[0].size = Shares::from_whole(100);
            state.markets[0].book.as_mut().expect("a book").includes_own = includes_own;
            evaluate(&config, &state).expect("an evaluation").markets[0].figures["price"].clone()
        };
        assert_eq!((price(false), price(true)), ("0.500000".to_owned(), "0.490000".to_owned()));
    }

    #[test]
    fn a_mid_alone_is_a_book_around_it() {
        let mut state = State::from_json(STATE).expect("state");
        for (mid, price) in [("0.5", "0.500000"), ("0.123", "0.120000"), ("0.9999", "1.000000")] {
            let book = serde_json::from_value(serde_json::json!({ "mid": mid })).expect("a book");
            state.markets[0].book = Some(book);
            let result = evaluate(&StrategyConfig::Bands(Default::default()), &state).expect("an evaluation");
            assert_eq!(result.markets[0].figures["price"], price);
        }
        let both = serde_json::json!({ "mid": "0.5", "bids": [], "asks": [] });
        assert!(serde_json::from_value::<BookState>(both).is_err());
    }

    #[test]
    fn both_tokens_books_are_one_book() {
        let stated = r#"{"yes": {"bids": [["0.48", "50"]], "asks": [["0.51", "80"]]},
                         "no": {"bids": [["0.49", "80"]], "asks": [["0.52", "50"], ["0.53", "7"]]}}"#;
        let book: BookState = serde_json::from_str(stated).expect("a book");
        let told = |levels: &[(Price, Shares)]| -> Vec<String> {
            levels.iter().map(|(price, size)| format!("{size} @{price}")).collect()
        };
        assert_eq!(
            (told(&book.bids), told(&book.asks)),
            (vec!["50 @0.48".to_owned(), "7 @0.47".to_owned()], vec!["80 @0.51".to_owned()])
        );
    }
}
