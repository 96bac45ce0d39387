//! The command line.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};

use crate::backtest::BacktestArguments;
use crate::command::report::{CalibrateArguments, CompareArguments, ReportArguments};

/// The words after the exit codes of every command.
const AFTER: &str = "Data goes to standard output, talk to standard error.\n\
Exit codes: 0 done; 1 the answer is no; 2 command line or configuration wrong; 3 failed while running.";

/// An event-driven trading engine for binary-outcome order books.
#[derive(Debug, Parser)]
#[command(name = "oddsmith", version, after_help = AFTER, propagate_version = true)]
pub struct Arguments {
    /// Where runs are kept; `$ODDSMITH_DATA`, or ./oddsmith-data, if not given.
    #[arg(long, global = true, value_name = "DIR")]
    pub data: Option<PathBuf>,

    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Trade. Without a configuration: on the built-in exchange, on this machine, with play money.
    ///
    /// Prints a status table every second. Ctrl-C cancels everything, waits for the venue to show that nothing is left, prints a
    /// summary and ends with exit code 0; a second Ctrl-C ends at once.
    Run(RunArguments),
    /// Serve the local exchange to other programs, on this machine, with play money.
    ///
    /// Speaks the venue's REST and WebSocket protocol. Prints one line of JSON with addresses, accounts and markets when it is ready, and
    /// ends at Ctrl-C.
    Exchange(ExchangeArguments),
    /// Look at the configuration.
    Config {
        #[command(subcommand)]
        action: ConfigAction,
    },
    /// Write down what a venue sends about chosen markets, and certify how much of it was received.
    ///
    /// Without a configuration: what the built-in exchange sends. Raw frames with their receive time go into packed files of JSON lines
    /// that `verify`, `run --input` and `backtest` read; beside them stand the markets' cards and, for each market and hour, a certificate
    /// of what is there, what the venue's own hash proves of it, and what is missing and why. Ctrl-C finishes the files.
    Record(RecordArguments),
    /// Rebuild the books of recordings and compare them with the venue's own hash and best prices.
    ///
    /// Takes files with one frame, array of frames or envelope a line, also packed (.gz, .zst); `-` is standard input. Ends with exit
    /// code 0 only if every file could be read.
    Verify {
        /// The recordings.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Print one JSON object per file.
        #[arg(long)]
        json: bool,
        /// Append frames that cannot be decoded to this file, one JSON object each.
        #[arg(long, value_name = "FILE")]
        dead_letter: Option<PathBuf>,
    },
    /// Run a journal through the engine again and compare everything that comes out.
    ///
    /// Prints the first difference and ends with exit code 1, or prints totals and ends with 0.
    Replay {
        /// A run: its id or the start of it, a path, or `latest`.
        #[arg(default_value = "latest")]
        run: String,
        /// Use the engine's part of this configuration instead of the one that the run had.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// Change one setting of the run's configuration, such as `engine.timing.debounce_ms=50`.
        #[arg(long, value_name = "KEY=VALUE")]
        set: Vec<String>,
        /// Print the result as one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Play hours of trading with everything that can go wrong, under virtual time, and look for what must never be.
    ///
    /// Each seed is a world of its own: engine, edge, codecs, exchange and journal, faults and kills drawn from the seed. Prints what
    /// each seed held and the totals. The first thing that must never be is printed with what came before it, and ends the command
    /// with exit code 1, as too little of anything does. The same seed does the same again.
    Simulate(SimulateArguments),
    /// Run the engine over recordings at a venue on paper: what it would have earned, between a pessimistic and an optimistic
    /// assumption.
    ///
    /// Takes raw frames (JSON lines, packed or not), tables of level changes, files of books, and our own journals; of a directory,
    /// everything in it that is one of these. Several are merged by time of receipt. Refuses to run across holes in them unless told. A
    /// result is always told under all three assumptions; each session leaves a journal.
    Backtest(BacktestArguments),
    /// Make a running engine cancel everything and quote nothing, until `resume`.
    ///
    /// Ends with exit code 0 when the engine has handled it and the venue has shown that nothing is left, and with 1 when that was not
    /// shown in time.
    Stop(OperatorArguments),
    /// Make a stopped engine quote again, after its cool-down and with caution first.
    Resume(OperatorArguments),
    /// Make a running engine cancel everything and end, as Ctrl-C does.
    Shutdown(OperatorArguments),
    /// Throw a running engine's kill switch: cancel everything and quote nothing, in this run and the next, until `reset`.
    Kill(OperatorArguments),
    /// Undo a running engine's kill switch, a reached loss limit and open breakers, after you have looked.
    Reset(OperatorArguments),
    /// Let a running engine only reduce what it holds: everywhere, in a market, or for an instance.
    Reduce(ScopedArguments),
    /// Cancel and place nothing: everywhere, in a market, or for an instance; outlives the run.
    Halt(ScopedArguments),
    /// Undo `reduce` and `halt` of the same scope.
    Activate(ScopedArguments),
    /// Tell how a running engine stands.
    Status(ScopedArguments),
    /// List the strategies with their parameters and defaults.
    Strategies {
        /// Print one JSON object a strategy.
        #[arg(long)]
        json: bool,
    },
    /// Show what a strategy wants in one stated situation, what would be planned for it, and why.
    ///
    /// Prints one JSON object for each state. The schema is in docs/reference/eval.md.
    Eval {
        /// The strategy: a name of `oddsmith strategies`.
        #[arg(long, value_name = "NAME")]
        strategy: String,
        /// Its parameters, as JSON or YAML; the defaults if not given. The original programs' JSON files are taken as they are.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// The state, as JSON, or several of them; `-` is standard input.
        #[arg(long, value_name = "FILE")]
        state: PathBuf,
    },
    /// Run a queue model over stated histories of a level: what stands before an order, and what of it is filled, after each event.
    ///
    /// Prints one line of JSON for each sequence. The schema is in docs/reference/queue.md. Ends with exit code 1 at the first sequence
    /// that is none.
    Queue(QueueArguments),
    /// Prove from a run's journal that it kept to its limits and that its ledger is right.
    ///
    /// Keeps books of its own and holds every output against them, without running the engine. Prints the first violations and ends
    /// with exit code 1, or prints totals and ends with 0.
    Audit {
        /// A run: its id or the start of it, a path, or `latest`.
        #[arg(default_value = "latest")]
        run: String,
        /// Print the report as one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Make a page of a run: what it earned and why, its fills, markouts, quotes, stops and statistics.
    ///
    /// Writes one HTML file that needs nothing else, and prints where it is.
    Report(ReportArguments),
    /// Lay two runs over each other: profit, inventory, fills, figures, and the settings in which they differ.
    Compare(CompareArguments),
    /// Fit fill models to own orders of runs, or to recorded order outcomes, and say how sure the result is.
    Calibrate(CalibrateArguments),
    /// Watch over a run from a process of its own: cancel everything when its journal stands still.
    ///
    /// Works with the run's API credentials, never with the signing key. Ends with exit code 0 when the run has ended and left nothing
    /// behind, and with 1 when it had to cancel.
    Guard(GuardArguments),
    /// Look at the journals of past runs.
    Journal {
        #[command(subcommand)]
        action: JournalAction,
    },
}

/// Which run an operator means.
#[derive(Debug, clap::Args)]
pub struct OperatorArguments {
    /// A run: its id or the start of it, a path, or `latest`, the latest that runs.
    #[arg(default_value = "latest")]
    pub run: String,
    /// How long to wait until the venue shows that nothing is left; 0 for not at all.
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "20s")]
    pub wait: Duration,
    /// Print the answers as JSON, one object a line.
    #[arg(long)]
    pub json: bool,
}

