"""The OpenAPI document that the service tells: it is one, its examples run, answers keep to its schemas, and requests are taken or refused as they say."""

import copy
import json
import urllib.error
import urllib.request

import jsonschema
import openapi_spec_validator
import referencing
import referencing.jsonschema

from checks import MODEL, REST, check, equal, run

ROOT = "urn:nibble"


def call(path, body=None, method=None):
    """Status, headers and body, as any HTTP client gets them."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"} if data is not None else {}
    request = urllib.request.Request(REST + path, data=data, method=method, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, response.headers, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read().decode()


DOCUMENT = json.loads(call("/q/openapi")[2])
VALIDATOR = jsonschema.Draft202012Validator
REGISTRY = referencing.Registry().with_resource(ROOT, referencing.jsonschema.DRAFT202012.create_resource(DOCUMENT))


def schema(reference):
    """A validator for what a reference within the document names."""
    return VALIDATOR({"$ref": ROOT + reference}, registry=REGISTRY)


def named(name):
    return schema("#/components/schemas/" + name)


def faults(validator, value):
    return [f"{'/'.join(map(str, error.absolute_path))}: {error.message[:200]}" for error in validator.iter_errors(value)]


def keeps(validator, value, what):
    found = faults(validator, value)
    assert not found, f"{what}: {found[:3]} in {json.dumps(value)[:300]}"


def operations():
    for path, item in DOCUMENT["paths"].items():
        for method, operation in item.items():
            yield path.replace("{id}", MODEL).replace("{name}", MODEL), method.upper(), operation


def content(operation, status):
    response = operation["responses"].get(status, operation["responses"]["default"])
    if "$ref" in response:
        response = DOCUMENT["components"]["responses"][response["$ref"].rsplit("/", 1)[1]]
    return response.get("content", {})


def compare(operation, status, headers, text, what):
    """An answer with what the document says of it."""
    told = content(operation, str(status))
    kind = (headers["Content-Type"] or "").split(";")[0]
    if not told:
        equal(text, "")
        return
    assert kind in told, f"{what}: {kind} is none of {list(told)}"
    if kind == "text/event-stream":
        events = [line[len("data: "):] for line in text.splitlines() if line.startswith("data: ")]
        done = told[kind]["x-event-schema"] != "GenerateResponse"
        equal(events[-1] == "[DONE]", done)
        for event in events[: len(events) - done]:
            keeps(named(told[kind]["x-event-schema"]), json.loads(event), what)
    else:
        keeps(VALIDATOR(absolute(told[kind]["schema"]), registry=REGISTRY), json.loads(text), what)


def absolute(part):
    """A schema whose references name the document."""
    if isinstance(part, dict):
        return {key: ROOT + value if key == "$ref" else absolute(value) for key, value in part.items()}
    return [absolute(value) for value in part] if isinstance(part, list) else part


def request_schema(operation):
    return VALIDATOR(absolute(operation["requestBody"]["content"]["application/json"]["schema"]), registry=REGISTRY)


def example(operation):
    return copy.deepcopy(next(iter(operation["requestBody"]["content"]["application/json"]["examples"].values()))["value"])


def post(identifier):
    return next((path, operation) for path, method, operation in operations() if operation["operationId"] == identifier)


@check("the document is one")
def document():
    openapi_spec_validator.validate(DOCUMENT)
    equal(DOCUMENT["info"]["version"], json.loads(call("/version")[2])["version"])


@check("what is read answers by its schema")
def reading():
    for path, method, operation in operations():
        if method == "GET":
            status, headers, text = call(path)
            equal((path, status), (path, 200))
            compare(operation, status, headers, text, path)


@check("examples run, and are answered by their schemas")
def examples():
    seen = 0
    for path, method, operation in operations():
        for name, told in operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("examples", {}).items():
            what = f"{path} {name}"
            keeps(request_schema(operation), told["value"], what)
            status, headers, text = call(path, told["value"])
            assert status == 200, f"{what}: {status} {text[:300]}"
            assert headers["Nibble-Ignored-Fields"] is None, f"{what} has fields that nobody reads: {headers['Nibble-Ignored-Fields']}"
            compare(operation, status, headers, text, what)
            seen += 1
    assert seen >= 10, seen


@check("what is not there, not allowed or no JSON is refused by its schema")
def refusals():
    for path, method, operation in operations():
        for status, headers, text in [call(path, method="DELETE"), call(path + "/nowhere/at/all")]:
            assert status in (404, 405), (path, status)
            compare(operation, "default", headers, text, path)
        if method == "POST" and "requestBody" in operation and operation["requestBody"].get("required"):
            for body in [{}, [], {"model": 1}]:
                status, headers, text = call(path, body)
                equal((path, status), (path, 400))
                compare(operation, "default", headers, text, path)


def properties(part):
    """All properties of a schema and of what it is made of."""
    if "$ref" in part:
        part = DOCUMENT["components"]["schemas"][part["$ref"].rsplit("/", 1)[1]]
    found = dict(part.get("properties", {}))
    for other in part.get("allOf", []):
        found.update(properties(other))
    return found


# Beside a field that asks for it: what else the request must say.
BESIDE = {"top_logprobs": {"logprobs": True}, "stream_options": {"stream": True}}


@check("fields are known, and have the ranges and defaults that the document tells")
def ranges():
    tried = 0
    for identifier in ["createChatCompletion", "createCompletion", "generate"]:
        path, operation = post(identifier)
        validator = request_schema(operation)
        base = {**example(operation), "max_tokens": 1}
        base.pop("parameters", None)
        for name, told in properties(operation["requestBody"]["content"]["application/json"]["schema"]).items():
            inside, outside = [None] if "null" in told.get("type", []) else [], []
            inside += [told["default"]] if "default" in told else []
            inside += [value for value in told.get("enum", []) if value != "require"]  # which needs an accelerator
            for limit, step in [("minimum", -1), ("maximum", 1)]:
                inside += [told[limit]] if limit in told else []
                outside += [told[limit] + (step if "integer" in told["type"] else step / 2)] if limit in told else []
            outside += [told["exclusiveMinimum"]] if "exclusiveMinimum" in told else []
            outside += [told["not"]["const"]] if "not" in told else []
            outside += ["a wrong word"] if told.get("type") != "string" and name not in ("model", "prompt", "stop", "text_input") else []
            if name in ("messages", "prompt", "text_input", "parameters"):
                continue
            for value, good in [(value, True) for value in inside] + [(value, False) for value in outside]:
                body = {**base, **BESIDE.get(name, {}), name: value}
                what = f"{identifier} {name}={value!r}"
                equal((what, not faults(validator, body)), (what, good))
                status, headers, text = call(path, body)
                assert (status == 200) == good, f"{what}: {status} {text[:300]}"
                assert headers["Nibble-Ignored-Fields"] is None, f"{what}: ignored {headers['Nibble-Ignored-Fields']}"
                if not good and identifier != "generate":
                    equal((what, json.loads(text)["error"]["param"].split("[")[0].split(".")[0]), (what, name))
                tried += 1
    assert tried > 100, tried


# Bodies, and whether they are taken.
BODIES = [
    ("createChatCompletion", {"messages": []}, False),
    ("createChatCompletion", {"messages": [{"role": "poet", "content": "hello"}]}, False),
    ("createChatCompletion", {"messages": [{"role": "user", "content": [{"type": "text", "text": "hello"}]}]}, True),
    ("createChatCompletion", {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, False),
    ("createChatCompletion", {"messages": [{"role": "developer", "content": "be brief"}, {"role": "user", "content": "hello"}]}, True),
    ("createChatCompletion", {"messages": [{"role": "user", "content": "hello"}, {"role": "assistant", "content": None}, {"role": "user", "content": "hello"}]}, True),
    ("createChatCompletion", {"messages": [{"role": "user", "content": "hello"}], "logprobs": True, "top_logprobs": 2}, True),
    ("createChatCompletion", {"messages": [{"role": "user", "content": "hello"}], "response_format": {"type": "text"}}, True),
    ("createChatCompletion", {"messages": [{"role": "user", "content": "hello"}], "response_format": {"type": "json_object"}}, False),
    ("createChatCompletion", {"messages": [{"role": "user", "content": "hello"}], "stop": ["a"] * 17}, False),
    ("createChatCompletion", {"messages": [{"role": "user", "content": "hello"}], "stop": ["a", "b"]}, True),
    ("createChatCompletion", {"messages": [{"role": "user", "content": "hello"}], "stop": ""}, False),
    ("createChatCompletion", {"messages": [{"role": "user", "content": "hello"}], "stop": "x" * 257}, False),
    ("createChatCompletion", {"messages": [{"role": "user", "content": "hello"}], "logit_bias": {"5": 100, "6": -100}}, True),
    ("createChatCompletion", {"messages": [{"role": "user", "content": "hello"}], "logit_bias": {"5": 101}}, False),
    ("createChatCompletion", {"messages": [{"role": "user", "content": "hello"}], "logit_bias": {"five": 1}}, False),
    ("createChatCompletion", {"messages": [{"role": "user", "content": "hello"}], "stream": True, "logprobs": True, "top_logprobs": 1}, True),
    ("createCompletion", {"prompt": [1, 2, 3]}, True),
    ("createCompletion", {"prompt": ["Once"]}, True),
    ("createCompletion", {"prompt": [[1, 2]]}, True),
    ("createCompletion", {"prompt": ["Once", "twice"]}, False),
    ("createCompletion", {"prompt": 5}, False),
    ("createCompletion", {"prompt": "Once", "logprobs": 2}, True),
    ("createCompletion", {"prompt": "Once", "logprobs": True}, True),
    ("createCompletion", {"prompt": "Once", "logprobs": 21}, False),
    ("createCompletion", {"prompt": "Once", "echo": True}, True),
    ("createCompletion", {"prompt": "Once", "stream": True, "logprobs": 1}, True),
    ("tokenize", {"prompt": "hello", "return_token_strs": True}, True),
    ("tokenize", {"model": MODEL}, False),
    ("detokenize", {"tokens": "hello"}, False),
    ("detokenize", {"tokens": []}, True),
    ("infer", {"inputs": [{"name": "prompt", "datatype": "BYTES", "shape": [1], "data": ["Once"]}], "outputs": [{"name": "text"}], "id": "7"}, True),
    ("infer", {"inputs": [{"name": "prompt", "datatype": "BYTES", "shape": [1, 1], "data": [["Once"]]}, {"name": "max_tokens", "datatype": "INT32", "shape": [1], "data": [2]}]}, True),
    ("infer", {"inputs": [{"name": "image", "datatype": "BYTES", "shape": [1], "data": ["Once"]}]}, False),
    ("infer", {"inputs": [{"name": "prompt", "datatype": "TEXT", "shape": [1], "data": ["Once"]}]}, False),
    ("infer", {"inputs": [{"name": "prompt", "datatype": "BYTES", "shape": [-1], "data": ["Once"]}]}, False),
    ("infer", {"inputs": [{"name": "prompt", "datatype": "BYTES", "shape": [1], "data": ["Once"]}], "outputs": [{"name": "image"}]}, False),
    ("infer", {"inputs": [{"name": "prompt", "datatype": "BYTES", "shape": [1], "data": ["Once"]}], "parameters": {"temperature": 3}}, False),
    ("generate", {"messages": [{"role": "user", "content": "hello"}]}, True),
    ("generate", {"text_input": "Once", "parameters": {"temperature": 3}}, False),
    ("generateStream", {"text_input": "Once", "max_tokens": 3}, True),
    ("getRepositoryIndex", {"ready": False}, True),
    ("getRepositoryIndex", {"ready": "yes"}, False),
]


@check("bodies are taken where they keep to the schema, and refused where they do not")
def bodies():
    for identifier, body, good in BODIES:
        path, operation = post(identifier)
        if identifier in ("createChatCompletion", "createCompletion", "generate"):
            body = {"max_tokens": 3, **body}
        what = f"{identifier} {json.dumps(body)[:200]}"
        found = faults(request_schema(operation), body)
        assert (not found) == good, f"{what}: {found[:2]}"
        status, headers, text = call(path, body)
        assert (status == 200) == good, f"{what}: {status} {text[:300]}"
        compare(operation, status if good else "default", headers, text, what)


run()
