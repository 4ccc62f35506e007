//! Samples sorted into series: one for each environment, accelerator, workload and metric.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::environment::Kind;
use crate::journal::Run;
use crate::measure::metric::{self, CATALOGUE, Metric};
use crate::measure::sample::Accelerator;
use crate::measure::sample::{FailureName, Outcome, Sample};
use crate::plan::Role;
use crate::suite::{EnvironmentSpec, KindSpec};

/// What is measured without a workload, in the order of an instance's life.
pub(super) const WITHOUT_WORKLOAD: [&str; 4] = ["start", "stop", "idle", "image"];

/// The metrics of the cold blocks, which have no others.
pub(super) const COLD: &str = "startup.cold.";

/// Which series a sample is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Key<'a> {
    pub environment: &'a str,
    pub accelerator: Accelerator,
    pub workload: &'a str,
    pub metric: &'a str,
}

impl<'a> Key<'a> {
    fn of(sample: &'a Sample) -> Self {
        let Sample { environment, accelerator, workload, metric, .. } = sample;
        Self { environment, accelerator: *accelerator, workload, metric }
    }
}

/// One value and its block.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Taken {
    pub block: u32,
    pub value: f64,
}

/// All that was taken under one key, in the order it was.
#[derive(Debug, Clone)]
pub(super) struct Series<'a> {
    pub key: Key<'a>,
    pub kind: Kind,
    /// `None` where a later version's catalogue had it.
    pub metric: Option<&'static Metric>,
    pub taken: Vec<Taken>,
    pub failed: BTreeMap<FailureName, u32>,
    /// Latencies of single operations, a list for each sample that has them, with its block.
    pub latencies: Vec<(u32, &'a [u32])>,
}

impl Series<'_> {
    /// Without noise: any change is a fact.
    pub(super) fn exact(&self) -> bool {
        self.metric.is_some_and(|metric| metric.exact)
    }

    /// The smallest difference the metric's source can show.
    pub(super) fn resolution(&self) -> f64 {
        self.metric.map_or(0.0, |metric| metric.resolution)
    }

    /// The values, each block's together, blocks rising.
    pub(super) fn blocks(&self) -> Vec<(u32, Vec<f64>)> {
        let mut taken = self.taken.clone();
        taken.sort_by_key(|one| one.block);
        let same = taken.chunk_by(|a, b| a.block == b.block);
        same.map(|some| (some[0].block, some.iter().map(|one| one.value).collect())).collect()
    }
}

/// A run's series in the order of a report, and the measured blocks they come from.
#[derive(Debug)]
pub(super) struct Groups<'a> {
    pub series: Vec<Series<'a>>,
    pub blocks: u32,
}

impl<'a> Groups<'a> {
    pub(super) fn find(&self, key: &Key<'_>) -> Option<&Series<'a>> {
        self.series.iter().find(|one| one.key == *key)
    }
}

/// Sorts a run's samples. Warm-up blocks stay out, and those that others stand for; so does what a cold block
/// holds beside the cold metrics. Exact metrics are taken once in a run, and no disturbance moves them: of them a block that
/// another stands for keeps what it has.
pub(super) fn group(run: &Run) -> Groups<'_> {
    let places = Places::of(run);
    let mut found = Found::default();
    let mut blocks = BTreeSet::new();
    let mut last_block = None;
    for sample in run.samples.iter().filter(|sample| !sample.warm_up) {
        let role = run.role(sample.block, sample.warm_up);
        if role == Role::SetAside && !metric::find(&sample.metric).is_some_and(|metric| metric.exact) {
            continue;
        }
        let cold = role == Role::Cold;
        if cold && !sample.metric.starts_with(COLD) {
            continue;
        }
        let Some(series) = found.of(sample, &places) else { continue };
        series.take(sample);
        if role == Role::Measured && last_block != Some(sample.block) {
            last_block = Some(sample.block);
            blocks.insert(sample.block);
        }
    }
    let mut series = found.series;
    series.sort_by(|a, b| places.order(&a.key).cmp(&places.order(&b.key)));
    Groups { series, blocks: u32::try_from(blocks.len()).unwrap_or(u32::MAX) }
}

