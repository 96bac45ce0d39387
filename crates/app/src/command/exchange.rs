//! `oddsmith exchange`: the local exchange by itself, for other programs.

use std::io::{Write, stdout};
use std::path::Path;

use oddsmith_exchange::scenario::Scenario;
use oddsmith_exchange::server::{Server, ServerConfig};
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::ExchangeArguments;
use crate::failure::Failure;

/// Carries the command out: prints one line of JSON when the exchange is ready, and serves until a signal comes.
pub fn run(arguments: &ExchangeArguments) -> Result<(), Failure> {
    let scenario = arguments.scenario.as_deref().map_or_else(|| Ok(Scenario::default()), read_scenario)?;
    let config = ServerConfig {
        listen: arguments.listen,
        scenario,
        seed: arguments.seed,
        allow_remote: arguments.allow_remote,
        dead_letter: arguments.dead_letter.clone(),
        ..ServerConfig::default()
    };
    let failed = |error: &dyn std::fmt::Display| Failure::Running(error.to_string());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| failed(&error))?;
    runtime.block_on(async {
        // Whoever reads the line may send a signal at once, so the signals are listened for before it is printed.
        let mut interrupt = signal(SignalKind::interrupt()).map_err(|error| failed(&error))?;
        let mut terminate = signal(SignalKind::terminate()).map_err(|error| failed(&error))?;
        let running = Server::start(config).map_err(|error| Failure::Usage(error.to_string()))?;
        {
            let mut out = stdout().lock();
            writeln!(out, "{}", running.info()).and_then(|()| out.flush()).map_err(|error| Failure::output(&error))?;
        }
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        running.stop();
        Ok(())
    })
}

/// Reads a scenario file.
///
/// # Errors
/// A sentence with file, line and column.
pub fn read_scenario(path: &Path) -> Result<Scenario, Failure> {
    let unusable = |error: &dyn std::fmt::Display| {
        Failure::Usage(format!("the scenario {} cannot be used: {error}", path.display()))
    };
    let text = std::fs::read_to_string(path).map_err(|error| unusable(&error))?;
    Scenario::parse(&text).map_err(|error| unusable(&error))
}
