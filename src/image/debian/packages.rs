//! Which packages a root file system has, out of dpkg's own list.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use super::super::error::ImageError;

const STATUS: &str = "var/lib/dpkg/status";

/// No list is larger.
const MAX_STATUS_BYTES: u64 = 64 << 20;

/// `NAME VERSION`, a package a line, sorted, of the tar file `tree`.
///
/// # Errors
/// Where the file is damaged or is of no Debian.
pub(super) fn listed(tree: &Path) -> Result<String, ImageError> {
    let what = tree.display().to_string();
    let damaged = |e: std::io::Error| ImageError::malformed(&what, e);
    let file = File::open(tree).map_err(ImageError::io("open", tree))?;
    let mut archive = tar::Archive::new(BufReader::new(file));
    // With seeks, so that what is between is not read.
    for entry in archive.entries_with_seek().map_err(damaged)? {
        let entry = entry.map_err(damaged)?;
        if entry.path().map_err(damaged)?.strip_prefix(".").is_ok_and(|path| path == Path::new(STATUS)) {
            let mut text = String::new();
            entry.take(MAX_STATUS_BYTES).read_to_string(&mut text).map_err(damaged)?;
            return Ok(names_and_versions(&text));
        }
    }
    Err(ImageError::malformed(what, format!("it has no {STATUS}")))
}

/// dpkg's list has a paragraph a package, each a `Field: value` a line.
fn names_and_versions(status: &str) -> String {
    let field = |paragraph: &str, name: &str| {
        let value = paragraph.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        value.map(|value| value.trim().to_owned())
    };
    let line = |paragraph: &str| {
        let (name, version) = (field(paragraph, "Package")?, field(paragraph, "Version")?);
        Some(format!("{name} {version}\n"))
    };
    let mut lines: Vec<String> = status.split("\n\n").filter_map(line).collect();
    lines.sort();
    lines.concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_versions_are_taken_and_sorted() {
        let status = "Package: b\nStatus: install ok installed\nVersion: 1:2-3\nDescription: x\n Version: of b\n\n\
                      Package: a\nVersion: 7\n\nVersion: of nothing\n";
        assert_eq!(names_and_versions(status), "a 7\nb 1:2-3\n");
    }
}
