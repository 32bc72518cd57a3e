//! Texts that are never shown.

use std::fmt;

/// A credential. No `Display`; `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a credential.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The credential, for the wire only.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[hidden]")
    }
}

/// Makes what a server said fit for an error text: one line, at most 240 characters, none of `secrets` in it.
pub(crate) fn clean(text: &str, secrets: &[Secret]) -> String {
    let mut text = text.to_owned();
    for secret in secrets.iter().filter(|secret| !secret.0.is_empty()) {
        text = text.replace(&secret.0, "[hidden]");
    }
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(240).collect();
    line.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_echoed_by_a_server_is_hidden() {
        let secrets = [Secret::new("hunter2"), Secret::new("")];
        assert_eq!(clean("bad password hunter2\r\nfor x", &secrets), "bad password [hidden]  for x");
        assert_eq!(format!("{:?}", secrets[0]), "[hidden]");
    }
}
