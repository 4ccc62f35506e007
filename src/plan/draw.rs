//! The order of everything, drawn from the seed.
//!
//! ChaCha8 keyed with the seed, one stream a block: a block's order depends on the seed, its index and the suite's ids
//! only, so a longer plan begins as a shorter one does. Shuffling is Fisher and Yates', written out here because a
//! library's may draw otherwise in its next version, and a plan must not.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::{Block, Cell, Plan, Role};
use crate::suite::{EnvironmentSpec, Suite};

/// The plan of a suite: cold blocks, warm-ups, measured blocks.
#[must_use]
pub fn make(suite: &Suite, seed: u64) -> Plan {
    let times = |role, count| (0..count).map(move |_| role);
    let roles = times(Role::Cold, suite.blocks.cold)
        .chain(times(Role::WarmUp, suite.blocks.warm_up))
        .chain(times(Role::Measured, suite.blocks.count));
    let blocks = (0..).zip(roles).map(|(index, role)| block(suite, seed, index, role)).collect();
    Plan { suite: suite.clone(), seed, blocks }
}

/// The block with that index, whether a plan has it or not.
#[must_use]
pub fn block(suite: &Suite, seed: u64, index: u32, role: Role) -> Block {
    let mut source = source(seed, index);
    let mut environments: Vec<&EnvironmentSpec> = suite.environments.iter().collect();
    shuffle(&mut environments, &mut source);
    let mut workloads: Vec<&str> = suite.workloads.iter().map(|one| one.id.as_str()).collect();
    shuffle(&mut workloads, &mut source);
    let cell = |environment: &EnvironmentSpec| Cell {
        environment: environment.id.clone(),
        workloads: if role == Role::Cold { Vec::new() } else { of(environment, &workloads) },
    };
    Block { index, role, cells: environments.into_iter().map(cell).collect() }
}

/// The environment's own workloads, in the block's order.
fn of(environment: &EnvironmentSpec, order: &[&str]) -> Vec<String> {
    let runs =
        |id: &&&str| environment.workloads.as_ref().is_none_or(|own| own.iter().any(|one| one == **id));
    order.iter().filter(runs).map(|id| (*id).to_owned()).collect()
}

fn source(seed: u64, block: u32) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    let mut source = ChaCha8Rng::from_seed(key);
    source.set_stream(u64::from(block));
    source
}

fn shuffle<T>(list: &mut [T], source: &mut ChaCha8Rng) {
    for last in (1..list.len()).rev() {
        let other = below(last as u64 + 1, source);
        list.swap(last, usize::try_from(other).unwrap_or(last));
    }
}

/// A number below `bound`, each as likely as the others: draws that would favour some are thrown away.
fn below(bound: u64, source: &mut ChaCha8Rng) -> u64 {
    let fair = u64::MAX - u64::MAX % bound;
    loop {
        let drawn = source.next_u64();
        if drawn < fair {
            return drawn % bound;
        }
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
