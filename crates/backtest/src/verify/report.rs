//! What `verify` says about a file.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Serialize;

/// How many were compared, and how many came out the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Proofs {
    /// Compared.
    pub checked: u64,
    /// Of these, equal.
    pub reproduced: u64,
}

impl Proofs {
    pub(super) fn add(&mut self, checked: u64, reproduced: u64) {
        self.checked += checked;
        self.reproduced += reproduced;
    }
}

/// Hashes by where they stood.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct HashesByKind {
    /// Of books read by REST.
    pub rest: Proofs,
    /// Of books on the stream.
    pub snapshot: Proofs,
    /// Of level changes, compared when their batch had ended.
    pub delta: Proofs,
}

/// Best prices that the venue stated beside a change, compared with the book's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Agreement {
    /// Compared: frames that state best prices, of books that are known to be whole.
    pub checked: u64,
    /// Equal after own levels better than the stated best were removed.
    pub agreed: u64,
    /// Equal before.
    pub agreed_before_repair: u64,
}

/// A stretch of venue time in which a book could not be trusted: updates in it never arrived.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// The token.
    pub asset_id: String,
    /// The last time, in the venue's milliseconds, for which the book was right.
    pub from: u64,
    /// The time for which it was right again, or the last one seen.
    pub to: u64,
}

/// What a recording showed. Serialised, it is the object that `oddsmith verify --json` prints.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FileReport {
    /// The file as it was named.
    pub file: String,
    /// Frames by event type; books read by REST as `rest`, lines of other sources as `source.type`. The elements of an array count
    /// one by one.
    pub frames: BTreeMap<String, u64>,
    /// The venue's hashes, all kinds together.
    pub hashes: Proofs,
    /// The venue's hashes by kind.
    pub hashes_by_kind: HashesByKind,
    /// Stated best prices.
    pub top_of_book: Agreement,
    /// Own levels that were removed because the venue stated a worse best price.
    pub repaired: u64,
    /// Frames after which a published best bid was not below the published best ask.
    pub crossed_published: u64,
    /// How often a book was found to be wrong.
    pub dirty: u64,
    /// Where updates are missing.
    pub gaps: Vec<Gap>,
    /// Frames, or changes in them, that could not be decoded.
    pub undecodable: u64,
    /// Hashes that could not be compared: something that they cover was never stated, or their batch was cut off.
    #[serde(skip)]
    pub not_comparable: u64,
}

/// The reports as a table for people.
#[must_use]
pub fn render_table(reports: &[FileReport]) -> String {
    let mut out = String::new();
    for report in reports {
        // Writing to a String cannot fail.
        let _ = write_report(&mut out, report);
    }
    out
}

fn write_report(out: &mut String, report: &FileReport) -> std::fmt::Result {
    writeln!(out, "{}", report.file)?;
    for (event, count) in &report.frames {
        writeln!(out, "  {event:<34} {count:>10}")?;
    }
    writeln!(out, "  {:<34} {:>10}", "undecodable", report.undecodable)?;
    let kinds = &report.hashes_by_kind;
    for (kind, proofs) in [
        ("hashes of REST books", kinds.rest),
        ("hashes of stream books", kinds.snapshot),
        ("hashes of changes", kinds.delta),
        ("hashes, all", report.hashes),
    ] {
        writeln!(
            out,
            "  {kind:<34} {:>10} of {:>10} reproduced{}",
            proofs.reproduced,
            proofs.checked,
            percent(proofs.reproduced, proofs.checked)
        )?;
    }
    if report.not_comparable > 0 {
        writeln!(out, "  {:<34} {:>10}", "hashes that cannot be compared", report.not_comparable)?;
    }
    let top = &report.top_of_book;
    for (when, agreed) in
        [("best prices, before repair", top.agreed_before_repair), ("best prices, after repair", top.agreed)]
    {
        writeln!(out, "  {when:<34} {agreed:>10} of {:>10} agree{}", top.checked, percent(agreed, top.checked))?;
    }
    for (what, count) in [
        ("levels removed by repair", report.repaired),
        ("crossed states published", report.crossed_published),
        ("books found wrong (dirty)", report.dirty),
        ("gaps", report.gaps.len() as u64),
    ] {
        writeln!(out, "  {what:<34} {count:>10}")?;
    }
    for gap in report.gaps.iter().take(GAPS_SHOWN) {
        let tail = gap.asset_id.get(gap.asset_id.len().saturating_sub(8)..).unwrap_or(&gap.asset_id);
        writeln!(out, "    token …{tail}: {} to {} ({} ms)", gap.from, gap.to, gap.to.saturating_sub(gap.from))?;
    }
    if report.gaps.len() > GAPS_SHOWN {
        writeln!(out, "    and {} more", report.gaps.len() - GAPS_SHOWN)?;
    }
    Ok(())
}

/// How many gaps the table lists.
const GAPS_SHOWN: usize = 10;

fn percent(part: u64, whole: u64) -> String {
    if whole == 0 { String::new() } else { format!(" ({:.3} %)", part as f64 * 100.0 / whole as f64) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_object_has_exactly_the_stated_keys() {
        let report = FileReport {
            file: "f".into(),
            frames: BTreeMap::from([("book".into(), 2)]),
            gaps: vec![Gap { asset_id: "7".into(), from: 1, to: 2 }],
            ..FileReport::default()
        };
        let text = serde_json::to_string(&report).expect("plain data");
        assert_eq!(
            text,
            "{\"file\":\"f\",\"frames\":{\"book\":2},\"hashes\":{\"checked\":0,\"reproduced\":0},\
             \"hashes_by_kind\":{\"rest\":{\"checked\":0,\"reproduced\":0},\"snapshot\":{\"checked\":0,\"reproduced\":0},\
             \"delta\":{\"checked\":0,\"reproduced\":0}},\
             \"top_of_book\":{\"checked\":0,\"agreed\":0,\"agreed_before_repair\":0},\"repaired\":0,\"crossed_published\":0,\
             \"dirty\":0,\"gaps\":[{\"asset_id\":\"7\",\"from\":1,\"to\":2}],\"undecodable\":0}"
        );
    }
}
