//! Bugs that are put into the engine on purpose, so that it can be shown that the simulation finds them.
//!
//! Only a build with the feature `planted` has them: in any other [`crate::planted!`] is the word `false`, and nothing of this is there.
//! One bug at a time is switched on for the whole process.

use std::sync::atomic::{AtomicUsize, Ordering};

macro_rules! bugs {
    ($($name:ident = $word:literal, $what:literal;)*) => {
        /// A bug.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Bug {
            $(#[doc = $what] $name,)*
        }

        impl Bug {
            /// Every bug.
            pub const ALL: &[Bug] = &[$(Bug::$name,)*];

            /// The name that switches it on.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self {
                    $(Bug::$name => $word,)*
                }
            }
        }
    };
}

bugs! {
    DoubleFill = "double_fill", "A match that is reported as confirmed is counted again.";
    SkippedUndo = "skipped_undo", "A match that failed to settle is not undone.";
    TombstoneForgotten = "tombstone_forgotten", "A match is forgotten as soon as it is final.";
    Rounding = "rounding", "What a maker pays is rounded up instead of down.";
    PendingUncounted = "pending_uncounted", "Limits do not count open orders.";
    SaltReused = "salt_reused", "Every salt is used for several orders.";
    QueueSurvives = "queue_survives", "A cancel of a scope leaves the placements that wait for the wire.";
    UnknownForgotten = "unknown_forgotten", "A placement without an answer is taken for refused.";
    SilenceIgnored = "silence_ignored", "A market connection that is lost or silent stops nothing.";
    DoubtIgnored = "doubt_ignored", "Quoting begins again before the doubt is over.";
    CancelAssumed = "cancel_assumed", "A cancel that got no answer is taken for carried out.";
    RestartLosesFill = "restart_loses_fill", "A restart forgets which matches it has counted.";
}

/// The number of the bug that is switched on, from 1; none if zero.
static PLANTED: AtomicUsize = AtomicUsize::new(0);

/// Switches a bug on.
///
/// # Errors
/// The names that there are.
pub fn plant(name: &str) -> Result<(), String> {
    match Bug::ALL.iter().position(|bug| bug.word() == name) {
        Some(at) => {
            PLANTED.store(at + 1, Ordering::Relaxed);
            Ok(())
        }
        None => {
            let names: Vec<&str> = Bug::ALL.iter().map(|bug| bug.word()).collect();
            Err(format!("no bug is called {name}; there are {}", names.join(", ")))
        }
    }
}

/// Whether a bug is switched on.
#[must_use]
pub fn is(bug: Bug) -> bool {
    PLANTED.load(Ordering::Relaxed) == bug as usize + 1
}
