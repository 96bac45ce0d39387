//! Both sockets: snapshots, changes, trades, tops, ticks, listings and resolutions; a user's orders and trades.

use std::pin::pin;
use std::time::Duration;

use futures::{Stream, StreamExt as _};
use polymarket_client_sdk_v2::clob::types::Side;
use polymarket_client_sdk_v2::clob::ws::Client;
use polymarket_client_sdk_v2::clob::ws::types::response::{OrderMessageType, TradeMessageStatus, WsMessage};
use polymarket_client_sdk_v2::ws::config::Config;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::SOCKET;
use crate::report::{Report, same};
use crate::venue::{Market, Venue, decimal, market};

/// What a stream brings, read by a task of its own so that it never falls behind.
struct Heard<T>(mpsc::UnboundedReceiver<polymarket_client_sdk_v2::Result<T>>);

fn listen<T: Send + 'static>(
    stream: impl Stream<Item = polymarket_client_sdk_v2::Result<T>> + Send + 'static,
) -> Heard<T> {
    let (sender, receiver) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut stream = pin!(stream);
        while let Some(item) = stream.next().await {
            if sender.send(item).is_err() {
                return;
            }
        }
    });
    Heard(receiver)
}

impl<T> Heard<T> {
    /// The next element that is wanted.
    async fn first(&mut self, mut wanted: impl FnMut(&T) -> bool) -> anyhow::Result<T> {
        let search = async {
            loop {
                match self.0.recv().await {
                    Some(Ok(found)) if wanted(&found) => return Ok(found),
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return Err(error.into()),
                    None => anyhow::bail!("the stream ended"),
                }
            }
        };
        timeout(Duration::from_secs(20), search).await.map_err(|_| anyhow::anyhow!("nothing within twenty seconds"))?
    }
}

/// A quiet market of this check's own.
async fn fresh(venue: &Venue, slug: &str) -> anyhow::Result<Market> {
    market(&venue.control("markets", &json!({ "slug": slug })).await?)
}

fn socket(venue: &Venue) -> anyhow::Result<Client> {
    Ok(Client::new(&venue.ws, Config::default())?)
}

/// Subscribes on a new connection. The SDK asks for a subscription before it makes the stream's receiver, so that a snapshot
/// which comes within that moment is lost to it; the exchange therefore takes its time with this connection's handshake.
async fn opened<T: Send + 'static>(
    venue: &Venue,
    subscribe: impl FnOnce() -> polymarket_client_sdk_v2::Result<T>,
) -> anyhow::Result<T> {
    venue.control("faults", &json!({ "delay_requests": { "by_ms": 500 } })).await?;
    let stream = subscribe();
    venue.control("faults", &json!({ "delay_requests": { "by_ms": 0 } })).await?;
    Ok(stream?)
}

pub async fn run(venue: &Venue, report: &mut Report) {
    public(venue, report).await;
    special(venue, report).await;
    user(venue, report).await;
}

