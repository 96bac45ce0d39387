//! From a price and a size to the bytes of a signed, authenticated order.

use std::hint::black_box;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::str::FromStr;
use std::sync::Arc;

use alloy::signers::Signer as _;
use alloy::signers::local::PrivateKeySigner;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use hmac::{Hmac, Mac};
use oddsmith_domain::{
    ExchangeKind, InstanceId, IntentId, MarketId, OrderFields, OrderType, Outcome, PlaceOrder, Price, Shares, Side,
    SignatureType, Tick, TokenId,
};
use oddsmith_net::Wallet;
use oddsmith_polymarket::amounts;
use oddsmith_polymarket::auth::Credentials;
use oddsmith_polymarket::order::{OrderHasher, POLYGON, Signer, order_body};
use oddsmith_polymarket::wire::ApiKeyCreds;
use polymarket_client_sdk_v2::auth::{self as sdk_auth, Normal, state::Authenticated};
use polymarket_client_sdk_v2::clob::types::{OrderType as SdkOrderType, Side as SdkSide, TickSize};
use polymarket_client_sdk_v2::clob::{Client, Config};
use polymarket_client_sdk_v2::types::{Decimal, U256};
use secp256k1::{Message, Secp256k1, SecretKey};
use sha2::Sha256;

use crate::frames::YES;
use crate::harness::{Effort, Work, race};
use crate::report::{Bar, Row};

/// The first account of the mnemonic that everybody tests with.
const KEY: &str = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
const API_KEY: &str = "00000000-0000-0000-0000-000000000001";
const SECRET: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

/// What signs and authenticates on our side.
pub fn wallet() -> Wallet {
    let signer = Signer::from_hex(KEY).expect("a key");
    let creds = ApiKeyCreds { api_key: API_KEY.into(), secret: SECRET.into(), passphrase: "benchmark".into() };
    let credentials = Arc::new(Credentials::new(signer.address(), creds).expect("credentials"));
    Wallet { hasher: OrderHasher::new(POLYGON).expect("a chain"), signer, credentials }
}

/// Our whole order: amounts, digest, signature, body, authentication headers.
struct Ours {
    wallet: Wallet,
    token: TokenId,
    salt: u64,
    body: Vec<u8>,
    headers: Vec<u8>,
}

impl Ours {
    fn new() -> Ours {
        let token = TokenId::parse(YES).expect("a token");
        Ours { wallet: wallet(), token, salt: 1, body: Vec::new(), headers: Vec::new() }
    }

    fn order(&mut self) {
        self.salt += 1;
        let (price, size) = (Price::from_units(5_000).expect("a price"), Shares::from_whole(100));
        let amounts = amounts::limit(Side::Buy, price, size, Tick::Cent).expect("amounts");
        let address = self.wallet.signer.address();
        let fields = OrderFields {
            salt: self.salt,
            maker: address,
            signer: address,
            token: self.token,
            maker_amount: amounts.maker,
            taker_amount: amounts.taker,
            side: Side::Buy,
            signature_type: SignatureType::Eoa,
            timestamp_ms: 1_790_000_000_000 + self.salt,
            metadata: [0; 32],
            builder: [0; 32],
        };
        let order = PlaceOrder {
            id: self.wallet.hasher.digest(ExchangeKind::Ctf, &fields),
            fields,
            exchange: ExchangeKind::Ctf,
            order_type: OrderType::Gtc,
            post_only: false,
            expiration_s: 0,
            asset: MarketId(0).asset(Outcome::Yes),
            price,
            size,
            instance: InstanceId(0),
            intent: IntentId(self.salt),
            deadline_mono_ns: u64::MAX,
        };
        let signature = self.wallet.signer.sign_order(&self.wallet.hasher, &order);
        let credentials = &self.wallet.credentials;
        order_body(&order, &signature, credentials.api_key(), &mut self.body);
        self.headers.clear();
        credentials.write_headers(1_790_000_000, "POST", "/order", &self.body, &mut self.headers);
        black_box((&self.body, &self.headers));
    }
}

/// The bytes of a whole request, made once.
pub fn request() -> Vec<u8> {
    let (mut ours, mut bytes) = (Ours::new(), Vec::new());
    ours.order();
    oddsmith_net::http::write_request(&mut bytes, "POST", "/order", "127.0.0.1:1", &ours.headers, &ours.body);
    bytes
}

