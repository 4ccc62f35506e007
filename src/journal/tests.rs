#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;
use crate::journal::record::{Conditions, Ending};
use crate::journal::{WriteError, Writer, write_run};
use crate::measure::host::Host;
use crate::measure::sample::Accelerator;
use crate::measure::sample::{Failure, FailureName, Outcome};
use crate::plan::{Block, Plan};

pub(crate) fn record(run_id: &str) -> RunRecord {
    let suite = crate::suite::Suite {
        name: "t".into(),
        description: String::new(),
        limits: crate::measure::equality::Limits { cpus: 1, memory_bytes: 1 << 28 },
        blocks: crate::suite::Blocks { count: 1, warm_up: 0, cold: 0 },
        deadlines: crate::suite::Deadlines {
            start: std::time::Duration::from_secs(1),
            work: std::time::Duration::from_secs(1),
            stop: std::time::Duration::from_secs(1),
        },
        environments: Vec::new(),
        workloads: Vec::new(),
        gate: crate::suite::GateSpec::default(),
    };
    RunRecord {
        schema: SCHEMA,
        run_id: run_id.into(),
        isocost_version: "0".into(),
        agent_sha256: String::new(),
        started_at: jiff::Timestamp::UNIX_EPOCH,
        ended_at: None,
        ending: Ending::Unfinished,
        host: Host::default(),
        plan: Plan { suite, seed: 1, blocks: vec![block(0), block(1)] },
        environments: Vec::new(),
        warnings: Vec::new(),
        sampler_cpu_share: None,
        conditions: Conditions::default(),
        code: None,
    }
}

fn block(index: u32) -> Block {
    Block { index, role: Role::Measured, cells: Vec::new() }
}

fn sample(position: u32, outcome: Outcome) -> Sample {
    Sample {
        block: position,
        position,
        environment: "native \"x\"".into(),
        accelerator: Accelerator::None,
        workload: "start".into(),
        metric: "startup.ready".into(),
        outcome,
        started_at: jiff::Timestamp::UNIX_EPOCH,
        warm_up: position == 1,
        latencies_ns: vec![position; 3],
    }
}

fn journal_of(lines: &[Record]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::create(dir.path(), "r1").unwrap();
    write_run(dir.path(), &record("r1")).unwrap();
    writer.append(lines).unwrap();
    dir
}

fn add(dir: &Path, bytes: &[u8]) {
    use std::io::Write as _;
    let path = dir.join(JOURNAL_FILE);
    std::fs::OpenOptions::new().append(true).open(path).unwrap().write_all(bytes).unwrap();
}

#[test]
fn what_was_written_is_read() {
    let failure = Failure { name: FailureName::NeverReady, detail: "ü\n".into() };
    let lines = [
        Record::Sample(sample(0, Outcome::Value(1.5))),
        Record::Sample(sample(1, Outcome::Failed(failure))),
        Record::End,
    ];
    let dir = journal_of(&lines);
    let run = read(dir.path()).unwrap();
    assert_eq!(run.record, record("r1"));
    let samples: Vec<_> = run.samples.into_iter().map(Record::Sample).collect();
    assert_eq!(samples, lines[..2]);
    assert!(run.complete && !run.dropped_tail);
}

#[test]
fn a_cut_last_line_is_dropped_and_said() {
    let dir = journal_of(&[Record::Sample(sample(0, Outcome::Value(1.0)))]);
    add(dir.path(), b"{\"record\":\"sam");
    let run = read(dir.path()).unwrap();
    assert_eq!(run.samples.len(), 1);
    assert!(run.dropped_tail && !run.complete);
}

#[test]
fn any_other_damage_is_an_error_with_its_line() {
    for bad in ["{}\n", "\n", "\u{0}\n", "{\"record\":\"sample\",\"block\":0}\n", "{\"record\":\"what\"}\n"] {
        let dir = journal_of(&[Record::Sample(sample(0, Outcome::Value(1.0)))]);
        add(dir.path(), bad.as_bytes());
        add(dir.path(), b"{\"record\":\"end\"}\n");
        assert!(matches!(read(dir.path()), Err(JournalError::Line { line: 3, .. })), "{bad:?}");
    }
}

#[test]
fn nothing_follows_the_end_and_the_header_is_first() {
    let dir = journal_of(&[Record::End]);
    add(dir.path(), b"{\"record\":\"end\"}\n");
    assert!(matches!(read(dir.path()), Err(JournalError::Line { line: 3, .. })));
    std::fs::write(dir.path().join(JOURNAL_FILE), "{\"record\":\"end\"}\n").unwrap();
    assert!(matches!(read(dir.path()), Err(JournalError::Line { line: 1, .. })));
}

