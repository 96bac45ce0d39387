//! Whether a book is sane enough to quote in.

use oddsmith_domain::{Denial, Price, Usdc};
use serde::{Deserialize, Serialize};

/// What a book must be like.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BookRules {
    /// The widest spread, in dollars per share.
    pub max_spread: Price,
    /// The least that other people's orders on the five best levels of each side must be worth, in dollars; 0 asks for nothing.
    pub min_depth_usdc: Usdc,
}

impl Default for BookRules {
    fn default() -> BookRules {
        BookRules { max_spread: Price::from_units(5_000).unwrap_or(Price::ONE), min_depth_usdc: Usdc::from_whole(5) }
    }
}

/// A market's book, as far as it matters to the limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BookStanding {
    /// Best bid and ask of YES.
    pub bid: Option<Price>,
    /// See `bid`.
    pub ask: Option<Price>,
    /// What other people's orders on the five best levels of the thinner side are worth.
    pub depth: Usdc,
    /// Whether it was proven current within the limit.
    pub fresh: bool,
}

impl BookRules {
    /// Whether an order may be built on this book. One that reduces only needs a current book.
    ///
    /// # Errors
    /// What is wrong with the book.
    pub fn check(&self, book: &BookStanding, reduces: bool) -> Result<(), Denial> {
        if !book.fresh {
            return Err(Denial::StaleBook);
        }
        if reduces {
            return Ok(());
        }
        let (Some(bid), Some(ask)) = (book.bid, book.ask) else { return Err(Denial::NoBook) };
        if ask.units().saturating_sub(bid.units()) > self.max_spread.units() {
            return Err(Denial::WideBook);
        }
        if book.depth < self.min_depth_usdc {
            return Err(Denial::ThinBook);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_denial_for_each_fault() {
        let price = |text: &str| Some(text.parse::<Price>().expect("price"));
        let good = BookStanding { bid: price("0.4"), ask: price("0.6"), depth: Usdc::from_whole(5), fresh: true };
        let rules = BookRules::default();
        assert_eq!(rules.check(&good, false), Ok(()));
        for (book, denial) in [
            (BookStanding { fresh: false, ..good }, Denial::StaleBook),
            (BookStanding { ask: None, ..good }, Denial::NoBook),
            (BookStanding { bid: price("0.09"), ..good }, Denial::WideBook),
            (BookStanding { depth: Usdc::from_whole(4), ..good }, Denial::ThinBook),
        ] {
            assert_eq!(rules.check(&book, false), Err(denial));
            assert_eq!(rules.check(&book, true).is_ok(), book.fresh);
        }
    }
}
