#!/usr/bin/env python3
"""How long the engine goes on with a prompt whose client has left: see cancel.sh."""
import argparse, http.client, json, random, socket, time

parser = argparse.ArgumentParser()
parser.add_argument("--port", type=int, required=True)
parser.add_argument("--what", required=True)
parser.add_argument("--tokens", type=int, default=1800)
parser.add_argument("--cancels", type=int, default=20)
options = parser.parse_args()
dice = random.Random(1)


def completion(tokens):
  # Other ids each time, so that no prompt's beginning is known already.
  return json.dumps({"prompt": [dice.randrange(300, 31000) for _ in range(tokens)], "max_tokens": 1, "temperature": 0, "ignore_eos": True}).encode()


def send(body):
  connection = http.client.HTTPConnection("localhost", options.port, timeout=600)
  connection.request("POST", "/v1/completions", body, {"Content-Type": "application/json"})
  return connection


def answered(connection):
  response = connection.getresponse()
  assert response.status == 200, response.read()
  response.read()
  return time.monotonic()


def took(name, seconds):
  seconds = sorted(seconds)
  print(f"  {name:66} n={len(seconds):3}  median {seconds[len(seconds) // 2]:6.3f} s  most {seconds[-1]:6.3f} s", flush=True)


def alone():
  begin = time.monotonic()
  return answered(send(completion(1))) - begin


def cancelled():
  giant = send(completion(options.tokens))
  time.sleep(dice.uniform(1, 5))
  waiting = send(completion(1))
  time.sleep(0.2)
  begin = time.monotonic()
  giant.sock.shutdown(socket.SHUT_RDWR)
  giant.close()
  return answered(waiting) - begin


print(options.what)
begin = time.monotonic()
answered(send(completion(options.tokens)))
print(f"  a prompt of {options.tokens} tokens takes {time.monotonic() - begin:.1f} s", flush=True)
for _ in range(3):
  alone()
took("a request of one token, one token of answer, alone", [alone() for _ in range(options.cancels)])
took("the same, waiting behind that prompt, from the prompt's cancel on", [cancelled() for _ in range(options.cancels)])
