//! From the history's rows to lines with changes.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;

use super::moved;
use crate::measure::metric::{self, Direction};
use crate::regression::changes::{self, Change, SeriesError, Settings, Watch, look_back};
use crate::regression::history::{
    ASKED, Description, Facts, History, HistoryError, PointRow, RunRow, Selection, SeriesKey, SeriesRow,
    machine as named,
};

/// How to look.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TrendSettings {
    /// What counts as a change. Its `alpha` and its `spend` are shared by all lines that have noise.
    pub changes: Settings,
    /// The id of the selected run to judge, with the history as it was when that began; else the newest.
    pub as_of: Option<String>,
}

/// All lines.
#[derive(Debug, Clone, PartialEq)]
pub struct Trends {
    /// In the order of their keys, then of their machines and of what was asked for.
    pub lines: Vec<Trend>,
    /// The chance that any of them is split although its builds are exchangeable.
    pub alpha: f64,
    /// As builds arrive: n exchangeable builds raise at most `spend`·ln(n/12) alarms in a direction, over all lines.
    pub spend: f64,
    /// Lines with too few values to say anything.
    pub short: usize,
    /// Those of them that the newest run has begun or goes on with, where lines of the same figure were asked for something else.
    pub anew: Vec<Anew>,
    /// The runs that were selected.
    pub runs: usize,
    /// The newest of them, or the one that was named; `None` where there is none.
    pub newest: Option<Newest>,
    /// The id of a run that was added after the newest and yet began before it, as where several runners share a history.
    pub overtaken: Option<String>,
}

/// The newest of the selected runs: what a build is judged by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Newest {
    /// Its id.
    pub run_id: String,
    /// How it ended; `None` where that is not known.
    pub ending: Option<String>,
    /// Where it was.
    pub machine: Machine,
}

/// A line that begins anew because something else is asked for than before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anew {
    /// The figure.
    pub key: SeriesKey,
    /// What is asked for that was not: name, before, now.
    pub asked: Vec<(String, String, String)>,
}

/// What the newest run says of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Latest {
    /// It has a value, and so many samples failed beside it.
    Value {
        /// Samples that failed.
        failed: u32,
    },
    /// All samples failed.
    Failed {
        /// How many.
        failed: u32,
    },
    /// It has none, though the run before it of the same suite on the same machine has.
    Gone,
    /// It is of another machine, or measures other things, or the same things under other limits.
    Elsewhere,
}

/// What makes a machine: absolute figures of two machines are never one line, and those before and after a new kernel
/// are.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Machine(pub String);

/// What was asked for: figures of other limits or of other work are never one line. Empty where nothing says so.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Asked(pub Facts);

/// One figure of one machine over all its runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Trend {
    /// What it is.
    pub key: SeriesKey,
    /// Where.
    pub machine: Machine,
    /// Of what.
    pub asked: Asked,
    /// What was asked for as far as other lines of the same key and machine were asked for something else.
    pub apart: Facts,
    /// Which way is good.
    pub direction: Option<Direction>,
    /// Without noise: each change is a fact.
    pub exact: bool,
    /// Oldest first; runs whose samples all failed are not among them.
    pub points: Vec<Point>,
    /// Runs without a value.
    pub missing: usize,
    /// What the newest run of all says of it.
    pub latest: Latest,
    /// Values from which on an alarm can be raised.
    pub watched_from: usize,
    /// Changes of level, looking back, oldest first.
    pub changes: Vec<Told>,
    /// Alarms as the runs arrived, each with the place of the run that raised it.
    pub alarms: Vec<(usize, Change)>,
    /// Places at which something recorded of host, environment or program changed, and what: name, before, after.
    pub moves: Vec<(usize, Vec<moved::Move>)>,
}

/// One run's figure.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// The run's id.
    pub run_id: String,
    /// When.
    pub at: Timestamp,
    /// Of which commit.
    pub commit: Option<String>,
    /// The median.
    pub value: f64,
    /// Its interval.
    pub interval: Option<(f64, f64)>,
}

/// A change with what is known of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// The change; its places are those of [`Trend::points`].
    pub change: Change,
    /// For the worse, for the better; `None` where nobody said which is which.
    pub worse: Option<bool>,
    /// The last run that surely is before it, and the first that surely is after.
    pub between: (usize, usize),
    /// What else changed between these two: name, before, after.
    pub moved: Vec<moved::Move>,
    /// The native figures of the same family that moved with it.
    pub control: Vec<String>,
}

/// Below so many values a line is not looked at.
pub(super) const FEWEST: usize = 8;

