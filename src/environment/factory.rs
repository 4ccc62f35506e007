//! Which environment is made of which settings: the one place that knows all kinds.

use super::qemu::QemuEnvironment;
use super::{Environment, EnvironmentError, RunContext};
use crate::measure::sample::FailureName;
use crate::suite::{EnvironmentSpec, KindSpec};

/// Makes an environment that is not prepared yet.
///
/// # Errors
/// A kind that this build does not have.
pub fn build(spec: &EnvironmentSpec, context: &RunContext) -> Result<Box<dyn Environment>, EnvironmentError> {
    let missing = |kind: &str| {
        let detail = format!("this build of isocost has no environment of kind {kind}");
        Err(EnvironmentError::new(&spec.id, FailureName::NotStarted, detail))
    };
    match &spec.kind {
        KindSpec::Native(_) => missing("native"),
        KindSpec::Docker(_) => missing("docker"),
        KindSpec::Qemu(settings) => Ok(Box::new(QemuEnvironment::new(&spec.id, settings, context.clone()))),
    }
}
