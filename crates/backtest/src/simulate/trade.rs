//! Hours of trading in which nothing goes wrong: what each strategy instance did and earned.

use std::collections::{BTreeMap, BTreeSet};

use oddsmith_domain::{Action, Command, Event, Input, InstanceId, MarketId, Output, OutputBody, Shares, Time, Usdc};
use oddsmith_engine::EngineConfig;
use oddsmith_exchange::server::Local;
use oddsmith_net::NetError;
use oddsmith_polymarket::discovery::{Discovery, DiscoverySettings, Sweep, Swept};
use oddsmith_report::{Attribution, Split};
use serde::Serialize;

use super::read::{Thread, asked};
use super::world::{AGREE_NS, World};
use super::{Broken, Tally};

/// What the hours came to.
#[derive(Clone, Debug, Serialize)]
pub struct Traded {
    /// What they held.
    pub tally: Tally,
    /// Each instance, in the order of the configuration.
    pub instances: Vec<Trader>,
    /// Where the wallet's profit came from.
    pub wallet: Split,
    /// The wallet's profit by the engine's own ledger, realised and not realised.
    pub ledger: Usdc,
}

/// What one instance did and earned.
#[derive(Clone, Debug, Serialize)]
pub struct Trader {
    /// Its name.
    pub name: String,
    /// Its strategy.
    pub strategy: &'static str,
    /// Orders that it placed.
    pub orders: u64,
    /// Fills of them.
    pub fills: u64,
    /// Fills in which it took.
    pub taken: u64,
    /// Shares of all fills.
    pub shares: Shares,
    /// Markets in which it had a fill.
    pub markets: usize,
    /// Where its profit came from.
    pub profit: Split,
}

/// Notes what goes in and comes out.
#[derive(Default)]
pub(super) struct Notes {
    attribution: Attribution,
    orders: BTreeMap<InstanceId, u64>,
    fills: BTreeMap<InstanceId, (u64, u64, Shares)>,
    markets: BTreeSet<(InstanceId, MarketId)>,
}

impl Notes {
    pub(super) fn note(&mut self, input: &Input<'_>, now: Time, outputs: &[Output]) {
        self.attribution.input(input, now);
        for output in outputs {
            self.attribution.output(output);
            match &output.body {
                OutputBody::Action(Action::Place(order)) => *self.orders.entry(order.instance).or_default() += 1,
                OutputBody::Event(Event::Fill { instance: Some(instance), asset, size, taker, .. }) => {
                    let (fills, taken, shares) = self.fills.entry(*instance).or_default();
                    *fills += 1;
                    *taken += u64::from(*taker);
                    *shares += *size;
                    self.markets.insert((*instance, asset.market()));
                }
                _ => {}
            }
        }
    }
}

/// Which markets there are, looked for as the live edge looks for them.
pub(super) struct Listing(Discovery);

impl Listing {
    pub(super) fn new(config: &EngineConfig, seed: u64, now: Time) -> Listing {
        let (patterns, rules) = config.selection.wanted(&config.instances);
        let settings = DiscoverySettings { patterns, rules, ..DiscoverySettings::default() };
        Listing(Discovery::new(settings, seed, now))
    }

    pub(super) fn next(&self) -> u64 {
        self.0.next_deadline().unwrap_or(u64::MAX)
    }

    /// Looks if it is time to; cards that are new or have changed.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn look(&mut self, local: &mut Local, now: Time) -> Result<Vec<Input<'static>>, String> {
        let Some(sweep) = self.0.on_time(now) else { return Ok(Vec::new()) };
        let swept = swept(local, sweep)?.map_err(|error| error.to_string())?;
        let told = self.0.on_swept(Some(swept), now);
        told.iter().for_each(|card| self.0.follow(card));
        let list = self.0.take_list().map(Input::Listed);
        Ok(told.into_iter().map(|card| Input::Card(Box::new(card))).chain(list).collect())
    }
}

fn swept(local: &mut Local, sweep: Sweep) -> Result<Result<Swept, NetError>, String> {
    let wall_s = local.with_core(|core| core.now_ns()) / Time::SECOND;
    let thread = Thread::sweep(wall_s, sweep).map_err(|error| error.to_string())?;
    asked(local, &thread, wall_s)
}

impl World {
    /// Trades to the end.
    ///
    /// # Errors
    /// The first thing that must never be.
    pub(super) fn trade(mut self) -> Result<Traded, Box<Broken>> {
        self.listing = Some(Listing::new(&self.plan.config, self.plan.seed, self.now));
        self.notes = Some(Notes::default());
        let traded = self.trade_on().and_then(|()| self.audit()).and_then(|()| self.traded());
        if traded.is_ok() && !self.plan.keep {
            // What is left behind concerns nobody if it cannot be removed.
            let _ = std::fs::remove_dir_all(&self.plan.dir);
        }
        traded.map_err(|what| Box::new(self.broken(what)))
    }

    fn trade_on(&mut self) -> Result<(), String> {
        let end = self.now.mono_ns + self.plan.part_s * Time::SECOND;
        while self.now.mono_ns < end {
            self.step(end)?;
        }
        self.process.command(Command::Stop);
        self.agree()?;
        self.process.command(Command::Shutdown);
        self.until(AGREE_NS, "the engine did not come to an end", |world| world.process.engine.is_shut_down())?;
        self.finish()
    }

    fn traded(&mut self) -> Result<Traded, String> {
        let notes = self.notes.take().unwrap_or_default();
        let totals = self.process.engine.view(self.now).totals;
        let (wallet, ledger) = (notes.attribution.split(), totals.realized + totals.unrealized);
        if wallet.sum() != ledger || wallet.total != ledger {
            return Err(format!("the parts of the profit sum to {}, the ledger says {ledger}", wallet.sum()));
        }
        let instances = self.plan.config.instances.iter().zip((0..).map(InstanceId)).map(|(configured, id)| {
            let (fills, taken, shares) = notes.fills.get(&id).copied().unwrap_or_default();
            Trader {
                name: configured.name.clone(),
                strategy: configured.strategy.name(),
                orders: notes.orders.get(&id).copied().unwrap_or(0),
                fills,
                taken,
                shares,
                markets: notes.markets.iter().filter(|(of, _)| *of == id).count(),
                profit: notes.attribution.instance(id),
            }
        });
        Ok(Traded { instances: instances.collect(), wallet, ledger, tally: self.tally.clone() })
    }
}
