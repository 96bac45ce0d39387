//! The venue's REST surface as the side threads and the start of a run use it: keys, cards, books, the whole account.

use std::sync::Arc;
use std::time::Duration;

use oddsmith_domain::{
    AccountOrder, AccountSnapshot, AccountTrade, AssetId, MarketCard, Shares, SignatureType, TokenId, UnknownCause,
};
use oddsmith_polymarket::AssetTable;
use oddsmith_polymarket::auth::{Credentials, L1Headers};
use oddsmith_polymarket::codec::rest::{self, account, markets};
use oddsmith_polymarket::order::Signer;
use oddsmith_polymarket::wire::{
    ApiKeyCreds, BalanceAllowance, ClobMarket, FIRST_CURSOR, Market, OpenOrder, Page, Trade,
};
use serde::de::DeserializeOwned;

use crate::http::{Answer, HttpClient, Transport};
use crate::{NetError, Target};

/// More pages than this are not a listing but a loop.
const MAX_PAGES: usize = 1_000;

/// A blocking client of the venue.
pub struct Venue {
    http: Box<dyn Transport>,
    credentials: Option<Arc<Credentials>>,
    signature_type: SignatureType,
}

impl std::fmt::Debug for Venue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Venue").field("credentials", &self.credentials).finish_non_exhaustive()
    }
}

impl Venue {
    /// A client that knows no key: public reads only.
    #[must_use]
    pub fn new(target: Target, timeout: Duration) -> Venue {
        Venue::over(Box::new(HttpClient::new(target, timeout)))
    }

    /// A client whose requests travel in another way.
    #[must_use]
    pub fn over(http: Box<dyn Transport>) -> Venue {
        Venue { http, credentials: None, signature_type: SignatureType::Eoa }
    }

    /// The same client with an API key.
    #[must_use]
    pub fn with_credentials(mut self, credentials: Arc<Credentials>) -> Venue {
        self.credentials = Some(credentials);
        self
    }

    /// The same client for the account that orders of this signature type are paid from: its balances are read.
    #[must_use]
    pub fn for_payer(mut self, signature_type: SignatureType) -> Venue {
        self.signature_type = signature_type;
        self
    }

    /// The protocol version that the venue speaks.
    ///
    /// # Errors
    /// [`NetError`].
    pub fn protocol(&mut self) -> Result<rest::Protocol, NetError> {
        let body = self.get("/version", false)?;
        rest::protocol(&body).map_err(|fault| undecodable("/version", fault))
    }

    /// Creates the wallet's API key, or finds it again if it exists.
    ///
    /// # Errors
    /// [`NetError`] of the second attempt.
    pub fn api_key(&mut self, signer: &Signer, chain_id: u64) -> Result<ApiKeyCreds, NetError> {
        let now_s = self.http.now_s();
        let headers = |signer: &Signer| {
            let lines = L1Headers::sign(signer, chain_id, now_s, 0).pairs;
            lines.map(|(name, value)| format!("{name}: {value}\r\n")).concat().into_bytes()
        };
        let created = self.http.request("POST", "/auth/api-key", &headers(signer), b"").and_then(expect_ok);
        let body = match created {
            Ok(body) => body,
            Err(_) => self.http.request("GET", "/auth/derive-api-key", &headers(signer), b"").and_then(expect_ok)?,
        };
        decode("/auth/derive-api-key", "an API key", &body)
    }

    /// The cards of all markets that the exchange itself lists and that take orders. One that is not understood is left out, with the
    /// reason in the log.
    ///
    /// # Errors
    /// [`NetError`] when a page could not be read.
    pub fn cards(&mut self) -> Result<Vec<MarketCard>, NetError> {
        let mut cards = Vec::new();
        let mut cursor = FIRST_CURSOR.to_owned();
        for _ in 0..MAX_PAGES {
            let path = format!("/markets?next_cursor={}", escaped(&cursor));
            let body = self.get(&path, false)?;
            let page =
                rest::decode_listing::<Market>("a market", &body).map_err(|fault| undecodable("/markets", fault))?;
            for market in page.items.iter().filter(|market| market.accepting_orders && !market.closed) {
                let listed = markets::market_card(market).map_err(|fault| undecodable("/markets", fault));
                match listed.and_then(|card| self.refined(card)) {
                    Ok(card) => cards.push(card),
                    Err(why) => tracing::warn!(market = market.market_slug, %why, "a market without a usable card"),
                }
            }
            match page.next_cursor {
                Some(next) if next != cursor => cursor = next,
                _ => break,
            }
        }
        Ok(cards)
    }

    /// A listed card with the exchange's own parameters, fees included.
    ///
    /// # Errors
    /// [`NetError`].
    pub fn refined(&mut self, card: MarketCard) -> Result<MarketCard, NetError> {
        let path = format!("/clob-markets/{}", card.condition);
        let compact: ClobMarket = self.get_json(&path, "a market's parameters", false)?;
        markets::refine(card, &compact).map_err(|fault| undecodable(&path, fault))
    }

    /// The book of a token, as the bytes that the venue sent.
    ///
    /// # Errors
    /// [`NetError`].
    pub fn book(&mut self, token: &TokenId) -> Result<Vec<u8>, NetError> {
        self.get(&format!("/book?token_id={token}"), false)
    }

