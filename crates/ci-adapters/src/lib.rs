//! Port implementations: OCI layout and registry, signer, GitHub OIDC.
