//! What runs that were killed have left, found by their label and removed; nothing else is ever touched.
//!
//! A run is stale when its lock can be had (see [`super::state`]). Of a stale run these go, in this order: processes
//! whose environment has `ISOCOST_RUN=<id>`, containers and images with its label, control groups named `isocost-<id>`,
//! its scratch folder, its lock.

use std::path::Path;

use super::state::{self, Stale};

mod containers;
mod groups;
mod processes;

/// What became of the clean-up of one run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cleaned {
    /// The run.
    pub run_id: String,
    /// What was removed; a phrase each.
    pub removed: Vec<String>,
    /// What is still there, why, and what to type.
    pub left: Vec<String>,
}

/// Removes what stale runs of this cache left.
///
/// # Errors
/// Where the runs cannot be listed.
pub fn clean(cache: &Path) -> std::io::Result<Vec<Cleaned>> {
    Ok(state::stale(cache)?.into_iter().map(clean_one).collect())
}

/// The same before a run, which no clean-up may keep from running: sentences for the user.
pub(super) fn stale_runs(cache: &Path) -> Vec<String> {
    let all = match clean(cache) {
        Ok(all) => all,
        Err(error) => return vec![format!("cannot look for what earlier runs left: {error}")],
    };
    all.iter().map(Cleaned::sentence).collect()
}

impl Cleaned {
    /// What was done, in a sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        let removed =
            if self.removed.is_empty() { "nothing was left".to_owned() } else { self.removed.join(", ") };
        let mut text = format!("removed of the run {}, which was killed: {removed}", self.run_id);
        if !self.left.is_empty() {
            text = format!("{text}; still there: {}", self.left.join(", "));
        }
        text
    }
}

fn clean_one(run: Stale) -> Cleaned {
    let mut cleaned = Cleaned { run_id: run.run_id.clone(), ..Cleaned::default() };
    processes::end_all(&run.run_id, &mut cleaned);
    if let Some(engine) = &run.engine {
        containers::remove_all(engine, &run.run_id, &run.lock_path, &mut cleaned);
    }
    groups::remove_all(&run.run_id, &mut cleaned);
    if cleaned.left.is_empty() {
        match run.remove() {
            Ok(true) => cleaned.removed.push("its scratch folder".to_owned()),
            Ok(false) => {}
            Err((path, error)) => {
                cleaned.left.push(format!("{} ({error}; remove it by hand)", path.display()));
            }
        }
    }
    cleaned
}
