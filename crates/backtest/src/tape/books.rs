//! Files of whole books and trades of one token each, which only their names tell apart.
//!
//! `<asset>/orderbooks/<epoch>up.json` and `<epoch>down.json`, with `<asset>/trades/` beside, are taken for the two tokens of the
//! asset's fifteen-minute up/down market that begins at the epoch. Times of receipt are under `local_timestamp`.

use std::collections::VecDeque;
use std::path::Path;

use oddsmith_domain::{ConditionId, MarketCard, MarketSource, Price, Tick, Time, TokenId};
use serde::Deserialize;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::entry::Draft;
use super::roster::finer;
use super::table::named;
use super::{Reading, Source, TapeError};
use crate::recording::Recording;

/// How long such a market lasts, in seconds.
const LASTS_S: u64 = 900;

/// Whose books a file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    asset: String,
    epoch: u64,
    up: bool,
}

impl Name {
    /// Reads a path; `None` for one that does not follow the pattern.
    pub(super) fn of(path: &Path) -> Option<Name> {
        let stem = path.file_name()?.to_str()?.split('.').next()?;
        let (epoch, up) = match (stem.strip_suffix("up"), stem.strip_suffix("down")) {
            (Some(epoch), _) => (epoch, true),
            (_, Some(epoch)) => (epoch, false),
            _ => return None,
        };
        let asset = path.parent()?.parent()?.file_name()?.to_str()?.to_owned();
        Some(Name { asset, epoch: epoch.parse().ok().filter(|epoch| *epoch > 1_000_000_000)?, up })
    }

    fn slug(&self) -> String {
        format!("{}-updown-15m-{}", self.asset, self.epoch)
    }

    fn token(&self, up: bool) -> TokenId {
        TokenId::from_be_bytes(Sha256::digest(format!("{} {up}", self.slug())).into())
    }

    fn condition(&self) -> ConditionId {
        named(&[self.slug().as_bytes()])
    }

    fn card(&self, tick: Option<Tick>) -> MarketCard {
        MarketCard {
            condition: self.condition(),
            slug: self.slug(),
            question: String::new(),
            tokens: [self.token(true), self.token(false)],
            outcomes: ["Up".to_owned(), "Down".to_owned()],
            tick,
            min_size: None,
            fee: None,
            end_wall_s: Some(self.epoch + LASTS_S),
            neg_risk: false,
            accepting_orders: true,
            taker_delay_ms: 0,
            settlement: Default::default(),
        }
    }
}

/// One element of such a file: a book or a trade.
#[derive(Deserialize)]
struct Element<'e> {
    #[serde(borrow)]
    bids: Option<&'e RawValue>,
    #[serde(borrow)]
    asks: Option<&'e RawValue>,
    price: Option<String>,
    size: Option<String>,
    side: Option<String>,
    local_timestamp: String,
    timestamp: String,
}

#[derive(Deserialize)]
struct Level<'e> {
    price: &'e str,
}

/// Books or trades of one token.
pub(super) struct Books {
    recording: Recording,
    name: Name,
    tick: Option<Tick>,
    out: VecDeque<Draft>,
}

impl Books {
    pub(super) fn open(path: &Path) -> Result<Books, TapeError> {
        let name = Name::of(path).unwrap_or(Name { asset: String::new(), epoch: 0, up: true });
        Ok(Books { recording: Recording::open(path)?, name, tick: None, out: VecDeque::new() })
    }

    /// Frames of one element; `None` if it is neither a book nor a trade.
    fn element(&mut self, text: &str, reading: &mut Reading) -> Option<()> {
        let element: Element<'_> = serde_json::from_str(text).ok()?;
        let at = element.local_timestamp.parse::<u64>().ok()?.checked_mul(Time::MILLI)?;
        let timestamp = element.timestamp;
        let (condition, token) = (self.name.condition(), self.name.token(self.name.up));
        if let (Some(bids), Some(asks)) = (element.bids, element.asks) {
            let before = self.tick;
            for levels in [bids, asks] {
                for level in serde_json::from_str::<Vec<Level<'_>>>(levels.get()).ok()? {
                    let price = Price::parse(level.price.as_bytes()).ok()?;
                    self.tick = finer(self.tick, price).or(self.tick);
                }
            }
            match (before, self.tick) {
                (None, _) => {
                    reading.roster.state(&self.name.card(self.tick));
                }
                (Some(old), Some(new)) if old != new => self.emit(at, &format!(
                    r#"{{"event_type":"tick_size_change","market":"{condition}","asset_id":"{token}","old_tick_size":"{}","new_tick_size":"{}","timestamp":"{timestamp}"}}"#,
                    old.as_str(),
                    new.as_str(),
                )),
                _ => {}
            }
            let (bids, asks) = (bids.get(), asks.get());
            self.emit(at, &format!(
                r#"{{"event_type":"book","market":"{condition}","asset_id":"{token}","timestamp":"{timestamp}","bids":{bids},"asks":{asks}}}"#
            ));
            return Some(());
        }
        let (price, size, side) = (element.price?, element.size?, element.side?.to_ascii_uppercase());
        self.emit(at, &format!(
            r#"{{"event_type":"last_trade_price","market":"{condition}","asset_id":"{token}","price":"{price}","size":"{size}","side":"{side}","timestamp":"{timestamp}"}}"#
        ));
        Some(())
    }

    fn emit(&mut self, at_ns: u64, text: &str) {
        let mut draft = Draft::default();
        draft.frame(Some(at_ns), MarketSource::Shard(0), text.as_bytes());
        self.out.push_back(draft);
    }
}

impl Source for Books {
    fn next(&mut self, draft: &mut Draft, reading: &mut Reading) -> Result<bool, TapeError> {
        loop {
            if let Some(next) = self.out.pop_front() {
                *draft = next;
                return Ok(true);
            }
            let Some(piece) = self.recording.next_piece()? else { return Ok(false) };
            let text = std::str::from_utf8(piece.bytes).ok().filter(|_| !piece.clipped).map(str::to_owned);
            if text.and_then(|text| self.element(&text, reading)).is_none() {
                reading.counts.refused += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_whose_books_they_are() {
        let name = Name::of(Path::new("books/sol/orderbooks/1765450800up.json")).expect("a name");
        assert_eq!(name, Name { asset: "sol".to_owned(), epoch: 1_765_450_800, up: true });
        let down = Name::of(Path::new("books/sol/trades/1765450800down.json.gz")).expect("a name");
        assert_eq!((down.condition(), down.up), (name.condition(), false));
        assert_ne!(name.token(true), name.token(false));
        for path in ["up.json", "books/sol/orderbooks/1765450800.json", "a/b/12up.json"] {
            assert_eq!(Name::of(Path::new(path)), None, "{path}");
        }
    }
}
