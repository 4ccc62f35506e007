//! Apache Parquet: the columns of the CSV with their types, for pandas, `DuckDB` and Spark.

use std::sync::Arc;

use parquet::basic::Compression;
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;

use super::table::direction;
use super::{Figure, FormatError, Results};

const FORMAT: &str = "Parquet";

const SCHEMA: &str = "message isocost {
    required int64 time (TIMESTAMP(MICROS, true));
    optional binary commit (STRING);
    optional binary branch (STRING);
    optional binary repository (STRING);
    optional binary machine (STRING);
    optional binary suite (STRING);
    optional binary run (STRING);
    required binary benchmark (STRING);
    required binary measure (STRING);
    required binary unit (STRING);
    optional binary direction (STRING);
    required double value;
    optional double low;
    optional double high;
    optional int32 n (INTEGER(32, false));
}";

/// All figures of all runs, as a file's bytes.
///
/// # Errors
/// A figure that is not finite.
pub fn write(runs: &[Results]) -> Result<Vec<u8>, FormatError> {
    runs.iter().try_for_each(|run| run.check(FORMAT))?;
    let rows: Vec<(&Results, &Figure)> =
        runs.iter().flat_map(|run| run.figures.iter().map(move |figure| (run, figure))).collect();
    bytes(&rows).map_err(|e| FormatError::Malformed { format: FORMAT, detail: e.to_string() })
}

fn bytes(rows: &[(&Results, &Figure)]) -> Result<Vec<u8>, ParquetError> {
    let schema = Arc::new(parse_message_type(SCHEMA)?);
    // No compressor is linked for this alone; dictionaries keep repeated names small.
    let properties = WriterProperties::builder().set_compression(Compression::UNCOMPRESSED).build();
    let mut file = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties))?;
    if !rows.is_empty() {
        let mut group = file.next_row_group()?;
        columns(&mut group, rows)?;
        group.close()?;
    }
    file.into_inner()
}

/// In the order of [`SCHEMA`]; the writer refuses another.
fn columns(
    group: &mut SerializedRowGroupWriter<'_, Vec<u8>>,
    rows: &[(&Results, &Figure)],
) -> Result<(), ParquetError> {
    let text = |text: &str| ByteArray::from(text);
    required::<Int64Type>(group, rows.iter().map(|(run, _)| run.at.as_microsecond()))?;
    let source = rows.iter().map(|(run, _)| &run.source);
    optional::<ByteArrayType>(group, source.clone().map(|source| source.commit.as_deref().map(text)))?;
    optional::<ByteArrayType>(group, source.clone().map(|source| source.branch.as_deref().map(text)))?;
    optional::<ByteArrayType>(group, source.clone().map(|source| source.repository.as_deref().map(text)))?;
    optional::<ByteArrayType>(group, source.map(|source| source.machine.as_deref().map(text)))?;
    optional::<ByteArrayType>(group, rows.iter().map(|(run, _)| run.suite.as_deref().map(text)))?;
    optional::<ByteArrayType>(group, rows.iter().map(|(run, _)| run.run.as_deref().map(text)))?;
    let figures = rows.iter().map(|(_, figure)| *figure);
    required::<ByteArrayType>(group, figures.clone().map(|figure| text(&figure.benchmark)))?;
    required::<ByteArrayType>(group, figures.clone().map(|figure| text(&figure.measure)))?;
    required::<ByteArrayType>(group, figures.clone().map(|figure| text(&figure.unit)))?;
    optional::<ByteArrayType>(
        group,
        figures.clone().map(|figure| figure.direction.map(|way| text(direction(way)))),
    )?;
    required::<DoubleType>(group, figures.clone().map(|figure| figure.value))?;
    optional::<DoubleType>(group, figures.clone().map(|figure| figure.low))?;
    optional::<DoubleType>(group, figures.clone().map(|figure| figure.high))?;
    optional::<Int32Type>(group, figures.map(|figure| figure.n.map(u32::cast_signed)))
}

fn required<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, Vec<u8>>,
    values: impl Iterator<Item = T::T>,
) -> Result<(), ParquetError> {
    column::<T>(group, &values.collect::<Vec<_>>(), None)
}

/// Missing is no value at all: the definition levels say where there is one.
fn optional<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, Vec<u8>>,
    values: impl Iterator<Item = Option<T::T>> + Clone,
) -> Result<(), ParquetError> {
    let levels: Vec<i16> = values.clone().map(|value| i16::from(value.is_some())).collect();
    column::<T>(group, &values.flatten().collect::<Vec<_>>(), Some(&levels))
}

fn column<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, Vec<u8>>,
    values: &[T::T],
    levels: Option<&[i16]>,
) -> Result<(), ParquetError> {
    let missing = || ParquetError::General("more columns than the schema has".to_owned());
    let mut column = group.next_column()?.ok_or_else(missing)?;
    column.typed::<T>().write_batch(values, levels, None)?;
    column.close()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use parquet::file::reader::{FileReader as _, SerializedFileReader};

    use super::super::table::COLUMNS;
    use super::*;
    use crate::regression::formats::examples;

    #[test]
    fn a_reader_of_the_format_sees_every_row_and_what_is_missing() {
        let bytes = write(&examples::history()).unwrap();
        let reader = SerializedFileReader::new(bytes::Bytes::from(bytes)).unwrap();
        let names: Vec<_> = reader.metadata().file_metadata().schema().get_fields().to_vec();
        assert_eq!(names.iter().map(|field| field.name()).collect::<Vec<_>>(), COLUMNS);
        let rows: Vec<String> =
            reader.get_row_iter(None).unwrap().map(|row| row.unwrap().to_string()).collect();
        insta::assert_snapshot!(rows.join("\n"));
    }

    #[test]
    fn no_rows_are_a_file_too() {
        let reader = SerializedFileReader::new(bytes::Bytes::from(write(&[]).unwrap())).unwrap();
        assert_eq!(reader.metadata().file_metadata().num_rows(), 0);
    }
}
