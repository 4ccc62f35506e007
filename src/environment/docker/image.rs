//! The image: FROM scratch, with the agent and nothing else, built by the engine from the Dockerfile that is in the
//! repository.

use std::collections::HashMap;
use std::time::Duration;

use bollard::Docker;
use bollard::errors::Error as ApiError;
use bollard::query_parameters::{BuildImageOptions, ListImagesOptions, RemoveImageOptions};
use futures_util::StreamExt as _;

use super::engine::{API_DEADLINE, Engine};
use super::error::DockerError;
use crate::environment::agent::StopSignal;

/// What both sides' images are made of.
const DOCKERFILE: &str = include_str!("../../../vm-images/Dockerfile");

/// The label that everything made in the engine carries; its value is the run's id.
pub const LABEL: &str = "isocost.run";

/// An engine whose client is gone finishes the step of a build that it is at: what it makes then is not in the first list.
pub(crate) const LAST_STEP: Duration = Duration::from_millis(300);

/// An image that was built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Image {
    /// Its name in the engine. An image without one is swept away by `docker image prune`.
    pub tag: String,
    /// `sha256:…` of its configuration, which has the run's label in it.
    pub id: String,
    /// `sha256:…` of each layer's contents: the same for the same agent.
    pub layers: Vec<String>,
    /// Bytes.
    pub bytes: Option<u64>,
}

/// Has it built.
///
/// # Errors
/// What stood in the way; it may be there all the same.
pub(super) fn build(
    engine: &Engine,
    run_id: &str,
    environment: &str,
    agent: &[u8],
    stop: &StopSignal,
) -> Result<Image, DockerError> {
    let tag = tag(run_id, environment);
    let context = context(run_id, agent).map_err(DockerError::io("pack", "the build context"))?;
    let options = BuildImageOptions {
        t: Some(tag.clone()),
        // A cached step would be another run's, and be removed with it.
        nocache: true,
        rm: true,
        forcerm: true,
        ..BuildImageOptions::default()
    };
    let docker = engine.docker();
    let build = async move {
        let mut lines = docker.build_image(options, None, Some(bollard::body_full(context.into())));
        while let Some(line) = lines.next().await {
            line?;
        }
        Ok(())
    };
    // A stop waits for it: the engine finishes the step it is at, and its image would be nobody's.
    engine.call("build the image", API_DEADLINE, None, build)?;
    let (docker, name) = (engine.docker(), tag.clone());
    let look = async move { docker.inspect_image(&name).await };
    let made = engine.call("show the image it built", API_DEADLINE, Some(stop), look)?;
    let odd = || DockerError::Odd(format!("the image {tag} has no id"));
    Ok(Image {
        id: made.id.ok_or_else(odd)?,
        layers: made.root_fs.and_then(|root| root.layers).unwrap_or_default(),
        bytes: made.size.and_then(|bytes| u64::try_from(bytes).ok()),
        tag,
    })
}

/// Removes it; after a build that did not end well also what it left, which has no name. One that is gone already is no error.
pub(super) fn remove(engine: &Engine, run_id: &str, tag: &str, built: bool) -> Result<(), DockerError> {
    let (docker, name) = (engine.docker(), tag.to_owned());
    let remove = async move { delete(&docker, &name).await };
    match engine.call("remove the image", API_DEADLINE, None, remove) {
        Err(error) if !error.is_not_found() => return Err(error),
        _ if built => return Ok(()),
        _ => {}
    }
    let (docker, run_id) = (engine.docker(), run_id.to_owned());
    let sweep = async move {
        let mut empty = 0;
        while empty < 2 {
            let found = of_run(&docker, &run_id, true).await?;
            if found.is_empty() {
                empty += 1;
                tokio::time::sleep(LAST_STEP).await;
            } else {
                empty = 0;
            }
            for image in found {
                match delete(&docker, &image).await {
                    Ok(()) | Err(ApiError::DockerResponseServerError { status_code: 404, .. }) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    };
    engine.call("remove what its build left", API_DEADLINE, None, sweep)
}

/// Removes one, by name or id, and those without a name that it was made from.
pub(crate) async fn delete(docker: &Docker, image: &str) -> Result<(), ApiError> {
    let force = RemoveImageOptions { force: true, ..RemoveImageOptions::default() };
    docker.remove_image(image, Some(force), None).await.map(drop)
}

/// Ids of a run's images that no other one is made from; `unnamed`: only of those without a name.
pub(crate) async fn of_run(docker: &Docker, run_id: &str, unnamed: bool) -> Result<Vec<String>, ApiError> {
    let mut filters = HashMap::from([("label".to_owned(), vec![format!("{LABEL}={run_id}")])]);
    if unnamed {
        filters.insert("dangling".to_owned(), vec!["true".to_owned()]);
    }
    let of_run = ListImagesOptions { filters: Some(filters), ..ListImagesOptions::default() };
    Ok(docker.list_images(Some(of_run)).await?.into_iter().map(|image| image.id).collect())
}

/// Several environments of a run may be containers, and each removes its own.
pub(super) fn tag(run_id: &str, environment: &str) -> String {
    format!("isocost:{run_id}-{environment}")
}

/// The Dockerfile with the run's label as its first step: asked for beside it, the engine would make it the last one, and a
/// build that is killed would leave images that nobody knows.
fn dockerfile(run_id: &str) -> String {
    DOCKERFILE.replacen("FROM scratch\n", &format!("FROM scratch\nLABEL {LABEL}={run_id}\n"), 1)
}

/// A tar archive whose layer depends on the agent's bytes alone.
fn context(run_id: &str, agent: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    let dockerfile = dockerfile(run_id);
    for (name, mode, bytes) in [("Dockerfile", 0o644, dockerfile.as_bytes()), ("agent", 0o755, agent)] {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(mode);
        header.set_mtime(0);
        header.set_uid(0);
        header.set_gid(0);
        header.set_cksum();
        archive.append_data(&mut header, name, bytes)?;
    }
    archive.into_inner()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_context_is_the_dockerfile_and_the_agent_and_always_the_same() {
        let bytes = context("r-1", b"program").unwrap();
        assert_eq!(bytes, context("r-1", b"program").unwrap());
        let mut archive = tar::Archive::new(&bytes[..]);
        let entries = archive.entries().unwrap().map(|entry| {
            let entry = entry.unwrap();
            let header = entry.header();
            (entry.path().unwrap().display().to_string(), header.mode().unwrap(), header.mtime().unwrap())
        });
        let expected = [("Dockerfile".to_owned(), 0o644, 0), ("agent".to_owned(), 0o755, 0)];
        assert_eq!(entries.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn the_dockerfile_is_from_scratch_and_has_the_agent_as_entry_point() {
        let lines: Vec<&str> = DOCKERFILE.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(lines, ["FROM scratch", "COPY agent /agent", "ENTRYPOINT [\"/agent\"]"]);
    }

    #[test]
    fn the_label_comes_before_all_else_that_is_made() {
        let sent = dockerfile("r-1");
        let steps: Vec<&str> = sent.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(steps[..3], ["FROM scratch", "LABEL isocost.run=r-1", "COPY agent /agent"]);
    }
}
