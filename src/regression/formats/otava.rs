//! Otava's CSV: `time,commit,` and a column for each metric, a row for each run; direction and unit stand in its
//! configuration, which is written beside it.

use std::collections::{BTreeMap, BTreeSet};

use super::names::{joined, split};
use super::results::one_machine;
use super::{Figure, FormatError, Imported, Results, Source};
use crate::measure::metric::Direction;

const FORMAT: &str = "Otava CSV";

/// Columns that hold the time, in the order they are looked for.
const TIMES: [&str; 4] = ["time", "timestamp", "date", "datetime"];

/// Columns that hold the commit.
const COMMITS: [&str; 4] = ["commit", "git_commit", "revision", "version"];

/// The name of that CSV in its configuration, and in docs/formats.md.
pub const FILE: &str = "runs.csv";

/// The figures that all runs have, one row a run: an empty cell costs Otava the whole test. A run without any figure has no row.
///
/// # Errors
/// A figure that is not finite, or none that all runs have.
pub fn write(runs: &[Results]) -> Result<String, FormatError> {
    let columns = columns(runs)?;
    let failed = |detail: String| FormatError::Malformed { format: FORMAT, detail };
    let mut csv = csv::Writer::from_writer(Vec::new());
    let head = ["time", "commit", "branch"].into_iter().map(str::to_owned).chain(columns.keys().cloned());
    csv.write_record(head).map_err(|e| failed(e.to_string()))?;
    for run in measured(runs) {
        let own: BTreeMap<String, f64> =
            run.figures.iter().map(|figure| (joined(figure), figure.value)).collect();
        let cells = columns.keys().map(|name| own.get(name).map(f64::to_string).unwrap_or_default());
        let source = [&run.source.commit, &run.source.branch].map(|text| text.clone().unwrap_or_default());
        // Otava reads this form of a time with its zone.
        let time = run.at.strftime("%Y-%m-%d %H:%M:%S +0000").to_string();
        csv.write_record([time].into_iter().chain(source).chain(cells)).map_err(|e| failed(e.to_string()))?;
    }
    let bytes = csv.into_inner().map_err(|e| failed(e.to_string()))?;
    String::from_utf8(bytes).map_err(|e| failed(e.to_string()))
}

/// What [`write()`] leaves out, each in a sentence that says how to have it.
#[must_use]
pub fn left_out(runs: &[Results]) -> Vec<String> {
    let mut said: Vec<String> = runs
        .iter()
        .filter(|run| run.figures.is_empty())
        .map(|run| format!("the run of {}: it has no figure", run.at))
        .collect();
    let rows: Vec<&Results> = measured(runs).collect();
    for (name, seen) in seen(&rows).into_iter().filter(|(_, seen)| seen.rows.len() < rows.len()) {
        // Runs without a figure are among those that are selected.
        let since = (0..rows.len()).rev().find(|row| !seen.rows.contains(row)).map_or(0, |row| row + 1);
        let newest = rows.get(since).and_then(|first| runs.iter().position(|run| std::ptr::eq(run, *first)));
        let way = match newest {
            Some(first) => format!("; all since then have it: --newest {}", runs.len() - first),
            None => ", the newest among them".to_owned(),
        };
        let lacking = rows.len() - seen.rows.len();
        said.push(format!("{name}: {lacking} of {} runs lack it{way}", rows.len()));
    }
    said
}

/// Otava's configuration for that file: what each column is, and which way is good.
///
/// # Errors
/// As [`write()`].
pub fn configuration(runs: &[Results], test: &str, file: &str) -> Result<String, FormatError> {
    let quoted = |text: &str| serde_json::to_string(text).unwrap_or_default();
    let mut text = format!(
        "tests:\n  {}:\n    type: csv\n    file: {}\n    time_column: time\n    attributes: [commit, branch]\n    metrics:\n",
        quoted(test),
        quoted(file)
    );
    for (name, figure) in columns(runs)? {
        let direction = if figure.direction == Some(Direction::Bigger) { 1 } else { -1 };
        let (name, unit) = (quoted(&name), quoted(&figure.unit));
        text += &format!(
            "      {name}:\n        column: {name}\n        direction: {direction}\n        scale: 1\n        unit: {unit}\n"
        );
    }
    Ok(text)
}

