#![allow(clippy::unwrap_used)]

use std::fmt::Write as _;
use std::path::Path;

use super::super::read::{ScoreError, read};
use super::*;

/// A folder of three histories: a regression after build 39, none, and two builds too few to say anything.
fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("data")).unwrap();
    std::fs::create_dir(dir.path().join("metadata")).unwrap();
    let details = "Type;Dataset;Change Point\nregression;a.csv;80\nStable ;b.csv;0\nStable;c.csv;0\n";
    std::fs::write(dir.path().join("metadata/dataset_details.csv"), details).unwrap();
    history(dir.path(), "a.csv", 60, |build| if build < 40 { 100.0 } else { 112.0 });
    history(dir.path(), "b.csv", 60, |_| 100.0);
    history(dir.path(), "c.csv", 2, |_| 100.0);
    dir
}

/// Two measurements a build, whose median is `level` and a little.
fn history(dir: &Path, name: &str, builds: usize, level: impl Fn(usize) -> f64) {
    let mut text = String::from("Index,GHC,Measurement\n");
    for build in 0..builds {
        let value = level(build) + ((build * 7919) % 13) as f64 / 10.0;
        for (i, shift) in [-0.5, 0.5].into_iter().enumerate() {
            writeln!(text, "{},{},{}", 2 * build + i + 1, 5000 + build, value + shift).unwrap();
        }
    }
    std::fs::write(dir.join("data").join(name), text).unwrap();
}

#[test]
fn a_folder_is_read_by_builds_with_its_labels() {
    let all = read(folder().path()).unwrap();
    let names: Vec<_> =
        all.iter().map(|one| (one.name.as_str(), one.kind.as_str(), one.values.len())).collect();
    assert_eq!(names, [("a.csv", "regression", 60), ("b.csv", "Stable", 60), ("c.csv", "Stable", 2)]);
    assert_eq!(all[0].last_good, Some(39));
    assert_eq!(all[0].values[0], 100.0);
    assert_eq!(all[1].last_good, None);
}

#[test]
fn the_score_is_a_table() {
    let score = score(&read(folder().path()).unwrap(), &Settings::default()).unwrap();
    let text: Vec<_> = score.to_string().lines().map(|line| line.trim_end().to_owned()).collect();
    insta::assert_snapshot!(text.join("\n"));
}

#[test]
fn what_cannot_be_read_is_named() {
    let dir = folder();
    let file = dir.path().join("data/b.csv");
    std::fs::write(&file, "Index,GHC,Measurement\n1,5,NaN\n").unwrap();
    assert!(read(dir.path()).unwrap_err().to_string().contains("index 1 is not a finite"));
    std::fs::write(&file, "Index,GHC,Measurement\n1,5\n").unwrap();
    assert!(matches!(read(dir.path()), Err(ScoreError::File { path, .. }) if path == file));
    let details = dir.path().join("metadata/dataset_details.csv");
    std::fs::write(&details, "Type;Dataset;Change Point\nregression;a.csv;999\n").unwrap();
    assert!(matches!(read(dir.path()), Err(ScoreError::Label { label: 999, .. })));
    std::fs::write(&details, "Type;Dataset;Change Point\n").unwrap();
    assert!(matches!(read(dir.path()), Err(ScoreError::Empty { .. })));
    assert!(matches!(read(Path::new("/nowhere")), Err(ScoreError::File { .. })));
}

#[test]
fn alarms_are_counted_by_their_place_and_time() {
    let change = |at: usize, relative: f64| Change {
        at,
        range: (at, at),
        before: 1.0,
        after: 1.0 + relative,
        relative,
        evidence: crate::regression::changes::Evidence::Chance(0.001),
        recurring: false,
    };
    let told = [(12, change(10, 0.1)), (30, change(26, 0.1)), (52, change(50, 0.1)), (70, change(68, -0.1))];
    let counts = count(told.into_iter(), Some(50));
    assert_eq!(counts, Counts { found: true, late: false, false_alarms: 2, improvements: 1, recurring: 0 });
    let late = count([(55, change(50, 0.1))].into_iter(), Some(50));
    assert!(late.late && !late.found && late.false_alarms == 0);
}
