#![allow(clippy::unwrap_used)]

use super::*;

const MIB: u64 = 1 << 20;

fn limits() -> Limits {
    Limits { cpus: 2, memory_bytes: 256 * MIB }
}

fn container() -> Inspection {
    Inspection {
        agent_sha256: "ab".into(),
        online_cpus: Some(16),
        affinity_cpus: Some(16),
        quota_cpus: Some(2.0),
        cgroup_memory_limit_bytes: Some(256 * MIB),
        firmware_memory_bytes: Some(32_768 * MIB),
        memory_total_bytes: Some(32_000 * MIB),
        memory_available_bytes: None,
        cpu_model: Some("x".into()),
        cpu_flags: vec!["avx2".into(), "sse".into()],
        clock_source: Some("tsc".into()),
        kernel_release: "6.1".into(),
        kernel_version: String::new(),
        mitigations: Vec::new(),
        layer_file_system: None,
        layer_source: None,
        page_bytes: 4096,
    }
}

fn machine() -> Inspection {
    Inspection {
        online_cpus: Some(2),
        affinity_cpus: Some(2),
        quota_cpus: None,
        cgroup_memory_limit_bytes: None,
        firmware_memory_bytes: Some(256 * MIB - 393_216),
        memory_total_bytes: Some(230 * MIB),
        ..container()
    }
}

fn forbidding(a: &Inspection, b: &Inspection) -> Vec<&'static str> {
    let all = comparable(a, b, &limits()).into_iter();
    all.filter(|difference| difference.must_match).map(|difference| difference.what).collect()
}

#[test]
fn a_container_and_a_machine_of_one_size_are_alike() {
    assert_eq!(comparable(&container(), &machine(), &limits()), []);
}

#[test]
fn sixteen_cpus_beside_two_are_not() {
    let unlimited = Inspection { quota_cpus: None, ..container() };
    assert_eq!(forbidding(&unlimited, &machine()), ["CPUs"]);
    let pinned = Inspection { affinity_cpus: Some(2), ..unlimited };
    assert!(forbidding(&pinned, &machine()).is_empty());
}

#[test]
fn other_memory_or_another_agent_is_not() {
    let unlimited = Inspection { cgroup_memory_limit_bytes: None, ..container() };
    assert_eq!(forbidding(&unlimited, &machine()), ["memory"]);
    let other = Inspection { agent_sha256: "cd".into(), ..machine() };
    assert_eq!(forbidding(&container(), &other), ["agent"]);
}

#[test]
fn without_the_firmwares_map_the_kernels_share_is_allowed_for() {
    let blind = Inspection { firmware_memory_bytes: None, ..machine() };
    assert!(forbidding(&container(), &blind).is_empty());
    let half = Inspection { memory_total_bytes: Some(128 * MIB), ..blind };
    assert_eq!(forbidding(&container(), &half), ["memory"]);
}

#[test]
fn what_could_not_be_read_is_not_proved() {
    let blind = Inspection { online_cpus: None, affinity_cpus: None, quota_cpus: None, ..machine() };
    assert_eq!(forbidding(&blind, &blind), ["CPUs"]);
}

#[test]
fn alike_and_not_as_asked_is_told() {
    let three = Inspection { quota_cpus: Some(3.0), ..container() };
    let all = comparable(&three, &three, &limits());
    assert!(matches!(&all[..], [Difference { what: "CPUs", must_match: false, .. }]));
}

#[test]
fn the_rest_is_told_and_forbids_nothing() {
    let other = Inspection {
        kernel_release: "6.12".into(),
        clock_source: None,
        cpu_flags: vec!["sse".into()],
        mitigations: vec![("spectre_v2".into(), "Vulnerable".into())],
        ..machine()
    };
    let all = comparable(&container(), &other, &limits());
    let what: Vec<_> = all.iter().map(|d| d.what).collect();
    assert_eq!(what, ["kernel", "clock source", "CPU flags", "mitigations"]);
    assert!(all.iter().all(|d| !d.must_match));
    assert_eq!(all[2].a, "also avx2");
}
