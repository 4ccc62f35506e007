//! Fewer points that look like all of them.

/// At most `most` of sorted values, evenly spaced by rank, with the smallest and the largest.
pub(super) fn by_rank(sorted: &[f64], most: usize) -> Vec<f64> {
    if sorted.len() <= most || most < 2 {
        return sorted.to_vec();
    }
    let last = sorted.len() - 1;
    (0..most).map(|i| sorted[i * last / (most - 1)]).collect()
}

/// A line's points: of each stretch its lowest and its highest, in order, so that no peak is lost.
pub(super) fn peaks(points: &[(f64, f64)], most: usize) -> Vec<(f64, f64)> {
    if points.len() <= most {
        return points.to_vec();
    }
    let stretch = (points.len() * 2).div_ceil(most.max(2));
    let ends = |part: &[(f64, f64)]| {
        let by = |a: &&(f64, f64), b: &&(f64, f64)| a.1.total_cmp(&b.1);
        let (low, high) = (part.iter().min_by(by).copied(), part.iter().max_by(by).copied());
        let mut pair: Vec<(f64, f64)> = low.into_iter().chain(high).collect();
        pair.sort_by(|a, b| a.0.total_cmp(&b.0));
        pair
    };
    points.chunks(stretch).flat_map(ends).collect()
}

/// At most `most` of `count` indices, evenly spaced, the first and the last among them.
pub(super) fn indices(count: usize, most: usize) -> Vec<usize> {
    if count <= most || most < 2 {
        return (0..count.min(most.max(1))).collect();
    }
    (0..most).map(|i| i * (count - 1) / (most - 1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_and_peaks_stay() {
        let sorted: Vec<f64> = (0..1000).map(f64::from).collect();
        let thin = by_rank(&sorted, 10);
        assert_eq!((thin.len(), thin[0], thin[9]), (10, 0.0, 999.0));
        let line: Vec<(f64, f64)> =
            (0..1000).map(|i| (f64::from(i), if i == 501 { 9.0 } else { 1.0 })).collect();
        let thin = peaks(&line, 50);
        assert!(thin.len() <= 50 && thin.contains(&(501.0, 9.0)));
        assert!(thin.is_sorted_by(|a, b| a.0 <= b.0));
        assert_eq!((indices(10, 4), indices(2, 4), indices(0, 4)), (vec![0, 3, 6, 9], vec![0, 1], vec![]));
    }
}
