//! What the tests of this crate share.
#![allow(dead_code, reason = "every test binary uses a part of it")]

pub mod chain;
pub mod live;
pub mod replay;
pub mod trial;

use std::fs;
use std::path::{Path, PathBuf};

/// The repository's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the repository")
}

/// A Rust file with what is code in it.
pub struct SourceFile {
    /// Its path from the root, with slashes.
    pub path: String,
    /// Its text.
    pub text: String,
    code: String,
}

impl SourceFile {
    pub fn new(path: String, text: String) -> SourceFile {
        let code = without_tests(&without_comments_and_strings(&text));
        SourceFile { path, text, code }
    }

    /// The numbers of the lines whose code names a word, whole.
    pub fn lines_naming(&self, word: &str) -> Vec<usize> {
        let whole = |line: &str| {
            line.match_indices(word).any(|(at, _)| {
                let joined = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
                let starts = word.starts_with(|c: char| c.is_alphanumeric());
                let ends = word.ends_with(|c: char| c.is_alphanumeric());
                let glued_before = starts && joined(line[..at].chars().next_back());
                let glued_after = ends && joined(line[at + word.len()..].chars().next());
                !glued_before && !glued_after
            })
        };
        self.code.lines().enumerate().filter(|(_, line)| whole(line)).map(|(number, _)| number + 1).collect()
    }
}

/// Every Rust file under a folder, tests in files of their own left out.
pub fn rust_files(folder: &Path) -> Vec<SourceFile> {
    let root = root();
    let mut files = Vec::new();
    walk(folder, &mut |path| {
        let name = path.file_name().unwrap_or_default();
        if path.extension().is_some_and(|e| e == "rs") && name != "tests.rs" {
            let text = fs::read_to_string(path).expect("a Rust file is text");
            let path = path.strip_prefix(&root).expect("inside").to_string_lossy().replace('\\', "/");
            files.push(SourceFile::new(path, text));
        }
    });
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

/// Every text file of the repository: path from the root, and text.
pub fn repository_files() -> Vec<(String, String)> {
    let root = root();
    let mut files = Vec::new();
    walk(&root, &mut |path| {
        if let Ok(text) = fs::read_to_string(path) {
            files.push((path.strip_prefix(&root).expect("inside").to_string_lossy().replace('\\', "/"), text));
        }
    });
    files.sort();
    files
}

fn walk(folder: &Path, visit: &mut impl FnMut(&Path)) {
    // What is built, downloaded or written by a run is not part of the repository.
    const SKIPPED: [&str; 6] = ["target", ".git", "data", "oddsmith-data", "node_modules", "tests-output"];
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            if !SKIPPED.iter().any(|name| path.file_name().is_some_and(|n| n == *name)) {
                walk(&path, visit);
            }
        } else if path.file_name().is_some_and(|name| name != ".git") {
            visit(&path);
        }
    }
}

/// The text with every comment, string and character literal blanked, line by line as it was.
fn without_comments_and_strings(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let end = match bytes[at] {
            b'/' if bytes.get(at + 1) == Some(&b'/') => until(bytes, at, b'\n'),
            b'/' if bytes.get(at + 1) == Some(&b'*') => block_comment_end(bytes, at),
            b'"' => string_end(bytes, at + 1),
            b'r' if !after_word(bytes, at) => raw_string_end(bytes, at).unwrap_or(at),
            b'\'' => char_end(bytes, at).unwrap_or(at),
            _ => at,
        };
        if end > at {
            code.extend(bytes[at..end].iter().map(|&b| if b == b'\n' { b'\n' } else { b' ' }));
            at = end;
        } else {
            code.push(bytes[at]);
            at += 1;
        }
    }
    String::from_utf8_lossy(&code).into_owned()
}

fn until(bytes: &[u8], at: usize, stop: u8) -> usize {
    bytes[at..].iter().position(|&b| b == stop).map_or(bytes.len(), |n| at + n)
}

fn after_word(bytes: &[u8], at: usize) -> bool {
    at > 0 && (bytes[at - 1].is_ascii_alphanumeric() && bytes[at - 1] != b'b' || bytes[at - 1] == b'_')
}

