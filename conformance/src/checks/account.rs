//! Balances, notifications, scoring, rewards and the heartbeat switch.

use std::time::Duration;

use polymarket_client_sdk_v2::auth::Uuid;
use polymarket_client_sdk_v2::clob::types::Side;
use polymarket_client_sdk_v2::clob::types::request::{
    BalanceAllowanceRequest, DeleteNotificationsRequest, OrdersRequest, UserRewardsEarningRequest,
};
use polymarket_client_sdk_v2::types::{B256, NaiveDate};

use super::CLOB;
use crate::report::{Report, same};
use crate::venue::{Venue, refusal};

/// The id that a refused heartbeat should have carried.
fn expected_id(refusal: &str) -> anyhow::Result<Uuid> {
    let id = refusal.split("\"heartbeat_id\":\"").nth(1).and_then(|rest| rest.split('"').next());
    Ok(id.ok_or_else(|| anyhow::anyhow!("no id in {refusal}"))?.parse()?)
}

pub async fn run(venue: &Venue, report: &mut Report) {
    let quiet = venue.quiet();
    report
        .check("account: balance and allowances of the exchanges", CLOB, async {
            let trader = venue.trader(0).await?;
            let reply = trader.client.balance_allowance(BalanceAllowanceRequest::default()).await?;
            anyhow::ensure!(reply.allowances.len() >= 3, "{:?}", reply.allowances);
            trader.client.update_balance_allowance(BalanceAllowanceRequest::default()).await?;
            Ok(())
        })
        .await;
    report
        .check("account: notifications of a fill, and their removal", CLOB, async {
            let trader = venue.trader(5).await?;
            let notices = trader.client.notifications().await?;
            anyhow::ensure!(notices.iter().any(|notice| notice.r#type == 2), "no fill among {}", notices.len());
            let ids = (1..=200).map(|id| id.to_string()).collect();
            let request = DeleteNotificationsRequest::builder().notification_ids(ids).build();
            trader.client.delete_notifications(&request).await?;
            same("what is left", trader.client.notifications().await?.len(), 0)
        })
        .await;
    report
        .check("account: order scoring", CLOB, async {
            let trader = venue.trader(1).await?;
            let placed = trader.rest(quiet.yes, Side::Buy, "0.1", "10").await?;
            same("scoring", trader.client.is_order_scoring(&placed.order_id).await?.scoring, false)?;
            let many = trader.client.are_orders_scoring(&[&placed.order_id]).await?;
            same("scoring of many", many.get(&placed.order_id).copied(), Some(false))?;
            trader.client.cancel_all_orders().await?;
            Ok(())
        })
        .await;
    report
        .check("account: rewards, rebates and builder fees answer", CLOB, async {
            let trader = venue.trader(1).await?;
            let date = NaiveDate::from_ymd_opt(2026, 11, 1).expect("a date");
            trader.client.earnings_for_user_for_day(date, None).await?;
            trader.client.total_earnings_for_user_for_day(date).await?;
            let request = UserRewardsEarningRequest::builder().date(date).build();
            trader.client.user_earnings_and_markets_config(&request, None).await?;
            trader.client.reward_percentages().await?;
            trader.client.current_rewards(None).await?;
            trader.client.raw_rewards_for_market(&quiet.condition_text, None).await?;
            trader.client.pre_migration_orders(None).await?;
            trader.client.builder_fee_rate(B256::ZERO).await?;
            Ok(())
        })
        .await;
    report
        .check("account: heartbeats are chained, and silence cancels", CLOB, async {
            let mut trader = venue.trader(8).await?;
            trader.client.stop_heartbeats().await?;
            // The SDK may have sent one before it was stopped: then the first id is the one that the refusal names.
            let first = match trader.client.post_heartbeat(None).await {
                Ok(reply) => reply.heartbeat_id,
                Err(refused) => expected_id(&format!("{refused:#}"))?,
            };
            let second = trader.client.post_heartbeat(Some(first)).await?.heartbeat_id;
            let wrong = refusal(trader.client.post_heartbeat(Some(first)).await.map_err(Into::into))?;
            anyhow::ensure!(wrong.contains("Invalid Heartbeat ID"), "{wrong}");
            same("the id that is expected", expected_id(&wrong)?, second)?;
            let next = trader.client.post_heartbeat(Some(second)).await?.heartbeat_id;
            let placed = trader.rest(quiet.yes, Side::Buy, "0.1", "10").await?;
            tokio::time::sleep(Duration::from_secs(6)).await;
            trader.client.post_heartbeat(Some(next)).await?;
            tokio::time::sleep(Duration::from_secs(6)).await;
            let request = OrdersRequest::builder().order_id(placed.order_id.clone()).build();
            same("open while it beats", trader.client.orders(&request, None).await?.count, 1)?;
            tokio::time::sleep(Duration::from_secs(5)).await;
            same("open after silence", trader.client.orders(&request, None).await?.count, 0)
        })
        .await;
}
