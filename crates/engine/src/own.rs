//! Strategies that no configuration names: of whoever builds a driver of his own.

use oddsmith_strategy::{Decision, Strategy, View};

use crate::core::Engine;

/// What stands in the place of a strategy that failed: nothing of its state is looked at again.
pub(crate) struct Gone;

impl Strategy for Gone {
    fn name(&self) -> &'static str {
        "gone"
    }

    fn version(&self) -> u32 {
        1
    }

    fn evaluate(&mut self, _: &View<'_>, _: &mut Decision) {}
}

impl Engine {
    /// Lets this strategy trade as the configured instance of that name, in place of the one that the configuration gives it. To be
    /// said before the setup, by a replay of the run too: the journal does not hold strategies.
    #[must_use]
    pub fn with_strategy(mut self, instance: &str, strategy: Box<dyn Strategy + Send>) -> Engine {
        self.own_strategies.insert(instance.to_owned(), strategy);
        self
    }
}
