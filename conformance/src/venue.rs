//! Where the exchange is, its markets, and clients for its accounts.

use std::str::FromStr as _;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use alloy::signers::Signer as _;
use alloy::signers::local::PrivateKeySigner;
use anyhow::Context as _;
use polymarket_client_sdk_v2::POLYGON;
use polymarket_client_sdk_v2::auth::Normal;
use polymarket_client_sdk_v2::auth::state::Authenticated;
use polymarket_client_sdk_v2::clob::types::request::{BalanceAllowanceRequest, TradesRequest};
use polymarket_client_sdk_v2::clob::types::response::{OpenOrderResponse, PostOrderResponse, TradeResponse};
use polymarket_client_sdk_v2::clob::types::{AssetType, OrderType, Side, SignatureType, TradeStatusType};
use polymarket_client_sdk_v2::clob::{Client, Config};
use polymarket_client_sdk_v2::types::{Address, B256, Decimal, U256};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Public development keys: accounts 0 to 9 of the mnemonic that the exchange names.
const SECRETS: [&str; 10] = [
    "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
    "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
    "0x5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a",
    "0x7c852118294e51e653712a81e05800f419141751be58f605c371e15141b007a6",
    "0x47e179ec197488593b187f80a00eb0da91f1b9d0b13f8733639f19c30a34926a",
    "0x8b3a350cf5c34c9194ca85829a2df0ec3153be0318b5e2d3348e872092edffba",
    "0x92db14e403b83dfe3df233f83dfa3a0d7096f21ca9b0d6d6b8d88b2b4ec1564e",
    "0x4bbbf85ce3377467afe5d46f804f221813b2bb87f24d81f60f1fcdbf7cbf4356",
    "0xdbda1821b80551c9d65939329250298aa3472ba22feea921c0cf5d620ea67b97",
    "0x2a871d0798f97d79848a013d4936a73bf4cc922c825d33c1cf7073dff6d409c6",
];

static NEXT_NONCE: AtomicU32 = AtomicU32::new(100);

/// A market of the exchange's line.
#[derive(Clone)]
pub struct Market {
    pub slug: String,
    pub condition: B256,
    pub condition_text: String,
    pub yes: U256,
    pub no: U256,
}

/// Everything that the line says.
pub struct Venue {
    pub clob: String,
    pub gamma: String,
    pub data: String,
    pub ws: String,
    host: String,
    pub markets: Vec<Market>,
}

/// A client with its account.
pub struct Trader {
    pub client: Client<Authenticated<Normal>>,
    pub signer: PrivateKeySigner,
}

pub fn signer(index: usize) -> anyhow::Result<PrivateKeySigner> {
    Ok(PrivateKeySigner::from_str(SECRETS[index])?.with_chain_id(Some(POLYGON)))
}

pub fn decimal(text: &str) -> Decimal {
    text.parse().expect("a number in this program's own text")
}

impl Venue {
    pub fn read(info: &Value) -> anyhow::Result<Venue> {
        let url =
            |name: &str| info["urls"][name].as_str().map(str::to_owned).with_context(|| format!("no URL named {name}"));
        let clob = url("clob")?;
        let host = clob.strip_prefix("http://").context("plain http")?.to_owned();
        let markets = info["markets"].as_array().context("no markets")?.iter().map(market).collect::<Result<_, _>>()?;
        Ok(Venue { clob, gamma: url("gamma")?, data: url("data")?, ws: url("ws")?, host, markets })
    }

    /// The market in which nobody trades by himself.
    pub fn quiet(&self) -> Market {
        self.markets.iter().find(|market| market.slug.starts_with("quiet-")).expect("a quiet market").clone()
    }

    /// A market with simulated traders.
    pub fn lively(&self) -> Market {
        self.markets.iter().find(|market| !market.slug.starts_with("quiet-")).expect("a lively market").clone()
    }

    pub fn reader(&self) -> anyhow::Result<Client> {
        Ok(Client::new(&self.clob, Config::default())?)
    }

    /// A client of an account, with a key of its own: the SDK sends heartbeats from the start, and those of a client that
    /// is gone must not cancel the orders of the next one.
    pub async fn trader(&self, index: usize) -> anyhow::Result<Trader> {
        let signer = signer(index)?;
        let nonce = NEXT_NONCE.fetch_add(1, Ordering::Relaxed);
        let client = self.reader()?.authentication_builder(&signer).nonce(nonce).authenticate().await?;
        Ok(Trader { client, signer })
    }

