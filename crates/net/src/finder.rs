//! The thin edge of discovery: reads what a sweep asks for.

use std::time::Duration;

use oddsmith_domain::MarketCard;
use oddsmith_polymarket::discovery::{Sweep, Swept};

use crate::http::{HttpClient, Transport};
use crate::{NetError, Target, Venue};

/// A blocking client of Gamma and of the exchange's market parameters.
pub struct Finder {
    gamma: Box<dyn Transport>,
    venue: Venue,
}

impl Finder {
    /// A client of these two addresses; each request may take `timeout`.
    #[must_use]
    pub fn new(gamma: Target, rest: Target, timeout: Duration) -> Finder {
        Finder { gamma: Box::new(HttpClient::new(gamma, timeout)), venue: Venue::new(rest, timeout) }
    }

    /// The same over transports of somebody else's: of Gamma, and the venue's own.
    #[must_use]
    pub fn over(gamma: Box<dyn Transport>, venue: Venue) -> Finder {
        Finder { gamma, venue }
    }

    /// Carries a sweep out.
    ///
    /// # Errors
    /// [`NetError`] when a page could not be read or understood; what was found before is then not told.
    pub fn sweep(&mut self, mut sweep: Sweep) -> Result<Swept, NetError> {
        while let Some(path) = sweep.next_path() {
            let answer = self.gamma.request("GET", &path, &[], b"")?;
            if answer.status != 200 {
                let text = String::from_utf8_lossy(&answer.body).chars().take(200).collect();
                return Err(NetError::Status { status: answer.status, text });
            }
            let undecodable = |why: String| NetError::Undecodable { what: "the list of markets".to_owned(), why };
            sweep.on_page(&answer.body).map_err(|error| undecodable(error.to_string()))?;
        }
        for condition in sweep.unrefined() {
            let Some(listed) = sweep.listed(&condition).cloned() else { continue };
            let card: Result<MarketCard, String> = self.venue.refined(listed).map_err(|error| error.to_string());
            sweep.refine(condition, card);
        }
        Ok(sweep.finish())
    }
}
