//! The exchange as a child process.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// A running exchange; it is ended when this is dropped.
pub struct Exchange {
    child: Child,
    pub info: Value,
}

impl Exchange {
    /// Starts `program exchange`, or the workspace's own binary, built if need be.
    pub async fn start(program: Option<String>) -> anyhow::Result<Exchange> {
        let program = match program {
            Some(program) => PathBuf::from(program),
            None => build().await?,
        };
        let mut child = Command::new(&program)
            .args(["exchange", "--listen", "127.0.0.1:0", "--seed", "1"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{} does not start", program.display()))?;
        let stdout = child.stdout.take().context("the exchange has no standard output")?;
        let mut lines = BufReader::new(stdout).lines();
        let line = timeout(Duration::from_secs(30), lines.next_line()).await.context("no line within 30 seconds")??;
        let line = line.context("the exchange ended without saying where it is")?;
        let info = serde_json::from_str(&line).context("the exchange's line is no JSON")?;
        // Whatever else it says must not fill the pipe.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok(Exchange { child, info })
    }

    pub async fn stop(mut self) {
        // It may have ended by itself, which the checks have noticed then.
        let _ended = self.child.kill().await;
    }
}

async fn build() -> anyhow::Result<PathBuf> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let status = Command::new("cargo").args(["build", "--bin", "oddsmith"]).current_dir(&root).status().await?;
    anyhow::ensure!(status.success(), "the workspace does not build");
    let target = std::env::var("CARGO_TARGET_DIR").map_or_else(|_| root.join("target"), PathBuf::from);
    Ok(target.join("debug").join("oddsmith"))
}
