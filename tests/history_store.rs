//! The history in both databases: the same tests on an SQLite file and on a PostgreSQL server.

#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::process::{Command, Stdio};

use isocost::measure::metric::Direction;
use isocost::regression::formats::{Source, otava};
use isocost::regression::history::{
    Added, Description, Entry, History, HistoryError, Measured, Place, Selection, SeriesKey, VERSION,
};
use jiff::{SignedDuration, Timestamp};

#[path = "support/postgres.rs"]
mod server;
#[path = "support/skip.rs"]
mod skip;

/// Writers at once, and runs that each adds.
const WRITERS: usize = 8;
const RUNS: usize = 1000;

fn description(name: &str, value: &str) -> Description {
    Description::of([(name.to_owned(), value.to_owned())].into())
}

/// A run of three figures; the seconds since 1970 are its time.
fn entry(id: &str, second: i64) -> Entry {
    let measured = |environment: &str, metric: &str, value: f64| Measured {
        key: SeriesKey {
            environment: environment.into(),
            accelerator: "none".into(),
            workload: "start".into(),
            metric: metric.into(),
            unit: "ms".into(),
        },
        direction: Some(Direction::Smaller),
        value: Some(value),
        interval: Some((value - 1.0, value + 1.0)),
        n: Some(30),
        failed: 1,
        ratio: Some(2.0),
        ratio_interval: None,
        environment: Some(description("engine", environment)),
    };
    let failed = Measured {
        value: None,
        interval: None,
        n: Some(0),
        failed: 30,
        ..measured("docker", "end.total", 0.0)
    };
    Entry {
        run_id: id.into(),
        digest: "d1".into(),
        origin: "isocost".into(),
        started_at: Timestamp::from_second(second).unwrap(),
        ending: Some("complete".into()),
        suite: Some("quick".into()),
        version: Some("0.1.0".into()),
        program: Some("ab".into()),
        source: Source {
            commit: Some(format!("c{second}")),
            branch: Some("main".into()),
            ..Source::default()
        },
        host: Some(description("cpu", "Xeon")),
        measured: vec![
            measured("native", "startup.ready", 1.5),
            measured("docker", "startup.ready", 139.0),
            failed,
        ],
    }
}

/// Runs, series and figures come back as they went in.
fn round_trip(place: &Place) {
    let mut history = History::open(place).unwrap();
    assert_eq!(history.add(&entry("r2", 20)).unwrap(), Added::New);
    assert_eq!(history.add(&entry("r1", 10)).unwrap(), Added::New);
    assert_eq!(history.add(&entry("r1", 10)).unwrap(), Added::Known);
    drop(history);
    let mut history = History::open_existing(place).unwrap();
    let runs = history.runs(&Selection::default()).unwrap();
    assert_eq!(runs.iter().map(|run| run.run_id.as_str()).collect::<Vec<_>>(), ["r1", "r2"]);
    assert_eq!(runs[0].started_at, Timestamp::from_second(10).unwrap());
    assert_eq!(runs[0].source.commit.as_deref(), Some("c10"));
    let series = history.series().unwrap();
    let names: Vec<_> = series.iter().map(|one| one.key.to_string()).collect();
    assert_eq!(
        names,
        ["end.total of docker/start", "startup.ready of docker/start", "startup.ready of native/start"]
    );
    let points = history.points(&Selection::default()).unwrap();
    assert_eq!(points.len(), 6);
    let find = |index: usize| points.iter().find(|point| point.series == series[index].id).unwrap();
    assert_eq!((find(0).value, find(0).n, find(0).failed), (None, Some(0), 30));
    let ready = find(1);
    assert_eq!((ready.value, ready.interval, ready.ratio), (Some(139.0), Some((138.0, 140.0)), Some(2.0)));
    assert_eq!(ready.ratio_interval, None);
    let descriptions = history.descriptions().unwrap();
    assert_eq!(descriptions[runs[0].host.as_ref().unwrap()].facts["cpu"], "Xeon");
    assert_eq!(descriptions[ready.environment.as_ref().unwrap()].facts["engine"], "docker");
}

