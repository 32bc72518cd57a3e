//! What acts inside a job: build, dual run, smoke, secret sweep.
//!
//! The build side reads in this order: [`source`] says which commit, [`context`] says exactly which bytes of it, [`mod@env`] says
//! in which environment, [`process`] runs a command in it, [`engine`] makes an OCI image layout, [`dual`] does that twice and names
//! the first difference.

pub mod clock;
pub mod context;
pub mod dual;
pub mod engine;
pub mod env;
mod git;
pub mod process;
pub mod rootfs;
pub mod smoke;
pub mod source;
pub mod sweep;
