//! Matches: complementary, mint and merge, partial and full, with balances exact to the millionth.

use polymarket_client_sdk_v2::clob::types::request::{OrdersRequest, TradesRequest};
use polymarket_client_sdk_v2::clob::types::{Amount, OrderStatusType, OrderType, Side, TraderSide};
use polymarket_client_sdk_v2::types::Decimal;

use super::CLOB;
use crate::report::{Report, same};
use crate::venue::{Trader, Venue, decimal, refusal};

/// Collateral and both tokens of an account, in millionths.
async fn holdings(trader: &Trader, venue: &Venue) -> anyhow::Result<[Decimal; 3]> {
    let quiet = venue.quiet();
    Ok([trader.cash().await?, trader.shares(quiet.yes).await?, trader.shares(quiet.no).await?])
}

/// What changed, in whole units.
fn change(before: [Decimal; 3], after: [Decimal; 3]) -> [Decimal; 3] {
    let million = Decimal::from(1_000_000);
    [0, 1, 2].map(|index| ((after[index] - before[index]) / million).normalize())
}

fn amounts(texts: [&str; 3]) -> [Decimal; 3] {
    texts.map(decimal)
}

pub async fn run(venue: &Venue, report: &mut Report) {
    let quiet = venue.quiet();
    report
        .check("matching: BUY YES and BUY NO mint a pair, balances exact", CLOB, async {
            let (maker, taker) = (venue.trader(4).await?, venue.trader(5).await?);
            let before = (holdings(&maker, venue).await?, holdings(&taker, venue).await?);
            let resting = maker.rest(quiet.no, Side::Buy, "0.42", "30").await?;
            let placed = taker.rest(quiet.yes, Side::Buy, "0.6", "10").await?;
            same("the status", placed.status, OrderStatusType::Matched)?;
            same(
                "what it gave and took",
                (placed.making_amount, placed.taking_amount),
                (decimal("5.8"), decimal("10")),
            )?;
            let trade = taker.settled(&placed.trade_ids[0]).await?;
            same("the taker's price", trade.price, decimal("0.58"))?;
            same("the maker's price", trade.maker_orders[0].price, decimal("0.42"))?;
            same("the maker's token", trade.maker_orders[0].asset_id, quiet.no)?;
            let order = maker.order(&resting.order_id).await?;
            same("the rest of the maker", (order.size_matched, order.status), (decimal("10"), OrderStatusType::Live))?;
            same("the maker's change", change(before.0, holdings(&maker, venue).await?), amounts(["-4.2", "0", "10"]))?;
            same("the taker's change", change(before.1, holdings(&taker, venue).await?), amounts(["-5.8", "10", "0"]))?;
            let full = taker.rest(quiet.yes, Side::Buy, "0.58", "20").await?;
            taker.settled(&full.trade_ids[0]).await?;
            let order = maker.order(&resting.order_id).await?;
            same("the filled maker", (order.size_matched, order.status), (decimal("30"), OrderStatusType::Matched))?;
            same("the maker's change", change(before.0, holdings(&maker, venue).await?), amounts(["-12.6", "0", "30"]))
        })
        .await;
    report
        .check("matching: SELL YES and SELL NO merge a pair, balances exact", CLOB, async {
            let (maker, taker) = (venue.trader(4).await?, venue.trader(5).await?);
            let before = (holdings(&maker, venue).await?, holdings(&taker, venue).await?);
            maker.rest(quiet.no, Side::Sell, "0.4", "10").await?;
            let placed = taker.rest(quiet.yes, Side::Sell, "0.55", "10").await?;
            same("what it gave and took", (placed.making_amount, placed.taking_amount), (decimal("10"), decimal("6")))?;
            taker.settled(&placed.trade_ids[0]).await?;
            same("the maker's change", change(before.0, holdings(&maker, venue).await?), amounts(["4", "0", "-10"]))?;
            same("the taker's change", change(before.1, holdings(&taker, venue).await?), amounts(["6", "-10", "0"]))
        })
        .await;
    report
        .check("matching: a buyer meets a seller of the same token, partly", CLOB, async {
            let (seller, buyer) = (venue.trader(5).await?, venue.trader(6).await?);
            let before = holdings(&buyer, venue).await?;
            let resting = seller.rest(quiet.yes, Side::Sell, "0.61", "8").await?;
            let placed = buyer.rest(quiet.yes, Side::Buy, "0.61", "20").await?;
            same("the status", placed.status.clone(), OrderStatusType::Matched)?;
            same(
                "what it gave and took",
                (placed.making_amount, placed.taking_amount),
                (decimal("4.88"), decimal("8")),
            )?;
            buyer.settled(&placed.trade_ids[0]).await?;
            let rest = buyer.order(&placed.order_id).await?;
            same("the rest", (rest.size_matched, rest.status), (decimal("8"), OrderStatusType::Live))?;
            same("the seller", seller.order(&resting.order_id).await?.status, OrderStatusType::Matched)?;
            same("the buyer's change", change(before, holdings(&buyer, venue).await?), amounts(["-4.88", "8", "0"]))?;
            buyer.client.cancel_all_orders().await?;
            Ok(())
        })
        .await;
    market_orders(venue, report).await;
    report
        .check("matching: both parties read the trade, each from its side", CLOB, async {
            let (maker, taker) = (venue.trader(4).await?, venue.trader(5).await?);
            let resting = maker.rest(quiet.no, Side::Buy, "0.3", "5").await?;
            let placed = taker.rest(quiet.yes, Side::Buy, "0.7", "5").await?;
            let id = placed.trade_ids[0].clone();
            taker.settled(&id).await?;
            let request = TradesRequest::builder().id(id.clone()).build();
            let seen = maker.client.trades(&request, None).await?.data.remove(0);
            same("the maker's side", seen.trader_side, TraderSide::Maker)?;
            same("its order", seen.maker_orders[0].order_id.clone(), resting.order_id)?;
            let seen = taker.client.trades(&request, None).await?.data.remove(0);
            same("the taker's side", seen.trader_side, TraderSide::Taker)?;
            anyhow::ensure!(!seen.transaction_hash.is_zero(), "no transaction");
            let by_market =
                TradesRequest::builder().market(quiet.condition).maker_address(maker.client.address()).build();
            anyhow::ensure!(maker.client.trades(&by_market, None).await?.data.iter().any(|t| t.id == id), "not found");
            let later = TradesRequest::builder().after(4_000_000_000).build();
            same("trades of the future", maker.client.trades(&later, None).await?.count, 0)
        })
        .await;
}

