//! Which environment is made of which settings: the one place that knows all kinds.

use super::docker::DockerEnvironment;
use super::native::NativeEnvironment;
use super::qemu::QemuEnvironment;
use super::{Environment, EnvironmentError, RunContext};
use crate::suite::{EnvironmentSpec, KindSpec, NativeSpec};

/// Makes an environment that is not prepared yet.
///
/// # Errors
/// None today: a kind that a build lacks would be one.
pub fn build(spec: &EnvironmentSpec, context: &RunContext) -> Result<Box<dyn Environment>, EnvironmentError> {
    let context = context.clone();
    Ok(match &spec.kind {
        KindSpec::Native(NativeSpec {}) => Box::new(NativeEnvironment::new(&spec.id, context)),
        KindSpec::Docker(settings) => Box::new(DockerEnvironment::new(&spec.id, settings, context)),
        KindSpec::Qemu(settings) => Box::new(QemuEnvironment::new(&spec.id, settings, context)),
    })
}
