//! Two environments of one run, compared inside the blocks that hold both.
//!
//! In each block their order was drawn at random, so without a difference each log ratio is as likely to be positive as
//! negative, whatever the host did from block to block: the signed-rank test needs nothing else.

use std::collections::HashMap;

use super::change::{Basis, Comparison, Design, Why};
use super::error::Refusal;
use super::evidence::{Evidence, Sight, signed_rank_ends};
use super::judge::{self, Row, Weighed};
use super::options::Options;
use super::{exact, finding};
use crate::analysis::comparability;
use crate::analysis::group::{Key, Series, group};
use crate::analysis::pair;
use crate::analysis::statistics::{signed_rank, walsh::Walsh};
use crate::journal::Run;

/// Compares `new` with `base`, two environments of one run.
///
/// # Errors
/// An environment that is not in the run, or two that may not be compared.
pub fn inside(run: &Run, base: &str, new: &str, options: &Options) -> Result<Comparison, Refusal> {
    known(run, base)?;
    known(run, new)?;
    if let Some(why) = comparability::withheld_between(&run.record, base, new, options.programs) {
        return Err(Refusal::NotAlike { base: base.to_owned(), new: new.to_owned(), why });
    }
    let groups = group(run);
    let of_base: HashMap<Key<'_>, &Series<'_>> =
        groups.series.iter().filter(|one| one.key.environment == base).map(|one| (one.key, one)).collect();
    let both = groups
        .series
        .iter()
        .filter(|one| one.key.environment == new)
        .filter(|one| options.only.holds(new, one.key.workload, one.key.metric))
        .filter_map(|one| Some((*of_base.get(&Key { environment: base, ..one.key })?, one)));
    let rows: Vec<Row<'_>> = both.map(|(base, new)| row(run, (base, new), options)).collect();
    if rows.is_empty() {
        return Err(Refusal::NothingInCommon);
    }
    let rows = judge::all(rows, options);
    Ok(Comparison {
        basis: Basis::Values,
        design: Design::Blocks,
        advisory: None,
        alpha: options.alpha,
        power: options.power,
        family: judge::family(&rows),
        findings: finding::of(&rows),
        rows,
        differences: Vec::new(),
        warnings: Vec::new(),
    })
}

fn known(run: &Run, id: &str) -> Result<(), Refusal> {
    let ids = run.record.plan.suite.environments.iter().map(|one| one.id.clone());
    let known: Vec<String> = ids.collect();
    if known.iter().any(|one| one == id) {
        return Ok(());
    }
    Err(Refusal::NoEnvironment { run: run.record.run_id.clone(), id: id.to_owned(), known })
}

fn row<'a>(run: &Run, (base, new): (&'a Series<'a>, &'a Series<'a>), options: &Options) -> Row<'a> {
    let ids = (base.key.environment, new.key.environment);
    let unlike = comparability::unlike(new.key.metric, (&run.record, ids.0), (&run.record, ids.1));
    let weighed = match (&unlike, new.exact()) {
        (Some(_), _) => Weighed::Not(Why::Withheld),
        (None, true) => exact::weigh(&[base], &[new]),
        (None, false) => weigh(base, new, options),
    };
    Row {
        key: new.key,
        kind: new.kind,
        metric: new.metric,
        base: vec![base],
        new: vec![new],
        weighed,
        compared: None,
        notes: unlike.into_iter().collect(),
    }
}

fn weigh(base: &Series<'_>, new: &Series<'_>, options: &Options) -> Weighed {
    if base.taken.is_empty() {
        return Weighed::Not(Why::NotInBase);
    }
    if new.taken.is_empty() {
        return Weighed::Not(Why::NotInNew);
    }
    let pairs = pair::pairs(new, base);
    if pairs.iter().any(|pair| pair.value <= 0.0 || pair.control <= 0.0) {
        return Weighed::Not(Why::Zero);
    }
    let logs: Vec<f64> = pairs.iter().map(pair::Pair::log_ratio).collect();
    let walsh = Walsh::new(&logs);
    let Some(shift) = walsh.median() else { return Weighed::Not(Why::TooFew) };
    Weighed::Evidence(Evidence {
        shift,
        interval: signed_rank_ends(&walsh, logs.len(), options.alpha),
        p: (2.0 * signed_rank::p_above(&logs, 0.0).min(signed_rank::p_below(&logs, 0.0))).min(1.0),
        sight: Sight::Blocks(logs),
        unresolved: pair::unresolved(&pairs, new.resolution()),
        sessions: None,
    })
}
