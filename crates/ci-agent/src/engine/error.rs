//! Why an image could not be built.

use std::path::{Path, PathBuf};

use super::{BaseError, LayoutError};
use crate::context::MaterialiseError;
use crate::process::RunError;

/// Why an image could not be built. Each names its place and the fix.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A file that neither the context nor `build.outputs` declares.
    #[error(
        "`{path}` would enter the image but is declared neither by build.context.include nor by build.outputs; add it to one of them"
    )]
    Undeclared {
        /// Path in the build directory.
        path: String,
    },
    /// A build step changed a file of the context.
    #[error("`{path}` was changed by a build step; list it in build.outputs if the step is meant to write it")]
    Modified {
        /// Path in the build directory.
        path: String,
    },
    /// A file that must be there is not.
    #[error(
        "`{path}` ({role}) is not in the build directory: build.context.include does not declare it and no step made it; declare it, or correct the path"
    )]
    Missing {
        /// Path in the build directory.
        path: String,
        /// Where it is named, for example `build.outputs`.
        role: &'static str,
    },
    /// A value of the configuration cannot be used.
    #[error("{key}: `{value}` {detail}")]
    Config {
        /// Key in `.ci-intel/config.yml`.
        key: &'static str,
        /// Value.
        value: String,
        /// What is wrong and what is expected.
        detail: String,
    },
    /// Two declared files claim one path of the image.
    #[error("build.assemble.files: `/{path}` is declared twice, or both as a file and as a directory; keep one")]
    Conflict {
        /// Path in the image.
        path: String,
    },
    /// A link that does not lead to something in the image.
    #[error(
        "`/{path}` would be a symbolic link to `{target}`, which is not in the image; declare the target too, or replace the link by its file"
    )]
    LinkEscapes {
        /// Path in the image.
        path: String,
        /// Target text.
        target: String,
    },
    /// A file would be put behind a link of the base image.
    #[error(
        "`/{path}` lies behind a symbolic link of the base image; use the real directory in build.assemble.files[].to"
    )]
    BaseLink {
        /// Path of the link.
        path: String,
    },
    /// Not a file, directory or link.
    #[error("`{path}` is neither file, directory nor symbolic link; images hold nothing else")]
    Special {
        /// Path in the build directory.
        path: String,
    },
    /// An image in a Dockerfile that is not pinned by digest.
    #[error(
        "{dockerfile}:{line}: `{image}` is not pinned; write `scratch` or `name@sha256:<64 hex digits>` (find it with `skopeo inspect docker://{image}`)"
    )]
    Unpinned {
        /// Dockerfile.
        dockerfile: String,
        /// 1-based line.
        line: usize,
        /// Image reference as written.
        image: String,
    },
    /// Something else in a Dockerfile that cannot be bounded.
    #[error("{dockerfile}:{line}: {detail}")]
    Dockerfile {
        /// Dockerfile.
        dockerfile: String,
        /// 1-based line.
        line: usize,
        /// What is wrong and what to write instead.
        detail: String,
    },
    /// The engine's program is not there.
    #[error("build.engine `{engine}` needs `{program}`, which is not installed; {fix}")]
    EngineMissing {
        /// Engine.
        engine: &'static str,
        /// Program.
        program: &'static str,
        /// How to get it.
        fix: &'static str,
    },
    /// Two builds took more than the configured time.
    #[error("the build took longer than build.timeout_s; make it faster or raise it")]
    OutOfTime,
    /// The base image.
    #[error(transparent)]
    Base(#[from] BaseError),
    /// The layout that the engine left.
    #[error("the built image is not sound: {0}")]
    Layout(#[from] LayoutError),
    /// The context could not be copied.
    #[error(transparent)]
    Context(#[from] MaterialiseError),
    /// The environment of commands.
    #[error(transparent)]
    Env(#[from] crate::env::EnvError),
    /// A command failed.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The machine's clock is unusable.
    #[error(transparent)]
    Clock(#[from] crate::clock::ClockError),
    /// A file of the work directory cannot be read or written.
    #[error("{}: {cause}", path.display())]
    File {
        /// File.
        path: PathBuf,
        /// Cause.
        cause: std::io::Error,
    },
    /// A JSON document could not be written.
    #[error("image document: {0}")]
    Json(#[from] serde_json::Error),
}

impl BuildError {
    /// For `map_err`: a file error at `path`.
    pub(crate) fn file(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |cause| Self::File { path, cause }
    }
}
