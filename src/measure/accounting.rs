//! What an instance costs on the host: memory and CPU time of whom its accounts name.
//!
//! A figure that could not be read is a failure by name, never zero; an account without anyone in it has none.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::sample::{Failure, FailureName};

pub mod cgroup;
pub mod process;

use process::Table;

/// Who spends on an instance's behalf. Each process is counted once, in the first account that has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Accounts {
    /// The work itself: the agent's tree natively and in a container, the guest's RAM in a virtual machine.
    pub instance: Account,
    /// What exists because this instance does: the shim; all of QEMU and its helpers but the guest's RAM.
    pub engine: Account,
    /// What serves all instances and stays: dockerd, containerd. Nothing for QEMU.
    pub standing: Account,
}

/// One payer: processes with all their descendants, and a cgroup where one is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Account {
    /// Roots of process trees, host pids.
    pub roots: Vec<u32>,
    /// The cgroup that holds exactly these, if there is one.
    pub cgroup: Option<Cgroup>,
    /// Guest RAM inside the roots' memory, told apart by the size of its mapping, in bytes: counted to the
    /// instance, not to the engine. The CPU time cannot be split and is the engine's roots' whole.
    pub guest_ram_bytes: Option<u64>,
}

/// The files of one control group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cgroup {
    /// Version 2: one folder.
    V2(PathBuf),
    /// Version 1: one folder a controller, where mounted.
    V1 {
        /// Of the `memory` controller.
        memory: Option<PathBuf>,
        /// Of the `cpuacct` controller.
        cpuacct: Option<PathBuf>,
        /// Of the `blkio` controller.
        blkio: Option<PathBuf>,
    },
}

/// A reading and where it is from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figure {
    /// Bytes or nanoseconds.
    pub value: u64,
    /// The file it was read from.
    pub source: String,
}

/// A figure, why there is none, or `None` where there is nobody who could have one.
pub type Reading = Option<Result<Figure, Failure>>;

/// Where processes are read from.
pub const PROC: &str = "/proc";

fn unreadable(detail: String) -> Failure {
    Failure { name: FailureName::Unreadable, detail }
}

/// Proportional memory of the accounts, in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bill {
    /// Of the instance: its processes, or the guest's RAM.
    pub instance: Reading,
    /// Of the engine's share, without the guest's RAM.
    pub engine: Reading,
    /// Of what serves all instances.
    pub standing: Reading,
}

impl Bill {
    /// Reads all of it from one look at the process table.
    #[must_use]
    pub fn read(accounts: &Accounts) -> Self {
        Self::of(accounts, true)
    }

    /// Without what serves all instances: what a peak is made of.
    #[must_use]
    pub fn without_standing(accounts: &Accounts) -> Self {
        Self::of(accounts, false)
    }

    fn of(accounts: &Accounts, standing: bool) -> Self {
        let proc = Path::new(PROC);
        let table = match Table::read(proc) {
            Ok(table) => table,
            Err(error) => {
                let failed = || Some(Err(unreadable(format!("cannot list {PROC}: {error}"))));
                return Self { instance: failed(), engine: failed(), standing: failed() };
            }
        };
        let mut seen = HashSet::new();
        let instance = memory(proc, &accounts.instance, &table, &mut seen);
        let engine = memory(proc, &accounts.engine, &table, &mut seen);
        let standing = if standing { memory(proc, &accounts.standing, &table, &mut seen).own } else { None };
        Self {
            instance: sum([instance.own, instance.guest_ram, engine.guest_ram]),
            engine: engine.own,
            standing,
        }
    }

    /// Instance and engine's share together.
    #[must_use]
    pub fn total(&self) -> Reading {
        sum([self.instance.clone(), self.engine.clone()])
    }
}

/// One failed part leaves no sum; parts that are nobody's do not count.
fn sum<const N: usize>(parts: [Reading; N]) -> Reading {
    let mut total: Option<Figure> = None;
    for part in parts.into_iter().flatten() {
        let part = match part {
            Ok(figure) => figure,
            Err(failure) => return Some(Err(failure)),
        };
        total = Some(match total {
            None => part,
            Some(so_far) => join(so_far, part),
        });
    }
    total.map(Ok)
}

fn join(mut left: Figure, right: Figure) -> Figure {
    left.value += right.value;
    if !left.source.contains(&right.source) {
        left.source = format!("{} + {}", left.source, right.source);
    }
    left
}

