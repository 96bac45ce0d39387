//! Metadata, books and prices.

use polymarket_client_sdk_v2::clob::types::request::{
    LastTradePriceRequest, MidpointRequest, OrderBookSummaryRequest, PriceHistoryRequest, PriceRequest, SpreadRequest,
};
use polymarket_client_sdk_v2::clob::types::{Interval, Side, TickSize, TimeRange};
use polymarket_client_sdk_v2::types::Decimal;

use super::CLOB;
use crate::report::{Report, same};
use crate::venue::{Venue, decimal, refusal};

pub async fn run(venue: &Venue, report: &mut Report) {
    metadata(venue, report).await;
    prices(venue, report).await;
}

async fn metadata(venue: &Venue, report: &mut Report) {
    let quiet = venue.quiet();
    report
        .check("markets: pages, full and simplified, sampling", CLOB, async {
            let client = venue.reader()?;
            let page = client.markets(None).await?;
            let found = page.data.iter().find(|market| market.condition_id == Some(quiet.condition));
            let found = found.ok_or_else(|| anyhow::anyhow!("the quiet market is not listed"))?;
            same("its tick", found.minimum_tick_size, decimal("0.01"))?;
            same("its minimum", found.minimum_order_size, decimal("5"))?;
            same("its tokens", found.tokens.iter().map(|token| token.token_id).collect(), vec![quiet.yes, quiet.no])?;
            same("the cursor", page.next_cursor.as_str(), "LTE=")?;
            same("the simplified count", client.simplified_markets(None).await?.count, page.count)?;
            client.sampling_markets(None).await?;
            client.sampling_simplified_markets(None).await?;
            Ok(())
        })
        .await;
    report
        .check("markets: by condition, by token, compact, unknown", CLOB, async {
            let client = venue.reader()?;
            same("the slug", client.market(&quiet.condition_text).await?.market_slug, quiet.slug.clone())?;
            let by_token = client.market_by_token(quiet.no).await?;
            same("the condition", by_token.condition_id, quiet.condition)?;
            same("the first token", by_token.primary_token_id, quiet.yes)?;
            let compact = client.clob_market_info(&quiet.condition_text).await?;
            same("the tick", compact.min_tick_size, TickSize::Hundredth)?;
            same("the minimum", compact.min_order_size, decimal("5"))?;
            client.market_trades_events(&quiet.condition_text).await?;
            let unknown = refusal(client.market(&format!("0x{}", "1".repeat(64))).await.map_err(Into::into))?;
            anyhow::ensure!(unknown.contains("market not found"), "{unknown}");
            Ok(())
        })
        .await;
    report
        .check("markets: tick size, neg-risk flag, fees", CLOB, async {
            let client = venue.reader()?;
            same("the tick", client.tick_size(quiet.yes).await?.minimum_tick_size, TickSize::Hundredth)?;
            same("neg-risk", client.neg_risk(quiet.yes).await?.neg_risk, false)?;
            same("the legacy fee", client.fee_rate_bps(quiet.yes).await?.base_fee, 0)?;
            client.fee_exponent(venue.lively().yes).await?;
            Ok(())
        })
        .await;
}

async fn prices(venue: &Venue, report: &mut Report) {
    let lively = venue.lively();
    report
        .check("books: one and many, worst level first", CLOB, async {
            let client = venue.reader()?;
            let request = || OrderBookSummaryRequest::builder().token_id(lively.yes).build();
            let book = client.order_book(&request()).await?;
            anyhow::ensure!(book.bids.is_sorted_by(|a, b| a.price < b.price), "bids {:?}", book.bids);
            anyhow::ensure!(book.asks.is_sorted_by(|a, b| a.price > b.price), "asks {:?}", book.asks);
            same("the hash's length", book.hash.map(|hash| hash.len()), Some(40))?;
            same("the books", client.order_books(&[request()]).await?.len(), 1)?;
            Ok(())
        })
        .await;
    report
        .check("prices: price, midpoint, spread, alone and in batches", CLOB, async {
            let client = venue.reader()?;
            let quote = |side| PriceRequest::builder().token_id(lively.yes).side(side).build();
            let bid = client.price(&quote(Side::Buy)).await?.price;
            let ask = client.price(&quote(Side::Sell)).await?.price;
            anyhow::ensure!(bid < ask && ask <= Decimal::ONE, "{bid} and {ask}");
            client.prices(&[quote(Side::Buy), quote(Side::Sell)]).await?;
            let mid = MidpointRequest::builder().token_id(lively.yes).build();
            client.midpoint(&mid).await?;
            anyhow::ensure!(client.midpoints(&[mid]).await?.midpoints.contains_key(&lively.yes), "no midpoint");
            let spread = || SpreadRequest::builder().token_id(lively.yes).build();
            client.spread(&spread()).await?;
            // The SDK looks for the map under a name that the venue does not send, and reads nothing: its decoding counts.
            client.spreads(&[spread()]).await?;
            Ok(())
        })
        .await;
    report
        .check("prices: last trades and history", CLOB, async {
            let client = venue.reader()?;
            let last = || LastTradePriceRequest::builder().token_id(lively.yes).build();
            client.last_trade_price(&last()).await?;
            same("the last trades", client.last_trades_prices(&[last()]).await?.len(), 1)?;
            let range = TimeRange::from_interval(Interval::OneHour);
            let request = PriceHistoryRequest::builder().market(lively.yes).time_range(range).build();
            client.price_history(&request).await?;
            Ok(())
        })
        .await;
}
