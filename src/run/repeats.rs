//! Which blocks are measured again, and which then stand for which.
//!
//! Chosen by the host's counters alone, whole blocks at a time: every environment loses the same stretch of time, so no
//! environment is favoured. A disturbed block is left out only when an undisturbed one stands for it; a repeat that was
//! disturbed too is left out itself. So as many blocks are analysed as were planned, whatever the host did.

use std::collections::{BTreeSet, VecDeque};

/// A run's repeats, as far as it has come.
#[derive(Debug)]
pub(super) struct Repeats {
    /// Blocks that may still be measured again.
    left: u32,
    /// Measured blocks of the plan that were done.
    done: u32,
    /// Disturbed ones for which nothing stands yet, in the order they came.
    waiting: VecDeque<u32>,
    /// The index of the next repeat.
    next: u32,
}

/// What the part of a run that was cut off had come to.
#[derive(Debug, Default)]
pub(super) struct Before {
    /// Measured blocks of the plan that were done, in their order.
    pub done: Vec<u32>,
    /// Blocks of the plan that were disturbed.
    pub disturbed: BTreeSet<u32>,
    /// Those for which another stands.
    pub replaced: BTreeSet<u32>,
    /// Repeats that were begun.
    pub repeated: u32,
    /// Repeats of which it is known what became of them.
    pub settled: u32,
    /// The index behind the last repeat's.
    pub next: u32,
}

impl Before {
    /// Is there a disturbed block for which nothing stands?
    pub(super) fn waits(&self) -> bool {
        self.done.iter().any(|block| self.disturbed.contains(block) && !self.replaced.contains(block))
    }
}

/// What became of a repeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Settled {
    /// This block is left out of the analysis.
    pub set_aside: u32,
    /// Because this one stands for it; `None`: it was a repeat, and disturbed too.
    pub by: Option<u32>,
}

impl Repeats {
    /// Of `planned` measured blocks at most `limit` are measured again (by default a quarter); their indices go on from
    /// `next`.
    pub(super) fn new(planned: u32, limit: Option<u32>, next: u32) -> Self {
        let left = limit.unwrap_or_else(|| planned.div_ceil(4));
        Self { left, done: 0, waiting: VecDeque::new(), next }
    }

    /// Goes on where the part before it was cut off. The repeat in which it was cut stands for nothing and takes no
    /// other one's place; those that were settled are of the limit.
    pub(super) fn go_on(&mut self, before: &Before) {
        for block in &before.done {
            self.done(*block, before.disturbed.contains(block) && !before.replaced.contains(block));
        }
        self.left = self.left.saturating_sub(before.settled);
        self.next = self.next.max(before.next);
    }

    /// A measured block of the plan was done.
    pub(super) fn done(&mut self, block: u32, disturbed: bool) {
        self.done += 1;
        if disturbed {
            self.waiting.push_back(block);
        }
    }

    /// Measured blocks of the plan so far.
    pub(super) fn measured(&self) -> u32 {
        self.done
    }

    /// The index of the next repeat and the block it is to stand for. None where none waits, where the limit is reached,
    /// and where most of the run was disturbed: a few quiet blocks would not make it a quiet run.
    pub(super) fn next(&mut self) -> Option<(u32, u32)> {
        let most = self.waiting.len() as u64 * 2 > u64::from(self.done);
        let of = *self.waiting.front().filter(|_| self.left > 0 && !most)?;
        self.left -= 1;
        self.next += 1;
        Some((self.next - 1, of))
    }

    /// A repeat ended.
    pub(super) fn ended(&mut self, repeat: u32, disturbed: bool) -> Option<Settled> {
        if disturbed {
            return Some(Settled { set_aside: repeat, by: None });
        }
        let set_aside = self.waiting.pop_front()?;
        Some(Settled { set_aside, by: Some(repeat) })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_quiet_repeat_stands_for_the_block_and_a_disturbed_one_for_none() {
        let mut repeats = Repeats::new(8, None, 10);
        (2..10).for_each(|block| repeats.done(block, [3, 5].contains(&block)));
        assert_eq!(repeats.next(), Some((10, 3)));
        assert_eq!(repeats.ended(10, true), Some(Settled { set_aside: 10, by: None }));
        assert_eq!(repeats.next(), Some((11, 3)));
        assert_eq!(repeats.ended(11, false), Some(Settled { set_aside: 3, by: Some(11) }));
        // A quarter of eight is two.
        assert_eq!((repeats.next(), repeats.waiting.len()), (None, 1));
    }

    #[test]
    fn a_run_that_was_mostly_disturbed_is_not_mended() {
        let mut repeats = Repeats::new(4, Some(9), 4);
        (0..4).for_each(|block| repeats.done(block, block < 3));
        assert_eq!((repeats.next(), repeats.waiting.len()), (None, 3));
        let mut off = Repeats::new(4, Some(0), 4);
        (0..4).for_each(|block| off.done(block, block == 1));
        assert_eq!(off.next(), None);
    }

    proptest! {
        /// As many blocks as planned are analysed, whatever is disturbed.
        #[test]
        fn as_many_stand_as_were_planned(
            disturbed in proptest::collection::vec(any::<bool>(), 1..20),
            again in proptest::collection::vec(any::<bool>(), 40),
            limit in proptest::option::of(0u32..30),
        ) {
            let planned = u32::try_from(disturbed.len()).unwrap();
            let mut repeats = Repeats::new(planned, limit, planned);
            (0..).zip(&disturbed).for_each(|(block, one)| repeats.done(block, *one));
            let mut aside = std::collections::BTreeSet::new();
            let mut all = planned;
            while let Some((repeat, _)) = repeats.next() {
                all += 1;
                let settled = repeats.ended(repeat, again[(repeat - planned) as usize % 40]).unwrap();
                prop_assert!(aside.insert(settled.set_aside));
                prop_assert!(settled.by.is_none_or(|by| by == repeat));
            }
            prop_assert_eq!(all - u32::try_from(aside.len()).unwrap(), planned);
            prop_assert!(all - planned <= limit.unwrap_or(planned.div_ceil(4)));
        }
    }
}
