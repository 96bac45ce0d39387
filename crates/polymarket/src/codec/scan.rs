//! A cursor over JSON text that allocates nothing, recurses never, and says where it stumbled.

use super::FaultKind;

/// Where and why the text stopped being JSON. What follows cannot be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Broken {
    pub(crate) at: u32,
    pub(crate) kind: FaultKind,
}

pub(crate) type Scan<T> = Result<T, Broken>;

/// The kind of a value whose place is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Kind {
    /// No such value was seen.
    #[default]
    Absent,
    /// A string without escapes; the span is what stands between the quotes.
    Text,
    /// A string with escapes; the span is what stands between the quotes.
    Escaped,
    Number,
    True,
    False,
    Null,
    List,
    Object,
}

/// A value by its place in the frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Raw {
    pub(crate) start: u32,
    pub(crate) end: u32,
    pub(crate) kind: Kind,
}

impl Raw {
    pub(crate) fn slice<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        bytes.get(self.start as usize..self.end as usize).unwrap_or_default()
    }
}

/// The deepest nesting inside a value that is skipped: one bit of a word for each level.
const MAX_DEPTH: u32 = 64;

#[derive(Clone, Debug)]
pub(crate) struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
    /// What it means to meet the end of `bytes`.
    at_end: FaultKind,
    /// Whether `bytes` is known to be UTF-8.
    checked: bool,
}