#[test]
fn what_no_run_writes_is_refused_with_its_line() {
    let good = Sample { block: 1, ..sample(0, Outcome::Value(1.0)) };
    let beyond = Sample { block: 4_000_000_000, ..good.clone() };
    let below = Sample { outcome: Outcome::Value(-1.0), ..good.clone() };
    let of = |sample: &Sample| Record::Sample(sample.clone());
    let again = of(&Sample { position: 7, ..good.clone() });
    for (bad, words) in [
        (again, "a second sample of startup.ready of start in native"),
        (of(&beyond), "neither planned nor a repeat"),
        (of(&below), "negative value -1"),
    ] {
        let other = Sample { metric: "end.total".into(), ..good.clone() };
        let dir = journal_of(&[of(&good), bad, of(&other), Record::End]);
        match read(dir.path()) {
            Err(JournalError::Line { line: 3, detail, .. }) => assert!(detail.contains(words), "{detail}"),
            other => panic!("{words}: {other:?}"),
        }
    }
    let repeat = Record::Repeat(Repeat { block: 2, of: 1 });
    let repeated = Sample { block: 2, ..good.clone() };
    assert_eq!(read(journal_of(&[of(&good), repeat, of(&repeated)]).path()).unwrap().samples.len(), 2);
}

#[test]
fn no_block_is_left_out_but_for_one_that_was_measured_in_its_place() {
    let good = |block| Record::Sample(Sample { block, ..sample(0, Outcome::Value(1.0)) });
    let repeat = |block, of| Record::Repeat(Repeat { block, of });
    let aside = |block, by| Record::SetAside(SetAside { block, by });
    let read_of = |records: &[Record]| read(journal_of(records).path());
    for whole in [
        &[good(0), good(1), repeat(2, 1), good(2), aside(1, Some(2))][..],
        &[good(0), good(1), repeat(2, 1), good(2), aside(2, None), repeat(3, 1), good(3), aside(1, Some(3))],
        // Cut off before it was known what became of it.
        &[good(0), good(1), repeat(2, 1), good(2)],
    ] {
        assert!(read_of(whole).is_ok(), "{whole:?}: {:?}", read_of(whole));
    }
    for (bad, words) in [
        (&[good(0), good(1), aside(1, None)][..], "no repeat stands"),
        (&[good(0), repeat(2, 1), aside(0, Some(2))], "no repeat stands"),
        (&[good(0), repeat(2, 0), aside(0, Some(1))], "no repeat stands"),
        (&[good(0), good(1), repeat(2, 9)], "repeats no block"),
        (&[good(0), good(1), repeat(2, 2)], "repeats no block"),
        (&[repeat(2, 1), repeat(2, 1), good(0)], "there twice"),
        (&[repeat(2, 0), aside(0, Some(2)), aside(0, Some(2))], "one twice"),
    ] {
        match read_of(bad) {
            Err(JournalError::Line { detail, .. }) => assert!(detail.contains(words), "{bad:?}: {detail}"),
            other => panic!("{bad:?}: {other:?}"),
        }
    }
}

#[test]
fn a_negative_value_is_seen_in_any_order_of_keys() {
    let line = serde_json::to_value(Record::Sample(sample(0, Outcome::Value(-0.5)))).unwrap();
    let dir = journal_of(&[]);
    add(dir.path(), format!("{line}\n").as_bytes());
    assert!(read(dir.path()).unwrap_err().to_string().contains("negative"));
}

#[test]
fn a_journal_of_another_run_is_refused() {
    let dir = journal_of(&[]);
    write_run(dir.path(), &record("r2")).unwrap();
    assert!(read(dir.path()).unwrap_err().to_string().contains("of run r1"));
}

#[test]
fn a_newer_schema_is_refused() {
    let dir = journal_of(&[]);
    std::fs::write(dir.path().join(RUN_FILE), format!("{{\"schema\":{}}}", SCHEMA + 1)).unwrap();
    assert!(matches!(read(dir.path()), Err(JournalError::Newer { found, .. }) if found == SCHEMA + 1));
}

