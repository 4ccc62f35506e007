//! What an engine is, for `run.json`.

use std::process::Command;

use bollard::models::{SystemInfo, SystemVersion};

use super::image::Image;

/// What the engine says of itself.
#[derive(Debug, Clone, Default)]
pub(super) struct About {
    pub info: SystemInfo,
    pub version: SystemVersion,
    /// The version of the API that is spoken, `1.41`.
    pub api: String,
}

impl About {
    /// Name and value of each fact, in a stable order; what the engine does not say is left out.
    pub(super) fn facts(
        &self,
        address: &str,
        runtime: &str,
        image: &Image,
        cpus: &str,
    ) -> Vec<(String, String)> {
        let info = &self.info;
        let cgroup = [
            info.cgroup_version.as_ref().map(|version| format!("v{version}")),
            info.cgroup_driver.as_ref().map(|driver| format!("driver {driver}")),
        ];
        let facts = [
            ("engine", self.version.version.clone()),
            ("engine.address", Some(address.to_owned())),
            ("engine.api", Some(self.api.clone())),
            ("engine.containerd", self.component("containerd")),
            ("engine.kernel", info.kernel_version.clone()),
            ("engine.root", info.docker_root_dir.clone()),
            ("engine.security", info.security_options.as_ref().map(|options| options.join(" "))),
            ("storage.driver", info.driver.clone()),
            ("storage.file-system", self.backing()),
            ("log.driver", info.logging_driver.clone()),
            ("cgroup", joined(cgroup)),
            ("runtime", Some(runtime.to_owned())),
            ("runtime.version", self.runtime_version(runtime)),
            ("cpus", Some(cpus.to_owned())),
            ("image", Some(image.tag.clone())),
            ("image.id", Some(image.id.clone())),
            ("image.layers", Some(image.layers.join(" "))),
        ];
        facts.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    }

    fn component(&self, wanted: &str) -> Option<String> {
        let mut components = self.version.components.iter().flatten();
        components.find(|one| one.name == wanted).map(|one| one.version.clone())
    }

    fn backing(&self) -> Option<String> {
        let mut status = self.info.driver_status.iter().flatten();
        status.find_map(|pair| match &pair[..] {
            [name, value] if name == "Backing Filesystem" => Some(value.clone()),
            _ => None,
        })
    }

    /// As the engine says; else as the registered program itself does, which is on this machine.
    fn runtime_version(&self, runtime: &str) -> Option<String> {
        let said = self.component(runtime);
        said.or_else(|| {
            let path = self.info.runtimes.as_ref()?.get(runtime)?.path.clone()?;
            let output = Command::new(path).arg("--version").output().ok()?;
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            text.lines().next().map(|line| line.chars().filter(|c| !c.is_control()).take(100).collect())
        })
    }
}

fn joined(parts: [Option<String>; 2]) -> Option<String> {
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use bollard::models::{Runtime, SystemVersionComponents};

    use super::*;

    fn value<'a>(facts: &'a [(String, String)], name: &str) -> Option<&'a str> {
        facts.iter().find(|(one, _)| one == name).map(|(_, value)| value.as_str())
    }

    #[test]
    fn what_the_engine_says_is_told_and_nothing_else() {
        let component =
            SystemVersionComponents { name: "runc".into(), version: "1.1.5".into(), ..Default::default() };
        let about = About {
            info: SystemInfo {
                driver: Some("overlay2".into()),
                driver_status: Some(vec![vec!["Backing Filesystem".into(), "extfs".into()]]),
                ..SystemInfo::default()
            },
            version: SystemVersion { components: Some(vec![component]), ..SystemVersion::default() },
            api: "1.41".into(),
        };
        let image =
            Image { tag: "t".into(), id: "sha256:a".into(), layers: vec!["sha256:b".into()], bytes: None };
        let facts = about.facts("unix:///s", "runc", &image, "0,1");
        assert_eq!(value(&facts, "runtime.version"), Some("1.1.5"));
        assert_eq!(value(&facts, "storage.file-system"), Some("extfs"));
        assert_eq!(value(&facts, "image.layers"), Some("sha256:b"));
        assert_eq!(value(&facts, "engine"), None);
        assert_eq!(value(&facts, "cgroup"), None);
    }

    #[test]
    fn a_runtime_of_the_users_own_is_asked_itself() {
        let runtime = Runtime { path: Some("/bin/echo".into()), ..Runtime::default() };
        let runtimes = Some(HashMap::from([("mine".to_owned(), runtime)]));
        let about = About { info: SystemInfo { runtimes, ..SystemInfo::default() }, ..About::default() };
        assert!(about.runtime_version("mine").is_some());
        assert_eq!(about.runtime_version("other"), None);
    }
}