fn block_comment_end(bytes: &[u8], mut at: usize) -> usize {
    let mut depth = 0;
    while at + 1 < bytes.len() {
        match &bytes[at..at + 2] {
            b"/*" => (depth, at) = (depth + 1, at + 2),
            b"*/" => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    bytes.len()
}

fn string_end(bytes: &[u8], mut at: usize) -> usize {
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

fn raw_string_end(bytes: &[u8], at: usize) -> Option<usize> {
    let hashes = bytes[at + 1..].iter().take_while(|&&b| b == b'#').count();
    if bytes.get(at + 1 + hashes) != Some(&b'"') {
        return None;
    }
    let mut close = vec![b'"'];
    close.extend(std::iter::repeat_n(b'#', hashes));
    let from = at + 2 + hashes;
    let found = bytes[from..].windows(close.len()).position(|window| window == close)?;
    Some(from + found + close.len())
}

/// The end of a character literal; `None` for a lifetime.
fn char_end(bytes: &[u8], at: usize) -> Option<usize> {
    match bytes.get(at + 1)? {
        b'\\' => Some(until(bytes, at + 3, b'\'') + 1),
        _ => {
            let width = std::str::from_utf8(&bytes[at + 1..]).ok()?.chars().next()?.len_utf8();
            (bytes.get(at + 1 + width) == Some(&b'\'')).then_some(at + width + 2)
        }
    }
}

/// The code with every item under `#[cfg(test)]` blanked.
fn without_tests(code: &str) -> String {
    let mut code = code.as_bytes().to_vec();
    let mark = b"#[cfg(test)]";
    let mut from = 0;
    while let Some(found) = code[from..].windows(mark.len()).position(|window| window == mark) {
        let start = from + found;
        let mut at = start + mark.len();
        let mut depth = 0usize;
        while at < code.len() {
            match code[at] {
                b'{' => depth += 1,
                b'}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            at += 1;
            if depth == 0 && matches!(code[at - 1], b'}' | b';') {
                break;
            }
        }
        code[start..at].iter_mut().filter(|b| **b != b'\n').for_each(|b| *b = b' ');
        from = at;
    }
    String::from_utf8_lossy(&code).into_owned()
}

/// What a run of the binary gave.
#[derive(Debug)]
pub struct Ran {
    /// The exit code; -1 if a signal ended it.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

/// A data directory for a test. At the end every run that is in it must hold against `oddsmith audit`.
pub struct Data(tempfile::TempDir);

/// An empty data directory.
pub fn data() -> Data {
    Data(tempfile::tempdir().expect("a folder"))
}

impl Data {
    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Data {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let Ok(runs) = fs::read_dir(self.path().join("runs")) else { return };
        for run in runs {
            let run = run.expect("an entry").path();
            // One that a test has damaged cannot be read, which is its own test's business.
            if oddsmith(self.path(), &["journal", "verify", &run.to_string_lossy()]).code != 0 {
                continue;
            }
            let audit = oddsmith(self.path(), &["audit", &run.to_string_lossy()]);
            assert_eq!(audit.code, 0, "{}{}", audit.out, audit.err);
        }
    }
}

/// Runs the binary with a data directory of its own and nothing of ours in its environment.
pub fn oddsmith(data: &Path, arguments: &[&str]) -> Ran {
    let output = command(data).args(arguments).output().expect("the binary runs");
    Ran {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// The binary, ready to be started in its data directory.
pub fn command(data: &Path) -> std::process::Command {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_oddsmith"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("ODDSMITH_") {
            command.env_remove(name);
        }
    }
    command.env("ODDSMITH_DATA", data).current_dir(data);
    command
}

/// The recorded market frames that lie beside the repository; none if they do not.
pub fn raw_frames() -> Vec<String> {
    let shared = std::env::var_os("ODDSMITH_SHARED").map_or_else(|| root().join("../shared"), PathBuf::from);
    let mut files = Vec::new();
    walk(&shared.join("data/polymarket/raw-frames"), &mut |path| {
        if path.file_name().is_some_and(|name| name == "raw_messages.jsonl") {
            files.push(path.to_string_lossy().into_owned());
        }
    });
    files.sort();
    files
}
