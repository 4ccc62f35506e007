//! Which modules a guest loads, in the order in which they can be loaded.
//!
//! A package that was only unpacked has no `modules.dep` (depmod makes it on installation), so the modules
//! themselves are asked: the `.modinfo` section of each says what it depends on.

mod index;
mod modinfo;

use super::error::ImageError;
use super::kernel::Kernel;
use index::Index;

/// A module to load, unpacked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleFile {
    /// Its name, with underscores.
    pub name: String,
    /// The ELF file, uncompressed.
    pub bytes: Vec<u8>,
}

/// The modules that `wanted` and whatever it depends on need, each once, dependencies first, in a stable
/// order. What is built in is skipped. A kernel without a modules folder gives none: there, everything must be
/// built in.
///
/// # Errors
/// [`ImageError::ModuleMissing`], [`ImageError::ModuleCircle`], or a module that cannot be read.
pub fn plan(kernel: &Kernel, wanted: &[&str]) -> Result<Vec<ModuleFile>, ImageError> {
    let Some(folder) = &kernel.modules else { return Ok(Vec::new()) };
    let index = Index::of(folder)?;
    let mut plan = Plan { index: &index, release: &kernel.release, done: Vec::new(), open: Vec::new() };
    for name in wanted {
        plan.add(&same_name(name), None)?;
    }
    Ok(plan.done)
}

/// `-` and `_` are the same in names of modules.
fn same_name(name: &str) -> String {
    name.replace('-', "_")
}

struct Plan<'a> {
    index: &'a Index,
    release: &'a str,
    done: Vec<ModuleFile>,
    /// From the module that was wanted down to the one being looked at.
    open: Vec<String>,
}

impl Plan<'_> {
    fn add(&mut self, name: &str, needed_by: Option<&str>) -> Result<(), ImageError> {
        if self.index.is_built_in(name) || self.done.iter().any(|module| module.name == name) {
            return Ok(());
        }
        if let Some(at) = self.open.iter().position(|open| open == name) {
            let mut circle = self.open[at..].to_vec();
            circle.push(name.to_owned());
            return Err(ImageError::ModuleCircle { circle, release: self.release.to_owned() });
        }
        let bytes = self.index.read(name)?.ok_or_else(|| ImageError::ModuleMissing {
            module: name.to_owned(),
            needed_by: needed_by.map(str::to_owned),
            release: self.release.to_owned(),
        })?;
        self.open.push(name.to_owned());
        self.add_needs(name, &bytes)?;
        self.open.pop();
        self.done.push(ModuleFile { name: name.to_owned(), bytes });
        Ok(())
    }

    /// First what it says should be there before it, then what it cannot do without.
    fn add_needs(&mut self, name: &str, bytes: &[u8]) -> Result<(), ImageError> {
        let info = modinfo::of(bytes, name)?;
        for soft in &info.soft_before {
            let found = self.index.for_soft_dependency(&same_name(soft))?;
            if let Some(found) = found.filter(|found| !self.open.contains(found)) {
                self.add(&found, Some(name))?;
            }
        }
        let listed = self.index.depends_of(name);
        for needed in listed.unwrap_or(info.depends) {
            self.add(&same_name(&needed), Some(name))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
