//! `isocost doctor`: what this host can run, and what mends what it cannot.

use std::path::Path;

use serde::Serialize;

use super::args::DoctorArguments;
use super::console::Console;
use super::exit::Exit;
use super::refusal::Refusal;
use super::{noise, words};
use crate::environment::agent::StopSignal;
use crate::environment::check::{self, Area, Finding, State};
use crate::environment::qemu::{QemuEnvironment, race};
use crate::environment::{Environment as _, EnvironmentError, Kind, RunContext};
use crate::measure::host::{self, CpuPlacement};
use crate::measure::sample::FailureName;
use crate::run::{signal, state::Registered};
use crate::suite::{self, AcceleratorChoice, EnvironmentSpec, KindSpec, QemuSpec, Suite};

/// The suite whose needs are looked at.
const SUITE: &str = "quick";

#[derive(Serialize)]
struct Document<'a> {
    suite: &'a str,
    can_run: bool,
    environments: Vec<EnvironmentLine<'a>>,
    /// Only where a race was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    race: Option<String>,
    findings: &'a [Finding],
}

#[derive(Serialize)]
struct Tuning<'a> {
    /// A line each: commands, and remarks behind `#`.
    tune: &'a [String],
}

#[derive(Serialize)]
struct EnvironmentLine<'a> {
    id: &'a str,
    kind: Kind,
    can_run: bool,
}

/// Looks, and says what it saw.
///
/// # Errors
/// A race that could not be run, or standard output that cannot be written.
pub(super) fn doctor(arguments: &DoctorArguments, console: Console, cache: &Path) -> Result<Exit, Refusal> {
    if arguments.tune {
        return tune(console, cache);
    }
    if let Some(duration) = arguments.noise {
        return noise::noise(duration, console, cache);
    }
    let suite = suite::load(SUITE)?;
    let race = if arguments.race { Some(race_now(&suite, console, cache)?) } else { None };
    let findings = check::look(&suite, cache);
    let environments = environments(&suite, &findings);
    let can_run = environments.iter().all(|one| one.can_run);
    if console.json {
        console.document(
            "doctor",
            Document { suite: SUITE, can_run, environments, race, findings: &findings },
        )?;
    } else if !console.quiet {
        let text = race.map(|text| format!("race\n  {text}\n")).unwrap_or_default();
        let (findings, verdict) = (text_of(&findings, console.colour()), verdict(&environments));
        console.result(&format!("{text}{findings}{verdict}"))?;
    }
    Ok(if can_run { Exit::Done } else { Exit::Unavailable })
}

/// What would make the host quieter. Nothing is done.
fn tune(console: Console, cache: &Path) -> Result<Exit, Refusal> {
    let lines = host::tune::lines(&host::watch(cache));
    if console.json {
        console.document("doctor", Tuning { tune: &lines })?;
    } else {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        console.result(&text)?;
    }
    Ok(Exit::Done)
}

fn environments<'a>(suite: &'a Suite, findings: &[Finding]) -> Vec<EnvironmentLine<'a>> {
    let line = |spec: &'a EnvironmentSpec| {
        let kind = kind(&spec.kind);
        EnvironmentLine { id: &spec.id, kind, can_run: check::can_run(kind, findings) }
    };
    suite.environments.iter().map(line).collect()
}

fn kind(spec: &KindSpec) -> Kind {
    match spec {
        KindSpec::Native(_) => Kind::Native,
        KindSpec::Docker(_) => Kind::Docker,
        KindSpec::Qemu(_) => Kind::Qemu,
    }
}

fn text_of(findings: &[Finding], colour: bool) -> String {
    let areas =
        [(Area::Host, "host"), (Area::Native, "native"), (Area::Docker, "docker"), (Area::Qemu, "qemu")];
    let section = |(area, title): (Area, &str)| {
        let lines: String =
            findings.iter().filter(|one| one.area == area).map(|one| line(one, colour)).collect();
        format!("{title}\n{lines}")
    };
    areas.into_iter().map(section).collect()
}

fn line(finding: &Finding, colour: bool) -> String {
    let (word, code) = match finding.state {
        State::Fine => ("ok", "32"),
        State::Limited => ("limited", "33"),
        State::Missing => ("MISSING", "31"),
    };
    let word = format!("{word:<8}");
    let word = if colour { format!("\u{1b}[{code}m{word}\u{1b}[0m") } else { word };
    let detail = super::console::printable(&finding.detail.replace('\n', "; "));
    let mend = finding.mend.as_ref().map(|line| format!("{:11}{:<14} mend it: {line}\n", "", ""));
    format!("  {word} {:<14} {detail}\n{}", finding.subject, mend.unwrap_or_default())
}

