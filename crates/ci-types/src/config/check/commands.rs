//! Commands, their environment, and probes. Commands are program and arguments, never a shell line.

use super::Sink;
use super::build::is_env_name;
use crate::config::error::{Fault, Reason, clip};
use crate::config::yaml::Node;

/// A command: empty (none) or with a program.
pub(in crate::config) fn argv(node: &Node, sink: &mut Sink<'_>) {
    program(node, "", sink);
}

/// A list of commands.
pub(in crate::config) fn argvs(list: &Node, sink: &mut Sink<'_>) {
    for (index, command) in list.items().iter().enumerate() {
        let suffix = format!("[{index}]");
        if command.items().is_empty() {
            sink.refuse(command.place, &suffix, Reason::NothingListed, "write program and arguments, or remove it");
        }
        program(command, &suffix, sink);
    }
}

fn program(command: &Node, suffix: &str, sink: &mut Sink<'_>) {
    if let Some(first) = command.items().first()
        && (first.text().trim().is_empty() || first.text().contains(char::is_control))
    {
        let suffix = format!("{suffix}[0]");
        sink.refuse(first.place, &suffix, Fault::Text(clip(first.text())), "write the program's name or path");
    }
}

fn holds(command: &Node, placeholder: &str) -> bool {
    command.items().iter().any(|argument| argument.text().contains(placeholder))
}

fn needs(command: &Node, placeholder: &'static str, what: &str, suffix: &str, sink: &mut Sink<'_>) {
    if !holds(command, placeholder) {
        let fix = format!("pass `{placeholder}` to the command: {what}");
        sink.refuse(command.place, suffix, Fault::NoPlaceholder(placeholder), fix);
    }
}

/// `tests.command`.
pub(in crate::config) fn tests_command(node: &Node, sink: &mut Sink<'_>) {
    program(node, "", sink);
    if !node.items().is_empty() {
        needs(node, "{results}", "the directory it must write JUnit XML to", "", sink);
    }
}

/// `sbom.command`.
pub(in crate::config) fn sbom_command(node: &Node, sink: &mut Sink<'_>) {
    program(node, "", sink);
    if !node.items().is_empty() {
        needs(node, "{layout}", "the image it must describe", "", sink);
        needs(node, "{output}", "the CycloneDX file it must write", "", sink);
    }
}

/// `scan.commands`. A scanner that is not given this image or its SBOM would report on something else.
pub(in crate::config) fn scan_commands(list: &Node, sink: &mut Sink<'_>) {
    for (index, scanner) in list.items().iter().enumerate() {
        let Some(run) = scanner.field("run") else { continue };
        let suffix = format!("[{index}].run");
        if run.items().is_empty() {
            sink.refuse(run.place, &suffix, Reason::NothingListed, "write program and arguments");
            continue;
        }
        program(run, &suffix, sink);
        needs(run, "{output}", "the report it must write", &suffix, sink);
        if !holds(run, "{layout}") {
            needs(run, "{sbom}", "or `{layout}`: what it must scan", &suffix, sink);
        }
    }
}

/// Environment of an image or of a started image.
pub(in crate::config) fn env_table(node: &Node, sink: &mut Sink<'_>) {
    for entry in node.entries() {
        if !is_env_name(&entry.key) {
            let fix = "use letters, digits and `_`, not starting with a digit";
            sink.refuse(entry.key_place, "", Fault::EnvName(clip(&entry.key)), fix);
        }
    }
}

/// `smoke.http`.
pub(in crate::config) fn http_probes(list: &Node, sink: &mut Sink<'_>) {
    for (index, probe) in list.items().iter().enumerate() {
        if let Some(path) = probe.field("path") {
            let text = path.text();
            if !text.starts_with('/') || text.starts_with("//") || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
                let suffix = format!("[{index}].path");
                sink.refuse(path.place, &suffix, Fault::UrlPath(clip(text)), "write it from `/`, like `/healthz`");
            }
        }
        if let Some(contains) = probe.field("contains")
            && contains.text().is_empty()
        {
            let suffix = format!("[{index}].contains");
            let fix = "write the text to look for, or remove the key: every body contains nothing";
            sink.refuse(contains.place, &suffix, Fault::Text(String::new()), fix);
        }
    }
}

/// `smoke.isolation`.
pub(in crate::config) fn isolation(list: &Node, sink: &mut Sink<'_>) {
    sink.not_empty(list, "list at least one way, like `bubblewrap`");
    sink.each(list, |_| Ok(()));
}
