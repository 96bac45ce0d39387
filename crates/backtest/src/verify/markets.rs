//! The books of a recording, which names its markets only by using them.

use std::collections::HashMap;

use oddsmith_book::{HashCounts, HashPolicy, PairBook};
use oddsmith_domain::{AssetId, ConditionId, MarketCard, MarketId, Outcome, TokenId};
use oddsmith_polymarket::AssetTable;

use super::gaps::{Gaps, Track};

/// Books that are kept at once. A book takes some 0.4 MB; a recording of a year must not need more memory than one of a day.
const KEPT: usize = 512;

/// One market's book and what is noted of it.
pub(super) struct Market {
    pub book: PairBook,
    condition: ConditionId,
    tokens: [Option<TokenId>; 2],
    /// The tokens as the venue writes them; empty for one that was not seen yet.
    pub names: [String; 2],
    /// Whether the book is known to be whole: a snapshot came, or its best prices agreed once with the stated ones.
    pub whole: bool,
    /// Whether a batch waits for its end.
    pub waiting: bool,
    pub tracks: [Track; 2],
    last_used: u64,
}

/// All books, by the numbers that the decoder gives to their tokens.
#[derive(Default)]
pub(super) struct Markets {
    pub table: AssetTable,
    markets: Vec<Market>,
    by_condition: HashMap<ConditionId, Vec<usize>>,
    uses: u64,
    /// What the books that are no longer kept had counted.
    gone: Counted,
}

/// What books count by themselves.
#[derive(Clone, Copy, Default)]
pub(super) struct Counted {
    pub hashes: HashCounts,
    pub repaired: u64,
    pub dirty: u64,
}

impl Counted {
    fn add(&mut self, book: &PairBook) {
        let hashes = book.hash_counts();
        self.hashes.checked += hashes.checked;
        self.hashes.reproduced += hashes.reproduced;
        self.hashes.unverifiable += hashes.unverifiable;
        self.hashes.unfinished += hashes.unfinished;
        self.repaired += book.repaired();
        self.dirty += book.times_dirty();
    }
}

impl Markets {
    /// Makes the token known. The first token of a market that is seen is taken for its YES; which of the two it is makes no
    /// difference to what is verified. Texts that are no ids are left out: the decoder will say so.
    pub fn learn(&mut self, condition: &str, token: &str, gaps: &mut Gaps) {
        if self.table.lookup(token.as_bytes()).is_some() {
            return;
        }
        let (Ok(condition), Ok(token)) = (ConditionId::parse(condition), TokenId::parse(token)) else {
            return;
        };
        let known = self.by_condition.get(&condition).and_then(|all| all.iter().copied().find(|at| self.has_room(*at)));
        let at = match known {
            Some(at) => at,
            None => {
                if self.markets.len() >= KEPT {
                    self.forget_half(gaps);
                }
                self.add(condition, token);
                return;
            }
        };
        if let Some(market) = self.markets.get_mut(at) {
            market.tokens[1] = Some(token);
            market.names[1] = token.to_string();
            market.book.rename(condition, ids(at, market.tokens));
        }
        self.tell_decoder(at);
    }

    fn has_room(&self, at: usize) -> bool {
        self.markets.get(at).is_some_and(|market| market.tokens[1].is_none())
    }

    fn add(&mut self, condition: ConditionId, token: TokenId) {
        let at = self.markets.len();
        let tokens = [Some(token), None];
        let mut book = PairBook::without_card(condition, ids(at, tokens));
        book.set_hash_policy(HashPolicy::Every);
        let tracks = [Track::default(), Track::default()];
        let last_used = self.uses;
        let names = [token.to_string(), String::new()];
        self.markets.push(Market { book, condition, tokens, names, whole: false, waiting: false, tracks, last_used });
        self.by_condition.entry(condition).or_default().push(at);
        self.tell_decoder(at);
    }

    fn tell_decoder(&mut self, at: usize) {
        let (Some(market), Ok(number)) = (self.markets.get(at), u32::try_from(at)) else {
            return;
        };
        let card = MarketCard {
            condition: market.condition,
            slug: String::new(),
            question: String::new(),
            tokens: ids(at, market.tokens),
            outcomes: [String::new(), String::new()],
            tick: None,
            min_size: None,
            fee: None,
            end_wall_s: None,
            neg_risk: false,
            accepting_orders: false,
            taker_delay_ms: 0,
            settlement: Default::default(),
        };
        self.table.insert(MarketId(number), &card);
    }

    /// Lets go of the half that was not used for longest, with what it counted.
    fn forget_half(&mut self, gaps: &mut Gaps) {
        let mut markets = std::mem::take(&mut self.markets);
        markets.sort_by_key(|market| std::cmp::Reverse(market.last_used));
        for mut market in markets.split_off(KEPT / 2) {
            self.gone.add(finished(&mut market, gaps));
        }
        self.markets = markets;
        (self.table, self.by_condition) = (AssetTable::new(), HashMap::new());
        for at in 0..self.markets.len() {
            if let Some(market) = self.markets.get(at) {
                self.by_condition.entry(market.condition).or_default().push(at);
            }
            self.tell_decoder(at);
        }
    }

    /// The market of a token, marked as used.
    pub fn of(&mut self, asset: AssetId) -> Option<&mut Market> {
        self.uses += 1;
        let market = self.markets.get_mut(asset.market().index())?;
        market.last_used = self.uses;
        Some(market)
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Market> {
        self.markets.iter_mut()
    }

    /// Ends everything and sums up.
    pub fn finish(mut self, gaps: &mut Gaps) -> Counted {
        let mut counted = self.gone;
        for market in &mut self.markets {
            counted.add(finished(market, gaps));
        }
        counted
    }
}

fn finished<'m>(market: &'m mut Market, gaps: &mut Gaps) -> &'m PairBook {
    let unfinished = market.book.finish_batch();
    for outcome in Outcome::BOTH {
        let at = outcome.index();
        market.tracks[at].finish(&market.names[at], unfinished[at] > 0, gaps);
    }
    &market.book
}

/// Both tokens' ids. In the place of one that was not seen yet stands a number that is no token of the venue.
fn ids(at: usize, tokens: [Option<TokenId>; 2]) -> [TokenId; 2] {
    tokens.map(|token| {
        token.unwrap_or_else(|| {
            let mut bytes = [0xff; 32];
            bytes[24..].copy_from_slice(&(at as u64).to_be_bytes());
            TokenId::from_be_bytes(bytes)
        })
    })
}