struct Memory {
    own: Reading,
    guest_ram: Reading,
}

fn memory(proc: &Path, account: &Account, table: &Table, seen: &mut HashSet<u32>) -> Memory {
    if account.roots.is_empty() {
        return Memory { own: None, guest_ram: None };
    }
    let alive = table.tree(&account.roots);
    if alive.is_empty() {
        // Else their memory would be nought.
        let detail = format!("the processes {:?} whose memory was asked for have ended", account.roots);
        let ended = Failure { name: FailureName::ExitedEarly, detail };
        let guest_ram = account.guest_ram_bytes.map(|_| Err(ended.clone()));
        return Memory { own: Some(Err(ended)), guest_ram };
    }
    let pids: Vec<u32> = alive.into_iter().filter(|pid| seen.insert(*pid)).collect();
    match account.guest_ram_bytes {
        None => Memory { own: Some(process::pss(proc, &pids)), guest_ram: None },
        Some(bytes) => match process::pss_split(proc, &pids, bytes) {
            Ok((own, guest)) => Memory { own: Some(Ok(own)), guest_ram: Some(Ok(guest)) },
            Err(failure) => Memory { own: Some(Err(failure.clone())), guest_ram: Some(Err(failure)) },
        },
    }
}

/// CPU time that instance and engine's share have used so far, in nanoseconds.
///
/// # Errors
/// `Unreadable`: whose, and from where.
pub fn cpu_ns(accounts: &Accounts) -> Result<Figure, Failure> {
    let proc = Path::new(PROC);
    let table = Table::read(proc).map_err(|e| unreadable(format!("cannot list {PROC}: {e}")))?;
    let mut seen = HashSet::new();
    let parts = [&accounts.instance, &accounts.engine].map(|account| {
        let pids: Vec<u32> = table.tree(&account.roots).into_iter().filter(|pid| seen.insert(*pid)).collect();
        let by_group = account.cgroup.as_ref().and_then(|group| cgroup::cpu_ns(group).ok());
        match by_group {
            Some(figure) => Some(Ok(figure)),
            None if account.roots.is_empty() => None,
            None => Some(process::cpu_ns(proc, &pids)),
        }
    });
    sum(parts).unwrap_or_else(|| Err(unreadable("there is no process to ask for its CPU time".into())))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn own_accounts() -> Accounts {
        let roots = vec![std::process::id()];
        Accounts { instance: Account { roots, ..Account::default() }, ..Accounts::default() }
    }

    #[test]
    fn a_part_that_failed_leaves_no_sum() {
        let figure = |value| Some(Ok(Figure { value, source: "a".into() }));
        assert_eq!(sum([figure(1), None, figure(2)]), figure(3));
        assert_eq!(sum([None, None]), None);
        assert!(matches!(sum([figure(1), Some(Err(unreadable("x".into())))]), Some(Err(_))));
    }

    #[test]
    fn this_process_has_memory_and_time_and_nobody_has_none() {
        let bill = Bill::read(&own_accounts());
        assert!(bill.instance.clone().unwrap().unwrap().value > 100_000);
        assert_eq!((bill.engine.clone(), bill.standing.clone()), (None, None));
        assert_eq!(bill.total(), bill.instance);
        assert!(cpu_ns(&own_accounts()).is_ok());
    }

    #[test]
    fn a_process_is_counted_once_in_the_first_account() {
        let mut accounts = own_accounts();
        accounts.engine = accounts.instance.clone();
        let bill = Bill::read(&accounts);
        assert_eq!(bill.engine.unwrap().unwrap().value, 0);
    }

    /// Trap: exited containers were measured, as small ones.
    #[test]
    fn processes_that_have_ended_have_no_memory_and_not_nought() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let roots = vec![child.id()];
        child.wait().unwrap();
        let instance = Account { roots, ..Account::default() };
        let bill = Bill::read(&Accounts { instance, ..Accounts::default() });
        assert_eq!(bill.instance.clone().unwrap().unwrap_err().name, FailureName::ExitedEarly);
        assert!(bill.total().unwrap().is_err());
    }

    #[test]
    fn no_process_is_no_time() {
        assert_eq!(cpu_ns(&Accounts::default()).unwrap_err().name, FailureName::Unreadable);
    }
}
