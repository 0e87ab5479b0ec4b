"""EleutherAI's evaluation harness against /v1, on a task of our own commands: all of them are answered rightly, so anything but 1 is a fault of the wire."""

import logging
import os
import tempfile

import lm_eval
from lm_eval.tasks import TaskManager

from checks import MODEL, REST, check, equal, run

logging.disable(logging.WARNING)
HERE = os.path.dirname(os.path.abspath(__file__))
RAW = "<|user|>\\n{{prompt}}<|end|>\\n<|assistant|>\\n"
TASK = """
task: {name}
dataset_path: json
dataset_kwargs: {{data_files: {{test: {data}}}}}
test_split: test
output_type: generate_until
doc_to_text: "{text}"
doc_to_target: "{{{{completion}}}}"
num_fewshot: 0
generation_kwargs: {{until: ["<|end|>"], temperature: 0, do_sample: false, max_gen_toks: {most}{more}}}
metric_list: [{{metric: exact_match, aggregation: mean, higher_is_better: true}}]
"""


def score(kind, name, text, more="", chat=False, most=4096, **arguments):
    """Part of the answers that are right. `most` is what people leave in their task files, whatever the model's context (F19)."""
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, name + ".yaml"), "w", encoding="utf-8") as file:
            file.write(TASK.format(name=name, data=os.path.join(HERE, "commands.jsonl"), text=text, most=most, more=more))
        place = "/v1/chat/completions" if chat else "/v1/completions"
        results = lm_eval.simple_evaluate(
            model=kind,
            model_args={"model": MODEL, "base_url": REST + place, "num_concurrent": 4, "max_retries": 1, "max_length": 1024, **arguments},
            tasks=[name],
            task_manager=TaskManager(include_path=folder, include_defaults=False),
            apply_chat_template=chat,
            bootstrap_iters=0,
            log_samples=False,
        )
    return results["results"][name]["exact_match,none"]


@check("F17 raw prompts as text, with parse_special")
def raw_text():
    equal(score("local-completions", "raw_text", RAW, ", parse_special: true", tokenizer_backend=None, tokenized_requests=False), 1.0)


@check("F17 raw prompts as text are inert without it")
def inert_text():
    equal(score("local-completions", "inert_text", RAW, tokenizer_backend=None, tokenized_requests=False), 0.0)


@check("F17 and F22 raw prompts as token ids, by the server's own tokenizer, which the harness finds by itself")
def raw_ids():
    # With ids the harness itself cuts prompts to what max_gen_toks leaves of max_length.
    equal(score("local-completions", "raw_ids", RAW, most=128), 1.0)


@check("F19 conversations")
def conversations():
    equal(score("local-chat-completions", "conversations", "{{prompt}}", chat=True, tokenizer_backend=None, tokenized_requests=False), 1.0)


run()