/// Which run, and what of it.
#[derive(Debug, clap::Args)]
pub struct ScopedArguments {
    #[command(flatten)]
    pub call: OperatorArguments,
    /// Only this market, by its slug.
    #[arg(long, value_name = "SLUG", conflicts_with = "instance")]
    pub market: Option<String>,
    /// Only this strategy instance, by its name.
    #[arg(long, value_name = "NAME")]
    pub instance: Option<String>,
}

/// Which model, on what.
#[derive(Debug, clap::Args)]
pub struct QueueArguments {
    /// The model: risk-averse, power, log, log2, power2 or power3; what the sequence itself names wins.
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
    /// The exponent of power, power2 and power3.
    #[arg(long, value_name = "N")]
    pub n: Option<f64>,
    /// One sequence as JSON, or one on each line; `-` is standard input, one on each line.
    #[arg(long, value_name = "FILE")]
    pub sequence: PathBuf,
}

/// Whom to guard, and how.
#[derive(Debug, clap::Args)]
pub struct GuardArguments {
    /// A run: its id or the start of it, a path, or `latest`.
    #[arg(default_value = "latest")]
    pub run: String,
    /// How long the journal may stand still; the run's `guard.head_ms` if not given.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub after: Option<Duration>,
    /// The file with the API credentials; the one that the run has left in its directory if not given.
    #[arg(long, value_name = "FILE")]
    pub credentials: Option<PathBuf>,
}

