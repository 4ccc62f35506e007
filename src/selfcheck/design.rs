//! What each experiment is.

use std::time::Duration;

use crate::environment::Kind;
use crate::suite::{self, DockerSpec, EnvironmentSpec, KindSpec, NativeSpec, Suite, SuiteError};

/// The two names.
pub(super) const NAMES: (&str, &str) = ("a", "b");

/// By how much work is slowed, in thousandths.
pub(super) const SLOWER: [u32; 3] = [20, 50, 100];

/// Of so many experiments one is of slowed work: the third of them.
const WITH_SLOWED: u32 = 10;

/// What is slowed: work that nothing but the CPU decides.
const STEADY: [&str; 4] = ["integer", "float", "syscall", "latency-1"];

/// Longer than elsewhere, and in more blocks: a small slow-down is to be seen.
const STEADY_WORK: Duration = Duration::from_millis(50);
const STEADY_BLOCKS: u32 = 40;

/// Every so many-th is of another kind than the first: the others are cheaper.
const OF_ANOTHER_KIND: u32 = 4;

/// One experiment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Design {
    /// From 0.
    pub number: u32,
    /// What runs under two names.
    pub kind: Kind,
    /// One beside others whose work is slowed, instead of two that are equal.
    pub slowed: bool,
}

impl Design {
    /// The experiment with that number, from 0; `kinds` is not empty.
    pub(super) fn of(number: u32, kinds: &[Kind]) -> Self {
        let first = kinds.first().copied().unwrap_or(Kind::Native);
        let others = kinds.get(1..).unwrap_or_default();
        let turn = number / OF_ANOTHER_KIND;
        let other = others.get(turn as usize % others.len().max(1)).copied();
        let is_other = number % OF_ANOTHER_KIND == 1;
        let kind = if is_other { other.unwrap_or(first) } else { first };
        Self { number, kind, slowed: number % WITH_SLOWED == 2 }
    }

    /// The order of everything in it comes from this.
    pub(super) fn seed(&self) -> u64 {
        u64::from(self.number) + 1
    }

    pub(super) fn kind_name(&self) -> &'static str {
        match self.kind {
            Kind::Native => "native",
            Kind::Docker => "docker",
            Kind::Qemu => "qemu",
        }
    }

    /// What the slowed one is called, each size of its own.
    pub(super) fn slowed_id(permille: u32) -> String {
        format!("slower-{permille}")
    }

    /// # Errors
    /// A fault in this program's own suite.
    pub(super) fn suite(&self) -> Result<Suite, SuiteError> {
        let mut suite = suite::parse(include_str!("suite.toml"), "selfcheck.toml")?;
        if self.kind != Kind::Native {
            suite.name = format!("{}-{}", suite.name, self.kind_name());
        }
        if !self.slowed {
            suite.environments = [NAMES.0, NAMES.1].map(|id| self.environment(id.to_owned(), 0)).into();
            return Ok(suite);
        }
        suite.environments = vec![self.environment(NAMES.0.to_owned(), 0)];
        let slower = SLOWER.map(|permille| self.environment(Self::slowed_id(permille), permille));
        suite.environments.extend(slower);
        suite.workloads.retain(|one| STEADY.contains(&one.id.as_str()));
        suite.workloads.iter_mut().for_each(|one| one.duration = STEADY_WORK);
        suite.blocks.count = STEADY_BLOCKS;
        Ok(suite)
    }

    fn environment(&self, id: String, slower_permille: u32) -> EnvironmentSpec {
        let kind = match self.kind {
            Kind::Docker => KindSpec::Docker(DockerSpec { runtime: "runc".into(), network: false }),
            Kind::Native | Kind::Qemu => KindSpec::Native(NativeSpec::default()),
        };
        EnvironmentSpec { id, workloads: None, slower_permille, kind }
    }
}
