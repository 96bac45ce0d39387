//! `oddsmith audit`: whether a run kept to its limits and its ledger, proven from its journal alone.

use std::io::{Write, stdout};

use oddsmith_audit::{AuditError, Report, audit};

use crate::data::Run;
use crate::failure::Failure;

/// Carries the command out.
pub fn run(run: &Run, json: bool) -> Result<(), Failure> {
    let report = audit(&run.dir).map_err(|error| match error {
        AuditError::Read(error) => error.into(),
        AuditError::Codec { .. } => Failure::Answer(error.to_string()),
    })?;
    if report.totals.inputs == 0 {
        return Err(Failure::Answer(format!("the journal in {} holds no input: nothing is proven", run.dir.display())));
    }
    let text = if json {
        serde_json::to_string(&report).map_err(|error| Failure::Running(error.to_string()))? + "\n"
    } else {
        told(&report)
    };
    stdout().write_all(text.as_bytes()).map_err(|error| Failure::output(&error))?;
    match report.violations.first() {
        None => Ok(()),
        Some(first) => Err(Failure::Answer(format!(
            "{} violations, the first at record {}: look at it with `oddsmith journal cat`",
            report.violation_count, first.record
        ))),
    }
}

fn told(report: &Report) -> String {
    let totals = &report.totals;
    let mut out = format!("run {}\n", report.run_id);
    out += &format!(
        "{} records: {} inputs, {} outputs; {} commands, {} doubts\n",
        totals.records, totals.inputs, totals.outputs, totals.commands, totals.doubts
    );
    out += &format!(
        "{} orders, {} fills ({} undone), {} account states; {} orders and {} actions open at the end\n",
        totals.orders, totals.fills, totals.failed, totals.ledgers, totals.open_orders, totals.unanswered
    );
    out += &format!(
        "cash {} = realised {} - cost {}; fees {}\n",
        totals.cash, totals.realized, totals.cost_basis, totals.fees
    );
    for (rule, count) in &report.checks {
        out += &format!("  {rule:<20}{count:>10} checks\n");
    }
    if let Some(damage) = &report.damage {
        out += &format!("note: what stood behind is lost: {damage}\n");
    } else if !report.closed {
        out += "note: the run was not closed: it still works, or was killed\n";
    }
    if report.holds {
        return out + "holds\n";
    }
    for violation in report.violations.iter().take(20) {
        out += &format!("VIOLATION at record {} ({}): {}\n", violation.record, violation.rule, violation.what);
    }
    out
}
