"""LiteLLM, which many programs and proxies call models by: its routes for OpenAI's and for vLLM's servers."""

import litellm

from checks import ANSWER, COMMAND, CONTEXT, MODEL, REST, check, equal, raises, run

litellm.suppress_debug_info = True
litellm.telemetry = False
MESSAGES = [{"role": "user", "content": COMMAND}]
ROUTES = ("openai/", "hosted_vllm/")


def chat(route, **fields):
    return litellm.completion(**{
        "model": route + MODEL, "api_base": REST + "/v1", "api_key": "none", "messages": MESSAGES, "temperature": 0, "num_retries": 0, "timeout": 120, **fields})


@check("conversations are answered, whole and in pieces")
def conversation():
    for route in ROUTES:
        equal(chat(route).choices[0].message.content, ANSWER)
        equal("".join(chunk.choices[0].delta.content or "" for chunk in chat(route, stream=True)), ANSWER)


@check("text is continued, special tokens included where asked (F17)")
def text():
    answer = litellm.text_completion(
        model="text-completion-openai/" + MODEL, api_base=REST + "/v1", api_key="none", prompt=f"<|user|>\n{COMMAND}<|end|>\n<|assistant|>\n", max_tokens=64,
        temperature=0, extra_body={"parse_special": True})
    equal(answer.choices[0].text, ANSWER)


@check("F18 guided decoding is refused, not passed over")
def constraints():
    for name, value in {"guided_json": {"type": "object"}, "guided_choice": ["on", "off"], "structured_outputs": {"regex": "a*"}}.items():
        error = raises(litellm.BadRequestError, lambda: chat("hosted_vllm/", extra_body={name: value}))
        assert name in str(error), error


@check("F19 max_tokens of any size, and overflow is told as such")
def lengths():
    equal(chat("openai/", max_tokens=4096).choices[0].message.content, ANSWER)
    equal(chat("openai/", max_tokens=4096, extra_body={"ignore_eos": True}).usage.total_tokens, CONTEXT)
    long = [{"role": "user", "content": "word " * 3000}]
    raises(litellm.ContextWindowExceededError, lambda: chat("openai/", messages=long))
    raises(litellm.ContextWindowExceededError, lambda: chat("hosted_vllm/", messages=long))


@check("F20 an assistant's message comes back as it was given")
def history():
    first = chat("openai/").choices[0].message
    second = chat("openai/", messages=[*MESSAGES, first, {"role": "user", "content": COMMAND}])
    assert second.usage.prompt_tokens > 40, second
    assert chat("openai/", messages=[*MESSAGES, {"role": "assistant", "content": None}, *MESSAGES]).usage.prompt_tokens > 25


run()