/// A run that has gone on since replaces its figures and stays in its baselines; an earlier copy of it changes nothing.
fn replaced(place: &Place) {
    let mut history = History::open(place).unwrap();
    let mut shorter = entry("r1", 10);
    shorter.digest = "d0".into();
    shorter.ending = Some("unfinished".into());
    shorter.measured[0].n = Some(10);
    history.add(&shorter).unwrap();
    history.save_baseline("main", &["r1".to_owned()], None, Timestamp::UNIX_EPOCH, false).unwrap();
    let mut longer = entry("r1", 10);
    longer.digest = "d2".into();
    longer.measured.truncate(1);
    longer.measured[0].n = Some(100);
    assert_eq!(history.add(&longer).unwrap(), Added::Replaced);
    let points = history.points(&Selection::default()).unwrap();
    assert_eq!((points.len(), points[0].n), (1, Some(100)));
    assert_eq!(history.add(&shorter).unwrap(), Added::Shorter);
    assert_eq!(history.points(&Selection::default()).unwrap(), points);
    assert_eq!(history.runs(&Selection::default()).unwrap()[0].ending.as_deref(), Some("complete"));
    assert_eq!(history.baseline("main").unwrap().runs, ["r1"]);
    let mut changed = longer.clone();
    changed.digest = "d3".into();
    changed.measured[0].value = Some(99.0);
    assert_eq!(history.add(&changed).unwrap(), Added::Other);
    let refused = history.save_sessions("x", &[(changed, Vec::new())], None, Timestamp::UNIX_EPOCH, false);
    assert!(matches!(refused, Err(HistoryError::Other { run, .. }) if run == "r1"));
    assert_eq!(history.points(&Selection::default()).unwrap(), points);
}

/// Only what was asked for.
fn selections(place: &Place) {
    let mut history = History::open(place).unwrap();
    for second in 1..=5 {
        let mut one = entry(&format!("r{second}"), second);
        one.source.branch = Some(if second % 2 == 0 { "topic" } else { "main" }.into());
        one.host = Some(description("cpu", if second < 3 { "old" } else { "new" }));
        history.add(&one).unwrap();
    }
    let mut ids = |selection: &Selection| -> Vec<String> {
        let runs = history.runs(selection).unwrap();
        assert_eq!(history.points(selection).unwrap().len(), 3 * runs.len());
        runs.into_iter().map(|run| run.run_id).collect()
    };
    let all = Selection::default();
    assert_eq!(ids(&Selection { branch: Some("topic".into()), ..all.clone() }), ["r2", "r4"]);
    assert_eq!(ids(&Selection { newest: Some(2), ..all.clone() }), ["r4", "r5"]);
    let since = Some(Timestamp::from_second(3).unwrap());
    assert_eq!(ids(&Selection { branch: Some("main".into()), since, ..all.clone() }), ["r3", "r5"]);
    let machine = Some("ol".to_owned());
    assert_eq!(ids(&Selection { machine, newest: Some(1), ..all.clone() }), ["r2"]);
    let unknown = history.runs(&Selection { machine: Some("x".into()), ..all }).unwrap_err().to_string();
    assert!(unknown.ends_with("no run is of a machine `x`; those there are: new; old"), "{unknown}");
}

/// A name for runs: saved once, replaced only when asked, listed, removed.
fn baselines(place: &Place) {
    let mut history = History::open(place).unwrap();
    for second in 1..=3 {
        history.add(&entry(&format!("r{second}"), second)).unwrap();
    }
    let runs = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
    let now = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(1);
    history.save_baseline("main", &runs(&["r2", "r1"]), Some("first"), now, false).unwrap();
    let taken = history.save_baseline("main", &runs(&["r3"]), None, now, false);
    assert!(matches!(taken, Err(HistoryError::BaselineTaken { .. })));
    let new = [(entry("r4", 4), b"\0files".to_vec())];
    let taken = history.save_sessions("main", &new, None, now, false);
    assert!(matches!(taken, Err(HistoryError::BaselineTaken { .. })));
    let mut shorter = entry("r3", 3);
    shorter.digest = "d0".into();
    shorter.measured.truncate(1);
    let earlier = [new[0].clone(), (shorter, b"\0fewer".to_vec())];
    let earlier = history.save_sessions("new", &earlier, None, now, false);
    assert!(matches!(earlier, Err(HistoryError::Earlier { run, .. }) if run == "r3"));
    assert_eq!(history.runs(&Selection::default()).unwrap().len(), 3, "what is refused adds nothing");
    let missing = history.save_baseline("main", &runs(&["r3", "r9"]), None, now, true);
    assert!(matches!(missing, Err(HistoryError::NoRun { run, .. }) if run == "r9"));
    let main = history.baseline("main").unwrap();
    assert_eq!((main.runs, main.note.as_deref(), main.created_at), (runs(&["r1", "r2"]), Some("first"), now));
    history.save_baseline("main", &runs(&["r3"]), None, now, true).unwrap();
    history.save_baseline("release", &runs(&["r1"]), None, now, false).unwrap();
    let names: Vec<_> = history.baselines().unwrap().into_iter().map(|one| (one.name, one.runs)).collect();
    assert_eq!(names, [("main".to_owned(), runs(&["r3"])), ("release".to_owned(), runs(&["r1"]))]);
    let unknown = history.baseline("mian").unwrap_err().to_string();
    assert_eq!(unknown, "there is no baseline `mian`, did you mean `main`?; those there are: main, release");
    history.keep("r3", b"\0packed").unwrap();
    assert_eq!(history.kept("r3").unwrap().unwrap(), b"\0packed");
    assert_eq!(history.kept("r1").unwrap(), None);
    history.remove_baseline("main").unwrap();
    assert!(matches!(history.remove_baseline("main"), Err(HistoryError::NoBaseline { .. })));
    history.save_sessions("new", &new, None, now, false).unwrap();
    assert_eq!(history.baseline("new").unwrap().runs, ["r4"]);
    assert_eq!(history.kept("r4").unwrap().unwrap(), b"\0files");
    assert_eq!(history.runs(&Selection::default()).unwrap().len(), 4);
    for bad in ["", "a b", "a/b", "\n"] {
        assert!(matches!(
            history.save_baseline(bad, &runs(&["r1"]), None, now, false),
            Err(HistoryError::BadBaseline { .. })
        ));
    }
    assert!(history.save_baseline("none", &[], None, now, false).is_err());
}

