//! What a comparison says.

use serde::Serialize;

use crate::analysis::summary::Estimate;
use crate::environment::Kind;
use crate::measure::metric::Direction;
use crate::measure::sample::Accelerator;

/// All rows of a comparison and what holds for all of them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// What was compared.
    pub basis: Basis,
    /// What the unit was.
    pub design: Design,
    /// Why no decision should rest on this alone; `None` where one may.
    pub advisory: Option<String>,
    /// The chance that any row is called faster or slower and is not.
    pub alpha: f64,
    /// The chance with which a change of [`Change::detectable`] is seen.
    pub power: f64,
    /// Rows that were tested: the family.
    pub family: u32,
    /// In the order of the first run's report.
    pub rows: Vec<Change>,
    /// Rows that moved together, as one each.
    pub findings: Vec<Finding>,
    /// What is not the same on the two sides and does not forbid comparing.
    pub differences: Vec<fingerprint::Mismatch>,
    /// What could not be compared, and what a reader must know.
    pub warnings: Vec<String>,
}

use super::fingerprint;

/// What was compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Basis {
    /// The values themselves.
    Values,
    /// Ratios of the values to those of the same run's native control.
    RatiosToNative,
}

/// What one independent observation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Design {
    /// A block that holds both.
    Blocks,
    /// A run.
    Sessions {
        /// On the base's side.
        base: u32,
        /// On the other.
        new: u32,
    },
}

/// One environment, workload and metric on two sides.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// The environment's id; of two environments of one run, the new one's.
    pub environment: String,
    /// Its kind.
    pub kind: Kind,
    /// What executed it, on both sides.
    pub accelerator: Accelerator,
    /// The workload's id.
    pub workload: String,
    /// The metric's name.
    pub metric: String,
    /// Its unit.
    pub unit: String,
    /// Which way is good; `None` for a metric that this version does not know.
    pub direction: Option<Direction>,
    /// Any change is a fact: no test, no interval.
    pub exact: bool,
    /// The base.
    pub base: Side,
    /// What is held against it.
    pub new: Side,
    /// new / base, with its interval of confidence 1 − α; `None` where nothing can be said.
    pub change: Option<Estimate>,
    /// Two-sided, of this row alone; `None` where it was not tested.
    pub p: Option<f64>,
    /// The same corrected for the whole family.
    pub p_adjusted: Option<f64>,
    /// The smallest change that matters, as a fraction of the base.
    pub matters: f64,
    /// The smallest slow-down (or growth) these runs could have seen at α over the family, with the power asked for, as a
    /// fraction of the base. `None`: with so few, none at all, however large.
    pub detectable: Option<f64>,
    /// The answer.
    pub verdict: Verdict,
    /// Is the change larger than what matters? `None` where the interval does not say.
    pub large: Option<bool>,
    /// No decision should rest on this row alone, though one may on others: too few of the sessions hold enough of it.
    pub advisory: bool,
    /// What a reader should know beside it.
    pub notes: Vec<String>,
}

/// One side of a row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Side {
    /// Sessions that the answer rests on: those that hold values, and enough of them where it has noise.
    pub sessions: u32,
    /// Values, of all sessions.
    pub n: u32,
    /// Failures.
    pub failed: u32,
    /// Median of the sessions' medians, in the metric's unit.
    pub median: Option<f64>,
    /// What was compared where that is not the value: its ratio to native, of a start to one native fork and exec.
    pub ratio: Option<f64>,
}

/// The answer of a row.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Faster; of bytes: smaller, or larger where more is better.
    Better,
    /// The other way.
    Worse,
    /// It moved, and this version does not know which way is good.
    Changed,
    /// Not shown to differ, and shown not to differ by more than this fraction, which is less than what matters.
    NoDifference {
        /// The far end of the interval, as a fraction.
        most: f64,
    },
    /// An exact metric that is the same.
    Same,
    /// Neither, and why.
    Undecided(Why),
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// The interval holds both nothing and a change that matters.
    Inconclusive,
    /// Fewer values than any statement needs.
    TooFew,
    /// The base has no value.
    NotInBase,
    /// The new side has no value.
    NotInNew,
    /// A value of zero: a ratio would mean nothing.
    Zero,
    /// A quantile of single operations, of which a block has too few: it would be their largest.
    FewOperations,
    /// An exact metric that was not the same all through one side.
    NotExact,
    /// The two are not of the same: see the notes, or the run's own report for the sizes seen from inside.
    Withheld,
}

impl Change {
    /// The answer in the words of the metric: `slower`, `larger`, `no difference larger than 3.1 %`, ….
    #[must_use]
    pub fn words(&self) -> String {
        let bytes = self.unit == "bytes";
        let bigger = self.direction == Some(Direction::Bigger);
        match self.verdict {
            // Bytes are said to be what they are, whichever of the two is good.
            Verdict::Better if bytes => if bigger { "larger" } else { "smaller" }.to_owned(),
            Verdict::Worse if bytes => if bigger { "smaller" } else { "larger" }.to_owned(),
            Verdict::Better => "faster".to_owned(),
            Verdict::Worse => "slower".to_owned(),
            Verdict::Changed => "changed".to_owned(),
            Verdict::NoDifference { most } => format!("no difference larger than {:.1} %", most * 100.0),
            Verdict::Same => "the same".to_owned(),
            Verdict::Undecided(why) => format!("undecided: {}", why.words()),
        }
    }
}

impl Why {
    /// A clause.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Inconclusive => "not precise enough",
            Self::TooFew => "not enough values",
            Self::FewOperations => "too few operations in a block for this quantile",
            Self::NotInBase => "nothing was measured in the base",
            Self::NotInNew => "nothing was measured in the new run",
            Self::Zero => "a value is zero",
            Self::NotExact => "an exact metric that was not the same all through",
            Self::Withheld => {
                "the sizes seen from inside differ or are not known, or it is not of the same work"
            }
        }
    }
}

/// Rows of one environment and family that moved the same way: one cause, as far as can be told.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// The environment's id.
    pub environment: String,
    /// Better or worse.
    pub verdict: Verdict,
    /// Places in [`Comparison::rows`]; the first is the one to name it by.
    pub rows: Vec<usize>,
}
