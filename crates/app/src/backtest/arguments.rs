//! What can be asked of `oddsmith backtest`.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use oddsmith_backtest::sweep::Axis;
use oddsmith_domain::{FeeSchedule, Shares, Tick};

use crate::cli::duration;

/// What to run over what.
#[derive(Debug, clap::Args)]
pub struct BacktestArguments {
    /// Recordings, directories of recordings, and directories of runs.
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// A configuration file; the default profile if not given.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Change one setting, such as `engine.timing.debounce_ms=50`.
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Instead of the configured instances: each of these strategies by itself, with its defaults, in every market. Names separated by
    /// commas, or `all`.
    #[arg(long, value_name = "NAMES")]
    pub strategies: Option<String>,
    /// Run the parts between holes of the recordings, each as a session of its own.
    #[arg(long)]
    pub across_gaps: bool,
    /// Try several values of a setting: `key=a,b,c`. Given several times, all combinations.
    #[arg(long, value_name = "KEY=A,B,C", value_parser = Axis::parse)]
    pub sweep: Vec<Axis>,
    /// Choose the best of all configurations in one stretch of time and try it in the next, again and again: `2h:30m`.
    #[arg(long, value_name = "TRAIN:TEST", value_parser = train_and_test)]
    pub walk_forward: Option<(Duration, Duration)>,
    /// Where no recording states a price grid: this one.
    #[arg(long, value_name = "TICK", value_parser = tick)]
    pub assume_tick: Option<Tick>,
    /// Where no recording states a smallest order: this many shares.
    #[arg(long, value_name = "SHARES")]
    pub assume_min_size: Option<Shares>,
    /// Where no recording states a fee: this rate for takers, such as `0.07`; 0 for none.
    #[arg(long, value_name = "RATE", value_parser = fee)]
    pub assume_fee: Option<FeeSchedule>,
    /// Where no card states a taker delay: this one, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 0)]
    pub assume_taker_delay_ms: u64,
    /// Dollars in the account at the beginning of each session.
    #[arg(long, value_name = "USD", default_value_t = 1_000)]
    pub collateral: u32,
    /// How long requests are under way in milliseconds, there and back: `60:40`; `feed:1.5:20` for 1.5 times what market frames took,
    /// and 20 more; or a CSV file of measured requests: req_ts,exch_ts,resp_ts in nanoseconds.
    #[arg(long, value_name = "MODEL", value_parser = latency, default_value = "60:40")]
    pub latency: Latency,
    /// Silence of all recordings that ends a session.
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "2m")]
    pub silence: Duration,
    /// Seeds what looks like chance at the venue.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Configurations that are run at the same time; as many as there are processor cores if not given.
    #[arg(long, value_name = "N")]
    pub jobs: Option<NonZeroUsize>,
    /// Keep the journals of a sweep, too.
    #[arg(long)]
    pub journals: bool,
    /// Keep no journals.
    #[arg(long, conflicts_with = "journals")]
    pub no_journals: bool,
    /// Make a sweep anew instead of going on where an earlier one of the same kind has stopped.
    #[arg(long)]
    pub again: bool,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// How long requests are under way.
#[derive(Clone, Debug, PartialEq)]
pub enum Latency {
    /// Always the same.
    Constant {
        /// To the venue.
        entry_ms: u32,
        /// Back.
        response_ms: u32,
    },
    /// By what market frames took.
    Feed {
        /// So many times.
        factor: f64,
        /// And so much more.
        extra_ms: u32,
    },
    /// As measured, from a file.
    Measured(PathBuf),
}

fn latency(text: &str) -> Result<Latency, String> {
    let wrong = || format!("`{text}` is no latency: write 60:40, feed:1.5:20, or a file");
    let parts: Vec<&str> = text.split(':').collect();
    match parts.as_slice() {
        [entry, response] if entry.parse::<u32>().is_ok() => {
            let ms = |part: &str| part.parse::<u32>().ok().filter(|ms| *ms <= 60_000).ok_or_else(wrong);
            Ok(Latency::Constant { entry_ms: ms(entry)?, response_ms: ms(response)? })
        }
        ["feed", factor, extra] => {
            let factor = factor.parse::<f64>().ok().filter(|factor| (0.0..=100.0).contains(factor));
            let extra_ms = extra.parse::<u32>().ok().filter(|ms| *ms <= 60_000);
            factor.zip(extra_ms).map(|(factor, extra_ms)| Latency::Feed { factor, extra_ms }).ok_or_else(wrong)
        }
        [file] if !file.is_empty() => Ok(Latency::Measured(PathBuf::from(file))),
        _ => Err(wrong()),
    }
}

fn train_and_test(text: &str) -> Result<(Duration, Duration), String> {
    let (train, test) = text.split_once(':').ok_or("two times are needed, such as 2h:30m")?;
    let (train, test) = (duration(train)?, duration(test)?);
    if train.is_zero() || test.is_zero() { Err("neither time may be zero".to_owned()) } else { Ok((train, test)) }
}

fn tick(text: &str) -> Result<Tick, String> {
    Tick::parse(text.as_bytes()).map_err(|_| {
        let known: Vec<_> = Tick::ALL.iter().map(|tick| tick.as_str()).collect();
        format!("there is no such price grid: there are {}", known.join(", "))
    })
}

/// A fee schedule by its rate, such as `0.07`, with exponent 1 for takers alone.
fn fee(text: &str) -> Result<FeeSchedule, String> {
    let rate = oddsmith_domain::parse_fixed(text.as_bytes(), 6).map_err(|error| error.to_string())?;
    FeeSchedule::new(rate, 1, true).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_have_three_forms() {
        assert_eq!(latency("60:40"), Ok(Latency::Constant { entry_ms: 60, response_ms: 40 }));
        assert_eq!(latency("feed:1.5:20"), Ok(Latency::Feed { factor: 1.5, extra_ms: 20 }));
        assert_eq!(latency("rows.csv"), Ok(Latency::Measured(PathBuf::from("rows.csv"))));
        for text in ["", "60:", "60:x", "60:99999", "feed:x:1", "feed:1", "1:2:3"] {
            assert!(latency(text).is_err(), "{text}");
        }
        assert_eq!(train_and_test("2h:30m"), Ok((Duration::from_secs(7_200), Duration::from_secs(1_800))));
        assert!(train_and_test("2h").is_err() && train_and_test("2h:0").is_err());
    }
}
