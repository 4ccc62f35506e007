//! Measuring on: while the answer is undecided, and once more before a failure is called one.

use super::answer::{Answer, Gate, Judged, Reason, overall};
use super::decide::{findings, size};
use super::void::GateError;
use crate::journal::Run;
use crate::measure::sample::Accelerator;

/// Sessions that one gate adds at most: more would not be a gate but a study.
const MOST_SESSIONS: usize = 8;

/// Why a further session is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// The answer is undecided for want of precision.
    Precision,
    /// A regression is to be seen again before it is told.
    Confirmation,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum DriveError<E> {
    /// The runs'.
    #[error(transparent)]
    Gate(#[from] GateError),
    /// A further session could not be measured.
    #[error("a further session could not be measured")]
    Measure(#[source] E),
}

/// Holds sessions of the candidate against whatever they are held against: [`decide`](super::decide()) or
/// [`decide_inside`](super::decide_inside).
pub type Decide<'a> = &'a dyn Fn(&[&Run]) -> Result<Gate, GateError>;

/// Decides, and has more measured where that helps: `measure` gives a session of its own, or `None` where there is no
/// budget left for one. `sessions` holds the candidate's and is added to.
///
/// # Errors
/// The runs', or what `measure` says.
pub fn drive<E>(
    decide: Decide<'_>,
    sessions: &mut Vec<Run>,
    measure: &mut dyn FnMut(Need) -> Result<Option<Run>, E>,
) -> Result<Gate, DriveError<E>> {
    let all = |sessions: &[Run]| decide(&sessions.iter().collect::<Vec<_>>());
    let mut gate = all(sessions)?;
    let mut seen = Seen::default();
    for _ in 0..MOST_SESSIONS {
        let Some(need) = need(&gate) else { break };
        let Some(fresh) = measure(need).map_err(DriveError::Measure)? else { break };
        let alone = decide(&[&fresh])?;
        sessions.push(fresh);
        let before = gate;
        gate = all(sessions)?;
        if need == Need::Confirmation {
            seen.learn(&before, &gate, &alone);
        }
        seen.tell(&mut gate);
    }
    Ok(gate)
}

fn need(gate: &Gate) -> Option<Need> {
    let unconfirmed =
        gate.judged.iter().any(|one| one.answer == Answer::Regression && one.confirmed.is_none());
    if unconfirmed {
        return Some(Need::Confirmation);
    }
    let regression = gate.judged.iter().any(|one| one.answer == Answer::Regression);
    let helps = |answer: &Answer| matches!(answer, Answer::Undecided(reason) if reason.more_may_help());
    (!regression && gate.judged.iter().any(|one| helps(&one.answer))).then_some(Need::Precision)
}

/// What fresh sessions said of regressions: it holds for the rest of the gate, whatever later sessions add.
#[derive(Default)]
struct Seen(Vec<(Figure, bool)>);

type Figure = (String, String, String, Accelerator);

fn figure(one: &Judged) -> Figure {
    let of = &one.change;
    (of.environment.clone(), of.workload.clone(), of.metric.clone(), of.accelerator)
}

impl Seen {
    fn of(&self, figure: &Figure) -> Option<bool> {
        self.0.iter().find(|(one, _)| one == figure).map(|(_, again)| *again)
    }

    /// A regression stays one where the fresh session alone lies beyond the limit too; it need not be significant by
    /// itself. One that was told before and is gone was not confirmed.
    fn learn(&mut self, before: &Gate, now: &Gate, alone: &Gate) {
        for one in &now.judged {
            let figure = figure(one);
            if self.of(&figure).is_some() {
                continue;
            }
            let find = |gate: &'_ Gate| gate.judged.iter().position(|other| self::figure(other) == figure);
            let was = find(before).is_some_and(|at| before.judged[at].answer == Answer::Regression);
            let again = find(alone).is_some_and(|at| {
                let other = &alone.judged[at];
                other.answer == Answer::Regression || size(&other.change) > other.limit.relative.ln_1p()
            });
            if one.answer == Answer::Regression && again {
                self.0.push((figure, true));
            } else if was {
                self.0.push((figure, false));
            }
        }
    }

    fn tell(&self, gate: &mut Gate) {
        for one in &mut gate.judged {
            match self.of(&figure(one)) {
                Some(true) if one.answer == Answer::Regression => one.confirmed = Some(true),
                Some(false) => {
                    one.confirmed = Some(false);
                    one.answer = Answer::Undecided(Reason::NotConfirmed);
                }
                Some(true) | None => {}
            }
        }
        gate.answer = overall(&gate.judged, &gate.missing);
        gate.findings = findings(&gate.judged);
    }
}
