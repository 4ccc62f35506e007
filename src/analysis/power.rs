//! How many blocks, and how much time, show a change of a given size.
//!
//! In: a short run, the pilot. Out: for each headline metric of each environment, or each one that was chosen, the blocks
//! after which a change of that size in its ratio to the control is seen, and the sessions after which one of its values is.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::compare::{Only, Options};
use super::group::{Key, Series, group};
use super::matters::headline;
use super::pair;
use super::session::Session;
use super::statistics::{normal, order};
use super::summarise::control;
use crate::journal::Run;
use crate::measure::sample::Accelerator;

/// More blocks than this are never advised.
const MOST_BLOCKS: u32 = 10_000;

/// More sessions a side than this are never advised.
const MOST_SESSIONS: u32 = 50;

/// The deviation that a pilot saw is its best guess; this share of pilots see at most as much less as is added to it.
const PRUDENCE: f64 = 0.2;

/// What a change of one size needs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Detection {
    /// The change, as a fraction.
    pub change: f64,
    /// False alarms over the family.
    pub alpha: f64,
    /// The chance to see it.
    pub power: f64,
    /// One for each headline metric with a control, or each one that was chosen.
    pub rows: Vec<Needed>,
    /// Blocks that are enough for all rows; `None` where there are none, or no number is.
    pub blocks: Option<u32>,
    /// Time of one block in the pilot; `None` for fewer than two.
    pub per_block: Option<Duration>,
}

impl Detection {
    /// Time of all [`Detection::blocks`].
    #[must_use]
    pub fn time(&self) -> Option<Duration> {
        Some(self.per_block? * self.blocks?)
    }
}

/// One row of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Needed {
    /// The environment's id.
    pub environment: String,
    /// What executed it.
    pub accelerator: Accelerator,
    /// The workload's id.
    pub workload: String,
    /// The metric's name.
    pub metric: String,
    /// Standard deviation of ln(value / control) from block to block, as the pilot saw it; `None` where it was too short.
    pub deviation: Option<f64>,
    /// Blocks that show the change against another environment of the same run.
    pub blocks: Option<u32>,
    /// Sessions a side, of so many blocks, that show it between two runs.
    pub sessions: Option<u32>,
}

/// What a change of size `change` needs, by a pilot, in a comparison with the same options.
#[must_use]
pub fn detect(pilot: &Run, change: f64, options: &Options) -> Detection {
    let groups = group(pilot);
    let (control, only) = (control(&pilot.record), &options.only);
    let pairs: Vec<(&Series<'_>, &Series<'_>)> = groups
        .series
        .iter()
        .filter(|one| if only.metrics.is_empty() { headline(one.key.metric) } else { tested(one, only) })
        .filter(|one| Some(one.key.environment) != control)
        .filter_map(|one| {
            let key = Key { environment: control?, accelerator: Accelerator::None, ..one.key };
            Some((one, groups.series.iter().find(|other| other.key == key)?))
        })
        .collect();
    let families = Families { series: &groups.series, control, only };
    let question = |family: usize| {
        let level = options.alpha / family.max(1) as f64;
        Question { shift: change.ln_1p(), level, power: options.power }
    };
    let between_runs = question(families.between_runs());
    let needs = |(one, other): (&Series<'_>, &Series<'_>)| {
        needed(one, other, &question(families.inside(one)), &between_runs, options)
    };
    let rows: Vec<Needed> = pairs.into_iter().map(needs).collect();
    let all: Option<Vec<u32>> = rows.iter().map(|row| row.blocks).collect();
    Detection {
        change,
        alpha: options.alpha,
        power: options.power,
        blocks: all.and_then(|all| all.into_iter().max()),
        rows,
        per_block: per_block(pilot),
    }
}

/// How many rows `compare` tests together: a row by itself would be promised too much.
struct Families<'a> {
    series: &'a [Series<'a>],
    control: Option<&'a str>,
    only: &'a Only,
}

/// Has it noise, values, and a name that was chosen?
fn tested(one: &Series<'_>, only: &Only) -> bool {
    let Key { environment, workload, metric, .. } = one.key;
    !one.exact() && !one.taken.is_empty() && only.holds(environment, workload, metric)
}

