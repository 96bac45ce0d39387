//! Our hot path beside the official SDK's, interleaved in one process. See README.md.

mod counting;
mod desk;
mod engine;
mod evaluation;
mod frames;
mod harness;
mod loopback;
mod market;
mod orders;
mod replay;
mod report;
mod stream;
mod venue;

use std::process::ExitCode;

use clap::Parser;

use harness::Effort;
use report::Row;

#[global_allocator]
static ALLOCATOR: counting::Counting = counting::Counting;

/// Measures the hot path against the official Rust SDK and against bare floors, in one process.
#[derive(Parser)]
struct Arguments {
    /// Only benches of these groups: market, replay, orders, engine, evaluation, loopback.
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
    /// Be the other process of the loopback bench.
    #[arg(long, hide = true)]
    venue_process: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.venue_process {
        return match venue::main() {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        };
    }
    let rows = match run(&arguments) {
        Ok(rows) => rows,
        Err(error) => {
            eprintln!("a bench could not run: {error:#}");
            return ExitCode::FAILURE;
        }
    };
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

fn run(arguments: &Arguments) -> anyhow::Result<Vec<Row>> {
    let effort = if arguments.quick { Effort::QUICK } else { Effort::FULL };
    let wanted = |group: &str| arguments.groups.is_empty() || arguments.groups.iter().any(|name| name == group);
    let mut rows = Vec::new();
    if wanted("market") {
        rows.extend(market::run(effort));
    }
    if wanted("replay") {
        rows.extend(replay::run(effort)?);
    }
    if wanted("orders") {
        rows.extend(orders::run(effort)?);
    }
    if wanted("engine") {
        rows.extend(engine::run(effort));
    }
    if wanted("evaluation") {
        rows.extend(evaluation::run(effort));
    }
    if wanted("loopback") {
        rows.extend(loopback::run(effort)?);
    }
    Ok(rows)
}
