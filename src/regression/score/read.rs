//! A folder of labelled histories: `metadata/dataset_details.csv` and `data/*.csv`.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::analysis::statistics::order::median_of;

/// One history and what people say of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Labelled {
    /// The file's name.
    pub name: String,
    /// The kind that people call it.
    pub kind: String,
    /// The median of each build, oldest first. More is worse.
    pub values: Vec<f64>,
    /// The index in `values` of the last build before the regression; `None` where there is none.
    pub last_good: Option<usize>,
}

/// Why a folder cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ScoreError {
    /// A file that is not there or is not CSV of this form.
    #[error("cannot read {}: {detail}; docs/history.md has the form of labelled histories", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        detail: String,
    },
    /// A label that is no row of its history.
    #[error("{}: the change point {label} of {name} is not one of its rows", path.display())]
    Label {
        /// The metadata.
        path: PathBuf,
        /// The history.
        name: String,
        /// The label.
        label: u64,
    },
    /// Nothing to score.
    #[error("{} lists no histories", path.display())]
    Empty {
        /// The metadata.
        path: PathBuf,
    },
}

#[derive(Deserialize)]
struct Detail {
    #[serde(rename = "Type")]
    kind: String,
    #[serde(rename = "Dataset")]
    name: String,
    /// The index of the last good measurement; 0 for none.
    #[serde(rename = "Change Point")]
    change_point: u64,
}

#[derive(Deserialize)]
struct Measurement {
    #[serde(rename = "Index")]
    index: u64,
    /// Which build: the same in rows that follow each other is the same build.
    #[serde(rename = "GHC")]
    build: String,
    #[serde(rename = "Measurement")]
    value: f64,
}

/// Reads all histories that the folder's metadata lists, in their names' order.
///
/// # Errors
/// The file and what is wrong with it.
pub fn read(dir: &Path) -> Result<Vec<Labelled>, ScoreError> {
    let path = dir.join("metadata").join("dataset_details.csv");
    let details: Vec<Detail> = rows(&path, b';')?;
    if details.is_empty() {
        return Err(ScoreError::Empty { path });
    }
    let mut all = details
        .into_iter()
        .map(|detail| labelled(dir, &path, detail))
        .collect::<Result<Vec<Labelled>, ScoreError>>()?;
    all.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(all)
}

fn rows<T: serde::de::DeserializeOwned>(path: &Path, delimiter: u8) -> Result<Vec<T>, ScoreError> {
    let failed = |error: csv::Error| ScoreError::File { path: path.to_owned(), detail: error.to_string() };
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .trim(csv::Trim::All)
        .from_path(path)
        .map_err(failed)?;
    reader.deserialize().collect::<Result<_, _>>().map_err(failed)
}

fn labelled(dir: &Path, metadata: &Path, detail: Detail) -> Result<Labelled, ScoreError> {
    let path = dir.join("data").join(&detail.name);
    let rows: Vec<Measurement> = rows(&path, b',')?;
    if let Some(row) = rows.iter().find(|row| !row.value.is_finite()) {
        let detail = format!("the measurement of index {} is not a finite number", row.index);
        return Err(ScoreError::File { path, detail });
    }
    let builds: Vec<&[Measurement]> = rows.chunk_by(|a, b| a.build == b.build).collect();
    let last_good = match detail.change_point {
        0 => None,
        label => {
            let holds = |build: &&[Measurement]| build.iter().any(|row| row.index == label);
            let build = builds.iter().position(holds);
            let name = detail.name.clone();
            Some(build.ok_or(ScoreError::Label { path: metadata.to_owned(), name, label })?)
        }
    };
    let middle = |build: &&[Measurement]| {
        let values: Vec<f64> = build.iter().map(|row| row.value).collect();
        median_of(&values)
    };
    Ok(Labelled {
        name: detail.name,
        kind: detail.kind,
        values: builds.iter().filter_map(middle).collect(),
        last_good,
    })
}
