#![allow(clippy::unwrap_used)]

use super::*;
use crate::analysis::{Estimate, Interval, Missing, Ratio, Summary};
use crate::environment::Kind;
use crate::journal::Run;
use crate::measure::sample::Accelerator;
use crate::measure::sample::{Failure, FailureName, Outcome};
use crate::report::fixture;

/// With `ISOCOST_PLOTS` set to a folder, the pictures of these tests are put there to be looked at.
fn keep(name: &str, plots: &[Plot]) {
    let Some(folder) = std::env::var_os("ISOCOST_PLOTS").map(std::path::PathBuf::from) else { return };
    std::fs::create_dir_all(&folder).unwrap();
    for plot in plots {
        if let Ok(svg) = &plot.drawn {
            std::fs::write(folder.join(format!("{name}-{}.svg", plot.name)), svg).unwrap();
            let png = plot.png().unwrap().unwrap();
            std::fs::write(folder.join(format!("{name}-{}.png", plot.name)), png).unwrap();
        }
    }
}

/// Draws everything and asks of each picture what no reader should meet. Returns which were drawn.
fn sound(name: &str, run: &Run, summary: &Summary) -> Vec<&'static str> {
    let view = View::new(run, summary);
    keep(name, &all(&view));
    let mut drawn = Vec::new();
    for (plot, _, make) in PLOTS {
        let Ok((scene, caption)) = make(&view) else { continue };
        let scene = frame::finish(scene);
        assert_eq!(scene::flaws(&scene), Vec::<String>::new(), "{name}, {plot}");
        assert!(scene.height < 20_000.0 && !caption.is_empty());
        let svg = svg::render(&scene, "t", "d");
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{name}, {plot}");
        assert!(png::parse(&svg).is_ok(), "{name}, {plot}");
        drawn.push(plot);
    }
    drawn
}

const ALL: [&str; 6] = [
    "startup-phases",
    "startup-distribution",
    "memory-over-time",
    "cpu-overhead",
    "disk-overhead",
    "disk-latency",
];

fn quick(blocks: u32) -> (Run, Summary) {
    let run = fixture::quick(blocks, Accelerator::Tcg);
    let summary = fixture::summarise(&run);
    (run, summary)
}

/// The same with every sample's value changed.
fn with_values(change: impl Fn(usize, f64) -> f64) -> (Run, Summary) {
    let mut run = fixture::quick(6, Accelerator::Tcg);
    for (i, sample) in run.samples.iter_mut().enumerate() {
        if let Outcome::Value(value) = &mut sample.outcome {
            *value = change(i, *value);
        }
    }
    for timeline in &mut run.timelines {
        for point in &mut timeline.points {
            point.resident_bytes = change(0, point.resident_bytes as f64) as u64;
            point.pss_bytes = point.pss_bytes.map(|bytes| change(1, bytes as f64) as u64);
        }
    }
    let summary = fixture::summarise(&run);
    (run, summary)
}

#[test]
fn a_quick_run_has_all_pictures() {
    let (run, summary) = quick(6);
    assert_eq!(sound("quick", &run, &summary), ALL);
    assert!(all(&View::new(&run, &summary))[3].png().unwrap().is_ok());
}

#[test]
fn thirty_blocks_under_kvm() {
    let run = fixture::quick(30, Accelerator::Kvm);
    let summary = fixture::summarise(&run);
    assert_eq!(sound("kvm", &run, &summary), ALL);
    let svg = all(&View::new(&run, &summary))[0].drawn.clone().unwrap();
    assert!(svg.contains("VM, KVM") && !svg.contains("TCG"));
}

#[test]
fn emulation_is_said_in_every_picture() {
    let (run, summary) = quick(6);
    for plot in all(&View::new(&run, &summary)) {
        let svg = plot.drawn.unwrap();
        assert!(svg.contains("(TCG): its figures say nothing of KVM"), "{}", plot.name);
    }
}

#[test]
fn one_block_has_points_without_intervals() {
    let (run, summary) = quick(1);
    assert_eq!(sound("single", &run, &summary), ALL);
}

#[test]
fn constant_zero_and_huge_values_are_drawn() {
    let (run, summary) = with_values(|_, _| 5.0);
    assert_eq!(sound("constant", &run, &summary), ALL);
    let (run, summary) = with_values(|_, _| 0.0);
    sound("zero", &run, &summary);
    let (run, summary) = with_values(|i, v| if i % 3 == 0 { v * 1e12 } else { v / 1e6 });
    assert_eq!(sound("huge", &run, &summary), ALL);
    let (run, summary) = with_values(|i, _| if i % 2 == 0 { f64::MAX } else { f64::MIN_POSITIVE });
    sound("extreme", &run, &summary);
}

