//! Mann and Whitney's U: how often new values lie above old ones, and how rarely chance does as much.

/// Pairs in which the new value lies further in `direction` (1 or −1) than the old one; ties count half.
pub(super) fn wins(new: &[f64], old: &[f64], direction: f64) -> f64 {
    let pairs = new.iter().flat_map(|a| old.iter().map(move |b| (a - b) * direction));
    pairs
        .map(|d| {
            if d > 0.0 {
                1.0
            } else if d == 0.0 {
                0.5
            } else {
                0.0
            }
        })
        .sum()
}

/// P(U ≥ wins) for `new` values among `old` ones that are exchangeable with them: exact, ties counted against it.
///
/// The number of orders with each U are the coefficients of the Gaussian binomial; doubles hold them exactly up to
/// 2⁵³, which 12 among 60 do not reach.
pub(super) fn chance(wins: f64, new: usize, old: usize) -> f64 {
    let top = new * old;
    let mut ways = vec![0.0; top + 1];
    ways[0] = 1.0;
    for i in 1..=new {
        for u in (old + i..=top).rev() {
            ways[u] -= ways[u - old - i];
        }
        for u in i..=top {
            ways[u] += ways[u - i];
        }
    }
    let from = (wins.max(0.0).floor() as usize).min(top);
    let all: f64 = ways.iter().sum();
    ways[from..].iter().sum::<f64>() / all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_above_all_of_thirty_are_one_in_5456() {
        assert!((chance(90.0, 3, 30) - 1.0 / 5456.0).abs() < 1e-12);
        assert!((chance(89.0, 3, 30) - 2.0 / 5456.0).abs() < 1e-12);
        assert!((chance(0.0, 3, 30) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn the_distribution_is_symmetric_up_to_the_largest_sizes() {
        // P(U ≥ 361) + P(U ≥ 360) = 1 where the mean is 360.
        let sum = chance(361.0, 12, 60) + chance(360.0, 12, 60);
        assert!((sum - 1.0).abs() < 1e-9, "{sum}");
    }

    #[test]
    fn ties_are_half_a_win() {
        assert_eq!(wins(&[2.0, 3.0], &[1.0, 2.0], 1.0), 3.5);
        assert_eq!(wins(&[2.0, 3.0], &[1.0, 2.0], -1.0), 0.5);
    }
}