impl<'a> Scanner<'a> {
    /// A cursor at the beginning.
    pub(crate) const fn new(bytes: &'a [u8]) -> Scanner<'a> {
        Scanner { bytes, at: 0, at_end: FaultKind::Truncated, checked: false }
    }

    /// Makes sure that only UTF-8 is looked at: from the first byte that is not, all are as good as missing. To be done before
    /// any string is taken.
    #[inline]
    pub(crate) fn validate(&mut self) {
        if self.checked {
            return;
        }
        self.checked = true;
        if let Err(error) = std::str::from_utf8(self.bytes) {
            self.bytes = self.bytes.get(..error.valid_up_to()).unwrap_or_default();
            self.at_end = FaultKind::NotUtf8;
        }
    }

    pub(crate) const fn seek(&mut self, at: usize) {
        self.at = at;
    }

    pub(crate) const fn at(&self) -> usize {
        self.at
    }

    pub(crate) const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    #[inline]
    pub(crate) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// A complaint about the byte under the cursor, or about the end.
    #[cold]
    pub(crate) fn broken(&mut self, kind: FaultKind) -> Broken {
        self.validate();
        let kind = if self.at >= self.bytes.len() { self.at_end } else { kind };
        Broken { at: self.at.min(self.bytes.len()) as u32, kind }
    }

    /// Whether nothing is left, invalid bytes included.
    pub(crate) fn is_done(&self) -> bool {
        self.at >= self.bytes.len() && self.at_end == FaultKind::Truncated
    }

    #[inline]
    pub(crate) fn skip_space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    /// Takes this byte, whatever white space precedes it.
    #[inline]
    pub(crate) fn expect(&mut self, byte: u8) -> Scan<()> {
        if self.peek() != Some(byte) {
            self.skip_space();
            if self.peek() != Some(byte) {
                return Err(self.broken(FaultKind::Syntax));
            }
        }
        self.at += 1;
        Ok(())
    }

    /// After an entry of a list or an object: whether another one follows (its comma is taken), or `close` ended it (taken too).
    #[inline]
    pub(crate) fn another(&mut self, close: u8) -> Scan<bool> {
        self.skip_space();
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                self.skip_space();
                Ok(true)
            }
            Some(byte) if byte == close => {
                self.at += 1;
                Ok(false)
            }
            _ => Err(self.broken(FaultKind::Syntax)),
        }
    }

    /// Takes `open`; whether `close` does not follow at once (if it does, it is taken too).
    #[inline]
    pub(crate) fn opens(&mut self, open: u8, close: u8) -> Scan<bool> {
        self.expect(open)?;
        self.skip_space();
        if self.peek() == Some(close) {
            self.at += 1;
            return Ok(false);
        }
        Ok(true)
    }

    /// Takes a key and its colon.
    #[inline]
    pub(crate) fn key(&mut self) -> Scan<Raw> {
        let key = self.string()?;
        self.expect(b':')?;
        Ok(key)
    }

    /// Takes a string, the cursor being on its first quote.
    #[inline]
    pub(crate) fn string(&mut self) -> Scan<Raw> {
        if self.peek() != Some(b'"') {
            return Err(self.broken(FaultKind::Syntax));
        }
        self.at += 1;
        let start = self.at as u32;
        let mut kind = Kind::Text;
        loop {
            self.at += plain_run(self.bytes.get(self.at..).unwrap_or_default());
            match self.peek() {
                Some(b'"') => {
                    let end = self.at as u32;
                    self.at += 1;
                    return Ok(Raw { start, end, kind });
                }
                Some(b'\\') => {
                    kind = Kind::Escaped;
                    self.escape()?;
                }
                _ => return Err(self.broken(FaultKind::Syntax)),
            }
        }
    }

    fn escape(&mut self) -> Scan<()> {
        self.at += 1;
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 1,
            Some(b'u') => {
                self.at += 1;
                for _ in 0..4 {
                    if !self.peek().is_some_and(|byte| byte.is_ascii_hexdigit()) {
                        return Err(self.broken(FaultKind::Syntax));
                    }
                    self.at += 1;
                }
            }
            _ => return Err(self.broken(FaultKind::Syntax)),
        }
        Ok(())
    }

    /// Takes any value, and says what and where it was.
    #[inline]
    pub(crate) fn value(&mut self) -> Scan<Raw> {
        self.skip_space();
        match self.peek() {
            Some(b'"') => self.string(),
            Some(b'{' | b'[') => self.container(),
            _ => self.scalar(),
        }
    }

    fn scalar(&mut self) -> Scan<Raw> {
        let start = self.at as u32;
        let kind = match self.peek() {
            Some(b't') => self.word(b"true", Kind::True)?,
            Some(b'f') => self.word(b"false", Kind::False)?,
            Some(b'n') => self.word(b"null", Kind::Null)?,
            Some(b'-' | b'0'..=b'9') => self.number()?,
            _ => return Err(self.broken(FaultKind::Syntax)),
        };
        Ok(Raw { start, end: self.at as u32, kind })
    }

    fn word(&mut self, word: &[u8], kind: Kind) -> Scan<Kind> {
        for &byte in word {
            if self.peek() != Some(byte) {
                return Err(self.broken(FaultKind::Syntax));
            }
            self.at += 1;
        }
        Ok(kind)
    }

    fn number(&mut self) -> Scan<Kind> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(Kind::Number)
    }

    /// Takes one digit or more.
    fn digits(&mut self) -> Scan<()> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        if self.at == start { Err(self.broken(FaultKind::Syntax)) } else { Ok(()) }
    }

    /// Skips a list or an object. The kinds of the open containers are bits of a word, the innermost lowest.
    fn container(&mut self) -> Scan<Raw> {
        let start = self.at as u32;
        let kind = if self.peek() == Some(b'{') { Kind::Object } else { Kind::List };
        let (mut objects, mut depth) = (0u64, 0u32);
        loop {
            // The cursor is where a value begins.
            match self.peek() {
                Some(open @ (b'{' | b'[')) => {
                    if depth == MAX_DEPTH {
                        return Err(self.broken(FaultKind::TooDeep));
                    }
                    let object = open == b'{';
                    if self.opens(open, if object { b'}' } else { b']' })? {
                        (objects, depth) = (objects << 1 | u64::from(object), depth + 1);
                        self.key_of_entry(object)?;
                        continue;
                    }
                }
                Some(b'"') => {
                    self.string()?;
                }
                _ => {
                    self.scalar()?;
                }
            }
            // A value ended: close what ends with it.
            loop {
                if depth == 0 {
                    return Ok(Raw { start, end: self.at as u32, kind });
                }
                let object = objects & 1 == 1;
                if self.another(if object { b'}' } else { b']' })? {
                    self.key_of_entry(object)?;
                    break;
                }
                (objects, depth) = (objects >> 1, depth - 1);
            }
        }
    }

    /// Takes the key that precedes the value of an object's entry, and the space around it.
    fn key_of_entry(&mut self, object: bool) -> Scan<()> {
        if object {
            self.key()?;
            self.skip_space();
        }
        Ok(())
    }
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// How many bytes at the beginning of `bytes` need no attention inside a string: all but quotes, backslashes and control
/// characters. Short strings end within the first two words; long ones are passed in blocks that the compiler turns into vectors.
#[inline]
fn plain_run(bytes: &[u8]) -> usize {
    let mut at = 0;
    let mut rest = bytes;
    for _ in 0..2 {
        let Some((word, tail)) = rest.split_first_chunk::<8>() else { break };
        let flags = attention(u64::from_le_bytes(*word));
        if flags != 0 {
            return at + (flags.trailing_zeros() / 8) as usize;
        }
        (at, rest) = (at + 8, tail);
    }
    while let Some((block, tail)) = rest.split_first_chunk::<32>() {
        if block.iter().fold(false, |any, &byte| any | matches!(byte, b'"' | b'\\' | 0..0x20)) {
            break;
        }
        (at, rest) = (at + 32, tail);
    }
    while let Some((word, tail)) = rest.split_first_chunk::<8>() {
        let flags = attention(u64::from_le_bytes(*word));
        if flags != 0 {
            return at + (flags.trailing_zeros() / 8) as usize;
        }
        (at, rest) = (at + 8, tail);
    }
    at + rest.iter().take_while(|byte| !matches!(byte, b'"' | b'\\' | 0..0x20)).count()
}

