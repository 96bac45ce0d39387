//! The last resort of a run that could not end as it should, and what it leaves for its guardian.

use std::any::Any;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::guard::{Ended, Guardian, Papers, alert};

/// The venue has shown the engine that nothing is left: there is nothing to guard any more.
pub fn cleanly(dir: &Path) {
    Ended { clean: true, why: "asked to, and the venue has shown that nothing is left".to_owned() }.write(dir);
    Papers::remove(dir);
}

/// Cancels everything without the engine, by a connection that has nothing in common with it, for at most `limit`.
pub fn badly(dir: &Path, mut guardian: Guardian, why: &str, limit: Duration) {
    let began = Instant::now();
    let cleared = guardian.clear(|_| began.elapsed() < limit);
    let what = match (cleared.shown_empty, &cleared.trouble) {
        (true, _) => format!("{why}: everything was cancelled, and the venue shows no open order"),
        (false, trouble) => {
            let trouble = trouble.as_deref().unwrap_or("no answer");
            format!("{why}: orders may be left at the venue, cancel them by other means ({trouble})")
        }
    };
    tracing::error!("{what}");
    alert(dir, "last resort", &what);
    Ended { clean: false, why: what }.write(dir);
}

/// What a panic said.
pub fn said(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without words")
}