/// Results of others that only their figures tell apart: all are kept, and never twice.
fn alike(place: &Place) {
    let mut history = History::open(place).unwrap();
    let mut add = |text: &str| history.add_file(&otava::read(text).unwrap(), "otava").unwrap();
    let two = "time,commit,size\n2024-03-01,a,7\n2024-03-01,a,8.25\n2024-03-01,a,7\n";
    assert_eq!(add(two), [Added::New; 3]);
    assert_eq!(add(two), [Added::Known; 3]);
    let grown = "time,commit,size,ready\n2024-03-01,a,8.25,0.1\n2024-03-01,a,9,\n";
    assert_eq!(add(grown), [Added::Replaced, Added::New]);
    assert_eq!(add(grown), [Added::Known; 2]);
    assert_eq!(add(two), [Added::Known, Added::Shorter, Added::Known]);
    assert_eq!(history.runs(&Selection::default()).unwrap().len(), 4);
    assert_eq!(history.points(&Selection::default()).unwrap().len(), 5);
}

/// Eight processes, a thousand runs each, at once: all of them are there, and nobody was shown an error.
fn at_once(setting: &str) {
    let began = std::time::Instant::now();
    let start = |writer: usize| {
        Command::new(std::env::current_exe().unwrap())
            .args(["one_of_many_writers", "--exact", "--nocapture"])
            .env("ISOCOST_TEST_HISTORY", setting)
            .env("ISOCOST_TEST_WRITER", writer.to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let writers: Vec<_> = (0..WRITERS).map(start).collect();
    for writer in writers {
        let ended = writer.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert!(ended.status.success() && said.is_empty(), "{said}");
    }
    let mut history = History::open_existing(&Place::try_from(setting).unwrap()).unwrap();
    assert_eq!(history.runs(&Selection::default()).unwrap().len(), WRITERS * RUNS);
    assert_eq!(history.points(&Selection::default()).unwrap().len(), 3 * WRITERS * RUNS);
    assert_eq!(history.series().unwrap().len(), 3);
    eprintln!("{} runs of {WRITERS} processes at once: {:?}", WRITERS * RUNS, began.elapsed());
}

/// Does nothing by itself: [`at_once`] runs it in processes of their own.
#[test]
fn one_of_many_writers() {
    let (Ok(setting), Ok(writer)) =
        (std::env::var("ISOCOST_TEST_HISTORY"), std::env::var("ISOCOST_TEST_WRITER"))
    else {
        return;
    };
    let mut history = History::open(&Place::try_from(setting.as_str()).unwrap()).unwrap();
    for run in 0..RUNS {
        assert_eq!(history.add(&entry(&format!("w{writer}-{run}"), run as i64)).unwrap(), Added::New);
    }
}

mod sqlite {
    use super::*;

    fn with_file(test: fn(&Place)) {
        let dir = tempfile::tempdir().unwrap();
        test(&Place::File(dir.path().join("history.db")));
    }

    #[test]
    fn what_goes_in_comes_out() {
        with_file(round_trip);
    }

    #[test]
    fn a_run_that_went_on_is_replaced() {
        with_file(replaced);
    }

    #[test]
    fn runs_are_selected() {
        with_file(selections);
    }

    #[test]
    fn baselines_are_kept_by_name() {
        with_file(baselines);
    }

    #[test]
    fn results_of_one_time_and_commit_are_all_kept() {
        with_file(alike);
    }

    #[test]
    fn eight_processes_lose_nothing() {
        let dir = tempfile::tempdir().unwrap();
        at_once(dir.path().join("history.db").to_str().unwrap());
    }

    #[test]
    fn a_newer_schema_is_refused_and_left_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("history.db");
        History::open(&Place::File(path.clone())).unwrap().add(&entry("r1", 1)).unwrap();
        let database = rusqlite::Connection::open(&path).unwrap();
        database.execute_batch(&format!("UPDATE isocost_schema SET version = {}", VERSION + 1)).unwrap();
        database.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
        drop(database);
        let before = std::fs::read(&path).unwrap();
        let error = History::open(&Place::File(path.clone())).unwrap_err();
        assert!(matches!(error, HistoryError::Newer { found, .. } if found == VERSION + 1), "{error}");
        assert!(error.to_string().contains("use the version that wrote it"));
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }

    #[test]
    fn another_programs_database_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("cookies.db");
        rusqlite::Connection::open(&path).unwrap().execute_batch("CREATE TABLE cookies (name TEXT)").unwrap();
        let before = std::fs::read(&path).unwrap();
        assert!(matches!(History::open(&Place::File(path.clone())), Err(HistoryError::Foreign { .. })));
        assert!(std::fs::read(&path).unwrap() == before, "another program's database was written to");
    }

    /// Damage at the beginning, in the middle and at the end, and a file that never was a database.
    #[test]
    fn a_damaged_file_is_reported_and_never_written_to() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("history.db");
        let place = Place::File(path.clone());
        let mut history = History::open(&place).unwrap();
        for run in 0..200 {
            history.add(&entry(&format!("r{run}"), run)).unwrap();
        }
        drop(history);
        let whole = std::fs::read(&path).unwrap();
        assert!(whole.len() > 20 * 4096);
        let scratched = |from: usize, to: usize| {
            let mut bytes = whole.clone();
            bytes[from..to].fill(0xA5);
            bytes
        };
        let damaged = [
            ("no database", b"this is a letter to my aunt, not a database".repeat(200)),
            ("its first page", scratched(0, 100)),
            ("a page in the middle", scratched(8 * 4096, 9 * 4096)),
            ("its last page", scratched(whole.len() - 4096, whole.len())),
            ("cut short", whole[..whole.len() / 2].to_vec()),
        ];
        for (what, bytes) in damaged {
            std::fs::write(&path, &bytes).unwrap();
            let error = History::open(&place).err().unwrap_or_else(|| panic!("{what} was not noticed"));
            assert!(matches!(error, HistoryError::Damaged { .. }), "{what}: {error}");
            assert!(error.to_string().contains("was left as it is"));
            assert!(std::fs::read(&path).unwrap() == bytes, "{what}: the file was changed");
        }
    }
}

