//! Containers and images of one run: those that carry its label.

use std::collections::HashMap;
use std::path::Path;

use bollard::Docker;
use bollard::errors::Error;
use bollard::query_parameters::{ListContainersOptions, RemoveContainerOptions};

use super::Cleaned;
use crate::environment::docker::{LABEL, image};

/// Removes all of them from the engine at that address, which `lock` names. Anyone may have written it.
pub(super) fn remove_all(engine: &str, run_id: &str, lock: &Path, cleaned: &mut Cleaned) {
    let unsure = format!("containers and images with the label {LABEL}={run_id}, if any");
    if !is_address(engine) {
        cleaned.left.push(format!(
            "{unsure} (the address of their engine in {} is damaged; once there are none, remove that file and the folder {})",
            lock.display(),
            lock.with_extension("").display()
        ));
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let done = match &runtime {
        Ok(runtime) => runtime.block_on(remove(engine, run_id, cleaned)).map_err(|e| e.to_string()),
        Err(error) => Err(error.to_string()),
    };
    if let Err(error) = done {
        cleaned.left.push(format!(
            "{unsure} (the engine at {engine} does not answer: {error}; start it and run `isocost clean`, or remove {} \
             and the folder {} where it is gone for good)",
            lock.display(),
            lock.with_extension("").display()
        ));
    }
}

/// Of one line, with a scheme: nothing that would steer a terminal either.
fn is_address(text: &str) -> bool {
    text.contains("://") && !text.contains(|c: char| c.is_control() || c == char::REPLACEMENT_CHARACTER)
}

async fn remove(engine: &str, run_id: &str, cleaned: &mut Cleaned) -> Result<(), Error> {
    let docker = Docker::connect_with_host(engine)?.negotiate_version().await?;
    let filters = Some(HashMap::from([("label".to_owned(), vec![format!("{LABEL}={run_id}")])]));
    let mut left = Vec::new();
    let mut empty = 0;
    // Until nothing more appears, or nothing more can be removed.
    while empty < 2 {
        let of_run = ListContainersOptions { all: true, filters: filters.clone(), ..Default::default() };
        let containers = docker.list_containers(Some(of_run)).await?;
        let before = cleaned.removed.len();
        left.clear();
        for id in containers.into_iter().filter_map(|container| container.id) {
            let force = RemoveContainerOptions { force: true, v: true, ..Default::default() };
            let removed = docker.remove_container(&id, Some(force)).await;
            note(&format!("container {}", short(&id)), removed, &mut cleaned.removed, &mut left);
        }
        // Those that others are made from go with them, and not before.
        for id in image::of_run(&docker, run_id, false).await? {
            let removed = image::delete(&docker, &id).await;
            note(&format!("image {}", short(&id)), removed, &mut cleaned.removed, &mut left);
        }
        if cleaned.removed.len() == before {
            empty += 1;
            tokio::time::sleep(image::LAST_STEP).await;
        } else {
            empty = 0;
        }
    }
    cleaned.left.append(&mut left);
    Ok(())
}

/// What someone else removed meanwhile is removed.
fn note(what: &str, done: Result<(), Error>, removed: &mut Vec<String>, left: &mut Vec<String>) {
    match done {
        Ok(()) => removed.push(what.to_owned()),
        Err(Error::DockerResponseServerError { status_code: 404, .. }) => {}
        Err(error) => left.push(format!("{what} ({error})")),
    }
}

fn short(id: &str) -> &str {
    let id = id.strip_prefix("sha256:").unwrap_or(id);
    id.get(..12).unwrap_or(id)
}
