#![allow(clippy::unwrap_used)]

use std::path::Path;

use super::*;

/// The smallest relocatable ELF file with a `.modinfo` section.
fn elf(modinfo: &str) -> Vec<u8> {
    let names = b"\0.modinfo\0.shstrtab\0";
    let info = modinfo.as_bytes();
    let (info_at, names_at) = (64_u64, 64 + info.len() as u64);
    let headers_at = (names_at + names.len() as u64).next_multiple_of(8);
    let mut out = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    out.extend([1, 0, 62, 0, 1, 0, 0, 0]);
    out.extend([0; 16]);
    out.extend(headers_at.to_le_bytes());
    out.extend([0; 4]);
    for half in [64_u16, 0, 0, 64, 3, 2] {
        out.extend(half.to_le_bytes());
    }
    out.extend(info);
    out.extend(names);
    out.resize(headers_at as usize, 0);
    out.extend([0; 64]);
    for (name, kind, at, size) in [(1_u32, 1_u32, info_at, info.len()), (10, 3, names_at, names.len())] {
        out.extend(name.to_le_bytes());
        out.extend(kind.to_le_bytes());
        for word in [0, 0, at, size as u64, 0, 1, 0] {
            out.extend(word.to_le_bytes());
        }
    }
    out
}

fn put(folder: &Path, path: &str, bytes: &[u8]) {
    let path = folder.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

fn kernel(modules: Option<&Path>) -> Kernel {
    Kernel {
        label: "made up".into(),
        release: "1.2.3".into(),
        bzimage: None,
        vmlinux: None,
        has_pvh: false,
        sha256: String::new(),
        vmlinux_sha256: None,
        modules: modules.map(Path::to_owned),
        source: "made up".into(),
        warnings: Vec::new(),
    }
}

fn planned(folder: &Path, wanted: &[&str]) -> Result<Vec<String>, ImageError> {
    Ok(plan(&kernel(Some(folder)), wanted)?.into_iter().map(|module| module.name).collect())
}

#[test]
fn dependencies_come_first_and_once() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "kernel/virtio_ring.ko", &elf("depends=\0"));
    put(folder.path(), "kernel/virtio.ko", &elf("depends=virtio_ring\0"));
    put(folder.path(), "kernel/a/virtio-console.ko", &elf("depends=virtio,virtio-ring\0"));
    put(folder.path(), "kernel/virtio_blk.ko", &elf("depends=virtio_ring,virtio\0"));
    let names = planned(folder.path(), &["virtio-console", "virtio_blk"]).unwrap();
    assert_eq!(names, ["virtio_ring", "virtio", "virtio_console", "virtio_blk"]);
}

#[test]
fn what_is_built_in_is_skipped() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "modules.builtin", b"kernel/fs/ext4/ext4.ko\nkernel/drivers/virtio/virtio-ring.ko\n");
    put(folder.path(), "kernel/virtio_blk.ko", &elf("depends=virtio_ring\0"));
    assert_eq!(planned(folder.path(), &["ext4", "virtio_blk"]).unwrap(), ["virtio_blk"]);
}

#[test]
fn compressed_modules_are_unpacked() {
    use std::io::{Read, Write};
    let folder = tempfile::tempdir().unwrap();
    let plain = elf("depends=\0");
    let mut xz = Vec::new();
    liblzma::read::XzEncoder::new(&plain[..], 1).read_to_end(&mut xz).unwrap();
    put(folder.path(), "kernel/a.ko.xz", &xz);
    let zstd = ruzstd::encoding::compress_to_vec(&plain[..], ruzstd::encoding::CompressionLevel::Fastest);
    put(folder.path(), "kernel/b.ko.zst", &zstd);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&plain).unwrap();
    put(folder.path(), "kernel/c.ko.gz", &gzip.finish().unwrap());
    let found = plan(&kernel(Some(folder.path())), &["a", "b", "c"]).unwrap();
    assert!(found.len() == 3 && found.iter().all(|module| module.bytes == plain));
}

