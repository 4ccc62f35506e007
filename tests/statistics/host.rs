//! A simulated host: how much longer than usual the next measurement takes.

use isocost::analysis::statistics::normal;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// What disturbs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// 4 % of normal noise.
    Calm,
    /// The same on a host that gets 15 % slower from the first slot to the last.
    Drift,
    /// 2 % of noise on a state that deviates by 5 % and keeps 95 % of itself from slot to slot.
    Sticky,
    /// 3 % of noise, and one measurement in twenty up to 50 % slower.
    Spikes,
    /// 2 % of noise, and three measurements in ten 28 % slower.
    TwoModes,
}

pub(crate) const SHAPES: [Shape; 5] =
    [Shape::Calm, Shape::Drift, Shape::Sticky, Shape::Spikes, Shape::TwoModes];

impl Shape {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Calm => "calm",
            Self::Drift => "drift 15 %",
            Self::Sticky => "autocorrelated",
            Self::Spikes => "spikes",
            Self::TwoModes => "bimodal",
        }
    }
}

/// One run of slots on it.
pub(crate) struct Host {
    shape: Shape,
    slots: usize,
    at: usize,
    state: f64,
    random: Random,
}

impl Host {
    pub(crate) fn new(shape: Shape, slots: usize, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let state = 0.05 * random.normal();
        Self { shape, slots, at: 0, state, random }
    }

    /// ln of the factor by which the next measurement is slower than usual.
    pub(crate) fn next(&mut self) -> f64 {
        let through = self.at as f64 / self.slots.max(2) as f64;
        self.at += 1;
        match self.shape {
            Shape::Calm => 0.04 * self.random.normal(),
            Shape::Drift => 0.15 * through + 0.04 * self.random.normal(),
            Shape::Sticky => {
                self.state = 0.95 * self.state + 0.05 * (1.0f64 - 0.95 * 0.95).sqrt() * self.random.normal();
                self.state + 0.02 * self.random.normal()
            }
            Shape::Spikes => {
                let spike =
                    if self.random.chance(0.05) { (1.0 + 0.5 * self.random.share()).ln() } else { 0.0 };
                spike + 0.03 * self.random.normal()
            }
            Shape::TwoModes => {
                let mode = if self.random.chance(0.3) { 0.25 } else { 0.0 };
                mode + 0.02 * self.random.normal()
            }
        }
    }

    pub(crate) fn heads(&mut self) -> bool {
        self.random.chance(0.5)
    }
}

/// Numbers from a seed.
pub(crate) struct Random(ChaCha8Rng);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// Between 0 and 1, neither included.
    pub(crate) fn share(&mut self) -> f64 {
        ((self.0.next_u64() >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    }

    pub(crate) fn normal(&mut self) -> f64 {
        normal::quantile(self.share())
    }

    pub(crate) fn chance(&mut self, of: f64) -> bool {
        self.share() < of
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        ((self.share() * bound as f64) as usize).min(bound - 1)
    }
}
