//! What is asked of the engine for one container: pure.

use std::collections::HashMap;
use std::path::Path;

use bollard::models::{ContainerCreateBody, HostConfig, Mount, MountType, SystemInfo};

use super::image::LABEL;
use crate::measure::equality::Limits;
use crate::measure::host::CpuList;
use crate::suite::DockerSpec;

/// Several environments of a run may be containers; this says whose one is.
const ENVIRONMENT_LABEL: &str = "isocost.environment";

/// Where the folder with the agent's socket is, inside.
const SOCKET_FOLDER: &str = "/isocost";

/// The socket's name in that folder.
pub(super) const SOCKET: &str = "agent";

/// Everything that one container's request is made of.
#[derive(Debug, Clone)]
pub(super) struct Wanted<'a> {
    pub run_id: &'a str,
    pub environment: &'a str,
    pub image: &'a str,
    pub spec: &'a DockerSpec,
    pub limits: &'a Limits,
    pub cpus: &'a CpuList,
    /// Of the host, with the socket in it.
    pub folder: &'a Path,
    /// SELinux keeps a container from any socket of the host's.
    pub selinux: bool,
}

/// The body of the create call. Whatever is not said here is as the engine has it by default: that is what is measured.
pub(super) fn body(wanted: &Wanted<'_>) -> ContainerCreateBody {
    let memory = i64::try_from(wanted.limits.memory_bytes).unwrap_or(i64::MAX);
    let mount = Mount {
        target: Some(SOCKET_FOLDER.to_owned()),
        source: Some(wanted.folder.display().to_string()),
        typ: Some(MountType::BIND),
        ..Mount::default()
    };
    let host = HostConfig {
        memory: Some(memory),
        // Memory and swap together: no swap.
        memory_swap: Some(memory),
        nano_cpus: Some(i64::from(wanted.limits.cpus) * 1_000_000_000),
        cpuset_cpus: Some(wanted.cpus.to_string()),
        network_mode: Some(if wanted.spec.network { "default" } else { "none" }.to_owned()),
        runtime: Some(wanted.spec.runtime.clone()),
        mounts: Some(vec![mount]),
        security_opt: wanted.selinux.then(|| vec!["label=disable".to_owned()]),
        ..HostConfig::default()
    };
    let socket = format!("{SOCKET_FOLDER}/{SOCKET}");
    let words = ["--socket", &socket, "--layer", "/"];
    ContainerCreateBody {
        image: Some(wanted.image.to_owned()),
        cmd: Some(words.map(str::to_owned).to_vec()),
        labels: Some(labels(wanted.run_id, wanted.environment)),
        host_config: Some(host),
        ..ContainerCreateBody::default()
    }
}

/// What everything of one environment carries.
pub(super) fn labels(run_id: &str, environment: &str) -> HashMap<String, String> {
    [(LABEL, run_id), (ENVIRONMENT_LABEL, environment)]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}

/// Does this engine have the runtime? Names of containerd's shims need no registration.
pub(super) fn has_runtime(info: &SystemInfo, wanted: &str) -> Result<(), Vec<String>> {
    let known = info.runtimes.iter().flatten().map(|(name, _)| name.clone());
    let mut known: Vec<String> = known.collect();
    known.sort_unstable();
    let shim = wanted.starts_with("io.containerd.");
    if shim || known.iter().any(|name| name == wanted) { Ok(()) } else { Err(known) }
}

/// Was the engine told to use this security module? Options are `name=selinux`, `name=seccomp,profile=default`, ….
pub(super) fn has_security(info: &SystemInfo, module: &str) -> bool {
    let name = format!("name={module}");
    let mut options = info.security_options.iter().flatten();
    options.any(|option| option.split(',').any(|part| part == name))
}

/// Limits that this engine will not hold, for the reader.
pub(super) fn unheld(info: &SystemInfo) -> Vec<String> {
    let lacks = |has: Option<bool>| has == Some(false);
    let limits = [
        (lacks(info.memory_limit), "memory is not limited: ratios to it are withheld"),
        (lacks(info.swap_limit), "swap is not limited: under pressure its memory may be swapped out"),
        (lacks(info.cpu_cfs_quota), "CPU time has no quota: it is kept to its CPUs by cpuset only"),
        (lacks(info.cpu_set), "it is not kept to its CPUs by cpuset, by quota only"),
    ];
    let unheld = limits.into_iter().filter(|(lacks, _)| *lacks);
    unheld.map(|(_, what)| format!("the engine says of this kernel: {what}")).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use bollard::models::Runtime;

    use super::*;

    const LIMITS: Limits = Limits { cpus: 2, memory_bytes: 256 << 20 };

    fn cpus() -> CpuList {
        [0, 2].into_iter().collect()
    }

    fn spec(network: bool) -> DockerSpec {
        DockerSpec { runtime: "runc".into(), network }
    }

    fn wanted<'a>(spec: &'a DockerSpec, cpus: &'a CpuList) -> Wanted<'a> {
        Wanted {
            run_id: "r-1",
            environment: "docker",
            image: "sha256:ab",
            spec,
            limits: &LIMITS,
            cpus,
            folder: Path::new("/scratch/a b:c"),
            selinux: false,
        }
    }

    #[test]
    fn the_request_says_the_limits_the_label_and_no_network() {
        let body = serde_json::to_value(body(&wanted(&spec(false), &cpus()))).unwrap();
        insta::assert_json_snapshot!(body, @r#"
        {
          "Cmd": [
            "--socket",
            "/isocost/agent",
            "--layer",
            "/"
          ],
          "HostConfig": {
            "CpusetCpus": "0,2",
            "Memory": 268435456,
            "MemorySwap": 268435456,
            "Mounts": [
              {
                "Source": "/scratch/a b:c",
                "Target": "/isocost",
                "Type": "bind"
              }
            ],
            "NanoCpus": 2000000000,
            "NetworkMode": "none",
            "Runtime": "runc"
          },
          "Image": "sha256:ab",
          "Labels": {
            "isocost.environment": "docker",
            "isocost.run": "r-1"
          }
        }
        "#);
    }

    #[test]
    fn a_network_and_selinux_are_as_asked_and_as_found() {
        let spec = spec(true);
        let host = body(&Wanted { selinux: true, ..wanted(&spec, &cpus()) }).host_config.unwrap();
        assert_eq!(host.network_mode.unwrap(), "default");
        assert_eq!(host.security_opt.unwrap(), ["label=disable"]);
    }

    #[test]
    fn runtimes_are_those_registered_and_shims_by_their_name() {
        let runtimes = ["runc", "kata"].map(|name| (name.to_owned(), Runtime::default()));
        let info = SystemInfo { runtimes: Some(HashMap::from(runtimes)), ..SystemInfo::default() };
        assert!(has_runtime(&info, "kata").is_ok() && has_runtime(&info, "io.containerd.runsc.v1").is_ok());
        assert_eq!(has_runtime(&info, "runsc"), Err(vec!["kata".to_owned(), "runc".to_owned()]));
    }

    #[test]
    fn what_the_engine_will_not_hold_is_told() {
        let options = vec!["name=seccomp,profile=default".to_owned(), "name=selinux".to_owned()];
        let info = SystemInfo {
            security_options: Some(options),
            swap_limit: Some(false),
            memory_limit: Some(true),
            ..SystemInfo::default()
        };
        assert!(has_security(&info, "selinux") && !has_security(&info, "userns"));
        assert_eq!(unheld(&info).len(), 1);
        assert!(unheld(&SystemInfo::default()).is_empty(), "an engine that says nothing of it");
    }
}