impl Families<'_> {
    /// Of two runs like this one: all that has noise.
    fn between_runs(&self) -> usize {
        self.tested().count()
    }

    /// Of an environment and the control: what both have.
    fn inside(&self, of: &Series<'_>) -> usize {
        let own = |one: &&Series<'_>| {
            (one.key.environment, one.key.accelerator) == (of.key.environment, of.key.accelerator)
        };
        let of_control = |one: &&Series<'_>| {
            let like = |other: &Series<'_>| {
                Some(other.key.environment) == self.control
                    && (other.key.workload, other.key.metric) == (one.key.workload, one.key.metric)
            };
            self.tested().any(like)
        };
        self.tested().filter(own).filter(of_control).count()
    }

    fn tested(&self) -> impl Iterator<Item = &Series<'_>> {
        self.series.iter().filter(|one| tested(one, self.only))
    }
}

/// Measured blocks that a run holds.
#[must_use]
pub fn blocks_of(run: &Run) -> u32 {
    group(run).blocks
}

/// A shift of ln(value), to be seen with `power` at `level`.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Question {
    shift: f64,
    level: f64,
    power: f64,
}

fn needed(
    series: &Series<'_>,
    control: &Series<'_>,
    inside_run: &Question,
    between_runs: &Question,
    options: &Options,
) -> Needed {
    let logs = |values: Vec<f64>| values.into_iter().filter(|log| log.is_finite()).collect::<Vec<f64>>();
    let ratios = logs(pair::pairs(series, control).iter().map(pair::Pair::log_ratio).collect());
    let own = logs(series.taken.iter().map(|one| one.value.ln()).collect());
    let inside = deviation(&ratios);
    let blocks = inside.and_then(|seen| blocks(prudent(seen, ratios.len())?, inside_run));
    let error = deviation(&own).zip(blocks).map(|(seen, blocks)| seen / f64::from(blocks).sqrt());
    Needed {
        environment: series.key.environment.to_owned(),
        accelerator: series.key.accelerator,
        workload: series.key.workload.to_owned(),
        metric: series.key.metric.to_owned(),
        deviation: inside,
        blocks,
        sessions: error.and_then(|error| sessions(error.hypot(options.between_sessions), between_runs)),
    }
}

/// Of one block: the error of the session's centre times the root of their number.
fn deviation(logs: &[f64]) -> Option<f64> {
    Session::of(logs).map(|session| session.error * (logs.len() as f64).sqrt())
}

/// An upper bound that holds for four pilots in five.
fn prudent(deviation: f64, n: usize) -> Option<f64> {
    let freedom = n as f64 - 1.0;
    Some(deviation * (freedom / normal::chi_squared_quantile(PRUDENCE, freedom)?).sqrt())
}

/// The fewest blocks in which the signed-rank test sees the shift.
///
/// Below log₂(2 / level) blocks it refuses nothing, whatever the values.
fn blocks(deviation: f64, question: &Question) -> Option<u32> {
    let least = (2.0 / question.level).log2().ceil().max(2.0) as u32;
    let seen = |blocks: u32| {
        let freedom = f64::from(blocks) - 1.0;
        let quantile = |p| normal::t_quantile(p, freedom).unwrap_or(f64::INFINITY);
        let distance = quantile(1.0 - question.level / 2.0) + quantile(question.power);
        distance * deviation / f64::from(blocks).sqrt() <= question.shift
    };
    let (mut few, mut enough) = (least, MOST_BLOCKS);
    if !seen(enough) {
        return None;
    }
    while few < enough {
        let middle = few + (enough - few) / 2;
        if seen(middle) { enough = middle } else { few = middle + 1 }
    }
    Some(enough)
}

/// The fewest sessions a side in which Student's t on sessions sees it, `deviation` being that of one session's value.
fn sessions(deviation: f64, question: &Question) -> Option<u32> {
    (2..=MOST_SESSIONS).find(|&sessions| {
        let freedom = 2.0 * (f64::from(sessions) - 1.0);
        let error = deviation * (2.0 / f64::from(sessions)).sqrt();
        let quantile = |p| normal::t_quantile(p, freedom).unwrap_or(f64::INFINITY);
        (quantile(1.0 - question.level / 2.0) + quantile(question.power)) * error <= question.shift
    })
}