fn columns(runs: &[Results]) -> Result<BTreeMap<String, &Figure>, FormatError> {
    runs.iter().try_for_each(|run| run.check(FORMAT))?;
    one_machine(runs, FORMAT)?;
    let rows: Vec<&Results> = measured(runs).collect();
    let whole = seen(&rows).into_iter().filter(|(_, seen)| seen.rows.len() == rows.len());
    let columns: BTreeMap<String, &Figure> = whole.map(|(name, seen)| (name, seen.newest)).collect();
    if columns.is_empty() {
        let hint = "all runs have to have it; select such with --newest N, --since TIME or --branch NAME";
        return Err(FormatError::Empty { format: FORMAT, hint: Some(hint).filter(|_| !rows.is_empty()) });
    }
    Ok(columns)
}

fn measured(runs: &[Results]) -> impl Iterator<Item = &Results> {
    runs.iter().filter(|run| !run.figures.is_empty())
}

/// One column, and the rows that have it.
struct Seen<'a> {
    newest: &'a Figure,
    rows: BTreeSet<usize>,
}

fn seen<'a>(rows: &[&'a Results]) -> BTreeMap<String, Seen<'a>> {
    let mut all = BTreeMap::new();
    for (row, run) in rows.iter().enumerate() {
        for figure in &run.figures {
            let seen = all.entry(joined(figure)).or_insert(Seen { newest: figure, rows: BTreeSet::new() });
            seen.newest = figure;
            seen.rows.insert(row);
        }
    }
    all
}

/// The runs of a file. A column is a metric where all its cells are numbers or empty.
///
/// # Errors
/// It is no CSV, or has no column of times.
pub fn read(text: &str) -> Result<Imported, FormatError> {
    let malformed = |detail: String| FormatError::Malformed { format: FORMAT, detail };
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let head = reader.headers().map_err(|e| malformed(e.to_string()))?.clone();
    let rows: Vec<csv::StringRecord> =
        reader.records().collect::<Result<_, _>>().map_err(|e| malformed(e.to_string()))?;
    let column = |names: &[&str]| {
        names.iter().find_map(|name| head.iter().position(|own| own.eq_ignore_ascii_case(name)))
    };
    let time = column(&TIMES)
        .ok_or_else(|| malformed(format!("it has none of the columns {}", TIMES.join(", "))))?;
    let (commit, branch) = (column(&COMMITS), column(&["branch"]));
    let taken = [Some(time), commit, branch];
    let metrics: Vec<usize> = (0..head.len())
        .filter(|&i| !taken.contains(&Some(i)) && rows.iter().all(|row| is_number(row.get(i))))
        .collect();
    let mut imported = Imported::default();
    let texts = (0..head.len()).filter(|i| !taken.contains(&Some(*i)) && !metrics.contains(i));
    imported.left_out.extend(texts.map(|i| format!("column {}: it holds more than numbers", &head[i])));
    for (row, line) in rows.iter().zip(2..) {
        let Some(at) = row.get(time).and_then(super::time::parse) else {
            imported.left_out.push(format!("line {line}: its time cannot be read"));
            continue;
        };
        let text =
            |column: Option<usize>| row.get(column?).filter(|text| !text.is_empty()).map(str::to_owned);
        let source = Source { commit: text(commit), branch: text(branch), ..Source::default() };
        let figures = metrics.iter().filter_map(|&i| figure(&head[i], row.get(i)?)).collect();
        imported.results.push(Results { at, source, figures, ..Results::default() });
    }
    Ok(imported)
}

fn is_number(cell: Option<&str>) -> bool {
    cell.is_none_or(|cell| cell.is_empty() || cell.parse::<f64>().is_ok_and(f64::is_finite))
}

