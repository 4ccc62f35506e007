#![allow(clippy::unwrap_used)]

use super::*;

fn recipe() -> Recipe {
    Recipe {
        suite: "no-such-suite".into(),
        // Nothing is asked of any host.
        mirror: Some("file:///nonexistent/isocost".into()),
        packages: vec!["linux-image-cloud-amd64".into()],
        files: Vec::new(),
        commands: Vec::new(),
        disk_bytes: 64 << 20,
    }
}

/// A kept system as far as its kernel's first bytes.
fn keep(recipe: &Recipe, cache: &Path, made: &str) {
    let folder = cache.join(LAYOUT).join(name(recipe));
    std::fs::create_dir_all(folder.join("boot")).unwrap();
    let mut vmlinux = b"\x7fELF\x02\x01\x01\0".to_vec();
    vmlinux.extend(b"Linux version 9.9.9 (x@y) and some more");
    std::fs::write(folder.join("boot/vmlinux-9.9.9"), vmlinux).unwrap();
    std::fs::write(folder.join(PACKAGES), "a 1\n").unwrap();
    let record = format!(r#"{{"suite":"{}","made":"{made}"}}"#, recipe.suite);
    std::fs::write(folder.join(RECORD), record).unwrap();
}

const DAY: Duration = Duration::from_secs(86_400);

#[test]
fn one_that_is_kept_is_used() {
    let cache = tempfile::tempdir().unwrap();
    keep(&recipe(), cache.path(), &jiff::Timestamp::now().to_string());
    let system = system(&recipe(), cache.path(), DAY).unwrap();
    assert_eq!((system.kernel.release.as_str(), system.packages.as_str()), ("9.9.9", "a 1\n"));
    assert_eq!(system.warnings, Vec::<String>::new());
}

#[test]
fn an_old_one_is_used_where_no_new_one_can_be_made_and_that_is_said() {
    let cache = tempfile::tempdir().unwrap();
    keep(&recipe(), cache.path(), "2020-01-01T00:00:00Z");
    let system = system(&recipe(), cache.path(), DAY).unwrap();
    assert!(system.warnings[0].contains("no-such-suite could not be made"), "{:?}", system.warnings);
}

#[test]
fn another_recipe_is_another_system() {
    let cache = tempfile::tempdir().unwrap();
    keep(&recipe(), cache.path(), &jiff::Timestamp::now().to_string());
    let other = Recipe { commands: vec!["true".into()], ..recipe() };
    let error = system(&other, cache.path(), DAY).unwrap_err();
    assert!(matches!(error, ImageError::ProgramFailed { .. } | ImageError::ProgramMissing { .. }), "{error}");
}
