//! Who cancels everything when the engine cannot: a thread beside the loop, and a process beside the run.
//!
//! Both hold the venue's API credentials and nothing else. [`Guardian`] is made of an address and [`Credentials`], which cannot sign an
//! order: whoever has a guardian can cancel and read, and can place nothing.

mod alerts;
mod follow;
mod papers;
mod watch;

pub use alerts::alert;
pub use follow::{Followed, follow};
pub use papers::{Ended, Papers};
pub use watch::{Pulse, Watchdog};

use std::sync::Arc;
use std::time::Duration;

use oddsmith_net::{NetError, Target, Venue};
use oddsmith_polymarket::AssetTable;
use oddsmith_polymarket::auth::Credentials;

/// How long one request may take.
const REQUEST: Duration = Duration::from_secs(3);
/// The first pause after an attempt that did not lead to the end; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Cancels everything under a key and looks whether anything is left.
#[derive(Debug)]
pub struct Guardian {
    /// None on paper: nothing of ours is at any venue.
    venue: Option<Venue>,
}

/// What clearing came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cleared {
    /// How often the venue was asked to cancel.
    pub attempts: u32,
    /// Whether the venue has shown that nothing is open.
    pub shown_empty: bool,
    /// What stood in the way last.
    pub trouble: Option<String>,
}

impl Guardian {
    /// A guardian of the orders under an API key.
    pub fn new(target: Target, credentials: Arc<Credentials>) -> Guardian {
        Guardian { venue: Some(Venue::new(target, REQUEST).with_credentials(credentials)) }
    }

    /// A guardian of a run on paper, which has nothing at any venue: it asks nobody.
    pub const fn of_paper() -> Guardian {
        Guardian { venue: None }
    }

    /// Cancels everything and reads the open orders, again and again, until the venue shows none or `go_on` says no. It is asked
    /// after each attempt, with what has been done so far.
    pub fn clear(&mut self, mut go_on: impl FnMut(&Cleared) -> bool) -> Cleared {
        let mut cleared = Cleared { attempts: 0, shown_empty: false, trouble: None };
        let mut pause = FIRST_PAUSE;
        loop {
            cleared.attempts += 1;
            match self.attempt() {
                Ok(0) => {
                    cleared.shown_empty = true;
                    cleared.trouble = None;
                    return cleared;
                }
                Ok(left) => cleared.trouble = Some(format!("{left} orders are still open")),
                Err(error) => cleared.trouble = Some(error.to_string()),
            }
            if !go_on(&cleared) {
                return cleared;
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Cancels once, and says how many orders are open afterwards.
    fn attempt(&mut self) -> Result<usize, NetError> {
        let Some(venue) = &mut self.venue else { return Ok(0) };
        venue.cancel_all()?;
        let orders = venue.open_orders(&AssetTable::new()).map_err(|omission| NetError::Undecodable {
            what: "the open orders".to_owned(),
            why: format!("page {}: {:?}", omission.page, omission.cause),
        })?;
        Ok(orders.len())
    }
}
