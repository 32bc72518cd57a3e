//! Engine `command`: any program that leaves an OCI image layout.

use super::{BuildError, BuildJob, BuiltImage, Engine, verify_layout};
use crate::process::Recorder;

pub(super) struct Command;

impl Engine for Command {
    fn build(&self, job: &BuildJob<'_>, recorder: &mut Recorder<'_>) -> Result<BuiltImage, BuildError> {
        let layout = job.layout_out.to_string_lossy();
        if !job.config.command.iter().any(|argument| argument.contains("{layout}")) {
            let value = job.config.command.join(" ");
            let detail = "does not mention {layout}, the directory to leave an OCI image layout in".to_owned();
            return Err(BuildError::Config { key: "build.command", value, detail });
        }
        let argv: Vec<String> =
            job.config.command.iter().map(|argument| argument.replace("{layout}", &layout)).collect();
        recorder.run(&argv, job.directory, job.env, job.remaining(), &[job.context_digest])?;
        Ok(verify_layout(job.layout_out)?)
    }
}
