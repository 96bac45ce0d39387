//! Where prices and match reports from outside of the venue come from.

use std::collections::BTreeMap;

use oddsmith_domain::Symbol;
use oddsmith_engine::EngineConfig;
use oddsmith_feeds::FeedSettings;
use serde::{Deserialize, Serialize};

use crate::live::Sources;

/// The sources outside of the venue. Without addresses the built-in exchange tells its own world's, if a strategy asks for them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Feeds {
    /// Address of Binance's combined stream, or of who stands in for it, `ws://127.0.0.1:PORT/binance/stream`. This machine only, until
    /// paper and live trading are built.
    pub binance: Option<String>,
    /// Our names of what has a price there, and Binance's.
    pub symbols: BTreeMap<Symbol, String>,
    /// Address of a source of match reports, `ws://127.0.0.1:PORT/truth`.
    pub truth: Option<String>,
    /// A source that says nothing for this long is connected to again. 500 … 600000.
    pub silence_ms: u64,
    /// The longest wait between two attempts to connect. 1000 … 600000.
    pub backoff_cap_ms: u64,
}

impl Default for Feeds {
    fn default() -> Feeds {
        let base = FeedSettings::default();
        let pairs = ["btc", "eth", "sol", "xrp"].map(|name| (Symbol::new(name).ok(), format!("{name}usdt")));
        Feeds {
            binance: None,
            symbols: pairs.into_iter().filter_map(|(symbol, pair)| Some((symbol?, pair))).collect(),
            truth: None,
            silence_ms: base.silence_ms,
            backoff_cap_ms: base.backoff_cap_ms,
        }
    }
}

impl Feeds {
    /// Checks what the types alone do not: the key that is wrong, and why.
    pub fn validate(&self) -> Result<(), (String, String)> {
        let rows =
            [("silence_ms", self.silence_ms, 500, 600_000), ("backoff_cap_ms", self.backoff_cap_ms, 1_000, 600_000)];
        for (name, value, low, high) in rows {
            if !(low..=high).contains(&value) {
                let key = format!("feeds.{name}");
                return Err((key.clone(), format!("`{key}` is {value}: {low} … {high} is needed")));
            }
        }
        for (key, address) in [("feeds.binance", &self.binance), ("feeds.truth", &self.truth)] {
            if let Some(address) = address {
                oddsmith_net::Target::parse(address).map_err(|error| (key.to_owned(), format!("`{key}`: {error}")))?;
            }
        }
        let named = |pair: &String| !pair.is_empty() && pair.bytes().all(|byte| byte.is_ascii_alphanumeric());
        match self.symbols.iter().find(|(_, pair)| !named(pair)) {
            Some((symbol, pair)) => {
                let key = format!("feeds.symbols.{symbol}");
                Err((key.clone(), format!("`{key}` is `{pair}`: letters and digits are needed, such as btcusdt")))
            }
            None => Ok(()),
        }
    }

    /// The sources of a run: those that are named, and of an exchange of our own those that a strategy asks for.
    pub fn sources(&self, engine: &EngineConfig, built_in: Option<std::net::SocketAddr>) -> Sources {
        let wants = |asks: fn(&oddsmith_strategy::StrategyConfig) -> bool| {
            built_in.filter(|_| engine.instances.iter().any(|instance| asks(&instance.strategy)))
        };
        let own_prices = wants(|strategy| strategy.reference_shock().is_some());
        let own_truth = wants(oddsmith_strategy::StrategyConfig::follows_truth);
        let binance = self.binance.clone().or_else(|| own_prices.map(|at| format!("ws://{at}/binance/stream")));
        let symbols = || self.symbols.iter().map(|(symbol, pair)| (*symbol, pair.clone())).collect();
        Sources {
            binance: binance.map(|address| (address, symbols())),
            truth: self.truth.clone().or_else(|| own_truth.map(|at| format!("ws://{at}/truth"))),
            settings: FeedSettings {
                silence_ms: self.silence_ms,
                backoff_cap_ms: self.backoff_cap_ms,
                ..FeedSettings::default()
            },
        }
    }
}
