//! What a suite asks that only a host can answer.

use super::units::Size;
use super::{KernelChoice, KindSpec, Misfit, Suite};
use crate::suite::locate::Step;

/// How large the host is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostSize {
    /// CPUs online.
    pub cpus: u32,
    /// RAM in bytes; `None` where it could not be read.
    pub memory_bytes: Option<u64>,
}

/// Can this host give what the suite asks for?
///
/// # Errors
/// What is more than it has, or is not on it.
pub fn check_against_host(suite: &Suite, host: &HostSize) -> Result<(), Misfit> {
    let limits = &suite.limits;
    let misfit = |path: &[Step], what: String| Err(Misfit { path: path.to_vec(), what });
    if limits.cpus > host.cpus {
        let what =
            format!("is {}, and this host has {} CPUs online; ask for at most these", limits.cpus, host.cpus);
        return misfit(&[Step::Key("limits"), Step::Key("cpus")], what);
    }
    if let Some(most) = host.memory_bytes.filter(|most| limits.memory_bytes > *most) {
        let (asked, most) = (Size(limits.memory_bytes), most >> 20);
        let what = format!("is {asked}, and this host has {most}MiB; ask for less");
        return misfit(&[Step::Key("limits"), Step::Key("memory")], what);
    }
    for (index, environment) in suite.environments.iter().enumerate() {
        let KindSpec::Qemu(spec) = &environment.kind else { continue };
        let KernelChoice::Path(kernel) = &spec.kernel else { continue };
        let wrong = match std::fs::metadata(kernel) {
            Err(error) => Some(error.to_string()),
            Ok(found) if found.is_file() || found.is_dir() => None,
            Ok(_) => Some("it is a device, a pipe or a socket".to_owned()),
        };
        if let Some(error) = wrong {
            let path = [Step::Key("environment"), Step::Index(index), Step::Key("kernel")];
            let what = format!(
                "of {} is {}: {error}; it is `debian`, `debian:VERSION`, `host` or a path",
                environment.id,
                kernel.display()
            );
            return misfit(&path, what);
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::suite::load;

    const ROOMY: HostSize = HostSize { cpus: 64, memory_bytes: Some(1 << 40) };

    #[test]
    fn more_than_the_host_has_is_refused() {
        let quick = load("quick").unwrap();
        check_against_host(&quick, &ROOMY).unwrap();
        check_against_host(&quick, &HostSize { memory_bytes: None, ..ROOMY }).unwrap();
        let misfit = check_against_host(&quick, &HostSize { cpus: 1, ..ROOMY }).unwrap_err();
        assert_eq!(
            misfit.to_string(),
            "limits.cpus is 2, and this host has 1 CPUs online; ask for at most these"
        );
        let small = HostSize { memory_bytes: Some(100 << 20), ..ROOMY };
        let misfit = check_against_host(&quick, &small).unwrap_err();
        assert_eq!(misfit.to_string(), "limits.memory is 256MiB, and this host has 100MiB; ask for less");
    }

    #[test]
    fn a_kernel_that_is_not_there_is_named() {
        let with = |kernel: &str| {
            let mut suite = load("quick").unwrap();
            for environment in &mut suite.environments {
                if let KindSpec::Qemu(spec) = &mut environment.kind {
                    spec.kernel = KernelChoice::Path(kernel.into());
                }
            }
            check_against_host(&suite, &ROOMY).unwrap_err().to_string()
        };
        let device = with("/dev/zero");
        assert!(device.contains("is /dev/zero: it is a device"), "{device}");
        let text = with("/nonexistent/bzImage");
        assert!(text.contains("/nonexistent/bzImage") && text.contains("debian:VERSION"), "{text}");
    }
}
