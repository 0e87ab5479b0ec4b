"""Triton's client for Python, by its defaults and otherwise: http, http.aio, grpc, grpc.aio."""

import asyncio
import os
import queue
import subprocess
import tempfile
import time
import urllib.request

import numpy as np
import tritonclient.grpc as triton_grpc
import tritonclient.grpc.aio as triton_grpc_aio
import tritonclient.http as triton_http
import tritonclient.http.aio as triton_http_aio
from tritonclient.utils import InferenceServerException

from checks import ANSWER, COMMAND, CONTEXT, GRPC, MODEL, REST, Skip, check, equal, raises, run

HTTP = REST.removeprefix("http://")
MESSAGES = f'[{{"role": "user", "content": "{COMMAND}"}}]'
STORY = "Once upon a time"


def text(library, name, value, **form):
    tensor = library.InferInput(name, [1], "BYTES")
    tensor.set_data_from_numpy(np.array([value.encode()], dtype=object), **form)
    return tensor


def number(library, name, value, dtype, datatype, **form):
    tensor = library.InferInput(name, [1], datatype)
    tensor.set_data_from_numpy(np.array([value], dtype=dtype), **form)
    return tensor


def conversation(library, **form):
    return [text(library, "messages", MESSAGES, **form), number(library, "temperature", 0, np.float32, "FP32", **form)]


def told(value):
    """Text: the client gives bytes where they came as bytes, and a string where they came as JSON."""
    return value.decode() if isinstance(value, bytes) else value


def answered(result):
    equal(told(result.as_numpy("text")[0]), ANSWER)
    equal(told(result.as_numpy("finish_reason")[0]), "stop")
    assert result.as_numpy("completion_tokens")[0] > 5


@check("F23 http: a conversation by the client's defaults")
def http_defaults():
    with triton_http.InferenceServerClient(HTTP) as client:
        answered(client.infer(MODEL, conversation(triton_http)))
        answered(client.infer(MODEL, conversation(triton_http), model_version="1", request_id="42"))
        answered(client.async_infer(MODEL, conversation(triton_http)).get_result())


@check("F23 http: elements as bytes or JSON, requests compressed or not")
def http_forms():
    with triton_http.InferenceServerClient(HTTP) as client:
        for binary in (True, False):
            for wanted in (True, False):
                outputs = [triton_http.InferRequestedOutput(name, binary_data=wanted) for name in ("text", "finish_reason", "completion_tokens")]
                for compression in (None, "gzip", "deflate"):
                    answered(client.infer(MODEL, conversation(triton_http, binary_data=binary), outputs=outputs,
                                          request_compression_algorithm=compression, response_compression_algorithm=compression))


@check("F23 http: half floats, which JSON has no form for, and parameters")
def http_half():
    with triton_http.InferenceServerClient(HTTP) as client:
        inputs = [text(triton_http, "prompt", STORY), number(triton_http, "temperature", 0.5, np.float16, "FP16"), number(triton_http, "seed", 7, np.int64, "INT64")]
        told = client.infer(MODEL, inputs, parameters={"max_tokens": 12}).as_numpy("text")[0]
        again = client.infer(MODEL, [text(triton_http, "prompt", STORY), number(triton_http, "max_tokens", 12, np.uint8, "UINT8")],
                             parameters={"temperature": 0.5, "seed": 7}).as_numpy("text")[0]
        equal(told, again)


@check("F23 http: refusals name the tensor")
def http_refusals():
    with triton_http.InferenceServerClient(HTTP) as client:
        wrong = triton_http.InferInput("prompt", [2], "BYTES")
        wrong.set_data_from_numpy(np.array([b"one", b"two"], dtype=object))
        error = raises(InferenceServerException, lambda: client.infer(MODEL, [wrong]))
        assert error.status() == "400" and "prompt has 2 elements" in error.message(), error
        error = raises(InferenceServerException, lambda: client.infer(MODEL, [number(triton_http, "prompt", 1, np.float32, "FP32")]))
        assert "datatype of prompt is FP32" in error.message(), error
        error = raises(InferenceServerException, lambda: client.infer("gpt-4", conversation(triton_http)))
        assert error.status() == "404", error


