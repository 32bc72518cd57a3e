//! Engine `buildah`: a Dockerfile without a daemon, from a sealed context, in storage of its own.

use std::path::Path;

use super::{BuildError, BuildJob, BuiltImage, Engine, dockerfile, steps, verify_layout};
use crate::process::{Recorder, RunError};

pub(super) struct Buildah;

impl Engine for Buildah {
    fn build(&self, job: &BuildJob<'_>, recorder: &mut Recorder<'_>) -> Result<BuiltImage, BuildError> {
        let sealed = steps::seal(job)?;
        let name = super::declared::plain("build.dockerfile", &job.config.dockerfile)?;
        let file = sealed.join(name);
        if !file.symlink_metadata().is_ok_and(|meta| meta.is_file()) {
            return Err(BuildError::Missing { path: name.to_owned(), role: "build.dockerfile" });
        }
        let read = dockerfile::read(&file, name)?;
        let policy = job.work.join("policy.json");
        // Bases are pinned by digest; whom to trust for them is decided by the gates, not by this machine's policy.
        let accept = r#"{"default":[{"type":"insecureAcceptAnything"}]}"#;
        std::fs::write(&policy, accept).map_err(BuildError::file(&policy))?;
        let id = job.work.join("image.id");
        let bud = bud_argv(job, &policy, &id, &file, &sealed);
        let result = run_all(job, recorder, &bud, &id, &policy);
        // Whole root file systems; the layout has all that is wanted of them.
        let _ = std::fs::remove_dir_all(job.work.join("storage"));
        result?;
        Ok(BuiltImage { base: read.base, ..verify_layout(job.layout_out)? })
    }
}

fn run_all(
    job: &BuildJob<'_>,
    recorder: &mut Recorder<'_>,
    bud: &[String],
    id: &Path,
    policy: &Path,
) -> Result<(), BuildError> {
    let missing = |error| match error {
        RunError::NotFound { .. } => BuildError::EngineMissing {
            engine: "buildah",
            program: "buildah",
            fix: "install it: apt-get install buildah",
        },
        error => error.into(),
    };
    recorder.run(bud, job.work, job.env, job.remaining(), &[job.context_digest]).map_err(missing)?;
    let image = std::fs::read_to_string(id).map_err(BuildError::file(id))?;
    recorder
        .run(&push_argv(job, policy, image.trim()), job.work, job.env, job.remaining(), &[job.context_digest])
        .map_err(missing)?;
    Ok(())
}

fn storage(job: &BuildJob<'_>) -> Vec<String> {
    let at = |name: &str| job.work.join("storage").join(name).to_string_lossy().into_owned();
    ["buildah", "--root", &at("root"), "--runroot", &at("run"), "--storage-driver", "vfs"].map(str::to_owned).to_vec()
}

fn bud_argv(job: &BuildJob<'_>, policy: &Path, id: &Path, dockerfile: &Path, context: &Path) -> Vec<String> {
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let mut argv = storage(job);
    // `--timestamp` because buildah 1.28 ignores SOURCE_DATE_EPOCH.
    argv.extend(["bud", "--isolation", "chroot", "--timestamp"].map(str::to_owned));
    argv.push(job.source_epoch.unix_s().to_string());
    argv.extend(["--layers=false", "--no-cache", "--identity-label=false", "--format", "oci"].map(str::to_owned));
    argv.extend(["--signature-policy".to_owned(), text(policy), "--iidfile".to_owned(), text(id)]);
    argv.extend(["--file".to_owned(), text(dockerfile), text(context)]);
    argv
}

fn push_argv(job: &BuildJob<'_>, policy: &Path, image: &str) -> Vec<String> {
    let mut argv = storage(job);
    argv.extend(["push", "--format", "oci", "--signature-policy"].map(str::to_owned));
    argv.push(policy.to_string_lossy().into_owned());
    argv.push(image.to_owned());
    argv.push(format!("oci:{}", job.layout_out.display()));
    argv
}
