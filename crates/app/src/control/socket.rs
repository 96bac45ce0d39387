//! The socket's address: a path may be longer than an address can be.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use super::SOCKET;

/// The longest path that every system takes as a socket's address, in bytes.
const LONGEST: usize = 100;

/// A file of a directory, by a path that is short enough; the directory stays open as long as this lives.
struct Short {
    path: PathBuf,
    _dir: Option<File>,
}

impl Short {
    fn of(dir: &Path, name: &str) -> io::Result<Short> {
        let path = dir.join(name);
        if path.as_os_str().len() <= LONGEST {
            return Ok(Short { path, _dir: None });
        }
        // The kernel follows an open directory by its number, however long its path is.
        let open = File::open(dir)?;
        let path = PathBuf::from(format!("/proc/self/fd/{}/{name}", open.as_raw_fd()));
        Ok(Short { path, _dir: Some(open) })
    }
}

/// Listens in a run's directory; nobody but this user can connect.
pub fn listen(dir: &Path) -> io::Result<UnixListener> {
    // Under its own name only when its permissions are set.
    let fresh = Short::of(dir, "control.new")?;
    let _ = std::fs::remove_file(dir.join("control.new"));
    let listener = UnixListener::bind(&fresh.path)?;
    std::fs::set_permissions(dir.join("control.new"), PermissionsExt::from_mode(0o600))?;
    std::fs::rename(dir.join("control.new"), dir.join(SOCKET))?;
    Ok(listener)
}

/// Connects to the run that works in a directory.
pub fn connect(dir: &Path) -> io::Result<UnixStream> {
    UnixStream::connect(Short::of(dir, SOCKET)?.path)
}

/// Takes the socket away, so that a run that has ended is seen as ended.
pub fn remove(dir: &Path) {
    let _ = std::fs::remove_file(dir.join(SOCKET));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_socket_is_private_and_may_lie_deep() {
        let temp = tempfile::tempdir().expect("a folder");
        for depth in [0, 10] {
            let dir = (0..depth).fold(temp.path().to_owned(), |dir, _| dir.join("a-folder-with-a-long-name"));
            std::fs::create_dir_all(&dir).expect("a folder");
            let listener = listen(&dir).expect("listens");
            let mode = std::fs::metadata(dir.join(SOCKET)).expect("is there").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
            connect(&dir).expect("connects");
            listener.accept().expect("was connected to");
            remove(&dir);
            assert!(connect(&dir).is_err());
        }
    }
}
