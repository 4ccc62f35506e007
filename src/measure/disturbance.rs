//! Was a cell disturbed by something that is not part of it?
//!
//! In: what the host's own counters say of a stretch of time. Out: the [`Ground`]s on which it is disturbed. It must never
//! see what was measured: a block that is measured again because its values look odd is a block chosen by its values, and
//! what is left after that is narrower than the truth and shifted.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::host::{Activity, BUSY_SHARE, Loud, STOLEN_SHARE};

/// What disturbed a cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "kebab-case")]
pub enum Ground {
    /// Programs of others used more than 5 % of the host's CPUs.
    Others {
        /// How many CPUs.
        cpus: f64,
        /// Who most of all.
        loudest: Option<Loud>,
    },
    /// The hypervisor did not give more than 2 % of the CPU time that was wanted.
    Stolen {
        /// 0 to 1.
        share: f64,
    },
    /// Heat slowed a core or its package.
    Throttled {
        /// How often.
        times: u64,
    },
    /// Memory was swapped.
    Swapped {
        /// Pages, in or out.
        pages: u64,
    },
}

/// The grounds on which a stretch of time was disturbed on a host with `online_cpus`; none: it was quiet, or nothing could
/// be read.
///
/// Pressure is no ground: the instance itself waits for the disk it is measured on. Nor is the frequency: it follows what
/// the instance does.
#[must_use]
pub fn grounds(activity: &Activity, online_cpus: u32) -> Vec<Ground> {
    let many = BUSY_SHARE * f64::from(online_cpus.max(1));
    let others = activity.others_cpus.filter(|cpus| *cpus > many);
    let stolen = activity.stolen.filter(|share| *share > STOLEN_SHARE);
    let throttled = activity.throttled.filter(|times| *times > 0);
    let swapped = activity.swapped_pages.filter(|pages| *pages > 0);
    let all = [
        others.map(|cpus| Ground::Others { cpus, loudest: activity.loudest.clone() }),
        stolen.map(|share| Ground::Stolen { share }),
        throttled.map(|times| Ground::Throttled { times }),
        swapped.map(|pages| Ground::Swapped { pages }),
    ];
    all.into_iter().flatten().collect()
}

impl fmt::Display for Ground {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Others { cpus, loudest } => {
                write!(f, "other programs used {cpus:.2} CPUs")?;
                loudest.as_ref().map_or(Ok(()), |one| write!(f, ", most of all {}", one.name))
            }
            Self::Stolen { share } => write!(f, "the hypervisor took {:.1} % of the CPU time", share * 1e2),
            Self::Throttled { times } => write!(f, "heat slowed the CPUs {times} times"),
            Self::Swapped { pages } => write!(f, "{pages} pages were swapped"),
        }
    }
}

/// All grounds in one clause.
#[must_use]
pub fn clause(grounds: &[Ground]) -> String {
    grounds.iter().map(Ground::to_string).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn each_ground_begins_just_beyond_its_threshold() {
        let quiet = Activity {
            others_cpus: Some(0.2),
            stolen: Some(0.02),
            throttled: Some(0),
            swapped_pages: Some(0),
            ..Activity::default()
        };
        assert_eq!(grounds(&quiet, 4), []);
        assert_eq!(grounds(&Activity::default(), 4), []);
        // The same load is more of a smaller host.
        assert_eq!(grounds(&quiet, 2), [Ground::Others { cpus: 0.2, loudest: None }]);
        let loud = Activity {
            others_cpus: Some(0.21),
            loudest: Some(Loud { name: "make".into(), cpus: 0.2 }),
            stolen: Some(0.021),
            throttled: Some(1),
            swapped_pages: Some(3),
            ..Activity::default()
        };
        assert_eq!(
            clause(&grounds(&loud, 4)),
            "other programs used 0.21 CPUs, most of all make; the hypervisor took 2.1 % of the CPU time; \
             heat slowed the CPUs 1 times; 3 pages were swapped"
        );
    }

    #[test]
    fn what_the_instance_itself_causes_is_no_ground() {
        let mut own = Activity { kernel_cpus: Some(1.5), ..Activity::default() };
        own.pressure.io_full = Some(0.9);
        own.pressure.cpu_some = Some(0.9);
        own.pressure.memory_full = Some(0.5);
        assert_eq!(grounds(&own, 1), []);
    }

    #[test]
    fn a_ground_survives_json() {
        for ground in [
            Ground::Others { cpus: 0.5, loudest: Some(Loud { name: "x".into(), cpus: 0.4 }) },
            Ground::Stolen { share: 0.1 },
        ] {
            let text = serde_json::to_string(&ground).unwrap();
            assert_eq!(serde_json::from_str::<Ground>(&text).unwrap(), ground);
        }
    }
}
