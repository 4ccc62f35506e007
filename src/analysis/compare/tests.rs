#![allow(clippy::unwrap_used)]

use super::*;
use crate::analysis::example::{failed, run, sample};
use crate::journal::Run;
use crate::journal::record::EnvironmentRecord;
use crate::measure::sample::{Accelerator, FailureName, Outcome, Sample};

const READY: &str = "startup.ready";

/// Twelve blocks at `level`, with a wobble of a few per cent that depends on `seed` and has the same centre for all.
fn session(level: f64, seed: u32) -> Run {
    let mut run = run(12);
    for block in 2..14 {
        let wobble = 1.0 + f64::from((block * 5 + seed * 7) % 12) / 200.0;
        run.samples.push(sample(block, "native", READY, 10.0 * wobble));
        run.samples.push(sample(block, "docker", READY, level * wobble));
    }
    run
}

fn refs(runs: &[Run]) -> Vec<&Run> {
    runs.iter().collect()
}

fn row<'a>(comparison: &'a Comparison, environment: &str, metric: &str) -> &'a Change {
    comparison.rows.iter().find(|row| row.environment == environment && row.metric == metric).unwrap()
}

/// Sessions whose levels differ by about `spread`.
fn sessions(count: u32, level: f64, spread: f64) -> Vec<Run> {
    (0..count).map(|i| session(level * (1.0 + spread * (f64::from(i * 3 % 5) - 2.0) / 2.0), i)).collect()
}

fn compared(base: &[Run], new: &[Run]) -> Comparison {
    runs(&refs(base), &refs(new), &Options::default()).unwrap()
}

#[test]
fn one_session_a_side_is_advisory_and_knows_what_sessions_do() {
    let comparison = compared(&[session(100.0, 1)], &[session(105.0, 2)]);
    assert!(comparison.advisory.as_ref().unwrap().starts_with("1 session of the base"));
    let docker = row(&comparison, "docker", READY);
    // Every value is larger, and yet two sessions of one thing differ by 3 % each.
    assert_eq!(docker.verdict, Verdict::Undecided(Why::Inconclusive));
    assert!((docker.change.unwrap().value - 1.05).abs() < 0.005);
    assert!(docker.p.unwrap() > 0.1 && docker.detectable.unwrap() > 0.10);
    let large = compared(&[session(100.0, 1)], &[session(150.0, 2)]);
    assert_eq!(row(&large, "docker", READY).verdict, Verdict::Worse);
    assert_eq!(row(&large, "docker", READY).words(), "slower");
    assert_eq!(row(&large, "docker", READY).large, Some(true));
}

#[test]
fn five_sessions_measure_what_sessions_do() {
    let base = sessions(5, 100.0, 0.004);
    let comparison = compared(&base, &[session(108.0, 9)]);
    assert_eq!(comparison.advisory, None);
    assert_eq!(comparison.design, Design::Sessions { base: 5, new: 1 });
    let docker = row(&comparison, "docker", READY);
    assert_eq!(docker.verdict, Verdict::Worse, "{docker:?}");
    assert_eq!((docker.base.sessions, docker.base.n, docker.new.n), (5, 60, 12));
    // Sessions that differ by as much as the change hide it.
    let restless = compared(&sessions(5, 100.0, 0.08), &[session(108.0, 9)]);
    let docker = row(&restless, "docker", READY);
    assert_eq!(docker.verdict, Verdict::Undecided(Why::Inconclusive), "{docker:?}");
    assert!(docker.detectable.unwrap() > 0.2);
}

