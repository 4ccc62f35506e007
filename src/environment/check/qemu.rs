//! Is there what a virtual machine is made of, and can KVM execute it?

use std::path::Path;

use super::{Area, Finding, State, User, program};
use crate::environment::qemu::error::QemuError;
use crate::environment::qemu::race::{self, Decision, Key, Lane};
use crate::environment::qemu::version::{self, Binary, PROGRAM};
use crate::image::kernel::{self, Available};
use crate::measure::sample::Accelerator;

pub(super) fn look(cache: &Path, user: &User) -> Vec<Finding> {
    let qemu = version::find();
    let mut all = vec![emulator(&qemu, user)];
    all.extend(["qemu-img", "mke2fs"].into_iter().filter_map(|name| absent(name, user)));
    all.push(guest_kernel(kernel::available(cache)));
    let known = qemu.map(|qemu| race::known(&qemu, cache)).unwrap_or_default();
    all.push(kvm(race::kvm_opens(), virtualisation(), &known));
    all
}

fn finding(subject: &'static str, state: State, detail: impl Into<String>) -> Finding {
    Finding::new(Area::Qemu, subject, state, detail)
}

fn emulator(qemu: &Result<Binary, QemuError>, user: &User) -> Finding {
    match qemu {
        Ok(qemu) => finding("emulator", State::Fine, format!("{} ({})", qemu.version, qemu.path.display())),
        Err(QemuError::Missing { .. }) => {
            finding("emulator", State::Missing, "QEMU is not installed").mended_by(user.install(PROGRAM))
        }
        Err(error) => finding("emulator", State::Missing, error.to_string()),
    }
}

fn absent(name: &'static str, user: &User) -> Option<Finding> {
    let missing = || finding(name, State::Missing, "is not installed").mended_by(user.install(name));
    program(name).is_none().then(missing)
}

fn guest_kernel(available: Result<Available, crate::image::ImageError>) -> Finding {
    match available {
        Ok(Available { label, kept: true, warning: None }) => {
            finding("kernel", State::Fine, format!("{label}, fetched already"))
        }
        Ok(Available { label, kept: false, warning: None }) => {
            finding("kernel", State::Fine, format!("{label}, offered by apt and fetched by the first run"))
        }
        Ok(Available { label, warning: Some(warning), .. }) => {
            finding("kernel", State::Limited, format!("{label}: {warning}")).mended_by("sudo apt-get update")
        }
        Err(error) => finding("kernel", State::Missing, error.to_string())
            .mended_by("sudo apt-get update, or: isocost run --kernel host (or a path)"),
    }
}

/// Does the CPU, as this host's kernel sees it, offer virtualisation?
fn virtualisation() -> bool {
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let flags = cpuinfo.lines().find(|line| line.starts_with("flags")).unwrap_or_default();
    flags.split_whitespace().any(|flag| flag == "vmx" || flag == "svm")
}

/// The race's answers for this host, if it was run; without one, what can be said before.
fn kvm(opens: Result<(), String>, offered: bool, known: &[(Key, Decision)]) -> Finding {
    if let Err(reason) = opens {
        let (what, mend) = reason.split_once("; ").unwrap_or((&reason, "see its error"));
        let emulated = format!("{what}: virtual machines are emulated (TCG), which says nothing of KVM");
        let not_offered = "and this CPU offers none: switch on (nested) virtualisation for this machine";
        return match (what.contains("not there"), offered) {
            (true, false) => finding("KVM", State::Limited, emulated).mended_by(not_offered),
            _ => finding("KVM", State::Limited, emulated).mended_by(mend),
        };
    }
    let Some((key, decision)) = known.iter().max_by_key(|(_, decision)| decision.decided_at) else {
        let text = "/dev/kvm opens; whether a kernel boots with it is found out by the first run";
        return finding("KVM", State::Fine, text).mended_by("isocost doctor --race finds it out now");
    };
    let text = format!("{} ({} with {} CPUs)", decision.explain(), machine(key), key.board.1);
    match (decision.accelerator, &decision.kvm) {
        (Accelerator::Kvm, _) => finding("KVM", State::Fine, text),
        (_, Lane::Arrived { .. }) => {
            finding("KVM", State::Limited, format!("{text}; KVM works and is slower than emulation"))
        }
        _ => finding(
            "KVM",
            State::Limited,
            format!(
                "/dev/kvm opens, and no stock kernel reaches user space with it: {text}; figures under emulation say nothing of KVM"
            ),
        ),
    }
}

