"""Models split by Python's gguf, as llama.cpp's converters write them: the program's own command reads them."""

import json
import os
import pathlib
import subprocess
import tempfile

import gguf

from checks import SHARED, Skip, check, equal, run

ROOT = pathlib.Path(__file__).resolve().parents[3]
HOME = ROOT / "src/main/resources/models/nibble-home.gguf"
work = tempfile.TemporaryDirectory()


def nibble(*words):
    """What the program prints, and how it ends."""
    done = subprocess.run([*os.environ["NIBBLE_COMMAND"].split(), *map(str, words)], capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout, done.stderr


def digest(model):
    """SHA-256 of the bits of all logits."""
    status, out, err = nibble("bench", "--digest", "--prompt", "24", "--gen", "8", "--json", "--model", model)
    assert status == 0, err
    return json.loads(out)["logits_sha256"]


def split(model, name, **how):
    """Splits a model, and gives its first file."""
    read = gguf.GGUFReader(model)
    fields = {field.name: field for field in read.fields.values() if not field.name.startswith("GGUF.")}
    first = pathlib.Path(work.name, name + ".gguf")
    writer = gguf.GGUFWriter(first, fields["general.architecture"].contents(), **how)
    for field in fields.values():
        if field.name != "general.architecture":
            writer.add_key_value(field.name, field.contents(), field.types[0], field.types[-1] if len(field.types) > 1 else None)
    for tensor in read.tensors:
        writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    files = sorted(first.parent.glob(name + "-*-of-*.gguf"))
    assert len(files) > 1, files
    return files


def reference(format):
    path = pathlib.Path(SHARED, "reference/gguf", f"home-{format}.gguf")
    if not path.exists():
        raise Skip(f"there is no {path}")
    return path


@check("ten tensors a file, the same logits")
def by_tensors():
    files = split(HOME, "tensors", split_max_tensors=10)
    equal(digest(files[0]), digest(HOME))


@check("half a megabyte a file, metadata alone in the first, the same logits")
def by_size():
    files = split(HOME, "size", split_max_size=500_000, small_first_shard=True)
    equal(digest(files[0]), digest(HOME))


@check("llama.cpp's Q4_K_M and IQ3_S, the same logits")
def formats():
    for format in ("q4_k_m", "iq3_s"):
        whole = reference(format)
        equal(digest(split(whole, format, split_max_tensors=7)[0]), digest(whole))


@check("a pack of a split model, the same logits")
def packs():
    files = split(HOME, "packed", split_max_tensors=20)
    pack = pathlib.Path(work.name, "packed.nib")
    status, _, err = nibble("pack", files[0], pack)
    assert status == 0, err
    equal(digest(pack), digest(HOME))


@check("inspect tells of the whole model")
def inspected():
    files = split(HOME, "inspected", split_max_tensors=10)
    status, out, err = nibble("inspect", "--json", files[0])
    equal(status, 0)
    told, whole = json.loads(out), json.loads(nibble("inspect", "--json", HOME)[1])
    equal(told["parameters"], whole["parameters"])
    equal(told["files"], len(files))
    equal(told["bytes"], sum(file.stat().st_size for file in files))


@check("another file than the first, and one that is missing, are told with what to do")
def refused():
    files = split(HOME, "refused", split_max_tensors=10)
    status, _, err = nibble("inspect", files[1])
    equal((status, f"open the first, {files[0]}" in err), (2, True))
    files[2].unlink()
    status, _, err = nibble("run", "--model", files[0], "x")
    equal((status, f"file 3 of 4 of the model is missing: put {files[2].name} beside the first, {files[0]}" in err), (2, True))


run()
