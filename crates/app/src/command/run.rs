//! `oddsmith run`: trades until somebody ends it.

use std::io::Write;
use std::time::Duration;

use oddsmith_domain::{Address, Payer};
use oddsmith_engine::{EngineConfig, Selecting};
use oddsmith_exchange::core::KNOWN_SECRETS;
use oddsmith_exchange::scenario::Scenario;
use oddsmith_exchange::server::{Running, Server, ServerConfig};
use oddsmith_net::EdgeSettings;
use oddsmith_polymarket::order::{POLYGON, Signer};

use crate::cli::RunArguments;
use crate::command::exchange::read_scenario;
use crate::config::{self, Config, Mode};
use crate::data::DataDir;
use crate::failure::Failure;
use crate::live::{self, LivePlan};
use crate::recorded::{self, RecordedPlan};

/// Carries the command out.
pub fn run(data: &DataDir, arguments: &RunArguments) -> Result<(), Failure> {
    let debounce = arguments.websocket_debounce_ms.map(|ms| format!("engine.timing.debounce_ms={ms}"));
    let sets: Vec<String> = arguments.set.iter().cloned().chain(debounce).collect();
    let config = config::load(arguments.config.as_deref(), &sets)?;
    log_to_stderr();
    if !arguments.input.is_empty() {
        return run_recorded(data, arguments, &config);
    }
    let on_paper = is_on_paper(&config, arguments.live)?;
    // The exchange, if it is ours, must outlive the run.
    let (exchange, edge) = venue(&config)?;
    let plan = plan(data, arguments, &config, (exchange.as_ref(), edge, on_paper))?;
    eprint!("{}", banner(&config, &plan));
    let end = live::run(plan)?;
    drop(exchange);
    print(&live::summary(&end))?;
    if end.clean { Ok(()) } else { Err(Failure::Answer("orders may be left at the venue".to_owned())) }
}

/// Whether orders go to a venue that exists on paper. The built-in exchange needs none: its money is play money already. Real orders
/// need two words, one in the configuration and one on the command line; one alone is a mistake, in whichever direction.
fn is_on_paper(config: &Config, live: bool) -> Result<bool, Failure> {
    match (config.venue.is_built_in(), config.venue.mode, live) {
        (true, Mode::Paper, false) => Ok(false),
        (true, _, _) => Err(Failure::Usage(
            "there is no venue to be live at: the configuration names no addresses, and the built-in exchange trades play money \
             only; leave `venue.mode: live` and --live out"
                .to_owned(),
        )),
        (false, Mode::Paper, false) => Ok(true),
        (false, Mode::Live, true) => Ok(false),
        (false, Mode::Live, false) => Err(Failure::Usage(
            "the configuration says `venue.mode: live`, the command line does not: say --live as well to send real orders, or set \
             `venue.mode=paper`"
                .to_owned(),
        )),
        (false, Mode::Paper, true) => Err(Failure::Usage(
            "the command line says --live, the configuration says `venue.mode: paper`: set it to `live` as well to send real \
             orders, or leave --live out"
                .to_owned(),
        )),
    }
}

/// What a person must have read before anything is sent.
fn banner(config: &Config, plan: &LivePlan) -> String {
    let limits = &config.engine.limits;
    let (venue, maker) = (&plan.edge.rest_url, plan.payer.maker);
    if plan.built_in {
        return format!("play money: account {maker} on the built-in exchange at {venue}\n");
    }
    if let Some(paper) = &plan.paper {
        let (model, n) = paper.queue.name();
        let n = n.map_or_else(String::new, |n| format!(", n = {n}"));
        return format!("paper: books from {venue}, orders to a venue that exists on paper (queue model {model}{n})\n");
    }
    format!(
        "LIVE: real orders are sent\n  venue    {venue}\n  wallet   {maker}, signed by {}\n  limits   order {} shares and {} \
         dollars, market loss {}, total loss {}, daily loss {} dollars\n  markets  {}\n",
        plan.signer.address(),
        limits.max_order_shares,
        limits.max_order_usdc,
        limits.max_market_loss_usdc,
        limits.max_total_loss_usdc,
        limits.max_daily_loss_usdc,
        config.patterns().join(", "),
    )
}

/// The engine over recordings.
fn run_recorded(data: &DataDir, arguments: &RunArguments, config: &Config) -> Result<(), Failure> {
    let end = recorded::run(
        data,
        RecordedPlan {
            files: arguments.input.clone(),
            at_recorded_speed: arguments.recorded_speed,
            // What was recorded is the choice: there is no list that a rule could be held against.
            engine: EngineConfig { selection: Selecting::default(), ..config.engine.clone() },
            paper: config.paper.settings(Payer::own(Address::default()))?,
            config: as_json(config)?,
            journal: journal(config),
        },
    )?;
    print(&recorded::summary(&end))
}

