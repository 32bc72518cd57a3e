//! What acts inside a job: build, dual run, smoke, secret sweep.

pub mod rootfs;
pub mod smoke;
pub mod sweep;
