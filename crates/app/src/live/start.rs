//! The beginning of a live run: key, markets, journal, and the first inputs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use oddsmith_domain::{Input, Link, LinkState, MarketCard, RunId, Setup, Time};
use oddsmith_engine::{Lanes, OwnedInput};
use oddsmith_net::{Clock, EdgeSettings, Finder, Target, Venue, Wallet, stated};
use oddsmith_polymarket::auth::Credentials;
use oddsmith_polymarket::discovery::{Discovery, Sweep};
use oddsmith_polymarket::order::OrderHasher;
use oddsmith_polymarket::wire::ApiKeyCreds;

use super::hold::{Held, WalletHold};
use super::paper::PaperDesk;
use super::recorder::Recorder;
use super::{LivePlan, Sources};
use crate::control::{Asks, Operator};
use crate::data::DataDir;
use crate::failure::Failure;
use crate::guard::{Guardian, Papers};
use crate::history::{self, History, Whose};
use crate::pages::{NewRun, Pages};

/// A run that is ready to be driven.
pub struct Started {
    /// The markets of the run before, by the numbers that they keep.
    pub known: Vec<MarketCard>,
    pub clock: Clock,
    pub settings: EdgeSettings,
    pub sources: Sources,
    pub wallet: Wallet,
    pub lanes: Lanes,
    pub recorder: Recorder,
    pub operator: Operator,
    pub stall: Duration,
    pub asks: Asks,
    pub dir: std::path::PathBuf,
    pub status_every: Duration,
    pub run_for: Option<Duration>,
    pub paper: Option<PaperDesk>,
}

impl Started {
    /// Who cancels when the engine cannot.
    pub fn guardian(&self) -> Result<Guardian, Failure> {
        if self.paper.is_some() {
            return Ok(Guardian::of_paper());
        }
        let target = Target::parse(&self.settings.rest_url).map_err(|error| Failure::Usage(error.to_string()))?;
        Ok(Guardian::new(target, Arc::clone(&self.wallet.credentials)))
    }
}

/// Obtains the key and the cards, makes the run's directory and its journal, and queues the first inputs.
pub fn start(plan: LivePlan) -> Result<(Started, WalletHold), Failure> {
    let LivePlan {
        mut edge,
        sources,
        signer,
        payer,
        chain_id,
        engine,
        data,
        config,
        journal,
        guard,
        built_in,
        paper,
        fresh,
        status_every,
        run_for,
        ..
    } = plan;
    let run = RunId(rand::random());
    let on_paper = paper.is_some();
    edge.public_only = on_paper;
    // An exchange of this process begins anew with it: nothing of another run is there.
    let venue_name = (!built_in).then(|| history::venue_name(&edge.rest_url, on_paper));
    let held = match &venue_name {
        Some(venue) if on_paper => Held::OnPaper(payer.maker, venue),
        _ => Held::Wallet(signer.address()),
    };
    let hold = WalletHold::take(&data, held, run)?;
    let past = match &venue_name {
        Some(venue) => past(&data, Whose { account: payer.maker, venue }, on_paper, fresh)?,
        None => None,
    };
    let running = |what: &str| {
        let what = what.to_owned();
        move |error: oddsmith_net::NetError| Failure::Running(format!("{what}: {error}"))
    };
    let target = Target::parse(&edge.rest_url).map_err(|error| Failure::Usage(error.to_string()))?;
    let mut venue = Venue::new(target, Duration::from_millis(edge.side_timeout_ms));
    let protocol = stated(venue.protocol().map_err(running("the venue's version"))?);
    let creds = match &paper {
        // Nobody is asked for a key that nothing is sent with.
        Some(_) => ApiKeyCreds { api_key: "paper".into(), secret: "cGFwZXI=".into(), passphrase: "paper".into() },
        None => venue.api_key(&signer, chain_id).map_err(running("the API key"))?,
    };
    let papers =
        Papers { rest: edge.rest_url.clone(), built_in, account: signer.address(), credentials: creds.clone() };
    let credentials = Credentials::new(signer.address(), creds).map_err(|error| Failure::Running(error.to_string()))?;
    let clock = Clock::start();
    let listed = first_sweep(&edge, clock.now())?;

    let config_json = engine.to_json().map_err(|error| Failure::Usage(error.to_string()))?;
    let predecessor = past.as_ref().map(|past| past.run);
    let account = Some(payer.maker);
    let command = if on_paper { history::ON_PAPER } else { history::LIVE };
    let seed = rand::random();
    let new = NewRun { id: run, command, config, seed, journal, account, venue: venue_name, predecessor };
    let pages = Pages::begin(&data, new)?;
    let dir = pages.dir().to_owned();
    if guard.credentials_file && !on_paper {
        let failed =
            |error| Failure::Running(format!("cannot leave the guardian's credentials in {}: {error}", dir.display()));
        papers.write(&dir).map_err(failed)?;
    }
    let (operator, asks) = Operator::listen(&dir)
        .map_err(|error| Failure::Running(format!("no control socket in {}: {error}", dir.display())))?;

    let hasher = OrderHasher::new(chain_id).map_err(|error| Failure::Usage(error.to_string()))?;
    let setup = Setup { run, seed, account: signer.address(), payer, chain_id, config: config_json };
    let mut lanes = Lanes::new();
    lanes.push(OwnedInput::Other(Input::Setup(Box::new(setup))));
    let restored = past.map(|past| past.restore);
    let paper = paper.map(|settings| PaperDesk::new(settings, restored.as_ref()));
    if let Some(paper) = &paper {
        let begins = predecessor.map_or("begins".to_owned(), |before| format!("goes on after run {before}"));
        eprintln!("paper: the account {begins} with {} dollars", paper.collateral());
    }
    let known: Vec<MarketCard> = restored.iter().flat_map(|r| &r.markets).map(|market| market.card.clone()).collect();
    if let Some(restore) = restored {
        lanes.push(OwnedInput::Other(Input::Restore(Box::new(restore))));
    }
    lanes.push(OwnedInput::Other(Input::Protocol(protocol)));
    listed.into_iter().for_each(|input| lanes.push(OwnedInput::Other(input)));
    if on_paper {
        for link in [Link::User, Link::Orders] {
            lanes.push(OwnedInput::Other(Input::Link { link, state: LinkState::Up }));
        }
    }
    let stall = Duration::from_millis(guard.stall_ms);
    let wallet = Wallet { signer, hasher, credentials: Arc::new(credentials) };
    let recorder = Recorder::new(clock, pages);
    let started = Started {
        known,
        clock,
        settings: edge,
        sources,
        wallet,
        lanes,
        recorder,
        operator,
        asks,
        stall,
        dir,
        status_every,
        run_for,
        paper,
    };
    Ok((started, hold))
}

