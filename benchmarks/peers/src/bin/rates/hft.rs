//! hftbacktest: exchange and local processor, a queue model, and a strategy that follows the script.

use anyhow::{Result, anyhow};
use hftbacktest::backtest::assettype::LinearAsset;
use hftbacktest::backtest::data::{Data, DataSource};
use hftbacktest::backtest::models::{CommonFees, ConstantLatency, RiskAdverseQueueModel, TradingValueFeeModel};
use hftbacktest::backtest::{Backtest, ExchangeKind, L2AssetBuilder};
use hftbacktest::depth::{HashMapMarketDepth, L2MarketDepth, MarketDepth, ROIVectorMarketDepth};
use hftbacktest::prelude::{Bot, ElapseResult, OrdType, TimeInForce};
use hftbacktest::types::{
    BUY_EVENT, DEPTH_EVENT, EXCH_EVENT, Event as PeerEvent, LOCAL_EVENT, SELL_EVENT, Status, TRADE_EVENT,
};

use crate::ours::{ENTRY_MS, RESPONSE_MS};
use crate::script::{Deed, Outcome, Script};
use crate::stream::{BEGIN_MS, Event, FEED_MS, Kind, Stream};

const MS: i64 = 1_000_000;
/// How often its strategy looks at the book, as in its own examples and as our debounce.
const LOOK_NS: i64 = 100 * MS;

/// The stream in its own form, in memory.
pub struct Peer {
    data: Data<PeerEvent>,
}

fn event(at_ms: u64, kind: Kind, cents: u64, lots: u64) -> PeerEvent {
    let (what, buy) = match kind {
        Kind::Level { bid } => (DEPTH_EVENT, bid),
        Kind::Trade { buyer } => (TRADE_EVENT, buyer),
    };
    let side = if buy { BUY_EVENT } else { SELL_EVENT };
    PeerEvent {
        ev: what | side | EXCH_EVENT | LOCAL_EVENT,
        exch_ts: at_ms as i64 * MS,
        local_ts: (at_ms + FEED_MS) as i64 * MS,
        px: cents as f64 / 100.0,
        qty: lots as f64 / 100.0,
        order_id: 0,
        ival: 0,
        fval: 0.0,
    }
}

/// Which book it keeps.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    HashMap,
    RoiVector,
}

impl Peer {
    pub fn new(stream: &Stream) -> Peer {
        let opening =
            stream.opening.iter().map(|&(bid, cents, lots)| event(BEGIN_MS, Kind::Level { bid }, cents, lots));
        let rest = stream.events.iter().map(|&Event { at_ms, kind, cents, lots, .. }| event(at_ms, kind, cents, lots));
        let events: Vec<PeerEvent> = opening.chain(rest).collect();
        Peer { data: Data::from_data(&events) }
    }

    pub fn run(&self, script: &Script, depth: Depth) -> Result<Outcome> {
        match depth {
            Depth::HashMap => self.go(script, || HashMapMarketDepth::new(0.01, 0.01)),
            Depth::RoiVector => self.go(script, || ROIVectorMarketDepth::new(0.01, 0.01, 0.0, 1.0)),
        }
    }

    fn go<D>(&self, script: &Script, depth: fn() -> D) -> Result<Outcome>
    where
        D: MarketDepth + L2MarketDepth + 'static,
        RiskAdverseQueueModel<D>: hftbacktest::backtest::models::QueueModel<D>,
    {
        let asset = L2AssetBuilder::new()
            .data(vec![DataSource::Data(self.data.clone())])
            .parallel_load(false)
            .latency_model(ConstantLatency::new(ENTRY_MS as i64 * MS, RESPONSE_MS as i64 * MS))
            .asset_type(LinearAsset::new(1.0))
            .fee_model(TradingValueFeeModel::new(CommonFees::new(0.0, 0.0)))
            .exchange(ExchangeKind::PartialFillExchange)
            .queue_model(RiskAdverseQueueModel::new())
            .depth(depth)
            .build()
            .map_err(|error| anyhow!("{error:?}"))?;
        let mut bot = Backtest::builder().add_asset(asset).build().map_err(|error| anyhow!("{error:?}"))?;
        let mut deeds = script.deeds.iter().peekable();
        let mut outcome = Outcome::default();
        let mut filled = vec![false; script.orders.len()];
        // The first step only finds the beginning of the data.
        let mut wait = 1;
        while bot.elapse(wait).map_err(|error| anyhow!("{error:?}"))? == ElapseResult::Ok {
            let now = bot.current_timestamp();
            std::hint::black_box((bot.depth(0).best_bid(), bot.depth(0).best_ask()));
            note(&bot, &mut filled);
            bot.clear_inactive_orders(Some(0));
            while let Some((_, deed)) = deeds.next_if(|(at, _)| *at as i64 <= now) {
                do_it(&mut bot, script, *deed, &mut outcome)?;
            }
            let next = deeds.peek().map_or(i64::MAX, |(at, _)| *at as i64);
            wait = LOOK_NS.min(next - now);
        }
        note(&bot, &mut filled);
        outcome.filled = filled.iter().filter(|filled| **filled).count();
        outcome.shares = bot.state_values(0).trading_volume;
        Ok(outcome)
    }
}

/// Which orders were filled, whole or in part.
fn note<D: MarketDepth>(bot: &Backtest<D>, filled: &mut [bool]) {
    for order in bot.orders(0).values() {
        if matches!(order.status, Status::Filled | Status::PartiallyFilled) || order.leaves_qty < order.qty {
            filled[order.order_id as usize] = true;
        }
    }
}

fn do_it<D>(bot: &mut Backtest<D>, script: &Script, deed: Deed, outcome: &mut Outcome) -> Result<()>
where
    D: MarketDepth + L2MarketDepth + 'static,
{
    match deed {
        Deed::Place(number) => {
            let order = script.orders[number];
            let (id, price, size) = (number as u64, order.cents as f64 / 100.0, order.lots as f64 / 100.0);
            let life = if order.post_only { TimeInForce::GTX } else { TimeInForce::GTC };
            let kind = OrdType::Limit;
            let sent = match order.buys {
                true => bot.submit_buy_order(0, id, price, size, life, kind, false),
                false => bot.submit_sell_order(0, id, price, size, life, kind, false),
            };
            sent.map_err(|error| anyhow!("{error:?}"))?;
            outcome.placed += 1;
        }
        // One that has gone, or whose answer is still under way, cannot be cancelled.
        Deed::Cancel(number) => {
            let id = number as u64;
            if bot.orders(0).get(&id).is_some_and(|order| order.cancellable()) {
                bot.cancel(0, id, false).map_err(|error| anyhow!("{error:?}"))?;
            }
        }
    }
    Ok(())
}
