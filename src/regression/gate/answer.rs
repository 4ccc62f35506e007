//! What the gate says.

use serde::Serialize;

use super::limits::Limit;
use super::missing::Missing;
use crate::analysis::compare::fingerprint::Mismatch;
use crate::analysis::compare::{Change, Why};

/// One of three answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "answer", content = "reason")]
pub enum Answer {
    /// It is shown to be within its limit.
    Pass,
    /// It is shown to be worse by more than its limit.
    Regression,
    /// Neither is shown, and why.
    Undecided(Reason),
}

/// Why there is no answer. None of these ever passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The interval holds the limit.
    Inconclusive,
    /// The interval lies beyond the limit, and the evidence is too weak for so many gated figures.
    TooMany,
    /// Fewer values than any statement needs.
    TooFew,
    /// Samples of the candidate failed: those that are left are not all there was to measure.
    Failed,
    /// All values of the baseline are the same, so that nothing says how much they differ by themselves.
    NoSpread,
    /// The baseline has no such figure.
    NotInBase,
    /// The candidate has no such figure.
    NotInNew,
    /// The baseline has the figure, and the candidate was not asked to measure it.
    NotPlanned,
    /// It was to be measured, and the sides hold nothing of it that can be compared.
    NotMeasured,
    /// A quantile of single operations, of which a block has too few.
    FewOperations,
    /// A value of zero: a ratio would mean nothing.
    Zero,
    /// An exact metric that was not the same all through.
    NotExact,
    /// The sizes seen from inside differ or are not known.
    Withheld,
    /// It was a regression in one session and not in a fresh one.
    NotConfirmed,
}

impl Reason {
    /// A clause.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Inconclusive => "not precise enough to tell it from its limit",
            Self::TooMany => {
                "beyond its limit, and not surely enough among so many gated figures: gate fewer, or measure more"
            }
            Self::TooFew => "too few samples for any statement",
            Self::Failed => "samples failed, and those that are left are not all there was to measure",
            Self::NoSpread => {
                "all values of the baseline are the same, so nothing says how much they differ by themselves"
            }
            Self::NotInBase => "nothing of it was measured in the baseline",
            Self::NotInNew => "nothing of it was measured in the candidate",
            Self::NotPlanned => {
                "the baseline has it and the candidate's plan leaves it out: measure it, or gate against a baseline without it"
            }
            Self::NotMeasured => "the two sides hold nothing of it that can be compared",
            Self::FewOperations => {
                "a block has too few operations for this quantile: give the workload a longer duration"
            }
            Self::Zero => "a value is zero",
            Self::NotExact => "an exact metric was not the same all through",
            Self::Withheld => "the sizes seen from inside differ or are not known",
            Self::NotConfirmed => "a regression in one session and none in a fresh one",
        }
    }

    /// May more samples help?
    #[must_use]
    pub fn more_may_help(self) -> bool {
        matches!(self, Self::Inconclusive | Self::TooMany | Self::TooFew)
    }
}

impl From<Why> for Reason {
    fn from(why: Why) -> Self {
        match why {
            Why::Inconclusive => Self::Inconclusive,
            Why::TooFew => Self::TooFew,
            Why::NotInBase => Self::NotInBase,
            Why::NotInNew => Self::NotInNew,
            Why::FewOperations => Self::FewOperations,
            Why::Zero => Self::Zero,
            Why::NotExact => Self::NotExact,
            Why::Withheld => Self::Withheld,
        }
    }
}

/// One gated figure.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Judged {
    /// What was compared.
    pub change: Change,
    /// Its limit.
    pub limit: Limit,
    /// The answer.
    #[serde(flatten)]
    pub answer: Answer,
    /// It was seen again in a fresh session; `None` where none was asked.
    pub confirmed: Option<bool>,
}

/// What the gate says.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Gate {
    /// The answer over all gated figures: a regression where one is, else undecided where one is.
    #[serde(flatten)]
    pub answer: Answer,
    /// Each gated figure, in the order of the candidate's report.
    pub judged: Vec<Judged>,
    /// Limits that no figure has although one was planned, and figures of the baseline that the candidate's plan leaves out: each
    /// is as undecided as a figure.
    pub missing: Vec<Missing>,
    /// Regressions that moved together, as one each: places in [`Gate::judged`], the one to name it by first.
    pub findings: Vec<Vec<usize>>,
    /// What is not the same as in the baseline and does not forbid comparing.
    pub moved: Vec<Mismatch>,
    /// Sessions of the baseline, and of the candidate.
    pub sessions: (usize, usize),
    /// Why no decision should rest on this alone.
    pub advisory: Option<String>,
    /// What a reader must know.
    pub warnings: Vec<String>,
}

impl Gate {
    /// Figures with this kind of answer.
    #[must_use]
    pub fn count(&self, which: fn(&Answer) -> bool) -> usize {
        self.judged.iter().filter(|one| which(&one.answer)).count()
    }
}

/// The answer over all: the worst there is.
pub(super) fn overall(judged: &[Judged], missing: &[Missing]) -> Answer {
    let rank = |answer: &Answer| match answer {
        Answer::Regression => 2,
        Answer::Undecided(_) => 1,
        Answer::Pass => 0,
    };
    let missing = missing.iter().map(|one| Answer::Undecided(one.reason));
    let all = judged.iter().map(|one| one.answer).chain(missing);
    all.max_by_key(rank).unwrap_or(Answer::Undecided(Reason::NotInNew))
}
