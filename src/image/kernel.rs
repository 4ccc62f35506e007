//! Which kernel a guest boots: Debian's, the host's or the user's own.

mod apt;
mod deb;
mod own;
mod store;

use std::path::{Path, PathBuf};

use super::error::ImageError;
use crate::suite::KernelChoice;

/// A kernel that is on the disk, ready to boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kernel {
    /// For people: `debian 6.1.192-2 linux-image-6.1.0-56-cloud-amd64`.
    pub label: String,
    /// As `uname -r` says it.
    pub release: String,
    /// The compressed image, if there is one.
    pub bzimage: Option<PathBuf>,
    /// The uncompressed ELF file, if there is one or one could be taken out of the bzImage.
    pub vmlinux: Option<PathBuf>,
    /// Can the vmlinux be entered by PVH (microvm needs it)?
    pub has_pvh: bool,
    /// SHA-256 of the file as its maker ships it (the bzImage, else the vmlinux), lower-case hex.
    pub sha256: String,
    /// SHA-256 of the vmlinux.
    pub vmlinux_sha256: Option<String>,
    /// `lib/modules/RELEASE`, if there is one.
    pub modules: Option<PathBuf>,
    /// Where it came from: `apt: PACKAGE=VERSION`, or a path.
    pub source: String,
    /// What the reader should know: an older kernel was taken because apt is offline, a damaged copy was made again.
    pub warnings: Vec<String>,
}

/// Finds the kernel that was asked for; Debian's is fetched by apt into `cache` if it is not there yet.
///
/// # Errors
/// What is missing or unreadable, with what to do about it.
pub fn resolve(choice: &KernelChoice, cache: &Path) -> Result<Kernel, ImageError> {
    match choice {
        KernelChoice::Debian(pin) => store::debian(pin.as_deref(), cache),
        KernelChoice::Host => own::host(cache),
        KernelChoice::Path(path) => own::at_path(path, cache),
    }
}

/// What [`resolve`] would find for [`KernelChoice::Debian`] without a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Available {
    /// As [`Kernel::label`].
    pub label: String,
    /// It is in the cache; else apt would have to fetch it.
    pub kept: bool,
    /// Why it is not what apt offers.
    pub warning: Option<String>,
}

/// Looks for Debian's kernel and fetches nothing.
///
/// # Errors
/// Why there is none.
pub fn available(cache: &Path) -> Result<Available, ImageError> {
    store::available(cache)
}

/// Unpacks the kernel and the modules of a root file system's tar file into `folder`, laid out like a kernel package.
///
/// # Errors
/// Where the file is damaged, or has no kernel.
pub(super) fn unpack_tree(tree: &Path, folder: &Path) -> Result<(), ImageError> {
    let what = tree.display().to_string();
    let file = std::fs::File::open(tree).map_err(ImageError::io("open", tree))?;
    let files = deb::unpack_tar(std::io::BufReader::new(file), folder, &what)?;
    if files.iter().any(|path| path.starts_with("boot")) {
        return Ok(());
    }
    Err(ImageError::malformed(what, "it has no boot/vmlinuz-RELEASE: no package of it brings a kernel"))
}

/// Can this text be a release, and so safely the name of a folder?
pub(super) fn is_release(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '+' | '~');
    !text.is_empty()
        && text.len() < 128
        && text.starts_with(|c: char| c.is_ascii_digit())
        && text.chars().all(allowed)
}

/// SHA-256 in lower-case hex.
pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    use sha2::Digest;
    use std::fmt::Write;
    sha2::Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