fn verdict(environments: &[EnvironmentLine<'_>]) -> String {
    let ids = |can_run: bool| {
        let those = environments.iter().filter(|one| one.can_run == can_run);
        those.map(|one| one.id).collect::<Vec<_>>().join(", ")
    };
    match (ids(true), ids(false)) {
        (_, cannot) if cannot.is_empty() => format!("\n`isocost run {SUITE}` can run here.\n"),
        (can, cannot) if can.is_empty() => format!("\n`isocost run {SUITE}` cannot run here ({cannot}).\n"),
        (can, cannot) => {
            let only = can.replace(", ", ",");
            format!(
                "\n`isocost run {SUITE}` cannot run here: {cannot} cannot. Without: isocost run {SUITE} --env {only}\n"
            )
        }
    }
}

/// Drops what is remembered and has the kernel race to user space; an answer that lasts is remembered for the next run.
fn race_now(suite: &Suite, console: Console, cache: &Path) -> Result<String, Refusal> {
    let (id, spec) = virtual_machine(suite)?;
    let stop =
        StopSignal::new().map_err(|error| Refusal::usage(format!("cannot make an eventfd: {error}")))?;
    let watching = signal::watch(stop.clone(), super::console::say)
        .map_err(|error| Refusal::usage(format!("cannot watch for signals: {error}")))?;
    let registered = Registered::new(cache, None)?;
    let context = RunContext {
        run_id: registered.run_id.clone(),
        agent: crate::agent::shared(),
        agent_sha256: crate::agent::sha256().to_owned(),
        scratch: registered.scratch.clone(),
        qemu: None,
        cache: cache.to_owned(),
        limits: suite.limits,
        cpus: CpuPlacement::here(suite.limits.cpus),
        start_deadline: suite.deadlines.start,
        stop_deadline: suite.deadlines.stop,
        stop,
    };
    let most = words::duration(race::DEADLINE);
    console.note(&format!("the kernel races to user space under KVM and under emulation, {most} at most"));
    race::forget_all(cache).map_err(|error| Refusal::usage(error.to_string()))?;
    let mut environment = QemuEnvironment::new(id, &spec, context);
    let raced = environment.prepare().map(|_| environment.decision().map(race::Decision::explain));
    let disposed = environment.dispose();
    let explained =
        raced.and_then(|text| disposed.map(|()| text)).map_err(|error| refusal(&error, watching.seen()))?;
    Ok(explained.unwrap_or_else(|| "there was nothing to decide".to_owned()))
}

fn virtual_machine(suite: &Suite) -> Result<(&str, QemuSpec), Refusal> {
    let found = suite.environments.iter().find_map(|one| match &one.kind {
        KindSpec::Qemu(spec) => {
            Some((one.id.as_str(), QemuSpec { accelerator: AcceleratorChoice::Auto, ..spec.clone() }))
        }
        _ => None,
    });
    found.ok_or_else(|| Refusal::usage(format!("the suite {} has no virtual machine", suite.name)))
}

fn refusal(error: &EnvironmentError, signal: Option<i32>) -> Refusal {
    let exit = match (error.failure.name, signal) {
        (FailureName::Interrupted, Some(number)) => Exit::Signal(number),
        _ => Exit::Unavailable,
    };
    Refusal { exit, text: format!("the race could not be run: {}", error.failure.detail) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(area: Area, state: State, mend: Option<&str>) -> Finding {
        let detail = "what\nwas \u{1b}[2Jfound".to_owned();
        Finding { area, subject: "engine", state, detail, mend: mend.map(str::to_owned) }
    }

    #[test]
    fn a_finding_has_a_line_and_what_mends_it_the_next() {
        let findings =
            [finding(Area::Host, State::Fine, None), finding(Area::Docker, State::Missing, Some("do it"))];
        insta::assert_snapshot!(text_of(&findings, false), @r"
        host
          ok       engine         what; was �[2Jfound
        native
        docker
          MISSING  engine         what; was �[2Jfound
                                  mend it: do it
        qemu
        ");
        assert!(text_of(&findings, true).contains("\u{1b}[31mMISSING "));
    }

    #[test]
    fn the_verdict_says_what_can_be_done_all_the_same() {
        let line = |id, can_run| EnvironmentLine { id, kind: Kind::Native, can_run };
        assert_eq!(verdict(&[line("a", true)]), "\n`isocost run quick` can run here.\n");
        assert_eq!(verdict(&[line("a", false)]), "\n`isocost run quick` cannot run here (a).\n");
        let some = verdict(&[line("a", true), line("b", true), line("c", false)]);
        assert_eq!(
            some,
            "\n`isocost run quick` cannot run here: c cannot. Without: isocost run quick --env a,b\n"
        );
    }
}
