//! Many backtests at once: the values that settings are to take, and the windows of a walk forward.

use thiserror::Error;

use crate::trial::Stretch;

/// One setting and the values that it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Axis {
    /// The setting's dotted key.
    pub key: String,
    /// Its values as texts, in the order in which they were named.
    pub values: Vec<String>,
}

/// Why a text is no axis.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{0}` is not a setting with values: write key=a,b,c")]
pub struct AxisError(String);

impl Axis {
    /// Reads `key=a,b,c`.
    ///
    /// # Errors
    /// [`AxisError`] without a key or a value.
    pub fn parse(text: &str) -> Result<Axis, AxisError> {
        let wrong = || AxisError(text.to_owned());
        let (key, values) = text.split_once('=').ok_or_else(wrong)?;
        let values: Vec<String> = values.split(',').map(|value| value.trim().to_owned()).collect();
        if key.trim().is_empty() || values.iter().any(String::is_empty) {
            return Err(wrong());
        }
        Ok(Axis { key: key.trim().to_owned(), values })
    }
}

/// Every combination of the axes' values, the last axis changing fastest. Without axes there is one, with nothing in it.
#[must_use]
pub fn grid(axes: &[Axis]) -> Vec<Vec<(String, String)>> {
    axes.iter().fold(vec![Vec::new()], |cells, axis| {
        let with = |cell: &Vec<(String, String)>, value: &String| {
            let mut cell = cell.clone();
            cell.push((axis.key.clone(), value.clone()));
            cell
        };
        cells.iter().flat_map(|cell| axis.values.iter().map(move |value| with(cell, value))).collect()
    })
}

/// One step of a walk forward: what is learned from, and what it is then tried on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Window {
    /// Where the best values are chosen.
    pub train: Stretch,
    /// Where they are tried, right behind.
    pub test: Stretch,
}

/// The windows that lie wholly within one session each; each begins one test later than the one before it, so that no test overlaps
/// another.
#[must_use]
pub fn walk_forward(sessions: &[Stretch], train_ns: u64, test_ns: u64) -> Vec<Window> {
    let mut windows = Vec::new();
    if train_ns == 0 || test_ns == 0 {
        return windows;
    }
    for session in sessions {
        let mut from_ns = session.from_ns;
        while session.to_ns.saturating_sub(from_ns) >= train_ns.saturating_add(test_ns) {
            let middle = from_ns + train_ns;
            windows.push(Window {
                train: Stretch { from_ns, to_ns: middle },
                test: Stretch { from_ns: middle, to_ns: middle + test_ns },
            });
            from_ns += test_ns;
        }
    }
    windows
}

/// Puts stretches, which stand in the order of their beginnings, into as few lists as possible in which none overlaps another. By their
/// places.
#[must_use]
pub fn disjoint(stretches: &[Stretch]) -> Vec<Vec<usize>> {
    let mut lists: Vec<Vec<usize>> = Vec::new();
    for (at, stretch) in stretches.iter().enumerate() {
        let free = lists.iter_mut().find(|list| {
            list.last().is_none_or(|last| stretches.get(*last).is_some_and(|last| last.to_ns <= stretch.from_ns))
        });
        match free {
            Some(list) => list.push(at),
            None => lists.push(vec![at]),
        }
    }
    lists
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_combinations_the_last_changing_fastest() {
        let axes = ["a=1,2", "b.c= x ,y"].map(|text| Axis::parse(text).expect("an axis"));
        let cells: Vec<String> = grid(&axes)
            .iter()
            .map(|cell| cell.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" "))
            .collect();
        assert_eq!(cells, ["a=1 b.c=x", "a=1 b.c=y", "a=2 b.c=x", "a=2 b.c=y"]);
        assert_eq!(grid(&[]), [Vec::new()]);
        for text in ["a", "=1", "a=", "a=1,,2"] {
            assert!(Axis::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn windows_walk_forward_within_their_session() {
        let stretch = |from_ns, to_ns| Stretch { from_ns, to_ns };
        let windows = walk_forward(&[stretch(0, 100), stretch(200, 229), stretch(300, 330)], 20, 10);
        assert_eq!(windows.len(), 8 + 1, "{windows:?}");
        assert_eq!(windows[1], Window { train: stretch(10, 30), test: stretch(30, 40) });
        assert_eq!(windows[8], Window { train: stretch(300, 320), test: stretch(320, 330) });
        let tests: Vec<Stretch> = windows.iter().map(|window| window.test).collect();
        assert_eq!(disjoint(&tests).len(), 1);
        let trains: Vec<Stretch> = windows.iter().map(|window| window.train).collect();
        let lists = disjoint(&trains);
        assert_eq!(lists.len(), 2, "each moment is in two of them");
        assert_eq!(lists.iter().map(Vec::len).sum::<usize>(), windows.len());
        assert_eq!(walk_forward(&[stretch(0, 100)], 0, 10), []);
    }
}
