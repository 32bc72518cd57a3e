//! Engine `docker`: a Dockerfile through BuildKit (`docker buildx`), from a sealed context.

use std::path::Path;
use std::time::Duration;

use super::{BuildError, BuildJob, BuiltImage, Engine, dockerfile, steps, verify_layout};
use crate::process::{Recorder, RunError};

pub(super) struct Docker;

const FIX: &str =
    "install Docker with the buildx plugin (apt-get install docker.io docker-buildx), or use engine `buildah`";

impl Engine for Docker {
    fn build(&self, job: &BuildJob<'_>, recorder: &mut Recorder<'_>) -> Result<BuiltImage, BuildError> {
        let sealed = steps::seal(job)?;
        let name = super::declared::plain("build.dockerfile", &job.config.dockerfile)?;
        let file = sealed.join(name);
        if !file.symlink_metadata().is_ok_and(|meta| meta.is_file()) {
            return Err(BuildError::Missing { path: name.to_owned(), role: "build.dockerfile" });
        }
        let read = dockerfile::read(&file, name)?;
        let probe = ["docker", "buildx", "version"].map(str::to_owned);
        let limit = job.remaining().min(Duration::from_secs(30));
        recorder.run(&probe, job.work, job.env, limit, &[job.context_digest]).map_err(|error| match error {
            RunError::NotFound { .. } | RunError::Failed { .. } => {
                BuildError::EngineMissing { engine: "docker", program: "docker buildx", fix: FIX }
            }
            error => error.into(),
        })?;
        let argv = argv(job.source_epoch.unix_s(), &file, job.layout_out, &sealed);
        recorder.run(&argv, job.work, job.env, job.remaining(), &[job.context_digest])?;
        Ok(BuiltImage { base: read.base, ..verify_layout(job.layout_out)? })
    }
}

fn argv(epoch_s: i64, dockerfile: &Path, layout: &Path, context: &Path) -> Vec<String> {
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let mut argv = ["docker", "buildx", "build", "--progress=plain", "--no-cache"].map(str::to_owned).to_vec();
    // BuildKit's own attestations would make an index of two manifests; the lane makes its own.
    argv.extend(["--provenance=false", "--sbom=false", "--build-arg"].map(str::to_owned));
    argv.push(format!("SOURCE_DATE_EPOCH={epoch_s}"));
    argv.push("--output".to_owned());
    argv.push(format!("type=oci,tar=false,rewrite-timestamp=true,dest={}", layout.display()));
    argv.extend(["--file".to_owned(), text(dockerfile), text(context)]);
    argv
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_fixes_times_and_leaves_one_plain_layout() {
        let argv = argv(1_700_000_000, Path::new("/c/Dockerfile"), Path::new("/out"), Path::new("/c"));
        let expected = "docker buildx build --progress=plain --no-cache --provenance=false --sbom=false \
                        --build-arg SOURCE_DATE_EPOCH=1700000000 \
                        --output type=oci,tar=false,rewrite-timestamp=true,dest=/out --file /c/Dockerfile /c";
        assert_eq!(argv.join(" "), expected);
    }
}