/// Flags the bytes of a word that need attention, in their highest bits. In each of the three masks the lowest flag is exact,
/// so the lowest of all is too; higher ones may be false.
#[inline]
const fn attention(word: u64) -> u64 {
    let (quote, slash) = (word ^ (ONES * 0x22), word ^ (ONES * 0x5c));
    let flags = (quote.wrapping_sub(ONES) & !quote)
        | (slash.wrapping_sub(ONES) & !slash)
        | (word.wrapping_sub(ONES * 0x20) & !word);
    flags & HIGHS
}

/// Writes what an escaped string means into `out`; `None` when that does not fit, or holds half of a surrogate pair.
pub(crate) fn unescape<const N: usize>(raw: &[u8], out: &mut arrayvec::ArrayString<N>) -> Option<()> {
    out.clear();
    let mut rest = std::str::from_utf8(raw).ok()?;
    while let Some(slash) = rest.find('\\') {
        out.try_push_str(rest.get(..slash)?).ok()?;
        let mut tail = rest.get(slash + 1..)?.chars();
        let meant = match tail.next()? {
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let (meant, after) = code_point(tail.as_str())?;
                tail = after.chars();
                meant
            }
            same => same,
        };
        out.try_push(meant).ok()?;
        rest = tail.as_str();
    }
    out.try_push_str(rest).ok()
}

/// The character of the digits after `\u`, the second half of a surrogate pair included, and what follows it.
fn code_point(text: &str) -> Option<(char, &str)> {
    let unit = |text: &str| u32::from_str_radix(text.get(..4)?, 16).ok();
    let first = unit(text)?;
    let rest = text.get(4..)?;
    if !(0xd800..0xdc00).contains(&first) {
        return Some((char::from_u32(first)?, rest));
    }
    let low = rest.strip_prefix("\\u")?;
    let second = unit(low)?.checked_sub(0xdc00).filter(|half| *half < 0x400)?;
    Some((char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + second)?, low.get(4..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(text: &str) -> Scan<Kind> {
        let mut scanner = Scanner::new(text.as_bytes());
        let kind = scanner.value()?.kind;
        scanner.skip_space();
        if scanner.is_done() { Ok(kind) } else { Err(scanner.broken(FaultKind::Trailing)) }
    }

    #[test]
    fn agrees_with_a_reference_on_what_json_is() {
        let deep = format!("{}1{}", "[".repeat(60), "]".repeat(60));
        for text in [
            "1",
            "-0.5e+10",
            "01",
            "1.",
            ".5",
            "-",
            "+1",
            "1e",
            "true",
            "tru",
            "null",
            "NaN",
            "\"a\"",
            "\"a",
            "\"\\u00e9\"",
            "\"\\x\"",
            "\"\\u12\"",
            "\"tab\tinside\"",
            "[]",
            "[ ]",
            "[1,]",
            "[1 2]",
            "[,1]",
            "{}",
            "{ }",
            "{\"a\":1}",
            "{\"a\" : [1, {\"b\":{}} , [] ] }",
            "{\"a\"}",
            "{\"a\":}",
            "{a:1}",
            "{\"a\":1,}",
            "{\"a\":1]",
            "[1}",
            "[[]",
            "",
            " ",
            "1 1",
            "{\"a\":1}x",
            "\"é\"",
            "[{},{}]",
            "[[],[]]",
            "{\"a\":[],\"b\":{}}",
            &deep,
        ] {
            let reference = serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
            assert_eq!(whole(text).is_ok(), reference, "{text}");
        }
    }

    #[test]
    fn depth_is_bounded() {
        let deep = "[".repeat(100_000);
        assert_eq!(whole(&deep), Err(Broken { at: 64, kind: FaultKind::TooDeep }));
        let deep = "{\"a\":".repeat(100_000);
        assert_eq!(whole(&deep).map_err(|broken| broken.kind), Err(FaultKind::TooDeep));
    }

    #[test]
    fn bytes_that_are_not_text_end_the_frame() {
        let mut scanner = Scanner::new(b"[\"abc\xff\"]");
        scanner.validate();
        assert_eq!(scanner.value(), Err(Broken { at: 5, kind: FaultKind::NotUtf8 }));
    }

    #[test]
    fn escapes_mean_what_they_mean_in_the_reference() {
        for text in [
            "plain",
            "a\\\"b\\\\c\\/\\b\\f\\n\\r\\t",
            "\\u00e9\\u20ac",
            "\\ud83d\\ude00!",
            "\\ud83d",
            "\\ude00",
            "é\\u0041",
        ] {
            let mut ours = arrayvec::ArrayString::<64>::new();
            let meant = unescape(text.as_bytes(), &mut ours).map(|()| ours.to_string());
            assert_eq!(meant, serde_json::from_str::<String>(&format!("\"{text}\"")).ok(), "{text}");
        }
        let mut small = arrayvec::ArrayString::<2>::new();
        assert_eq!(unescape(b"abc", &mut small), None);
    }
}
