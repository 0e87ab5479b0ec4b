"""GuideLLM, a load generator: synthetic prompts, measured with the model's tokenizer from a folder. Its last version without PyTorch (requirements-guidellm.txt)."""

import json
import os
import subprocess
import sys
import tempfile

from checks import MODEL, REST, SHARED, Skip, check, equal, run

TOKENIZER = os.path.join(SHARED, "models", "home")
REQUESTS = 6
PROMPT_TOKENS, OUTPUT_TOKENS = 48, 24


def benchmark(route, *arguments):
    """What the program wrote of its benchmark, run as people do, on the command line."""
    if not os.path.exists(os.path.join(TOKENIZER, "tokenizer.json")):
        raise Skip(f"it wants a tokenizer in Hugging Face's form, and there is none in {TOKENIZER}")
    with tempfile.TemporaryDirectory() as folder:
        report = os.path.join(folder, "report.json")
        command = [
            os.path.join(os.path.dirname(sys.executable), "guidellm"), "benchmark", "run", "--target", REST, "--model", MODEL, "--processor", TOKENIZER,
            "--max-requests", str(REQUESTS), "--data", f"prompt_tokens={PROMPT_TOKENS},output_tokens={OUTPUT_TOKENS}", "--output-path", report,
            "--disable-progress", *arguments,
        ]
        done = subprocess.run(command, cwd=folder, env={**os.environ, "GUIDELLM__PREFERRED_ROUTE": route}, capture_output=True, text=True, timeout=240)
        assert done.returncode == 0 and os.path.exists(report), f"ended with {done.returncode}: {done.stdout[-500:]} {done.stderr[-1500:]}"
        with open(report, encoding="utf-8") as file:
            return json.load(file)["benchmarks"][0]["requests"]


def shows(route, *arguments):
    requests = benchmark(route, *arguments)
    equal((len(requests["successful"]), len(requests["errored"])), (REQUESTS, 0))
    for request in requests["successful"]:
        equal(request["output_tokens"], OUTPUT_TOKENS)
        assert request["time_to_first_token_ms"] > 0, request


@check("F22 completions, one after the other")
def synchronous():
    shows("text_completions", "--rate-type", "synchronous")


@check("F22 conversations, three streams at once")
def concurrent():
    shows("chat_completions", "--rate-type", "concurrent", "--rate", "3")


run()
