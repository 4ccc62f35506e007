//! Pictures: pure functions from a run and its summary to SVG, and from SVG to PNG.
//!
//! Each picture is laid out once, as a `scene::Scene`; plotters turns that into SVG, resvg the SVG into PNG with the
//! same font. Where there is nothing to show, a plot says why instead.

use super::view::View;

mod axis;
mod frame;
mod latency;
mod memory;
mod overhead;
mod palette;
mod png;
mod scene;
mod startup_distribution;
mod startup_phases;
mod svg;
mod text;
mod thin;
pub mod trend;

pub use png::PngError;

/// One picture, or why there is none.
#[derive(Debug, Clone, PartialEq)]
pub struct Plot {
    /// Its files' stem.
    pub name: &'static str,
    /// Its title.
    pub title: &'static str,
    /// What is shown, how it is to be read, and of how many values.
    pub caption: String,
    /// The SVG, or why there is nothing to show.
    pub drawn: Result<String, String>,
}

impl Plot {
    /// The same picture as PNG, of two pixels for each of the SVG's.
    ///
    /// # Errors
    /// [`PngError`]; `None` where there is no picture.
    pub fn png(&self) -> Option<Result<Vec<u8>, PngError>> {
        self.drawn.as_ref().ok().map(|svg| png::render(svg))
    }
}

/// What a module of one picture gives: its scene and what is said below it, or why there is none.
type Made = Result<(scene::Scene, String), String>;

/// Name, title and maker of a picture.
type Maker = (&'static str, &'static str, fn(&View<'_>) -> Made);

/// All pictures, in the order of a report.
const PLOTS: [Maker; 6] = [
    ("startup-phases", "Start-up by phase", startup_phases::make),
    ("startup-distribution", "Start-up, every start", startup_distribution::make),
    ("memory-over-time", "Memory over time", memory::make),
    ("cpu-overhead", "CPU: slowdown against native", overhead::cpu),
    ("disk-overhead", "Disk: slowdown against native", overhead::disk),
    ("disk-latency", "Disk latency", latency::make),
];

/// All pictures of a run.
pub(super) fn all(view: &View<'_>) -> Vec<Plot> {
    PLOTS.iter().map(|(name, title, make)| plot(name, title, make(view))).collect()
}

fn plot(name: &'static str, title: &'static str, made: Made) -> Plot {
    match made {
        Ok((scene, caption)) => {
            let drawn = Ok(svg::render(&frame::finish(scene), title, &caption));
            Plot { name, title, caption, drawn }
        }
        Err(why) => Plot { name, title, caption: String::new(), drawn: Err(why) },
    }
}

/// The warning that goes with every picture of an emulated machine.
fn alarm(view: &View<'_>) -> Option<String> {
    view.emulated().then(|| {
        "The virtual machine runs by software emulation (TCG): its figures say nothing of KVM.".to_owned()
    })
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