@check("F23 http: health, metadata, configuration, statistics, index")
def http_facts():
    with triton_http.InferenceServerClient(HTTP) as client:
        assert client.is_server_live() and client.is_server_ready() and client.is_model_ready(MODEL) and client.is_model_ready(MODEL, "1")
        assert "binary_tensor_data" in client.get_server_metadata()["extensions"]
        equal(client.get_model_metadata(MODEL)["inputs"][0]["name"], "prompt")
        config = client.get_model_config(MODEL)
        equal((config["name"], config["input"][0]["data_type"], config["parameters"]["context_length"]["string_value"]), (MODEL, "TYPE_STRING", str(CONTEXT)))
        equal(client.get_model_repository_index(), [{"name": MODEL, "version": "1", "state": "READY", "reason": ""}])
        before = client.get_inference_statistics(MODEL)["model_stats"][0]
        answered(client.infer(MODEL, conversation(triton_http)))
        after = client.get_inference_statistics()["model_stats"][0]
        equal(after["inference_count"] - before["inference_count"], 1)
        assert after["inference_stats"]["compute_infer"]["ns"] > before["inference_stats"]["compute_infer"]["ns"]
        raises(InferenceServerException, lambda: client.load_model(MODEL))


@check("F23 http.aio: by its defaults, and as JSON")
def http_aio():
    async def ask():
        async with triton_http_aio.InferenceServerClient(HTTP) as client:
            assert await client.is_server_ready()
            answered(await client.infer(MODEL, conversation(triton_http_aio)))
            outputs = [triton_http_aio.InferRequestedOutput(name, binary_data=False) for name in ("text", "finish_reason", "completion_tokens")]
            answered(await client.infer(MODEL, conversation(triton_http_aio, binary_data=False), outputs=outputs))

    asyncio.run(ask())


@check("F23 grpc: a conversation by the client's defaults, compressed or not")
def grpc_defaults():
    with triton_grpc.InferenceServerClient(GRPC) as client:
        answered(client.infer(MODEL, conversation(triton_grpc), request_id="42"))
        answered(client.infer(MODEL, conversation(triton_grpc), compression_algorithm="gzip", client_timeout=120))
        done = queue.Queue()
        client.async_infer(MODEL, conversation(triton_grpc), lambda result, error: done.put(error or result))
        answered(done.get(timeout=120))
        error = raises(InferenceServerException, lambda: client.infer(MODEL, [number(triton_grpc, "prompt", 1, np.float32, "FP32")]))
        assert error.status() == "StatusCode.INVALID_ARGUMENT" and "datatype of prompt is FP32" in error.message(), error


@check("F23 grpc: health, metadata, configuration, statistics, index")
def grpc_facts():
    with triton_grpc.InferenceServerClient(GRPC) as client:
        assert client.is_server_live() and client.is_server_ready() and client.is_model_ready(MODEL) and client.is_model_ready(MODEL, "1")
        assert "statistics" in client.get_server_metadata().extensions
        equal(client.get_model_metadata(MODEL).inputs[0].name, "prompt")
        config = client.get_model_config(MODEL, as_json=True)["config"]
        equal((config["name"], config["input"][0]["data_type"], config["model_transaction_policy"]["decoupled"]), (MODEL, "TYPE_STRING", True))
        equal([(model.name, model.state) for model in client.get_model_repository_index().models], [(MODEL, "READY")])
        before = client.get_inference_statistics(MODEL).model_stats[0]
        answered(client.infer(MODEL, conversation(triton_grpc)))
        after = client.get_inference_statistics().model_stats[0]
        equal(after.inference_stats.success.count - before.inference_stats.success.count, 1)
        assert after.inference_stats.compute_infer.ns > before.inference_stats.compute_infer.ns
        for call in (lambda: client.load_model(MODEL), client.get_system_shared_memory_status, client.get_cuda_shared_memory_status, client.get_trace_settings,
                     client.get_log_settings):
            error = raises(InferenceServerException, call)
            equal(error.status(), "StatusCode.UNIMPLEMENTED")


