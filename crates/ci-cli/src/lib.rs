//! The ci-intel command.
