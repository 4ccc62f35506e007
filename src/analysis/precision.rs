//! Is a run precise enough to stop, and what stopped each metric?
//!
//! Asked at 10, 20, 40, … blocks only, and never of a difference: a run that looks again and again for significance
//! finds it in 5.5 % of cases where 1 % was promised. The width of an interval says nothing of which way a comparison will
//! go, so stopping on it leaves false alarms as they are.

use serde::{Deserialize, Serialize};

use super::group::{Series, group};
use super::matters::headline;
use super::row;
use super::settings::Settings;
use super::statistics::order;
use crate::journal::Run;
use crate::journal::record::Ending;
use crate::measure::sample::Accelerator;

/// Blocks at the first look.
const FIRST_LOOK: u32 = 10;

/// Blocks that are enough where nobody says how many: the third look.
pub const MOST_BLOCKS: u32 = 40;

/// May a run stop after so many measured blocks? Looks double, so that there are few of them.
#[must_use]
pub fn is_look(blocks: u32) -> bool {
    blocks.is_multiple_of(FIRST_LOOK) && (blocks / FIRST_LOOK).is_power_of_two()
}

/// How precise one headline metric of one environment is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Precision {
    /// The environment's id.
    pub environment: String,
    /// What executed it.
    pub accelerator: Accelerator,
    /// The workload's id.
    pub workload: String,
    /// The metric's name.
    pub metric: String,
    /// Values.
    pub n: u32,
    /// Half the 95 % interval of the median, as a fraction of it; `None`: too few values for an interval.
    pub half_width: Option<f64>,
    /// What ended its measuring; `None` while the run goes on, or where it was killed.
    pub stopped: Option<Stopped>,
}

/// What ended the measuring of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stopped {
    /// It is as precise as was asked.
    Precision,
    /// All planned blocks were measured.
    Blocks,
    /// The time was spent.
    Budget,
    /// A signal came.
    Signal,
}

impl std::fmt::Display for Stopped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.serialize(f)
    }
}

impl Precision {
    /// How near it came to what was asked, and what stopped it.
    #[must_use]
    pub fn sentence(&self, target: f64) -> String {
        let came = self.half_width.map_or("has too few values for a precision".to_owned(), |width| {
            format!("half its interval is {:.1} % of the median", width * 1e2)
        });
        let stopped = self.stopped.map(|by| format!("; stopped by {by}")).unwrap_or_default();
        format!("{came}, {:.1} % was asked{stopped}", target * 1e2)
    }
}

/// The precision of each headline metric, in the order of a report. A series without a single value has none to reach.
#[must_use]
pub fn precisions(run: &Run, target: Option<f64>) -> Vec<Precision> {
    let groups = group(run);
    let settings = Settings::of(run);
    // A series has the random stream of its row, so that both have one interval.
    let headlines =
        (0..).zip(&groups.series).filter(|(_, one)| headline(one.key.metric) && !one.taken.is_empty());
    headlines
        .map(|(stream, one)| of(one, half_width(one, &settings, stream), run.record.ending, target))
        .collect()
}

/// Is every headline metric as precise as `target`, a fraction? Not where there is none.
#[must_use]
pub fn enough(run: &Run, target: f64) -> bool {
    let all = precisions(run, Some(target));
    !all.is_empty() && all.iter().all(|one| one.half_width.is_some_and(|width| width <= target))
}

fn of(series: &Series<'_>, half_width: Option<f64>, ending: Ending, target: Option<f64>) -> Precision {
    let precise = target.zip(half_width).is_some_and(|(target, width)| width <= target);
    let key = series.key;
    Precision {
        environment: key.environment.to_owned(),
        accelerator: key.accelerator,
        workload: key.workload.to_owned(),
        metric: key.metric.to_owned(),
        n: u32::try_from(series.taken.len()).unwrap_or(u32::MAX),
        half_width,
        stopped: stopped(ending, precise),
    }
}

fn stopped(ending: Ending, precise: bool) -> Option<Stopped> {
    Some(match ending {
        Ending::Unfinished => return None,
        _ if precise => Stopped::Precision,
        // It ended because all were precise; one that is not any more lost a value to a block that was set aside.
        Ending::Precision | Ending::Complete => Stopped::Blocks,
        Ending::Budget => Stopped::Budget,
        Ending::Interrupted => Stopped::Signal,
    })
}

