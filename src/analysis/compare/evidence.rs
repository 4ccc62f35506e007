//! What the data say of one row before it is judged, on the logarithmic scale.

use crate::analysis::statistics::{normal, rank_sum, signed_rank, walsh::Walsh};

/// A shift of ln(value), how surely, and what shift could have been seen.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Evidence {
    /// ln(new / base).
    pub shift: f64,
    /// Its interval; `None` where there are too few for one.
    pub interval: Option<(f64, f64)>,
    /// Two-sided.
    pub p: f64,
    /// What decides how small a shift can be seen.
    pub sight: Sight,
    /// The difference is below what the metric's source can show: it is not stated.
    pub unresolved: bool,
    /// Sessions a side that it rests on; `None` where blocks are the unit.
    pub sessions: Option<(usize, usize)>,
}

/// By which test a row was judged, as far as its power depends on it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Sight {
    /// The signed-rank test on one logarithm of a ratio a block.
    Blocks(Vec<f64>),
    /// Student's t with so many degrees of freedom on a shift with that standard error.
    Error {
        /// Standard error of the shift.
        error: f64,
        /// Degrees of freedom.
        freedom: f64,
    },
    /// One session a side: the rank-sum test has to refuse as well.
    Pair {
        /// Standard error of the shift with what sessions add.
        error: f64,
        /// Its degrees of freedom.
        freedom: f64,
        /// Logarithms of the base.
        base: Vec<f64>,
        /// Logarithms of the new run.
        new: Vec<f64>,
        /// At which level the rank-sum test is asked.
        alpha: f64,
    },
}

impl Sight {
    /// The smallest shift that is seen with probability `power` by a two-sided test at `alpha`; `None` where not even
    /// the largest is.
    ///
    /// What the test refuses must lie beyond half its interval of confidence 1 − `alpha`; for the estimate to do so
    /// with the power asked for, the shift must be larger by that quantile of its error.
    pub(super) fn smallest(&self, alpha: f64, power: f64) -> Option<f64> {
        match self {
            Self::Blocks(logs) => {
                let walsh = Walsh::new(logs);
                let error = crate::analysis::session::Session::of(logs)?.error;
                let half = half_width(walsh.median()?, signed_rank_ends(&walsh, logs.len(), alpha)?);
                let beyond = normal::t_quantile(power, logs.len() as f64 - 1.0)?;
                Some(half + beyond * error)
            }
            Self::Error { error, freedom } => {
                let quantile = |p| normal::t_quantile(p, *freedom);
                Some((quantile(1.0 - alpha / 2.0)? + quantile(power)?) * error)
            }
            Self::Pair { error, freedom, base, new, alpha: of_heap } => {
                let (shift, ends) = rank_sum::shift(base, new, 1.0 - of_heap)?;
                let half =
                    half_width(shift, ends?).max(normal::t_quantile(1.0 - alpha / 2.0, *freedom)? * error);
                Some(half + normal::t_quantile(power, *freedom)? * error)
            }
        }
    }
}

pub(super) fn signed_rank_ends(walsh: &Walsh, n: usize, alpha: f64) -> Option<(f64, f64)> {
    signed_rank::interval(walsh, signed_rank::depth(n, 1.0 - alpha))
}

fn half_width(centre: f64, (low, high): (f64, f64)) -> f64 {
    (high - centre).max(centre - low)
}

/// Two-sided p of a shift with that standard error.
pub(super) fn two_sided(shift: f64, error: f64, freedom: f64) -> f64 {
    if shift == 0.0 {
        return 1.0;
    }
    let distance = if error > 0.0 { shift.abs() / error } else { f64::INFINITY };
    (2.0 * normal::t_cdf(-distance, freedom)).min(1.0)
}
