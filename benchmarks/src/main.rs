//! Our hot path beside the official SDK's, interleaved in one process. See README.md.

mod frames;
mod harness;
mod market;
mod report;

use std::process::ExitCode;

use clap::Parser;

use harness::Effort;
use report::Row;

/// Measures the hot path against the official Rust SDK and against bare floors, in one process.
#[derive(Parser)]
struct Arguments {
    /// Only benches of these groups: market.
    groups: Vec<String>,
    /// Print one JSON array instead of lines.
    #[arg(long)]
    json: bool,
    /// Fail when a "must" of the performance targets is missed.
    #[arg(long)]
    check: bool,
    /// Shorter and coarser.
    #[arg(long)]
    quick: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let effort = if arguments.quick { Effort::QUICK } else { Effort::FULL };
    let wanted = |group: &str| arguments.groups.is_empty() || arguments.groups.iter().any(|name| name == group);
    let mut rows: Vec<Row> = Vec::new();
    if wanted("market") {
        rows.extend(market::run(effort));
    }
    if arguments.json {
        println!("{}", serde_json::Value::from(rows.iter().map(Row::json).collect::<Vec<_>>()));
    } else {
        rows.iter().for_each(Row::print);
    }
    let missed = rows.iter().filter(|row| !row.passes()).count();
    if missed > 0 {
        eprintln!("{missed} of {} benches miss a bar", rows.len());
    }
    if arguments.check && missed > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