/// The median time from the first sample of a measured block to that of the next.
fn per_block(run: &Run) -> Option<Duration> {
    let mut starts: BTreeMap<u32, jiff::Timestamp> = BTreeMap::new();
    let roles = &run.record.plan.blocks;
    let measured = |block: u32| {
        roles.iter().find(|one| one.index == block).is_none_or(|one| one.role == crate::plan::Role::Measured)
    };
    for sample in run.samples.iter().filter(|sample| !sample.warm_up) {
        let start = starts.entry(sample.block).or_insert(sample.started_at);
        *start = (*start).min(sample.started_at);
    }
    let starts: Vec<jiff::Timestamp> =
        starts.into_iter().filter(|(block, _)| measured(*block)).map(|(_, start)| start).collect();
    let gaps: Vec<f64> = starts.windows(2).map(|two| two[1].duration_since(two[0]).as_secs_f64()).collect();
    order::median_of(&gaps).and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::analysis::example;

    fn pilot(noise: f64) -> Run {
        let mut run = example::run(8);
        for block in 2..10 {
            let wobble = 1.0 + noise * (f64::from(block * 5 % 8) - 3.5) / 3.5;
            let start = jiff::Timestamp::from_second(i64::from(block) * 15).unwrap();
            let mut add = |environment: &str, value: f64| {
                let mut sample = example::sample(block, environment, "startup.ready", value);
                sample.started_at = start;
                run.samples.push(sample);
            };
            add("native", 10.0);
            add("docker", 150.0 * wobble);
        }
        run
    }

    #[test]
    fn smaller_changes_and_more_noise_need_more() {
        let options = Options::default();
        let of = |noise, change| detect(&pilot(noise), change, &options).blocks.unwrap();
        assert!(of(0.05, 0.05) > of(0.05, 0.10) && of(0.10, 0.10) > of(0.05, 0.10));
        // Eight blocks are the fewest that a level of 1 % allows: 2 / 2^8.
        assert_eq!(of(1e-6, 0.10), 8);
        assert_eq!(detect(&pilot(0.05), 1e-6, &options).blocks, None);
    }

    /// What `compare` tests beside the headline metrics takes its share of the false alarms.
    #[test]
    fn the_family_is_that_of_a_comparison_without_a_choice() {
        let mut run = pilot(0.05);
        let of = |run: &Run| detect(run, 0.10, &Options::default());
        let before = of(&run);
        for (block, number) in (2..10).flat_map(|block| (0..12).map(move |number| (block, number))) {
            for environment in ["native", "docker"] {
                let metric = format!("startup.phase.x{number}");
                run.samples.push(example::sample(block, environment, &metric, 1.0 + f64::from(block)));
            }
        }
        let after = of(&run);
        assert_eq!(after.rows.len(), before.rows.len());
        assert!(after.blocks > before.blocks, "{before:?} {after:?}");
        assert!(after.rows[0].sessions >= before.rows[0].sessions);
        let control: Vec<_> =
            run.samples.iter().filter(|one| one.metric.contains("phase")).cloned().collect();
        run.samples.retain(|one| !one.metric.contains("phase"));
        run.samples.extend(control.into_iter().filter(|one| one.environment == "native"));
        assert_eq!(of(&run).blocks, before.blocks);
    }

    #[test]
    fn a_choice_of_metrics_is_a_family_of_its_own() {
        let mut run = pilot(0.05);
        let before = detect(&run, 0.10, &Options::default());
        for (block, environment) in (2..10).flat_map(|block| ["native", "docker"].map(|id| (block, id))) {
            let phases = (0..12).map(|number| format!("startup.phase.x{number}"));
            let of = |metric: String| example::sample(block, environment, &metric, 1.0 + f64::from(block));
            run.samples.extend(phases.map(of));
        }
        let with = |metric: &str| {
            let mut options = Options::default();
            options.only.metrics = vec![metric.into()];
            detect(&run, 0.10, &options)
        };
        assert_eq!(with("startup.ready").rows, before.rows);
        let phases = with("startup.phase.*");
        assert_eq!(phases.rows.len(), 12, "{phases:?}");
        assert_eq!(with("startup.none").rows, []);
    }

    #[test]
    fn time_is_that_of_the_pilots_blocks() {
        let found = detect(&pilot(0.05), 0.10, &Options::default());
        assert_eq!(found.per_block, Some(Duration::from_secs(15)));
        assert_eq!(found.time(), Some(Duration::from_secs(15) * found.blocks.unwrap()));
        let [row] = &found.rows[..] else { panic!("{:?}", found.rows) };
        assert_eq!((row.environment.as_str(), row.metric.as_str()), ("docker", "startup.ready"));
        assert!(row.sessions.unwrap() >= 2);
    }

    #[test]
    fn a_pilot_too_short_says_nothing() {
        let mut run = pilot(0.05);
        run.samples.retain(|sample| sample.block < 6);
        let found = detect(&run, 0.05, &Options::default());
        assert_eq!((found.rows[0].deviation, found.rows[0].blocks, found.blocks), (None, None, None));
        assert_eq!(detect(&example::run(3), 0.05, &Options::default()).blocks, None);
    }
}