    /// Every open order of the key: all of them, or an error.
    ///
    /// # Errors
    /// [`NetError`].
    pub fn open_orders(&mut self, table: &AssetTable) -> Result<Vec<AccountOrder>, NetError> {
        let listed: Vec<OpenOrder> = self.pages("/data/orders", "?", "an open order")?;
        let orders = listed.iter().map(|order| account::open_order(order, table));
        orders.collect::<Result<Vec<_>, _>>().map_err(|fault| undecodable("/data/orders", fault))
    }

    /// Open orders, trades since a time, and balances: all of it, or an error.
    ///
    /// # Errors
    /// [`NetError`].
    pub fn account(
        &mut self,
        table: &AssetTable,
        tokens: &[(AssetId, TokenId)],
        trades_since_s: u64,
    ) -> Result<AccountSnapshot, NetError> {
        let orders = self.open_orders(table)?;
        // `after` may or may not include its own second: ask for one more, and leave out what is too old ourselves.
        let query = format!("?after={}&", trades_since_s.saturating_sub(1));
        let listed: Vec<Trade> = self.pages("/data/trades", &query, "a trade")?;
        let trades = listed.iter().map(|trade| account::trade(trade, table));
        let trades = trades.collect::<Result<Vec<_>, _>>().map_err(|fault| undecodable("/data/trades", fault))?;
        let is_recent = |trade: &AccountTrade| trade.match_time_s == 0 || trade.match_time_s >= trades_since_s;
        let trades = trades.into_iter().filter(is_recent).collect();
        let balance = self.balance("asset_type=COLLATERAL")?;
        let collateral = account::collateral(&balance).map_err(|fault| undecodable("/balance-allowance", fault))?;
        let mut held: Vec<(AssetId, Shares)> = Vec::with_capacity(tokens.len());
        for (asset, token) in tokens {
            let balance = self.balance(&format!("asset_type=CONDITIONAL&token_id={token}"))?;
            let shares = account::token_balance(&balance).map_err(|fault| undecodable("/balance-allowance", fault))?;
            held.push((*asset, shares));
        }
        Ok(AccountSnapshot { orders, trades, collateral, tokens: held })
    }

    /// Cancels everything under the key, outside of the engine: the last resort of an end that went wrong.
    ///
    /// # Errors
    /// [`NetError`].
    pub fn cancel_all(&mut self) -> Result<(), NetError> {
        let headers = self.authentication("DELETE", "/cancel-all");
        self.http.request("DELETE", "/cancel-all", &headers, b"").and_then(expect_ok).map(|_| ())
    }

    fn balance(&mut self, query: &str) -> Result<BalanceAllowance, NetError> {
        let kind = self.signature_type as u8;
        self.get_json(&format!("/balance-allowance?{query}&signature_type={kind}"), "a balance", true)
    }

    /// All pages of a listing, or an error: half of the truth about orders is none.
    fn pages<T: DeserializeOwned>(&mut self, path: &str, query: &str, what: &'static str) -> Result<Vec<T>, NetError> {
        let mut items = Vec::new();
        let mut cursor = FIRST_CURSOR.to_owned();
        for _ in 0..MAX_PAGES {
            let page: Page<T> = self.get_json(&format!("{path}{query}next_cursor={}", escaped(&cursor)), what, true)?;
            let last = page.is_last();
            items.extend(page.data);
            if last {
                return Ok(items);
            }
            if page.next_cursor == cursor {
                break;
            }
            cursor = page.next_cursor;
        }
        Err(NetError::Undecodable { what: path.to_owned(), why: "its pages do not end".into() })
    }

    fn get_json<T: DeserializeOwned>(&mut self, path: &str, what: &'static str, signed: bool) -> Result<T, NetError> {
        let body = self.get(path, signed)?;
        decode(path, what, &body)
    }

    fn get(&mut self, path: &str, signed: bool) -> Result<Vec<u8>, NetError> {
        let headers = if signed { self.authentication("GET", path) } else { Vec::new() };
        self.http.request("GET", path, &headers, b"").and_then(expect_ok)
    }

    fn authentication(&self, method: &str, path: &str) -> Vec<u8> {
        let mut headers = Vec::new();
        if let Some(credentials) = &self.credentials {
            credentials.write_headers(self.http.now_s(), method, path, b"", &mut headers);
        }
        headers
    }
}

/// What an error of a read means for the action that wanted it.
#[must_use]
pub const fn cause_of(error: &NetError) -> UnknownCause {
    match error {
        NetError::Timeout => UnknownCause::Timeout,
        NetError::Status { status, .. } => UnknownCause::Status(*status),
        NetError::Undecodable { .. } | NetError::Http(_) => UnknownCause::Undecodable,
        NetError::Io(_) => UnknownCause::Broken,
        NetError::Address(_) | NetError::Encrypted(_) | NetError::NotLoopback(_) | NetError::Handshake(_) => {
            UnknownCause::NoConnection
        }
    }
}

fn decode<T: DeserializeOwned>(path: &str, what: &'static str, body: &[u8]) -> Result<T, NetError> {
    rest::decode(what, body).map(|decoded| decoded.value).map_err(|fault| undecodable(path, fault))
}

fn undecodable(path: &str, why: impl ToString) -> NetError {
    NetError::Undecodable { what: path.to_owned(), why: why.to_string() }
}

fn expect_ok(answer: Answer) -> Result<Vec<u8>, NetError> {
    if (200..300).contains(&answer.status) {
        return Ok(answer.body);
    }
    let text = String::from_utf8_lossy(&answer.body).chars().take(200).collect();
    Err(NetError::Status { status: answer.status, text })
}

/// A cursor is base64: of its characters only three mean something else in a query.
fn escaped(cursor: &str) -> String {
    cursor.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D")
}
