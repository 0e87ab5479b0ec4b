#!/usr/bin/env python3
"""What 40 requests of 4 MB do to others: see admission.sh."""
import argparse, http.client, json, os, socket, statistics, sys, threading, time

parser = argparse.ArgumentParser()
parser.add_argument("--port", type=int, required=True)
parser.add_argument("--pid", type=int, required=True)
parser.add_argument("--giants", type=int, default=40)
parser.add_argument("--letters", type=int, default=4_000_000)
parser.add_argument("--bursts", type=int, default=5, help="one a second")
options = parser.parse_args()

SMALL = json.dumps({"prompt": "Once", "max_tokens": 1, "temperature": 0}).encode()
# Nothing waits for the engine, so that what is measured is the way to it.
LIGHT = ("GET", "/v1/models", None)
STREAM = json.dumps({"prompt": "Once upon a time", "max_tokens": 1000, "temperature": 0, "ignore_eos": True, "stream": True}).encode()
GIANT = json.dumps({"prompt": "a" * options.letters}).encode()


def connect():
  return http.client.HTTPConnection("localhost", options.port, timeout=120)


def ask(connection, method, path, body):
  begin = time.monotonic()
  connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
  response = connection.getresponse()
  response.read()
  return response.status, (time.monotonic() - begin) * 1000


class Stream(threading.Thread):
  """One answer after the other; keeps the gaps between pieces, in milliseconds."""

  def __init__(self):
    super().__init__(daemon=True)
    self.gaps, self.over = [], False

  def run(self):
    while not self.over:
      connection = connect()
      connection.request("POST", "/v1/completions", STREAM, {"Content-Type": "application/json"})
      response = connection.getresponse()
      last = None
      for line in response:
        now = time.monotonic()
        if self.over:
          break
        if line.startswith(b"data: {"):
          if last is not None:
            self.gaps.append((now, (now - last) * 1000))
          last = now
      connection.close()


class Requests(threading.Thread):
  """Small requests, fifty a second at most; keeps how long each took."""

  def __init__(self, method, path, body):
    super().__init__(daemon=True)
    self.what, self.times, self.over = (method, path, body), [], False

  def run(self):
    connection = connect()
    while not self.over:
      status, took = ask(connection, *self.what)
      self.times.append(took)
      time.sleep(0.02)


def giant(results):
  try:
    results.append(ask(connect(), "POST", "/v1/completions", GIANT)[0])
  except OSError as gone:
    results.append(type(gone).__name__)


def giants():
  """Sends them all at once, and gives their statuses. From a process of its own: in this one they would hold up who measures, by Python's lock."""
  read, write = os.pipe()
  child = os.fork()
  if child == 0:
    results = []
    threads = [threading.Thread(target=giant, args=(results,)) for _ in range(options.giants)]
    for thread in threads:
      thread.start()
    for thread in threads:
      thread.join()
    os.write(write, json.dumps(results).encode())
    os._exit(0)
  os.close(write)
  with open(read) as told:
    results = json.load(told)
  os.waitpid(child, 0)
  return results


def bursts(with_giants):
  """Lets pass a second for each burst; gives the statuses of all requests, and the seconds that the longest burst took."""
  results, longest = [], 0
  for _ in range(options.bursts):
    begin = time.monotonic()
    if with_giants:
      results += giants()
      longest = max(longest, time.monotonic() - begin)
    time.sleep(max(0, begin + 1 - time.monotonic()))
  return results, longest


def memory(name):
  try:
    with open(f"/proc/{options.pid}/status") as status:
      return next(int(line.split()[1]) / 1024 for line in status if line.startswith(name))
  except (OSError, StopIteration):
    return float("nan")


def line(name, values):
  values = sorted(values)
  at = lambda part: values[min(len(values) - 1, int(part * len(values)))]
  print(f"  {name:34} n={len(values):5}  median {at(0.5):8.1f} ms  99 % {at(0.99):8.1f} ms  most {values[-1]:8.1f} ms")


def phase(name, with_giants):
  light = Requests(*LIGHT)
  stream = Stream()
  threads = [light, stream]
  for thread in threads:
    thread.start()
  time.sleep(1)
  light.times.clear()
  stream.gaps.clear()
  results, took = bursts(with_giants)
  for thread in threads:
    thread.over = True
  for thread in threads:
    thread.join(60)
  print(name)
  line("a request that asks for the models", light.times)
  line("from one token of a stream to the next", [gap for _, gap in stream.gaps])
  if with_giants:
    answers = {}
    for status in results:
      answers[status] = answers.get(status, 0) + 1
    print(f"  {options.bursts} times {options.giants} bodies of {options.letters} letters at once: answered {answers}, within {took:.1f} s at most")
  print(f"  resident {memory('VmRSS'):.0f} MiB, at most {memory('VmHWM'):.0f} MiB")


def small(name, with_giants):
  """Small requests that are computed, without a stream before them."""
  requests = Requests("POST", "/v1/completions", SMALL)
  requests.start()
  time.sleep(1)
  requests.times.clear()
  bursts(with_giants)
  requests.over = True
  requests.join(60)
  print(name)
  line("a request for one token", requests.times)


for _ in range(50):
  ask(connect(), "POST", "/v1/completions", SMALL)
small("Alone", False)
small("While the giants arrive", True)
phase("Alone", False)
phase("While the giants arrive", True)
