//! What the engine makes of the watchdog's word that the loop stood still.

use oddsmith_domain::{DoubtCause, Event, GuardReport, Output, Time};

use crate::core::Engine;

impl Engine {
    /// While the loop stood still somebody else has cancelled: which orders live is not known, and what was decided is old.
    pub(crate) fn on_guard(&mut self, report: GuardReport, now: Time, out: &mut Vec<Output>) {
        let GuardReport { stalled_ms, cancels, shown_empty } = report;
        let shown = if shown_empty { "showed" } else { "had not yet shown" };
        let text = format!(
            "the loop stood still for {stalled_ms} ms: the watchdog asked {cancels} times to cancel everything, and the venue {shown} \
             that nothing was left"
        );
        self.emit.event(out, Event::Alert { text });
        self.doubt_wallet(DoubtCause::Guardian, now, out);
    }
}