/// What to record, and where to.
#[derive(Debug, clap::Args)]
pub struct RecordArguments {
    /// A configuration file; the default profile if not given. Its part `venue` says what is recorded from.
    pub config: Option<PathBuf>,
    /// Change one setting, such as `venue.sessions.silence_floor_ms=5000`.
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// A market by its slug, or several by the start of it and `*`; may be given again. Those of the configuration if not given.
    #[arg(long = "market", value_name = "SLUG")]
    pub markets: Vec<String>,
    /// The folder; `recordings` in the data directory if not given.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// End after this time, as by Ctrl-C.
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    pub record_for: Option<Duration>,
    /// A new set of files begins at every multiple of this time since midnight UTC.
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "24h")]
    pub rotate: Duration,
    /// How many markets share a socket, at most 100.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=100))]
    pub markets_per_socket: u16,
    /// Compare each market's book with one read by REST every so often; 0 for never.
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "60s")]
    pub check_every: Duration,
    /// Note each market's book so often, if it looks otherwise than before; 0 for never.
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "1s")]
    pub books_every: Duration,
    /// Compare the venue's hash after one change in so many; 1 is after every one.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub hash_one_in: u32,
    /// A file of frames is ended at this size, packed, in MiB.
    #[arg(long, value_name = "MIB", default_value_t = 256, value_parser = clap::value_parser!(u64).range(1..))]
    pub part_mib: u64,
    /// End when so much has been written, packed, in MiB; 0 for no limit.
    #[arg(long, value_name = "MIB", default_value_t = 0)]
    pub limit_mib: u64,
    /// End when less than this would stay free on the disk, in MiB.
    #[arg(long, value_name = "MIB", default_value_t = 256)]
    pub keep_free_mib: u64,
    /// Print a status line every this many seconds; 0 for never.
    #[arg(long, value_name = "SECONDS", default_value_t = 1)]
    pub status: u64,
}

