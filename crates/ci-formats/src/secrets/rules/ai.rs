//! Model services.

use crate::secrets::rule::Rule;

pub(super) const RULES: &[Rule] = &[
    Rule::token(
        "anthropic-key",
        "Anthropic API or admin key",
        &["sk-ant-"],
        r"sk-ant-[a-z]+[0-9]{2}-[\w-]{80,120}",
        "<sk-ant-api03-{b93}AA>",
    ),
    Rule::token(
        "openai-key",
        "OpenAI project, service account or admin key",
        &["sk-proj-", "sk-svcacct-", "sk-admin-", "sk-none-", "t3blbkfj"],
        r"sk-(?:(?:proj|svcacct|admin|None)-[\w-]{20,250}|[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20})",
        "<sk-proj-{b74}T3BlbkFJ{b74}>",
    )
    .window(24, 300),
    Rule::token("huggingface-token", "Hugging Face user token", &["hf_"], "hf_[A-Za-z]{34}", "<hf_{A34}>"),
    Rule::token(
        "huggingface-org-token",
        "Hugging Face organisation token",
        &["api_org_"],
        "api_org_[A-Za-z]{34}",
        "<api_org_{A34}>",
    ),
    Rule::token("perplexity-key", "Perplexity API key", &["pplx-"], "pplx-[A-Za-z0-9]{48}", "<pplx-{w48}>"),
    Rule::token("groq-key", "Groq API key", &["gsk_"], "gsk_[A-Za-z0-9]{52}", "<gsk_{w52}>"),
    Rule::token("replicate-token", "Replicate API token", &["r8_"], "r8_[A-Za-z0-9]{37}", "<r8_{w37}>"),
    Rule::token(
        "langsmith-key",
        "LangSmith API key",
        &["lsv2_"],
        "lsv2_(?:pt|sk)_[a-f0-9]{32}_[a-f0-9]{10}",
        "<lsv2_pt_{h32}_{h10}>",
    ),
];
