//! Real-part launchers and builders for tests.