fn half_width(series: &Series<'_>, settings: &Settings, stream: u64) -> Option<f64> {
    let sorted = order::sorted(&series.taken.iter().map(|one| one.value).collect::<Vec<_>>());
    let (low, high) = row::interval(series, &sorted, settings, stream)?;
    let middle = order::median(&sorted)?;
    let half = (high - low) / 2.0;
    if half == 0.0 { Some(0.0) } else { (middle > 0.0).then(|| half / middle) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::example;
    use super::*;
    use crate::measure::metric;
    use crate::measure::sample::FailureName;

    /// Two environments whose rates waver by this fraction about 100.
    fn run(blocks: u32, waver: f64) -> Run {
        let mut run = example::run(blocks);
        for block in 2..blocks + 2 {
            let up = f64::from(block * 7 % 11) / 5.0 - 1.0;
            for id in ["native", "docker"] {
                run.samples.push(example::sample(block, id, "cpu.integer.rate", 100.0 * (1.0 + waver * up)));
                run.samples.push(example::sample(block, id, "end.total", 1.0 + f64::from(block)));
            }
        }
        run
    }

    #[test]
    fn looks_are_few_and_double() {
        let looks: Vec<u32> = (0..200).filter(|blocks| is_look(*blocks)).collect();
        assert_eq!(looks, [10, 20, 40, 80, 160]);
        assert!(is_look(MOST_BLOCKS));
    }

    #[test]
    fn a_half_width_is_that_of_the_row() {
        let run = run(10, 0.1);
        assert!(enough(&run, 0.2) && !enough(&run, 0.02));
        let summary = super::super::summarise(&run, &Settings::of(&run));
        let row = summary.rows.iter().find(|row| row.metric == "cpu.integer.rate").unwrap();
        let median = row.median.unwrap();
        let interval = median.interval.unwrap();
        let all = precisions(&run, None);
        let one = all.iter().find(|one| one.environment == row.environment).unwrap();
        assert_eq!(one.half_width, Some((interval.high - interval.low) / 2.0 / median.value));
    }

    #[test]
    fn every_headline_metric_must_be_precise_and_others_need_not() {
        let mut run = run(20, 0.001);
        assert!(enough(&run, 0.01));
        // Few values, and far apart: one more environment's memory.
        for block in 2..8 {
            run.samples.push(example::sample(block, "native", "memory.total.idle", f64::from(block) * 1e6));
        }
        assert!(!enough(&run, 0.01));
        assert!(enough(&run, 0.9));
    }

    #[test]
    fn what_has_no_value_or_no_interval() {
        let mut failing = run(10, 0.001);
        failing.samples.push(example::failed(3, "docker", "startup.ready", FailureName::NeverReady));
        assert!(enough(&failing, 0.02));
        assert!(!enough(&run(5, 0.0), 0.02), "five values have no 95 % interval");
        assert!(!enough(&example::run(10), 0.02), "nothing was measured");
    }

    #[test]
    fn each_metric_says_what_stopped_it() {
        let mut run = run(20, 0.001);
        for block in 2..22 {
            run.samples.push(example::sample(block, "native", "startup.ready", f64::from(block)));
        }
        let of = |ending: Ending, run: &mut Run| {
            run.record.ending = ending;
            let all = precisions(run, Some(0.01));
            let one = |name: &str| all.iter().find(|one| one.metric == name).unwrap().stopped;
            (one("cpu.integer.rate"), one("startup.ready"))
        };
        let precise = Some(Stopped::Precision);
        assert_eq!(of(Ending::Complete, &mut run), (precise, Some(Stopped::Blocks)));
        assert_eq!(of(Ending::Budget, &mut run), (precise, Some(Stopped::Budget)));
        assert_eq!(of(Ending::Interrupted, &mut run), (precise, Some(Stopped::Signal)));
        assert_eq!(of(Ending::Unfinished, &mut run), (None, None));
        assert_eq!(Stopped::Precision.to_string(), "precision");
        assert!(precisions(&run, None).iter().all(|one| one.half_width.is_some()));
    }

    #[test]
    fn rows_say_it_where_it_was_asked() {
        let mut run = run(20, 0.001);
        let notes = |run: &Run| {
            let summary = super::super::summarise(run, &super::super::Settings::of(run));
            let row = summary.rows.into_iter().find(|row| row.metric == "cpu.integer.rate");
            row.unwrap().notes.into_iter().filter(|note| note.contains("asked")).collect::<Vec<_>>()
        };
        assert!(notes(&run).is_empty());
        run.record.conditions.precision = Some(0.02);
        let [note] = &notes(&run)[..] else { panic!("{:?}", notes(&run)) };
        assert!(note.starts_with("half its interval is 0."), "{note}");
        assert!(note.ends_with(" % of the median, 2.0 % was asked; stopped by precision"), "{note}");
    }

    #[test]
    fn headlines_are_of_every_family() {
        let names: Vec<&str> =
            metric::CATALOGUE.iter().filter(|one| headline(one.name)).map(|one| one.name).collect();
        for family in ["startup.ready", "memory.total.idle", "cpu.integer.rate", "disk.sync.rate"] {
            assert!(names.contains(&family), "{names:?}");
        }
        assert!(!names.iter().any(|name| name.contains("phase") || name.contains("host-cpu")));
    }
}