#[test]
fn a_folder_that_cannot_hold_a_run_is_named() {
    let dir = journal_of(&[]);
    assert!(matches!(Writer::create(dir.path(), "r2"), Err(WriteError::Taken { .. })));
    let file = dir.path().join(JOURNAL_FILE);
    assert!(matches!(Writer::create(&file, "r2"), Err(WriteError::NotAFolder { .. })));
    let other = tempfile::tempdir().unwrap();
    std::fs::write(other.path().join("samples.csv"), "mine").unwrap();
    assert!(matches!(Writer::create(other.path(), "r2"), Err(WriteError::NotEmpty { .. })));
    let below = Writer::create(&file.join("x"), "r2").unwrap_err();
    assert!(below.to_string().contains("journal.jsonl"), "{below}");
}

#[test]
fn several_stretches_are_one_journal() {
    let lines: Vec<_> = (0..2000).map(|i| Record::Sample(sample(i, Outcome::Value(f64::from(i))))).collect();
    let dir = journal_of(&lines);
    let text = std::fs::read(dir.path().join(JOURNAL_FILE)).unwrap();
    let parse = |text: &[u8], stretch| parse_all(text, stretch, MOST_LINE_BYTES).ok();
    for stretch in [1, 100, 1000, 30_000, text.len(), 10 * text.len()] {
        let (all, cut) = parse(&text, stretch).unwrap();
        assert!(!cut && all.lines == 2001, "{stretch}");
        assert!(all.samples.iter().enumerate().all(|(i, s)| s.position as usize == i), "{stretch}");
        let (all, cut) = parse(&text[..text.len() - 1], stretch).unwrap();
        assert!(cut && all.lines == 2000, "{stretch}");
    }
}

#[test]
fn the_first_damaged_line_is_the_one_that_is_told() {
    let lines: Vec<_> = (0..2000).map(|i| Record::Sample(sample(i, Outcome::Value(f64::from(i))))).collect();
    let dir = journal_of(&lines);
    let text = std::fs::read(dir.path().join(JOURNAL_FILE)).unwrap();
    let starts: Vec<usize> =
        text.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1).collect();
    for (damage, words) in [(b'x', "expected"), (0xff, "utf-8")] {
        let mut text = text.clone();
        // Lines count from 1, and the first start is that of the second line.
        for line in [700, 1500] {
            text[starts[line - 2]] = damage;
        }
        for stretch in [1, 1000, 30_000, text.len()] {
            let found = parse_all(&text[..], stretch, MOST_LINE_BYTES).map(|(all, _)| all.lines);
            let Err(Broken::Line(line, detail)) = found else { panic!("{stretch}: it was read") };
            assert!(line == 700 && detail.contains(words), "{stretch}: {line}: {detail}");
        }
    }
}

proptest! {
    #[test]
    fn a_journal_cut_anywhere_reads_up_to_there(cut in 0usize..600) {
        let dir = journal_of(&[
            Record::Sample(sample(0, Outcome::Value(1.0))),
            Record::Sample(sample(1, Outcome::Value(2.0))),
            Record::End,
        ]);
        let path = dir.path().join(JOURNAL_FILE);
        let text = std::fs::read(&path).unwrap();
        let text = &text[..cut.min(text.len())];
        std::fs::write(&path, text).unwrap();
        let lines = text.iter().filter(|&&b| b == b'\n').count();
        match read(dir.path()) {
            Ok(run) => prop_assert_eq!(run.samples.len(), lines.saturating_sub(1).min(2)),
            Err(_) => prop_assert_eq!(lines, 0),
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let dir = journal_of(&[]);
        add(dir.path(), &bytes);
        let _ = read(dir.path());
    }
}

#[test]
fn a_line_that_never_ends_is_refused_with_its_number() {
    let header = b"{\"record\":\"header\",\"schema\":2,\"run_id\":\"r-1\"}\n";
    let endless = std::io::Read::chain(&header[..], std::io::repeat(b' '));
    match parse_all(endless, 1 << 10, 1 << 16) {
        Err(Broken::Line(_, detail)) => assert!(detail.contains("longer than 65536 bytes"), "{detail}"),
        Err(Broken::Io(error)) => panic!("{error}"),
        Ok(_) => panic!("it has no end"),
    }
}

#[test]
fn what_is_no_file_is_no_run() {
    let dir = tempfile::tempdir().unwrap();
    for name in [RUN_FILE, JOURNAL_FILE] {
        std::os::unix::fs::symlink("/dev/zero", dir.path().join(name)).unwrap();
    }
    let error = super::read(dir.path()).unwrap_err().to_string();
    assert!(error.contains("not a file"), "{error}");
}
