//! Queue models on thousands of random sequences: ours against hftbacktest's own code.

use hftbacktest::backtest::models::{
    LogProbQueueFunc, LogProbQueueFunc2, PowerProbQueueFunc, PowerProbQueueFunc2, PowerProbQueueFunc3, ProbQueueModel,
    QueueModel as PeerModel, QueuePos, RiskAdverseQueueModel,
};
use hftbacktest::depth::{HashMapMarketDepth, L2MarketDepth};
use hftbacktest::types::{OrdType, Order, Side, TimeInForce};
use oddsmith_domain::Shares;
use oddsmith_paper::Noise;
use oddsmith_paper::queue::{QueueModel, QueuePosition, Variant};

type Peer = Box<dyn PeerModel<HashMapMarketDepth>>;

/// The peer's numbers: its fields are private, what it prints of them is exact.
fn numbers(order: &Order) -> (f64, Option<f64>) {
    if let Some(front) = order.q.as_any().downcast_ref::<f64>() {
        return (*front, None);
    }
    let text = format!("{:?}", order.q.as_any().downcast_ref::<QueuePos>().expect("a queue position"));
    let field = |name: &str| {
        let (_, rest) = text.split_once(&format!("{name}: ")).expect("printed");
        let end = rest.find([',', ' ', '}']).unwrap_or(rest.len());
        rest[..end].parse::<f64>().expect("a number")
    };
    (field("front_q_qty"), Some(field("cum_trade_qty")))
}

fn models(n: f64) -> Vec<(QueueModel, Peer)> {
    vec![
        (QueueModel::RiskAverse, Box::new(RiskAdverseQueueModel::new())),
        (QueueModel::Power(n), Box::new(ProbQueueModel::new(PowerProbQueueFunc::new(n)))),
        (QueueModel::Log, Box::new(ProbQueueModel::new(LogProbQueueFunc::new()))),
        (QueueModel::Log2, Box::new(ProbQueueModel::new(LogProbQueueFunc2::new()))),
        (QueueModel::Power2(n), Box::new(ProbQueueModel::new(PowerProbQueueFunc2::new(n)))),
        (QueueModel::Power3(n), Box::new(ProbQueueModel::new(PowerProbQueueFunc3::new(n)))),
    ]
}

fn close(ours: f64, theirs: f64) -> bool {
    (ours - theirs).abs() <= 1e-9 * (1.0 + theirs.abs())
}

#[test]
fn both_agree_step_by_step_on_random_sequences() {
    let mut noise = Noise::new(2_026);
    let (mut steps, mut fills) = (0u64, 0u64);
    for round in 0..3_000 {
        let n = [1.0, 2.0, 3.0, 1.5, 0.5][round % 5];
        for (model, peer) in models(n) {
            let lots = |noise: &mut Noise, most: u64| Shares::from_micros((noise.bits() % most) as i64 * 10_000);
            let mut displayed = lots(&mut noise, 20_000);
            let mut depth = HashMapMarketDepth::new(0.01, 0.01);
            depth.update_bid_depth(0.5, displayed.to_f64(), 0);
            let mut order = Order::new(1, 50, 0.01, 1e9, Side::Buy, OrdType::Limit, TimeInForce::GTC);
            peer.new_order(&mut order, &depth);
            let mut position = QueuePosition::joined(displayed);
            for step in 0..12 {
                if noise.bits() % 2 == 0 {
                    let size = lots(&mut noise, 6_000);
                    position.trade(size);
                    let filled = position.take(Shares::LOT, Shares::from_micros(i64::MAX));
                    peer.trade(&mut order, size.to_f64(), &depth);
                    let theirs = peer.is_filled(&mut order, &depth);
                    assert!(close(filled.to_f64(), theirs), "{model:?} round {round} step {step}: {filled} {theirs}");
                    fills += u64::from(filled.is_positive());
                } else {
                    let new = lots(&mut noise, 20_000);
                    position.depth((model, Variant::Reference), displayed, new);
                    peer.depth(&mut order, displayed.to_f64(), new.to_f64(), &depth);
                    displayed = new;
                }
                let (front, cum) = numbers(&order);
                assert!(
                    close(position.front, front),
                    "{model:?} round {round} step {step}: {} {front}",
                    position.front
                );
                assert!(cum.is_none_or(|cum| close(position.cum, cum)), "{model:?} round {round} step {step}");
                steps += 1;
            }
        }
    }
    assert!(steps > 200_000 && fills > 10_000, "{steps} steps, {fills} fills");
}