#[test]
fn the_prediction_limit_is_t_times_s_times_the_root_of_one_plus_one_over_k() {
    let base = sessions(5, 100.0, 0.05);
    let comparison = compared(&base, &[session(100.0, 3)]);
    let docker = row(&comparison, "docker", READY);
    let change = docker.change.unwrap();
    let interval = change.interval.unwrap();
    let half = (interval.high.ln() - interval.low.ln()) / 2.0;
    // ln of the levels: 0.95, 1.025, 0.975, 1.05, 1.0; t(4) at 0.995 is 4.6041.
    let logs = [0.95f64, 1.025, 0.975, 1.05, 1.0].map(f64::ln);
    let mean = logs.iter().sum::<f64>() / 5.0;
    let s = (logs.iter().map(|log| (log - mean).powi(2)).sum::<f64>() / 4.0).sqrt();
    let expected = 4.6041 * s * (1.0f64 + 1.0 / 5.0).sqrt();
    assert!((half / expected - 1.0).abs() < 0.02, "{half} {expected}");
}

#[test]
fn no_difference_is_shown_not_assumed() {
    let same = compared(&sessions(5, 100.0, 0.002), &[session(100.2, 9)]);
    let docker = row(&same, "docker", READY);
    let Verdict::NoDifference { most } = docker.verdict else { panic!("{docker:?}") };
    assert!(most < 0.10 && docker.words().starts_with("no difference larger than"));
    assert!(docker.large == Some(false) && docker.detectable.unwrap() < 0.1);
    // A small change that is surely there is called by its name, and said to be small.
    let small = compared(&sessions(6, 100.0, 0.002), &sessions(6, 104.0, 0.002));
    let docker = row(&small, "docker", READY);
    assert_eq!((docker.verdict, docker.large), (Verdict::Worse, Some(false)), "{docker:?}");
}

#[test]
fn better_depends_on_the_metric() {
    let with = |metric: &'static str, level: f64| {
        let mut run = run(12);
        for block in 2..14 {
            run.samples.push(sample(
                block,
                "docker",
                metric,
                level * (1.0 + f64::from(block * 5 % 12) / 1000.0),
            ));
        }
        run
    };
    let verdict = |metric, new: f64| {
        let comparison = compared(&[with(metric, 1e8)], &[with(metric, new * 1e8)]);
        let row = row(&comparison, "docker", metric);
        (row.verdict, row.words())
    };
    assert_eq!(verdict("cpu.integer.rate", 2.0), (Verdict::Better, "faster".into()));
    assert_eq!(verdict("cpu.integer.rate", 0.5), (Verdict::Worse, "slower".into()));
    assert_eq!(verdict("memory.total.idle", 2.0), (Verdict::Worse, "larger".into()));
    assert_eq!(verdict("memory.total.idle", 0.5), (Verdict::Better, "smaller".into()));
    assert_eq!(verdict("later.version", 2.0), (Verdict::Changed, "changed".into()));
}

#[test]
fn exact_metrics_are_facts() {
    let with = |bytes: f64| {
        let mut run = session(100.0, 1);
        for block in 2..14 {
            run.samples.push(sample(block, "docker", "disk.image", bytes));
        }
        run
    };
    let image = |base, new| row(&compared(&[with(base)], &[with(new)]), "docker", "disk.image").clone();
    let one = image(1000.0, 1001.0);
    assert_eq!((one.verdict, one.p, one.change.unwrap().value), (Verdict::Worse, None, 1.001));
    assert_eq!(one.words(), "larger");
    assert_eq!(image(1000.0, 1000.0).verdict, Verdict::Same);
    let mut restless = with(1000.0);
    restless.samples.push(sample(5, "docker", "disk.image", 7.0));
    let comparison = compared(&[restless], &[with(1000.0)]);
    assert_eq!(row(&comparison, "docker", "disk.image").verdict, Verdict::Undecided(Why::NotExact));
}

