//! A level that comes and goes: after the second return it is how the history is, not news.

use super::Change;

/// From this change of such a run on.
const NEWS: usize = 4;

/// Marks the changes of every run of at least four that go to and fro between the same two levels, all but its first
/// three: a regression, its fix and the regression once more are news, a fourth move is a habit.
pub(super) fn mark(changes: &mut [Change], smallest: f64) {
    let mut run = 1;
    for i in 1..changes.len() {
        run = if returns(&changes[i - 1], &changes[i], smallest) { run + 1 } else { 1 };
        changes[i].recurring = run >= NEWS;
    }
}

/// Does `next` undo `last`, to within the smallest change that is told or a quarter of its size?
fn returns(last: &Change, next: &Change, smallest: f64) -> bool {
    let size = (last.after - last.before).abs();
    let tolerance = (size / 4.0).max(smallest * last.before.abs());
    (next.after - last.before).abs() <= tolerance
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::regression::changes::Evidence;

    fn moves(levels: &[f64]) -> Vec<bool> {
        let pairs = levels.windows(2).map(|pair| Change {
            at: 0,
            range: (0, 0),
            before: pair[0],
            after: pair[1],
            relative: pair[1] / pair[0] - 1.0,
            evidence: Evidence::Fact,
            recurring: false,
        });
        let mut changes: Vec<Change> = pairs.collect();
        mark(&mut changes, 0.02);
        changes.iter().map(|change| change.recurring).collect()
    }

    #[test]
    fn the_fourth_move_between_two_levels_is_a_habit() {
        assert_eq!(moves(&[100.0, 110.0, 101.0, 109.0]), [false; 3]);
        assert_eq!(moves(&[100.0, 110.0, 101.0, 109.0, 100.0, 110.0]), [false, false, false, true, true]);
    }

    #[test]
    fn a_new_level_is_news_again() {
        let seen = moves(&[100.0, 110.0, 100.0, 110.0, 100.0, 150.0, 100.0]);
        assert_eq!(seen, [false, false, false, true, false, false]);
    }
}
