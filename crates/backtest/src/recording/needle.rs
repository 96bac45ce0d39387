//! A text that is looked for in every frame.

use std::sync::OnceLock;

use memchr::memmem::Finder;

/// A short text whose searcher is made once: most frames are searched for several of them, and nothing else is done with much of a frame's
/// length.
pub(crate) struct Needle {
    text: &'static str,
    finder: OnceLock<Finder<'static>>,
}

impl Needle {
    pub(crate) const fn new(text: &'static str) -> Needle {
        Needle { text, finder: OnceLock::new() }
    }

    fn finder(&self) -> &Finder<'static> {
        self.finder.get_or_init(|| Finder::new(self.text))
    }

    /// Whether it stands somewhere in the text.
    pub(crate) fn is_in(&self, text: &[u8]) -> bool {
        self.finder().find(text).is_some()
    }

    /// The same, faster where it stands near the end.
    pub(crate) fn is_in_from_end(&self, text: &[u8]) -> bool {
        text.last_chunk::<64>().is_some_and(|end| self.is_in(end)) || self.is_in(text)
    }

    /// The places right behind it, wherever it stands.
    pub(crate) fn ends<'t>(&'static self, text: &'t [u8]) -> impl Iterator<Item = usize> + 't {
        self.finder().find_iter(text).map(|at| at + self.text.len())
    }
}