/// All lines of the selected runs.
///
/// # Errors
/// The database's.
pub fn trends(
    history: &mut History,
    selection: &Selection,
    settings: &TrendSettings,
) -> Result<Trends, HistoryError> {
    let mut runs = history.runs(selection)?;
    if let Some(id) = &settings.as_of {
        runs.truncate(runs.iter().position(|run| run.run_id == *id).map_or(0, |place| place + 1));
    }
    let series: HashMap<i64, SeriesRow> = history.series()?.into_iter().map(|one| (one.id, one)).collect();
    let points = history.points(selection)?;
    let descriptions = history.descriptions()?;
    let (lines, anew) = gather(&runs, &series, points, &descriptions);
    let all = lines.len();
    let lines: Vec<_> = lines.into_iter().filter(|line| line.points.len() >= FEWEST).collect();
    let short = all - lines.len();
    // An exact line takes no share: chance has no part in it.
    let noisy = lines.iter().filter(|line| !line.exact()).count();
    let share = settings.changes.shared(noisy);
    let mut lines: Vec<Trend> = lines.into_iter().filter_map(|line| line.judged(&share).ok()).collect();
    moved::controls(&mut lines);
    let newest = runs.last().map(|run| Newest {
        run_id: run.run_id.clone(),
        ending: run.ending.clone(),
        machine: machine(host_of(run, &descriptions), run),
    });
    let last_added = runs.iter().max_by_key(|run| run.id).filter(|_| settings.as_of.is_none());
    let overtaken = last_added.filter(|run| runs.last() != Some(run)).map(|run| run.run_id.clone());
    let alpha = (share.alpha * noisy as f64).min(1.0);
    Ok(Trends {
        lines,
        alpha,
        spend: settings.changes.spend,
        short,
        anew,
        runs: runs.len(),
        newest,
        overtaken,
    })
}

/// A line before it is judged, with what each of its runs was made of.
struct Gathered<'a> {
    series: &'a SeriesRow,
    machine: Machine,
    asked: Asked,
    apart: Facts,
    points: Vec<Point>,
    made_of: Vec<moved::MadeOf<'a>>,
    missing: usize,
    latest: Latest,
}

fn host_of<'a>(run: &RunRow, descriptions: &'a HashMap<String, Description>) -> Option<&'a Description> {
    run.host.as_ref().and_then(|fingerprint| descriptions.get(fingerprint))
}

/// The newest run's place, and that of the run before it of the same suite on the same machine.
fn newest_two(runs: &[RunRow], descriptions: &HashMap<String, Description>) -> (usize, Option<usize>) {
    let Some((newest, earlier)) = runs.split_last() else { return (0, None) };
    let place = |run: &RunRow| (run.suite.clone(), machine(host_of(run, descriptions), run));
    let same = place(newest);
    (earlier.len(), earlier.iter().rposition(|run| run.origin == newest.origin && place(run) == same))
}

fn gather<'a>(
    runs: &'a [RunRow],
    series: &'a HashMap<i64, SeriesRow>,
    points: Vec<PointRow>,
    descriptions: &'a HashMap<String, Description>,
) -> (Vec<Gathered<'a>>, Vec<Anew>) {
    let order: HashMap<i64, usize> = runs.iter().enumerate().map(|(place, run)| (run.id, place)).collect();
    let mut sorted: Vec<(usize, PointRow)> =
        points.into_iter().filter_map(|point| Some((*order.get(&point.run)?, point))).collect();
    sorted.sort_by_key(|(place, _)| *place);
    let (newest, before) = newest_two(runs, descriptions);
    let machines: Vec<Machine> = runs.iter().map(|run| machine(host_of(run, descriptions), run)).collect();
    let asked: HashMap<&str, Asked> = descriptions.iter().map(|(name, one)| (&**name, asked(one))).collect();
    let known =
        |point: &PointRow| asked.get(point.environment.as_deref()?).filter(|asked| !asked.0.is_empty());
    let unknown = Asked::default();
    // A history of an older version does not say what was asked for: what is not known is not known to differ.
    let mut first_known: HashMap<(i64, &Machine), &Asked> = HashMap::new();
    for (place, point) in &sorted {
        if let Some(asked) = known(point) {
            first_known.entry((point.series, &machines[*place])).or_insert(asked);
        }
    }
    let mut lines: BTreeMap<(&SeriesKey, &Machine, &Asked), Gathered<'_>> = BTreeMap::new();
    for (place, point) in sorted {
        let (run, Some(one)) = (&runs[place], series.get(&point.series)) else { continue };
        let host = host_of(run, descriptions);
        let environment = point.environment.as_ref().and_then(|fingerprint| descriptions.get(fingerprint));
        let machine = &machines[place];
        let first = || first_known.get(&(point.series, machine)).copied();
        let asked = known(&point).or_else(first).unwrap_or(&unknown);
        let line = lines.entry((&one.key, machine, asked)).or_insert_with(|| Gathered {
            series: one,
            machine: machine.clone(),
            asked: asked.clone(),
            apart: Facts::new(),
            points: Vec::new(),
            made_of: Vec::new(),
            missing: 0,
            latest: Latest::Elsewhere,
        });
        line.latest = match (place == newest, point.value) {
            (true, Some(_)) => Latest::Value { failed: point.failed },
            (true, None) => Latest::Failed { failed: point.failed },
            (false, _) if Some(place) == before => Latest::Gone,
            (false, _) => Latest::Elsewhere,
        };
        let Some(value) = point.value else {
            line.missing += 1;
            continue;
        };
        line.made_of.push(moved::MadeOf { host, environment, program: run.program.as_deref() });
        line.points.push(Point {
            run_id: run.run_id.clone(),
            at: run.started_at,
            commit: run.source.commit.clone(),
            value,
            interval: point.interval,
        });
    }
    let mut lines: Vec<Gathered<'_>> = lines.into_values().collect();
    let anew = tell_apart(&mut lines);
    (lines, anew)
}

