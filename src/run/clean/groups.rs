//! Control groups of one run: folders whose name is `isocost-<id>`, or begins with that and another hyphen or dot.

use std::path::{Path, PathBuf};

use super::Cleaned;

const ROOT: &str = "/sys/fs/cgroup";

/// A run's groups are near the root: below a controller, a slice and a user's session at most.
const MOST_DEEP: u32 = 8;

/// Removes all of them.
pub(super) fn remove_all(run_id: &str, cleaned: &mut Cleaned) {
    for path in find(Path::new(ROOT), run_id) {
        match remove(&path) {
            Ok(()) => cleaned.removed.push(format!("control group {}", path.display())),
            Err(error) => {
                cleaned.left.push(format!("control group {} ({error}; rmdir it)", path.display()));
            }
        }
    }
}

fn find(root: &Path, run_id: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    walk(root, &format!("isocost-{run_id}"), MOST_DEEP, &mut found);
    found
}

fn walk(folder: &Path, wanted: &str, depth: u32, found: &mut Vec<PathBuf>) {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
        if entry.file_name().to_str().is_some_and(|name| is_of_run(name, wanted)) {
            found.push(entry.path());
        } else if depth > 0 {
            walk(&entry.path(), wanted, depth - 1, found);
        }
    }
}

fn is_of_run(name: &str, wanted: &str) -> bool {
    name.strip_prefix(wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '.']))
}

/// The kernel's files in a group go with it: only folders are removed, from the inside.
fn remove(group: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(group)?.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove(&entry.path())?;
        }
    }
    std::fs::remove_dir(group)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn names_are_of_one_run_only() {
        for (name, ours) in [
            ("isocost-r1", true),
            ("isocost-r1-native-3", true),
            ("isocost-r1.scope", true),
            ("isocost-r12", false),
            ("xisocost-r1", false),
        ] {
            assert_eq!(is_of_run(name, "isocost-r1"), ours, "{name}");
        }
    }

    #[test]
    fn groups_are_found_below_others_and_decoys_stay() {
        let root = tempfile::tempdir().unwrap();
        for path in ["cpu/isocost-r1/inner", "memory/user/isocost-r1-x", "cpu/isocost-r2", "cpu/other"] {
            std::fs::create_dir_all(root.path().join(path)).unwrap();
        }
        let found = find(root.path(), "r1");
        assert_eq!(found.len(), 2);
        found.iter().for_each(|group| remove(group).unwrap());
        assert!(root.path().join("cpu/isocost-r2").exists() && root.path().join("cpu/other").exists());
        assert!(find(root.path(), "r1").is_empty());
    }
}
