//! Is there a container engine, and may this user use it?

use std::io::ErrorKind;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use bollard::Docker;
use bollard::models::SystemInfo;

use super::{Area, Finding, State, User, program};

const SOCKET: &str = "/var/run/docker.sock";

/// An engine that is well answers at once.
const PATIENCE: Duration = Duration::from_secs(5);

/// What was seen.
enum Seen {
    /// Its socket is not there.
    NoSocket { path: String, installed: bool },
    /// It is, and this user may not use it.
    NotPermitted { path: String },
    /// Nobody listens.
    NoAnswer { address: String, why: String },
    /// It answers.
    Engine { address: String, version: String, api: String, info: Box<SystemInfo> },
}

pub(super) fn look(user: &User) -> Vec<Finding> {
    let address = std::env::var("DOCKER_HOST").ok().filter(|host| !host.is_empty());
    let address = address.unwrap_or_else(|| format!("unix://{SOCKET}"));
    judge(&see(&address), user)
}

fn see(address: &str) -> Seen {
    if let Some(path) = address.strip_prefix("unix://") {
        match UnixStream::connect(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Seen::NoSocket { path: path.to_owned(), installed: program("dockerd").is_some() };
            }
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                return Seen::NotPermitted { path: path.to_owned() };
            }
            Err(error) => return Seen::NoAnswer { address: address.to_owned(), why: error.to_string() },
            Ok(_) => {}
        }
    }
    ask(address).unwrap_or_else(|why| Seen::NoAnswer { address: address.to_owned(), why })
}

fn ask(address: &str) -> Result<Seen, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    runtime.block_on(async {
        let asked = async {
            let docker = Docker::connect_with_host(address)?.negotiate_version().await?;
            let (version, info) = (docker.version().await?, docker.info().await?);
            Ok::<_, bollard::errors::Error>((version, info))
        };
        let answer = tokio::time::timeout(PATIENCE, asked).await;
        let (version, info) = answer
            .map_err(|_| format!("no answer in {} s", PATIENCE.as_secs()))?
            .map_err(|error| error.to_string())?;
        Ok(Seen::Engine {
            address: address.to_owned(),
            version: version.version.unwrap_or_default(),
            api: version.api_version.unwrap_or_default(),
            info: Box::new(info),
        })
    })
}

fn judge(seen: &Seen, user: &User) -> Vec<Finding> {
    let missing = |detail: String| Finding::new(Area::Docker, "engine", State::Missing, detail);
    match seen {
        Seen::NoSocket { path, installed: false } => {
            vec![missing(format!("no Docker engine: {path} is not there")).mended_by(user.install("dockerd"))]
        }
        Seen::NoSocket { path, installed: true } => {
            vec![
                missing(format!("the Docker engine is installed and does not run: {path} is not there"))
                    .mended_by(starts_engine(user)),
            ]
        }
        Seen::NotPermitted { path } => {
            let line = "sudo usermod -aG docker \"$USER\", and log in again";
            vec![missing(format!("this user may not use the Docker engine ({path})")).mended_by(line)]
        }
        Seen::NoAnswer { address, why } => {
            vec![
                missing(format!("the Docker engine at {address} does not answer: {why}"))
                    .mended_by(starts_engine(user)),
            ]
        }
        Seen::Engine { address, version, api, info } => engine(address, version, api, info),
    }
}

/// The host may have systemd, an init script, or neither.
fn starts_engine(user: &User) -> String {
    if Path::new("/run/systemd/system").is_dir() {
        user.as_root("systemctl start docker")
    } else if Path::new("/etc/init.d/docker").exists() {
        user.as_root("service docker start")
    } else {
        user.as_root("sh -c 'setsid dockerd >/var/log/dockerd.log 2>&1 &'")
    }
}

fn engine(address: &str, version: &str, api: &str, info: &SystemInfo) -> Vec<Finding> {
    let fine = |subject, detail: String| Finding::new(Area::Docker, subject, State::Fine, detail);
    let limited = |subject, detail: String| Finding::new(Area::Docker, subject, State::Limited, detail);
    let mut all = vec![fine("engine", format!("{version}, API {api}, at {address}"))];
    if !address.starts_with("unix://") {
        // As a run says it, which refuses such an engine.
        let text =
            format!("{address} may be another machine: its processes and disks cannot be measured from here");
        let missing = Finding::new(Area::Docker, "address", State::Missing, text);
        all.push(missing.mended_by("unset DOCKER_HOST"));
    }
    all.push(fine("storage", info.driver.clone().unwrap_or_else(|| "unknown".to_owned())));
    all.push(fine("cgroup", cgroup(info)));
    let without = limits_missing(info);
    if !without.is_empty() {
        let text = format!("the engine cannot limit {}", without.join(", "));
        all.push(limited("limits", text).mended_by("see: docker info (its warnings)"));
    }
    all.push(fine("runtimes", runtimes(info)));
    let rootless = info.security_options.iter().flatten().any(|option| option.contains("rootless"));
    if rootless {
        all.push(limited(
            "rootless",
            "the engine runs rootless: its containers have limits only where cgroups were delegated".into(),
        ));
    }
    all
}