/// A server that answers the one question which the SDK asks before its first order: the protocol's version.
fn version_server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut writer = stream.try_clone().expect("a handle");
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    if line.is_empty() {
                        let body = r#"{"version":2}"#;
                        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length";
                        let _ = writer.write_all(format!("{head}: {}\r\n\r\n{body}", body.len()).as_bytes());
                    }
                }
            });
        }
    });
    url
}

struct Sdk {
    runtime: tokio::runtime::Runtime,
    client: Client<Authenticated<Normal>>,
    signer: PrivateKeySigner,
    token: U256,
}

impl Sdk {
    fn new() -> anyhow::Result<Sdk> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let signer = PrivateKeySigner::from_str(KEY)?.with_chain_id(Some(POLYGON));
        let credentials = sdk_auth::Credentials::new(API_KEY.parse()?, SECRET.into(), "benchmark".into());
        let client = Client::new(&version_server(), Config::default())?;
        let client =
            runtime.block_on(client.authentication_builder(&signer).credentials(credentials).authenticate())?;
        let token = U256::from_str(YES)?;
        client.set_tick_size(token, TickSize::Hundredth);
        client.set_fee_rate_bps(token, 0);
        client.set_neg_risk(token, false);
        let sdk = Sdk { runtime, client, signer, token };
        sdk.order()?;
        Ok(sdk)
    }

    /// The SDK's own steps up to the request. Its HMAC is private, so its code path is done again here, step by step.
    fn order(&self) -> anyhow::Result<()> {
        let signed = self.runtime.block_on(async {
            let order = self
                .client
                .limit_order()
                .order_type(SdkOrderType::GTC)
                .token_id(self.token)
                .side(SdkSide::Buy)
                .price(Decimal::new(50, 2))
                .size(Decimal::ONE_HUNDRED)
                .build()
                .await?;
            self.client.sign(&self.signer, order).await
        })?;
        let body = serde_json::to_vec(&signed)?;
        let text = String::from_utf8_lossy(&body).replace('\'', "\"");
        let message = format!("{}{}{}{text}", 1_790_000_000, "POST", "/order");
        let mut mac = Hmac::<Sha256>::new_from_slice(&URL_SAFE.decode(SECRET)?)?;
        mac.update(message.as_bytes());
        black_box((body, URL_SAFE.encode(mac.finalize().into_bytes())));
        Ok(())
    }
}

/// The bare recoverable signature of libsecp256k1: the floor under every order.
pub fn bare_signature() -> Work<'static> {
    let context = Secp256k1::new();
    let secret = SecretKey::from_byte_array([0x42; 32]).expect("a key");
    let mut digest = [7u8; 32];
    Box::new(move |times| {
        for _ in 0..times {
            digest[0] = digest[0].wrapping_add(1);
            let message = Message::from_digest(black_box(digest));
            black_box(context.sign_ecdsa_recoverable(message, &secret));
        }
    })
}

/// All benches of orders.
pub fn run(effort: Effort) -> anyhow::Result<Vec<Row>> {
    let (mut ours, sdk) = (Ours::new(), Sdk::new()?);
    let figures = race(
        effort,
        vec![
            ("oddsmith", Box::new(move |times| (0..times).for_each(|_| ours.order()))),
            ("bare libsecp256k1 signature", bare_signature()),
            (
                "official SDK",
                Box::new(move |times| (0..times).for_each(|_| sdk.order().expect("the SDK makes an order"))),
            ),
        ],
    );
    let bars = [Bar::at_most(1, 1.35, 1.15), Bar::faster(2, 2.3, 3.0)];
    let wallet = wallet();
    let mut digest = oddsmith_domain::OrderId([7; 32]);
    let signature = race(
        effort,
        vec![
            (
                "oddsmith",
                Box::new(move |times| {
                    for _ in 0..times {
                        digest.0[0] = digest.0[0].wrapping_add(1);
                        black_box(wallet.signer.sign(black_box(&digest)));
                    }
                }),
            ),
            ("bare libsecp256k1 signature", bare_signature()),
        ],
    );
    Ok(vec![
        Row::new("sign", "a digest to 65 bytes", signature, &[]),
        Row::new("whole order", "amounts, digest, signature, body, HMAC headers", figures, &bars),
    ])
}
