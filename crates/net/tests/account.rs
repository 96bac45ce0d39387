//! The account is read whole, or what is missing is named.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use oddsmith_domain::{AccountPart, AssetId, MarketId, Omission, Outcome, Shares, TokenId, TokenOutcome, UnknownCause};
use oddsmith_net::http::{Answer, Transport};
use oddsmith_net::{NetError, Venue};
use oddsmith_polymarket::AssetTable;

/// Answers by the beginning of the path; what it was asked is kept.
#[derive(Clone, Default)]
struct Desk {
    answers: BTreeMap<String, (u16, String)>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Desk {
    fn says(mut self, path: &str, status: u16, body: &str) -> Desk {
        self.answers.insert(path.to_owned(), (status, body.to_owned()));
        self
    }

    fn venue(&self) -> Venue {
        Venue::over(Box::new(self.clone()))
    }
}

impl Transport for Desk {
    fn request(&mut self, method: &str, path: &str, _: &[u8], body: &[u8]) -> Result<Answer, NetError> {
        let line = format!("{method} {path} {}", String::from_utf8_lossy(body));
        self.asked.lock().expect("one thread").push(line);
        let found = self.answers.iter().rev().find(|(start, _)| path.starts_with(start.as_str()));
        let (status, body) = found.map_or((404, String::new()), |(_, answer)| answer.clone());
        Ok(Answer { status, body: body.into_bytes() })
    }

    fn now_s(&self) -> u64 {
        1_790_000_000
    }
}

fn order(n: u8, price: &str) -> String {
    format!(
        r#"{{"id":"0x{n:064x}","status":"LIVE","owner":"o","maker_address":"0x","market":"0xab","asset_id":"1","side":"BUY","original_size":"10","size_matched":"0","price":"{price}","associate_trades":[],"outcome":"Yes","created_at":1760000000,"expiration":"0","order_type":"GTC"}}"#
    )
}

fn page(items: &[String], next: &str) -> String {
    format!(r#"{{"limit":100,"count":{},"next_cursor":"{next}","data":[{}]}}"#, items.len(), items.join(","))
}

fn balance(digits: &str) -> String {
    format!(r#"{{"balance":"{digits}","allowances":{{}}}}"#)
}

/// A venue whose account holds two pages of orders, no match, and ten dollars.
fn whole() -> Desk {
    Desk::default()
        .says("/data/orders?next_cursor=MA", 200, &page(&[order(1, "0.5")], "Mg=="))
        .says("/data/orders?next_cursor=Mg", 200, &page(&[order(2, "0.4")], "LTE="))
        .says("/data/trades", 200, &page(&[], "LTE="))
        .says("/balance-allowance?asset_type=COLLATERAL", 200, &balance("10000000"))
        .says("/balance-allowance?asset_type=CONDITIONAL", 200, &balance("7500000"))
}

fn token() -> (AssetId, TokenId) {
    (MarketId(0).asset(Outcome::No), TokenId::from_be_bytes([5; 32]))
}

fn read(desk: &Desk) -> Result<(usize, Vec<(AssetId, Shares)>), Omission> {
    let snapshot = desk.venue().account(&AssetTable::new(), &[token()], 1_789_000_000)?;
    Ok((snapshot.orders.len(), snapshot.tokens))
}

#[test]
fn a_whole_account_is_read_over_all_its_pages() {
    let held = (token().0, "7.5".parse().expect("shares"));
    assert_eq!(read(&whole()), Ok((2, vec![held])));
}

#[test]
fn what_is_missing_is_named_with_its_part_page_and_cause() {
    let missing = |desk: Desk| read(&desk).expect_err("not whole");
    let broken = missing(whole().says("/data/trades", 500, "oops"));
    assert_eq!((broken.part, broken.page, broken.cause), (AccountPart::Trades, 1, UnknownCause::Status(500)));

    let rejected = [order(2, "much"), order(3, "0.3"), r#"{"id":7}"#.to_owned()];
    let rejected = missing(whole().says("/data/orders?next_cursor=Mg", 200, &page(&rejected, "LTE=")));
    assert_eq!((rejected.part, rejected.page, rejected.rejected), (AccountPart::Orders, 2, 2));
    assert_eq!(rejected.cause, UnknownCause::Undecodable);
    assert!(rejected.rejects.iter().any(|why| why.contains("price")), "{:?}", rejected.rejects);

    let many: Vec<String> = (0..30).map(|n| order(n, "much")).collect();
    let many = missing(whole().says("/data/orders?next_cursor=Mg", 200, &page(&many, "LTE=")));
    assert!(many.rejected == 30 && many.rejects.len() < 10, "counted, and a few of them kept: {many:?}");

    let endless = missing(whole().says("/data/orders?next_cursor=Mg", 200, &page(&[], "Mg==")));
    assert_eq!((endless.part, endless.cause), (AccountPart::Orders, UnknownCause::Undecodable));

    let unit = missing(whole().says("/balance-allowance?asset_type=CONDITIONAL", 200, &balance("7.5")));
    assert_eq!(unit.part, AccountPart::Token(token().0));
    let unit = missing(whole().says("/balance-allowance?asset_type=COLLATERAL", 429, "slow down"));
    assert_eq!((unit.part, unit.cause), (AccountPart::Collateral, UnknownCause::Status(429)));
}

#[test]
fn a_conversion_is_done_refused_or_unknown() {
    let account = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266".parse().expect("an address");
    let shares = "2.5".parse().expect("shares");
    let pairs = Some(shares);
    let desk =
        Desk::default().says("/control/merge", 200, "{}").says("/control/redeem", 409, "the market is not resolved");
    assert_eq!(desk.venue().convert(account, "slug", pairs), TokenOutcome::Done);
    let refused = desk.venue().convert(account, "slug", None);
    assert!(matches!(refused, TokenOutcome::Refused(why) if why.contains("not resolved")));
    let asked = desk.asked.lock().expect("one thread").clone();
    assert!(asked[0].starts_with("POST /control/merge") && asked[0].contains(r#""amount":"2.5""#), "{asked:?}");
    let slugs = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let (from, into) = (slugs(&["a", "b"]), slugs(&["c"]));
    let desk = Desk::default().says("/control/convert", 200, "{}");
    assert_eq!(desk.venue().convert_event(account, &from, &into, shares), TokenOutcome::Done);
    let asked = desk.asked.lock().expect("one thread").clone();
    assert!(asked[0].contains(r#""markets":["a","b"],"others":["c"],"amount":"2.5""#), "{asked:?}");
    let elsewhere = Desk::default().venue().convert_event(account, &from, &into, shares);
    assert!(matches!(elsewhere, TokenOutcome::Refused(_)), "nothing like it is spoken by the live venue");
    let elsewhere = Desk::default().venue().convert(account, "slug", pairs);
    assert!(matches!(elsewhere, TokenOutcome::Refused(_)), "a venue without such a request");
    let broken = Desk::default().says("/control", 502, "").venue().convert(account, "slug", pairs);
    assert_eq!(broken, TokenOutcome::Unknown(UnknownCause::Status(502)));
}