/// What to simulate.
#[derive(Debug, clap::Args)]
pub struct SimulateArguments {
    /// The seeds, first and last: `1..21` is twenty-one of them. One number is one seed. 1..4 if not given, 1 with a profile.
    #[arg(long, value_name = "A..B", value_parser = seeds)]
    pub seeds: Option<RangeInclusive<u64>>,
    /// Hours of virtual time for each seed.
    #[arg(long, value_name = "H", default_value_t = 1)]
    pub hours: u32,
    /// Seeds that are played at the same time; as many as there are processor cores if not given.
    #[arg(long, value_name = "N")]
    pub jobs: Option<NonZeroUsize>,
    /// Trade what this configuration says on the exchange that it says, with nothing going wrong, and print what each strategy
    /// instance did and earned.
    #[arg(long, value_name = "FILE")]
    pub profile: Option<PathBuf>,
    /// Keep the journals of seeds that held, too, to replay and audit them; of one that failed they always stay.
    #[arg(long)]
    pub keep: bool,
    /// Print one JSON object per seed, and one with the totals.
    #[arg(long)]
    pub json: bool,
    /// Play with this bug in the engine.
    #[cfg(feature = "planted")]
    #[arg(long, value_name = "BUG")]
    pub planted: Option<String>,
}

impl SimulateArguments {
    /// The seeds to play.
    pub fn seeds(&self) -> RangeInclusive<u64> {
        self.seeds.clone().unwrap_or(1..=if self.profile.is_some() { 1 } else { 4 })
    }
}

/// Seeds such as `7` or `1..21`, the last one included.
fn seeds(text: &str) -> Result<RangeInclusive<u64>, String> {
    let number = |text: &str| text.parse::<u64>().map_err(|_| "two numbers are needed, such as 1..21".to_owned());
    let (first, last) = match text.split_once("..") {
        None => (number(text)?, number(text)?),
        Some((first, last)) => (number(first)?, number(last)?),
    };
    if first > last { Err("the first seed is greater than the last".to_owned()) } else { Ok(first..=last) }
}

/// How to serve the exchange.
#[derive(Debug, clap::Args)]
pub struct ExchangeArguments {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// A scenario file: markets, traders, and what goes wrong when.
    #[arg(long, value_name = "FILE")]
    pub scenario: Option<PathBuf>,
    /// Fixes ids, prices and traders; the scenario's own, or 1, if not given.
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Append requests and frames that cannot be understood to this file, one JSON object each.
    #[arg(long, value_name = "FILE")]
    pub dead_letter: Option<PathBuf>,
    /// Listen also on an address that other machines can reach. Whoever reaches it can trade and switch faults on.
    #[arg(long)]
    pub allow_remote: bool,
}

/// How to trade.
#[derive(Debug, clap::Args)]
pub struct RunArguments {
    /// A configuration file; the default profile if not given.
    pub config: Option<PathBuf>,
    /// Change one setting, such as `engine.timing.debounce_ms=50`.
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Evaluate a strategy at most once in this time after changes of the book, in milliseconds: `engine.timing.debounce_ms`.
    #[arg(long, value_name = "MS")]
    pub websocket_debounce_ms: Option<u64>,
    /// End after this time, as by Ctrl-C: `90s`, `15m`, `2h`; seconds if there is no letter.
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    pub run_for: Option<Duration>,
    /// Print the status table every this many seconds; 0 for never.
    #[arg(long, value_name = "SECONDS", default_value_t = 1)]
    pub status: u64,
    /// Run over these recordings instead of a venue: nothing is sent, decisions and the orders that would have been sent are journaled.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub input: Vec<PathBuf>,
    /// Send real orders to the venue of the configuration. Needs `venue.mode: live` there as well; without both, orders go to a venue
    /// that exists on paper.
    #[arg(long, conflicts_with = "input")]
    pub live: bool,
    /// Begin without memory: do not go on after the last run of this account, and say what is given up with it.
    #[arg(long, conflicts_with = "input")]
    pub fresh: bool,
    /// With --input: let time pass as it did when they were recorded, instead of as fast as possible.
    #[arg(long, requires = "input")]
    pub recorded_speed: bool,
    /// Pin the trading thread to this processor core, counted from 0.
    #[arg(long, value_name = "CORE")]
    pub pin: Option<usize>,
}

