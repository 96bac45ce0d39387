//! Where the keys and values of a YAML text stand.

use serde_saphyr::granit_parser::{Event, Parser};

/// The places of a text: dotted keys such as `engine.instances.0.name`, with line and column of key and value, from 1.
#[derive(Debug, Default)]
pub struct Places {
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    path: String,
    key: (u64, u64),
    value: (u64, u64),
}

enum Frame {
    Mapping { path: String, key: Option<(String, (u64, u64))> },
    Sequence { path: String, index: usize },
}

impl Places {
    /// Walks the text as far as it can be parsed.
    pub fn of(text: &str) -> Places {
        let mut places = Places::default();
        let mut stack: Vec<Frame> = Vec::new();
        for event in Parser::new_from_str(text) {
            let Ok((event, span)) = event else { break };
            let at = (span.start.line() as u64, span.start.col() as u64 + 1);
            match event {
                Event::Scalar(word, ..) => {
                    if let Some(Frame::Mapping { key: key @ None, .. }) = stack.last_mut() {
                        *key = Some((word.into_owned(), at));
                    } else {
                        places.value(&mut stack, at);
                    }
                }
                Event::Alias(..) => {
                    places.value(&mut stack, at);
                }
                Event::MappingStart(..) => {
                    let path = places.value(&mut stack, at);
                    stack.push(Frame::Mapping { path, key: None });
                }
                Event::SequenceStart(..) => {
                    let path = places.value(&mut stack, at);
                    stack.push(Frame::Sequence { path, index: 0 });
                }
                Event::MappingEnd | Event::SequenceEnd => {
                    stack.pop();
                }
                _ => {}
            }
        }
        places
    }

    /// A value begins here; its path.
    fn value(&mut self, stack: &mut [Frame], at: (u64, u64)) -> String {
        let (path, key) = match stack.last_mut() {
            None => return String::new(),
            Some(Frame::Mapping { path, key }) => match key.take() {
                Some((word, place)) => (join(path, &word), place),
                None => return path.clone(),
            },
            Some(Frame::Sequence { path, index }) => {
                let path = join(path, &index.to_string());
                *index += 1;
                (path, at)
            }
        };
        self.rows.push(Row { path: path.clone(), key, value: at });
        path
    }

    /// Where the value of a key stands; of its nearest parent, if the key is not in the text: there, the parent's key.
    pub fn find(&self, path: &str) -> Option<(u64, u64)> {
        if let Some(row) = self.rows.iter().find(|row| row.path == path) {
            return Some(row.value);
        }
        let (parent, _) = path.rsplit_once('.')?;
        self.rows.iter().find(|row| row.path == parent).map(|row| row.key).or_else(|| self.find(parent))
    }

    /// The key whose name or value stands at a place.
    pub fn at(&self, place: (u64, u64)) -> Option<&str> {
        // A mapping begins where its first key does: the key is meant then, and it is the later row.
        let row =
            self.rows.iter().rfind(|row| row.key == place).or_else(|| self.rows.iter().find(|row| row.value == place));
        row.map(|row| row.path.as_str())
    }

    /// The key that a key is under.
    pub fn parent_of(path: &str) -> &str {
        path.rsplit_once('.').map_or("", |(parent, _)| parent)
    }
}

fn join(path: &str, word: &str) -> String {
    if path.is_empty() { word.to_owned() } else { format!("{path}.{word}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn block_and_flow_have_places() {
        let places = Places::of("a: 1\nlist:\n  - name: q\n    s: {x: 1, y: [2, 3]}\n  - name: r\n");
        for (path, place) in [
            ("a", (1, 4)),
            ("list.0.name", (3, 11)),
            ("list.0.s.x", (4, 12)),
            ("list.0.s.y.1", (4, 22)),
            ("list.1.name", (5, 11)),
        ] {
            assert_eq!(places.find(path), Some(place), "{path}");
            assert_eq!(places.at(place), Some(path));
        }
        assert_eq!(places.find("list.1.markets"), Some((5, 5)), "an absent key is sought at its parent");
        assert_eq!(places.find("nothing"), None);
    }
}
