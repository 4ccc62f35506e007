//! `setup/host.sh` on hosts that lack something. What is on this host is hidden by a `PATH` of the test's own; apt is one
//! that only tells what it would do.

#![allow(clippy::unwrap_used, missing_docs)]

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

#[path = "support/skip.rs"]
mod skip;

use skip::skip;

/// What every Debian has and the script uses.
const USUAL: [&str; 20] = [
    "awk", "cat", "chmod", "cp", "cut", "env", "grep", "head", "id", "mkdir", "mktemp", "perl", "rm", "sed",
    "seq", "sh", "sleep", "sort", "tr", "uname",
];

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/setup/host.sh");

struct Host {
    folder: tempfile::TempDir,
}

impl Host {
    /// A host with the usual programs only.
    fn bare() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let host = Self { folder };
        fs::create_dir(host.bin()).unwrap();
        for name in USUAL {
            let found = ["/usr/bin", "/bin"]
                .map(|bin| Path::new(bin).join(name))
                .into_iter()
                .find(|path| path.exists());
            symlink(found.unwrap(), host.bin().join(name)).unwrap();
        }
        host
    }

    fn bin(&self) -> std::path::PathBuf {
        self.folder.path().join("bin")
    }

    /// With a program that does this.
    fn with(self, name: &str, script: &str) -> Self {
        let path = self.bin().join(name);
        // One of the usual programs is a link to this host's own.
        let _ = fs::remove_file(&path);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        self
    }

    fn with_rust(self) -> Self {
        self.with("cargo", "echo cargo 1.95.0")
    }

    /// With an apt that prints this as its plan and notes in `installed` what it was told to install.
    fn with_apt(self, plan: &str) -> Self {
        let note = self.folder.path().join("installed");
        let note = note.display();
        let script = format!(
            "case \"$*\" in\n*' -s '*) cat <<'PLAN'\n{plan}\nPLAN\n;;\n*install*) echo \"$*\" >> {note};;\nesac"
        );
        self.with("apt-get", &script).with("apt-cache", "true")
    }

    fn command(&self, program: &str, role: &str) -> Command {
        let mut command = Command::new(program);
        command.arg(SCRIPT).arg(role).env_clear().env("PATH", self.bin()).env("HOME", self.folder.path());
        command.stdin(Stdio::null());
        command
    }

    /// Exit code and all that was said.
    fn set_up(&self, role: &str) -> (i32, String) {
        said(&mut self.command("/bin/sh", role))
    }

    fn installed(&self) -> String {
        fs::read_to_string(self.folder.path().join("installed")).unwrap_or_default()
    }
}

fn said(command: &mut Command) -> (i32, String) {
    let output = command.output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(text).unwrap())
}

#[test]
fn another_role_is_a_slip() {
    let (code, text) = Host::bare().set_up("everything");
    assert_eq!((code, text.as_str()), (2, "usage: setup/host.sh [bench|test|as-whom]\n"));
}

#[test]
fn rust_that_is_missing_or_too_old_has_a_line_that_mends_it() {
    let rustup = "curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh";
    let (code, text) = Host::bare().set_up("bench");
    assert_eq!((code, text), (3, format!("setup: Rust is missing; run: {rustup}\n")));

    let old = || Host::bare().with("cargo", "echo cargo 1.63.0");
    let (code, text) = old().set_up("bench");
    assert_eq!((code, text), (3, format!("setup: Rust 1.63.0 is too old (need 1.88); run: {rustup}\n")));
    let (_, text) = old().with("rustup", "true").set_up("bench");
    assert!(text.ends_with("run: rustup update stable\n"), "{text}");

    let (_, text) = Host::bare().with("cargo", "exit 1").set_up("bench");
    assert!(text.ends_with("run: rustup default stable\n"), "{text}");

    let elsewhere = Host::bare();
    let bin = elsewhere.folder.path().join(".cargo/bin");
    fs::create_dir_all(&bin).unwrap();
    symlink("/bin/true", bin.join("cargo")).unwrap();
    let (_, text) = elsewhere.set_up("bench");
    assert!(text.contains("not on the path; run: . \""), "{text}");
}

#[test]
fn a_newer_rust_is_not_too_old() {
    let (_, text) = Host::bare().with("cargo", "echo cargo 1.100.0").set_up("bench");
    assert!(!text.contains("too old"), "{text}");
}

