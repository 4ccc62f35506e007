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
use super::{exact, finding, sides};
use crate::analysis::comparability;
use crate::analysis::group::{Key, Series, group, kind_of};
use crate::analysis::settings::CONFIDENCE;
use crate::analysis::statistics::{signed_rank, walsh::Walsh};
use crate::analysis::{latency, pair};
use crate::environment::Kind;
use crate::journal::Run;
use crate::measure::metric;
use crate::measure::sample::Accelerator;
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
    let executors = executors(run, base, new)?;
    let groups = group(run);
    let rows: Vec<Row<'_>> = pairs(&groups.series, run, of_base, of_new)
        .into_iter()
        .filter(|(key, ..)| options.only.holds(key.environment, key.workload, key.metric))
        .map(|(key, base, new)| {
            let unlike =
                comparability::unlike(key.metric, (&run.record, &of_base.id), (&run.record, &of_new.id));
            let few = |one: &Series<'_>| latency::few_of(one, |key| groups.find(key), CONFIDENCE);
            let barred = sides::barred(unlike, || [base, new].into_iter().flatten().find_map(few));
            row(kind_of(&of_new.kind), key, (base, new), barred, options)
        })
        .collect();
    if rows.is_empty() {
        let run = run.record.run_id.clone();
        return Err(Refusal::NothingOfBoth { run, base: base.to_owned(), new: new.to_owned() });
    }
    let blocks = rows.iter().filter_map(blocks).max();
    let rows = judge::all(rows, options);
    let few = blocks.and_then(|blocks| too_few(blocks, judge::family(&rows), options.alpha));
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
        warnings: executors.into_iter().chain(few).collect(),
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

/// A process or container and a virtual machine may be held against each other, however that is executed; two virtual machines only
/// where both are executed alike. What is to be said of it.
fn executors(run: &Run, base: &str, new: &str) -> Result<Vec<String>, Refusal> {
    let of = |id: &str| {
        let found = run.record.environments.iter().find(|one| one.id == id);
        found.map_or(Accelerator::None, |one| one.accelerator)
    };
    if !meet(of(base), of(new)) {
        let why = format!(
            "one ran under {} and the other under {}, which are never compared",
            sides::name(of(base)),
            sides::name(of(new))
        );
        return Err(Refusal::NotAlike { base: base.to_owned(), new: new.to_owned(), why });
    }
    let emulated = [base, new].into_iter().filter(|id| of(id) == Accelerator::Tcg);
    let told =
        emulated.map(|id| format!("{id} ran by software emulation (TCG): its figures say nothing of KVM"));
    Ok(told.collect())
}

fn meet(one: Accelerator, other: Accelerator) -> bool {
    one == other || [one, other].contains(&Accelerator::None)
}

/// A series of each, under the key of the new one. What only one of two alike has, and the plan had for the other as well, stands
/// alone; a container has what a process never has, and that is no loss.
fn pairs<'a>(
    all: &'a [Series<'a>],
    run: &Run,
    base: &'a EnvironmentSpec,
    new: &'a EnvironmentSpec,
) -> Vec<(Key<'a>, Option<&'a Series<'a>>, Option<&'a Series<'a>>)> {
    let alike = std::mem::discriminant(&base.kind) == std::mem::discriminant(&new.kind);
    let planned = |id: &str, key: &Key<'_>| sides::planned_by(&run.record.plan.suite, id, key);
    let missed = |key: &Key<'_>| alike && planned(&base.id, key) && planned(&new.id, key);
    let (of_base, of_new) = (Figures::of(all, &base.id), Figures::of(all, &new.id));
    let mut pairs = Vec::new();
    for one in of_new.all() {
        let others = of_base.beside(one);
        if others.is_empty() && missed(&one.key) {
            pairs.push((one.key, None, Some(one)));
        }
        pairs.extend(others.into_iter().map(|other| (one.key, Some(other), Some(one))));
    }
    let lost = of_base.all().filter(|one| of_new.beside(one).is_empty() && missed(&one.key));
    pairs.extend(lost.map(|one| (Key { environment: &new.id, ..one.key }, Some(one), None)));
    pairs
}

/// What one environment has, in the order of its samples and by workload and metric.
struct Figures<'a> {
    of: Vec<&'a Series<'a>>,
    by_work: HashMap<(&'a str, &'a str), Vec<&'a Series<'a>>>,
}

impl<'a> Figures<'a> {
    fn of(all: &'a [Series<'a>], environment: &str) -> Self {
        let of: Vec<&Series<'_>> = all.iter().filter(|one| one.key.environment == environment).collect();
        let mut by_work: HashMap<_, Vec<_>> = HashMap::new();
        for one in &of {
            by_work.entry((one.key.workload, one.key.metric)).or_default().push(*one);
        }
        Self { of, by_work }
    }

    fn all(&self) -> impl Iterator<Item = &'a Series<'a>> {
        self.of.iter().copied()
    }

    /// Those that may be held against `other`, of the other environment.
    fn beside(&self, other: &Series<'_>) -> Vec<&'a Series<'a>> {
        let same = self.by_work.get(&(other.key.workload, other.key.metric)).into_iter().flatten();
        same.filter(|one| meet(one.key.accelerator, other.key.accelerator)).copied().collect()
    }
}

/// `barred`: why the two are not held against each other, though both have values.
fn row<'a>(
    kind: Kind,
    key: Key<'a>,
    (base, new): (Option<&'a Series<'a>>, Option<&'a Series<'a>>),
    barred: Option<(Why, String)>,
    options: &Options,
) -> Row<'a> {
    let weighed = match (base, new, &barred) {
        (None, ..) => Weighed::Not(Why::NotInBase),
        (_, None, _) => Weighed::Not(Why::NotInNew),
        (.., Some((why, _))) => Weighed::Not(*why),
        (Some(base), Some(new), None) if new.exact() => exact::weigh(&[base], &[new]),
        (Some(base), Some(new), None) => weigh(base, new, options),
    };
    Row {
        key,
        kind,
        metric: metric::find(key.metric),
        base: base.into_iter().collect(),
        new: new.into_iter().collect(),
        weighed,
        compared: None,
        notes: barred.into_iter().map(|(_, told)| told).collect(),
    }
}

fn blocks(row: &Row<'_>) -> Option<usize> {
    match &row.weighed {
        Weighed::Evidence(Evidence { sight: Sight::Blocks(logs), .. }) => Some(logs.len()),
        _ => None,
    }
}

/// The signed-rank test of n blocks can give no smaller p than 2^(1 − n), and Holm's first step takes it times the family.
fn too_few(blocks: usize, family: u32, alpha: f64) -> Option<String> {
    let needed = |family: u32| 1 + (f64::from(family) / alpha).log2().ceil() as usize;
    (blocks < needed(family)).then(|| {
        format!(
            "with {blocks} blocks no difference between them, however large, can be called one at {} %: for {family} rows it takes \
             {} (`isocost run --blocks {}`), for a single one, chosen by --workload and --metric, {}",
            alpha * 100.0,
            needed(family),
            needed(family),
            needed(1)
        )
    })
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
