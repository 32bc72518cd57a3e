//! Gates, decide, replay, explain.
