//! Is the host large enough, and can what is measured be seen on it?

use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD};

use super::{Area, Finding, State, User, gibibytes};
use crate::measure::counters::device::Device;
use crate::measure::host::Host;
use crate::measure::host::{self, HostWarning};
use crate::suite::{Size, Suite};

/// A kernel as a package and unpacked, base disks, and a run's layers.
const LEAST_CACHE_BYTES: u64 = 1 << 30;

/// Beside the instance, QEMU and the engine take this much at most, as a rule.
const BESIDE_BYTES: u64 = 256 << 20;

pub(super) fn look(suite: &Suite, cache: &Path, user: &User) -> Vec<Finding> {
    let there = nearest(cache);
    let host = host::watch(&there);
    let mut all = vec![system(&host), cpus(suite, &host), memory(suite, host::available_memory())];
    all.push(space(&there, free_bytes(&there)));
    all.push(counters(&there));
    all.push(page_cache(user));
    all.extend(others_memory(user));
    all.extend(host::warnings(&host).iter().map(spoils));
    all
}

/// It can be measured all the same, with more noise or another figure.
fn spoils(warning: &HostWarning) -> Finding {
    Finding::new(Area::Host, warning.subject(), State::Limited, warning.to_string()).mended_by(warning.mend())
}

/// The folder, or the one that it would be made in.
fn nearest(folder: &Path) -> PathBuf {
    folder.ancestors().find(|path| path.is_dir()).unwrap_or(Path::new("/")).to_owned()
}

fn free_bytes(folder: &Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(folder).ok().filter(|stat| stat.f_blocks > 0)?;
    stat.f_bavail.checked_mul(stat.f_frsize)
}

fn system(host: &Host) -> Finding {
    let os = host.os.as_deref().unwrap_or("unknown system");
    let virtual_machine = if host.virtualised == Some(true) { ", itself a virtual machine" } else { "" };
    let cpu = host.cpu_model.as_deref().unwrap_or("unknown CPU");
    let text =
        format!("{os}, kernel {}, cgroup {}, {cpu}{virtual_machine}", host.kernel_release, host.cgroup);
    Finding::new(Area::Host, "system", State::Fine, text)
}

fn cpus(suite: &Suite, host: &Host) -> Finding {
    let (asked, online) = (suite.limits.cpus, host.online_cpus);
    if asked > online {
        let text = format!("{online} online, and the suite {} gives each instance {asked}", suite.name);
        return Finding::new(Area::Host, "CPUs", State::Missing, text).mended_by(own_suite(suite));
    }
    Finding::new(Area::Host, "CPUs", State::Fine, format!("{online} online"))
}

fn own_suite(suite: &Suite) -> String {
    format!(
        "isocost list --text {} > mine.toml, make its limits smaller, and: isocost run ./mine.toml",
        suite.name
    )
}

fn memory(suite: &Suite, available: Option<u64>) -> Finding {
    let needed = suite.limits.memory_bytes + BESIDE_BYTES;
    match available {
        None => Finding::new(Area::Host, "memory", State::Limited, "how much is available cannot be read"),
        Some(available) if available < needed => {
            let text = format!(
                "{} available; an instance of the suite {} has {}, and its engine needs some beside it",
                gibibytes(available),
                suite.name,
                Size(suite.limits.memory_bytes)
            );
            Finding::new(Area::Host, "memory", State::Missing, text).mended_by(own_suite(suite))
        }
        Some(available) => {
            Finding::new(Area::Host, "memory", State::Fine, format!("{} available", gibibytes(available)))
        }
    }
}

fn space(cache: &Path, free: Option<u64>) -> Finding {
    let place = cache.display();
    let access = rustix::fs::accessat(CWD, cache, Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS);
    let finding = |state, text| Finding::new(Area::Host, "cache", state, text);
    if let Err(errno) = access {
        let text = format!("{place} cannot be written: {}", std::io::Error::from(errno));
        return finding(State::Missing, text).mended_by("name another folder with --cache DIR");
    }
    match free {
        Some(free) if free < LEAST_CACHE_BYTES => {
            let text = format!(
                "{place} has {} free; kernels and disks need {}",
                gibibytes(free),
                gibibytes(LEAST_CACHE_BYTES)
            );
            finding(State::Missing, text).mended_by("make space, or name another folder with --cache DIR")
        }
        Some(free) => finding(State::Fine, format!("{place}, {} free", gibibytes(free))),
        None => finding(State::Fine, place.to_string()),
    }
}

