//! How a market is decided, read from the venue's fields and its text (protocol section 9.8, quant 3.1).
//!
//! Since August 2026 five-minute, fifteen-minute and four-hour up/down markets are decided by an average of sixty seconds of a Chainlink
//! stream, hourly ones by Binance's candles; before that all short ones by single prints of a stream. Which of these a market follows is
//! read from its own fields and never from its length. Where fields and text do not agree, or say something that is not known here, the
//! rule is refused, and nothing is quoted by it.

use oddsmith_domain::{ReferencePrice, RuleRefusal, Settlement, SettlementFeed, Symbol, UpDownRule};

/// The longest average that makes sense, in seconds.
const LONGEST_AVERAGE_S: u32 = 3_600;

/// What the venue says of how a market is decided.
#[derive(Clone, Debug, Default)]
pub struct Said<'a> {
    /// The question.
    pub question: &'a str,
    /// The rules in words.
    pub description: &'a str,
    /// Where the truth is read: an address.
    pub source: &'a str,
    /// The names of the outcomes.
    pub outcomes: [&'a str; 2],
    /// When the window begins, in seconds since the Unix epoch.
    pub start_s: Option<u64>,
    /// When it ends.
    pub end_s: Option<u64>,
    /// The flags of the average, where the venue states them: whether there is one, and over how many seconds.
    pub average: Option<(bool, Option<u32>)>,
    /// The price to beat, as a decimal text.
    pub strike: Option<&'a str>,
}

/// How a market is decided.
#[must_use]
pub fn settlement(said: &Said<'_>) -> Settlement {
    let source = said.source.to_ascii_lowercase();
    let chainlink = source.contains("data.chain.link/streams/");
    let binance = source.contains("binance.com/");
    if !(chainlink || binance || said.outcomes == ["Up", "Down"]) {
        return if said.description.is_empty() {
            Settlement::Unstated
        } else {
            Settlement::Words { clear: is_clear(said.question, said.description) }
        };
    }
    let rule = match (chainlink, binance) {
        (true, _) => by_stream(said, &source),
        (_, true) => by_candle(said, &source),
        _ => Err(RuleRefusal::UnknownSource),
    };
    match rule {
        Ok(rule) => Settlement::UpDown(rule),
        Err(refusal) => Settlement::Refused(refusal),
    }
}

/// A stream of Chainlink: `.../streams/btc-usd`, or `.../streams/btc-usd-twap-60s-streams` for its average.
fn by_stream(said: &Said<'_>, source: &str) -> Result<UpDownRule, RuleRefusal> {
    let mut parts = last_part(source).split('-');
    let coin = parts.next().unwrap_or_default();
    let symbol = Symbol::new(coin).map_err(|_| RuleRefusal::UnknownSymbol)?;
    if parts.next() != Some("usd") {
        return Err(RuleRefusal::UnknownSymbol);
    }
    let by_name = match (parts.next(), parts.next()) {
        (None, _) => None,
        (Some("twap"), Some(length)) => Some(seconds(length).ok_or(RuleRefusal::UnknownSource)?),
        _ => return Err(RuleRefusal::UnknownSource),
    };
    let average_s = match (by_name, said.average) {
        (Some(named), None | Some((true, None))) => named,
        (Some(named), Some((true, Some(flagged)))) if named == flagged => named,
        (None, Some((true, Some(flagged)))) => flagged,
        (None, None | Some((false, _))) => 0,
        _ => return Err(RuleRefusal::Contradiction),
    };
    let text = said.description.to_ascii_lowercase();
    let spoken_of = text.contains("twap") || text.contains("time-weighted");
    let other_pair = text.contains("/usd") && !text.contains(&format!("{symbol}/usd"));
    if average_s > LONGEST_AVERAGE_S || other_pair || (spoken_of && average_s == 0) {
        return Err(RuleRefusal::Contradiction);
    }
    up_down(said, &text, symbol, SettlementFeed::Chainlink, average_s)
}

/// Binance's candles: `.../trade/BTC_USDT`. The strike is the candle's opening price, the final value its close.
fn by_candle(said: &Said<'_>, source: &str) -> Result<UpDownRule, RuleRefusal> {
    let (coin, quote) = last_part(source).split_once('_').ok_or(RuleRefusal::UnknownSymbol)?;
    let symbol = Symbol::new(coin).map_err(|_| RuleRefusal::UnknownSymbol)?;
    if !quote.starts_with("usd") {
        return Err(RuleRefusal::UnknownSymbol);
    }
    let text = said.description.to_ascii_lowercase();
    if !text.contains("candle") {
        return Err(RuleRefusal::UnknownText);
    }
    if matches!(said.average, Some((true, _))) {
        return Err(RuleRefusal::Contradiction);
    }
    up_down(said, &text, symbol, SettlementFeed::Binance, 0)
}

