//! Two environments of one run, compared inside the blocks that hold both.
//!
//! In each block their order was drawn at random, so without a difference each log ratio is as likely to be positive as
//! negative, whatever the host did from block to block: the signed-rank test needs nothing else.

use std::collections::{HashMap, HashSet};

use super::change::{Basis, Comparison, Design, Why};
use super::error::Refusal;
use super::evidence::{Evidence, Sight, signed_rank_ends};
use super::judge::{self, Row, Weighed};
use super::options::Options;
use super::{exact, finding, sides};
use crate::analysis::comparability;
use crate::analysis::group::{Key, Series, group, kind_of};
use crate::analysis::pair;
use crate::analysis::statistics::{signed_rank, walsh::Walsh};
use crate::journal::Run;
use crate::measure::metric;
use crate::suite::EnvironmentSpec;

/// Compares `new` with `base`, two environments of one run.
///
/// # Errors
/// An environment that is not in the run, or two that may not be compared.
pub fn inside(run: &Run, base: &str, new: &str, options: &Options) -> Result<Comparison, Refusal> {
    let (of_base, of_new) = (known(run, base)?, known(run, new)?);
    if let Some(why) = comparability::withheld_between(&run.record, base, new, options.programs) {
        return Err(Refusal::NotAlike { base: base.to_owned(), new: new.to_owned(), why });
    }
    let groups = group(run);
    let rows: Vec<Row<'_>> = pairs(&groups.series, run, of_base, of_new)
        .filter(|(key, ..)| options.only.holds(key.environment, key.workload, key.metric))
        .map(|(key, base, new)| row(run, of_base, of_new, key, (base, new), options))
        .collect();
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

fn known<'a>(run: &'a Run, id: &str) -> Result<&'a EnvironmentSpec, Refusal> {
    let environments = &run.record.plan.suite.environments;
    environments.iter().find(|one| one.id == id).ok_or_else(|| Refusal::NoEnvironment {
        run: run.record.run_id.clone(),
        id: id.to_owned(),
        known: environments.iter().map(|one| one.id.clone()).collect(),
    })
}

/// A series of each, under the key of the new one. What only one of two alike has, and the plan had for the other as well, stands
/// alone; a container has what a process never has, and that is no loss.
fn pairs<'a>(
    all: &'a [Series<'a>],
    run: &'a Run,
    base: &'a EnvironmentSpec,
    new: &'a EnvironmentSpec,
) -> impl Iterator<Item = (Key<'a>, Option<&'a Series<'a>>, Option<&'a Series<'a>>)> {
    let alike = std::mem::discriminant(&base.kind) == std::mem::discriminant(&new.kind);
    let mut seen = HashSet::new();
    let index: HashMap<Key<'a>, &'a Series<'a>> = all.iter().map(|one| (one.key, one)).collect();
    let of_either = all.iter().filter(|one| one.key.environment == base.id || one.key.environment == new.id);
    of_either.filter_map(move |one| {
        let key = Key { environment: &new.id, ..one.key };
        let other = Key { environment: &base.id, ..one.key };
        if !seen.insert(key) {
            return None;
        }
        let (of_base, of_new) = (index.get(&other).copied(), index.get(&key).copied());
        let both = of_base.is_some() && of_new.is_some();
        let planned = |id: &str| sides::planned_by(&run.record.plan.suite, id, &key);
        (both || alike && planned(&base.id) && planned(&new.id)).then_some((key, of_base, of_new))
    })
}

fn row<'a>(
    run: &Run,
    of_base: &EnvironmentSpec,
    of_new: &EnvironmentSpec,
    key: Key<'a>,
    (base, new): (Option<&'a Series<'a>>, Option<&'a Series<'a>>),
    options: &Options,
) -> Row<'a> {
    let unlike = comparability::unlike(key.metric, (&run.record, &of_base.id), (&run.record, &of_new.id));
    let weighed = match (base, new) {
        (None, _) => Weighed::Not(Why::NotInBase),
        (_, None) => Weighed::Not(Why::NotInNew),
        _ if unlike.is_some() => Weighed::Not(Why::Withheld),
        (Some(base), Some(new)) if new.exact() => exact::weigh(&[base], &[new]),
        (Some(base), Some(new)) => weigh(base, new, options),
    };
    Row {
        key,
        kind: kind_of(&of_new.kind),
        metric: metric::find(key.metric),
        base: base.into_iter().collect(),
        new: new.into_iter().collect(),
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
