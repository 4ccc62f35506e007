//! What a run says: one row for each environment, workload and metric.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::environment::Kind;
use crate::measure::sample::Accelerator;
use crate::measure::sample::FailureName;

/// All statements about one run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// In the order of the suite's environments, its workloads and the catalogue of metrics.
    pub rows: Vec<Row>,
    /// The id of the environment that ratios are stated against; `None` where the suite has no native one.
    pub control: Option<String>,
    /// For each environment but the control: may ratios to it be stated, and what differs.
    pub comparability: Vec<Comparability>,
    /// Quantiles of single operations, merged over the samples of each environment and workload.
    pub latencies: Vec<Latency>,
    /// Measured blocks that are in the journal, whole or not.
    pub blocks: u32,
    /// Confidence of every interval here, as a fraction: 0.95.
    pub confidence: f64,
}

/// One environment, workload and metric.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// The environment's id.
    pub environment: String,
    /// Its kind.
    pub kind: Kind,
    /// What executed it.
    pub accelerator: Accelerator,
    /// The workload's id; `start`, `idle`, `stop`, `image` for what is measured without one.
    pub workload: String,
    /// The metric's name in the catalogue.
    pub metric: String,
    /// Its unit.
    pub unit: String,
    /// Values: failed, warm-up and cold ones are not among them (a cold metric's own row counts its own).
    pub n: u32,
    /// Failures by name.
    pub failed: BTreeMap<FailureName, u32>,
    /// Median of the values; `None` where there is none.
    pub median: Option<Estimate>,
    /// Against the control in the same blocks.
    pub ratio: Ratio,
    /// The ratio in words; `None` where no ratio is stated.
    pub effect: Option<Effect>,
    /// Values whose robust |z| exceeds 3.5, in the order they were taken: they count like all others.
    pub outliers: Vec<Outlier>,
    /// What a reader should know: a second mode, values that are all equal.
    pub notes: Vec<String>,
}

impl Row {
    /// All failures.
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.failed.values().sum()
    }
}

/// A value with its interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Estimate {
    /// The estimate, in the metric's unit (a ratio: 1).
    pub value: f64,
    /// Its confidence interval; `None` where there are too few values for one, or where the metric is exact.
    pub interval: Option<Interval>,
}

/// A confidence interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// A ratio to the control, or why there is none.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ratio {
    /// This row is the control's.
    Control,
    /// Hodges-Lehmann over blocks that have both; the interval is the exact signed-rank one.
    Stated {
        /// The ratio.
        estimate: Estimate,
        /// Blocks that have both.
        pairs: u32,
    },
    /// There is none, and why.
    Missing(Missing),
}

impl Ratio {
    /// The ratio, where it is stated.
    #[must_use]
    pub fn stated(&self) -> Option<Estimate> {
        match self {
            Self::Stated { estimate, .. } => Some(*estimate),
            _ => None,
        }
    }
}

/// Why a ratio is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Missing {
    /// The suite has no control.
    NoControl,
    /// The control has no such metric, or no value of it in any block in which this row has one.
    NoPair,
    /// The sizes seen from inside differ: see [`Comparability`].
    Withheld,
    /// A value of zero: a ratio would mean nothing.
    Zero,
    /// It is not of the same in the two: the row's notes say why.
    Unlike,
    /// A quantile of single operations, of which a block of either has too few.
    FewOperations,
}

/// How large a difference to the control is, for a reader.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Effect {
    /// Blocks in which the value is above the control's.
    pub above: u32,
    /// Those in which it is below.
    pub below: u32,
    /// Those in which the two are equal.
    pub equal: u32,
    /// The difference is below what the metric's source can show: it is not stated.
    pub unresolved: bool,
    /// Even the far end of the interval is less than what matters.
    pub small: bool,
    /// One clause: `2.9 times the control's, above it in 30 of 30 blocks`.
    pub words: String,
}

/// A value far from the others.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Outlier {
    /// Its block.
    pub block: u32,
    /// The value, in the metric's unit.
    pub value: f64,
    /// (value − median) / (1.4826 · MAD), the metric's resolution being the least the divisor can be.
    pub z: f64,
    /// How far.
    pub class: OutlierClass,
}

/// How far an outlier is out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum OutlierClass {
    /// |z| from 3.5 to 7.
    Mild,
    /// |z| above 7.
    Severe,
}

/// Latencies of single operations, all measured blocks together.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Latency {
    /// The environment's id.
    pub environment: String,
    /// Its kind.
    pub kind: Kind,
    /// What executed it.
    pub accelerator: Accelerator,
    /// The workload's id.
    pub workload: String,
    /// What the catalogue calls it without the quantile: `disk.sync.latency`.
    pub metric: String,
    /// `ns`.
    pub unit: String,
    /// Samples merged.
    pub samples: u32,
    /// Operations in them: those that the agent kept.
    pub operations: u64,
    /// Of how many it kept one, at the least and at the most in a block; `None` where that is not known.
    pub kept_one_in: Option<(u64, u64)>,
    /// Median; `None` as the others where there are too few operations for it.
    pub p50: Option<Estimate>,
    /// 90th percentile.
    pub p90: Option<Estimate>,
    /// 99th percentile.
    pub p99: Option<Estimate>,
    /// The largest of those kept.
    pub max: f64,
    /// The distribution, rising in both: for a plot.
    pub points: Vec<QuantilePoint>,
}

/// One point of a distribution.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct QuantilePoint {
    /// Share of the operations that took at most this long: above 0, at most 1.
    pub quantile: f64,
    /// In the unit of the latencies.
    pub value: f64,
}

/// May ratios of an environment to the control be stated?
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparability {
    /// The environment's id.
    pub environment: String,
    /// `None`: yes. Else why not, in a sentence.
    pub withheld: Option<String>,
    /// What differs, must it match or not.
    pub differences: Vec<DifferenceSeen>,
}

/// One thing that two environments do not have alike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DifferenceSeen {
    /// What.
    pub what: String,
    /// In the control.
    pub control: String,
    /// In the environment.
    pub environment: String,
    /// Ratios mean nothing while it differs.
    pub must_match: bool,
}
