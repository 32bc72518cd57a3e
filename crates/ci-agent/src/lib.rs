//! What acts inside a job: build, dual run, smoke, secret sweep.

pub mod rootfs;
