//! The beginning of a live run: key, markets, journal, and the first inputs.

use std::sync::Arc;
use std::time::Duration;

use oddsmith_domain::{Input, MarketCard, Payer, RunId, Setup};
use oddsmith_engine::{EngineConfig, Lanes, OwnedInput};
use oddsmith_net::{Clock, EdgeSettings, Target, Venue, Wallet};
use oddsmith_polymarket::auth::Credentials;
use oddsmith_polymarket::codec::rest::Protocol;
use oddsmith_polymarket::order::OrderHasher;

use super::LivePlan;
use super::hold::WalletHold;
use super::recorder::Recorder;
use crate::control::{Asks, Operator};
use crate::failure::Failure;
use crate::guard::{Guardian, Papers};
use crate::pages::{NewRun, Pages};

/// A run that is ready to be driven.
pub struct Started {
    pub clock: Clock,
    pub settings: EdgeSettings,
    pub wallet: Wallet,
    pub lanes: Lanes,
    pub recorder: Recorder,
    pub operator: Operator,
    pub stall: Duration,
    pub asks: Asks,
    pub dir: std::path::PathBuf,
    pub status_every: Duration,
    pub run_for: Option<Duration>,
}

impl Started {
    /// Who cancels when the engine cannot.
    pub fn guardian(&self) -> Result<Guardian, Failure> {
        let target = Target::parse(&self.settings.rest_url).map_err(|error| Failure::Usage(error.to_string()))?;
        Ok(Guardian::new(target, Arc::clone(&self.wallet.credentials)))
    }
}

/// Obtains the key and the cards, makes the run's directory and its journal, and queues the first inputs.
pub fn start(plan: LivePlan) -> Result<(Started, WalletHold), Failure> {
    let LivePlan {
        edge, signer, chain_id, engine, data, config, journal, guard, built_in, status_every, run_for, ..
    } = plan;
    let run = RunId(rand::random());
    let hold = WalletHold::take(&data, signer.address(), run)?;
    let running = |what: &str| {
        let what = what.to_owned();
        move |error: oddsmith_net::NetError| Failure::Running(format!("{what}: {error}"))
    };
    let target = Target::parse(&edge.rest_url).map_err(|error| Failure::Usage(error.to_string()))?;
    let mut venue = Venue::new(target, Duration::from_millis(edge.side_timeout_ms));
    match venue.protocol().map_err(running("the venue's version"))? {
        Protocol::Supported => {}
        Protocol::ReadOnly { version } => {
            return Err(Failure::Running(format!(
                "the venue speaks protocol version {version:?}, which is not known here: nothing is traded"
            )));
        }
    }
    let creds = venue.api_key(&signer, chain_id).map_err(running("the API key"))?;
    let papers =
        Papers { rest: edge.rest_url.clone(), built_in, account: signer.address(), credentials: creds.clone() };
    let credentials = Credentials::new(signer.address(), creds).map_err(|error| Failure::Running(error.to_string()))?;
    let cards = wanted(venue.cards().map_err(running("the list of markets"))?, &engine)?;

    let config_json = engine.to_json().map_err(|error| Failure::Usage(error.to_string()))?;
    let pages = Pages::begin(&data, NewRun { id: run, command: "run", config, journal })?;
    let dir = pages.dir().to_owned();
    if guard.credentials_file {
        let failed =
            |error| Failure::Running(format!("cannot leave the guardian's credentials in {}: {error}", dir.display()));
        papers.write(&dir).map_err(failed)?;
    }
    let (operator, asks) = Operator::listen(&dir)
        .map_err(|error| Failure::Running(format!("no control socket in {}: {error}", dir.display())))?;

    let clock = Clock::start();
    let hasher = OrderHasher::new(chain_id).map_err(|error| Failure::Usage(error.to_string()))?;
    let payer = Payer::own(signer.address());
    let setup = Setup { run, seed: rand::random(), account: signer.address(), payer, chain_id, config: config_json };
    let mut lanes = Lanes::new();
    lanes.push(OwnedInput::Other(Input::Setup(Box::new(setup))));
    for card in &cards {
        lanes.push(OwnedInput::Other(Input::Card(Box::new(card.clone()))));
    }
    let stall = Duration::from_millis(guard.stall_ms);
    let wallet = Wallet { signer, hasher, credentials: Arc::new(credentials) };
    let recorder = Recorder::new(clock, pages);
    let started =
        Started { clock, settings: edge, wallet, lanes, recorder, operator, asks, stall, dir, status_every, run_for };
    Ok((started, hold))
}

/// The markets that some instance covers, in the venue's order.
fn wanted(cards: Vec<MarketCard>, engine: &EngineConfig) -> Result<Vec<MarketCard>, Failure> {
    let covered = |slug: &str| engine.instances.iter().any(|instance| instance.covers(slug));
    let (wanted, others): (Vec<_>, Vec<_>) = cards.into_iter().partition(|card| covered(&card.slug));
    if wanted.is_empty() {
        let slugs: Vec<String> = others.into_iter().take(10).map(|card| card.slug).collect();
        return Err(Failure::Usage(format!(
            "no instance covers a market that takes orders; the venue has: {}",
            if slugs.is_empty() { "none".to_owned() } else { slugs.join(", ") }
        )));
    }
    Ok(wanted)
}
