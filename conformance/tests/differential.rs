//! Our orders against the official Rust SDK's: 10,000 random limit and market orders over every tick, side, kind of exchange,
//! signature type and order type, equal in amounts, digest, signature and JSON; and its fees against ours.
//!
//! The SDK builds and signs each order from the same inputs. Of its result only the salt and the timestamp are taken over,
//! because it draws those itself; everything else is computed by our code and compared.

use std::str::FromStr;

use alloy::primitives::{B256, U256};
use alloy::signers::Signer as _;
use alloy::signers::local::PrivateKeySigner;
use alloy::sol_types::{Eip712Domain, SolStruct};
use oddsmith_domain::{
    Address, AssetId, ExchangeKind, FeeSchedule, InstanceId, IntentId, OrderFields, OrderType, PlaceOrder, Price,
    Shares, Side, SignatureType, Tick, TokenId, Usdc,
};
use oddsmith_polymarket::amounts::{self, AmountError, Amounts, MarketAmount};
use oddsmith_polymarket::order::{
    self, AMOY, OrderHasher, POLYGON, Recoverer, Signer, exchange_contract, proxy_wallet, safe_wallet,
};
use oddsmith_polymarket::wire::PostOrder;
use polymarket_client_sdk_v2::auth::state::Authenticated;
use polymarket_client_sdk_v2::auth::{Credentials, Normal, Uuid};
use polymarket_client_sdk_v2::clob::types::{self as sdk, OrderPayload, SignableOrder};
use polymarket_client_sdk_v2::clob::{Client, Config, utilities};
use rust_decimal::Decimal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const KEY: &str = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
const ORDERS: u64 = 10_000;
/// A deposit wallet cannot be derived from the key; any address does.
const DEPOSIT_WALLET: Address = Address([0x5a; 20]);

type SdkClient = Client<Authenticated<Normal>>;

/// A small deterministic generator (SplitMix64), so that a failure can be repeated.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len() as u64) as usize]
    }

    fn bytes(&mut self) -> [u8; 32] {
        let mut bytes = [0u8; 32];
        bytes.chunks_exact_mut(8).for_each(|chunk| chunk.copy_from_slice(&self.next().to_be_bytes()));
        bytes
    }
}