#[test]
fn a_value_that_never_moved_is_not_silent() {
    let with = |bytes: f64| {
        let mut run = run(12);
        for block in 2..14 {
            run.samples.push(sample(block, "docker", "memory.inside.total", bytes));
        }
        run
    };
    let base: Vec<Run> = (0..5).map(|_| with(1e8)).collect();
    let verdict = |bytes| row(&compared(&base, &[with(bytes)]), "docker", "memory.inside.total").verdict;
    // More to have is better, and yet larger.
    assert_eq!(verdict(2e8), Verdict::Better);
    let more = compared(&base, &[with(2e8)]);
    assert_eq!(row(&more, "docker", "memory.inside.total").words(), "larger");
    assert!(matches!(verdict(1e8), Verdict::NoDifference { .. }));
    // One page more is less than its source counts in.
    assert!(matches!(verdict(1e8 + 4096.0), Verdict::NoDifference { .. }));
}

#[test]
fn nothing_measured_never_passes() {
    let base = [session(100.0, 1)];
    let mut broken = session(100.0, 2);
    broken.samples.retain(|sample| sample.environment != "docker");
    for block in 2..14 {
        broken.samples.push(failed(block, "docker", READY, FailureName::NeverReady));
    }
    let comparison = compared(&base, &[broken]);
    let docker = row(&comparison, "docker", READY);
    assert_eq!(docker.verdict, Verdict::Undecided(Why::NotInNew));
    assert_eq!((docker.new.n, docker.new.failed), (0, 12));
    assert_eq!(docker.notes, ["0 of 12 failed in the base, 12 of 12 in the new run"]);

    let mut few = session(100.0, 3);
    few.samples.retain(|sample| sample.block < 6);
    let comparison = compared(&base, &[few]);
    assert_eq!(row(&comparison, "docker", READY).verdict, Verdict::Undecided(Why::TooFew));

    let mut zero = session(100.0, 3);
    zero.samples[1].outcome = crate::measure::sample::Outcome::Value(0.0);
    let comparison = compared(&base, &[zero]);
    assert_eq!(row(&comparison, "docker", READY).verdict, Verdict::Undecided(Why::Zero));
    assert_eq!(runs(&refs(&base), &[], &Options::default()), Err(Refusal::NoRuns));
    let empty = run(3);
    assert_eq!(runs(&[&empty], &[&empty], &Options::default()), Err(Refusal::NothingInCommon));
}

/// What is measured without a workload is measured of every environment: a container that never came up has no image, no memory and
/// no end, and that is told.
#[test]
fn what_is_measured_without_a_workload_is_missed_too() {
    let with = |metrics: &[&str]| {
        let mut run = session(100.0, 1);
        for (block, metric) in (2..14).flat_map(|block| metrics.iter().map(move |metric| (block, *metric))) {
            run.samples.push(sample(block, "docker", metric, 1e8 + f64::from(block)));
        }
        run
    };
    let all = ["startup.cold.ready", "end.total", "memory.total.peak", "disk.image"];
    let (whole, broken) = (with(&all), with(&[]));
    let comparison = compared(std::slice::from_ref(&whole), std::slice::from_ref(&broken));
    for metric in all {
        assert_eq!(row(&comparison, "docker", metric).verdict, Verdict::Undecided(Why::NotInNew), "{metric}");
    }
    let comparison = compared(std::slice::from_ref(&broken), std::slice::from_ref(&whole));
    assert_eq!(row(&comparison, "docker", "disk.image").verdict, Verdict::Undecided(Why::NotInBase));
    // What the plan does not have is not missed.
    let mut warm = broken.clone();
    warm.record.plan.suite.blocks.cold = 0;
    let comparison = compared(std::slice::from_ref(&whole), std::slice::from_ref(&warm));
    assert!(comparison.rows.iter().all(|row| row.metric != "startup.cold.ready"));
    // Nor what neither side has.
    let comparison = compared(std::slice::from_ref(&broken), std::slice::from_ref(&broken));
    assert!(comparison.rows.iter().all(|row| row.metric == READY));
}