fn machine(key: &Key) -> String {
    format!("{:?}", key.board.0).to_lowercase()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::suite::Machine;

    fn known(kvm: Lane, accelerator: Accelerator) -> Vec<(Key, Decision)> {
        let qemu =
            Binary { path: "/q".into(), version: version::OLDEST, banner: String::new(), stamp: (1, 1) };
        let key = Key {
            kernel_sha256: "ab".into(),
            qemu,
            board: (Machine::Microvm, 2, 1 << 28),
            options: Vec::new(),
            line: String::new(),
            initramfs_sha256: String::new(),
            isocost: String::new(),
            host_kernel: "6".into(),
            cpu_model: String::new(),
            kvm_modules: Vec::new(),
            kvm_opens: true,
        };
        let tcg = Lane::Arrived { seconds: 1.3 };
        vec![(key, Decision { accelerator, kvm, tcg, decided_at: jiff::Timestamp::UNIX_EPOCH })]
    }

    #[test]
    fn the_four_states_of_kvm_are_told_apart() {
        let denied = || Err("/dev/kvm may not be opened; type: sudo usermod -aG kvm \"$USER\"".to_owned());
        let finding = kvm(denied(), true, &[]);
        assert!(finding.detail.contains("may not be opened: virtual machines are emulated"), "{finding:?}");
        assert!(finding.mend.unwrap().contains("usermod -aG kvm"));
        let absent = Err("/dev/kvm is not there; modprobe".to_owned());
        assert!(kvm(absent, false, &[]).mend.unwrap().contains("nested"));
        assert!(kvm(Ok(()), true, &[]).mend.unwrap().contains("--race"));
        let never = kvm(Ok(()), true, &known(Lane::Outrun { seconds: 1.4 }, Accelerator::Tcg));
        assert_eq!(never.state, State::Limited);
        assert!(never.detail.contains("no stock kernel reaches user space"), "{never:?}");
        let works = kvm(Ok(()), true, &known(Lane::Arrived { seconds: 0.4 }, Accelerator::Kvm));
        assert_eq!(works.state, State::Fine);
        assert!(works.detail.contains("microvm with 2 CPUs"), "{works:?}");
        let slower = kvm(Ok(()), true, &known(Lane::Arrived { seconds: 9.0 }, Accelerator::Tcg));
        assert!(slower.detail.contains("slower than emulation"), "{slower:?}");
    }

    #[test]
    fn a_kernel_is_there_or_can_be_had_or_not() {
        let available = |kept, warning: Option<&str>| {
            guest_kernel(Ok(Available {
                label: "debian 6.1".into(),
                kept,
                warning: warning.map(str::to_owned),
            }))
        };
        assert!(available(true, None).detail.contains("fetched already"));
        assert!(available(false, None).detail.contains("offered by apt"));
        assert_eq!(available(true, Some("apt is offline")).state, State::Limited);
        let none = crate::image::ImageError::ProgramMissing { program: "apt-cache", package: "apt" };
        assert!(guest_kernel(Err(none)).mend.unwrap().contains("--kernel host"));
    }

    #[test]
    fn what_is_not_installed_is_missing() {
        let user = User { root: true, manager: Some(crate::environment::check::Manager::Apt) };
        let missing = emulator(&Err(QemuError::Missing { program: PROGRAM.into() }), &user);
        assert_eq!(missing.mend.as_deref(), Some("apt-get install qemu-system-x86"));
        assert!(absent("sh", &user).is_none() && absent("isocost-no-such", &user).is_some());
    }
}