fn up_down(
    said: &Said<'_>,
    text: &str,
    symbol: Symbol,
    feed: SettlementFeed,
    average_s: u32,
) -> Result<UpDownRule, RuleRefusal> {
    // Ties are Up: a text that says it otherwise, or not at all, is another rule.
    let ties = ["greater than or equal to", "at or above", "greater or equal to", "equal to or greater than"];
    if said.outcomes != ["Up", "Down"] || !text.contains("\"up\"") || !ties.iter().any(|words| text.contains(words)) {
        return Err(RuleRefusal::UnknownText);
    }
    match (said.start_s, said.end_s) {
        (Some(start_wall_s), Some(end_wall_s)) if start_wall_s < end_wall_s => {
            let strike = said.strike.and_then(price).filter(|strike| strike.units() > 0);
            Ok(UpDownRule { symbol, feed, start_wall_s, end_wall_s, average_s, strike })
        }
        _ => Err(RuleRefusal::NoTimes),
    }
}

fn last_part(address: &str) -> &str {
    let path = address.split(['?', '#']).next().unwrap_or_default();
    path.trim_end_matches('/').rsplit('/').next().unwrap_or_default()
}

/// `60s` as sixty.
fn seconds(text: &str) -> Option<u32> {
    text.strip_suffix('s')?.parse().ok().filter(|seconds| *seconds > 0)
}

/// A decimal with more digits than the unit holds is cut: the stated price to beat has up to eighteen.
fn price(text: &str) -> Option<ReferencePrice> {
    let decimals = ReferencePrice::DECIMALS as usize;
    let cut = match text.find('.') {
        Some(point) => text.get(..text.len().min(point + 1 + decimals))?,
        None => text,
    };
    ReferencePrice::parse(cut.as_bytes()).ok()
}