/// The series met so far. Blocks are much alike, so the series after one is looked for first where it was the last time.
#[derive(Default)]
struct Found<'a> {
    series: Vec<Series<'a>>,
    index: HashMap<Key<'a>, usize>,
    /// For each series the one that came after it.
    after: Vec<usize>,
    last: usize,
}

impl<'a> Found<'a> {
    /// The series of a sample; `None` for an environment that is not in the plan.
    fn of(&mut self, sample: &'a Sample, places: &Places<'_>) -> Option<&mut Series<'a>> {
        let key = Key::of(sample);
        let guess = self.after.get(self.last).copied();
        let at = match guess.filter(|&guess| self.series[guess].key == key) {
            Some(guess) => guess,
            None => self.look_up(key, places)?,
        };
        self.after[self.last] = at;
        self.last = at;
        self.series.get_mut(at)
    }

    fn look_up(&mut self, key: Key<'a>, places: &Places<'_>) -> Option<usize> {
        if let Some(&known) = self.index.get(&key) {
            return Some(known);
        }
        self.series.push(empty(key, places.kind(key.environment)?));
        self.after.push(0);
        let at = self.series.len() - 1;
        self.index.insert(key, at);
        Some(at)
    }
}

fn empty(key: Key<'_>, kind: Kind) -> Series<'_> {
    let metric = metric::find(key.metric);
    Series { key, kind, metric, taken: Vec::new(), failed: BTreeMap::new(), latencies: Vec::new() }
}

impl<'a> Series<'a> {
    fn take(&mut self, sample: &'a Sample) {
        match &sample.outcome {
            Outcome::Value(value) => self.taken.push(Taken { block: sample.block, value: *value }),
            Outcome::Failed(failure) => *self.failed.entry(failure.name).or_default() += 1,
        }
        if !sample.latencies_ns.is_empty() {
            self.latencies.push((sample.block, &sample.latencies_ns));
        }
    }
}

/// Where environments, workloads and metrics stand in a report.
struct Places<'a> {
    environments: &'a [EnvironmentSpec],
    workloads: HashMap<&'a str, usize>,
    metrics: HashMap<&'a str, usize>,
}

type Place<'a> = (usize, Accelerator, (usize, &'a str), (usize, &'a str));

impl<'a> Places<'a> {
    fn of(run: &'a Run) -> Self {
        let suite = &run.record.plan.suite;
        let own = suite.workloads.iter().map(|workload| workload.id.as_str());
        Self {
            environments: &suite.environments,
            workloads: WITHOUT_WORKLOAD.into_iter().chain(own).zip(0..).collect(),
            metrics: CATALOGUE.iter().map(|metric| metric.name).zip(0..).collect(),
        }
    }

    /// `None` for an environment that is not in the plan: its samples are none of this run's.
    fn kind(&self, id: &str) -> Option<Kind> {
        let spec = self.environments.iter().find(|one| one.id == id)?;
        Some(kind_of(&spec.kind))
    }

    /// What has no place comes last, by name.
    fn order<'k>(&self, key: &Key<'k>) -> Place<'k> {
        let environment = self.environments.iter().position(|one| one.id == key.environment);
        let workload = self.workloads.get(key.workload).copied().unwrap_or(usize::MAX);
        let metric = self.metrics.get(key.metric).copied().unwrap_or(usize::MAX);
        (environment.unwrap_or(usize::MAX), key.accelerator, (workload, key.workload), (metric, key.metric))
    }
}

/// The kind that a specification is of.
pub(super) fn kind_of(spec: &KindSpec) -> Kind {
    match spec {
        KindSpec::Native(_) => Kind::Native,
        KindSpec::Docker(_) => Kind::Docker,
        KindSpec::Qemu(_) => Kind::Qemu,
    }
}
