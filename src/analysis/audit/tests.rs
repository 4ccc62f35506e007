#![allow(clippy::unwrap_used)]

use super::*;
use crate::analysis::example;
use crate::environment::Prepared;
use crate::measure::sample::Accelerator;
use crate::suite::{AcceleratorChoice, DiskFormat, KernelChoice, KindSpec, Machine, QemuSpec};

/// Native, Docker and a virtual machine, as they are on a host with KVM.
fn record() -> RunRecord {
    let mut record = example::run(3).record;
    record.host.scratch_file_system = Some("ext4 on vda".into());
    let spec = QemuSpec {
        machine: Machine::Q35,
        accelerator: AcceleratorChoice::Kvm,
        kernel: KernelChoice::Debian(None),
        disk: DiskFormat::Qcow2,
    };
    let qemu = EnvironmentSpec {
        id: "qemu".into(),
        workloads: None,
        slower_permille: 0,
        kind: KindSpec::Qemu(spec),
    };
    record.plan.suite.environments.push(qemu);
    let fact = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    record.environments[1].prepared.facts = vec![
        fact("storage.driver", "overlay2"),
        fact("storage.file-system", "extfs"),
        fact("engine.security", "name=seccomp,profile=default"),
    ];
    let mut host = example::inspection();
    host.online_cpus = Some(8);
    host.cpu_model = Some("Xeon".into());
    host.cpu_flags = vec!["sse".into()];
    host.clock_source = Some("tsc".into());
    host.mitigations = vec![("spectre_v2".into(), "Retpolines".into())];
    host.layer_file_system = Some("ext4".into());
    let mut container = host.clone();
    container.layer_file_system = Some("overlay".into());
    container.quota_cpus = Some(2.0);
    let mut guest = host.clone();
    guest.online_cpus = Some(2);
    guest.cgroup_memory_limit_bytes = None;
    guest.memory_total_bytes = Some(240 << 20);
    guest.kernel_release = "6.1.0-40-cloud-amd64".into();
    guest.clock_source = Some("kvm-clock".into());
    record.environments[0].inspection = Some(host);
    record.environments[1].inspection = Some(container);
    record.environments.push(EnvironmentRecord {
        id: "qemu".into(),
        kind: Kind::Qemu,
        accelerator: Accelerator::Kvm,
        prepared: Prepared { facts: vec![fact("disk.cache", "none (O_DIRECT)")], ..Prepared::default() },
        inspection: Some(guest),
    });
    record
}

fn text(pair: &PairAudit) -> String {
    let line = |point: &Point| {
        let show = |value: &Option<String>| value.clone().unwrap_or("?".into());
        let (a, b) = (show(&point.a), show(&point.b));
        match point.standing {
            Standing::Same => format!("  {}: {a}", point.subject.name()),
            Standing::Differs { why, must_match } => {
                let must = if must_match { " !" } else { "" };
                format!("≠{must} {}: {a} | {b} ({why})", point.subject.name())
            }
            Standing::Unproved { must_match } => {
                format!("? {}: {a} | {b} {must_match}", point.subject.name())
            }
        }
    };
    let lines: Vec<String> = pair.points.iter().map(line).collect();
    format!("{} and {}\n{}", pair.a, pair.b, lines.join("\n"))
}

#[test]
fn every_pair_has_an_answer_to_every_question() {
    let pairs = audit(&record());
    let named: Vec<_> = pairs.iter().map(|pair| (&*pair.a, &*pair.b)).collect();
    assert_eq!(named, [("native", "docker"), ("native", "qemu"), ("docker", "qemu")]);
    assert!(pairs.iter().all(|pair| pair.points.len() == questions::ALL.len() && !pair.forbids()));
    insta::assert_snapshot!(pairs.iter().map(text).collect::<Vec<_>>().join("\n\n"));
}

#[test]
fn each_subject_is_asked_about_once() {
    let mut subjects: Vec<Subject> = audit(&record())[0].points.iter().map(|point| point.subject).collect();
    let count = subjects.len();
    subjects.sort_unstable();
    subjects.dedup();
    assert_eq!(subjects.len(), count);
}

#[test]
fn what_was_never_seen_is_not_the_same() {
    let mut record = record();
    record.environments[0].inspection = None;
    record.environments[1].inspection = None;
    let pair = &audit(&record)[0];
    assert!(pair.forbids());
    let agent = pair.points.iter().find(|point| point.subject == Subject::Agent).unwrap();
    assert_eq!(agent.standing, Standing::Unproved { must_match: true });
}

/// The audit and the rule that withholds ratios are of one mind.
#[test]
fn it_forbids_what_the_summary_withholds() {
    let limits = record().plan.suite.limits;
    type Change = fn(&mut isocost_agent::protocol::Inspection);
    let changes: [(Change, bool); 6] = [
        (|_| {}, false),
        (|seen| seen.agent_sha256 = "other".into(), true),
        (|seen| seen.quota_cpus = Some(4.0), false),
        (|seen| seen.affinity_cpus = Some(1), true),
        (|seen| seen.cgroup_memory_limit_bytes = Some(1 << 27), true),
        (|seen| seen.kernel_release = "9".into(), false),
    ];
    for (at, (change, forbidden)) in changes.into_iter().enumerate() {
        let mut record = record();
        change(record.environments[1].inspection.as_mut().unwrap());
        let pair = &audit(&record)[0];
        let seen = |at: usize| record.environments[at].inspection.as_ref().unwrap();
        let differences = crate::measure::equality::comparable(seen(0), seen(1), &limits);
        assert_eq!(pair.forbids(), differences.iter().any(|one| one.must_match), "change {at}");
        assert_eq!(pair.forbids(), forbidden, "change {at}");
    }
}

#[test]
fn threads_are_held_against_each_other_in_what_both_run() {
    let mut record = record();
    let mut more = record.plan.suite.workloads[0].clone();
    more.id = "more".into();
    more.threads = Some(4);
    record.plan.suite.workloads.push(more);
    record.plan.suite.environments[1].workloads = Some(vec!["integer".into()]);
    let pair = &audit(&record)[0];
    let of = |subject| pair.points.iter().find(|point| point.subject == subject).unwrap();
    assert_eq!(of(Subject::Threads).standing, Standing::Same);
    assert!(matches!(of(Subject::Workloads).standing, Standing::Differs { .. }));
    assert_eq!(of(Subject::Workloads).a.as_deref(), Some("integer, more"));
}