/// Whether a market's text says how it is decided, and what happens if the match is void.
#[must_use]
pub fn is_clear(question: &str, rules: &str) -> bool {
    let text = format!("{question} {rules}").to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    let decided = has(&["win", "winner", "defeat", "beat", "advance"]);
    let void = has(&["void", "postpone", "cancel", "forfeit", "remake", "tie", "draw"]);
    let says = has(&["50-50", "50/50", "resolve to", "will resolve", "0.5", "remain open"]);
    let vague = has(&["at the discretion", "sole discretion", "subjective", "consensus of credible"]);
    decided && !vague && (!void || says)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = "https://data.chain.link/streams/btc-usd";
    const AVERAGED: &str = "https://data.chain.link/streams/btc-usd-twap-60s-streams";
    const CANDLES: &str = "https://www.binance.com/en/trade/BTC_USDT";
    const TEXT: &str = "Resolves to \"Up\" if the BTC/USD value at the end is greater than or equal to the one at the \
                        beginning, else to \"Down\".";
    const CANDLE_TEXT: &str =
        "Resolves to \"Up\" if the close is greater than or equal to the open of the 1 hour candle.";

    fn said(source: &str) -> Said<'_> {
        Said {
            question: "Bitcoin Up or Down",
            description: if source == CANDLES { CANDLE_TEXT } else { TEXT },
            source,
            outcomes: ["Up", "Down"],
            start_s: Some(900),
            end_s: Some(1_800),
            ..Said::default()
        }
    }

    fn rule(average_s: u32, feed: SettlementFeed) -> Settlement {
        let symbol = Symbol::new("btc").expect("a symbol");
        Settlement::UpDown(UpDownRule { symbol, feed, start_wall_s: 900, end_wall_s: 1_800, average_s, strike: None })
    }

    #[test]
    fn the_rules_that_are_known() {
        assert_eq!(settlement(&said(STREAM)), rule(0, SettlementFeed::Chainlink));
        assert_eq!(settlement(&said(AVERAGED)), rule(60, SettlementFeed::Chainlink));
        assert_eq!(settlement(&said(CANDLES)), rule(0, SettlementFeed::Binance));
        let flagged = Said { average: Some((true, Some(60))), ..said(STREAM) };
        assert_eq!(settlement(&flagged), rule(60, SettlementFeed::Chainlink), "the flags say more than the address");
        let both = Said { average: Some((true, Some(60))), ..said(AVERAGED) };
        assert_eq!(settlement(&both), rule(60, SettlementFeed::Chainlink));
    }

    #[test]
    fn the_price_to_beat_is_cut_to_the_unit() {
        let stated = Said { strike: Some("84550.123456789012345678"), ..said(AVERAGED) };
        let rule = settlement(&stated);
        assert_eq!(rule.up_down().and_then(|rule| rule.strike), ReferencePrice::parse(b"84550.12345678").ok());
        for nothing in ["", "-3", "soon", "0"] {
            let rule = settlement(&Said { strike: Some(nothing), ..said(AVERAGED) });
            assert_eq!(rule.up_down().map(|rule| rule.strike), Some(None), "{nothing}");
        }
    }

    #[test]
    fn what_is_not_known_is_refused_with_a_reason() {
        use RuleRefusal as R;
        let none = Said { source: "", ..said(STREAM) };
        let pyth = Said { source: "https://www.pyth.network/price-feeds/crypto-btc-usd", ..said(STREAM) };
        let rows: [(&str, Said<'_>, R); 14] = [
            ("no source", none, R::UnknownSource),
            ("another source", pyth, R::UnknownSource),
            (
                "another stream",
                Said { source: "https://data.chain.link/streams/btc-usd-vwap", ..said(STREAM) },
                R::UnknownSource,
            ),
            (
                "another pair",
                Said { source: "https://data.chain.link/streams/btc-eur", ..said(STREAM) },
                R::UnknownSymbol,
            ),
            (
                "an average of nothing",
                Said { source: "https://data.chain.link/streams/btc-usd-twap-0s-streams", ..said(STREAM) },
                R::UnknownSource,
            ),
            ("flag off, name on", Said { average: Some((false, None)), ..said(AVERAGED) }, R::Contradiction),
            ("two lengths", Said { average: Some((true, Some(30))), ..said(AVERAGED) }, R::Contradiction),
            ("an average of unknown length", Said { average: Some((true, None)), ..said(STREAM) }, R::Contradiction),
            (
                "words of another coin",
                Said { description: &TEXT.replace("BTC", "ETH"), ..said(STREAM) },
                R::Contradiction,
            ),
            (
                "words of an average alone",
                Said { description: &TEXT.replace("value", "TWAP"), ..said(STREAM) },
                R::Contradiction,
            ),
            (
                "ties are Down",
                Said { description: "\"Up\" if it is higher, else \"Down\"", ..said(STREAM) },
                R::UnknownText,
            ),
            ("other outcomes", Said { outcomes: ["Yes", "No"], ..said(STREAM) }, R::UnknownText),
            ("no candle", Said { description: TEXT, ..said(CANDLES) }, R::UnknownText),
            ("no beginning", Said { start_s: None, ..said(STREAM) }, R::NoTimes),
        ];
        for (name, said, refusal) in rows {
            assert_eq!(settlement(&said), Settlement::Refused(refusal), "{name}");
        }
        let backwards = Said { start_s: Some(1_800), ..said(STREAM) };
        assert_eq!(settlement(&backwards), Settlement::Refused(R::NoTimes));
    }

    #[test]
    fn words_decide_what_no_price_does() {
        let words = |description| {
            settlement(&Said {
                question: "Alpha vs. Beta",
                description,
                outcomes: ["Alpha", "Beta"],
                ..Said::default()
            })
        };
        assert_eq!(words(""), Settlement::Unstated);
        assert_eq!(
            words("Resolves to the winner; if canceled it will resolve to 50-50."),
            Settlement::Words { clear: true }
        );
        assert_eq!(words("Resolves at the sole discretion of the committee."), Settlement::Words { clear: false });
    }

    #[test]
    fn rules_that_are_clear_and_rules_that_are_not() {
        let question = "Will Team A win against Team B?";
        for (rules, clear) in [
            ("This market will resolve to Team A if it wins the match.", true),
            ("If the match is cancelled or postponed, this market will resolve to 50-50.", true),
            ("If the match is cancelled, nothing is said here.", false),
            ("The resolution is a consensus of credible reporting.", false),
        ] {
            assert_eq!(is_clear(question, rules), clear, "{rules}");
        }
        assert!(!is_clear("Total kills over 20?", "Resolves by the official score."));
    }
}