#[test]
fn inside_a_run_it_is_missed_where_both_are_of_one_kind() {
    let mut run = session(100.0, 1);
    let own = |environment: &str, metric: &str| {
        (2..14).map(|block| sample(block, environment, metric, 1e8)).collect::<Vec<_>>()
    };
    run.samples.extend(own("docker", "disk.image"));
    let rows = |run: &Run, base: &str, new: &str| inside(run, base, new, &Options::default()).unwrap().rows;
    assert_eq!(rows(&run, "native", "docker").len(), 1, "a process has no image");
    run.record.plan.suite.environments.push(crate::suite::EnvironmentSpec {
        id: "docker-base".into(),
        ..run.record.plan.suite.environments[1].clone()
    });
    let record = run.record.environments[1].clone();
    run.record.environments.push(EnvironmentRecord { id: "docker-base".into(), ..record });
    run.samples.extend(own("docker-base", READY));
    let verdict = |rows: &[Change]| {
        let image = rows.iter().find(|row| row.metric == "disk.image").unwrap();
        (image.environment.clone(), image.verdict)
    };
    let missing = rows(&run, "docker-base", "docker");
    assert_eq!(verdict(&missing), ("docker".into(), Verdict::Undecided(Why::NotInBase)));
    let missing = rows(&run, "docker", "docker-base");
    assert_eq!(verdict(&missing), ("docker-base".into(), Verdict::Undecided(Why::NotInNew)));
}

#[test]
fn other_hosts_are_refused_by_name_and_compared_across_by_ratio() {
    let base = session(100.0, 1);
    let mut other = session(150.0, 2);
    other.record.host.cpu_model = Some("another".into());
    let refused = runs(&[&base], &[&other], &Options::default()).unwrap_err();
    let text = refused.to_string();
    assert!(
        text.contains("CPU model is not known in one and another in another") && text.contains("--across"),
        "{text}"
    );

    let options = Options { across: true, ..Options::default() };
    let comparison = runs(&[&base], &[&other], &options).unwrap();
    assert_eq!(comparison.basis, Basis::RatiosToNative);
    assert!(comparison.advisory.unwrap().contains("ratios to native"));
    assert!(comparison.rows.iter().all(|row| row.environment == "docker"));
    assert!((comparison.rows[0].change.unwrap().value - 1.5).abs() < 1e-6);

    let mut bare = other.clone();
    bare.record.plan.suite.environments.remove(0);
    assert_eq!(runs(&[&base], &[&bare], &options), Err(Refusal::NoControl { run: "r1".into() }));
    let mut unequal = other;
    unequal.record.environments[1].inspection = None;
    let comparison = runs(&[&base], &[&unequal], &options).unwrap();
    assert_eq!(comparison.rows[0].verdict, Verdict::Undecided(Why::Withheld));
}

/// Their largest of 40 is no 99th percentile, and of the faster side it is the largest of more.
#[test]
fn a_quantile_of_too_few_operations_is_no_change() {
    let with = |operations: u32| {
        let mut run = session(100.0, 1);
        for (block, id) in (2..8).flat_map(|block| ["native", "docker"].map(|id| (block, id))) {
            let mut p50 = sample(block, id, "disk.sync.latency.p50", 5000.0);
            p50.latencies_ns = (0..operations).map(|n| 5000 + n).collect();
            run.samples.extend([p50, sample(block, id, "disk.sync.latency.p99", 9000.0)]);
        }
        run
    };
    let (few, enough) = (with(367), with(368));
    let verdicts = |base: &Run, new: &Run| {
        let comparison = runs(&[base], &[new], &Options::default()).unwrap();
        ["disk.sync.latency.p50", "disk.sync.latency.p99"]
            .map(|metric| row(&comparison, "docker", metric).clone())
    };
    for (base, new) in [(&few, &enough), (&enough, &few)] {
        let [p50, p99] = verdicts(base, new);
        assert_ne!(p50.verdict, Verdict::Undecided(Why::FewOperations));
        assert_eq!(p99.verdict, Verdict::Undecided(Why::FewOperations));
        assert_eq!(p99.notes, ["a block has 367 operations, and this quantile takes 368"]);
    }
    let [_, p99] = verdicts(&enough, &enough);
    assert_ne!(p99.verdict, Verdict::Undecided(Why::FewOperations));

    let pair = inside(&few, "native", "docker", &Options::default()).unwrap();
    assert_eq!(row(&pair, "docker", "disk.sync.latency.p99").verdict, Verdict::Undecided(Why::FewOperations));
}

