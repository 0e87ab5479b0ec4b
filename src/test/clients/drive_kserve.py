"""KServe's clients for Python, by their defaults and otherwise."""

import asyncio

import grpc
import httpx
import numpy as np
from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest, RESTConfig
from kserve.protocol.infer_type import RequestedOutput

from checks import ANSWER, COMMAND, GRPC, MODEL, REST, check, equal, run

MESSAGES = f'[{{"role": "user", "content": "{COMMAND}"}}]'


def conversation(**form):
    messages = InferInput("messages", [1], "BYTES")
    messages.set_data_from_numpy(np.array([MESSAGES], dtype=object), **form)
    temperature = InferInput("temperature", [1], "FP32")
    temperature.set_data_from_numpy(np.array([0], dtype=np.float32), **form)
    return [messages, temperature]


def told(value):
    return value.decode() if isinstance(value, bytes) else value


def answered(response):
    outputs = {output.name: output.as_numpy()[0] for output in response.outputs}
    equal(told(outputs["text"]), ANSWER)
    equal(told(outputs["finish_reason"]), "stop")
    assert outputs["completion_tokens"] > 5


@check("F23 REST: a conversation by the client's defaults, as bytes and as JSON")
def rest():
    async def ask():
        async with InferenceRESTClient(RESTConfig(protocol="v2")) as client:
            assert await client.is_server_live(REST) and await client.is_server_ready(REST) and await client.is_model_ready(REST, MODEL)
            answered(await client.infer(REST, InferRequest(MODEL, conversation()), model_name=MODEL))
            answered(await client.infer(REST, InferRequest(MODEL, conversation(binary_data=False)), model_name=MODEL))
            for wanted in (True, False):
                outputs = [RequestedOutput(name, {"binary_data": wanted}) for name in ("text", "finish_reason", "completion_tokens")]
                answered(await client.infer(REST, InferRequest(MODEL, conversation(), request_outputs=outputs), model_name=MODEL))
            answered(await client.infer(REST, InferRequest(MODEL, conversation(), parameters={"binary_data_output": True}), model_name=MODEL))

    asyncio.run(ask())


@check("F23 REST: refusals name the tensor")
def rest_refusal():
    async def ask():
        wrong = InferInput("prompt", [1], "FP32")
        wrong.set_data_from_numpy(np.array([1], dtype=np.float32))
        async with InferenceRESTClient(RESTConfig(protocol="v2")) as client:
            try:
                await client.infer(REST, InferRequest(MODEL, [wrong]), model_name=MODEL)
            except httpx.HTTPStatusError as error:
                assert error.response.status_code == 400 and "datatype of prompt is FP32" in str(error), error
                return
        raise AssertionError("answered")

    asyncio.run(ask())


@check("F23 gRPC: a conversation by the client's defaults, as bytes and in fields")
def over_grpc():
    async def ask():
        async with InferenceGRPCClient(GRPC) as client:
            assert await client.is_server_live() and await client.is_server_ready() and await client.is_model_ready(MODEL)
            answered(await client.infer(InferRequest(MODEL, conversation())))
            answered(await client.infer(InferRequest(MODEL, conversation(binary_data=False))))
            try:
                await client.infer(InferRequest("gpt-4", conversation()))
            except grpc.RpcError as error:
                equal(error.code(), grpc.StatusCode.NOT_FOUND)
                return
        raise AssertionError("answered")

    asyncio.run(ask())


run()
