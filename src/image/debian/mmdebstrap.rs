//! A recipe as a command line of mmdebstrap, which makes the tar file of the root file system.

use std::ffi::OsString;
use std::path::Path;

use super::super::error::ImageError;
use super::super::initramfs::ExtraFile;
use super::super::program::Program;
use super::Recipe;

const MMDEBSTRAP: Program = Program {
    name: "mmdebstrap",
    package: "mmdebstrap",
    next: "look at the network, and on a host that is not Debian at the package debian-archive-keyring",
};

/// Nothing is booted by an initrd of the system's own (Isocost makes one), and building it takes a third of the time.
const NO_INITRD: (&str, &str) = ("INITRD", "No");

/// What no machine reads, and that the files need not be safe from a power cut while they are unpacked.
const DPKG_OPTIONS: [&str; 4] = [
    "force-unsafe-io",
    "path-exclude=/usr/share/man/*",
    "path-exclude=/usr/share/doc/*",
    "path-exclude=/usr/share/locale/*",
];

/// Makes the tar file `tree`; `folder` is for what is needed on the way.
///
/// # Errors
/// Where mmdebstrap is missing or fails.
pub(super) fn root_tree(recipe: &Recipe, folder: &Path, tree: &Path) -> Result<(), ImageError> {
    let files = folder.join("files.tar");
    std::fs::write(&files, tar_of(&recipe.files)?).map_err(ImageError::io("write", &files))?;
    let arguments = arguments(recipe, &files, tree);
    MMDEBSTRAP.run(&arguments, folder, &[NO_INITRD, ("DEBIAN_FRONTEND", "noninteractive")])?;
    Ok(())
}

fn arguments(recipe: &Recipe, files: &Path, tree: &Path) -> Vec<OsString> {
    let mut arguments = vec!["--quiet".into(), "--variant=minbase".into()];
    arguments.extend(DPKG_OPTIONS.map(|option| format!("--dpkgopt={option}")));
    arguments.push(format!("--include={}", recipe.packages.join(",")));
    arguments.push(format!("--customize-hook=tar-in {} /", quoted(&files.to_string_lossy())));
    let inside = |command: &String| format!("--customize-hook=chroot \"$1\" sh -ec {}", quoted(command));
    arguments.extend(recipe.commands.iter().map(inside));
    let mut arguments: Vec<OsString> = arguments.into_iter().map(OsString::from).collect();
    arguments.extend(["--".into(), recipe.suite.clone().into(), tree.as_os_str().to_owned()]);
    arguments.extend(recipe.mirror.as_ref().map(OsString::from));
    arguments
}

/// One word for a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Owned by root, dated 0; the folders above each file are there already or are made by tar.
fn tar_of(files: &[ExtraFile]) -> Result<Vec<u8>, ImageError> {
    let mut builder = tar::Builder::new(Vec::new());
    for file in files {
        let bad = |why| ImageError::BadEntry { path: file.path.clone(), why };
        let name = file.path.strip_prefix('/').ok_or_else(|| bad("it is not absolute"))?;
        let mut header = tar::Header::new_gnu();
        header.set_size(file.bytes.len() as u64);
        header.set_mode(file.mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        builder
            .append_data(&mut header, name, file.bytes.as_slice())
            .map_err(|_| bad("tar has no such path"))?;
    }
    builder.into_inner().map_err(|e| ImageError::malformed("the files of the recipe", e))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn recipe() -> Recipe {
        Recipe {
            suite: "bookworm".into(),
            mirror: None,
            packages: vec!["systemd-sysv".into(), "linux-image-cloud-amd64".into()],
            files: vec![ExtraFile {
                path: "/etc/hostname".into(),
                bytes: b"machine\n".to_vec(),
                mode: 0o644,
            }],
            commands: vec!["echo 'it''s'".into()],
            disk_bytes: 1 << 30,
        }
    }

    #[test]
    fn the_line_in_full() {
        let words = arguments(&recipe(), Path::new("/c c/files.tar"), Path::new("/c c/root.tar"));
        let words: Vec<&str> = words.iter().map(|word| word.to_str().unwrap()).collect();
        assert_eq!(
            words,
            [
                "--quiet",
                "--variant=minbase",
                "--dpkgopt=force-unsafe-io",
                "--dpkgopt=path-exclude=/usr/share/man/*",
                "--dpkgopt=path-exclude=/usr/share/doc/*",
                "--dpkgopt=path-exclude=/usr/share/locale/*",
                "--include=systemd-sysv,linux-image-cloud-amd64",
                "--customize-hook=tar-in '/c c/files.tar' /",
                r#"--customize-hook=chroot "$1" sh -ec 'echo '\''it'\'''\''s'\'''"#,
                "--",
                "bookworm",
                "/c c/root.tar",
            ]
        );
    }

    #[test]
    fn a_mirror_comes_last() {
        let recipe = Recipe { mirror: Some("http://deb.example.org/debian".into()), ..recipe() };
        let words = arguments(&recipe, Path::new("/f"), Path::new("/t"));
        assert_eq!(words.last().unwrap(), "http://deb.example.org/debian");
    }

    #[test]
    fn files_keep_their_modes_and_belong_to_root() {
        let bytes = tar_of(&recipe().files).unwrap();
        let mut archive = tar::Archive::new(bytes.as_slice());
        let entry = archive.entries().unwrap().next().unwrap().unwrap();
        let header = entry.header();
        assert_eq!(entry.path().unwrap(), Path::new("etc/hostname"));
        assert_eq!((header.mode().unwrap(), header.uid().unwrap(), header.size().unwrap()), (0o644, 0, 8));
        let relative = [ExtraFile { path: "etc/x".into(), bytes: Vec::new(), mode: 0o644 }];
        assert!(matches!(tar_of(&relative), Err(ImageError::BadEntry { .. })));
    }
}