#[test]
fn an_empty_run_has_reasons_in_place_of_pictures() {
    let (mut run, _) = quick(1);
    run.samples.clear();
    run.starts.clear();
    run.timelines.clear();
    let summary = fixture::summarise(&run);
    assert_eq!(sound("empty", &run, &summary), [""; 0]);
    for plot in all(&View::new(&run, &summary)) {
        assert!(plot.drawn.is_err_and(|why| !why.is_empty()), "{}", plot.name);
    }
}

#[test]
fn a_run_in_which_everything_failed() {
    let (mut run, _) = quick(6);
    for sample in &mut run.samples {
        let detail = "<script>alert(1)</script>".to_owned();
        sample.outcome = Outcome::Failed(Failure { name: FailureName::NeverReady, detail });
        sample.latencies_ns.clear();
    }
    run.timelines.clear();
    let summary = fixture::summarise(&run);
    let drawn = sound("failed", &run, &summary);
    assert!(!drawn.contains(&"startup-phases"), "{drawn:?}");
}

#[test]
fn an_environment_without_a_start_keeps_its_row_among_the_phases() {
    let (mut run, _) = quick(6);
    let failure = Failure { name: FailureName::NeverReady, detail: "no Hello within 30 s".into() };
    for sample in run.samples.iter_mut().filter(|sample| sample.environment == "docker") {
        sample.outcome = Outcome::Failed(failure.clone());
    }
    let summary = fixture::summarise(&run);
    assert_eq!(sound("one-failed", &run, &summary)[0], "startup-phases");
    let plots = all(&View::new(&run, &summary));
    let svg = plots[0].drawn.as_ref().unwrap();
    assert!(svg.contains("never-ready ×6") && svg.matches("none succeeded").count() == 2);
}

#[test]
fn ratios_that_are_withheld_are_named() {
    let (run, mut summary) = quick(6);
    for row in summary.rows.iter_mut().filter(|row| row.kind == Kind::Qemu) {
        row.ratio = Ratio::Missing(Missing::Withheld);
    }
    sound("withheld", &run, &summary);
    let plots = all(&View::new(&run, &summary));
    assert!(plots[3].drawn.as_ref().unwrap().contains("withheld"));
}

#[test]
fn twelve_environments_with_long_hostile_names() {
    let (mut run, _) = quick(6);
    let name = |i: usize| {
        format!(
            "{}-{i}-<b>&\u{202e}\u{1b}[31m \"an environment's extraordinarily long name\" {}",
            "ü",
            "x".repeat(300)
        )
    };
    let (environments, samples) = (run.record.environments.clone(), run.samples.clone());
    let timelines = run.timelines.clone();
    let specs = std::mem::take(&mut run.record.plan.suite.environments);
    run.record.environments.clear();
    (run.samples, run.timelines) = (Vec::new(), Vec::new());
    for i in 0..12 {
        let from = if i == 0 { 0 } else { 1 + i % 3 };
        let source = &environments[from];
        let id = name(i);
        let rename = |old: &str| old == source.id;
        let spec = crate::suite::EnvironmentSpec { id: id.clone(), ..specs[from].clone() };
        run.record.plan.suite.environments.push(spec);
        run.samples.extend(samples.iter().filter(|s| rename(&s.environment)).cloned().map(|mut s| {
            s.environment = id.as_str().into();
            s
        }));
        run.timelines.extend(timelines.iter().filter(|t| rename(&t.environment)).cloned().map(|mut t| {
            t.environment = id.clone();
            t
        }));
        run.record
            .environments
            .push(crate::journal::record::EnvironmentRecord { id: id.clone(), ..source.clone() });
    }
    let summary = fixture::summarise(&run);
    assert_eq!(sound("twelve", &run, &summary), ALL);
    for plot in all(&View::new(&run, &summary)) {
        let svg = plot.drawn.unwrap();
        assert!(!svg.contains("<b>") && !svg.contains('\u{1b}') && !svg.contains('\u{202e}'));
    }
}

#[test]
fn a_thousand_starts_are_thinned() {
    let (mut run, summary) = quick(6);
    let starts: Vec<_> =
        run.samples.iter().filter(|sample| sample.metric == "startup.ready").cloned().collect();
    for _ in 0..180 {
        run.samples.extend(starts.iter().cloned());
    }
    for timeline in &mut run.timelines {
        let points = timeline.points.clone();
        timeline.points = (0..100).flat_map(|_| points.iter().copied()).collect();
    }
    assert_eq!(sound("thousand", &run, &summary), ALL);
    let plots = all(&View::new(&run, &summary));
    assert!(plots[1].caption.contains("400 are drawn"));
    for plot in plots {
        assert!(plot.drawn.unwrap().len() < 700_000, "{}", plot.name);
    }
}

#[test]
fn an_interval_far_wider_than_the_rest_stays_inside() {
    let (run, mut summary) = quick(6);
    for row in &mut summary.rows {
        row.median =
            row.median.map(|m| Estimate { interval: Some(Interval { low: 0.0, high: m.value * 1e9 }), ..m });
    }
    sound("wide", &run, &summary);
}
