//! What an instance of an environment is measured by beside its work, so that one that fails fails all of it.

use std::collections::{BTreeMap, BTreeSet};

use crate::measure::sample::Sample;

/// Taken of every instance, whatever its environment.
const ALWAYS: [(&str, &str); 5] = [
    ("start", "startup.ready"),
    ("idle", "memory.total.idle"),
    ("idle", "memory.total.peak"),
    ("idle", "disk.added"),
    ("stop", "end.total"),
];

/// Metrics by environment: of some (phases, control groups) only an instance that came further tells.
#[derive(Debug, Default)]
pub(super) struct Seen(BTreeMap<String, BTreeSet<(String, String)>>);

impl Seen {
    pub(super) fn note(&mut self, sample: &Sample) {
        let stages = ALWAYS.iter().any(|(stage, _)| *stage == &*sample.workload);
        // A cold start is a measurement of its own.
        if stages && &*sample.metric != "startup.cold.ready" {
            let key = (sample.workload.to_string(), sample.metric.to_string());
            self.0.entry(sample.environment.to_string()).or_default().insert(key);
        }
    }

    /// What is measured in that stage of it (`start`, `idle`, `stop`): what always is, then what instances before it had.
    pub(super) fn of(&self, environment: &str, stage: &str) -> Vec<String> {
        let always = || ALWAYS.iter().filter(|(of, _)| *of == stage).map(|(_, metric)| *metric);
        let seen = self.0.get(environment).into_iter().flatten();
        let more = seen.filter(|(of, metric)| of == stage && always().all(|known| known != metric));
        always().map(str::to_owned).chain(more.map(|(_, metric)| metric.clone())).collect()
    }
}
