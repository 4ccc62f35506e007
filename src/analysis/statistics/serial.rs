//! Do successive values depend on each other? The rank version of von Neumann's ratio (Bartels 1982).
//!
//! The ratio of the squared steps between neighbours to the squared distances from the mean is near 2 where they do not,
//! and smaller where a value is like the one before: drift, or a state of the host that outlasts a block.

use super::normal;

/// Fewer values say nothing about their order.
pub const FEWEST: usize = 10;

/// The probability of steps between neighbours as small as these, were the order of no meaning; `None` for fewer than
/// [`FEWEST`] values, or where all are equal.
#[must_use]
pub fn p(in_order: &[f64]) -> Option<f64> {
    let n = in_order.len() as f64;
    if in_order.len() < FEWEST {
        return None;
    }
    let ranks = mean_ranks(in_order);
    let mean = (n + 1.0) / 2.0;
    let spread: f64 = ranks.iter().map(|rank| (rank - mean).powi(2)).sum();
    let steps: f64 = ranks.windows(2).map(|two| (two[0] - two[1]).powi(2)).sum();
    if spread == 0.0 {
        return None;
    }
    let variance =
        4.0 * (n - 2.0) * (5.0 * n * n - 2.0 * n - 9.0) / (5.0 * n * (n + 1.0) * (n - 1.0).powi(2));
    Some(normal::cdf((steps / spread - 2.0) / variance.sqrt()))
}

fn mean_ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut before = 0;
    for tied in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let rank = before as f64 + (tied.len() as f64 + 1.0) / 2.0;
        tied.iter().for_each(|&at| ranks[at] = rank);
        before += tied.len();
    }
    ranks
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn drift_is_seen_and_alternation_is_not() {
        let drift: Vec<f64> = (0..20).map(f64::from).collect();
        assert!(p(&drift).unwrap() < 1e-4);
        let alternating: Vec<f64> = (0..20).map(|i| f64::from(i % 2)).collect();
        assert!(p(&alternating).unwrap() > 0.99);
        assert_eq!((p(&drift[..9]), p(&[1.0; 20])), (None, None));
    }

    #[test]
    fn the_ratio_worked_out_by_hand() {
        let values = [
            528.0, 348.0, 264.0, -20.0, -167.0, 575.0, 410.0, -4.0, 430.0, -122.0, 300.0, 340.0, 490.0, 480.0,
        ];
        // Ranks give 1.77582, so z = -0.44386.
        assert!((p(&values).unwrap() - 0.328_571).abs() < 1e-5);
        assert_eq!(mean_ranks(&[3.0, 1.0, 3.0, 2.0]), [3.5, 1.0, 3.5, 2.0]);
    }
}
