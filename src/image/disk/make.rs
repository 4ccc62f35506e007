//! Makes ext4 images with mke2fs: no mount, no loop device, the same bytes each time.

use std::ffi::OsString;
use std::fs::{File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::super::cache::LockedFolder;
use super::super::error::ImageError;
use super::super::program::Program;
use super::copy::{sparse_digest, thin_copy};

const MKE2FS: Program =
    Program { name: "mke2fs", package: "e2fsprogs", next: "look at the size asked for and the space left" };
const TAR: Program = Program { name: "tar", package: "tar", next: "look at the archive and the space left" };

/// The layout of the cache; other arguments of mke2fs get another folder.
const LAYOUT: &str = "disks-1";

/// What ext4 is made of, named one by one: the same with every version of mke2fs and every mke2fs.conf.
const FEATURES: &str = "none,sparse_super,large_file,filetype,resize_inode,dir_index,ext_attr,has_journal,extent,\
                        huge_file,flex_bg,metadata_csum,64bit,dir_nlink,extra_isize";

const UUID: &str = "69736f63-6f73-7400-8000-000000000001";

/// A time other than now; 0 would mean 'not set'.
const FAKE_TIME: (&str, &str) = ("E2FSPROGS_FAKE_TIME", "1");

/// A base image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    /// Where it is.
    pub path: PathBuf,
    /// SHA-256 of its length and of each block that is not all zeros, with its place: the same for the same contents.
    pub digest: String,
}

/// An empty ext4 image of `bytes`, read-only, made once in `cache`. A damaged one is made again.
///
/// # Errors
/// Where mke2fs is missing or fails.
pub fn base(cache: &Path, bytes: u64) -> Result<Base, ImageError> {
    let folder = LockedFolder::of(cache, LAYOUT)?;
    let path = folder.path().join(format!("ext4-{bytes}.raw"));
    let beside = path.with_extension("digest");
    let kept = std::fs::read_to_string(&beside).ok();
    if let (Some(kept), Ok(digest)) = (kept, sparse_digest(&path)) {
        if kept == digest {
            return Ok(Base { path, digest });
        }
        tracing::warn!(path = %path.display(), "the kept base image was damaged and is made again");
    }
    let work = folder.making()?;
    let (formatted, made) = (work.path().join("formatted"), work.path().join("image"));
    format(None, bytes, &formatted)?;
    // mke2fs has the journal's blocks allocated; in the base they would hide what an instance adds.
    thin_copy(&formatted, &made)?;
    std::fs::set_permissions(&made, Permissions::from_mode(0o444))
        .map_err(ImageError::io("protect", &made))?;
    let digest = sparse_digest(&made)?;
    std::fs::rename(&made, &path).map_err(ImageError::io("create", &path))?;
    super::write_whole(&beside, digest.as_bytes())?;
    Ok(Base { path, digest })
}

/// An ext4 image `image` of `bytes` with the files of `tree`: a folder, or a tar file (which only root can unpack
/// with its owners and devices).
///
/// # Errors
/// Where a program is missing or fails, or a tar file is given by one who is not root.
pub fn from_tree(tree: &Path, bytes: u64, image: &Path) -> Result<(), ImageError> {
    if tree.is_dir() {
        return format(Some(tree), bytes, image);
    }
    if !rustix::process::geteuid().is_root() {
        let source = std::io::Error::new(
            std::io::ErrorKind::PermissionDenied,
            "only root can unpack its owners and devices; run as root, or give a folder",
        );
        return Err(ImageError::Io { doing: "unpack", path: tree.to_owned(), source });
    }
    let beside = image.parent().unwrap_or(Path::new("."));
    let work = tempfile::tempdir_in(beside).map_err(ImageError::io("create a folder in", beside))?;
    let root = work.path().join("root");
    std::fs::create_dir(&root).map_err(ImageError::io("create", &root))?;
    TAR.run(&tar_arguments(tree, &root), Path::new("/"), &[])?;
    format(Some(&root), bytes, image)
}

fn format(tree: Option<&Path>, bytes: u64, image: &Path) -> Result<(), ImageError> {
    let image = std::path::absolute(image).map_err(ImageError::io("find", image))?;
    let tree = tree.map(std::path::absolute).transpose().map_err(ImageError::io("find", &image))?;
    let file = File::create(&image).map_err(ImageError::io("create", &image))?;
    file.set_len(bytes).map_err(ImageError::io("set the length of", &image))?;
    MKE2FS.run(&mke2fs_arguments(tree.as_deref(), &image), Path::new("/"), &[FAKE_TIME])?;
    Ok(())
}

/// Nothing is left for the kernel to initialise in the background, where it would disturb a measurement.
pub(super) fn mke2fs_arguments(tree: Option<&Path>, image: &Path) -> Vec<OsString> {
    let extended = format!("hash_seed={UUID},lazy_itable_init=0,lazy_journal_init=0,root_owner=0:0");
    let mut arguments: Vec<OsString> =
        ["-q", "-F", "-t", "ext4", "-b", "4096", "-I", "256", "-m", "0", "-O", FEATURES, "-U", UUID, "-E"]
            .map(OsString::from)
            .to_vec();
    arguments.push(extended.into());
    if let Some(tree) = tree {
        arguments.extend(["-d".into(), tree.as_os_str().to_owned()]);
    }
    arguments.push(image.as_os_str().to_owned());
    arguments
}

pub(super) fn overlay_arguments(base: &Path, overlay: &Path) -> Vec<OsString> {
    let mut arguments: Vec<OsString> =
        ["create", "-q", "-f", "qcow2", "-F", "raw", "-b"].map(OsString::from).to_vec();
    arguments.extend([base.as_os_str().to_owned(), overlay.as_os_str().to_owned()]);
    arguments
}

fn tar_arguments(archive: &Path, root: &Path) -> Vec<OsString> {
    let mut arguments: Vec<OsString> =
        ["--extract", "--numeric-owner", "--same-owner", "--preserve-permissions", "--file"]
            .map(OsString::from)
            .to_vec();
    arguments.extend([archive.as_os_str().to_owned(), "--directory".into(), root.as_os_str().to_owned()]);
    arguments
}
