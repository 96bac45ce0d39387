//! The official Rust SDK 0.9.0, unpatched, goes through everything that it can do on the local exchange.
//!
//! ```text
//! cargo run --manifest-path conformance/Cargo.toml -- [--exchange PROGRAM] [--only TEXT]
//! ```
//!
//! Starts the exchange as a program of its own on a free loopback port, runs every check, prints a table of them and a last
//! line `N passed, N failed`, and exits with 1 if one failed. Checks that need exact numbers run in the market whose slug
//! begins with `quiet-`, where nobody trades by himself. `--only` runs the checks whose names hold a text.

mod checks;
mod exchange;
mod report;
mod venue;

use std::process::ExitCode;

use exchange::Exchange;
use report::Report;
use venue::Venue;

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let mut args = std::env::args().skip(1);
    let mut program = std::env::var("ODDSMITH_BIN").ok();
    let mut only = None;
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--exchange" => program = args.next(),
            "--only" => only = args.next(),
            other => anyhow::bail!("unknown argument `{other}`: there are --exchange PROGRAM and --only TEXT"),
        }
    }
    let exchange = Exchange::start(program).await?;
    let venue = Venue::read(&exchange.info)?;
    let mut report = Report::of(only);
    checks::service::run(&venue, &mut report).await;
    checks::keys::run(&venue, &mut report).await;
    checks::markets::run(&venue, &mut report).await;
    checks::orders::run(&venue, &mut report).await;
    checks::matching::run(&venue, &mut report).await;
    checks::fees::run(&venue, &mut report).await;
    checks::account::run(&venue, &mut report).await;
    checks::wallets::run(&venue, &mut report).await;
    checks::sockets::run(&venue, &mut report).await;
    checks::catalogue::run(&venue, &mut report).await;
    exchange.stop().await;
    Ok(report.print())
}
