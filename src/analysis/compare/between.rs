//! Sessions against sessions.
//!
//! - From five sessions of the base on, how much sessions differ is measured: the new side's mean must leave the
//!   prediction limit t(K − 1) · s · √(1/L + 1/K). Two or more sessions of the new side add to s and to the degrees of freedom.
//! - With fewer, it is a prior: the error is that of the sessions' own values and `between_sessions` for each, with the
//!   degrees of freedom of the former alone: what is assumed is not known any better.
//! - With one session a side the rank-sum test must refuse as well, at α: it needs no distribution, but sees one session's
//!   luck as a difference, so that it alone is not enough. It is not asked for the family's level, which few blocks cannot
//!   reach however large the change: that level is kept by the other test.

use super::change::Why;
use super::evidence::{Evidence, Sight, two_sided};
use super::judge::Weighed;
use super::options::Options;
use crate::analysis::session::{self, Session};
use crate::analysis::statistics::{normal, rank_sum};

/// So many sessions of the base measure how much sessions differ.
pub(super) const ENOUGH_SESSIONS: usize = 5;

/// One side: for each session that has any, one logarithm a block.
pub(super) type Logs = Vec<Vec<f64>>;

/// What the two sides say; `floor` is the least standard deviation of a session's value, from the metric's resolution.
pub(super) fn weigh(base: &Logs, new: &Logs, floor: f64, options: &Options) -> Weighed {
    let estimates =
        |side: &Logs| -> Vec<Session> { side.iter().filter_map(|logs| Session::of(logs)).collect() };
    let (of_base, of_new) = (estimates(base), estimates(new));
    if of_base.is_empty() || of_new.is_empty() {
        return Weighed::Not(Why::TooFew);
    }
    let shift = session::mean(&of_new) - session::mean(&of_base);
    let (deviation, freedom) = deviation(&of_base, &of_new, options.between_sessions);
    let each = 1.0 / of_base.len() as f64 + 1.0 / of_new.len() as f64;
    let error = deviation.max(floor) * each.sqrt();
    let mut p = two_sided(shift, error, freedom);
    let mut half = normal::t_quantile(1.0 - options.alpha / 2.0, freedom)
        .map(|quantile| (quantile * error, quantile * error));
    let mut sight = Sight::Error { error, freedom };
    if let ([base], [new]) = (&base[..], &new[..]) {
        let heap = rank_sum::p(new, base);
        p = if heap > options.alpha { p.max(heap) } else { p };
        half = half.and_then(|half| wider(half, base, new, options));
        let (base, new) = (base.clone(), new.clone());
        sight = Sight::Pair { error, freedom, base, new, alpha: options.alpha };
    }
    let interval = half.map(|(below, above)| (shift - below, shift + above));
    let sessions = Some((of_base.len(), of_new.len()));
    Weighed::Evidence(Evidence { shift, interval, p, sight, unresolved: false, sessions })
}

/// Standard deviation of one session's value, and its degrees of freedom.
fn deviation(base: &[Session], new: &[Session], prior: f64) -> (f64, f64) {
    let both = [base, new].concat();
    let within = session::error_squared(&both);
    let freedom = (base.len() - 1 + new.len() - 1) as f64;
    let seen = if freedom > 0.0 { (session::squares(base) + session::squares(new)) / freedom } else { 0.0 };
    if base.len() >= ENOUGH_SESSIONS {
        // Sessions that happen to agree better than their own errors allow are luck.
        return (seen.max(within).sqrt(), freedom);
    }
    let assumed = within + prior * prior;
    let inside: f64 = both.iter().map(|one| one.freedom).sum();
    (seen.max(assumed).sqrt(), inside)
}

/// The half-widths on either side, at least those of the rank-sum test's interval.
fn wider(half: (f64, f64), base: &[f64], new: &[f64], options: &Options) -> Option<(f64, f64)> {
    let (shift, ends) = rank_sum::shift(base, new, options.confidence())?;
    let (low, high) = ends?;
    Some((half.0.max(shift - low), half.1.max(high - shift)))
}
