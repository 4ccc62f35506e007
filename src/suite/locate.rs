//! From a key to its line: where in a file a message points.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::error::Place;

/// A step on the way to a value: a key of a table or an index of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Of a table.
    Key(&'static str),
    /// Of a list.
    Index(usize),
}

/// The place of the byte at `offset`.
pub(super) fn at(file: &str, text: &[u8], offset: usize) -> Place {
    let before = &text[..offset.min(text.len())];
    let line = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
    let begin = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
    let column = String::from_utf8_lossy(&before[begin..]).chars().count() + 1;
    Place { file: file.to_owned(), line: Some(line), column: Some(column) }
}

/// The place of the value at `path`, or of the deepest table on the way that is there.
pub(super) fn of(file: &str, text: &str, path: &[Step]) -> Place {
    let whole = || Place { file: file.to_owned(), line: None, column: None };
    let Ok(document) = DeTable::parse(text) else { return whole() };
    match span(document.get_ref(), path) {
        Some(range) => at(file, text.as_bytes(), range.start),
        None => whole(),
    }
}

fn span(table: &DeTable<'_>, path: &[Step]) -> Option<Range<usize>> {
    let (Step::Key(first), rest) = path.split_first()? else { return None };
    let mut value = table.iter().find(|(key, _)| key.get_ref() == *first)?.1;
    let mut deepest = value.span();
    for step in rest {
        let next = match (step, value.get_ref()) {
            (Step::Key(wanted), DeValue::Table(table)) => {
                table.iter().find(|(key, _)| key.get_ref() == *wanted).map(|(_, value)| value)
            }
            (Step::Index(index), DeValue::Array(list)) => list.get(*index),
            _ => None,
        };
        let Some(next) = next else { break };
        value = next;
        deepest = value.span();
    }
    Some(deepest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "schema = 1\n[limits]\ncpus = 0\n[[workload]]\nid = 'ü'\n[[workload]]\nid = 'b' # x\n";

    fn line_and_column(path: &[Step]) -> (Option<usize>, Option<usize>) {
        let place = of("f", TEXT, path);
        (place.line, place.column)
    }

    #[test]
    fn values_and_what_holds_them_are_found() {
        use Step::{Index, Key};
        assert_eq!(line_and_column(&[Key("limits"), Key("cpus")]), (Some(3), Some(8)));
        assert_eq!(line_and_column(&[Key("workload"), Index(1), Key("id")]), (Some(7), Some(6)));
        assert_eq!(line_and_column(&[Key("workload"), Index(1), Key("bytes")]).0, Some(6));
        assert_eq!(line_and_column(&[Key("limits"), Key("memory")]).0, Some(2));
        assert_eq!(line_and_column(&[Key("none")]), (None, None));
    }

    #[test]
    fn columns_are_characters() {
        let text = "a = 'üü' x";
        assert_eq!(at("f", text.as_bytes(), text.len() - 1).column, Some(10));
        assert_eq!(at("f", b"", 9).to_string(), "f:1:1");
    }
}
