//! Where the recordings are that tests may read.

use std::path::PathBuf;

/// A folder of the recorded data beside the repository; `None`, with a printed sentence, when it is not there.
pub fn shared(folder: &str) -> Option<PathBuf> {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let root = std::env::var_os("ODDSMITH_SHARED").map_or_else(beside, PathBuf::from);
    let path = root.join("data").join(folder);
    if path.exists() {
        return Some(path);
    }
    eprintln!("skipped: the recordings of `{folder}` are not at {} (set ODDSMITH_SHARED)", path.display());
    None
}
