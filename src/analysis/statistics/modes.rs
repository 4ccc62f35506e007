//! Has a distribution more than one mode? The dip test of Hartigan and Hartigan (1985).
//!
//! The dip is the least distance between the distribution of the values and any with one mode. A skewed distribution
//! or one with a few far values has one mode and a small dip; two clusters that both hold a good share do not.

use super::order;

/// Two clusters of values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Modes {
    /// Median of the lower cluster.
    pub low: f64,
    /// How many are in it.
    pub low_count: usize,
    /// Median of the upper cluster.
    pub high: f64,
    /// How many are in it.
    pub high_count: usize,
}

/// Fewer values than this say nothing about modes.
pub const FEWEST: usize = 10;

/// The two modes of values in rising order, where one mode is refused at 0.1 %.
///
/// The level is that strict because it is asked of every row of a report. Values that their `resolution` puts on
/// few distinct steps have many modes and no meaning in them: clusters nearer than four steps are one.
#[must_use]
pub fn two(sorted: &[f64], resolution: f64) -> Option<Modes> {
    let n = sorted.len();
    if n < FEWEST || dip(sorted) <= critical(n) {
        return None;
    }
    let at = split(sorted);
    let (low, high) = sorted.split_at(at);
    let modes = Modes {
        low: order::median(low)?,
        low_count: low.len(),
        high: order::median(high)?,
        high_count: high.len(),
    };
    (modes.high - modes.low > 4.0 * resolution).then_some(modes)
}

/// The dip of values in rising order.
#[must_use]
pub fn dip(sorted: &[f64]) -> f64 {
    if sorted.is_empty() {
        return 0.0;
    }
    let steps = Steps::of(sorted);
    let mut range = (0, steps.at.len() - 1);
    let mut twice = 1.0 / sorted.len() as f64;
    loop {
        let minorant = steps.minorant(range);
        let majorant = steps.majorant(range);
        let (gap, inner) = steps.widest(&minorant, &majorant);
        if gap <= twice || inner == range {
            return twice / 2.0;
        }
        twice = twice.max(steps.above(&minorant, inner.0)).max(steps.below(&majorant, inner.1));
        range = inner;
    }
}

/// The distribution function of the values: at each distinct one, its value just before and there.
struct Steps {
    at: Vec<f64>,
    before: Vec<f64>,
    after: Vec<f64>,
}

impl Steps {
    fn of(sorted: &[f64]) -> Self {
        let n = sorted.len() as f64;
        let mut steps = Self { at: Vec::new(), before: Vec::new(), after: Vec::new() };
        let mut count = 0;
        for equal in sorted.chunk_by(|a, b| a == b) {
            steps.at.push(equal[0]);
            steps.before.push(count as f64 / n);
            count += equal.len();
            steps.after.push(count as f64 / n);
        }
        steps
    }

    /// Knots of the greatest convex function below, over a range of steps with both its ends.
    fn minorant(&self, range: (usize, usize)) -> Vec<usize> {
        self.hull(range, &self.before, |turn| turn > 0.0)
    }

    /// Knots of the least concave function above.
    fn majorant(&self, range: (usize, usize)) -> Vec<usize> {
        self.hull(range, &self.after, |turn| turn < 0.0)
    }

    fn hull(&self, (from, to): (usize, usize), height: &[f64], keeps: impl Fn(f64) -> bool) -> Vec<usize> {
        let mut knots: Vec<usize> = Vec::new();
        for next in from..=to {
            while let [.., a, b] = knots[..] {
                let turn = (self.at[b] - self.at[a]) * (height[next] - height[a])
                    - (height[b] - height[a]) * (self.at[next] - self.at[a]);
                if keeps(turn) {
                    break;
                }
                knots.pop();
            }
            knots.push(next);
        }
        knots
    }

