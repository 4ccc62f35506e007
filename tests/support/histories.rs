//! Simulated histories: what builds look like when nothing changed, and one with three true steps.
//!
//! Change points were calibrated on these alone. Figures are logarithms: 0.01 is 1 %.
#![allow(dead_code)]

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

/// How the builds of a history differ although nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Noise {
    /// Normal, 1 %.
    Normal,
    /// Student's t with three degrees of freedom, 1 %.
    HeavyTails,
    /// Normal, squared: all to one side.
    Skewed,
    /// Normal, 10 %.
    Large,
    /// 5 % of builds up to half as large again.
    Spikes,
    /// Now and then one to five builds in a row are 10 to 40 % larger.
    Bursts,
    /// Whole milliseconds near 20.
    Coarse,
    /// A build resembles the one before by one half.
    Resembling,
    /// By eight tenths.
    VeryResembling,
    /// By 0.95.
    Wandering,
    /// A random walk of 0.2 % a build under 1 % of noise.
    RandomWalk,
    /// 10 % from the first to the last build.
    Trend,
    /// A wave of ±2 %, 94 builds long.
    Wave,
    /// Three of ten builds are 6 % larger.
    TwoModes,
    /// Builds stay in one of two modes, 6 % apart, for 12 builds on average.
    TwoModesInRuns,
    /// One build in 50 moves the level by 1.5 % at most times: true changes, few of which are worth telling.
    SmallSteps,
}

impl Noise {
    /// All.
    pub(crate) const ALL: [Self; 16] = [
        Self::Normal,
        Self::HeavyTails,
        Self::Skewed,
        Self::Large,
        Self::Spikes,
        Self::Bursts,
        Self::Coarse,
        Self::Resembling,
        Self::VeryResembling,
        Self::Wandering,
        Self::RandomWalk,
        Self::Trend,
        Self::Wave,
        Self::TwoModes,
        Self::TwoModesInRuns,
        Self::SmallSteps,
    ];
}

/// Random numbers of a seed.
pub(crate) struct Source(StdRng);

impl Source {
    /// The same seed gives the same numbers.
    pub(crate) fn new(seed: u64) -> Self {
        Self(StdRng::seed_from_u64(seed))
    }

    /// From 0 to 1.
    pub(crate) fn uniform(&mut self) -> f64 {
        self.0.random()
    }

    /// Standard normal.
    pub(crate) fn normal(&mut self) -> f64 {
        let (radius, angle) = (self.uniform().max(1e-300), self.uniform());
        (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
    }

    /// Below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.uniform() * bound as f64) as usize
    }

    fn hits(&mut self, probability: f64) -> bool {
        self.uniform() < probability
    }
}

/// A history of `builds` in which nothing changed but by its noise; `size` is the normal part's deviation.
pub(crate) fn unchanged(noise: Noise, builds: usize, size: f64, source: &mut Source) -> Vec<f64> {
    let mut state = 0.0;
    let mut left = 0;
    let mut one = |i: usize| {
        let normal = size * source.normal();
        match noise {
            Noise::Normal => normal,
            Noise::HeavyTails => {
                let squares: f64 = (0..3).map(|_| source.normal().powi(2)).sum();
                normal / (squares / 3.0).sqrt()
            }
            Noise::Skewed => size * source.normal().powi(2),
            Noise::Large => 10.0 * normal,
            Noise::Spikes if source.hits(0.05) => normal + (0.5 * source.uniform()).ln_1p(),
            Noise::Spikes => normal,
            Noise::Bursts => {
                if left == 0 && source.hits(0.015) {
                    left = 1 + source.below(5);
                    state = 0.1 + 0.3 * source.uniform();
                }
                let high = if left > 0 { state } else { 0.0 };
                left = left.saturating_sub(1);
                normal + high
            }
            Noise::Coarse => (20.0 + 60.0 * normal).round().ln(),
            Noise::Resembling | Noise::VeryResembling | Noise::Wandering => {
                let share = match noise {
                    Noise::Resembling => 0.5,
                    Noise::VeryResembling => 0.8,
                    _ => 0.95,
                };
                state = share * state + normal;
                state
            }
            Noise::RandomWalk => {
                state += 0.2 * size * source.normal();
                state + normal
            }
            Noise::Trend => normal + 0.1 * i as f64 / builds as f64,
            Noise::Wave => normal + 0.02 * (i as f64 / 15.0).sin(),
            Noise::TwoModes => normal + if source.hits(0.3) { 0.06 } else { 0.0 },
            Noise::TwoModesInRuns => {
                state = if source.hits(0.08) { 0.06 - state } else { state };
                state + normal
            }
            Noise::SmallSteps => {
                state += if source.hits(0.02) { 0.015 * source.normal() } else { 0.0 };
                state + 0.4 * normal
            }
        }
    };
    (0..builds).map(&mut one).collect()
}

/// Where and by how much a scripted history changes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    /// The first build of the new level.
    pub at: usize,
    /// 0.05 is 5 % more.
    pub size: f64,
}

/// 120 runs with steps of 3, 5 and 20 % in any order, a wave of ±1 % as drift, noise of `noise` and spikes of up to
/// 50 % in 5 % of the runs. Values near 100.
pub(crate) fn scripted(seed: u64, noise: f64) -> (Vec<f64>, [Step; 3]) {
    let mut source = Source::new(seed);
    let mut sizes = [0.03, 0.05, 0.20];
    for last in [2, 1] {
        sizes.swap(last, source.below(last + 1));
    }
    let steps = [25, 55, 85].map(|from| from + source.below(10));
    let steps = [0, 1, 2].map(|i| Step { at: steps[i], size: sizes[i] });
    let phase = std::f64::consts::TAU * source.uniform();
    let mut y = unchanged(Noise::Spikes, 120, noise, &mut source);
    for (i, value) in y.iter_mut().enumerate() {
        *value += 0.01 * (i as f64 / 20.0 + phase).sin();
        *value += steps.iter().filter(|step| i >= step.at).map(|step| step.size.ln_1p()).sum::<f64>();
    }
    (y.iter().map(|value| 100.0 * value.exp()).collect(), steps)
}
