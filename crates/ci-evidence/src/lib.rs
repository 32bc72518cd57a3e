//! The bundle, signatures and verifiers: evidence to VerifiedFact.