    /// Where the two are farthest apart: the distance, and the knots around it, of the minorant to the left and of the
    /// majorant to the right.
    fn widest(&self, minorant: &[usize], majorant: &[usize]) -> (f64, (usize, usize)) {
        let mut best = (f64::NEG_INFINITY, (minorant[0], majorant[majorant.len() - 1]));
        let mut segment = 0;
        for &knot in minorant {
            while majorant[segment + 1..].first().is_some_and(|&end| end < knot) {
                segment += 1;
            }
            let right = majorant[(segment + 1).min(majorant.len() - 1)];
            let gap = self.line(&self.after, majorant[segment], right, knot) - self.before[knot];
            let right = if majorant[segment] == knot { knot } else { right };
            if gap > best.0 {
                best = (gap, (knot, right));
            }
        }
        segment = 0;
        for &knot in majorant {
            while minorant[segment + 1..].first().is_some_and(|&end| end <= knot) {
                segment += 1;
            }
            let left = minorant[segment];
            let right = minorant[(segment + 1).min(minorant.len() - 1)];
            let gap = self.after[knot] - self.line(&self.before, left, right, knot);
            if gap > best.0 {
                best = (gap, (left, knot));
            }
        }
        best
    }

    /// The height at step `x` of the line through steps `a` and `b`.
    fn line(&self, height: &[f64], a: usize, b: usize, x: usize) -> f64 {
        if a == b {
            return height[a];
        }
        height[a] + (height[b] - height[a]) * (self.at[x] - self.at[a]) / (self.at[b] - self.at[a])
    }

    /// How far the distribution rises above its minorant before step `end`.
    fn above(&self, minorant: &[usize], end: usize) -> f64 {
        let segments = minorant.windows(2).take_while(|pair| pair[0] < end);
        let over = segments.flat_map(|pair| {
            (pair[0]..pair[1]).map(|step| self.after[step] - self.line(&self.before, pair[0], pair[1], step))
        });
        over.fold(0.0, f64::max)
    }

    /// How far it falls below its majorant after step `start`.
    fn below(&self, majorant: &[usize], start: usize) -> f64 {
        let segments = majorant.windows(2).filter(|pair| pair[0] >= start);
        let under = segments.flat_map(|pair| {
            (pair[0] + 1..=pair[1])
                .map(|step| self.line(&self.after, pair[0], pair[1], step) - self.before[step])
        });
        under.fold(0.0, f64::max)
    }
}

/// Where to cut values in rising order in two, so that the squares of the distances to each part's mean are least.
fn split(sorted: &[f64]) -> usize {
    let n = sorted.len();
    // From the first value, so that large values with small differences lose nothing.
    let shifted = |at: usize| sorted[at] - sorted[0];
    let total: f64 = (0..n).map(shifted).sum();
    let mut best = (f64::NEG_INFINITY, n / 2);
    let mut sum = 0.0;
    for at in 1..n {
        sum += shifted(at - 1);
        let (left, right) = (at as f64, (n - at) as f64);
        let between = sum * sum / left + (total - sum) * (total - sum) / right;
        if between > best.0 {
            best = (between, at);
        }
    }
    best.1
}

/// √n · dip that 99.9 % of samples of `n` uniform values do not exceed; the uniform is the hardest case of one mode.
/// Made by `cargo test --release -- --ignored --nocapture dip_of_uniform_values`.
const CRITICAL: &[(usize, f64)] = &[
    (10, 0.5695),
    (12, 0.5886),
    (15, 0.6039),
    (20, 0.6203),
    (30, 0.6429),
    (50, 0.6637),
    (100, 0.6913),
    (200, 0.6942),
    (500, 0.7150),
    (1000, 0.7183),
    (5000, 0.7328),
];

fn critical(n: usize) -> f64 {
    let root = (n as f64).sqrt();
    let above = CRITICAL.partition_point(|(at, _)| *at < n);
    let scaled = match (above.checked_sub(1).and_then(|below| CRITICAL.get(below)), CRITICAL.get(above)) {
        (Some(&(from, low)), Some(&(to, high))) => {
            let share = (root - (from as f64).sqrt()) / ((to as f64).sqrt() - (from as f64).sqrt());
            low + (high - low) * share
        }
        (Some(&(_, end)), None) | (None, Some(&(_, end))) => end,
        (None, None) => f64::INFINITY,
    };
    scaled / root
}

#[cfg(test)]
#[path = "modes_tests.rs"]
mod tests;