#[test]
fn without_apt_the_packages_are_named() {
    let (code, text) = Host::bare().with_rust().set_up("test");
    assert_eq!(code, 3);
    for expected in
        ["dnf     ", "pacman  ", "zypper  ", "apk     ", "qemu-x86 qemu-tools", "glibc-static", "mmdebstrap"]
    {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    let (_, text) = Host::bare().with_rust().set_up("bench");
    assert!(!text.contains("mmdebstrap"), "{text}");
}

#[test]
fn nothing_is_removed_or_downgraded_unsaid() {
    let plan = "The following packages will be DOWNGRADED:\n  qemu-utils seabios\n0 upgraded\nRemv precious [1.0]\nInst gcc (1)";
    let host = Host::bare().with_rust().with_apt(plan).with("sudo", "\"$@\"");
    let (code, text) = host.set_up("bench");
    assert_eq!(code, 3, "{text}");
    assert!(text.contains("apt would remove or downgrade: qemu-utils seabios precious"), "{text}");
    assert!(text.contains("ISOCOST_SETUP_ALLOW_REMOVAL=yes sh setup/host.sh bench"), "{text}");
    assert_eq!(host.installed(), "");
}

#[test]
fn only_what_is_missing_is_asked_for_and_said() {
    let host = Host::bare().with_rust().with("qemu-img", "true").with("sudo", "\"$@\"");
    let host = host.with_apt("Inst gcc (1)\nInst qemu-system-x86 (1)").with("dockerd", "exit 1");
    let mut command = host.command("/bin/sh", "bench");
    // An engine elsewhere: none is started.
    let (code, text) = said(command.env("DOCKER_HOST", "tcp://192.0.2.1:2375"));
    assert_eq!(code, 0, "{text}");
    let installed = host.installed();
    assert!(installed.contains("--no-remove qemu-system-x86 gcc libc6-dev"), "{installed}");
    assert!(!installed.contains("qemu-utils") && !installed.contains("docker.io"), "{installed}");
    assert!(text.contains("setup: installing 2 packages: apt-get install"), "{text}");
}

#[test]
fn without_root_and_sudo_it_says_what_root_would_type() {
    if !rustix::process::geteuid().is_root() {
        return skip("without_root_and_sudo_it_says_what_root_would_type", "only root can become nobody");
    }
    let host = Host::bare().with_rust().with_apt("Inst gcc (1)");
    let mut command = Command::new("/usr/bin/setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "/bin/sh", "-s", "bench"]);
    // The repository may be where nobody may read: the script comes as text.
    command
        .env_clear()
        .env("PATH", host.bin())
        .env("HOME", "/nonexistent")
        .stdin(fs::File::open(SCRIPT).unwrap());
    let (code, text) = said(&mut command);
    assert_eq!(code, 3, "{text}");
    assert!(text.contains("as root, run: sh setup/host.sh bench"), "{text}");
}

/// The folders are this user's before root writes into them, and given back whatever became of the run.
#[test]
fn what_root_makes_for_a_user_stays_the_users() {
    let note =
        "echo \"$*\" >> \"$HOME/sudo\"; [ \"$1\" != chown ] || exit 0; [ \"$1\" != -E ] || shift; \"$@\"";
    let host = Host::bare().with("id", "echo 1000").with("sudo", note);
    let work = "ls -d \"$HOME/.cache/isocost\" reports; exit 4";
    let host = host.with("ls", "exec /bin/ls \"$@\"").with("work", work);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/setup/as-owner.sh");
    let run = |engine: &str| {
        let mut command = Command::new("/bin/sh");
        command.args([script, "work"]).env_clear().env("PATH", host.bin()).env("HOME", host.folder.path());
        // Nobody listens there.
        command.env("DOCKER_HOST", engine).current_dir(host.folder.path()).stdin(Stdio::null());
        said(&mut command)
    };
    let (code, text) = run("unix:///nonexistent/docker.sock");
    let home = host.folder.path().display();
    let expected = format!(
        "{home}/.cache/isocost\nreports\nthis user may not use the Docker engine: running with sudo -E\n"
    );
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!((code, sorted(&text)), (4, sorted(&expected)));
    let asked = fs::read_to_string(host.folder.path().join("sudo")).unwrap();
    assert_eq!(asked, format!("-E work\nchown -R 1000:1000 reports {home}/.cache/isocost\n"));
}

/// On the host that runs these tests everything is there: `make test` has seen to it.
#[test]
fn a_prepared_host_is_left_as_it_is_at_once() {
    let began = std::time::Instant::now();
    let (code, text) = said(Command::new("sh").args([SCRIPT, "bench"]).stdin(Stdio::null()));
    if code != 0 {
        return skip("a_prepared_host_is_left_as_it_is_at_once", text);
    }
    assert_eq!(text.lines().last(), Some("setup: ready"));
    assert!(!text.contains("installing"), "{text}");
    assert!(began.elapsed().as_secs() < 30, "it took {:?}", began.elapsed());
}
