//! The build read exactly the declared, committed files.

use ci_types::Severity;

use super::Gate;

pub(super) const GATE: Gate = Gate {
    id: "context-boundary",
    title: "the build context is declared, bounded, clean and equal to the commit",
    severity: Severity::High,
    version: 1,
    check: |question, check| {
        let Some(context) = check.fact(&question.facts.context) else { return };
        check.require(
            !context.include.is_empty(),
            "context-undeclared",
            || "no build context is declared".to_owned(),
            "declare `build.context.include` in .ci-intel/config.yml",
        );
        let limits = &question.config.build.context;
        check.require(
            context.files <= limits.max_files && context.total_bytes <= limits.max_bytes,
            "context-too-large",
            || {
                format!(
                    "{} files, {} bytes; allowed are {} files, {} bytes",
                    context.files, context.total_bytes, limits.max_files, limits.max_bytes
                )
            },
            "narrow `build.context.include`",
        );
        check.require(
            context.source.dirty.is_empty(),
            "tree-dirty",
            || format!("the working tree differs from the commit: {}", list(&context.source.dirty)),
            "commit, ignore or remove those files: git status",
        );
        check.because(format!(
            "{} files of commit {}",
            context.files,
            context.source.commit.chars().take(12).collect::<String>()
        ));
    },
};

fn list(paths: &[String]) -> String {
    let shown: Vec<&str> = paths.iter().take(5).map(String::as_str).collect();
    let rest = paths.len().saturating_sub(shown.len());
    if rest == 0 { shown.join(", ") } else { format!("{} and {rest} more", shown.join(", ")) }
}
