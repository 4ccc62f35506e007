#![allow(clippy::unwrap_used)]

use std::os::unix::fs::FileExt;

use super::*;

#[test]
fn mke2fs_leaves_nothing_to_the_background_and_nothing_to_chance() {
    let arguments = make::mke2fs_arguments(None, Path::new("/x/image"));
    let line: Vec<_> = arguments.iter().map(|a| a.to_str().unwrap()).collect();
    let line = line.join(" ");
    for part in
        ["hash_seed=", "lazy_itable_init=0", "lazy_journal_init=0", "-U 69736f63", "-O none,", "-t ext4"]
    {
        assert!(line.contains(part), "{part} is not in {line}");
    }
    assert!(line.ends_with(" /x/image") && !line.contains(" -d "));
    let with_tree = make::mke2fs_arguments(Some(Path::new("/tree")), Path::new("/x/image"));
    assert_eq!(with_tree[with_tree.len() - 3..], ["-d", "/tree", "/x/image"]);
}

#[test]
fn an_overlay_names_its_base_and_the_base_s_format() {
    let arguments = make::overlay_arguments(Path::new("/b.raw"), Path::new("/o.qcow2"));
    assert_eq!(arguments, ["create", "-q", "-f", "qcow2", "-F", "raw", "-b", "/b.raw", "/o.qcow2"]);
}

#[test]
fn a_base_image_is_the_same_each_time_and_repaired() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let bytes = 64 << 20;
    let Base { path: first, digest: told } = base(one.path(), bytes).unwrap();
    let digest = copy::sparse_digest(&first).unwrap();
    assert_eq!(told, digest);
    let other = base(two.path(), bytes).unwrap().path;
    assert_eq!(std::fs::read(&first).unwrap(), std::fs::read(&other).unwrap());
    assert_eq!(std::fs::metadata(&first).unwrap().len(), bytes);
    assert!(allocated_bytes(&first).unwrap() < 2 << 20, "{}", allocated_bytes(&first).unwrap());
    assert!(std::fs::metadata(&first).unwrap().permissions().readonly());

    let damaged = tempfile::NamedTempFile::new_in(one.path()).unwrap();
    damaged.as_file().set_len(bytes).unwrap();
    damaged.persist(&first).unwrap();
    assert_eq!(base(one.path(), bytes).unwrap().path, first);
    assert_eq!(copy::sparse_digest(&first).unwrap(), digest);
}

#[test]
fn qemu_is_asked_what_it_opens_an_image_by() {
    let folder = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
    let image = folder.path().join("a,b.d").join("ext4");
    std::fs::create_dir(image.parent().unwrap()).unwrap();
    std::fs::File::create(&image).unwrap().set_len(1 << 20).unwrap();
    assert!(opens(&image, "threads"));
    assert!(!opens(&image, "nothing"));
    assert!(!opens(&image.with_extension("none"), "threads"));
}

#[test]
fn a_copy_is_equal_sparse_and_writable() {
    let folder = tempfile::tempdir().unwrap();
    let from = folder.path().join("from");
    let file = std::fs::File::create(&from).unwrap();
    file.set_len((10 << 20) + 17).unwrap();
    file.write_all_at(b"start", 0).unwrap();
    file.write_all_at(b"middle", (5 << 20) + 4095).unwrap();
    file.write_all_at(b"end", (10 << 20) + 14).unwrap();
    std::fs::set_permissions(&from, std::os::unix::fs::PermissionsExt::from_mode(0o444)).unwrap();
    let copied = raw_copy(&from, folder.path()).unwrap();
    assert_eq!(std::fs::read(&from).unwrap(), std::fs::read(&copied).unwrap());
    assert!(allocated_bytes(&copied).unwrap() < 1 << 20);
    assert!(!std::fs::metadata(&copied).unwrap().permissions().readonly());
    assert_eq!(copy::sparse_digest(&from).unwrap(), copy::sparse_digest(&copied).unwrap());
}

#[test]
fn a_tree_becomes_a_disk() {
    let folder = tempfile::tempdir().unwrap();
    let tree = folder.path().join("tree");
    std::fs::create_dir_all(tree.join("etc")).unwrap();
    std::fs::write(tree.join("etc/name"), b"guest").unwrap();
    let image = folder.path().join("disk.raw");
    from_tree(&tree, 32 << 20, &image).unwrap();
    let shown = std::process::Command::new("debugfs")
        .args(["-R", "cat /etc/name"])
        .arg(&image)
        .env("PATH", "/usr/sbin:/sbin:/usr/bin")
        .output()
        .unwrap();
    assert_eq!(shown.stdout, b"guest");
}

#[test]
fn a_disk_that_is_too_small_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let tree = folder.path().join("tree");
    std::fs::create_dir(&tree).unwrap();
    std::fs::write(tree.join("big"), vec![7; 8 << 20]).unwrap();
    let error = from_tree(&tree, 4 << 20, &folder.path().join("disk.raw")).unwrap_err();
    assert!(matches!(error, ImageError::ProgramFailed { .. }), "{error}");
}