class Stream:
    """A stream whose responses wait in a queue."""

    def __init__(self, client):
        self.client = client
        self.heard = queue.Queue()
        client.start_stream(lambda result, error: self.heard.put((result, error)))

    def ask(self, inputs, **more):
        self.client.async_stream_infer(MODEL, inputs, **more)

    def next(self):
        return self.heard.get(timeout=120)

    def answer(self):
        """The texts of an answer's pieces."""
        pieces = []
        while True:
            result, error = self.next()
            assert error is None, error
            pieces.append(result.as_numpy("text")[0].decode())
            if result.get_response().parameters["triton_final_response"].bool_param:
                return pieces


@check("F23 grpc: answers come piece by piece, several on one stream, refusals between them")
def grpc_stream():
    with triton_grpc.InferenceServerClient(GRPC) as client:
        stream = Stream(client)
        stream.ask(conversation(triton_grpc), request_id="1")
        stream.ask([number(triton_grpc, "prompt", 1, np.float32, "FP32")], request_id="2")
        stream.ask(conversation(triton_grpc), request_id="3", enable_empty_final_response=True)
        pieces = stream.answer()
        equal("".join(pieces), ANSWER)
        assert len(pieces) > 5, pieces
        _, error = stream.next()
        assert "datatype of prompt is FP32" in str(error), error
        equal("".join(stream.answer()), ANSWER)
        client.stop_stream()


@check("F23 grpc: cancelling a stream stops its answer")
def grpc_cancel():
    with triton_grpc.InferenceServerClient(GRPC) as client:
        failed = client.get_inference_statistics(MODEL).model_stats[0].inference_stats.fail.count
        stream = Stream(client)
        stream.ask([text(triton_grpc, "prompt", STORY)], parameters={"max_tokens": 900, "ignore_eos": True})
        _, error = stream.next()
        assert error is None, error
        client.stop_stream(cancel_requests=True)
        for _ in range(600):
            if client.get_inference_statistics(MODEL).model_stats[0].inference_stats.fail.count > failed:
                return
            time.sleep(0.1)
        raise AssertionError("the answer goes on")


@check("F23 grpc.aio: whole answers and streams")
def grpc_aio():
    async def ask():
        async with triton_grpc_aio.InferenceServerClient(GRPC) as client:
            answered(await client.infer(MODEL, conversation(triton_grpc_aio)))

            async def requests():
                yield {"model_name": MODEL, "inputs": conversation(triton_grpc_aio)}

            pieces = []
            async for result, error in client.stream_infer(requests()):
                assert error is None, error
                pieces.append(result.as_numpy("text")[0].decode())
            equal("".join(pieces), ANSWER)
            assert len(pieces) > 5, pieces

    asyncio.run(ask())


@check("F24 with keys on, probes need none on either wire, and the rest needs one on both")
def probes():
    command = os.environ.get("NIBBLE_COMMAND", "").split()
    if not command:
        raise Skip("NIBBLE_COMMAND does not say what serves")
    http, grpc = int(HTTP.split(":")[1]) + 3, int(GRPC.split(":")[1]) + 3
    with tempfile.TemporaryDirectory() as folder:
        keys = folder + "/keys"
        made = subprocess.run([*command, "keys", "new", "--name", "clients", "--file", keys], capture_output=True, text=True, check=True)
        key = next(word for word in made.stdout.split() if word.startswith("nib_"))
        server = subprocess.Popen([*command, "serve", "--http-port", str(http), "--grpc-port", str(grpc), "--keys-file", keys],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            for _ in range(600):
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{http}/q/health/ready")
                    break
                except OSError:
                    assert server.poll() is None, "the server ended"
                    time.sleep(0.1)
            for library, address in ((triton_http, f"127.0.0.1:{http}"), (triton_grpc, f"127.0.0.1:{grpc}")):
                client = library.InferenceServerClient(address)
                assert client.is_server_live() and client.is_server_ready() and client.is_model_ready(MODEL)
                raises(InferenceServerException, lambda: client.infer(MODEL, conversation(library)))
                raises(InferenceServerException, client.get_server_metadata)
                answered(client.infer(MODEL, conversation(library), headers={"authorization": f"Bearer {key}"}))
                client.close()
        finally:
            server.terminate()
            server.wait()


run()
