//! `isocost clean`: what killed runs have left is removed, and what was removed is said.

use std::path::Path;

use serde::Serialize;

use super::console::Console;
use super::exit::Exit;
use super::refusal::Refusal;
use crate::run::clean::{Cleaned, clean};
use crate::run::state::runs_folder;

#[derive(Serialize)]
struct Document<'a> {
    runs: Vec<RunLine<'a>>,
}

/// What became of one run.
#[derive(Serialize)]
struct RunLine<'a> {
    run_id: &'a str,
    removed: &'a [String],
    /// What is still there, and why.
    left: &'a [String],
}

/// Cleans.
///
/// # Errors
/// Where the states of runs cannot be listed.
pub(super) fn clean_up(console: Console, cache: &Path) -> Result<Exit, Refusal> {
    let all = clean(cache).map_err(|error| {
        let folder = runs_folder(cache);
        Refusal::usage(format!(
            "cannot look for runs in {}: {error}; name the cache with --cache DIR",
            folder.display()
        ))
    })?;
    let runs = all.iter().map(|one| RunLine { run_id: &one.run_id, removed: &one.removed, left: &one.left });
    if console.json {
        console.document("clean", Document { runs: runs.collect() })?;
    } else if !console.quiet {
        console.result(&text(&all, cache))?;
    }
    let left = all.iter().flat_map(|one| &one.left);
    left.clone().for_each(|what| super::console::say(&format!("still there: {what}")));
    Ok(if left.count() == 0 { Exit::Done } else { Exit::Failed })
}

fn text(all: &[Cleaned], cache: &Path) -> String {
    if all.is_empty() {
        return format!("nothing to remove: no killed run is known in {}\n", cache.display());
    }
    let one = |run: &Cleaned| {
        let removed = run.removed.iter().map(|what| format!("  removed {what}\n")).collect::<String>();
        let nothing = if removed.is_empty() { "  nothing was removed\n" } else { "" };
        format!("run {}\n{removed}{nothing}", run.run_id)
    };
    all.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_thing_has_a_line() {
        let run = |removed: &[&str]| Cleaned {
            run_id: "r-1".into(),
            removed: removed.iter().map(|&what| what.to_owned()).collect(),
            left: Vec::new(),
        };
        let all = [run(&["process 7 (cat)", "its scratch folder"]), run(&[])];
        let expected = "run r-1\n  removed process 7 (cat)\n  removed its scratch folder\nrun r-1\n  nothing was removed\n";
        assert_eq!(text(&all, Path::new("/c")), expected);
        assert!(text(&[], Path::new("/c")).contains("/c"));
    }
}
