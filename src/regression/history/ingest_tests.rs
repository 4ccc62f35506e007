#![allow(clippy::unwrap_used)]

use super::*;
use crate::analysis::example;
use crate::journal::record::Ending;
use crate::journal::{Record, Writer, write_run};
use crate::measure::sample::FailureName;
use crate::regression::history::{Added, History, Place};

fn folder(at: &Path, id: &str, values: &[f64]) -> PathBuf {
    ended(at, id, values, Ending::Complete)
}

fn ended(at: &Path, id: &str, values: &[f64], ending: Ending) -> PathBuf {
    let dir = at.join(id);
    let mut run = example::run(6);
    run.record.ending = ending;
    run.record.run_id = id.to_owned();
    run.record.host.cpu_model = Some("Xeon".into());
    run.record.environments[1].prepared.facts = [
        ("engine", "20.10"),
        ("kernel.line", "console=ttyS0"),
        ("image", "isocost:r1"),
        ("image.id", "sha256:1"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    let mut journal = Writer::create(&dir, id).unwrap();
    write_run(&dir, &run.record).unwrap();
    for (block, &value) in (2..).zip(values) {
        for (environment, value) in [("native", 10.0), ("docker", value)] {
            let sample = example::sample(block, environment, "startup.ready", value);
            journal.append(&[Record::Sample(sample)]).unwrap();
        }
    }
    let failed = example::failed(2, "docker", "end.total", FailureName::TimedOut);
    journal.append(&[Record::Sample(failed)]).unwrap();
    if ending != Ending::Unfinished {
        journal.append(&[Record::End]).unwrap();
    }
    dir
}

#[test]
fn a_folder_becomes_an_entry_with_its_host_its_ratio_and_its_failures() {
    let dir = tempfile::tempdir().unwrap();
    let folder = folder(dir.path(), "r1", &[20.0, 21.0, 22.0, 20.5, 21.5, 21.0]);
    let source = Source { commit: Some("abc".into()), ..Source::default() };
    let entry = entry_of(&folder, &source).unwrap();
    assert_eq!(
        (entry.run_id.as_str(), entry.origin.as_str(), entry.ending.as_deref()),
        ("r1", "isocost", Some("complete"))
    );
    assert_eq!(entry.source, source);
    assert_eq!(entry.host.unwrap().facts["cpu"], "Xeon");
    let find = |metric: &str| {
        entry.measured.iter().find(|one| one.key.environment == "docker" && one.key.metric == metric).unwrap()
    };
    let ready = find("startup.ready");
    assert_eq!((ready.value, ready.n, ready.failed), (Some(21.0), Some(6), 0));
    assert!((ready.ratio.unwrap() - 2.1).abs() < 0.05 && ready.interval.is_some());
    let facts = &ready.environment.as_ref().unwrap().facts;
    let expected = [("engine", "20.10"), (ASKED[0], "2"), (ASKED[1], "256MiB"), (SLOWED, "0 %")];
    assert!(facts.iter().map(|(name, value)| (name.as_str(), value.as_str())).eq(expected), "{facts:?}");
    let end = find("end.total");
    assert_eq!((end.value, end.n, end.failed), (None, Some(0), 1));
}

#[test]
fn the_same_folder_again_changes_nothing_and_the_longer_of_two_copies_stays() {
    let dir = tempfile::tempdir().unwrap();
    let place = Place::File(dir.path().join("history.db"));
    let mut history = History::open(&place).unwrap();
    let add = |history: &mut History, folder: &Path| {
        history.add(&entry_of(folder, &Source::default()).unwrap()).unwrap()
    };
    let first = folder(&dir.path().join("a"), "r1", &[20.0, 21.0]);
    assert_eq!(add(&mut history, &first), Added::New);
    assert_eq!(add(&mut history, &first), Added::Known);
    let longer = ended(&dir.path().join("b"), "r1", &[20.0, 21.0, 30.0, 31.0], Ending::Interrupted);
    assert_eq!(add(&mut history, &longer), Added::Replaced);
    let all = super::super::Selection::default();
    let before = history.points(&all).unwrap();
    assert_eq!(add(&mut history, &first), Added::Shorter);
    // As many samples, and the end that a resumed run came to; then the copy that was made before.
    let whole = ended(&dir.path().join("c"), "r1", &[20.0, 21.0, 30.0, 31.0], Ending::Complete);
    let cut = ended(&dir.path().join("d"), "r1", &[20.0, 21.0, 30.0, 31.0], Ending::Unfinished);
    assert_eq!(add(&mut history, &cut), Added::Shorter);
    let runs = history.runs(&all).unwrap();
    assert_eq!((runs.len(), runs[0].ending.as_deref()), (1, Some("interrupted")));
    assert_eq!(history.points(&all).unwrap(), before);
    assert_eq!(add(&mut history, &whole), Added::Replaced);
    assert_eq!(add(&mut history, &longer), Added::Shorter);
    assert_eq!(history.runs(&all).unwrap()[0].ending.as_deref(), Some("complete"));
}

#[test]
fn what_was_asked_for_is_among_the_facts() {
    let asked = |change: &dyn Fn(&mut Suite), environment: &str, workload: &str, metric: &str| {
        let mut run = example::run(6);
        for (block, value) in (2..).zip([1.0, 2.0]) {
            run.samples.push(crate::measure::sample::Sample {
                workload: workload.into(),
                ..example::sample(block, environment, metric, value)
            });
        }
        change(&mut run.record.plan.suite);
        let summary = summarise(&run, &Settings::of(&run));
        let entry = entry(&run, &summary, String::new(), &Source::default());
        let one = entry.measured.into_iter().find(|one| one.key.metric == metric).unwrap();
        one.environment.unwrap().facts
    };
    let rate = |change: &dyn Fn(&mut Suite)| asked(change, "docker", "integer", "cpu.integer.rate");
    let plain = rate(&|_| ());
    assert_eq!(plain["work"], "cpu-integer, 1s");
    let other = |change: &dyn Fn(&mut Suite)| {
        let facts = rate(change);
        let names = plain.keys().chain(facts.keys()).filter(|name| plain.get(*name) != facts.get(*name));
        names.cloned().collect::<std::collections::BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(", ")
    };
    assert_eq!(other(&|suite| suite.limits.cpus = 1), ASKED[0]);
    assert_eq!(other(&|suite| suite.limits.memory_bytes = 1), ASKED[1]);
    assert_eq!(other(&|suite| suite.workloads[0].duration *= 2), ASKED[2]);
    assert_eq!(other(&|suite| suite.workloads[0].bytes = 4096), ASKED[2]);
    assert_eq!(other(&|suite| suite.workloads[0].threads = Some(2)), ASKED[2]);
    assert_eq!(other(&|suite| suite.workloads[0].direct = true), ASKED[2]);
    assert_eq!(other(&|suite| suite.environments[1].slower_permille = 50), SLOWED);
    assert_eq!(other(&|suite| suite.environments[0].slower_permille = 50), "");
    assert_eq!(other(&|suite| suite.blocks.count = 50), "");
    // A start does not depend on the work that comes after it, and a peak on all of it.
    let longer = |suite: &mut Suite| suite.workloads[0].duration *= 2;
    let start = |change: &dyn Fn(&mut Suite)| asked(change, "docker", "start", "startup.ready");
    assert_eq!(start(&|_| ()), start(&longer));
    let peak = |change: &dyn Fn(&mut Suite)| asked(change, "docker", "idle", "memory.total.peak");
    assert_eq!(peak(&longer)["work"], "cpu-integer, 2s");
}

/// An older version's history has no facts of what was asked for: adding the folder again puts them there.
#[test]
fn what_an_older_version_did_not_take_down_is_added_with_the_folder() {
    let dir = tempfile::tempdir().unwrap();
    let mut history = History::open(&Place::File(dir.path().join("history.db"))).unwrap();
    let now = entry_of(&folder(dir.path(), "r1", &[20.0, 21.0]), &Source::default()).unwrap();
    let mut older = now.clone();
    older.digest.truncate(64);
    older.measured.iter_mut().for_each(|one| one.environment = None);
    assert_eq!(history.add(&older).unwrap(), Added::New);
    assert_eq!([history.add(&now).unwrap(), history.add(&now).unwrap()], [Added::Known, Added::Known]);
    let points = history.points(&super::super::Selection::default()).unwrap();
    assert!(points.iter().all(|point| point.environment.is_some()), "{points:?}");
}

#[test]
fn a_longer_copy_leaves_the_commit_that_was_said() {
    let dir = tempfile::tempdir().unwrap();
    let mut history = History::open(&Place::File(dir.path().join("history.db"))).unwrap();
    let first = folder(&dir.path().join("a"), "r1", &[20.0, 21.0]);
    let longer = folder(&dir.path().join("b"), "r1", &[20.0, 21.0, 30.0]);
    let said = Source { commit: Some("abc".into()), ..Source::default() };
    history.add(&entry_of(&first, &said).unwrap()).unwrap();
    assert_eq!(history.add(&entry_of(&longer, &Source::default()).unwrap()).unwrap(), Added::Replaced);
    let runs = history.runs(&super::super::Selection::default()).unwrap();
    assert_eq!(runs[0].source.commit.as_deref(), Some("abc"));
}

#[test]
fn a_run_says_which_code_it_was_and_the_command_line_knows_better() {
    let dir = tempfile::tempdir().unwrap();
    let folder = folder(dir.path(), "r1", &[20.0, 21.0]);
    let path = folder.join("run.json");
    let mut record: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    record["code"] = serde_json::json!({"commit": "abc", "branch": "main"});
    std::fs::write(&path, record.to_string()).unwrap();
    let of = |said: &Source| entry_of(&folder, said).unwrap();
    let own = of(&Source::default());
    assert_eq!((own.source.commit.as_deref(), own.source.branch.as_deref()), (Some("abc"), Some("main")));
    let said = Source { commit: Some("def".into()), ..Source::default() };
    assert_eq!(of(&said).source.commit.as_deref(), Some("def"));

    let mut history = History::open(&Place::File(dir.path().join("history.db"))).unwrap();
    assert_eq!(history.add(&own).unwrap(), Added::New);
    assert_eq!(history.add(&of(&said)).unwrap(), Added::Known);
    history.name("r1", &Source::default()).unwrap();
    let commit =
        |history: &mut History| history.runs(&super::super::Selection::default()).unwrap().remove(0).source;
    assert_eq!(commit(&mut history).commit.as_deref(), Some("abc"), "what is not said is left");
    history.name("r1", &said).unwrap();
    let named = commit(&mut history);
    assert_eq!((named.commit.as_deref(), named.branch.as_deref()), (Some("def"), Some("main")));
}

#[test]
fn a_kept_run_comes_back_whole() {
    let dir = tempfile::tempdir().unwrap();
    let folder = folder(dir.path(), "r1", &[20.0, 21.0]);
    let mut history = History::open(&Place::File(dir.path().join("history.db"))).unwrap();
    let packed = super::super::pack(&folder).unwrap();
    assert!(history.keep("r1", &packed).is_err(), "only of a run that is there");
    history.add(&entry_of(&folder, &Source::default()).unwrap()).unwrap();
    assert_eq!(history.kept("r1").unwrap(), None);
    history.keep("r1", &packed).unwrap();
    history.keep("r1", &packed).unwrap();
    let kept = history.kept("r1").unwrap().unwrap();
    assert_eq!(super::super::unpack(&kept).unwrap(), read(&folder).unwrap());
    assert!(super::super::unpack(b"no archive").is_err());
    assert!(super::super::unpack(&kept[..kept.len() / 2]).is_err());
}

#[test]
fn a_folder_without_a_run_is_none() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(entry_of(dir.path(), &Source::default()), Err(IngestError::Journal(_))));
}