fn figure(name: &str, cell: &str) -> Option<Figure> {
    let value = cell.parse().ok()?;
    let (benchmark, measure) = split(name);
    Some(Figure {
        benchmark,
        measure,
        unit: String::new(),
        direction: None,
        value,
        low: None,
        high: None,
        n: None,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::regression::formats::examples;

    #[test]
    fn rows_columns_and_the_configuration() {
        let runs = examples::history();
        let configuration = configuration(&runs, "isocost", FILE).unwrap();
        insta::assert_snapshot!(format!("{}\n{configuration}", write(&runs).unwrap()));
    }

    #[test]
    fn what_not_every_run_has_is_left_out_and_how_to_have_it_is_said() {
        let [with, without] = &examples::history()[..] else { panic!("two runs") };
        let mut empty = without.clone();
        empty.figures.clear();
        assert_eq!(left_out(&[with.clone(), with.clone()]), [] as [&str; 0]);
        assert_eq!(
            left_out(&[with.clone(), without.clone()]),
            ["docker/image: disk.image: 1 of 2 runs lack it, the newest among them"]
        );
        let runs = [without.clone(), with.clone(), empty, with.clone()];
        assert_eq!(
            left_out(&runs),
            [
                "the run of 2024-03-01T11:00:00Z: it has no figure",
                "docker/image: disk.image: 1 of 3 runs lack it; all since then have it: --newest 3"
            ]
        );
        assert_eq!(write(&runs).unwrap().lines().count(), 4);
        assert!(write(&runs[1..]).unwrap().contains("disk.image"));
        let mut other = with.clone();
        other.figures.iter_mut().for_each(|figure| figure.benchmark = "other".into());
        let error = write(&[with.clone(), other]).unwrap_err().to_string();
        assert!(error.contains("select such with --newest N"), "{error}");
    }

    #[test]
    fn two_machines_are_not_one_column() {
        let error = write(&examples::two_machines()).unwrap_err().to_string();
        assert!(
            error.contains("`ci-1, Xeon` and `ci-2, Xeon`") && error.contains("--machine NAME"),
            "{error}"
        );
        assert_eq!(write(&examples::two_machines()[..1]).unwrap().lines().count(), 2);
    }

    #[test]
    fn nothing_is_an_error_and_so_is_what_is_not_finite() {
        assert!(matches!(write(&[]), Err(FormatError::Empty { .. })));
        let mut runs = examples::history();
        runs[1].figures[0].value = f64::NAN;
        assert!(matches!(write(&runs), Err(FormatError::NotFinite { .. })));
    }

    #[test]
    fn a_file_of_others_is_read_and_what_is_left_out_is_said() {
        let text = "commit,time,note,latency,size\nabc,2024.03.01 10:00:00 +0000,fast,1.5,\nabd,never,,2,3\nabe,1709287200,,,4\n";
        let imported = read(text).unwrap();
        assert_eq!(
            imported.left_out,
            ["column note: it holds more than numbers", "line 3: its time cannot be read"]
        );
        let seen: Vec<_> =
            imported.results.iter().map(|run| (run.source.commit.as_deref(), run.figures.len())).collect();
        assert_eq!(seen, [(Some("abc"), 1), (Some("abe"), 1)]);
        assert_eq!(imported.results[1].figures[0].value, 4.0);
        assert!(read("a,b\n1,2\n").is_err());
        assert!(read("time,a\n1,2,3\n").is_err());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(results in examples::any_results()) {
            let text = write(std::slice::from_ref(&results)).unwrap();
            let imported = read(&text).unwrap();
            prop_assert_eq!(&imported.left_out, &[] as &[String]);
            prop_assert_eq!(&imported.results[0].source.commit, &results.source.commit);
            let mut expected: Vec<_> = results.figures.iter().map(|figure| (joined(figure), figure.value)).collect();
            expected.sort_by(|a, b| a.0.cmp(&b.0));
            let found: Vec<_> = imported.results[0].figures.iter().map(|figure| (joined(figure), figure.value)).collect();
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn nothing_makes_it_panic(text in "(time,)?.{0,100}(\n.{0,40}){0,3}") {
            let _ = read(&text);
        }
    }
}