#[test]
fn modules_dep_is_believed_where_it_is() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "modules.dep", b"kernel/a.ko: kernel/b.ko\nkernel/b.ko:\n");
    put(folder.path(), "kernel/a.ko", &elf("depends=\0"));
    put(folder.path(), "kernel/b.ko", &elf("depends=\0"));
    assert_eq!(planned(folder.path(), &["a"]).unwrap(), ["b", "a"]);
}

#[test]
fn soft_dependencies_are_loaded_where_they_are() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "kernel/ext4.ko", &elf("softdep=pre: crc32c nowhere\0depends=crc16\0"));
    put(folder.path(), "kernel/crc16.ko", &elf("depends=\0"));
    put(folder.path(), "kernel/crc32c_generic.ko", &elf("alias=crypto-crc32c\0depends=\0"));
    put(folder.path(), "kernel/crc32c_intel.ko", &elf("alias=crypto-crc32c\0depends=\0"));
    assert_eq!(planned(folder.path(), &["ext4"]).unwrap(), ["crc32c_generic", "crc16", "ext4"]);
}

#[test]
fn a_missing_module_is_named_with_who_needs_it() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "kernel/a.ko", &elf("depends=gone\0"));
    let text = planned(folder.path(), &["a"]).unwrap_err().to_string();
    assert!(text.contains("`gone`") && text.contains("`a`") && text.contains("1.2.3"), "{text}");
    let error = planned(folder.path(), &["absent"]).unwrap_err();
    assert!(matches!(error, ImageError::ModuleMissing { needed_by: None, .. }), "{error}");
}

#[test]
fn a_circle_is_an_error_not_a_hang() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "kernel/a.ko", &elf("depends=b\0"));
    put(folder.path(), "kernel/b.ko", &elf("depends=c\0"));
    put(folder.path(), "kernel/c.ko", &elf("depends=b\0"));
    let error = planned(folder.path(), &["a"]).unwrap_err();
    assert!(error.to_string().contains("b → c → b"), "{error}");
}

#[test]
fn a_damaged_module_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let mut huge = elf("depends=\0");
    let at = huge.len() - 128 + 32;
    huge[at..at + 8].copy_from_slice(&u64::MAX.to_le_bytes());
    for bytes in [&b"not an ELF file"[..], &elf("depends=\0")[..70], &huge] {
        put(folder.path(), "kernel/a.ko", bytes);
        let error = planned(folder.path(), &["a"]).unwrap_err();
        assert!(matches!(&error, ImageError::Malformed { what, .. } if what.contains('a')), "{error}");
    }
}

#[test]
fn a_kernel_without_a_modules_folder_has_everything_built_in() {
    assert_eq!(plan(&kernel(None), &["ext4"]).unwrap(), []);
}

proptest::proptest! {
    /// Whatever the graph: an order in which each comes after all it needs, or an error.
    #[test]
    fn each_comes_after_all_it_needs(
        edges in proptest::collection::vec(proptest::collection::btree_set(0_usize..8, 0..4), 8),
    ) {
        let folder = tempfile::tempdir().unwrap();
        for (module, needs) in edges.iter().enumerate() {
            let needs: Vec<String> = needs.iter().map(|need| format!("m{need}")).collect();
            put(folder.path(), &format!("kernel/m{module}.ko"), &elf(&format!("depends={}\0", needs.join(","))));
        }
        match planned(folder.path(), &["m0", "m3"]) {
            Err(error) => {
                let circle = matches!(error, ImageError::ModuleCircle { .. });
                proptest::prop_assert!(circle, "{}", error);
            }
            Ok(order) => for (at, name) in order.iter().enumerate() {
                let module: usize = name[1..].parse().unwrap();
                for need in &edges[module] {
                    let need = format!("m{need}");
                    proptest::prop_assert!(order[..at].contains(&need), "{name} needs {need}: {order:?}");
                }
            }
        }
    }
}
