//! Every order type, batches and cancels, in the quiet market.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use polymarket_client_sdk_v2::clob::types::request::{
    CancelMarketOrderRequest, OrderBookSummaryRequest, OrdersRequest,
};
use polymarket_client_sdk_v2::clob::types::{OrderStatusType, OrderType, Side};
use polymarket_client_sdk_v2::types::{DateTime, Decimal, Utc};

use super::CLOB;
use crate::report::{Report, same};
use crate::venue::{Trader, Venue, decimal, refusal};

pub async fn run(venue: &Venue, report: &mut Report) {
    let quiet = venue.quiet();
    report
        .check("orders: a limit order rests, is listed and mirrored, and is cancelled", CLOB, async {
            let trader = venue.trader(1).await?;
            let placed = trader.rest(quiet.yes, Side::Buy, "0.31", "12.5").await?;
            same("the status", placed.status, OrderStatusType::Live)?;
            anyhow::ensure!(placed.success && placed.making_amount.is_zero() && placed.trade_ids.is_empty(), "amounts");
            let order = trader.order(&placed.order_id).await?;
            same("the size", order.original_size, decimal("12.5"))?;
            same("the price", order.price, decimal("0.31"))?;
            same("the owner", order.owner, trader.client.credentials().key())?;
            let open = trader.client.orders(&OrdersRequest::builder().market(quiet.condition).build(), None).await?;
            anyhow::ensure!(open.data.iter().any(|order| order.id == placed.order_id), "not listed");
            let mirror = OrderBookSummaryRequest::builder().token_id(quiet.no).build();
            let asks = trader.client.order_book(&mirror).await?.asks;
            same("the mirrored price", asks.last().map(|level| level.price), Some(decimal("0.69")))?;
            let reply = trader.client.cancel_order(&placed.order_id).await?;
            same("the cancelled", reply.canceled, vec![placed.order_id.clone()])?;
            let again = trader.client.cancel_order(&placed.order_id).await?;
            same(
                "why not",
                again.not_canceled.get(&placed.order_id).map(String::as_str),
                Some("already canceled or matched"),
            )
        })
        .await;
    report
        .check("orders: GTD lives, and is refused when it ends too soon", CLOB, async {
            let trader = venue.trader(1).await?;
            let until = |seconds| {
                let at =
                    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + Duration::from_secs(seconds);
                DateTime::<Utc>::from_timestamp(at.as_secs() as i64, 0).expect("a date")
            };
            let order = |seconds| {
                let order = trader.client.limit_order().token_id(quiet.yes).side(Side::Buy).price(decimal("0.3"));
                order.size(decimal("10")).order_type(OrderType::GTD).expiration(until(seconds))
            };
            let placed = order(600).build_sign_and_post(&trader.signer).await?;
            same("the status", placed.status, OrderStatusType::Live)?;
            same("the type", trader.order(&placed.order_id).await?.order_type, OrderType::GTD)?;
            let soon = refusal(order(90).build_sign_and_post(&trader.signer).await.map_err(Into::into))?;
            anyhow::ensure!(soon.contains("invalid expiration"), "{soon}");
            trader.client.cancel_all_orders().await?;
            Ok(())
        })
        .await;
    report
        .check("orders: post-only rests, and is refused when it crosses", CLOB, async {
            let (maker, taker) = (venue.trader(1).await?, venue.trader(2).await?);
            let placed = maker.limit(quiet.yes, Side::Buy, "0.4", "10", OrderType::GTC, true).await?;
            same("the status", placed.status, OrderStatusType::Live)?;
            // BUY NO at 0.60 or better meets BUY YES at 0.40.
            let crossing = taker.limit(quiet.no, Side::Buy, "0.6", "10", OrderType::GTC, true).await;
            let text = refusal(crossing)?;
            anyhow::ensure!(text.contains("invalid post-only order: order crosses book"), "{text}");
            maker.client.cancel_all_orders().await?;
            Ok(())
        })
        .await;
    report
        .check("orders: FOK and FAK that find nothing are refused with the venue's words", CLOB, async {
            let trader = venue.trader(1).await?;
            let fok = refusal(trader.limit(quiet.yes, Side::Buy, "0.5", "10", OrderType::FOK, false).await)?;
            anyhow::ensure!(
                fok.contains("order couldn't be fully filled. FOK orders are fully filled or killed."),
                "{fok}"
            );
            let fak = refusal(trader.limit(quiet.yes, Side::Buy, "0.5", "10", OrderType::FAK, false).await)?;
            anyhow::ensure!(fak.contains("no orders found to match with FAK order."), "{fak}");
            Ok(())
        })
        .await;
    report
        .check("orders: too small, too expensive", CLOB, async {
            let trader = venue.trader(1).await?;
            let small = refusal(trader.rest(quiet.yes, Side::Buy, "0.5", "4").await)?;
            anyhow::ensure!(small.contains("lower than the minimum: 5"), "{small}");
            let dear = refusal(trader.rest(quiet.yes, Side::Buy, "0.5", "1000000").await)?;
            anyhow::ensure!(dear.contains("not enough balance / allowance"), "{dear}");
            Ok(())
        })
        .await;
    batches(venue, report).await;
}

