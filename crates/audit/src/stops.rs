//! What is against placing an order: a person's commands, latches, doubt.

use std::collections::{BTreeMap, BTreeSet};

use oddsmith_domain::{
    Command, ConditionId, Event, InstanceId, Latch, MarketId, ProfitMark, Restore, Scope, TradingMode, Usdc,
};
use oddsmith_risk::{Latches, day_loss};

/// Everything that stops, as inputs and events tell of it.
#[derive(Debug, Default)]
pub(crate) struct Stops {
    /// By the commands alone, whatever the engine made of them.
    stopped: bool,
    shut_down: bool,
    killed: bool,
    halted: BTreeSet<(u8, u32)>,
    /// Scopes in doubt: from the moment it begins to the moment it ends.
    wallet_doubt: bool,
    market_doubt: BTreeMap<MarketId, bool>,
    /// By the latches that events told.
    pub latches: Latches,
    /// How the profit stood when it was told last.
    profit: Option<ProfitMark>,
}

/// A scope as a key that can be ordered.
const fn key(scope: Scope) -> (u8, u32) {
    match scope {
        Scope::Wallet => (0, 0),
        Scope::Market(market) => (1, market.0),
        Scope::Instance(instance) => (2, instance.0 as u32),
    }
}

impl Stops {
    pub fn command(&mut self, command: Command) {
        match command {
            Command::Stop => self.stopped = true,
            Command::Resume => self.stopped = false,
            Command::Shutdown => self.shut_down = true,
            Command::Kill => self.killed = true,
            Command::Reset => self.killed = false,
            Command::Halt(scope) => {
                self.halted.insert(key(scope));
            }
            // The last word about a scope holds.
            Command::Reduce(scope) | Command::Activate(scope) => {
                self.halted.remove(&key(scope));
            }
        }
    }

    /// What the run before was stopped by, as far as no event of this run tells it.
    pub fn restore(&mut self, restore: &Restore) {
        self.stopped = restore.stopped;
        self.killed = restore.latches.iter().any(|l| matches!(l.latch, Latch::Kill(_)));
    }

    pub fn event(&mut self, event: &Event) {
        self.latches.apply(event);
        let (scope, doubted) = match event {
            Event::DoubtBegan { scope, .. } => (*scope, true),
            Event::DoubtEnded { scope } => (*scope, false),
            Event::Profit(mark) => {
                self.profit = Some(*mark);
                return;
            }
            _ => return,
        };
        match scope {
            Scope::Wallet => self.wallet_doubt = doubted,
            Scope::Market(market) => {
                self.market_doubt.insert(market, doubted);
            }
            Scope::Instance(_) => {}
        }
    }

    /// Why nothing may be placed by an instance in a market; `None` if nothing is against it.
    pub fn against(
        &self,
        (instance, name): (InstanceId, &str),
        (market, condition): (MarketId, &ConditionId),
    ) -> Option<String> {
        let halted = [Scope::Wallet, Scope::Market(market), Scope::Instance(instance)].map(key);
        let told = if self.shut_down {
            "a shutdown was commanded"
        } else if self.killed {
            "the kill switch was thrown by command"
        } else if self.stopped {
            "a stop was commanded"
        } else if halted.iter().any(|scope| self.halted.contains(scope)) {
            "a halt was commanded"
        } else if self.wallet_doubt {
            "the wallet is in doubt"
        } else if self.market_doubt.get(&market).copied().unwrap_or(false) {
            "the market is in doubt"
        } else if self.latches.mode(condition, name) == TradingMode::Halted {
            "a latch halts it"
        } else {
            return None;
        };
        Some(told.to_owned())
    }

    /// Whether sizes are halved after a kill.
    pub fn halved(&self) -> bool {
        self.latches.wallet_has(Latch::HalfSize)
    }

    /// What the day has lost, as it was told last.
    pub fn lost(&self) -> Usdc {
        self.profit.as_ref().map_or(Usdc::ZERO, day_loss)
    }

    /// Whether only reducing orders are allowed.
    pub fn reduces_only(&self, condition: &ConditionId, name: &str) -> bool {
        self.latches.mode(condition, name) == TradingMode::Reducing
    }
}
