//! Files that are there whole or not at all.

use std::fs;
use std::path::Path;

use crate::failure::Failure;

/// Writes a file, and the folders that it needs. What was there stays until the new text is whole.
///
/// # Errors
/// [`Failure::Running`] with what the system said; then nothing is left beside.
pub fn write(path: &Path, text: &[u8]) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::Running(format!("cannot write {}: {error}", path.display()));
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let new = Path::new(&name);
    fs::write(new, text).and_then(|()| fs::rename(new, path)).map_err(|error| {
        let _ = fs::remove_file(new);
        failed(error)
    })
}
