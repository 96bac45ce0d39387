//! One engine for one account: a lock that the kernel lets go of when its holder dies, however it dies.

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

/// What is held.
#[derive(Clone, Copy, Debug)]
pub enum Held<'a> {
    /// A wallet, whatever the venue.
    Wallet(Address),
    /// Its account on paper at a venue, by the venue's name.
    OnPaper(Address, &'a str),
}

impl Held<'_> {
    fn file_name(self) -> String {
        match self {
            Held::Wallet(account) => format!("{account}.lock"),
            Held::OnPaper(account, venue) => {
                let plain = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' };
                format!("{account} {}.lock", venue.chars().map(plain).collect::<String>())
            }
        }
    }

    /// Why there is no second holder.
    fn taken(self, holder: &str) -> String {
        match self {
            Held::Wallet(account) => format!(
                "account {account} is traded by {holder}: two engines on one wallet would cancel each other's orders; end that \
                 one first (`oddsmith shutdown`), or use another account"
            ),
            Held::OnPaper(account, venue) => format!(
                "account {account} ({venue}) is traded by {holder}: of two runs on one account on paper the next one could only go \
                 on after one; end that one first (`oddsmith shutdown`), or give this one a data folder of its own (--data). --fresh \
                 gives up the past of a run that is over, and is no way beside one that works"
            ),
        }
    }
}

impl WalletHold {
    /// Takes the account for this run.
    ///
    /// # Errors
    /// [`Failure::Usage`] that names the holder when there is one; [`Failure::Running`] when the lock cannot be had at all.
    pub fn take(data: &DataDir, held: Held<'_>, run: RunId) -> Result<WalletHold, Failure> {
        let folder = data.wallets_dir();
        let path = folder.join(held.file_name());
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
                return Err(Failure::Usage(held.taken(if holder.is_empty() { "another process" } else { &holder })));
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
        let (mine, other) = (Held::Wallet(Address([1; 20])), Held::Wallet(Address([2; 20])));
        let held = WalletHold::take(&data, mine, RunId([7; 16])).expect("free");
        let told = WalletHold::take(&data, mine, RunId([8; 16])).expect_err("held").to_string();
        assert!(told.contains(&format!("process {}, run 0707", std::process::id())), "{told}");
        WalletHold::take(&data, other, RunId([8; 16])).expect("another account is free");
        drop(held);
        WalletHold::take(&data, mine, RunId([8; 16])).expect("free again");
    }

    #[test]
    fn on_paper_one_holder_for_each_account_and_venue_beside_the_wallets() {
        let temp = tempfile::tempdir().expect("a folder");
        let data = DataDir::find(Some(temp.path()));
        let account = Address([1; 20]);
        let here = Held::OnPaper(account, "on paper: https://here/path");
        let (_live, _held) = (
            WalletHold::take(&data, Held::Wallet(account), RunId([6; 16])).expect("free"),
            WalletHold::take(&data, here, RunId([7; 16])).expect("free"),
        );
        let told = WalletHold::take(&data, here, RunId([8; 16])).expect_err("held").to_string();
        for part in ["process", "run 0707", "https://here/path", "oddsmith shutdown", "--data", "--fresh"] {
            assert!(told.contains(part), "{part} in {told}");
        }
        WalletHold::take(&data, Held::OnPaper(account, "on paper: https://there"), RunId([8; 16])).expect("free");
    }
}
