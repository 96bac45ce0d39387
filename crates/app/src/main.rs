//! The `oddsmith` binary: command line, configuration, drivers and lifecycle.
//!
//! This crate connects the other rooms and speaks to people. It holds no logic that a room should hold: what decides is in the
//! engine, what knows the venue in `polymarket`, what writes down in `journal`.
//!
//! Data goes to standard output, talk to standard error. Exit codes: 0 done; 1 the answer is no (a file could not be read, a replay
//! differs, a journal is damaged, something of ours is left at the venue); 2 the command line or the configuration is wrong; 3 it
//! failed while running.

mod backtest;
mod cli;
mod command;
mod config;
mod control;
mod data;
mod dead_letter;
mod failure;
mod guard;
mod hash;
mod history;
mod housekeeping;
mod letters;
mod live;
mod manifest;
mod pages;
mod record;
mod recorded;
mod replay;
mod retention;
mod time;
mod whole;

use std::process::ExitCode;

use clap::Parser;

use cli::{Arguments, Command, OperatorArguments, ScopedArguments};
use control::Word;
use failure::Failure;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match dispatch(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever closed our output, `head` for one, has read enough.
        Err(Failure::OutputClosed) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("oddsmith: {failure}");
            failure.code()
        }
    }
}

fn dispatch(arguments: &Arguments) -> Result<(), Failure> {
    match &arguments.command {
        Command::Run(action) => {
            let data = data::DataDir::find(arguments.data.as_deref());
            command::run::run(&data, action)
        }
        Command::Exchange(arguments) => command::exchange::run(arguments),
        Command::Config { action } => command::config::run(action),
        Command::Simulate(simulation) => {
            let data = data::DataDir::find(arguments.data.as_deref());
            command::simulate::run(&data, simulation)
        }
        Command::Backtest(arguments_of) => backtest::run(&data::DataDir::find(arguments.data.as_deref()), arguments_of),
        Command::Replay { run, config, set, json } => {
            let data = data::DataDir::find(arguments.data.as_deref());
            command::replay::run(&data.resolve(run)?, config.as_deref(), set, *json)
        }
        Command::Record(arguments_of) => {
            let data = data::DataDir::find(arguments.data.as_deref());
            command::record::run(&data, arguments_of)
        }
        Command::Verify { files, json, dead_letter } => command::verify::run(files, *json, dead_letter.clone()),
        Command::Stop(call) => operator(arguments, call, Word::Stop),
        Command::Resume(call) => operator(arguments, call, Word::Resume),
        Command::Shutdown(call) => operator(arguments, call, Word::Shutdown),
        Command::Kill(call) => operator(arguments, call, Word::Kill),
        Command::Reset(call) => operator(arguments, call, Word::Reset),
        Command::Reduce(call) => scoped(arguments, call, Word::Reduce),
        Command::Halt(call) => scoped(arguments, call, Word::Halt),
        Command::Activate(call) => scoped(arguments, call, Word::Activate),
        Command::Status(call) => scoped(arguments, call, Word::Status),
        Command::Strategies { json } => command::eval::list(*json),
        Command::Eval { strategy, config, state } => command::eval::run(strategy, config.as_deref(), state),
        Command::Queue(arguments) => command::queue::run(arguments),
        Command::Audit { run, json } => {
            let data = data::DataDir::find(arguments.data.as_deref());
            command::audit::run(&data.resolve(run)?, *json)
        }
        Command::Report(call) => command::report::report(&data::DataDir::find(arguments.data.as_deref()), call),
        Command::Compare(call) => command::report::compare(&data::DataDir::find(arguments.data.as_deref()), call),
        Command::Calibrate(call) => command::report::calibrate(&data::DataDir::find(arguments.data.as_deref()), call),
        Command::Guard(call) => command::guard::run(&data::DataDir::find(arguments.data.as_deref()), call),
        Command::Journal { action } => command::journal::run(arguments, action),
    }
}

fn operator(arguments: &Arguments, call: &OperatorArguments, word: Word) -> Result<(), Failure> {
    command::operator::run(&data::DataDir::find(arguments.data.as_deref()), call, word, (None, None))
}

fn scoped(arguments: &Arguments, call: &ScopedArguments, word: Word) -> Result<(), Failure> {
    let scope = (call.market.as_deref(), call.instance.as_deref());
    command::operator::run(&data::DataDir::find(arguments.data.as_deref()), &call.call, word, scope)
}