/// Answers `GET /version`, the only thing that the SDK asks for when the rest is in its caches.
async fn serve_version() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = [0u8; 4096];
                while stream.read(&mut request).await.is_ok_and(|read| read > 0) {
                    let reply = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 13\r\n\r\n{\"version\":2}";
                    if stream.write_all(reply.as_bytes()).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    format!("http://{address}")
}

/// One of the SDK's clients: chain and signature type are properties of a client.
struct Peer {
    client: SdkClient,
    signer: PrivateKeySigner,
    hasher: OrderHasher,
    signature_type: SignatureType,
    maker: Address,
    signing: Address,
}

async fn peers(host: &str) -> Vec<Peer> {
    let mut peers = Vec::new();
    for chain in [POLYGON, AMOY] {
        let account = Signer::from_hex(KEY).expect("a key").address();
        for signature_type in [SignatureType::Eoa, SignatureType::Proxy, SignatureType::Safe, SignatureType::Poly1271] {
            let maker = match signature_type {
                SignatureType::Eoa => account,
                SignatureType::Proxy => match proxy_wallet(chain, account) {
                    Ok(wallet) => wallet,
                    Err(_) => continue,
                },
                SignatureType::Safe => safe_wallet(chain, account).expect("a known chain"),
                SignatureType::Poly1271 => DEPOSIT_WALLET,
            };
            let signer = PrivateKeySigner::from_str(KEY).expect("a key").with_chain_id(Some(chain));
            let credentials = Credentials::new(Uuid::from_u128(7), String::from("AAAA"), String::from("p"));
            let client = Client::new(host, Config::default()).expect("a client");
            let builder = client.authentication_builder(&signer).credentials(credentials);
            // for proxy and safe the SDK derives the wallet itself: one more thing that must agree
            let builder = match signature_type {
                SignatureType::Eoa => builder,
                SignatureType::Proxy => builder.signature_type(sdk::SignatureType::Proxy),
                SignatureType::Safe => builder.signature_type(sdk::SignatureType::GnosisSafe),
                SignatureType::Poly1271 => builder
                    .signature_type(sdk::SignatureType::Poly1271)
                    .funder(alloy::primitives::Address::from(DEPOSIT_WALLET.0)),
            };
            let client = builder.authenticate().await.expect("an authenticated client");
            let signing = if signature_type == SignatureType::Poly1271 { maker } else { account };
            let hasher = OrderHasher::new(chain).expect("a known chain");
            peers.push(Peer { client, signer, hasher, signature_type, maker, signing });
        }
    }
    peers
}

/// What is ordered.
#[derive(Clone, Copy, Debug)]
enum Wanted {
    Limit { size: Shares, order_type: OrderType, post_only: bool, expiration_s: u64 },
    Market { amount: MarketAmount, order_type: OrderType },
}

#[derive(Clone, Copy, Debug)]
struct Order {
    token: TokenId,
    kind: ExchangeKind,
    tick: Tick,
    side: Side,
    price: Price,
    metadata: [u8; 32],
    builder: [u8; 32],
    wanted: Wanted,
}

fn random_order(random: &mut Random) -> Order {
    let tick = random.pick(&Tick::ALL);
    let side = random.pick(&[Side::Buy, Side::Sell]);
    let kind = random.pick(&[ExchangeKind::Ctf, ExchangeKind::NegRisk, ExchangeKind::Position]);
    let mut token = random.bytes();
    if kind == ExchangeKind::Position {
        token[19..27].fill(0);
    }
    // one price in ten lies off the grid or at its ends
    let decimals = 10u16.pow(Price::SCALE - tick.price_decimals());
    let units = match random.below(10) {
        0 => random.below(10_000 / u64::from(decimals) + 1) as u16 * decimals,
        _ => (1 + random.below(u64::from(10_000 / tick.units()) - 1)) as u16 * tick.units(),
    };
    let magnitude = 10i64.pow(4 + random.below(9) as u32);
    let size = Shares::from_micros(10_000 + random.below(magnitude as u64 * 9) as i64);
    let wanted = if random.below(2) == 0 {
        let order_type = random.pick(&[OrderType::Gtc, OrderType::Gtd, OrderType::Fok, OrderType::Fak]);
        let post_only = order_type.rests() && random.below(2) == 0;
        let expiration_s = if order_type == OrderType::Gtd { 1_900_000_000 + random.below(1_000_000) } else { 0 };
        Wanted::Limit { size, order_type, post_only, expiration_s }
    } else {
        let in_dollars = side == Side::Buy && random.below(2) == 0;
        let amount =
            if in_dollars { MarketAmount::ExactDollars(dollars_of(size, random)) } else { MarketAmount::Shares(size) };
        Wanted::Market { amount, order_type: random.pick(&[OrderType::Fok, OrderType::Fak]) }
    };
    let optional = |random: &mut Random| if random.below(4) == 0 { random.bytes() } else { [0; 32] };
    Order {
        token: TokenId::from_be_bytes(token),
        kind,
        tick,
        side,
        price: Price::from_units(units).expect("at most one dollar"),
        metadata: optional(random),
        builder: optional(random),
        wanted,
    }
}

/// Dollars with none, two or six decimals.
fn dollars_of(size: Shares, random: &mut Random) -> Usdc {
    let step = random.pick(&[1, 10_000, 1_000_000]);
    Usdc::from_micros((size.micros() / step * step).max(1_000_000))
}

fn decimal(text: impl std::fmt::Display) -> Decimal {
    Decimal::from_str(&text.to_string()).expect("a decimal")
}

const fn sdk_tick(tick: Tick) -> sdk::TickSize {
    match tick {
        Tick::Tenth => sdk::TickSize::Tenth,
        Tick::Cent => sdk::TickSize::Hundredth,
        Tick::HalfCent => sdk::TickSize::HalfCent,
        Tick::QuarterCent => sdk::TickSize::QuarterCent,
        Tick::Thousandth => sdk::TickSize::Thousandth,
        Tick::TenThousandth => sdk::TickSize::TenThousandth,
    }
}

const fn sdk_type(order_type: OrderType) -> sdk::OrderType {
    match order_type {
        OrderType::Gtc => sdk::OrderType::GTC,
        OrderType::Gtd => sdk::OrderType::GTD,
        OrderType::Fok => sdk::OrderType::FOK,
        OrderType::Fak => sdk::OrderType::FAK,
    }
}

/// The SDK's order, or that it refused to build one.
async fn sdk_order(peer: &Peer, order: &Order) -> Option<SignableOrder> {
    let token = U256::from_be_bytes(order.token.to_be_bytes());
    peer.client.set_tick_size(token, sdk_tick(order.tick));
    peer.client.set_neg_risk(token, order.kind == ExchangeKind::NegRisk);
    let side = if order.side == Side::Buy { sdk::Side::Buy } else { sdk::Side::Sell };
    macro_rules! build {
        ($builder:expr) => {{
            let builder = $builder
                .side(side)
                .price(decimal(order.price))
                .metadata(B256::from(order.metadata))
                .builder_code(B256::from(order.builder));
            match order.kind {
                ExchangeKind::Position => builder.position_id(token),
                ExchangeKind::Ctf | ExchangeKind::NegRisk => builder.token_id(token),
            }
        }};
    }
    match order.wanted {
        Wanted::Limit { size, order_type, post_only, expiration_s } => {
            let mut builder = build!(peer.client.limit_order())
                .size(decimal(size))
                .order_type(sdk_type(order_type))
                .post_only(post_only);
            if expiration_s > 0 {
                let at = std::time::UNIX_EPOCH + std::time::Duration::from_secs(expiration_s);
                builder = builder.expiration(at.into());
            }
            builder.build().await.ok()
        }
        Wanted::Market { amount, order_type } => {
            let amount = match amount {
                MarketAmount::Shares(shares) => sdk::Amount::shares(decimal(shares)),
                MarketAmount::ExactDollars(dollars) | MarketAmount::Budget(dollars) => {
                    sdk::Amount::usdc(decimal(dollars))
                }
            };
            let builder = build!(peer.client.market_order()).amount(amount.ok()?).order_type(sdk_type(order_type));
            builder.build().await.ok()
        }
    }
}

fn our_amounts(order: &Order) -> Result<Amounts, AmountError> {
    match order.wanted {
        Wanted::Limit { size, .. } => amounts::limit(order.side, order.price, size, order.tick),
        Wanted::Market { amount, .. } => amounts::market(order.side, amount, order.price, order.tick),
    }
}

/// Our order with the salt and the time that the SDK drew.
fn our_order(peer: &Peer, order: &Order, amounts: Amounts, salt: u64, timestamp_ms: u64) -> PlaceOrder {
    let fields = OrderFields {
        salt,
        maker: peer.maker,
        signer: peer.signing,
        token: order.token,
        maker_amount: amounts.maker,
        taker_amount: amounts.taker,
        side: order.side,
        signature_type: peer.signature_type,
        timestamp_ms,
        metadata: order.metadata,
        builder: order.builder,
    };
    let (order_type, post_only, expiration_s) = match order.wanted {
        Wanted::Limit { order_type, post_only, expiration_s, .. } => (order_type, post_only, expiration_s),
        Wanted::Market { order_type, .. } => (order_type, false, 0),
    };
    PlaceOrder {
        id: peer.hasher.digest(order.kind, &fields),
        fields,
        exchange: order.kind,
        order_type,
        post_only,
        expiration_s,
        asset: AssetId(0),
        price: order.price,
        size: Shares::from_micros(amounts.shares(order.side) as i64),
        instance: InstanceId(0),
        intent: IntentId(0),
        deadline_mono_ns: 0,
    }
}

/// The digest as the SDK's own library computes it.
fn sdk_digest(peer: &Peer, order: &Order, payload: &OrderPayload) -> B256 {
    let (OrderPayload::V2(payload) | OrderPayload::V3(payload)) = payload else { panic!("an order of version 1") };
    let version = if order.kind == ExchangeKind::Position { "3" } else { "2" };
    let contract = exchange_contract(peer.hasher.chain_id(), order.kind).expect("a known chain");
    let domain = Eip712Domain::new(
        Some("Polymarket CTF Exchange".into()),
        Some(version.into()),
        Some(U256::from(peer.hasher.chain_id())),
        Some(alloy::primitives::Address::from(contract.0)),
        None,
    );
    payload.order.eip712_signing_hash(&domain)
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_orders() {
    let peers = peers(&serve_version().await).await;
    assert_eq!(peers.len(), 7, "two chains, four signature types, no proxies on Amoy");
    let ours = Signer::from_hex(KEY).expect("a key");
    let recoverer = Recoverer::new();
    let mut random = Random(20_261_121);
    let (mut built, mut refused, mut body) = (0u64, 0u64, Vec::new());
    for number in 0..ORDERS {
        let order = random_order(&mut random);
        let peer = &peers[random.below(peers.len() as u64) as usize];
        let context = || format!("order {number} on chain {}: {order:?}", peer.hasher.chain_id());
        let theirs = sdk_order(peer, &order).await;
        let amounts = our_amounts(&order);
        let (Some(theirs), Ok(amounts)) = (&theirs, amounts) else {
            assert_eq!(theirs.is_some(), amounts.is_ok(), "only one of us refuses {}: {amounts:?}", context());
            refused += 1;
            continue;
        };
        built += 1;
        let digest = sdk_digest(peer, &order, &theirs.payload);
        let signed = peer.client.sign(&peer.signer, theirs.clone()).await.expect("a signed order");
        let json = serde_json::to_vec(&signed).expect("JSON");
        let theirs: PostOrder = serde_json::from_slice(&json).expect("a body that our server reads");

        let place = our_order(peer, &order, amounts, theirs.order.salt, theirs.order.timestamp);
        assert_eq!(theirs.order.fields(), place.fields, "{}", context());
        assert_eq!(place.id.0, digest.0, "{}", context());
        let signature = ours.sign_order(&peer.hasher, &place);
        assert_eq!(signature.to_string(), theirs.order.signature, "{}", context());
        let by = order::verify_order(&recoverer, &peer.hasher, order.kind, &place.fields, &signature);
        assert_eq!(by, Ok(ours.address()), "{}", context());

        order::order_body(&place, &signature, &theirs.owner, &mut body);
        let mut read: PostOrder = serde_json::from_slice(&body).expect("JSON");
        // the SDK leaves `deferExec` out unless asked, and says `postOnly: false` also of limit orders that cannot rest
        read.defer_exec = None;
        read.post_only = read.post_only.or(theirs.post_only);
        assert_eq!(read, theirs, "{}", context());
    }
    println!("{built} orders equal in amounts, digest, signature and body; {refused} refused by both");
    assert!(built > ORDERS * 8 / 10 && refused > ORDERS / 100, "{built} built, {refused} refused");
}

/// The SDK states a fee only through the amount that a balance can still buy: with a balance of amount and fee it buys the
/// whole amount, with a little less it does not.
#[test]
fn fees_on_the_worked_examples() {
    // protocol section 9.5 and the table of taker fees: rate, prices, fee of 100 shares
    let cases = [
        ("0.07", "0.5", "1.75"),
        ("0.07", "0.3", "1.47"),
        ("0.07", "0.7", "1.47"),
        ("0.07", "0.1", "0.63"),
        ("0.07", "0.9", "0.63"),
        ("0.07", "0.05", "0.3325"),
        ("0.07", "0.95", "0.3325"),
        ("0.05", "0.5", "1.25"),
        ("0.05", "0.3", "1.05"),
        ("0.05", "0.1", "0.45"),
        ("0.05", "0.95", "0.2375"),
        ("0.04", "0.5", "1"),
        ("0.04", "0.2", "0.64"),
        ("0.04", "0.7", "0.84"),
        ("0.04", "0.9", "0.36"),
        ("0.04", "0.05", "0.19"),
        ("0", "0.5", "0"),
    ];
    let hundred = Shares::from_whole(100);
    for (rate, price, expected) in cases {
        let price: Price = price.parse().expect("a price");
        let rate_micro = rate.parse::<Usdc>().expect("a rate").micros();
        let fee = FeeSchedule::new(rate_micro, 1, true).expect("a schedule").taker_fee(hundred, price);
        assert_eq!(fee.to_string(), expected, "rate {rate} at {price}");
        let cost = hundred.cost_ceil(price);
        let affordable = |balance: Usdc| {
            let (amount, balance, price) = (decimal(cost), decimal(balance), decimal(price));
            utilities::adjust_market_buy_amount(amount, balance, price, decimal(rate), Decimal::ONE, Decimal::ZERO)
                .expect("a positive amount")
        };
        let tolerance = decimal("0.000002");
        assert!(decimal(cost) - affordable(cost + fee) <= tolerance, "rate {rate} at {price}");
        let less = cost + fee - Usdc::from_micros(100);
        assert!(affordable(less) < decimal(cost) - tolerance, "rate {rate} at {price}: the fee is not too high");
    }
}
