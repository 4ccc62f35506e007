//! Unpacks the kernel and its modules out of a Debian package, without dpkg and without trust in its paths.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Component, Path, PathBuf};

use super::super::compression::{Compression, reader};
use super::super::error::ImageError;

/// No kernel package unpacks to more.
const MAX_UNPACKED_BYTES: u64 = 2 << 30;

/// No kernel package has more files.
const MAX_FILES: usize = 50_000;

/// Unpacks `boot/vmlinuz-*` and `lib/modules/**` (also below `usr/`) of `package` into `folder`;
/// returns the path of each file, relative to `folder`.
pub(super) fn unpack(package: &Path, folder: &Path) -> Result<Vec<PathBuf>, ImageError> {
    let file = File::open(package).map_err(ImageError::io("open", package))?;
    let what = package.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut archive = ar::Archive::new(BufReader::new(file));
    while let Some(entry) = archive.next_entry() {
        let entry = entry.map_err(|e| ImageError::malformed(&what, e))?;
        let name = String::from_utf8_lossy(entry.header().identifier()).into_owned();
        if name.starts_with("data.tar") {
            let data = reader(Compression::of_name(&name), entry, &what)?;
            return unpack_tar(data, folder, &what);
        }
    }
    Err(ImageError::malformed(what, "it has no data.tar"))
}

/// The same of the tar file `data`; `what` names it in errors.
pub(super) fn unpack_tar(data: impl Read, folder: &Path, what: &str) -> Result<Vec<PathBuf>, ImageError> {
    let damaged = |e: std::io::Error| ImageError::malformed(what, e);
    let mut archive = tar::Archive::new(data.take(MAX_UNPACKED_BYTES + 1));
    let (mut files, mut total) = (Vec::new(), 0);
    for entry in archive.entries().map_err(damaged)? {
        let mut entry = entry.map_err(damaged)?;
        let Some(path) = kept(&entry.path().map_err(damaged)?, what)? else { continue };
        if !entry.header().entry_type().is_file() {
            continue;
        }
        total += entry.size();
        if total > MAX_UNPACKED_BYTES || files.len() >= MAX_FILES {
            return Err(ImageError::TooLarge { what: what.to_owned(), cap_bytes: MAX_UNPACKED_BYTES });
        }
        write_file(&mut entry, &folder.join(&path), what)?;
        files.push(path);
    }
    Ok(files)
}

/// Where a path of the package goes; `None` for what is not needed.
fn kept(path: &Path, what: &str) -> Result<Option<PathBuf>, ImageError> {
    let mut parts = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(part) => parts.push(part),
            Component::CurDir | Component::RootDir => {}
            Component::ParentDir | Component::Prefix(_) => {
                return Err(ImageError::malformed(what, format!("it has the path {}", path.display())));
            }
        }
    }
    let clean: PathBuf = parts.iter().skip(usize::from(parts.first().is_some_and(|p| *p == "usr"))).collect();
    let text = clean.to_string_lossy();
    let wanted = text.starts_with("boot/vmlinuz-") || text.starts_with("lib/modules/");
    Ok(wanted.then_some(clean))
}

fn write_file(entry: &mut impl Read, path: &Path, what: &str) -> Result<(), ImageError> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(ImageError::io("create", parent))?;
    }
    let mut file = File::create_new(path).map_err(ImageError::io("create", path))?;
    std::io::copy(entry, &mut file).map_err(|e| ImageError::malformed(what, e))?;
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::io::Write;

    fn tar_of(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (path, bytes) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o600);
            // Written by hand: the library refuses to make hostile paths.
            header.as_gnu_mut().unwrap().name[..path.len()].copy_from_slice(path.as_bytes());
            header.set_cksum();
            builder.append(&header, *bytes).unwrap();
        }
        builder.into_inner().unwrap()
    }

    fn deb_of(folder: &Path, data_name: &str, data: &[u8]) -> PathBuf {
        let path = folder.join("linux-image_1_amd64.deb");
        let mut builder = ar::Builder::new(File::create(&path).unwrap());
        for (name, bytes) in [("debian-binary", &b"2.0\n"[..]), (data_name, data)] {
            builder.append(&ar::Header::new(name.into(), bytes.len() as u64), bytes).unwrap();
        }
        path
    }

    #[test]
    fn keeps_the_kernel_and_its_modules_only() {
        let folder = tempfile::tempdir().unwrap();
        let data = tar_of(&[
            ("./boot/vmlinuz-6.1.0", b"kernel"),
            ("./usr/lib/modules/6.1.0/kernel/a.ko", b"module"),
            ("./usr/share/doc/x", b"text"),
        ]);
        let deb = deb_of(folder.path(), "data.tar", &data);
        let out = folder.path().join("out");
        let files = unpack(&deb, &out).unwrap();
        assert_eq!(files, [Path::new("boot/vmlinuz-6.1.0"), Path::new("lib/modules/6.1.0/kernel/a.ko")]);
        assert_eq!(std::fs::read(out.join("lib/modules/6.1.0/kernel/a.ko")).unwrap(), b"module");
    }

    #[test]
    fn a_path_that_climbs_out_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        for path in ["./lib/modules/../../../escaped", "../lib/modules/x", "/lib/modules/../../../etc/x"] {
            let deb = deb_of(folder.path(), "data.tar", &tar_of(&[(path, b"x")]));
            let error = unpack(&deb, &folder.path().join("out")).unwrap_err();
            assert!(matches!(error, ImageError::Malformed { .. }), "{path}: {error}");
        }
        assert!(!folder.path().join("escaped").exists());
    }

    #[test]
    fn a_cut_off_package_is_malformed() {
        let folder = tempfile::tempdir().unwrap();
        let mut xz = Vec::new();
        let mut noise = vec![0_u8; 20_000];
        noise.iter_mut().zip(0_u32..).for_each(|(b, i)| *b = (i.wrapping_mul(2_654_435_761) >> 24) as u8);
        let data = tar_of(&[("./boot/vmlinuz-6.1.0", &noise)]);
        liblzma::read::XzEncoder::new(&data[..], 1).read_to_end(&mut xz).unwrap();
        let deb = deb_of(folder.path(), "data.tar.xz", &xz);
        let whole = std::fs::read(&deb).unwrap();
        for length in [0, 7, 60, 100, whole.len() / 2] {
            File::create(&deb).unwrap().write_all(&whole[..length]).unwrap();
            let out = tempfile::tempdir().unwrap();
            assert!(matches!(unpack(&deb, out.path()), Err(ImageError::Malformed { .. })), "{length}");
        }
    }

    #[test]
    fn sizes_that_lie_are_not_believed() {
        let folder = tempfile::tempdir().unwrap();
        let mut header = tar::Header::new_gnu();
        header.set_path("lib/modules/6.1.0/a.ko").unwrap();
        header.set_size(3 << 30);
        header.set_cksum();
        let deb = deb_of(folder.path(), "data.tar", header.as_bytes());
        let error = unpack(&deb, &folder.path().join("out")).unwrap_err();
        assert!(matches!(error, ImageError::TooLarge { .. }), "{error}");
    }
}
