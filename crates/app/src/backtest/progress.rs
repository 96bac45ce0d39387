//! How far it is: a bar on standard error when that is a terminal.

use std::cell::Cell;

use indicatif::{ProgressBar, ProgressStyle};

/// Entries are told in lots of this many.
const LOT: u64 = 4_096;

/// A bar that threads share.
#[derive(Clone)]
pub struct Progress(ProgressBar);

impl Progress {
    /// A bar for something of unknown length.
    pub fn spinner(what: &str) -> Progress {
        let bar = ProgressBar::new_spinner();
        Progress::styled(bar, what, "{spinner} {prefix}: {human_pos} entries, {per_sec}")
    }

    /// A bar for so many entries.
    pub fn bar(what: &str, entries: u64) -> Progress {
        let bar = ProgressBar::new(entries);
        Progress::styled(bar, what, "{prefix} {wide_bar} {percent:>3} % {per_sec} {eta} {msg}")
    }

    fn styled(bar: ProgressBar, what: &str, template: &str) -> Progress {
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_prefix(what.to_owned());
        Progress(bar)
    }

    /// Something more to read beside it.
    pub fn say(&self, text: String) {
        self.0.set_message(text);
    }

    /// So many entries need not be read again.
    pub fn skip(&self, entries: u64) {
        self.0.inc(entries);
        self.0.reset_eta();
    }

    /// Something is done. Where no bar can be drawn, in a file or under another program, a line is all that can be seen.
    pub fn done(&self, what: &str) {
        if self.0.is_hidden() {
            eprintln!("{what}");
        }
    }

    /// The end.
    pub fn end(&self) {
        self.0.finish_and_clear();
    }

    /// A counter of one thread.
    pub fn counter(&self) -> Counter {
        Counter { bar: self.0.clone(), count: Cell::new(0), told: Cell::new(0) }
    }
}

/// Counts entries and tells the bar now and then.
pub struct Counter {
    bar: ProgressBar,
    count: Cell<u64>,
    told: Cell<u64>,
}

impl Counter {
    /// One more.
    pub fn one(&self) {
        self.count.set(self.count.get() + 1);
        if self.count.get() - self.told.get() >= LOT {
            self.bar.inc(self.count.get() - self.told.get());
            self.told.set(self.count.get());
        }
    }

    /// How many.
    pub fn count(&self) -> u64 {
        self.count.get()
    }
}
