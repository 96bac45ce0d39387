//! What a run takes over from the run before it, as its second input says.

use oddsmith_domain::{InstanceId, MarketId, Restore, Shares, SubAccount};

use crate::accounts::{Books, Part};
use crate::orders::{Own, OwnOrders};

/// Takes the facts over. Instances are found by their names among `names`; one that is not there any more is nobody.
pub(crate) fn take_over(restore: &Restore, names: &[String], orders: &mut OwnOrders, books: &mut Books) {
    let owner = |before: InstanceId| {
        let name = restore.instances.get(usize::from(before.0));
        let place = name.and_then(|name| names.iter().position(|own| own == name));
        place.and_then(|place| u16::try_from(place).ok()).map_or(InstanceId::WALLET, InstanceId)
    };
    for order in &restore.orders {
        let mut place = order.place;
        place.instance = owner(place.instance);
        orders.adopt(Own { place, state: order.state, filled: order.filled });
    }
    for fill in &restore.fills {
        let counted = fill.booked.map(|b| {
            let (owner, asset, side, size) = (owner(b.owner), b.asset, b.side, b.size);
            let fee = b.movement.fee;
            // What was paid or received, without the fee: cash moved by both.
            let notional = (b.movement.cash + fee).abs();
            (Part { owner, asset, side, size, notional, fee }, b.status, b.movement)
        });
        books.remember((fill.trade, fill.order), counted);
    }
    for before in &restore.accounts {
        let place: (InstanceId, MarketId) = (owner(before.instance), before.market);
        let account = sum(books.account(place.0, place.1), &before.account);
        books.take_over(place.0, place.1, account);
    }
}

/// Two accounts in one. Nothing is promised any more: what the run before had under way is not this run's.
fn sum(mut one: SubAccount, other: &SubAccount) -> SubAccount {
    one.cash += other.cash;
    one.realized += other.realized;
    one.fees += other.fees;
    one.incoming += other.incoming;
    one.outgoing += other.outgoing;
    for i in 0..2 {
        one.cost[i] += other.cost[i];
        one.shares[i] += other.shares[i];
        one.settled[i] += other.settled[i];
        one.arriving[i] += other.arriving[i];
        one.leaving[i] += other.leaving[i];
    }
    one.reserved = [Shares::ZERO; 2];
    one
}