/// The configured venue, or an exchange of our own.
pub fn venue(config: &Config) -> Result<(Option<Running>, EdgeSettings), Failure> {
    let seed = rand::random();
    let venue = &config.venue;
    if let (Some(rest), Some(market), Some(user)) = (&venue.rest, &venue.market_socket, &venue.user_socket) {
        return Ok((None, EdgeSettings::at(rest, market, user, seed)));
    }
    let scenario = match &config.exchange.scenario {
        None => Scenario::default(),
        Some(path) => read_scenario(path)?,
    };
    let server = ServerConfig { scenario, seed: Some(config.exchange.seed), ..ServerConfig::default() };
    let running = Server::start(server).map_err(|error| Failure::Running(error.to_string()))?;
    let address = running.addr();
    tracing::info!(%address, "the built-in exchange");
    let (rest, market) = (format!("http://{address}"), format!("ws://{address}/ws/market"));
    let edge = EdgeSettings::at(&rest, &market, &format!("ws://{address}/ws/user"), seed);
    Ok((Some(running), edge))
}

fn plan(
    data: &DataDir,
    arguments: &RunArguments,
    config: &Config,
    (exchange, edge, on_paper): (Option<&Running>, EdgeSettings, bool),
) -> Result<LivePlan, Failure> {
    let secret = KNOWN_SECRETS.get(usize::from(config.venue.account)).copied().unwrap_or(KNOWN_SECRETS[0]);
    let signer = Signer::from_hex(secret).map_err(|error| Failure::Usage(error.to_string()))?;
    let payer = config.venue.payer(signer.address()).map_err(Failure::Usage)?;
    Ok(LivePlan {
        sources: config.feeds.sources(&config.engine, exchange.map(Running::addr)),
        edge: config.venue.tune(edge, config.engine.selection.wanted(&config.engine.instances)),
        payer,
        signer,
        chain_id: POLYGON,
        engine: config.engine.clone(),
        data: data.clone(),
        config: as_json(config)?,
        journal: journal(config),
        tidy: config.journal.clone(),
        guard: config.guard.clone(),
        built_in: exchange.is_some(),
        paper: if on_paper { Some(config.paper.settings(payer)?) } else { None },
        fresh: arguments.fresh,
        status_every: Duration::from_secs(arguments.status),
        run_for: arguments.run_for,
        pin_core: arguments.pin,
    })
}

fn journal(config: &Config) -> oddsmith_journal::Options {
    let mib = |count: u64| usize::try_from(count << 20).unwrap_or(usize::MAX);
    oddsmith_journal::Options {
        segment_bytes: mib(config.journal.segment_mib),
        budget_bytes: config.journal.budget_mib << 20,
        flush_every: Duration::from_millis(config.journal.flush_ms),
        slow_disk: Duration::from_millis(config.journal.slow_disk_ms),
        pack: config.journal.pack,
    }
}

fn as_json(config: &Config) -> Result<serde_json::Value, Failure> {
    serde_json::to_value(config).map_err(|error| Failure::Usage(error.to_string()))
}

pub fn print(text: &str) -> Result<(), Failure> {
    std::io::stdout().lock().write_all(text.as_bytes()).map_err(|error| Failure::output(&error))
}

/// Talk goes to standard error; `RUST_LOG` says how much of it.
pub fn log_to_stderr() {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
    // A second subscriber would be refused; the first is as good.
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn real_orders_need_two_words() {
        let config = |mode: &str, built_in: bool| {
            let mut sets = vec![format!("venue.mode={mode}")];
            if !built_in {
                sets.extend(
                    ["rest=http", "market_socket=ws", "user_socket=ws"].map(|key| format!("venue.{key}://127.0.0.1:1")),
                );
            }
            config::load(None, &sets).expect("a configuration")
        };
        let decide = |mode, built_in, live| is_on_paper(&config(mode, built_in), live).map_err(|why| why.to_string());
        assert_eq!(decide("paper", true, false), Ok(false), "the built-in exchange takes its own orders");
        assert_eq!(decide("paper", false, false), Ok(true), "paper is what happens by itself");
        assert_eq!(decide("live", false, true), Ok(false));
        for (mode, built_in, live, word) in [
            ("live", false, false, "--live"),
            ("paper", false, true, "venue.mode"),
            ("paper", true, true, "play money"),
            ("live", true, true, "play money"),
        ] {
            let why = decide(mode, built_in, live).expect_err("one word is none");
            assert!(why.contains(word), "{why}");
        }
    }
}
