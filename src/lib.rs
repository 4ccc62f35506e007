//! Isocost measures what isolation costs: the same work as a plain process, a Docker container and a QEMU
//! virtual machine, and how sure the figures are.
//!
//! Data moves one way; each step is a module and each arrow one type:
//! [`suite`] → [`plan`] → [`run`] (with [`environment`], [`image`] and [`measure`]) → samples in a [`journal`]
//! → [`analysis`] → [`report`]. See ARCHITECTURE.md.

pub mod agent;
pub mod analysis;
pub mod cli;
pub mod environment;
pub mod image;
pub mod journal;
pub mod measure;
pub mod named_file;
pub mod noise;
pub mod plan;
pub mod regression;
pub mod report;
pub mod run;
pub mod selfcheck;
pub mod suite;
pub mod sys;
pub mod trial;
pub mod wait;
