//! Whether an order is what it says: its digest, its amounts, its market.

use oddsmith_domain::{MarketCard, PlaceOrder};
use oddsmith_polymarket::amounts;
use oddsmith_polymarket::order::OrderHasher;

use crate::report::{Findings, Rule};

/// Checks an order against its own fields and its market's card.
pub(crate) fn check(place: &PlaceOrder, card: &MarketCard, hasher: Option<&OrderHasher>, found: &mut Findings) {
    let id = place.id;
    if let Some(hasher) = hasher {
        let digest = hasher.digest(place.exchange, &place.fields);
        found.check(Rule::WellFormed, digest == id, || format!("order {id}: the digest of its fields is {digest}"));
    }
    let (Some(tick), Some(min_size)) = (card.tick, card.min_size) else {
        return found
            .found(Rule::WellFormed, format!("order {id} is in a market whose card lacks tick or smallest size"));
    };
    let fields = &place.fields;
    found.check(Rule::WellFormed, place.exchange == card.exchange(), || {
        format!("order {id} is for another contract than its market's")
    });
    found.check(Rule::WellFormed, fields.token == card.token(place.asset.outcome()), || {
        format!("order {id} names another token than its market's")
    });
    found.check(Rule::WellFormed, tick.admits(place.price), || format!("order {id}: {} is off the grid", place.price));
    // The least size is for what may rest.
    found.check(Rule::WellFormed, place.size >= min_size || !place.order_type.rests(), || {
        format!("order {id}: {} shares are fewer than the smallest order of {min_size}", place.size)
    });
    let amounts = amounts::limit(place.side(), place.price, place.size, tick);
    let fits = amounts.is_ok_and(|a| (a.maker, a.taker) == (fields.maker_amount, fields.taker_amount));
    found.check(Rule::WellFormed, fits, || format!("order {id}: its amounts are not those of its price and size"));
}
