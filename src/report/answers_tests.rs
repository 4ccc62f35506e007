#![allow(clippy::unwrap_used)]

use super::*;
use crate::analysis::{Interval, Summary};
use crate::journal::Run;
use crate::measure::sample::Accelerator;
use crate::report::fixture;

fn quick() -> (Run, Summary) {
    let run = fixture::quick(6, Accelerator::Kvm);
    let summary = fixture::summarise(&run);
    (run, summary)
}

/// Slowdowns of docker's CPU work, the rest of them all between 0.9 and 1.2.
fn slowed(summary: &mut Summary, by: &[(&str, f64, f64)]) {
    let rates = summary.rows.iter_mut().filter(|row| row.environment == "docker");
    for row in rates.filter(|row| row.metric.starts_with("cpu.") && row.metric.ends_with(".rate")) {
        let known = by.iter().find(|(id, ..)| *id == row.workload);
        let (low, high) = known.map_or((0.9, 1.2), |(_, low, high)| (*low, *high));
        let interval = Some(Interval { low: 1.0 / high, high: 1.0 / low });
        let estimate = Estimate { value: 2.0 / (low + high), interval };
        row.ratio = Ratio::Stated { estimate, pairs: 6 };
    }
}

fn cpu(run: &Run, summary: &Summary) -> (String, Figure) {
    let answer = work(&View::new(run, summary), Family::Cpu);
    (answer.sentence, answer.figures[0].clone())
}

#[test]
fn only_work_that_is_shown_to_differ_is_named() {
    let (run, mut summary) = quick();
    slowed(&mut summary, &[("syscall", 1.04, 1.08)]);
    let (sentence, figure) = cpu(&run, &summary);
    let said = "The same CPU work in a container (docker) shows no difference from native in 8 of 9 workloads and takes \
                1.06× [1.04–1.08] the time in syscall.";
    assert!(sentence.starts_with(said), "{sentence}");
    assert_eq!((figure.figure.as_str(), figure.against.as_str()), ("1.06× [1.04–1.08]", "syscall"));
    assert!(figure.n.starts_with("1 of 9 workloads"), "{}", figure.n);

    slowed(&mut summary, &[("syscall", 1.04, 1.08), ("fork-exec", 1.2, 1.4)]);
    let (sentence, figure) = cpu(&run, &summary);
    let said = "takes from 1.06× [1.04–1.08] (syscall) to 1.30× [1.20–1.40] (fork-exec) the time of native in the others.";
    assert!(sentence.contains(said), "{sentence}");
    assert_eq!((figure.figure.as_str(), figure.against.as_str()), ("1.06× to 1.30×", "fork-exec"));

    slowed(&mut summary, &[]);
    let (sentence, figure) = cpu(&run, &summary);
    assert!(sentence.contains("(docker) shows no difference from native in 9 workloads."), "{sentence}");
    assert_eq!((figure.figure.as_str(), figure.against.as_str()), ("no difference shown", ""));
}

#[test]
fn too_few_blocks_for_intervals_are_said() {
    let (run, summary) = quick();
    let (sentence, figure) = cpu(&run, &summary);
    assert!(sentence.contains("in 9 workloads, each of too few blocks for an interval."), "{sentence}");
    assert_eq!(figure.against, "no interval: too few blocks");
}

#[test]
fn an_environment_that_never_started_has_its_verb_and_its_failures() {
    let (mut run, _) = quick();
    let failure = crate::measure::sample::Failure {
        name: crate::measure::sample::FailureName::NeverReady,
        detail: "no Hello within 30 s".into(),
    };
    run.samples.retain(|sample| sample.environment != "docker" || !sample.metric.starts_with("memory."));
    for sample in run.samples.iter_mut().filter(|sample| sample.environment == "docker") {
        sample.outcome = crate::measure::sample::Outcome::Failed(failure.clone());
    }
    let summary = fixture::summarise(&run);
    let said: Vec<String> = all(&View::new(&run, &summary)).into_iter().map(|one| one.sentence).collect();
    assert!(said[0].contains(", a container (docker) was never ready (never-ready ×6) and "), "{}", said[0]);
    assert!(said[0].contains(" and a virtual machine (qemu, KVM) is ready after "), "{}", said[0]);
    for sentence in &said[1..] {
        assert!(sentence.ends_with(" No figure of docker: never-ready ×6."), "{sentence}");
    }
}

/// As in a journal that was carried on where KVM could not be had any more.
#[test]
fn one_environment_under_two_accelerators_is_two() {
    let (mut run, _) = quick();
    let emulated = fixture::quick(6, Accelerator::Tcg);
    run.samples.retain(|sample| sample.environment != "qemu" || sample.block < 4);
    let of_tcg = emulated.samples.into_iter().filter(|one| one.environment == "qemu" && one.block >= 4);
    run.samples.extend(of_tcg);
    let summary = fixture::summarise(&run);
    let view = View::new(&run, &summary);
    let answer = startup(&view);
    let told: Vec<_> = answer.figures.iter().map(|one| (one.environment.as_str(), one.what)).collect();
    let machines = [("qemu", "kvm", "VM, KVM"), ("qemu", "tcg", "VM, TCG emulation")];
    for ((id, accelerator, what), known) in machines.into_iter().zip([Accelerator::Kvm, Accelerator::Tcg]) {
        let name = format!("{id} ({accelerator})");
        assert!(told.contains(&(name.as_str(), what)), "{told:?}");
        let figure = answer.figures.iter().find(|one| one.environment == name).unwrap();
        let own = |row: &&Row| {
            row.metric == "startup.ready" && (row.environment.as_str(), row.accelerator) == (id, known)
        };
        let row = summary.rows.iter().find(own).unwrap();
        assert_eq!(figure.figure, quantity::estimate(&row.median.unwrap(), &row.unit));
    }
    assert!(answer.sentence.contains("a virtual machine (qemu, KVM)"), "{}", answer.sentence);
    let page = crate::report::page(&run, &summary).unwrap();
    assert!(page.contains("not under KVM: qemu (tcg). Their") && page.matches("qemu (tcg)").count() > 10);
}