/// A write figure stands only if the host's own counters saw the bytes and the flushes.
fn counters(cache: &Path) -> Finding {
    let finding = |state, text| Finding::new(Area::Host, "disk counters", state, text);
    let device = Device::behind(cache);
    let read = device.and_then(|device| device.counts().map(|counts| (device.names(), counts)));
    match read {
        Ok((names, counts)) if counts.flushes.is_some() || !counts.volatile_cache => {
            finding(State::Fine, format!("bytes and flushes of {names} are counted"))
        }
        Ok((names, _)) => {
            let text = format!(
                "flushes of {names} are not counted (Linux 5.5 does): write figures cannot be vouched for"
            );
            finding(State::Limited, text)
        }
        Err(why) => {
            let text = format!("{why}: write figures cannot be vouched for and are failed samples");
            finding(State::Limited, text).mended_by("name a folder on a disk with --cache DIR")
        }
    }
}

fn page_cache(user: &User) -> Finding {
    let finding = |state, text: &str| Finding::new(Area::Host, "page cache", state, text);
    let switch = Path::new("/proc/sys/vm/drop_caches");
    match rustix::fs::accessat(CWD, switch, Access::WRITE_OK, AtFlags::EACCESS) {
        Ok(()) => finding(State::Fine, "can be dropped before cold starts"),
        Err(_) => {
            let by = if user.root { "run outside of a container" } else { "run isocost as root" };
            finding(State::Limited, "cannot be dropped: cold starts are not as cold as after a boot")
                .mended_by(by)
        }
    }
}

/// PSS of another user's process is for root alone.
fn others_memory(user: &User) -> Option<Finding> {
    let text = "of the engine's own processes (dockerd, containerd, shims) can be read by root only: it is a failed sample";
    let finding =
        || Finding::new(Area::Host, "engine memory", State::Limited, text).mended_by("run isocost as root");
    (!user.root).then(finding)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::suite::load;

    #[test]
    fn a_host_that_is_too_small_is_told_how_to_go_on() {
        let suite = load("quick").unwrap();
        let host = Host { online_cpus: 1, ..Host::default() };
        let finding = cpus(&suite, &host);
        assert_eq!(finding.state, State::Missing);
        assert!(finding.mend.unwrap().starts_with("isocost list --text quick > mine.toml"));
        assert_eq!(cpus(&suite, &Host { online_cpus: 2, ..Host::default() }).state, State::Fine);
        assert_eq!(memory(&suite, Some(300 << 20)).state, State::Missing);
        assert_eq!(memory(&suite, Some(8 << 30)).detail, "8.0 GiB available");
        assert_eq!(memory(&suite, None).state, State::Limited);
    }

    #[test]
    fn a_cache_without_room_or_right_is_missing() {
        let here = Path::new("/");
        assert_eq!(space(here, Some(5 << 30)).detail, "/, 5.0 GiB free");
        assert_eq!(space(here, Some(1 << 20)).state, State::Missing);
        assert_eq!(space(Path::new("/nonexistent"), Some(5 << 30)).state, State::Missing);
    }

    #[test]
    fn memory_has_no_counters() {
        let finding = counters(Path::new("/proc"));
        assert_eq!(finding.state, State::Limited);
        assert!(finding.mend.unwrap().contains("--cache"));
    }

    #[test]
    fn this_host_is_looked_at() {
        let user = User { root: true, manager: None };
        let all = look(&load("quick").unwrap(), Path::new("/nonexistent/cache"), &user);
        assert!(all.iter().any(|one| one.subject == "system" && one.detail.contains("kernel")), "{all:?}");
    }
}
