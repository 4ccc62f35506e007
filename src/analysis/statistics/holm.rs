//! Many questions at once: the step-down correction of Holm (1979).

/// Each p adjusted, in the order given: those at most α are the ones that may be called true, with at most α for the chance
/// that any of them is false, whatever their dependence.
#[must_use]
pub fn adjusted(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
    let mut adjusted = vec![1.0; p.len()];
    let mut least: f64 = 0.0;
    for (rank, &at) in order.iter().enumerate() {
        least = least.max(p[at] * (p.len() - rank) as f64).min(1.0);
        adjusted[at] = least;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn as_r_adjusts_them() {
        // p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm")
        let found = adjusted(&[0.01, 0.04, 0.03, 0.005]);
        for (found, expected) in found.iter().zip([0.03, 0.06, 0.06, 0.02]) {
            assert!((found - expected).abs() < 1e-12, "{found} {expected}");
        }
        assert!(adjusted(&[]).is_empty());
    }

    proptest! {
        #[test]
        fn between_none_and_bonferroni(p in proptest::collection::vec(0.0..=1.0f64, 1..30)) {
            let found = adjusted(&p);
            for (adjusted, p) in found.iter().zip(&p) {
                prop_assert!(*adjusted >= *p && *adjusted <= (p * found.len() as f64).min(1.0) + 1e-12 || *adjusted <= 1.0);
            }
            let mut pairs: Vec<_> = p.iter().zip(&found).collect();
            pairs.sort_by(|a, b| a.0.total_cmp(b.0));
            prop_assert!(pairs.windows(2).all(|two| two[0].1 <= two[1].1));
        }
    }
}
