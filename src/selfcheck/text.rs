//! What a check found, for a person; the last line is the answer.

use super::tally::{Count, Injected, Selfcheck, power_is_refuted};
use super::{ENOUGH, PROMISED};
use crate::analysis::statistics::order;

/// False alarms shown at most.
const NAMED: usize = 10;

/// In lines; the last has the comparisons, the false alarms and their upper bound.
#[must_use]
pub fn lines(found: &Selfcheck) -> Vec<String> {
    let mut lines = vec![
        format!(
            "one environment under two names, {} experiments in {:.0} s",
            found.experiments, found.seconds
        ),
        counted("two names inside one run", &found.inside, ""),
        counted("five runs against a sixth", &found.sessions, ""),
        counted("one run against one", &found.single, ", advisory: nothing is promised"),
    ];
    lines.extend(found.injected.iter().map(injected));
    if power_is_refuted(&found.injected) {
        lines.push("  fewer were found than were said to be seen with 95 % probability".to_owned());
    }
    if !found.power_shown {
        lines.push("  no row said that it would see what was slowed: nothing was promised of that, so nothing is shown".to_owned());
    }
    lines.extend(found.named.iter().take(NAMED).map(|one| format!("  false alarm: {one}")));
    if found.named.len() > NAMED {
        lines.push(format!("  and {} more", found.named.len() - NAMED));
    }
    lines.extend(found.warnings.iter().map(|one| format!("  warning: {one}")));
    if found.comparisons < ENOUGH {
        lines.push(format!("  fewer than {ENOUGH} comparisons prove nothing: give it more time (--for)"));
    }
    lines.push(format!(
        "{} comparisons, {} false alarms: at most {} (one-sided 95 %), {} is promised: {}",
        found.comparisons,
        found.false_alarms,
        percent(found.most),
        percent(PROMISED),
        match found.kept {
            true => "kept",
            false if found.most <= PROMISED && !power_is_refuted(&found.injected) => "NOT shown to be kept",
            false => "NOT kept",
        }
    ));
    lines
}

fn counted(what: &str, count: &Count, more: &str) -> String {
    format!(
        "  {what:<27} {:>5} comparisons in {:>2} families, {} false alarms{more}",
        count.comparisons, count.families, count.alarms
    )
}

fn injected(one: &Injected) -> String {
    format!(
        "  slowed on purpose by {:>5}: {:>5} compared, {} found; {} said they would see it, {} did (half see {} or less)",
        percent(one.slower),
        one.rows,
        one.found,
        one.promised,
        one.promised_found,
        order::median_of(&one.sees).map_or("nothing".to_owned(), percent)
    )
}

fn percent(part: f64) -> String {
    let percent = part * 100.0;
    if (percent - percent.round()).abs() < 1e-9 {
        format!("{percent:.0} %")
    } else {
        format!("{percent:.2} %")
    }
}
