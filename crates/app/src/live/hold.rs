//! One engine for one wallet: a lock that the kernel lets go of when its holder dies, however it dies.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};

use oddsmith_domain::{Address, RunId};

use crate::data::DataDir;
use crate::failure::Failure;

/// The right to trade for an account. It ends with the value, or with the process.
#[derive(Debug)]
pub struct WalletHold {
    _file: File,
}

impl WalletHold {
    /// Takes the account for this run.
    ///
    /// # Errors
    /// [`Failure::Usage`] that names the holder when there is one; [`Failure::Running`] when the lock cannot be had at all.
    pub fn take(data: &DataDir, account: Address, run: RunId) -> Result<WalletHold, Failure> {
        let folder = data.wallets_dir();
        let path = folder.join(format!("{account}.lock"));
        let failed =
            |error: &std::io::Error| Failure::Running(format!("cannot lock the wallet by {}: {error}", path.display()));
        fs::create_dir_all(&folder).map_err(|error| failed(&error))?;
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(|error| failed(&error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _ = file.read_to_string(&mut holder);
                let holder = if holder.is_empty() { "another process".to_owned() } else { holder };
                return Err(Failure::Usage(format!(
                    "account {account} is traded by {holder}: two engines on one wallet would cancel each other's orders; end that \
                     one first (`oddsmith shutdown`), or use another account"
                )));
            }
            Err(TryLockError::Error(error)) => return Err(failed(&error)),
        }
        // For people only: what counts is the lock.
        let name = run.to_string();
        let text = format!("process {}, run {}", std::process::id(), name.trim_start_matches("0x"));
        let write = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(text.as_bytes()));
        write.map_err(|error| failed(&error))?;
        Ok(WalletHold { _file: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holder_for_each_account() {
        let temp = tempfile::tempdir().expect("a folder");
        let data = DataDir::find(Some(temp.path()));
        let (mine, other) = (Address([1; 20]), Address([2; 20]));
        let held = WalletHold::take(&data, mine, RunId([7; 16])).expect("free");
        let told = WalletHold::take(&data, mine, RunId([8; 16])).expect_err("held").to_string();
        assert!(told.contains(&format!("process {}, run 0707", std::process::id())), "{told}");
        WalletHold::take(&data, other, RunId([8; 16])).expect("another account is free");
        drop(held);
        WalletHold::take(&data, mine, RunId([8; 16])).expect("free again");
    }
}