async fn public(venue: &Venue, report: &mut Report) {
    report
        .check("market socket: a snapshot for every asset", SOCKET, async {
            let (client, lively) = (socket(venue)?, venue.lively());
            let books = opened(venue, || client.subscribe_orderbook(vec![lively.yes, lively.no])).await?;
            let mut books = listen(books);
            for token in [lively.yes, lively.no] {
                let book = books.first(|book| book.asset_id == token).await?;
                same("the market", book.market, lively.condition)?;
                same("the hash's length", book.hash.map(|hash| hash.len()), Some(40))?;
            }
            Ok(())
        })
        .await;
    report
        .check("market socket: both tokens in a price change, and a removal", SOCKET, async {
            let (client, own) = (socket(venue)?, fresh(venue, "quiet-changes").await?);
            let trader = venue.trader(2).await?;
            let mut books = listen(opened(venue, || client.subscribe_orderbook(vec![own.yes])).await?);
            books.first(|_| true).await?;
            let mut changes = listen(client.subscribe_prices(vec![own.yes])?);
            trader.rest(own.yes, Side::Buy, "0.37", "10").await?;
            let change = changes.first(|change| change.price_changes.len() == 2).await?;
            let at = |token| change.price_changes.iter().find(|entry| entry.asset_id == token);
            let (yes, no) = (at(own.yes).expect("two"), at(own.no).expect("two"));
            same("YES", (yes.price, yes.side, yes.size), (decimal("0.37"), Side::Buy, Some(decimal("10"))))?;
            same("NO", (no.price, no.side, no.size), (decimal("0.63"), Side::Sell, Some(decimal("10"))))?;
            same("the top", (yes.best_bid, yes.best_ask), (Some(decimal("0.37")), Some(decimal("1"))))?;
            trader.client.cancel_all_orders().await?;
            let gone = changes.first(|_| true).await?;
            same("the new size", gone.price_changes[0].size, Some(decimal("0")))
        })
        .await;
    report
        .check("market socket: the last trade, and the book again after it", SOCKET, async {
            let (client, own) = (socket(venue)?, fresh(venue, "quiet-trades").await?);
            let (maker, taker) = (venue.trader(2).await?, venue.trader(3).await?);
            let mut books = listen(opened(venue, || client.subscribe_orderbook(vec![own.yes])).await?);
            let mut trades = listen(client.subscribe_last_trade_price(vec![own.yes])?);
            books.first(|_| true).await?;
            maker.rest(own.no, Side::Buy, "0.4", "10").await?;
            taker.rest(own.yes, Side::Buy, "0.6", "6").await?;
            let trade = trades.first(|_| true).await?;
            same("the trade", (trade.price, trade.size), (decimal("0.6"), Some(decimal("6"))))?;
            let book = books.first(|book| book.asks.len() == 1 && book.asks[0].size == decimal("4")).await?;
            same("what is left", book.asks[0].price, decimal("0.6"))?;
            maker.client.cancel_all_orders().await?;
            Ok(())
        })
        .await;
}

async fn special(venue: &Venue, report: &mut Report) {
    report
        .check("market socket: best bid and ask (custom feature)", SOCKET, async {
            let (client, own) = (socket(venue)?, fresh(venue, "quiet-tops").await?);
            let trader = venue.trader(2).await?;
            let mut tops = listen(opened(venue, || client.subscribe_best_bid_ask(vec![own.yes])).await?);
            let mut books = listen(client.subscribe_orderbook(vec![own.yes])?);
            books.first(|_| true).await?;
            trader.rest(own.yes, Side::Buy, "0.2", "10").await?;
            let top = tops.first(|top| top.asset_id == own.yes).await?;
            same("the top", (top.best_bid, top.best_ask, top.spread), (decimal("0.2"), decimal("1"), decimal("0.8")))?;
            trader.client.cancel_all_orders().await?;
            Ok(())
        })
        .await;
    report
        .check("market socket: a finer tick for both tokens", SOCKET, async {
            let (client, own) = (socket(venue)?, fresh(venue, "quiet-ticks").await?);
            let books = opened(venue, || client.subscribe_orderbook(vec![own.yes, own.no])).await?;
            let mut books = listen(books);
            let mut ticks = listen(client.subscribe_tick_size_change(vec![own.yes, own.no])?);
            books.first(|_| true).await?;
            venue.control("faults", &json!({ "tick": { "market": own.slug, "tick": "0.001" } })).await?;
            for token in [own.yes, own.no] {
                let change = ticks.first(|change| change.asset_id == token).await?;
                same("the grid", (change.old_tick_size, change.new_tick_size), (decimal("0.01"), decimal("0.001")))?;
            }
            Ok(())
        })
        .await;
    report
        .check("market socket: a resolution (custom feature)", SOCKET, async {
            // The SDK passes on a listing only to who asked for its tokens before they existed: it cannot be checked here.
            let (client, own) = (socket(venue)?, fresh(venue, "quiet-decided").await?);
            let mut decisions = listen(opened(venue, || client.subscribe_market_resolutions(vec![own.yes])).await?);
            let mut books = listen(client.subscribe_orderbook(vec![own.yes])?);
            books.first(|_| true).await?;
            venue.control("faults", &json!({ "resolve": { "market": own.slug, "yes": "1" } })).await?;
            let decision = decisions.first(|decision| decision.market == own.condition).await?;
            same("the winner", (decision.winning_asset_id, decision.winning_outcome.as_str()), (own.yes, "Yes"))
        })
        .await;
    report
        .check("market socket: midpoints of the SDK follow the book", SOCKET, async {
            let (client, lively) = (socket(venue)?, venue.lively());
            let mut mids = listen(client.subscribe_midpoints(vec![lively.yes])?);
            mids.first(|mid| mid.asset_id == lively.yes).await?;
            Ok(())
        })
        .await;
}