fn cgroup(info: &SystemInfo) -> String {
    let version = info.cgroup_version.map(|version| version.to_string()).filter(|text| !text.is_empty());
    let driver = info.cgroup_driver.map(|driver| driver.to_string()).filter(|text| !text.is_empty());
    format!(
        "version {}, driver {}",
        version.as_deref().unwrap_or("unknown"),
        driver.as_deref().unwrap_or("unknown")
    )
}

fn limits_missing(info: &SystemInfo) -> Vec<&'static str> {
    let wanted =
        [("memory", info.memory_limit), ("CPU time", info.cpu_cfs_quota), ("the set of CPUs", info.cpu_set)];
    wanted.into_iter().filter(|(_, can)| *can == Some(false)).map(|(what, _)| what).collect()
}

fn runtimes(info: &SystemInfo) -> String {
    let mut names: Vec<String> = info.runtimes.iter().flat_map(|all| all.keys().cloned()).collect();
    names.sort();
    let usual = info.default_runtime.as_deref().unwrap_or("runc");
    format!("{} (default {usual})", names.join(", "))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::environment::check::Manager;

    const USER: User = User { root: false, manager: Some(Manager::Apt) };

    fn first(seen: &Seen) -> (State, String) {
        let finding = judge(seen, &USER).remove(0);
        (finding.state, format!("{} | {}", finding.detail, finding.mend.unwrap_or_default()))
    }

    #[test]
    fn each_way_of_having_no_engine_has_a_line_that_mends_it() {
        let path = || "/var/run/docker.sock".to_owned();
        let (state, text) = first(&Seen::NoSocket { path: path(), installed: false });
        assert_eq!(state, State::Missing);
        assert!(text.ends_with("| sudo apt-get install docker.io"), "{text}");
        let (_, text) = first(&Seen::NoSocket { path: path(), installed: true });
        assert!(text.contains("does not run") && text.contains("| sudo "), "{text}");
        let (_, text) = first(&Seen::NotPermitted { path: path() });
        assert!(text.contains("usermod -aG docker"), "{text}");
        let (_, text) = first(&Seen::NoAnswer { address: "unix:///x".into(), why: "refused".into() });
        assert!(text.contains("unix:///x does not answer: refused"), "{text}");
    }

    #[test]
    fn sockets_that_are_not_there_or_dead_are_told_apart() {
        assert!(matches!(see("unix:///nonexistent/docker.sock"), Seen::NoSocket { .. }));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("docker.sock");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(matches!(see(&format!("unix://{}", path.display())), Seen::NoAnswer { .. }));
        assert!(matches!(see("nonsense://x"), Seen::NoAnswer { .. }));
    }

    #[test]
    fn an_engine_that_never_answers_is_given_up() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("docker.sock");
        let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        assert!(matches!(see(&format!("unix://{}", path.display())), Seen::NoAnswer { .. }));
    }

    #[test]
    fn what_an_engine_cannot_do_is_said() {
        let info = SystemInfo {
            memory_limit: Some(false),
            cpu_cfs_quota: Some(true),
            security_options: Some(vec!["name=rootless".into()]),
            ..SystemInfo::default()
        };
        let all = engine("tcp://far:2375", "26.1", "1.45", &info);
        let limited: Vec<_> =
            all.iter().filter(|one| one.state == State::Limited).map(|one| one.subject).collect();
        assert_eq!(limited, ["limits", "rootless"]);
        let missing =
            |address| engine(address, "26.1", "1.45", &info).iter().any(|one| one.state == State::Missing);
        assert!(
            missing("tcp://far:2375") && !missing("unix:///run/docker.sock"),
            "a run refuses the one only"
        );
        assert!(all.iter().any(|one| one.detail == "the engine cannot limit memory"), "{all:?}");
    }
}
