//! Gamma and the Data API.

use polymarket_client_sdk_v2::data::types::request::{
    ActivityRequest, HoldersRequest, OpenInterestRequest, PositionsRequest, TradedRequest, TradesRequest, ValueRequest,
};
use polymarket_client_sdk_v2::gamma::types::request::{
    EventBySlugRequest, EventsRequest, MarketByIdRequest, MarketBySlugRequest, MarketsRequest, SearchRequest,
    TagsRequest,
};
use polymarket_client_sdk_v2::{data, gamma};

use crate::report::{Report, same};
use crate::venue::{Venue, decimal, signer};

const GAMMA: &str = "Rust SDK 0.9.0, gamma";
const DATA: &str = "Rust SDK 0.9.0, data";

pub async fn run(venue: &Venue, report: &mut Report) {
    let quiet = venue.quiet();
    report
        .check("Gamma: markets by filter, slug and id", GAMMA, async {
            let client = gamma::Client::new(&venue.gamma)?;
            let found = client.markets(&MarketsRequest::builder().slug(vec![quiet.slug.clone()]).build()).await?;
            same("how many", found.len(), 1)?;
            same("the tokens", found[0].clob_token_ids.clone(), Some(vec![quiet.yes, quiet.no]))?;
            same("the tick", found[0].order_price_min_tick_size, Some(decimal("0.01")))?;
            let by_token = MarketsRequest::builder().clob_token_ids(vec![quiet.no]).build();
            same("by token", client.markets(&by_token).await?.len(), 1)?;
            let by_slug = MarketBySlugRequest::builder().slug(&quiet.slug).build();
            let by_slug = client.market_by_slug(&by_slug).await?;
            same("the condition", by_slug.condition_id, Some(quiet.condition))?;
            let by_id = MarketByIdRequest::builder().id(by_slug.id).build();
            same("by id", client.market_by_id(&by_id).await?.slug, Some(quiet.slug.clone()))
        })
        .await;
    report
        .check("Gamma: events, tags, search, status", GAMMA, async {
            let client = gamma::Client::new(&venue.gamma)?;
            let events = client.events(&EventsRequest::default()).await?;
            anyhow::ensure!(
                events.iter().all(|event| event.markets.as_ref().is_some_and(|m| !m.is_empty())),
                "no markets"
            );
            let slug = events[0].slug.clone().unwrap_or_default();
            let by_slug = EventBySlugRequest::builder().slug(&slug).build();
            same("the event", client.event_by_slug(&by_slug).await?.id, events[0].id.clone())?;
            client.tags(&TagsRequest::default()).await?;
            let search = SearchRequest::builder().q("quiet").build();
            client.search(&search).await?;
            same("the status", client.status().await?.as_str(), "OK")
        })
        .await;
    report
        .check("Data: positions, value, traded of an account that has traded", DATA, async {
            let (client, user) = (data::Client::new(&venue.data)?, signer(4)?.address());
            let positions = client.positions(&PositionsRequest::builder().user(user).build()).await?;
            let own = positions.iter().find(|position| position.asset == quiet.no);
            anyhow::ensure!(own.is_some_and(|position| position.size > decimal("0")), "{positions:?}");
            let value = client.value(&ValueRequest::builder().user(user).build()).await?;
            anyhow::ensure!(value[0].value > decimal("0"), "no value");
            anyhow::ensure!(client.traded(&TradedRequest::builder().user(user).build()).await?.traded > 0, "no trades");
            Ok(())
        })
        .await;
    report
        .check("Data: trades, activity, holders, open interest", DATA, async {
            let (client, user) = (data::Client::new(&venue.data)?, signer(4)?.address());
            let trades = client.trades(&TradesRequest::builder().user(user).build()).await?;
            anyhow::ensure!(!trades.is_empty() && trades.iter().all(|trade| trade.proxy_wallet == user), "{trades:?}");
            let activity = client.activity(&ActivityRequest::builder().user(user).build()).await?;
            same("the activity", activity.len(), trades.len())?;
            let holders = client.holders(&HoldersRequest::builder().markets(vec![quiet.condition]).build()).await?;
            anyhow::ensure!(holders.iter().any(|token| !token.holders.is_empty()), "no holders");
            let interest = OpenInterestRequest::builder().markets(vec![quiet.condition]).build();
            anyhow::ensure!(client.open_interest(&interest).await?[0].value > decimal("0"), "no open interest");
            Ok(())
        })
        .await;
}