/// The past that the run goes on after.
fn past(data: &DataDir, whose: Whose<'_>, on_paper: bool, fresh: bool) -> Result<Option<History>, Failure> {
    if fresh {
        match history::find(data, whose) {
            Ok(Some(history)) => {
                if let Some(words) = history::given_up(&history, on_paper)? {
                    eprintln!("oddsmith: {words}");
                }
            }
            Ok(None) => {}
            Err(error) => eprintln!("oddsmith: the past is given up, and what it was is not known: {error}"),
        }
        return Ok(None);
    }
    let history = history::find(data, whose)?;
    if let Some(History { run, dir, torn, .. }) = &history {
        tracing::info!(%run, "goes on after");
        if let Some(torn) = torn {
            let missing = match on_paper {
                true => "what happened there on paper has not happened",
                false => "the venue is asked for what is missing",
            };
            tracing::warn!(dir = %dir.display(), torn, "the journal's end was lost; {missing}");
        }
    }
    Ok(history)
}

/// The markets that are wanted and take orders now, and the list where rules choose from it, as inputs.
fn first_sweep(edge: &EdgeSettings, now: Time) -> Result<Vec<Input<'static>>, Failure> {
    let usage = |error: oddsmith_net::NetError| Failure::Usage(error.to_string());
    let (gamma, rest) = (Target::parse(&edge.gamma_url).map_err(usage)?, Target::parse(&edge.rest_url).map_err(usage)?);
    let mut finder = Finder::new(gamma, rest, Duration::from_millis(edge.side_timeout_ms));
    let sweep = Sweep::new(edge.discovery.clone(), BTreeMap::new(), now.wall_s());
    let failed = |error| Failure::Running(format!("the list of markets: {error}"));
    let swept = finder.sweep(sweep).map_err(failed)?;
    for fault in &swept.faults {
        tracing::warn!(%fault, "a market that was not understood");
    }
    let others = swept.others.join(", ");
    let mut discovery = Discovery::new(edge.discovery.clone(), edge.seed, now);
    let cards = discovery.on_swept(Some(swept), now);
    // What a rule asks for may come with a later list; what is named by its slug and is not there is a mistake.
    if cards.is_empty() && edge.discovery.rules.is_empty() {
        let others = if others.is_empty() { "none".to_owned() } else { others };
        return Err(Failure::Usage(format!("no instance covers a market that takes orders; the venue has: {others}")));
    }
    let list = discovery.take_list().map(Input::Listed);
    Ok(cards.into_iter().map(|card| Input::Card(Box::new(card))).chain(list).collect())
}
