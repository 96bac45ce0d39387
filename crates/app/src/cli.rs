//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// The words after the exit codes of every command.
const AFTER: &str = "Data goes to standard output, talk to standard error.\n\
Exit codes: 0 done; 1 the answer is no; 2 command line or configuration wrong; 3 failed while running.";

/// An event-driven trading engine for binary-outcome order books.
#[derive(Debug, Parser)]
#[command(name = "oddsmith", version, about, after_help = AFTER, propagate_version = true)]
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
    /// Look at the configuration.
    Config {
        #[command(subcommand)]
        action: ConfigAction,
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
    /// Look at the journals of past runs.
    Journal {
        #[command(subcommand)]
        action: JournalAction,
    },
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
    /// List the runs, oldest first.
    Ls,
    /// Print a run's journal as lines of JSON.
    Cat {
        /// A run: its id or the start of it, a path, or `latest`.
        #[arg(default_value = "latest")]
        run: String,
        /// Only records whose kind begins with this, such as `event.fill` or `action`.
        #[arg(long)]
        kind: Option<String>,
    },
    /// Check every record of a run's journal; exit code 1 if it is damaged.
    Verify {
        /// A run: its id or the start of it, a path, or `latest`.
        #[arg(default_value = "latest")]
        run: String,
    },
}
