//! How many orders the core takes in a second, hashes, events and settlement included.
//!
//! `cargo run --release -p oddsmith-exchange --example throughput`

use std::time::Instant;

use oddsmith_domain::{Address, OrderFields, OrderId, OrderType, Outcome, Price, Side, SignatureType, Usdc};
use oddsmith_exchange::core::{Config, Core, KNOWN_ADDRESSES, KeyId, MarketSpec, PlaceRequest};

const START: u64 = 1_790_000_000_000_000_000;
const ORDERS: u64 = 200_000;

fn main() {
    let mut core = Core::new(Config { grant: Usdc::from_whole(1_000_000_000), ..Config::default() }, 1, START);
    let market = core.list_market(MarketSpec::ordinary("busy", "Is it busy?"), START);
    let traders: Vec<(KeyId, Address)> = KNOWN_ADDRESSES
        .iter()
        .filter_map(|text| {
            let address = Address::parse(text).ok()?;
            let key = core.create_key(address, 0).ok()?;
            let account = core.account_at(&address)?;
            core.split(account, market, Usdc::from_whole(10_000_000), START).ok()?;
            Some((key, address))
        })
        .collect();
    let tokens = core.market(market).expect("it was just listed").tokens;
    let mut events = Vec::new();
    let (mut accepted, mut matched, mut published) = (0u64, 0u64, 0usize);
    let begin = Instant::now();
    for n in 0..ORDERS {
        let (key, address) = traders[(n % traders.len() as u64) as usize];
        let request = order(n, address, &tokens);
        let now = START + n * 50_000;
        if let Ok(placed) = core.place(key, &request, now) {
            accepted += 1;
            matched += u64::from(!placed.trades.is_empty());
        }
        if n % 1_000 == 999 {
            // Someone always tidies up, so that the book stays as deep as a real one.
            let _allowed = core.cancel_scope(key, None, None, now);
        }
        core.drain_events(&mut events);
        published += events.len();
        events.clear();
    }
    let seconds = begin.elapsed().as_secs_f64();
    let listed = core.market(market).expect("it was listed");
    let levels = listed.levels(Outcome::Yes, Side::Buy).count() + listed.levels(Outcome::Yes, Side::Sell).count();
    let rate = ORDERS as f64 / seconds;
    eprintln!("{ORDERS} orders in {seconds:.2} s: {rate:.0} a second");
    eprintln!("accepted {accepted}, matched at once {matched}, events {published}, levels at the end {levels}");
}

/// The n-th order: prices scatter around one half by a fixed pattern, so that about a third matches.
fn order(n: u64, address: Address, tokens: &[oddsmith_domain::TokenId; 2]) -> PlaceRequest {
    let scatter = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    let (outcome, side) = match scatter % 4 {
        0 => (Outcome::Yes, Side::Buy),
        1 => (Outcome::Yes, Side::Sell),
        2 => (Outcome::No, Side::Buy),
        _ => (Outcome::No, Side::Sell),
    };
    let away = (scatter / 4 % 24) as i32 * 100 - 300;
    let half = Price::from_units(5_000).unwrap_or_default();
    let price = half.saturating_add_units(if side == Side::Buy { -away } else { away });
    let lots = 500 + scatter / 96 % 2_000;
    let (size, value) = (lots * 10_000, lots * u64::from(price.units()));
    let (maker_amount, taker_amount) = if side == Side::Buy { (value, size) } else { (size, value) };
    let mut id = [0u8; 32];
    id[..8].copy_from_slice(&scatter.to_be_bytes());
    id[24..].copy_from_slice(&n.to_be_bytes());
    PlaceRequest {
        id: OrderId(id),
        fields: OrderFields {
            salt: n,
            maker: address,
            signer: address,
            token: tokens[outcome.index()],
            maker_amount,
            taker_amount,
            side,
            signature_type: SignatureType::Eoa,
            timestamp_ms: 0,
            metadata: [0; 32],
            builder: [0; 32],
        },
        order_type: OrderType::Gtc,
        post_only: false,
        expiration_s: 0,
    }
}