async fn user(venue: &Venue, report: &mut Report) {
    life(venue, report).await;
    report
        .check("user socket: a settlement that is retried, and one that fails and moves nothing", SOCKET, async {
            let own = fresh(venue, "quiet-failing").await?;
            let (maker, taker) = (venue.trader(2).await?, venue.trader(3).await?);
            let client = socket(venue)?.authenticate(taker.client.credentials().clone(), taker.client.address())?;
            let mut events = listen(client.subscribe_user_events(vec![own.condition])?);
            // There is no acknowledgement: beat until the first event is seen.
            loop {
                taker.rest(own.yes, Side::Buy, "0.1", "10").await?;
                if timeout(Duration::from_millis(500), events.first(|_| true)).await.is_ok() {
                    break;
                }
            }
            let before = taker.cash().await?;
            let ways = ["retry_then_mine", "retry_then_fail"];
            venue.control("faults", &json!({ "settlements": ways })).await?;
            use TradeMessageStatus::{Confirmed, Failed, Matched, Mined, Retrying};
            for steps in [vec![Matched, Retrying, Mined, Confirmed], vec![Matched, Retrying, Failed]] {
                maker.rest(own.no, Side::Buy, "0.4", "10").await?;
                let trade = taker.rest(own.yes, Side::Buy, "0.6", "10").await?.trade_ids[0].clone();
                let mut seen = Vec::new();
                while seen.last() != steps.last() {
                    match events.first(|_| true).await? {
                        WsMessage::Trade(event) if event.id == trade => seen.push(event.status),
                        _ => {}
                    }
                }
                same("the steps", seen, steps)?;
                same("the shares", taker.shares(own.yes).await?, decimal("10000000"))?;
                same("the collateral", before - taker.cash().await?, decimal("6000000"))?;
            }
            taker.client.cancel_all_orders().await?;
            Ok(())
        })
        .await;
}

async fn life(venue: &Venue, report: &mut Report) {
    report
        .check("user socket: an order's life and a trade's settlement", SOCKET, async {
            let own = fresh(venue, "quiet-user").await?;
            let (maker, taker) = (venue.trader(2).await?, venue.trader(3).await?);
            let client = socket(venue)?.authenticate(maker.client.credentials().clone(), maker.client.address())?;
            let mut events = listen(client.subscribe_user_events(vec![own.condition])?);
            // There is no acknowledgement: beat until the first event is seen.
            let resting = async {
                loop {
                    let placed = maker.rest(own.no, Side::Buy, "0.4", "10").await?;
                    let seen = timeout(Duration::from_millis(500), events.first(|_| true)).await;
                    if let Ok(event) = seen {
                        return anyhow::Ok((placed.order_id, event?));
                    }
                }
            };
            let (id, event) = resting.await?;
            let WsMessage::Order(order) = event else { anyhow::bail!("{event:?}") };
            same("the placement", (order.id.clone(), order.msg_type), (id.clone(), Some(OrderMessageType::Placement)))?;
            let placed = taker.rest(own.yes, Side::Buy, "0.6", "6").await?;
            let trade = placed.trade_ids[0].clone();
            let mut updated = false;
            let mut steps = Vec::new();
            while steps.last() != Some(&TradeMessageStatus::Confirmed) {
                match events.first(|_| true).await? {
                    WsMessage::Order(order) if order.msg_type == Some(OrderMessageType::Update) => {
                        updated |= order.size_matched == Some(decimal("6"));
                    }
                    WsMessage::Trade(event) if event.id == trade => steps.push(event.status),
                    _ => {}
                }
            }
            anyhow::ensure!(updated, "the maker's order had no update");
            same(
                "the steps",
                steps,
                vec![TradeMessageStatus::Matched, TradeMessageStatus::Mined, TradeMessageStatus::Confirmed],
            )?;
            maker.client.cancel_all_orders().await?;
            let gone = |event: &WsMessage| {
                matches!(event, WsMessage::Order(order) if order.msg_type == Some(OrderMessageType::Cancellation))
            };
            events.first(gone).await?;
            Ok(())
        })
        .await;
}
