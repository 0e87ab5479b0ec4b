"""OpenAI's own client for Python."""

import openai

from checks import ANSWER, COMMAND, MODEL, REST, check, equal, run

client = openai.OpenAI(base_url=REST + "/v1", api_key="none", max_retries=0)
MESSAGES = [{"role": "user", "content": COMMAND}]


@check("models are listed")
def models():
    equal([model.id for model in client.models.list()], [MODEL])


@check("a conversation is answered, whole and in pieces")
def chat():
    answer = client.chat.completions.create(model=MODEL, messages=MESSAGES, temperature=0)
    equal(answer.choices[0].message.content, ANSWER)
    equal(answer.choices[0].finish_reason, "stop")
    stream = client.chat.completions.create(model=MODEL, messages=MESSAGES, temperature=0, stream=True)
    equal("".join(chunk.choices[0].delta.content or "" for chunk in stream), ANSWER)


run()
