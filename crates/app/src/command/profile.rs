//! `oddsmith simulate --profile`: hours of trading by a configuration, and where the profit came from.

use std::fmt::Write as _;
use std::path::Path;

use oddsmith_backtest::simulate::{self, Plan, Traded};
use oddsmith_exchange::scenario::Scenario;
use serde_json::json;

use crate::cli::SimulateArguments;
use crate::command::exchange::read_scenario;
use crate::config;
use crate::failure::Failure;

/// Plays every seed of a profile, one after the other.
///
/// # Errors
/// What must never be, or an instance that has not traded.
pub fn run(profile: &Path, arguments: &SimulateArguments, dir: &Path) -> Result<String, Failure> {
    let seconds = u64::from(arguments.hours) * 3_600;
    let mut text = String::new();
    for seed in arguments.seeds() {
        let plan = plan(profile, Path::new(""), (seed, seconds), dir)?;
        let traded = simulate::trade(Plan { keep: arguments.keep, ..plan })
            .map_err(|broken| Failure::Answer(broken.to_string()))?;
        text += &if arguments.json { format!("{}\n", json!(traded)) } else { told(&traded) };
        if let Some(idle) = traded.instances.iter().find(|trader| trader.orders == 0 || trader.fills == 0) {
            let what = format!(
                "seed {seed}: instance `{}` placed {} orders and had {} fills",
                idle.name, idle.orders, idle.fills
            );
            return Err(Failure::Answer(format!("{text}{what}")));
        }
    }
    Ok(text)
}

/// The plan of a profile whose files are named as seen from `root`.
fn plan(profile: &Path, root: &Path, (seed, seconds): (u64, u64), dir: &Path) -> Result<Plan, Failure> {
    let config = config::load(Some(&root.join(profile)), &[])?;
    let scenario = match &config.exchange.scenario {
        None => Scenario::default(),
        Some(path) => read_scenario(&root.join(path))?,
    };
    Ok(Plan::calm(seed, seconds, config.engine, scenario, dir.join(format!("profile-{seed}"))))
}

fn told(traded: &Traded) -> String {
    let tally = &traded.tally;
    let mut text = format!(
        "seed {}: {} hours, {} market frames, {} orders, {} fills; {} records audited\n",
        tally.seed, tally.hours, tally.frames, tally.orders, tally.fills, tally.audited
    );
    for trader in &traded.instances {
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "  {:<16} {:<16} {:>7} orders {:>6} fills ({} taken) {} shares in {} markets",
            trader.name, trader.strategy, trader.orders, trader.fills, trader.taken, trader.shares, trader.markets
        );
        let _ = writeln!(text, "    {}", parts(&trader.profit.parts(), &trader.profit.total.to_string()));
    }
    let _ = writeln!(text, "  wallet: {}", parts(&traded.wallet.parts(), &traded.ledger.to_string()));
    text
}

fn parts(parts: &[(&'static str, oddsmith_domain::Usdc)], total: &str) -> String {
    let parts = parts.iter().filter(|(_, amount)| !amount.is_zero()).map(|(name, amount)| format!("{name} {amount}"));
    let parts: Vec<String> = parts.collect();
    format!("{} = {total}", if parts.is_empty() { "nothing".to_owned() } else { parts.join(", ") })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The shipped profiles that say what to trade where.
    const SHIPPED: &[&str] = &["politics", "election", "updown"];

    #[test]
    fn each_shipped_profile_trades_and_its_profit_is_the_sum_of_its_parts() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        for name in SHIPPED {
            let dir = tempfile::tempdir().expect("a folder");
            let file = Path::new("profiles").join(format!("{name}.yaml"));
            let plan = plan(&file, &root, (1, 300), dir.path()).expect("a plan");
            // That the parts sum to the ledger, and that every limit was kept, is looked at before it says what it traded.
            let traded = simulate::trade(plan).unwrap_or_else(|broken| panic!("{name}: {broken}"));
            assert!(traded.tally.orders > 0 && traded.tally.audited > 0, "{name}: {traded:?}");
            let parts: oddsmith_domain::Usdc = traded.instances.iter().map(|trader| trader.profit.total).sum();
            assert_eq!(parts, traded.ledger, "{name}");
            assert!(told(&traded).contains(&traded.instances[0].name));
        }
    }
}
