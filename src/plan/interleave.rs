//! Base and candidate in the same blocks: each environment that something is changed of, twice.

use crate::suite::{EnvironmentSpec, KindSpec, Suite};

/// What the base is called; the candidate keeps the suite's own id.
const BASE: &str = "-base";

/// Why a suite cannot hold both.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InterleaveError {
    /// The base's id is another environment's.
    #[error(
        "the suite {suite} has an environment {id} already, which the base would be called; give it another id"
    )]
    Taken {
        /// The suite's name.
        suite: String,
        /// The id.
        id: String,
    },
    /// Nothing would be another one.
    #[error(
        "the suite {suite} has no environment that this makes another one of; `isocost list environments` shows the kinds"
    )]
    Unchanged {
        /// The suite's name.
        suite: String,
    },
}

/// The suite with a base beside each environment that `change` makes another one of, and their ids: base, candidate.
/// `change` gets the kind and returns that of the base; `None` where the change is none for it.
///
/// # Errors
/// An id that is taken, or nothing that would be another one.
pub fn interleave(
    suite: &Suite,
    change: &dyn Fn(&KindSpec) -> Option<KindSpec>,
) -> Result<(Suite, Vec<(String, String)>), InterleaveError> {
    let mut both = suite.clone();
    let mut pairs = Vec::new();
    for one in &suite.environments {
        let Some(kind) = change(&one.kind) else { continue };
        let id = format!("{}{BASE}", one.id);
        if suite.environments.iter().any(|other| other.id == id) {
            return Err(InterleaveError::Taken { suite: suite.name.clone(), id });
        }
        pairs.push((id.clone(), one.id.clone()));
        both.environments.push(EnvironmentSpec { id, kind, ..one.clone() });
    }
    if pairs.is_empty() {
        return Err(InterleaveError::Unchanged { suite: suite.name.clone() });
    }
    Ok((both, pairs))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::suite::{KernelChoice, load};

    #[test]
    fn each_environment_that_changes_is_there_twice() {
        let suite = load("quick").unwrap();
        let other = |kind: &KindSpec| match kind {
            KindSpec::Qemu(spec) => {
                Some(KindSpec::Qemu(crate::suite::QemuSpec { kernel: KernelChoice::Host, ..spec.clone() }))
            }
            _ => None,
        };
        let (both, pairs) = interleave(&suite, &other).unwrap();
        assert_eq!(pairs[0], ("qemu-base".to_owned(), "qemu".to_owned()));
        assert_eq!(both.environments.len(), suite.environments.len() + pairs.len());
        crate::suite::check(&both).unwrap();
        let find = |id: &str| both.environments.iter().find(|one| one.id == id).unwrap();
        assert_eq!(find("qemu").workloads, find("qemu-base").workloads);
        assert_ne!(find("qemu").kind, find("qemu-base").kind);
        let blocks = crate::plan::make(&both, 1).blocks;
        assert!(blocks.iter().all(|block| block.cells.iter().any(|cell| cell.environment == "qemu-base")));
    }

    #[test]
    fn what_cannot_be_is_named() {
        let suite = load("quick").unwrap();
        assert_eq!(interleave(&suite, &|_| None), Err(InterleaveError::Unchanged { suite: "quick".into() }));
        let (both, _) = interleave(&suite, &|kind| Some(kind.clone())).unwrap();
        assert!(matches!(interleave(&both, &|kind| Some(kind.clone())), Err(InterleaveError::Taken { .. })));
    }
}
