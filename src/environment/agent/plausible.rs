//! What no program can have seen, and more than any honest one has to say.

use isocost_agent::protocol::Inspection;

use super::channel::garbage;
use crate::measure::sample::Failure;

/// A CPU of today has some 150 flags and 20 files about mitigations.
const MOST_ENTRIES: usize = 1024;

/// The longest of such lines is a list of mount options.
const MOST_BYTES: usize = 4096;

/// What it said, where it can be believed.
pub(super) fn plausible(seen: Inspection) -> Result<Inspection, Failure> {
    if let Some(quota) = seen.quota_cpus.filter(|quota| !(quota.is_finite() && *quota > 0.0)) {
        return Err(garbage(&format!("it sees a quota of {quota} CPUs")));
    }
    if seen.agent_sha256.len() != 64 || !seen.agent_sha256.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(garbage("what it says its own SHA-256 is has not 64 hexadecimal digits"));
    }
    for (what, count) in [("CPU flags", seen.cpu_flags.len()), ("mitigations", seen.mitigations.len())] {
        if count > MOST_ENTRIES {
            return Err(garbage(&format!("it sees {count} {what}, the most is {MOST_ENTRIES}")));
        }
    }
    match longest(&seen) {
        bytes if bytes > MOST_BYTES => {
            Err(garbage(&format!("it says a word of {bytes} bytes, the most is {MOST_BYTES}")))
        }
        _ => Ok(seen),
    }
}

fn longest(seen: &Inspection) -> usize {
    let rest = [&seen.cpu_model, &seen.clock_source, &seen.layer_file_system, &seen.layer_source];
    [&seen.kernel_release, &seen.kernel_version]
        .into_iter()
        .chain(rest.into_iter().flatten())
        .chain(&seen.cpu_flags)
        .chain(seen.mitigations.iter().flat_map(|(name, state)| [name, state]))
        .map(String::len)
        .max()
        .unwrap_or(0)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn honest() -> Inspection {
        Inspection {
            agent_sha256: "0a".repeat(32),
            online_cpus: Some(1),
            affinity_cpus: None,
            quota_cpus: Some(1.5),
            cgroup_memory_limit_bytes: None,
            firmware_memory_bytes: None,
            memory_total_bytes: None,
            memory_available_bytes: None,
            cpu_model: Some("x".repeat(MOST_BYTES)),
            cpu_flags: vec!["f".to_owned(); MOST_ENTRIES],
            clock_source: None,
            kernel_release: "6.1".to_owned(),
            kernel_version: String::new(),
            mitigations: vec![("meltdown".to_owned(), "Mitigation: PTI".to_owned())],
            layer_file_system: None,
            layer_source: None,
            page_bytes: 4096,
        }
    }

    #[test]
    fn more_than_an_honest_program_says_is_refused_in_few_words() {
        assert_eq!(plausible(honest()), Ok(honest()));
        let long = || "x".repeat(256 << 10);
        let hostile = [
            Inspection { quota_cpus: Some(f64::NAN), ..honest() },
            Inspection { agent_sha256: long(), ..honest() },
            Inspection { agent_sha256: "zz".repeat(32), ..honest() },
            Inspection { cpu_flags: vec!["a".to_owned(); 130_000], ..honest() },
            Inspection { mitigations: vec![(String::new(), String::new()); 130_000], ..honest() },
            Inspection { cpu_flags: vec![long()], ..honest() },
            Inspection { mitigations: vec![(String::new(), long())], ..honest() },
            Inspection { kernel_release: long(), ..honest() },
            Inspection { layer_source: Some(long()), ..honest() },
        ];
        for seen in hostile {
            let detail = plausible(seen).map(|_| ()).unwrap_err().detail;
            assert!(detail.len() < 200, "{detail}");
        }
    }
}
