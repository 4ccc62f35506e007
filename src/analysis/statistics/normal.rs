//! Normal, t, χ², beta and binomial distributions, by `statrs`.

use statrs::distribution::{Beta, ChiSquared, ContinuousCDF, Normal, StudentsT};
use statrs::function::beta::beta_reg;

/// Φ(z).
#[must_use]
pub fn cdf(z: f64) -> f64 {
    Normal::standard().cdf(z)
}

/// Φ⁻¹(p), for 0 < p < 1.
#[must_use]
pub fn quantile(p: f64) -> f64 {
    Normal::standard().inverse_cdf(p)
}

/// The p-quantile of Student's t with `freedom` degrees of freedom; `None` for less than one.
#[must_use]
pub fn t_quantile(p: f64, freedom: f64) -> Option<f64> {
    if freedom < 1.0 {
        return None;
    }
    StudentsT::new(0.0, 1.0, freedom).ok().map(|t| t.inverse_cdf(p))
}

/// P(T ≤ t) for Student's t with `freedom` degrees of freedom; 1 for less than one, so that nothing follows from it.
#[must_use]
pub fn t_cdf(t: f64, freedom: f64) -> f64 {
    if freedom < 1.0 {
        return 1.0;
    }
    StudentsT::new(0.0, 1.0, freedom).map_or(1.0, |distribution| distribution.cdf(t))
}

/// The p-quantile of χ² with `freedom` degrees of freedom; `None` for less than one.
#[must_use]
pub fn chi_squared_quantile(p: f64, freedom: f64) -> Option<f64> {
    if freedom < 1.0 {
        return None;
    }
    ChiSquared::new(freedom).ok().map(|distribution| distribution.inverse_cdf(p))
}

/// P(X ≤ k) for X binomial of `n` trials with probability `p`.
#[must_use]
pub fn binomial_cdf(k: u64, n: u64, p: f64) -> f64 {
    if k >= n || p <= 0.0 {
        return 1.0;
    }
    if p >= 1.0 {
        return 0.0;
    }
    beta_reg((n - k) as f64, (k + 1) as f64, 1.0 - p)
}

/// The interval of Clopper and Pearson (1934) for a probability of which `hits` of `trials` were seen.
///
/// Two-sided: each side misses with at most (1 − confidence) / 2.
#[must_use]
pub fn clopper_pearson(hits: u64, trials: u64, confidence: f64) -> (f64, f64) {
    let tail = (1.0 - confidence) / 2.0;
    let beta = |a: u64, b: u64, p: f64| Beta::new(a as f64, b as f64).map(|beta| beta.inverse_cdf(p));
    let low = if hits == 0 { 0.0 } else { beta(hits, trials - hits + 1, tail).unwrap_or(0.0) };
    let high = if hits >= trials { 1.0 } else { beta(hits + 1, trials - hits, 1.0 - tail).unwrap_or(1.0) };
    (low, high)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn near(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-4 * expected.abs().max(1.0), "{found} is not {expected}");
    }

    #[test]
    fn as_in_the_tables() {
        near(quantile(0.975), 1.959_964);
        near(cdf(-2.326_348), 0.01);
        near(t_quantile(0.975, 4.0).unwrap(), 2.776_445);
        near(t_quantile(0.99, 2.0).unwrap(), 6.964_557);
        near(t_cdf(-6.964_557, 2.0), 0.01);
        assert_eq!(t_quantile(0.99, 0.0), None);
        for freedom in [10.5, 100.0, 1234.5, 9_999.0] {
            let found = t_quantile(0.9999, freedom).unwrap();
            assert!(found > quantile(0.9999) && found < 1.6 * quantile(0.9999), "{freedom}: {found}");
            near(t_cdf(-found, freedom), 0.0001);
        }
        near(chi_squared_quantile(0.05, 10.0).unwrap(), 3.940_299);
        near(binomial_cdf(3, 10, 0.5), 0.171_875);
        near(binomial_cdf(0, 5, 0.2), 0.327_68);
        assert_eq!(binomial_cdf(5, 5, 0.2), 1.0);
    }

    #[test]
    fn no_alarm_in_sixty_is_not_one_per_cent() {
        // Upper bounds for 0 of n: 1 - (α/2)^(1/n); one-sided 95 % by confidence 0.9: the 'rule of three'.
        near(clopper_pearson(0, 60, 0.90).1, 0.048_70);
        near(clopper_pearson(0, 300, 0.90).1, 0.009_936);
        // Table 1 of Brown, Cai and DasGupta's examples: 10 of 20.
        let (low, high) = clopper_pearson(10, 20, 0.95);
        near(low, 0.272_0);
        near(high, 0.728_0);
        assert_eq!(clopper_pearson(5, 5, 0.95).1, 1.0);
    }
}
