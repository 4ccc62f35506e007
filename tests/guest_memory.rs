//! A real QEMU's memory: the guest's RAM is told apart from QEMU's own, on every board.
#![allow(clippy::unwrap_used, missing_docs)]

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use isocost::measure::accounting::{Account, Accounts};
use isocost::measure::accounting::{Bill, cpu_ns};

#[path = "support/skip.rs"]
mod skip;

use skip::skip;

const MIB: u64 = 1 << 20;

struct Kill(Child);

impl Drop for Kill {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Its firmware runs, finds nothing to boot, and has touched some RAM by then.
fn machine(board: &str) -> std::io::Result<Kill> {
    let mut command = Command::new("qemu-system-x86_64");
    command.args(["-M", board, "-m", "256", "-nodefaults", "-display", "none", "-accel", "tcg"]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().map(Kill)
}

fn accounts(pid: u32) -> Accounts {
    let engine = Account { roots: vec![pid], cgroup: None, guest_ram_bytes: Some(256 * MIB) };
    Accounts { engine, ..Accounts::default() }
}

#[test]
fn guest_ram_is_the_instances_and_the_rest_is_qemus() {
    for board in ["microvm", "q35", "pc"] {
        let Ok(machine) = machine(board) else {
            return skip("guest_ram_is_the_instances_and_the_rest_is_qemus", "no qemu-system-x86_64");
        };
        let accounts = accounts(machine.0.id());
        let deadline = Instant::now() + Duration::from_secs(20);
        let (guest, own) = loop {
            let bill = Bill::read(&accounts);
            match (bill.instance, bill.engine) {
                (Some(Ok(guest)), Some(Ok(own))) if guest.value > 0 => break (guest.value, own.value),
                other => assert!(Instant::now() < deadline, "{board}: {other:?}"),
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        println!("{board}: guest {guest} bytes, QEMU {own} bytes");
        assert!(guest <= 256 * MIB && own > MIB, "{board}: {guest} {own}");
        assert!(cpu_ns(&accounts).unwrap().value > 0);
    }
}