/// What to do with the configuration.
#[derive(Debug, Subcommand)]
pub enum ConfigAction {
    /// Print the effective configuration as YAML: defaults, file, environment and flags together.
    Show {
        /// A configuration file; the default profile if not given.
        config: Option<PathBuf>,
        /// Change one setting, such as `engine.timing.debounce_ms=50`.
        #[arg(long, value_name = "KEY=VALUE")]
        set: Vec<String>,
    },
}

/// What to do with journals.
#[derive(Debug, Subcommand)]
pub enum JournalAction {
    /// List the runs, oldest first, with what their manifests say: build, configuration, seed, strategies, the run before.
    Ls {
        /// Print one JSON object a run.
        #[arg(long)]
        json: bool,
    },
    /// Print a run's manifest and its journal as lines of JSON.
    Cat {
        /// A run: its id or the start of it, a path, or `latest`.
        #[arg(default_value = "latest")]
        run: String,
        /// Only records whose kind begins with this, such as `event.fill` or `action`.
        #[arg(long)]
        kind: Option<String>,
    },
    /// Write a run's journal for other programs: as columnar tables, or as lines of JSON.
    Export {
        /// A run: its id or the start of it, a path, or `latest`.
        #[arg(default_value = "latest")]
        run: String,
        /// A folder for one file a table (frames, books, orders, fills, decisions, events), or a file that ends in `.parquet` for every
        /// record in one table.
        #[arg(long, value_name = "DIR|FILE", required_unless_present = "jsonl")]
        parquet: Option<PathBuf>,
        /// A file for what `journal cat` prints; `-` is standard output.
        #[arg(long, value_name = "FILE")]
        jsonl: Option<PathBuf>,
    },
    /// Decode the frames again that a run did not understand, and print each as a line of JSON; exit code 1 if one is still not
    /// understood.
    DeadLetters {
        /// A run: its id or the start of it, a path, or `latest`.
        #[arg(default_value = "latest")]
        run: String,
    },
    /// Check every record of a run's journal, and its manifest against it; exit code 1 if one is damaged.
    Verify {
        /// A run: its id or the start of it, a path, or `latest`.
        #[arg(default_value = "latest")]
        run: String,
    },
    /// Pack the segments of a run that is over; everything reads them as before.
    Pack {
        /// A run: its id or the start of it, a path, or `latest`.
        #[arg(default_value = "latest")]
        run: String,
    },
    /// Delete old runs, never one that is alive, that was not closed, or that the next run of its account goes on after.
    Prune {
        /// Those that began longer ago than this.
        #[arg(long, value_name = "TIME", value_parser = duration)]
        older_than: Option<Duration>,
        /// The oldest, until all runs together have no more than this, in MiB.
        #[arg(long, value_name = "MIB")]
        keep_mib: Option<u64>,
        /// Also those that were not closed, if no later run needs them.
        #[arg(long)]
        unfinished: bool,
        /// Only say what would go.
        #[arg(long)]
        dry_run: bool,
    },
}

/// A time such as `90s`, `15m`, `2h` or `90`.
pub fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = match text.char_indices().next_back() {
        Some((at, 's')) => (&text[..at], 1),
        Some((at, 'm')) => (&text[..at], 60),
        Some((at, 'h')) => (&text[..at], 3_600),
        _ => (text, 1),
    };
    let seconds =
        number.parse::<u32>().map_err(|_| "a whole number and s, m or h are needed, such as 90s".to_owned())?;
    Ok(Duration::from_secs(u64::from(seconds) * unit))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn times_have_units() {
        for (text, seconds) in [("90", 90), ("90s", 90), ("15m", 900), ("2h", 7_200), ("0", 0)] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "s", "-1s", "1.5h", "1d", "99999999999"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn seeds_are_one_or_a_range() {
        assert_eq!(seeds("7"), Ok(7..=7));
        assert_eq!(seeds("1..21"), Ok(1..=21));
        for text in ["", "a", "1..", "..3", "5..4", "1...2", "-1"] {
            assert!(seeds(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_command_line_makes_sense() {
        Arguments::command().debug_assert();
    }
}
