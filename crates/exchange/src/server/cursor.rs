//! Pages of a list: the CLOB's cursors are base64 of an offset (protocol section 6, conventions).

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

/// The cursor after the last page, the offset -1.
pub use oddsmith_polymarket::wire::LAST_CURSOR as END;

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Where it begins.
    pub start: usize,
    /// Where it ends, exclusively.
    pub end: usize,
    /// The cursor of the next page, or [`END`].
    pub next: String,
}

/// A cursor that is none of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadCursor;

/// The page of a list of `len` entries at `cursor`, `limit` entries long at most.
///
/// # Errors
/// [`BadCursor`] for a text that is not the base64 of an offset.
pub fn page(cursor: Option<&str>, len: usize, limit: usize) -> Result<Page, BadCursor> {
    let offset = match cursor {
        None | Some("") => 0,
        Some(END) => len,
        Some(text) => decode(text).ok_or(BadCursor)?,
    };
    let start = offset.min(len);
    let end = start.saturating_add(limit).min(len);
    let next = if end >= len { END.to_owned() } else { STANDARD.encode(end.to_string()) };
    Ok(Page { start, end, next })
}

fn decode(text: &str) -> Option<usize> {
    if text.len() > 32 {
        return None;
    }
    let bytes = STANDARD.decode(text).or_else(|_| URL_SAFE.decode(text)).ok()?;
    std::str::from_utf8(&bytes).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn walking_a_list_visits_every_entry_once() {
        let (mut cursor, mut seen) = (oddsmith_polymarket::wire::FIRST_CURSOR.to_owned(), Vec::new());
        while cursor != END {
            let page = page(Some(&cursor), 25, 10).expect("ours");
            seen.extend(page.start..page.end);
            cursor = page.next;
        }
        assert_eq!(seen, (0..25).collect::<Vec<_>>());
    }

    #[test]
    fn cursors_that_are_not_ours() {
        for text in ["!", "LTI=", "YWJj", "MA==MA==MA==MA==MA==MA==MA==MA==MA=="] {
            assert_eq!(page(Some(text), 5, 10), Err(BadCursor), "{text}");
        }
        assert_eq!(page(Some(END), 5, 10), Ok(Page { start: 5, end: 5, next: END.to_owned() }));
        assert_eq!(page(None, 0, 10), Ok(Page { start: 0, end: 0, next: END.to_owned() }));
    }
}
