//! What was checked, and how it went.

use std::future::Future;
use std::process::ExitCode;
use std::time::Duration;

use tokio::time::timeout;

/// Longer than any check needs: the SDK itself may wait 30 s for a settlement.
const PATIENCE: Duration = Duration::from_secs(60);

struct Row {
    check: &'static str,
    client: &'static str,
    fault: Option<String>,
}

/// The rows of the table.
#[derive(Default)]
pub struct Report {
    rows: Vec<Row>,
    only: Option<String>,
}

impl Report {
    /// A report of the checks whose names hold a text.
    pub fn of(only: Option<String>) -> Report {
        Report { only, ..Report::default() }
    }

    /// Runs one check.
    pub async fn check(
        &mut self,
        check: &'static str,
        client: &'static str,
        run: impl Future<Output = anyhow::Result<()>>,
    ) {
        if self.wants(check) {
            let fault = Report::timed(run).await;
            self.note(check, client, fault);
        }
    }

    /// Whether a check, or a check whose name begins so, was asked for.
    pub fn wants(&self, check: &str) -> bool {
        self.only.as_ref().is_none_or(|only| check.contains(only.as_str()) || only.starts_with(check))
    }

    /// What went wrong in a check.
    pub async fn timed(run: impl Future<Output = anyhow::Result<()>>) -> Option<String> {
        match timeout(PATIENCE, run).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(format!("{error:#}")),
            Err(_) => Some("took too long".to_owned()),
        }
    }

    /// Enters a check that was run beside others.
    pub fn note(&mut self, check: &'static str, client: &'static str, fault: Option<String>) {
        self.rows.push(Row { check, client, fault });
    }

    /// Prints the table and the totals.
    pub fn print(&self) -> ExitCode {
        println!("| check | client | result |\n|---|---|---|");
        for row in &self.rows {
            let result = row.fault.as_ref().map_or_else(|| "passed".to_owned(), |fault| format!("FAILED: {fault}"));
            println!("| {} | {} | {result} |", row.check, row.client);
        }
        let failed = self.rows.iter().filter(|row| row.fault.is_some()).count();
        println!("{} passed, {failed} failed", self.rows.len() - failed);
        if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

/// An error that names both sides if they differ.
pub fn same<T: PartialEq + std::fmt::Debug>(what: &str, is: T, should: T) -> anyhow::Result<()> {
    anyhow::ensure!(is == should, "{what} is {is:?} and should be {should:?}");
    Ok(())
}
