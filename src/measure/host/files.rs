//! Small files of `/proc` and `/sys`, below a root that tests can make up.

use std::path::{Path, PathBuf};

/// Reads below one root: `/` on a real host.
#[derive(Debug, Clone)]
pub(crate) struct Files {
    root: PathBuf,
}

impl Files {
    pub(crate) fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// Those of this host.
    pub(crate) fn here() -> Self {
        Self::new(Path::new("/"))
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// A file's text without the white space around it; `None` where it cannot be read or is empty.
    pub(crate) fn text(&self, path: &str) -> Option<String> {
        let text = std::fs::read_to_string(self.path(path)).ok()?;
        let text = text.trim();
        (!text.is_empty()).then(|| text.to_owned())
    }

    /// A file that holds one number.
    pub(crate) fn number<T: std::str::FromStr>(&self, path: &str) -> Option<T> {
        self.text(path)?.parse().ok()
    }

    /// Names in a folder, sorted; none where it cannot be listed.
    pub(crate) fn names(&self, path: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.path(path)).into_iter().flatten().flatten();
        let mut names: Vec<String> =
            entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort_unstable();
        names
    }

    /// Folders named `prefix` and a number (`cpu0`, `node1`), by that number.
    pub(crate) fn numbered(&self, path: &str, prefix: &str) -> Vec<(u32, String)> {
        let number = |name: &String| name.strip_prefix(prefix)?.parse().ok();
        let names = self.names(path);
        let mut all: Vec<(u32, String)> =
            names.iter().filter_map(|name| Some((number(name)?, format!("{path}/{name}")))).collect();
        all.sort_unstable();
        all
    }
}

/// A tree of made-up files.
#[cfg(test)]
pub(crate) fn made_up(files: &[(&str, &str)]) -> (tempfile::TempDir, Files) {
    let dir = tempfile::tempdir().expect("a temporary folder");
    for (path, text) in files {
        let path = dir.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
        std::fs::write(path, text).expect("a file");
    }
    let files = Files::new(dir.path());
    (dir, files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_or_empty_is_none() {
        let (_dir, files) = made_up(&[("a/b", " 12\n"), ("a/c", "\n"), ("a/d", "x")]);
        assert_eq!(files.text("/a/b").as_deref(), Some("12"));
        assert_eq!(files.number::<u32>("/a/b"), Some(12));
        assert_eq!((files.text("/a/c"), files.text("/a/e")), (None, None));
        assert_eq!(files.number::<u32>("/a/d"), None);
    }

    #[test]
    fn numbered_folders_come_by_number() {
        let (_dir, files) = made_up(&[("s/cpu10/x", "1"), ("s/cpu9/x", "1"), ("s/cpufreq/x", "1")]);
        let numbers: Vec<u32> = files.numbered("/s", "cpu").into_iter().map(|(number, _)| number).collect();
        assert_eq!(numbers, [9, 10]);
    }
}