mod postgresql {
    use super::*;

    /// What must hold wherever the history is.
    type Test = fn(&Place);

    /// One server for all of these; each has a database of its own.
    #[test]
    fn the_same_on_a_server() {
        let Some(server) = server::server() else { return };
        let tests: [(&str, Test); 5] = [
            ("round_trip", round_trip),
            ("replaced", replaced),
            ("selections", selections),
            ("baselines", baselines),
            ("alike", alike),
        ];
        for (name, test) in tests {
            eprintln!("{name}");
            test(&Place::try_from(server.database(name).as_str()).unwrap());
        }
        at_once(&server.database("at_once"));
        refusals(&server);
    }

    fn refusals(server: &server::Server) {
        let url = server.database("newer");
        History::open(&Place::try_from(url.as_str()).unwrap()).unwrap();
        let mut client = postgres::Client::connect(&url, postgres::NoTls).unwrap();
        client.batch_execute("UPDATE isocost_schema SET version = version + 1").unwrap();
        assert!(matches!(
            History::open(&Place::try_from(url.as_str()).unwrap()),
            Err(HistoryError::Newer { .. })
        ));
        let url = server.database("foreign_one");
        let mut client = postgres::Client::connect(&url, postgres::NoTls).unwrap();
        client.batch_execute("CREATE TABLE cookies (name TEXT)").unwrap();
        assert!(matches!(
            History::open(&Place::try_from(url.as_str()).unwrap()),
            Err(HistoryError::Foreign { .. })
        ));
        let nobody = url.replace("foreign_one", "nobody_made_this").replace("isocost@", "isocost:secret@");
        let error = History::open(&Place::try_from(nobody.as_str()).unwrap()).unwrap_err();
        assert!(matches!(error, HistoryError::Unreachable { .. }), "{error}");
        assert!(!error.to_string().contains("secret"));
    }

    #[test]
    fn a_server_that_is_not_there_is_named_without_its_password() {
        let error =
            History::open(&Place::try_from("postgres://ci:secret@127.0.0.1:1/perf").unwrap()).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("postgres://ci@127.0.0.1:1/perf") && !text.contains("secret"), "{text}");
    }
}
