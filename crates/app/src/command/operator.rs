//! `oddsmith stop`, `resume`, `shutdown`, `status` and their like: the operator's hand on a running engine.

use std::collections::BTreeMap;
use std::io::{Write, stdout};
use std::path::PathBuf;

use oddsmith_domain::OrderState;
use serde_json::Value;

use crate::cli::OperatorArguments;
use crate::control::{Call, CallError, Reply, Request, Word};
use crate::data::DataDir;
use crate::failure::Failure;

/// Carries a command out.
pub fn run(
    data: &DataDir,
    arguments: &OperatorArguments,
    word: Word,
    (market, instance): (Option<&str>, Option<&str>),
) -> Result<(), Failure> {
    let dir = running(data, &arguments.run)?;
    let wait_ms = u64::try_from(arguments.wait.as_millis()).unwrap_or(u64::MAX);
    let request =
        Request { command: word, market: market.map(str::to_owned), instance: instance.map(str::to_owned), wait_ms };
    let failed = |error: CallError| match error {
        CallError::NotRunning => Failure::Answer(format!("run {}: {error}", dir.display())),
        _ => Failure::Running(format!("run {}: {error}", dir.display())),
    };
    let mut call = Call::place(&dir, &request).map_err(failed)?;
    let mut result = Err(failed(CallError::Ended));
    while let Some(reply) = call.hear().map_err(failed)? {
        let text = if arguments.json { as_json(&reply)? } else { told(&reply, market) };
        stdout().write_all(text.as_bytes()).map_err(|error| Failure::output(&error))?;
        result = match reply {
            Reply::Refused { why } => Err(Failure::Answer(why)),
            Reply::Settled { shown: false, .. } => Err(Failure::Answer(
                "the venue has not shown that nothing is left: the engine goes on cancelling; ask again with `oddsmith status`"
                    .to_owned(),
            )),
            Reply::Handled { .. } | Reply::Settled { .. } | Reply::Status { .. } => Ok(()),
        };
    }
    result
}

/// The directory of the run that is meant; `latest` is the latest that runs.
fn running(data: &DataDir, name: &str) -> Result<PathBuf, Failure> {
    if name == "latest" {
        let mut runs = data.runs()?;
        runs.reverse();
        if let Some(run) = runs.iter().find(|run| Call::is_answered(&run.dir)) {
            return Ok(run.dir.clone());
        }
    }
    data.resolve(name).map(|run| run.dir)
}

fn as_json(reply: &Reply) -> Result<String, Failure> {
    serde_json::to_string(reply).map(|text| text + "\n").map_err(|error| Failure::Running(error.to_string()))
}

fn told(reply: &Reply, market: Option<&str>) -> String {
    match reply {
        Reply::Refused { .. } => String::new(),
        Reply::Handled { record, quoting, doubts } => {
            let mode = match (quoting, doubts.is_empty()) {
                (true, _) => "may quote".to_owned(),
                (false, true) => "quotes again after the cool-down".to_owned(),
                (false, false) => format!("does not quote: {doubts:?}"),
            };
            format!("handled, record {record} of the journal; the engine {mode}\n")
        }
        Reply::Settled { shown, orders } => {
            let mut states: BTreeMap<OrderState, usize> = BTreeMap::new();
            orders.iter().for_each(|(_, state)| *states.entry(*state).or_default() += 1);
            let counted: Vec<String> = states.iter().map(|(state, count)| format!("{count} {state:?}")).collect();
            let what = if orders.is_empty() { "no order was open".to_owned() } else { counted.join(", ") };
            let end = if *shown { "the venue shows that nothing is left" } else { "NOT yet shown by the venue" };
            format!("orders: {what}; {end}\n")
        }
        Reply::Status { view } => status(view, market),
    }
}

/// The view as a few lines.
fn status(view: &Value, market: Option<&str>) -> String {
    let text = |value: &Value| match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let totals = &view["totals"];
    let mut out = format!(
        "quoting {}, doubts {}; cash {}, realised {}, unrealised {}, open orders {}, fills {}\n",
        view["quoting"],
        view["doubts"],
        text(&totals["cash"]),
        text(&totals["realized"]),
        text(&totals["unrealized"]),
        totals["open_orders"],
        totals["fills"]
    );
    let lines = view["markets"].as_array().map_or(&[][..], Vec::as_slice);
    for line in lines.iter().filter(|line| market.is_none_or(|slug| line["slug"] == slug)) {
        out += &format!(
            "{}: mode {}, doubts {}, quotes {}, matched {}/{}, worst loss {}\n",
            text(&line["slug"]),
            text(&line["mode"]),
            line["doubts"],
            line["quotes"].as_array().map_or(0, Vec::len),
            text(&line["matched"][0]),
            text(&line["matched"][1]),
            text(&line["worst_loss"])
        );
    }
    out
}