    /// A client that trades through a wallet.
    pub async fn wallet(&self, index: usize, kind: SignatureType, funder: Option<Address>) -> anyhow::Result<Trader> {
        let signer = signer(index)?;
        let reader = self.reader()?;
        let builder = reader.authentication_builder(&signer).signature_type(kind);
        let builder = match funder {
            Some(funder) => builder.funder(funder),
            None => builder,
        };
        let client = builder.authenticate().await?;
        Ok(Trader { client, signer })
    }

    /// A command to the exchange itself.
    pub async fn control(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let body = body.to_string();
        let mut stream = tokio::net::TcpStream::connect(&self.host).await?;
        let head = format!(
            "POST /control/{path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
            self.host,
            body.len()
        );
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(body.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        let (head, body) = answer.split_once("\r\n\r\n").context("no answer")?;
        anyhow::ensure!(head.starts_with("HTTP/1.1 200"), "{path}: {answer}");
        Ok(serde_json::from_str(body)?)
    }
}

pub fn market(value: &Value) -> anyhow::Result<Market> {
    let text = |value: &Value| value.as_str().map(str::to_owned).context("a text");
    let condition_text = text(&value["condition"])?;
    Ok(Market {
        slug: text(&value["slug"])?,
        condition: condition_text.parse().context("a condition of 32 bytes")?,
        condition_text,
        yes: text(&value["tokens"][0])?.parse()?,
        no: text(&value["tokens"][1])?.parse()?,
    })
}

impl Trader {
    /// Places a limit order.
    pub async fn limit(
        &self,
        token: U256,
        side: Side,
        price: &str,
        size: &str,
        order_type: OrderType,
        post_only: bool,
    ) -> anyhow::Result<PostOrderResponse> {
        let order = self.client.limit_order().token_id(token).side(side).price(decimal(price)).size(decimal(size));
        let order = order.order_type(order_type).post_only(post_only);
        Ok(order.build_sign_and_post(&self.signer).await?)
    }

    /// A limit order that rests if it can.
    pub async fn rest(&self, token: U256, side: Side, price: &str, size: &str) -> anyhow::Result<PostOrderResponse> {
        self.limit(token, side, price, size, OrderType::GTC, false).await
    }

    /// Collateral in millionths.
    pub async fn cash(&self) -> anyhow::Result<Decimal> {
        Ok(self.client.balance_allowance(BalanceAllowanceRequest::default()).await?.balance)
    }

    /// Shares of a token in millionths.
    pub async fn shares(&self, token: U256) -> anyhow::Result<Decimal> {
        let request = BalanceAllowanceRequest::builder().asset_type(AssetType::Conditional).token_id(token).build();
        Ok(self.client.balance_allowance(request).await?.balance)
    }

    pub async fn order(&self, id: &str) -> anyhow::Result<OpenOrderResponse> {
        Ok(self.client.order(id).await?)
    }

    /// A match, once it is final.
    pub async fn settled(&self, trade: &str) -> anyhow::Result<TradeResponse> {
        self.trade_in(trade, &[TradeStatusType::Confirmed]).await
    }

    /// A match, once it has moved balances.
    pub async fn mined(&self, trade: &str) -> anyhow::Result<TradeResponse> {
        self.trade_in(trade, &[TradeStatusType::Mined, TradeStatusType::Confirmed]).await
    }

    async fn trade_in(&self, trade: &str, states: &[TradeStatusType]) -> anyhow::Result<TradeResponse> {
        let request = TradesRequest::builder().id(trade).build();
        loop {
            let page = self.client.trades(&request, None).await?;
            let found = page.data.into_iter().find(|found| found.id == trade);
            if let Some(found) = found.filter(|found| states.contains(&found.status)) {
                return Ok(found);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// The text of a refusal.
pub fn refusal<T>(result: anyhow::Result<T>) -> anyhow::Result<String> {
    match result {
        Ok(_) => anyhow::bail!("was not refused"),
        Err(error) => Ok(format!("{error:#}")),
    }
}