/// Says of the lines of one figure and machine what sets them apart; those that the newest run has, and that begin with it.
fn tell_apart(lines: &mut [Gathered<'_>]) -> Vec<Anew> {
    let mut anew = Vec::new();
    for some in lines.chunk_by_mut(|a, b| a.series.id == b.series.id && a.machine == b.machine) {
        let differs =
            |name: &&str| some.iter().any(|one| one.asked.0.get(*name) != some[0].asked.0.get(*name));
        let names: Vec<&str> = ASKED.iter().copied().filter(differs).collect();
        let values = |asked: &Asked| -> Facts {
            let value = |name: &&str| Some(((*name).to_owned(), asked.0.get(*name)?.clone()));
            names.iter().filter_map(value).collect()
        };
        some.iter_mut().for_each(|one| one.apart = values(&one.asked));
        let Some(now) =
            some.iter().position(|one| matches!(one.latest, Latest::Value { .. } | Latest::Failed { .. }))
        else {
            continue;
        };
        // The figure is there, of something else: that is no gap of the lines before.
        some.iter_mut()
            .filter(|one| one.latest == Latest::Gone)
            .for_each(|one| one.latest = Latest::Elsewhere);
        let last = |one: &&Gathered<'_>| one.points.last().map(|point| point.at);
        let others = some.iter().enumerate().filter(|(place, _)| *place != now).map(|(_, one)| one);
        if let Some(before) = others.max_by_key(last)
            && some[now].points.len() < FEWEST
        {
            let value = |one: &Gathered<'_>, name: &str| one.asked.0.get(name).cloned().unwrap_or_default();
            let asked = |name: &&str| ((*name).to_owned(), value(before, name), value(&some[now], name));
            anew.push(Anew { key: some[now].series.key.clone(), asked: names.iter().map(asked).collect() });
        }
    }
    anew
}

fn asked(made_of: &Description) -> Asked {
    let fact = |name: &str| Some((name.to_owned(), made_of.facts.get(name)?.clone()));
    Asked(ASKED.iter().filter_map(|name| fact(name)).collect())
}

fn machine(host: Option<&Description>, run: &RunRow) -> Machine {
    Machine(named(run.source.machine.as_deref(), host))
}

impl Gathered<'_> {
    fn exact(&self) -> bool {
        metric::find(&self.series.key.metric).is_some_and(|metric| metric.exact)
    }

    fn judged(self, settings: &Settings) -> Result<Trend, SeriesError> {
        let values: Vec<f64> = self.points.iter().map(|point| point.value).collect();
        let exact = self.exact();
        let found = if exact { changes::exact(&values)? } else { look_back(&values, settings)? };
        let alarms = if exact { each_at_once(&found) } else { alarms(&values, settings)? };
        let moves = moved::places(&self.made_of);
        let told = found.into_iter().map(|change| self.told(change)).collect();
        Ok(Trend {
            key: self.series.key.clone(),
            direction: self.series.direction,
            machine: self.machine,
            asked: self.asked,
            apart: self.apart,
            exact,
            points: self.points,
            missing: self.missing,
            latest: self.latest,
            watched_from: if exact { FEWEST } else { changes::fewest_watched(settings) },
            changes: told,
            alarms,
            moves,
        })
    }

    fn told(&self, change: Change) -> Told {
        let between = (change.range.0.saturating_sub(1), change.range.1);
        Told {
            worse: worse(self.series.direction, &change),
            between,
            moved: moved::between(&self.made_of[between.0], &self.made_of[between.1]),
            control: Vec::new(),
            change,
        }
    }
}

pub(super) fn worse(direction: Option<Direction>, change: &Change) -> Option<bool> {
    Some(match direction? {
        Direction::Smaller => change.after > change.before,
        Direction::Bigger => change.after < change.before,
    })
}

fn each_at_once(found: &[Change]) -> Vec<(usize, Change)> {
    found.iter().map(|change| (change.at, change.clone())).collect()
}

fn alarms(values: &[f64], settings: &Settings) -> Result<Vec<(usize, Change)>, SeriesError> {
    let mut watch = Watch::new(*settings);
    let mut all = Vec::new();
    for (place, &value) in values.iter().enumerate() {
        all.extend(watch.push(value)?.map(|change| (place, change)));
    }
    Ok(all)
}
