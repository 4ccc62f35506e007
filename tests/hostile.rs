//! The real program with programs that misbehave in the agent's place: clear failures within their deadlines, the run goes
//! on to its end, exit code 4, and nothing is left.

#![allow(clippy::unwrap_used, missing_docs)]

use isocost::journal;
use isocost::journal::record::Ending;
use isocost::measure::sample::{FailureName, Outcome};

#[path = "support/hostile.rs"]
mod hostile;
#[path = "support/live.rs"]
mod live;
#[path = "support/skip.rs"]
mod skip;

use hostile::Misdeed;
use live::{Place, all_here, nothing_is_left};

const SUITE: &str = r#"
schema = 1
[limits]
cpus = 1
memory = "128MiB"
[blocks]
count = 1
warm_up = 0
cold = 1
[deadlines]
start = "3s"
work = "5s"
[[environment]]
id = "native"
kind = "native"
[[environment]]
id = "docker"
kind = "docker"
[[environment]]
id = "qemu"
kind = "qemu"
accelerator = "tcg"
[[workload]]
id = "syscall"
duration = "10ms"
"#;

#[test]
fn a_run_of_programs_that_misbehave_ends_by_itself_and_says_what_they_did() {
    if !all_here("a_run_of_programs_that_misbehave_ends_by_itself_and_says_what_they_did") {
        return;
    }
    let place = Place::new();
    for (misdeed, expected) in [
        (Misdeed::NeverReady, FailureName::NeverReady),
        (Misdeed::Flood, FailureName::Garbage),
        (Misdeed::Garbage, FailureName::Garbage),
        (Misdeed::ExitAtOnce, FailureName::ExitedEarly),
    ] {
        let agent = hostile::file(misdeed, place.path());
        let live = place.begin(SUITE, &["--agent", agent.to_str().unwrap()]);
        let (folder, engine) = (live.run.clone(), live.engine().to_owned());
        let (code, said) = live.end();
        assert_eq!(code, Some(4), "{misdeed:?}: {said}");
        let run = journal::read(&folder).unwrap();
        assert!(run.complete && run.record.ending == Ending::Complete, "{misdeed:?}: it did not go on");
        for environment in ["native", "docker", "qemu"] {
            let of_start =
                run.samples.iter().filter(|one| one.environment == environment && one.workload == "start");
            let failures: Vec<_> = of_start.map(|one| &one.outcome).collect();
            assert_eq!(failures.len(), 2, "{misdeed:?} {environment}: one for each block");
            for outcome in failures {
                let Outcome::Failed(failure) = outcome else { panic!("{misdeed:?}: a value") };
                // An emulated guest on a busy host may not be so far within the deadline.
                let late = environment == "qemu" && failure.name == FailureName::NeverReady;
                assert!(failure.name == expected || late, "{misdeed:?} {environment}: {failure:?}");
                assert!(!failure.detail.is_empty());
            }
        }
        assert!(run.samples.iter().all(|one| one.value().is_none() || one.metric == "disk.image"));
        let report = std::fs::read_to_string(folder.join("report.html")).unwrap();
        assert!(report.contains(&expected.to_string()), "{misdeed:?}: the report does not name it");
        assert!(said.contains(&expected.to_string()), "{said}");
        nothing_is_left(&run.record.run_id, &engine);
        assert_eq!(place.states(), 0);
    }
}
