//! `ci-intel config`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use ci_evidence::dsse;
use ci_evidence::keys::SigningKey;
use ci_types::config::{ConfigError, Explanation, explain};

use crate::args::{ConfigArgs, ConfigCommand, Format};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::{files, lane, render, ui};

const SCHEMA: &str = include_str!("../../../../schema/config.v1.json");

pub(crate) fn run(command: &ConfigCommand) -> Result<Exit, Failure> {
    match command {
        ConfigCommand::Validate(args) => {
            let (_, _, _, effective) = lane::load_effective(&args.repo.repo, &args.overlay)?;
            match args.format {
                Format::Json => ui::print(&render::pretty(&serde_json::json!({
                    "valid": true, "digest": effective.digest(),
                }))?),
                _ => ui::print(&format!("valid; effective configuration {}", effective.digest())),
            }
        }
        ConfigCommand::Show(args) => show(args)?,
        ConfigCommand::Explain { key, config } => explain_key(key.as_deref().unwrap_or_default(), config)?,
        ConfigCommand::Schema => ui::print(SCHEMA),
        ConfigCommand::SignOverlay { overlay, key, out } => sign_overlay(overlay, key, out.as_deref())?,
    }
    Ok(Exit::Ok)
}

fn show(args: &ConfigArgs) -> Result<(), Failure> {
    let (_, _, _, effective) = lane::load_effective(&args.repo.repo, &args.overlay)?;
    if args.format == Format::Json {
        ui::print(&ui::redacted(&render::pretty(&effective.config)?));
        return Ok(());
    }
    let mut out = String::new();
    for (key, value, origin) in effective.iter() {
        let place = if origin.file.is_empty() {
            origin.layer.to_string()
        } else {
            format!("{}:{}", origin.file, origin.place.line)
        };
        let _ = writeln!(out, "{key} = {value}  # {place}");
    }
    ui::print(&ui::redacted(&out));
    Ok(())
}

fn explain_key(key: &str, args: &ConfigArgs) -> Result<(), Failure> {
    // Explaining must work before there is a configuration, and while it is broken.
    let effective = lane::load_effective(&args.repo.repo, &args.overlay).ok().map(|(_, _, _, effective)| effective);
    let found = explain(key, effective.as_ref()).map_err(Failure::usage)?;
    let mut out = String::new();
    for explanation in &found {
        describe(&mut out, explanation);
    }
    ui::print(&ui::redacted(&out));
    Ok(())
}

fn describe(out: &mut String, explanation: &Explanation) {
    let _ = writeln!(out, "{} ({})", explanation.key, explanation.kind);
    let _ = writeln!(out, "  {}", explanation.doc);
    if !explanation.allowed.is_empty() {
        let _ = writeln!(out, "  allowed: {}", explanation.allowed);
    }
    for (name, required, doc) in &explanation.fields {
        let _ = writeln!(out, "  - {name}{}: {doc}", if *required { " (required)" } else { "" });
    }
    if explanation.required {
        let _ = writeln!(out, "  required");
    }
    if let Some(default) = &explanation.default {
        let _ = writeln!(out, "  default: {default}");
    }
    if let Some(value) = &explanation.value {
        let by = explanation.set_by.as_ref().map_or_else(String::new, |origin| {
            if origin.file.is_empty() {
                format!(" ({})", origin.layer)
            } else {
                format!(" ({}:{})", origin.file, origin.place.line)
            }
        });
        let _ = writeln!(out, "  value: {value}{by}");
    }
    let _ = writeln!(out, "  layers: {}\n", explanation.rule);
}

/// Where an overlay's signature stands unless said otherwise.
pub(crate) fn signature_path(overlay: &Path) -> PathBuf {
    let mut name = overlay.as_os_str().to_owned();
    name.push(".dsse.json");
    PathBuf::from(name)
}

fn sign_overlay(overlay: &Path, key: &Path, out: Option<&Path>) -> Result<(), Failure> {
    let bytes = files::read(overlay)?;
    let layer = ci_types::config::Layer {
        origin: ci_types::config::LayerOrigin::Overlay,
        file: &overlay.display().to_string(),
        bytes: &bytes,
    };
    ci_types::config::parse_layer(&layer)
        .map_err(|errors| Failure::usage(show_errors(&errors, &[], Some((&overlay.display().to_string(), &bytes)))))?;
    let key = crate::commands::key::load(key)?;
    let envelope = dsse::seal(dsse::OVERLAY, &bytes, &key).map_err(Failure::internal)?;
    let out = out.map_or_else(|| signature_path(overlay), Path::to_owned);
    files::write(&out, &envelope)?;
    ui::print(&format!("signed {} with {}: {}", overlay.display(), key_id(&key)?, out.display()));
    Ok(())
}

fn key_id(key: &SigningKey) -> Result<String, Failure> {
    key.verifying_key().id().map_err(Failure::internal)
}

/// Errors with their source lines.
pub(crate) fn show_errors(errors: &[ConfigError], repository: &[u8], overlay: Option<(&str, &[u8])>) -> String {
    let renderer =
        if std::io::IsTerminal::is_terminal(&std::io::stderr()) { Renderer::styled() } else { Renderer::plain() };
    let mut out = match errors.len() {
        1 => "the configuration is not usable".to_owned(),
        count => format!("the configuration is not usable, for {count} reasons"),
    };
    for error in errors {
        let source = overlay.filter(|(name, _)| *name == error.path).map_or(repository, |(_, bytes)| bytes);
        let title =
            if error.key.is_empty() { error.reason.to_string() } else { format!("{}: {}", error.key, error.reason) };
        let Ok(text) = std::str::from_utf8(source) else {
            let _ = write!(out, "\n{error}");
            continue;
        };
        let (start, end) = (error.place.start.min(text.len()), error.place.end.min(text.len()));
        let at = text.is_char_boundary(start) && text.is_char_boundary(end);
        let span = if at { start..end.max(start) } else { 0..0 };
        let snippet = Snippet::source(text)
            .path(error.path.as_str())
            .line_start(1)
            .annotation(AnnotationKind::Primary.span(span).label(error.fix.as_str()));
        let report = [Group::with_title(Level::ERROR.primary_title(title.as_str())).element(snippet)];
        let _ = write!(out, "\n{}", renderer.render(&report));
    }
    // The lines that are quoted may hold what should never have been written there.
    ui::redacted(&out)
}
