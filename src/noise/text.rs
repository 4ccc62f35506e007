//! What a look at the noise found, for a person.

use super::{Noise, Probe};
use crate::analysis::noise::{BLOCKS, Wavering};

const LEGEND: [&str; 3] = [
    "spread: how far equal things are apart in a block. Columns of blocks: the smallest change of a metric that a run",
    "of so many blocks sees, with 95 % power at 1 % false alarms. Between runs there is more: compare several of each",
    "side.",
];

/// A few lines: one for each thing that was asked about, then what was beside it.
#[must_use]
pub fn lines(noise: &Noise) -> Vec<String> {
    let blocks = noise.probes.iter().filter_map(|probe| probe.wavering.as_ref()).map(|one| one.blocks).max();
    let mut lines = vec![
        format!(
            "noise of this host, {} blocks in {:.0} s: the same process under two names",
            blocks.unwrap_or(0),
            noise.activity.seconds
        ),
        format!("  {:<8} {:>8} {:>9} {:>10} {:>10} {:>10}", "", "spread", "b / a", head(0), head(1), head(2)),
    ];
    lines.extend(noise.probes.iter().map(line));
    lines.push(steal(noise));
    lines.extend(others(noise));
    lines.extend(LEGEND.map(str::to_owned));
    lines
}

fn head(at: usize) -> String {
    format!("{} blocks", BLOCKS[at])
}

fn line(probe: &Probe) -> String {
    let Some(one) = &probe.wavering else { return format!("  {:<8} no figure", probe.what) };
    let mut detectable = one.detectable.iter().map(|one| one.map_or("not enough".to_owned(), percent));
    let mut next = || detectable.next().unwrap_or_default();
    format!(
        "  {:<8} {:>8} {:>9} {:>10} {:>10} {:>10}{}",
        probe.what,
        one.spread.map_or("?".to_owned(), percent),
        one.ratio.map_or("?".to_owned(), |ratio| format!("{:.4}", ratio.value)),
        next(),
        next(),
        next(),
        alarm(one)
    )
}

fn alarm(one: &Wavering) -> &'static str {
    if one.false_alarm() { "  told apart, though equal: one run in a hundred may" } else { "" }
}

fn percent(fraction: f64) -> String {
    let percent = fraction * 1e2;
    if percent >= 10.0 { format!("{percent:.0} %") } else { format!("{percent:.1} %") }
}

fn steal(noise: &Noise) -> String {
    let stolen = noise.activity.stolen;
    let text = stolen.map_or("cannot be read".to_owned(), |share| {
        format!("the hypervisor took {} of the CPU time that was wanted", percent(share))
    });
    format!("  {:<8} {text}", "steal")
}

fn others(noise: &Noise) -> Option<String> {
    let cpus = noise.activity.others_cpus?;
    let most = noise.activity.loudest.as_ref().map(|one| format!(", most of all {}", one.name));
    Some(format!("  {:<8} {cpus:.2} CPUs{}", "others", most.unwrap_or_default()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::analysis::{Estimate, Interval};
    use crate::measure::host::{Activity, Loud};

    fn wavering(detectable: Vec<Option<f64>>, low: f64) -> Option<Wavering> {
        Some(Wavering {
            metric: "m".into(),
            unit: "1/s".into(),
            blocks: 61,
            median: Some(5.0),
            spread: Some(0.0123),
            ratio: Some(Estimate { value: 1.002, interval: Some(Interval { low, high: 1.01 }) }),
            detectable,
        })
    }

    #[test]
    fn what_it_looks_like() {
        let noise = Noise {
            activity: Activity {
                seconds: 121.3,
                others_cpus: Some(0.314),
                loudest: Some(Loud { name: "cc1".into(), cpus: 0.2 }),
                stolen: Some(0.0042),
                ..Activity::default()
            },
            probes: vec![
                Probe {
                    what: "compute",
                    wavering: wavering(vec![Some(0.042), Some(0.021), Some(0.011)], 0.99),
                },
                Probe { what: "I/O", wavering: wavering(vec![Some(0.42), None, None], 1.001) },
                Probe { what: "fork", wavering: None },
            ],
            warnings: Vec::new(),
        };
        insta::assert_snapshot!(lines(&noise).join("\n"));
        let document = serde_json::to_value(&noise).unwrap();
        let docs = include_str!("../../docs/cli.md");
        for part in
            [&document, &document["activity"], &document["probes"][0], &document["probes"][0]["wavering"]]
        {
            for key in part.as_object().unwrap().keys() {
                assert!(docs.contains(&format!("`{key}`")), "docs/cli.md lacks {key}");
            }
        }
    }
}
