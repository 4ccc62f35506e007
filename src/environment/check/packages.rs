//! Which package has a program, on which kind of distribution. setup/host.sh has the same table.

/// A package manager.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manager {
    /// Debian, Ubuntu.
    Apt,
    /// Fedora.
    Dnf,
    /// Arch.
    Pacman,
    /// openSUSE.
    Zypper,
    /// Alpine.
    Apk,
}

const MANAGERS: [(Manager, &str, &str); 5] = [
    (Manager::Apt, "apt-get", "apt-get install"),
    (Manager::Dnf, "dnf", "dnf install"),
    (Manager::Pacman, "pacman", "pacman -S"),
    (Manager::Zypper, "zypper", "zypper install"),
    (Manager::Apk, "apk", "apk add"),
];

/// Program, then its package in the order of [`MANAGERS`].
const PACKAGES: [[&str; 6]; 4] = [
    ["dockerd", "docker.io", "moby-engine", "docker", "docker", "docker"],
    [
        "qemu-system-x86_64",
        "qemu-system-x86",
        "qemu-system-x86",
        "qemu-system-x86",
        "qemu-x86",
        "qemu-system-x86_64",
    ],
    ["qemu-img", "qemu-utils", "qemu-img", "qemu-img", "qemu-tools", "qemu-img"],
    ["mke2fs", "e2fsprogs", "e2fsprogs", "e2fsprogs", "e2fsprogs", "e2fsprogs"],
];

impl Manager {
    /// The one of this host.
    #[must_use]
    pub(super) fn find() -> Option<Self> {
        MANAGERS
            .iter()
            .find(|(_, program, _)| super::program(program).is_some())
            .map(|(manager, ..)| *manager)
    }

    /// The command, for root, that installs a program. `None` where the table does not have it.
    #[must_use]
    pub(super) fn install(self, program: &str) -> Option<String> {
        let column = MANAGERS.iter().position(|(manager, ..)| *manager == self)?;
        let packages = PACKAGES.iter().find(|row| row[0] == program)?;
        Some(format!("{} {}", MANAGERS[column].2, packages[column + 1]))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn each_manager_has_its_own_words() {
        assert_eq!(Manager::Apt.install("dockerd").unwrap(), "apt-get install docker.io");
        assert_eq!(Manager::Apk.install("qemu-system-x86_64").unwrap(), "apk add qemu-system-x86_64");
        assert_eq!(Manager::Dnf.install("emacs"), None);
    }

    #[test]
    fn the_set_up_has_the_same_packages() {
        let script = include_str!("../../../setup/host.sh");
        for row in PACKAGES {
            let line = row.join(" ");
            assert!(script.lines().any(|one| one == line), "setup/host.sh lacks: {line}");
        }
    }
}