#[test]
fn across_hosts_a_start_is_held_against_a_burst_of_starts() {
    // The other host is half as fast: its starts take twice as long, and its bursts make half as many.
    let with = |slower: f64, id: &str| {
        let mut run = session(100.0 * slower, 1);
        run.record.run_id = id.into();
        for block in 2..14 {
            let wobble = 1.0 + f64::from(block * 5 % 12) / 1000.0;
            run.samples.push(sample(block, "native", "cpu.fork-exec.rate", 1000.0 / slower * wobble));
        }
        // One native start is a millisecond, and no measure of a host.
        for one in run.samples.iter_mut().filter(|one| one.environment == "native" && one.metric == READY) {
            one.outcome = crate::measure::sample::Outcome::Value(1.0 + f64::from(one.block % 7));
        }
        run
    };
    let options = Options { across: true, ..Options::default() };
    let comparison = runs(&[&with(1.0, "r1")], &[&with(2.0, "r2")], &options).unwrap();
    let docker = row(&comparison, "docker", READY);
    assert!((docker.change.unwrap().value - 1.0).abs() < 0.01, "{docker:?}");
    assert!(docker.detectable.unwrap() < 0.3, "{docker:?}");
}

#[test]
fn a_changed_suite_agent_kernel_or_accelerator_is_refused() {
    let base = session(100.0, 1);
    let refused = |change: &dyn Fn(&mut Run)| {
        let mut other = session(100.0, 2);
        change(&mut other);
        match runs(&[&base], &[&other], &Options::default()) {
            Err(Refusal::Different(mismatches)) => {
                mismatches.into_iter().map(|one| one.what).collect::<Vec<_>>()
            }
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(refused(&|run| run.record.agent_sha256 = "other".into()), ["agent"]);
    assert_eq!(refused(&|run| run.record.host.kernel_release = "7".into()), ["the host's kernel"]);
    assert_eq!(refused(&|run| run.record.plan.suite.limits.cpus = 4), ["limit of CPUs"]);
    assert_eq!(refused(&|run| run.record.plan.suite.workloads[0].bytes = 4), ["workload integer"]);
    assert_eq!(
        refused(&|run| run.record.environments[1].accelerator = Accelerator::Tcg),
        ["accelerator of docker"]
    );
    // How often, in which order and for how long at most may differ.
    let mut more = session(100.0, 2);
    more.record.plan.suite.blocks.count = 99;
    more.record.plan.seed = 5;
    assert!(runs(&[&base], &[&more], &Options::default()).is_ok());
}

#[test]
fn accelerators_are_never_compared() {
    let base = session(100.0, 1);
    let mut tcg = session(100.0, 2);
    tcg.record.environments[1].accelerator = Accelerator::Tcg;
    for sample in tcg.samples.iter_mut().filter(|sample| sample.environment == "docker") {
        sample.accelerator = Accelerator::Tcg;
    }
    let options = Options { across: true, ..Options::default() };
    assert_eq!(runs(&[&base], &[&tcg], &options), Err(Refusal::NothingInCommon));
}

#[test]
fn what_changed_with_it_is_named_or_said_to_be_nothing() {
    let base = session(100.0, 1);
    let mut upgraded = session(150.0, 2);
    let comparison = compared(std::slice::from_ref(&base), std::slice::from_ref(&upgraded));
    assert!(
        row(&comparison, "docker", READY).notes.iter().any(|note| note.contains("nothing that is recorded"))
    );
    upgraded.record.environments[1].prepared.facts.push(("engine".into(), "27".into()));
    upgraded.record.environments[1].prepared.facts.push(("image".into(), "isocost:r2".into()));
    let comparison = compared(&[base], &[upgraded]);
    assert_eq!(comparison.differences.len(), 1, "a tag is no difference: {:?}", comparison.differences);
    assert!(row(&comparison, "docker", READY).notes.contains(&"changed with it: engine".to_owned()));
}

#[test]
fn the_host_moved_too() {
    let with = |rate: f64, seed| {
        let mut run = session(100.0 / rate, seed);
        for block in 2..14 {
            let wobble = 1.0 + f64::from((block * 5 + seed) % 12) / 1000.0;
            run.samples.push(sample(block, "native", "cpu.fork-exec.rate", 1000.0 * rate * wobble));
        }
        run
    };
    let comparison = compared(&[with(1.0, 1)], &[with(0.6, 2)]);
    let docker = row(&comparison, "docker", READY);
    assert_eq!(docker.verdict, Verdict::Worse);
    assert!(
        docker.notes.iter().any(|note| note.starts_with("native cpu.fork-exec.rate moved too")),
        "{:?}",
        docker.notes
    );
}

#[test]
fn what_moved_together_is_one_finding() {
    let with = |factor: f64, seed| {
        let mut run = session(100.0 * factor, seed);
        for block in 2..14 {
            let wobble = 1.0 + f64::from((block * 5 + seed) % 12) / 1000.0;
            run.samples.push(sample(
                block,
                "docker",
                "startup.phase.engine",
                80.0 * factor * factor * wobble,
            ));
            run.samples.push(sample(block, "docker", "memory.total.idle", 1e8 * wobble));
        }
        run
    };
    let comparison = compared(&[with(1.0, 1)], &[with(2.0, 2)]);
    let [finding] = &comparison.findings[..] else { panic!("{:?}", comparison.findings) };
    assert_eq!((finding.rows.len(), comparison.rows[finding.rows[0]].metric.as_str()), (2, READY));
}

#[test]
fn the_whole_family_pays_for_its_size() {
    let with = |metrics: usize| {
        let mut run = session(100.0, 1);
        for metric in
            crate::measure::metric::CATALOGUE.iter().filter(|one| one.name.starts_with("cpu")).take(metrics)
        {
            for block in 2..14 {
                run.samples.push(sample(block, "docker", metric.name, 100.0 + f64::from(block % 4)));
            }
        }
        run
    };
    let detectable =
        |metrics| row(&compared(&[with(metrics)], &[with(metrics)]), "docker", READY).detectable.unwrap();
    assert!(detectable(14) > detectable(0) * 1.1);
    assert_eq!(compared(&[with(14)], &[with(14)]).family, 16);
}

#[test]
fn two_names_of_one_thing_inside_a_run() {
    let mut run = session(15.0, 1);
    let options = Options::default();
    let comparison = inside(&run, "native", "docker", &options).unwrap();
    assert_eq!((comparison.design, comparison.advisory.as_ref()), (Design::Blocks, None));
    let one = &comparison.rows[0];
    assert_eq!((one.verdict, one.environment.as_str()), (Verdict::Worse, "docker"));
    assert!((one.change.unwrap().value - 1.5).abs() < 1e-9);

    // Seven blocks can refuse nothing at 1 %.
    run.samples.retain(|sample| sample.block < 9);
    let few = &inside(&run, "native", "docker", &options).unwrap().rows[0];
    assert_eq!((few.verdict, few.detectable), (Verdict::Undecided(Why::TooFew), None));
    let warned = &inside(&run, "native", "docker", &options).unwrap().warnings;
    assert!(
        warned[0].contains("with 7 blocks no difference") && warned[0].contains("takes 8 ("),
        "{warned:?}"
    );
    run.samples.push(sample(9, "native", READY, 10.0));
    run.samples.push(sample(9, "docker", READY, 15.0));
    assert_eq!(inside(&run, "native", "docker", &options).unwrap().warnings, Vec::<String>::new());

    let missing = inside(&run, "native", "podman", &options).unwrap_err().to_string();
    assert_eq!(missing, "r1 has no environment \"podman\"; it has native, docker");
    run.record.environments[1].inspection = None;
    assert!(matches!(inside(&run, "native", "docker", &options), Err(Refusal::NotAlike { .. })));
}

/// The comparison that the whole project is about: the machine's values are of an accelerator, the container's of none.
#[test]
fn a_virtual_machine_is_held_against_a_container_and_never_kvm_against_emulation() {
    let mut run = session(15.0, 1);
    let spec = run.record.plan.suite.environments[1].clone();
    let (record, samples) = (run.record.environments[1].clone(), run.samples.clone());
    for (id, accelerator, slower) in [("vm", Accelerator::Tcg, 2.0), ("fast", Accelerator::Kvm, 1.0)] {
        let spec = crate::suite::EnvironmentSpec { id: id.into(), ..spec.clone() };
        run.record.plan.suite.environments.push(spec);
        run.record.environments.push(EnvironmentRecord { id: id.into(), accelerator, ..record.clone() });
        let of_docker = samples.iter().filter(|one| one.environment == "docker");
        run.samples.extend(of_docker.map(|one| {
            let outcome = Outcome::Value(one.value().unwrap() * slower);
            Sample { environment: id.into(), accelerator, outcome, ..one.clone() }
        }));
    }
    let of = |base: &str, new: &str| inside(&run, base, new, &Options::default());
    let change = |base: &str, new: &str| of(base, new).unwrap().rows[0].change.unwrap().value;
    assert!((change("docker", "vm") - 2.0).abs() < 1e-9 && (change("vm", "docker") - 0.5).abs() < 1e-9);
    assert!((change("native", "vm") - 3.0).abs() < 1e-9 && (change("fast", "docker") - 1.0).abs() < 1e-9);
    let one = of("docker", "vm").unwrap();
    assert_eq!((one.rows.len(), one.rows[0].accelerator), (1, Accelerator::Tcg));
    assert!(one.warnings[0].contains("vm ran by software emulation"), "{:?}", one.warnings);
    assert!(of("docker", "fast").unwrap().warnings.is_empty());
    let refused = of("fast", "vm").unwrap_err().to_string();
    assert!(refused.starts_with("fast and vm cannot be compared: one ran under kvm and"), "{refused}");
    let only = Only { metrics: vec!["disk.image".into()], ..Only::default() };
    let options = Options { only, ..Options::default() };
    let refused = inside(&run, "docker", "vm", &options).unwrap_err().to_string();
    assert!(refused.contains("no workload and metric of both docker and vm"), "{refused}");
}

#[test]
fn what_did_not_move_has_no_direction_and_what_is_below_the_resolution_no_verdict() {
    let with = |new: &dyn Fn(u32) -> f64, step: f64| {
        let mut run = run(40);
        for block in 2..42 {
            run.samples.push(sample(block, "native", READY, step));
            run.samples.push(sample(block, "docker", READY, new(block)));
        }
        inside(&run, "native", "docker", &Options::default()).unwrap().rows[0].clone()
    };
    // Thirty ties and ten blocks in which it is larger: the test refuses, and the estimate is nothing.
    let ties = with(&|block| if block % 4 == 0 { 103.0 } else { 100.0 }, 100.0);
    assert!(ties.p_adjusted.unwrap() < 0.01 && ties.change.unwrap().value == 1.0, "{ties:?}");
    assert!(!matches!(ties.verdict, Verdict::Better | Verdict::Worse), "{ties:?}");
    // Half a microsecond more in every block, of a clock of one.
    let below = with(&|_| 0.0025, 0.002);
    assert_eq!(below.verdict, Verdict::Undecided(Why::Inconclusive), "{below:?}");
    assert!(below.notes[0].contains("below what its source can show"));
}

#[test]
fn what_is_not_of_the_same_work_is_withheld() {
    let mut run = session(100.0, 1);
    for block in 2..14 {
        for environment in ["native", "docker"] {
            run.samples.push(sample(block, environment, "memory.total.peak", 1e8 + f64::from(block)));
        }
    }
    let peak = |run: &Run| {
        let of = inside(run, "native", "docker", &Options::default()).unwrap();
        row(&of, "docker", "memory.total.peak").clone()
    };
    assert_ne!(peak(&run).verdict, Verdict::Undecided(Why::Withheld));
    run.record.plan.suite.environments[1].workloads = Some(Vec::new());
    let peak = peak(&run);
    assert_eq!(peak.verdict, Verdict::Undecided(Why::Withheld));
    assert!(peak.notes[0].contains("do not run the same workloads"), "{:?}", peak.notes);
    let summary = crate::analysis::summarise(&run, &crate::analysis::Settings::of(&run));
    let of_docker = |metric: &str| {
        summary.rows.iter().find(|row| row.environment == "docker" && row.metric == metric).unwrap()
    };
    let found = of_docker("memory.total.peak");
    assert_eq!(found.ratio, crate::analysis::Ratio::Missing(crate::analysis::Missing::Unlike));
    assert!(found.notes.iter().any(|note| note.starts_with("no ratio: ")));
    assert!(of_docker(READY).ratio.stated().is_some());
}

#[test]
fn a_row_that_rests_on_few_of_many_sessions_says_so() {
    let mut base = sessions(5, 100.0, 0.004);
    for run in &mut base[..2] {
        run.samples.retain(|sample| sample.environment == "native" || sample.block < 6);
    }
    let comparison = compared(&base, &[session(108.0, 9)]);
    assert_eq!(comparison.advisory, None, "native has five");
    let docker = row(&comparison, "docker", READY);
    assert!(docker.advisory && docker.base.sessions == 3, "{docker:?}");
    assert!(docker.notes.iter().any(|note| note.starts_with("rests on 3 of 5 sessions")), "{docker:?}");
    assert!(!row(&comparison, "native", READY).advisory);
}

#[test]
fn across_hosts_it_is_always_advisory_facts_are_facts_and_another_agent_is_named() {
    let with = |bytes: f64, level: f64, seed| {
        let mut run = session(level, seed);
        for block in 2..14 {
            run.samples.push(sample(block, "docker", "disk.image", bytes));
        }
        run
    };
    let base: Vec<Run> = (0..5).map(|seed| with(1000.0, 100.0, seed)).collect();
    let options = Options { across: true, ..Options::default() };
    let comparison = runs(&refs(&base), &[&with(1001.0, 100.0, 9)], &options).unwrap();
    assert!(comparison.advisory.is_some(), "though nothing differs and there are five");
    let image = row(&comparison, "docker", "disk.image");
    assert_eq!((image.verdict, image.base.ratio), (Verdict::Worse, None));
    let ready = row(&comparison, "docker", READY);
    assert!((ready.base.ratio.unwrap() - 10.0).abs() < 0.01, "{ready:?}");
    let mut moved = with(1000.0, 300.0, 9);
    moved.record.agent_sha256 = "other".into();
    let comparison = runs(&refs(&base), &[&moved], &options).unwrap();
    let ready = row(&comparison, "docker", READY);
    assert_eq!(ready.verdict, Verdict::Worse);
    assert!(ready.notes.contains(&"changed with it: agent".to_owned()), "{:?}", ready.notes);
}

#[test]
fn alarms_are_counted_with_their_upper_bound() {
    let equal = compared(&[session(100.0, 1)], &[session(100.0, 2)]);
    let found = alarms(&[equal.clone(), equal]);
    assert_eq!((found.comparisons, found.alarms), (4, 0));
    // 0.05^(1/4)
    assert!((found.most - (1.0 - 0.05f64.powf(0.25))).abs() < 1e-6);
    assert_eq!(alarms(&[]).most, 1.0);
}
