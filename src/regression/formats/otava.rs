//! Otava's CSV: `time,commit,` and a column for each metric, a row for each run; direction and unit stand in its
//! configuration, which is written beside it.

use std::collections::BTreeMap;

use super::names::{joined, split};
use super::{Figure, FormatError, Imported, Results, Source};
use crate::measure::metric::Direction;

const FORMAT: &str = "Otava CSV";

/// Columns that hold the time, in the order they are looked for.
const TIMES: [&str; 4] = ["time", "timestamp", "date", "datetime"];

/// Columns that hold the commit.
const COMMITS: [&str; 4] = ["commit", "git_commit", "revision", "version"];

/// The runs' figures, one row a run; a figure that a run lacks is an empty cell.
///
/// # Errors
/// A figure that is not finite, or none at all.
pub fn write(runs: &[Results]) -> Result<String, FormatError> {
    let columns = columns(runs)?;
    let failed = |detail: String| FormatError::Malformed { format: FORMAT, detail };
    let mut csv = csv::Writer::from_writer(Vec::new());
    let head = ["time", "commit", "branch"].into_iter().map(str::to_owned).chain(columns.keys().cloned());
    csv.write_record(head).map_err(|e| failed(e.to_string()))?;
    for run in runs {
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
    let columns: BTreeMap<String, &Figure> =
        runs.iter().flat_map(|run| &run.figures).map(|figure| (joined(figure), figure)).collect();
    if columns.is_empty() {
        return Err(FormatError::Empty { format: FORMAT, hint: None });
    }
    Ok(columns)
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
        imported.results.push(Results { at, source, figures });
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
        let configuration = configuration(&runs, "isocost", "runs.csv").unwrap();
        insta::assert_snapshot!(format!("{}\n{configuration}", write(&runs).unwrap()));
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
