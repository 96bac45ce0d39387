//! SHA-256 of texts and files, in hexadecimal.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::OnceLock;

use sha2::{Digest, Sha256};

/// Of a text.
pub fn text(text: &str) -> String {
    hex(&Sha256::digest(text))
}

/// Of a file's bytes.
///
/// # Errors
/// What the system said.
pub fn file(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let (mut digest, mut buffer) = (Sha256::new(), vec![0; 1 << 16]);
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(hex(&digest.finalize()));
        }
        digest.update(buffer.get(..read).unwrap_or_default());
    }
}

/// Of the program that runs, also when another one has taken its place on the disk meanwhile; empty where it cannot be read.
pub fn program() -> &'static str {
    static PROGRAM: OnceLock<String> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let running = file(Path::new("/proc/self/exe"));
        running.or_else(|_| file(&std::env::current_exe()?)).unwrap_or_default()
    })
}

/// Bytes as lower-case digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The start of a hash, for people.
pub fn short(hash: &str) -> &str {
    hash.get(..8).unwrap_or(hash)
}
