//! `oddsmith config`: shows the effective configuration.

use std::io::{Write, stdout};

use crate::cli::ConfigAction;
use crate::config;
use crate::failure::Failure;

/// Carries the command out.
pub fn run(action: &ConfigAction) -> Result<(), Failure> {
    let ConfigAction::Show { config: file, set } = action;
    let config = config::load(file.as_deref(), set)?;
    let text = serde_saphyr::to_string(&config)
        .map_err(|error| Failure::Running(format!("the configuration cannot be printed: {error}")))?;
    stdout().write_all(text.as_bytes()).map_err(|error| Failure::output(&error))
}
