//! The other signature types, neg-risk markets and position markets.

use polymarket_client_sdk_v2::clob::types::{OrderStatusType, Side, SignatureType};
use polymarket_client_sdk_v2::types::address;

use super::CLOB;
use crate::report::{Report, same};
use crate::venue::{Trader, Venue, decimal, market};

async fn rests(trader: &Trader, venue: &Venue) -> anyhow::Result<()> {
    let placed = trader.rest(venue.quiet().yes, Side::Buy, "0.1", "10").await?;
    same("the status", placed.status, OrderStatusType::Live)?;
    same("the account", trader.order(&placed.order_id).await?.price, decimal("0.1"))?;
    trader.client.cancel_all_orders().await?;
    Ok(())
}

pub async fn run(venue: &Venue, report: &mut Report) {
    report
        .check("wallets: proxy (type 1)", CLOB, async {
            rests(&venue.wallet(6, SignatureType::Proxy, None).await?, venue).await
        })
        .await;
    report
        .check("wallets: Safe (type 2)", CLOB, async {
            rests(&venue.wallet(6, SignatureType::GnosisSafe, None).await?, venue).await
        })
        .await;
    report
        .check("wallets: deposit wallet (type 3, ERC-7739)", CLOB, async {
            let funder = address!("0x00000000000000000000000000000000d3905170");
            rests(&venue.wallet(6, SignatureType::Poly1271, Some(funder)).await?, venue).await
        })
        .await;
    report
        .check("markets: an order in a neg-risk market", CLOB, async {
            let trader = venue.trader(7).await?;
            for market in &venue.markets {
                if trader.client.neg_risk(market.yes).await?.neg_risk {
                    let placed = trader.rest(market.yes, Side::Buy, "0.01", "10").await?;
                    same("the status", placed.status, OrderStatusType::Live)?;
                    trader.client.cancel_all_orders().await?;
                    return Ok(());
                }
            }
            anyhow::bail!("no neg-risk market is listed")
        })
        .await;
    report
        .check("markets: an order in a position market (domain version 3)", CLOB, async {
            let body = serde_json::json!({ "slug": "quiet-position", "kind": "position" });
            let listed = market(&venue.control("markets", &body).await?)?;
            let trader = venue.trader(7).await?;
            let order = trader.client.limit_order().position_id(listed.yes).side(Side::Buy).price(decimal("0.3"));
            let placed = order.size(decimal("10")).build_sign_and_post(&trader.signer).await?;
            same("the status", placed.status, OrderStatusType::Live)?;
            same("the token", trader.order(&placed.order_id).await?.asset_id, listed.yes)?;
            trader.client.cancel_all_orders().await?;
            Ok(())
        })
        .await;
}