/// Signed limit orders that can be sent together.
async fn batch(
    venue: &Venue,
    trader: &Trader,
    prices: &[&str],
    size: &str,
) -> anyhow::Result<Vec<polymarket_client_sdk_v2::clob::types::SignedOrder>> {
    let quiet = venue.quiet();
    let mut signed = Vec::new();
    for price in prices {
        let order = trader.client.limit_order().token_id(quiet.yes).side(Side::Buy).price(decimal(price));
        let order = order.size(decimal(size)).build().await?;
        signed.push(trader.client.sign(&trader.signer, order).await?);
    }
    Ok(signed)
}

async fn batches(venue: &Venue, report: &mut Report) {
    let quiet = venue.quiet();
    report
        .check("batches: every entry is answered in order", CLOB, async {
            let trader = venue.trader(3).await?;
            let mut orders = batch(venue, &trader, &["0.10", "0.11"], "10").await?;
            orders.insert(1, batch(venue, &trader, &["0.12"], "1").await?.remove(0));
            let replies = trader.client.post_orders(orders).await?;
            let live: Vec<bool> = replies.iter().map(|reply| reply.status == OrderStatusType::Live).collect();
            same("who lives", live, vec![true, false, true])?;
            let refused = replies[1].error_msg.clone().unwrap_or_default();
            anyhow::ensure!(refused.contains("lower than the minimum: 5"), "{refused}");
            let open = trader.client.orders(&OrdersRequest::default(), None).await?;
            same("the open prices", open.data.iter().map(|o| o.price).collect(), vec![decimal("0.1"), decimal("0.11")])
        })
        .await;
    report
        .check("batches: sixteen are too many", CLOB, async {
            let trader = venue.trader(3).await?;
            let orders = batch(venue, &trader, &["0.10"; 16], "10").await?;
            let refused = refusal(trader.client.post_orders(orders).await.map_err(Into::into))?;
            anyhow::ensure!(refused.contains("Too many orders in payload: 16, max allowed: 15"), "{refused}");
            Ok(())
        })
        .await;
    report
        .check("cancels: many, by market, by token, all", CLOB, async {
            let trader = venue.trader(3).await?;
            trader.client.cancel_all_orders().await?;
            let replies =
                trader.client.post_orders(batch(venue, &trader, &["0.1", "0.11", "0.12"], "10").await?).await?;
            let ids: Vec<&str> = replies.iter().map(|reply| reply.order_id.as_str()).collect();
            let unknown = format!("0x{}", "ab".repeat(32));
            let reply = trader.client.cancel_orders(&[ids[0], ids[1], &unknown]).await?;
            same("the cancelled", reply.canceled.len(), 2)?;
            anyhow::ensure!(reply.not_canceled.contains_key(&unknown), "the unknown id is not named");
            let other = CancelMarketOrderRequest::builder().asset_id(quiet.no).build();
            same("of the other token", trader.client.cancel_market_orders(&other).await?.canceled.len(), 0)?;
            let market = CancelMarketOrderRequest::builder().market(quiet.condition).build();
            same(
                "of the market",
                trader.client.cancel_market_orders(&market).await?.canceled,
                vec![ids[2].to_owned()],
            )?;
            trader.rest(quiet.yes, Side::Buy, "0.2", "10").await?;
            same("of all", trader.client.cancel_all_orders().await?.canceled.len(), 1)?;
            same("collateral", trader.cash().await?, Decimal::from(10_000_000_000_u64))
        })
        .await;
}