async fn market_orders(venue: &Venue, report: &mut Report) {
    let quiet = venue.quiet();
    report
        .check("matching: market BUY by dollars, FOK, at two levels", CLOB, async {
            let (seller, buyer) = (venue.trader(5).await?, venue.trader(6).await?);
            let before = holdings(&buyer, venue).await?;
            seller.rest(quiet.yes, Side::Sell, "0.5", "6").await?;
            seller.rest(quiet.yes, Side::Sell, "0.55", "6").await?;
            let order = buyer.client.market_order().token_id(quiet.yes).side(Side::Buy).order_type(OrderType::FOK);
            let placed = order.amount(Amount::usdc(decimal("5.2"))?).build_sign_and_post(&buyer.signer).await?;
            same("the status", placed.status, OrderStatusType::Matched)?;
            for trade in &placed.trade_ids {
                buyer.settled(trade).await?;
            }
            let [cash, yes, no] = change(before, holdings(&buyer, venue).await?);
            anyhow::ensure!(cash >= decimal("-5.2") && yes >= decimal("9.45"), "{cash} dollars for {yes} shares");
            // Six at the first price, the rest at the second.
            let cost = decimal("3") + (yes - decimal("6")) * decimal("0.55");
            same("the cost, and the other token", (-cash, no), (cost.normalize(), Decimal::ZERO))?;
            same("the answer", (placed.making_amount, placed.taking_amount), (-cash, yes))?;
            seller.client.cancel_all_orders().await?;
            Ok(())
        })
        .await;
    report
        .check("matching: market SELL by shares, FAK, fills what there is", CLOB, async {
            let (buyer, seller) = (venue.trader(4).await?, venue.trader(6).await?);
            let before = holdings(&seller, venue).await?;
            buyer.rest(quiet.yes, Side::Buy, "0.35", "5").await?;
            let order = seller.client.market_order().token_id(quiet.yes).side(Side::Sell).order_type(OrderType::FAK);
            let placed = order.amount(Amount::shares(decimal("7"))?).build_sign_and_post(&seller.signer).await?;
            same(
                "what it gave and took",
                (placed.making_amount, placed.taking_amount),
                (decimal("5"), decimal("1.75")),
            )?;
            seller.settled(&placed.trade_ids[0]).await?;
            same("the change", change(before, holdings(&seller, venue).await?), amounts(["1.75", "-5", "0"]))
        })
        .await;
    report
        .check("matching: FOK that is larger than the book is refused", CLOB, async {
            let (buyer, seller) = (venue.trader(4).await?, venue.trader(6).await?);
            buyer.rest(quiet.yes, Side::Buy, "0.35", "5").await?;
            let text = refusal(seller.limit(quiet.yes, Side::Sell, "0.35", "8", OrderType::FOK, false).await)?;
            anyhow::ensure!(text.contains("FOK orders are fully filled or killed."), "{text}");
            buyer.client.cancel_all_orders().await?;
            Ok(())
        })
        .await;
    report
        .check("matching: limit FOK fills whole, limit FAK fills what there is and leaves nothing", CLOB, async {
            let (maker, buyer) = (venue.trader(4).await?, venue.trader(6).await?);
            let before = holdings(&buyer, venue).await?;
            maker.rest(quiet.no, Side::Buy, "0.5", "10").await?;
            let whole = buyer.limit(quiet.yes, Side::Buy, "0.5", "6", OrderType::FOK, false).await?;
            same("of FOK", (whole.making_amount, whole.taking_amount), (decimal("3"), decimal("6")))?;
            let part = buyer.limit(quiet.yes, Side::Buy, "0.5", "20", OrderType::FAK, false).await?;
            same("of FAK", (part.making_amount, part.taking_amount), (decimal("2"), decimal("4")))?;
            let request = OrdersRequest::builder().market(quiet.condition).build();
            same("what rests", buyer.client.orders(&request, None).await?.count, 0)?;
            for placed in [&whole, &part] {
                buyer.settled(&placed.trade_ids[0]).await?;
            }
            same("the change", change(before, holdings(&buyer, venue).await?), amounts(["-5", "10", "0"]))
        })
        .await;
}
