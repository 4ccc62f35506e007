//! Where kernels, decisions and the states of runs are kept.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::refusal::Refusal;

/// The folder that was asked for, or the user's own for such things (XDG Base Directory Specification).
///
/// # Errors
/// Where neither is known.
pub(super) fn folder(asked: Option<&Path>) -> Result<PathBuf, Refusal> {
    let folder = find(asked, |name| std::env::var_os(name))?;
    std::path::absolute(&folder)
        .map_err(|error| Refusal::usage(format!("cannot use {} as the cache: {error}", folder.display())))
}

fn find(asked: Option<&Path>, variable: impl Fn(&str) -> Option<OsString>) -> Result<PathBuf, Refusal> {
    if asked.is_some_and(|asked| asked.as_os_str().is_empty()) {
        return Err(Refusal::usage(
            "--cache, or the variable ISOCOST_CACHE, is empty: name a folder, or unset it",
        ));
    }
    if let Some(asked) = asked {
        return Ok(asked.to_owned());
    }
    // The specification has relative ones ignored.
    let absolute = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")));
    base.map(|base| base.join("isocost")).ok_or_else(|| {
        Refusal::usage("there is no place for the cache: HOME is not set; name one with --cache DIR")
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked_for_then_xdg_then_home() {
        let known = |name: &str| Some(OsString::from(if name == "HOME" { "/home/me" } else { "/xdg" }));
        assert_eq!(find(Some(Path::new("here")), known).unwrap(), Path::new("here"));
        assert_eq!(find(None, known).unwrap(), Path::new("/xdg/isocost"));
        let home_only = |name: &str| (name == "HOME").then(|| OsString::from("/home/me"));
        assert_eq!(find(None, home_only).unwrap(), Path::new("/home/me/.cache/isocost"));
        assert!(find(Some(Path::new("")), known).unwrap_err().text.contains("ISOCOST_CACHE"));
        let relative = |name: &str| (name != "HOME").then(|| OsString::from("xdg"));
        assert!(find(None, relative).unwrap_err().text.contains("--cache DIR"));
    }
}
