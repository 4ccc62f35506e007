#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::suite::load;

fn quick() -> Suite {
    load("quick").unwrap()
}

fn order(block: &Block) -> Vec<&str> {
    block.cells.iter().map(|cell| cell.environment.as_str()).collect()
}

/// Of its own ids, so that a change of a built-in suite does not move it.
fn fixed() -> Suite {
    let head = "schema = 1\n[limits]\ncpus = 1\nmemory = \"64MiB\"\n[blocks]\ncount = 4\nwarm_up = 1\n";
    let environments =
        ["a", "b", "c", "d"].map(|id| format!("[[environment]]\nid = \"{id}\"\nkind = \"native\"\n"));
    let workloads = ["v", "w", "x", "y", "z"]
        .map(|id| format!("[[workload]]\nid = \"{id}\"\nrun = \"syscall\"\nduration = \"1ms\"\n"));
    crate::suite::parse(&format!("{head}{}{}", environments.concat(), workloads.concat()), "f.toml").unwrap()
}

/// If this fails, plans made before differ from plans made now, and `--seed` no longer says what it said.
#[test]
fn the_order_of_a_seed_is_pinned() {
    let line = |block: &Block| {
        format!("{} {}: {}", block.role, order(block).join(""), block.cells[0].workloads.join(""))
    };
    let lines: Vec<_> = make(&fixed(), 42).blocks.iter().map(line).collect();
    let expected = [
        "cold bcad: ",
        "warm-up dabc: yvxwz",
        "measured dcab: xwvzy",
        "measured adbc: wxyvz",
        "measured bacd: zvxyw",
        "measured bdca: ywzxv",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn cold_comes_first_and_works_nothing() {
    let mut suite = quick();
    suite.blocks.warm_up = 2;
    let plan = make(&suite, 1);
    let roles: Vec<_> = plan.blocks.iter().map(|block| block.role).collect();
    let (cold, warm, measured) = (Role::Cold, Role::WarmUp, Role::Measured);
    assert_eq!(roles, [cold, warm, warm, measured, measured, measured, measured, measured, measured]);
    assert!(plan.blocks[0].cells.iter().all(|cell| cell.workloads.is_empty()));
}

#[test]
fn a_longer_plan_begins_as_a_shorter_one() {
    let (short, mut suite) = (make(&quick(), 9), quick());
    suite.blocks.count += 10;
    let long = make(&suite, 9);
    assert_eq!(short.blocks[..], long.blocks[..short.blocks.len()]);
}

/// Over many blocks every environment is at every place about equally often: chi-squared with 3 × 3 degrees of
/// freedom, 33.7 is exceeded by chance once in ten thousand.
#[test]
fn no_place_is_favoured() {
    let mut suite = quick();
    suite.blocks.count = 4000;
    let mut places: BTreeMap<(String, usize), f64> = BTreeMap::new();
    for block in &make(&suite, 7).blocks {
        for (place, cell) in block.cells.iter().enumerate() {
            *places.entry((cell.environment.clone(), place)).or_default() += 1.0;
        }
    }
    let expected = 4001.0 / 4.0;
    let chi: f64 = places.values().map(|seen| (seen - expected).powi(2) / expected).sum();
    assert!(places.len() == 16 && chi < 33.7, "{chi}: {places:?}");
}

proptest! {
    #[test]
    fn each_environment_is_in_each_block_once(seed: u64, count in 1u32..30) {
        let mut suite = quick();
        suite.blocks.count = count;
        let plan = make(&suite, seed);
        let all: BTreeSet<&str> = suite.environments.iter().map(|one| one.id.as_str()).collect();
        for (index, block) in plan.blocks.iter().enumerate() {
            prop_assert_eq!(block.index as usize, index);
            prop_assert_eq!(block.cells.len(), all.len());
            prop_assert_eq!(order(block).into_iter().collect::<BTreeSet<_>>(), all.clone());
        }
        prop_assert_eq!(&make(&suite, seed), &plan);
    }

    #[test]
    fn workloads_are_alike_for_every_environment_of_a_block(seed: u64) {
        let suite = quick();
        for block in make(&suite, seed).blocks.iter().filter(|block| block.role != Role::Cold) {
            let of = |id: &str| &block.cells.iter().find(|cell| cell.environment == id).unwrap().workloads;
            prop_assert_eq!(of("native"), of("docker"));
            prop_assert_eq!(of("native").len(), suite.workloads.len());
            let disk: Vec<_> = of("native").iter().filter(|id| id.starts_with("disk-")).cloned().collect();
            prop_assert_eq!(&disk, of("qemu-raw"));
        }
    }

    #[test]
    fn orders_vary_between_blocks_and_seeds(seed: u64) {
        let mut suite = quick();
        suite.blocks.count = 40;
        let plan = make(&suite, seed);
        let orders: BTreeSet<_> = plan.blocks.iter().map(order).collect();
        prop_assert!(orders.len() > 8, "{} of 24 orders", orders.len());
        prop_assert_ne!(&make(&suite, seed ^ 1).blocks, &plan.blocks);
    }
}
