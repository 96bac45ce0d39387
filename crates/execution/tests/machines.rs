//! The machine of an order, every pair of its states through the list of orders itself.

use oddsmith_domain::{
    Address, ExchangeKind, InstanceId, IntentId, MarketId, OrderFields, OrderId, OrderState, OrderType, Outcome,
    PlaceOrder, Price, Shares, Side, SignatureType, Time, TokenId,
};
use oddsmith_execution::{ALL_STATES, Orders, is_legal};

const ID: OrderId = OrderId([1; 32]);

fn order() -> PlaceOrder {
    let fields = OrderFields {
        salt: 1,
        maker: Address::default(),
        signer: Address::default(),
        token: TokenId::from_be_bytes([1; 32]),
        maker_amount: 0,
        taker_amount: 0,
        side: Side::Buy,
        signature_type: SignatureType::Eoa,
        timestamp_ms: 0,
        metadata: [0; 32],
        builder: [0; 32],
    };
    PlaceOrder {
        id: ID,
        fields,
        exchange: ExchangeKind::Ctf,
        order_type: OrderType::Gtc,
        post_only: true,
        expiration_s: 0,
        asset: MarketId(0).asset(Outcome::Yes),
        price: Price::from_units(4_000).expect("in range"),
        size: Shares::from_whole(10),
        instance: InstanceId(0),
        intent: IntentId(0),
        deadline_mono_ns: 0,
    }
}

/// Orders with the one order in this state. Every state can be had from the first in one step.
fn in_state(state: OrderState) -> Orders {
    let mut orders = Orders::default();
    orders.insert(order(), Time::default());
    if state != OrderState::PendingNew {
        let change = orders.transition(&ID, state, Time::default()).expect("a change");
        assert!(change.legal, "{state:?}");
    }
    orders
}

#[test]
fn every_pair_is_followed_or_reported_and_never_both() {
    for from in ALL_STATES {
        for to in ALL_STATES {
            let mut orders = in_state(from);
            let change = orders.transition(&ID, to, Time::default());
            let state = orders.get(&ID).expect("remembered").state;
            match change {
                None => assert_eq!((from, state), (to, to), "nothing to change"),
                Some(change) => {
                    assert_eq!((change.from, change.to), (from, to));
                    assert_eq!(change.legal, is_legal(from, to), "{from:?} -> {to:?}");
                    assert_eq!(state, if change.legal { to } else { from });
                }
            }
            let open = orders.open_count() == 1;
            assert_eq!(open, !state.is_final(), "{from:?} -> {to:?}: what is final is not open, all else is");
            assert_eq!(orders.reserved().is_positive(), open, "and only what is open reserves");
        }
    }
}

#[test]
fn a_fill_in_every_state_counts_once_and_leaves_a_legal_state() {
    for from in ALL_STATES {
        for (whole, full) in [(4, false), (10, true)] {
            let mut orders = in_state(from);
            let change = orders.filled(&ID, Shares::from_whole(whole), Time::default());
            let order = orders.get(&ID).expect("remembered");
            assert_eq!(order.filled, Shares::from_whole(whole), "{from:?}: never lost");
            let expected = match (from, full) {
                (OrderState::Rejected | OrderState::Filled, _) => from,
                (_, true) => OrderState::Filled,
                (OrderState::PendingCancel | OrderState::Canceled, false) => from,
                (_, false) => OrderState::PartiallyFilled,
            };
            assert_eq!(order.state, expected, "{from:?} filled by {whole}");
            // The venue proved that it never took it, and then filled it: reported.
            let reported = change.is_some_and(|c| !c.legal);
            assert_eq!(reported, from == OrderState::Rejected && full, "{from:?}");
        }
    }
}
