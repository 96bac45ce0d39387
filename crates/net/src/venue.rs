//! The venue's REST surface as the side threads and the start of a run use it: keys, cards, books, the whole account.

use std::sync::Arc;
use std::time::Duration;

use oddsmith_domain::{
    AccountOrder, AccountPart, AccountSnapshot, AccountTrade, Activity, Address, AssetId, ConditionId, MarketCard,
    Omission, Price, Shares, SignatureType, TokenId, TokenOutcome, UnknownCause,
};
use oddsmith_polymarket::AssetTable;
use oddsmith_polymarket::auth::{Credentials, L1Headers};
use oddsmith_polymarket::codec::rest::{self, account, markets};
use oddsmith_polymarket::order::Signer;
use oddsmith_polymarket::wire::{ApiKeyCreds, BalanceAllowance, ClobMarket, FIRST_CURSOR, Market, OpenOrder, Trade};
use serde::de::DeserializeOwned;

use crate::http::{Answer, HttpClient, Transport};
use crate::{NetError, Target};

/// More pages than this are not a listing but a loop.
const MAX_PAGES: usize = 1_000;
/// So many entries that were not understood are named; the rest is counted.
const MAX_REJECTS: usize = 8;
const BALANCE: &str = "/balance-allowance";

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

    /// Every open order of the key: all of them, or what is missing.
    ///
    /// # Errors
    /// [`Omission`] names the page.
    pub fn open_orders(&mut self, table: &AssetTable) -> Result<Vec<AccountOrder>, Omission> {
        self.whole(AccountPart::Orders, "/data/orders?", |order: &OpenOrder| {
            account::open_order(order, table).map_err(|fault| fault.to_string())
        })
    }

    /// Open orders, trades since a time, and balances: all of it, or what is missing.
    ///
    /// # Errors
    /// [`Omission`] names the part and the page.
    pub fn account(
        &mut self,
        table: &AssetTable,
        tokens: &[(AssetId, TokenId)],
        trades_since_s: u64,
    ) -> Result<AccountSnapshot, Omission> {
        let Activity { orders, trades } = self.activity(table, trades_since_s)?;
        let read = self.balance("asset_type=COLLATERAL");
        let balance = read.and_then(|b| account::collateral(&b).map_err(|fault| undecodable(BALANCE, fault)));
        let collateral = balance.map_err(|error| omission(AccountPart::Collateral, 1, &error, Vec::new()))?;
        let mut held: Vec<(AssetId, Shares)> = Vec::with_capacity(tokens.len());
        for (asset, token) in tokens {
            let read = self.balance(&format!("asset_type=CONDITIONAL&token_id={token}"));
            let shares = read.and_then(|b| account::token_balance(&b).map_err(|fault| undecodable(BALANCE, fault)));
            held.push((*asset, shares.map_err(|error| omission(AccountPart::Token(*asset), 1, &error, Vec::new()))?));
        }
        Ok(AccountSnapshot { orders, trades, collateral, tokens: held })
    }

    /// Open orders and trades since a time: all of them, or what is missing.
    ///
    /// # Errors
    /// As [`Venue::account`].
    pub fn activity(&mut self, table: &AssetTable, trades_since_s: u64) -> Result<Activity, Omission> {
        let orders = self.open_orders(table)?;
        // `after` may or may not include its own second: ask for one more, and leave out what is too old ourselves.
        let path = format!("/data/trades?after={}&", trades_since_s.saturating_sub(1));
        let mut trades: Vec<AccountTrade> = self.whole(AccountPart::Trades, &path, |trade: &Trade| {
            account::trade(trade, table).map_err(|fault| fault.to_string())
        })?;
        trades.retain(|trade| trade.match_time_s == 0 || trade.match_time_s >= trades_since_s);
        Ok(Activity { orders, trades })
    }

    /// What a YES share of a market pays; `None` while it is not decided.
    ///
    /// # Errors
    /// [`NetError`].
    pub fn resolution(&mut self, condition: &ConditionId) -> Result<Option<Price>, NetError> {
        let market: Market = self.get_json(&format!("/markets/{condition}"), "a market", false)?;
        Ok(markets::resolution(&market))
    }

    /// Turns so many pairs of a market's tokens into collateral, or, without a number, all tokens of a decided market.
    ///
    /// The exchange of the desk does it on request. The live venue has no such request: there a conversion is a transaction on
    /// the chain, which this client does not make, and the answer is a refusal.
    pub fn convert(&mut self, account: Address, slug: &str, pairs: Option<Shares>) -> TokenOutcome {
        let (path, amount) = match pairs {
            Some(pairs) => ("/control/merge", format!(r#","amount":"{pairs}""#)),
            None => ("/control/redeem", String::new()),
        };
        self.ask_for_tokens(path, &format!(r#"{{"address":"{account}","market":"{slug}"{amount}}}"#))
    }

    /// Turns so many NO of the markets of some outcomes of an event into collateral and YES of all its others, where the venue is the
    /// exchange of the desk. It refuses if the markets are not the whole event.
    pub fn convert_event(
        &mut self,
        account: Address,
        from: &[String],
        into: &[String],
        shares: Shares,
    ) -> TokenOutcome {
        let list = |slugs: &[String]| slugs.iter().map(|slug| format!("\"{slug}\"")).collect::<Vec<_>>().join(",");
        let (from, into) = (list(from), list(into));
        let body = format!(r#"{{"address":"{account}","markets":[{from}],"others":[{into}],"amount":"{shares}"}}"#);
        self.ask_for_tokens("/control/convert", &body)
    }

    fn ask_for_tokens(&mut self, path: &str, body: &str) -> TokenOutcome {
        let headers = b"Content-Type: application/json\r\n";
        match self.http.request("POST", path, headers, body.as_bytes()) {
            Ok(answer) if (200..300).contains(&answer.status) => TokenOutcome::Done,
            Ok(answer) if (400..500).contains(&answer.status) => {
                let text: String = String::from_utf8_lossy(&answer.body).chars().take(200).collect();
                TokenOutcome::Refused(format!("status {}: {text}", answer.status))
            }
            Ok(answer) => TokenOutcome::Unknown(UnknownCause::Status(answer.status)),
            Err(error) => match cause_of(&error) {
                UnknownCause::NoConnection => TokenOutcome::NotSent(UnknownCause::NoConnection),
                cause => TokenOutcome::Unknown(cause),
            },
        }
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

    /// All pages of a listing, each entry of them understood, or what is missing: half of the truth about an account is none.
    fn whole<W: DeserializeOwned, T>(
        &mut self,
        part: AccountPart,
        path: &str,
        read: impl Fn(&W) -> Result<T, String>,
    ) -> Result<Vec<T>, Omission> {
        let mut items = Vec::new();
        let mut cursor = FIRST_CURSOR.to_owned();
        for number in 1..=MAX_PAGES {
            let missing = |error: &NetError, rejects| omission(part, number, error, rejects);
            let url = format!("{path}next_cursor={}", escaped(&cursor));
            let page = self.get(&url, true).and_then(|body| {
                rest::decode_listing::<W>("an entry of the account", &body).map_err(|fault| undecodable(path, fault))
            });
            let page = page.map_err(|error| missing(&error, Vec::new()))?;
            let mut rejects: Vec<String> = page.faults.iter().map(ToString::to_string).collect();
            for item in &page.items {
                match read(item) {
                    Ok(item) => items.push(item),
                    Err(why) => rejects.push(why),
                }
            }
            if !rejects.is_empty() {
                return Err(missing(&undecodable(path, "entries that are not understood"), rejects));
            }
            match page.next_cursor {
                None => return Ok(items),
                Some(next) if next == cursor => break,
                Some(next) => cursor = next,
            }
        }
        Err(omission(part, MAX_PAGES, &undecodable(path, "its pages do not end"), Vec::new()))
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

/// What a read of the account lacks. Of the entries that were not understood, the first few are kept.
fn omission(part: AccountPart, page: usize, error: &NetError, mut rejects: Vec<String>) -> Omission {
    let rejected = u32::try_from(rejects.len()).unwrap_or(u32::MAX);
    rejects.truncate(MAX_REJECTS);
    Omission { part, page: u32::try_from(page).unwrap_or(u32::MAX), cause: cause_of(error), rejected, rejects }
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
