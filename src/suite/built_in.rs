//! The suites that are part of the program: files like a user's own.

use std::collections::BTreeMap;

/// Name and text of each.
#[must_use]
pub fn built_in() -> BTreeMap<&'static str, &'static str> {
    BTreeMap::from([
        ("quick", include_str!("../../suites/quick.toml")),
        ("standard", include_str!("../../suites/standard.toml")),
    ])
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use isocost_agent::protocol::Workload;

    use super::*;
    use crate::suite::{KindSpec, Suite, WORKLOADS, load, warnings};

    #[test]
    fn each_parses_under_its_name_without_a_warning() {
        for name in built_in().keys() {
            let suite = load(name).unwrap();
            assert_eq!(suite.name, *name);
            assert!(!suite.description.is_empty());
            assert_eq!(warnings(&suite), Vec::<String>::new());
        }
    }

    fn kinds(suite: &Suite) -> [bool; 3] {
        let any = |wanted: fn(&KindSpec) -> bool| suite.environments.iter().any(|one| wanted(&one.kind));
        [
            any(|kind| matches!(kind, KindSpec::Native(_))),
            any(|kind| matches!(kind, KindSpec::Docker(_))),
            any(|kind| matches!(kind, KindSpec::Qemu(_))),
        ]
    }

    #[test]
    fn each_has_all_kinds_and_every_piece_of_work() {
        for name in built_in().keys() {
            let suite = load(name).unwrap();
            assert_eq!(kinds(&suite), [true; 3], "{name}");
            let runs = |workload: Workload| suite.workloads.iter().any(|one| one.run == workload);
            let missing: Vec<_> = WORKLOADS.iter().filter(|(_, workload)| !runs(*workload)).collect();
            assert!(missing.is_empty(), "{name} lacks {missing:?}");
        }
    }
}
