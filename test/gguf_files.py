"""GGUF files of the smallest possible language model, with random weights."""

import struct

import numpy as np

ALIGNMENT = 32
_UNSIGNED, _SIGNED, _FLOAT, _TEXT, _ARRAY = 4, 5, 6, 8, 9
CONTEXT = 512
BYTES = [f"<0x{n:02X}>" for n in range(256)]
TOKENS = ["<unk>", "<s>", "</s>", *BYTES, "▁"]
WIDTH, INNER = 32, 64
FACTS = {
    "general.architecture": "llama",
    "general.name": "random weights",
    "general.license": "apache-2.0",
    "llama.context_length": CONTEXT,
    "llama.embedding_length": WIDTH,
    "llama.block_count": 1,
    "llama.feed_forward_length": INNER,
    "llama.attention.head_count": 2,
    "llama.attention.head_count_kv": 1,
    "llama.attention.layer_norm_rms_epsilon": 1e-5,
    "llama.rope.dimension_count": WIDTH // 2,
    "tokenizer.ggml.model": "llama",
    "tokenizer.ggml.tokens": TOKENS,
    "tokenizer.ggml.scores": [0.0] * len(TOKENS),
    "tokenizer.ggml.token_type": [2, 3, 3, *[6] * 256, 1],
    "tokenizer.ggml.bos_token_id": 1,
    "tokenizer.ggml.eos_token_id": 2,
}
SHAPES = {
    "token_embd.weight": (len(TOKENS), WIDTH),
    "output.weight": (len(TOKENS), WIDTH),
    "output_norm.weight": (WIDTH,),
    "blk.0.attn_norm.weight": (WIDTH,),
    "blk.0.attn_q.weight": (WIDTH, WIDTH),
    "blk.0.attn_k.weight": (WIDTH // 2, WIDTH),
    "blk.0.attn_v.weight": (WIDTH // 2, WIDTH),
    "blk.0.attn_output.weight": (WIDTH, WIDTH),
    "blk.0.ffn_norm.weight": (WIDTH,),
    "blk.0.ffn_gate.weight": (INNER, WIDTH),
    "blk.0.ffn_up.weight": (INNER, WIDTH),
    "blk.0.ffn_down.weight": (WIDTH, INNER),
}


def text(value):
    return struct.pack("<Q", len(value.encode())) + value.encode()


def typed(value):
    """Return the type of a value and its bytes."""
    if isinstance(value, str):
        return _TEXT, text(value)
    if isinstance(value, float):
        return _FLOAT, struct.pack("<f", value)
    if isinstance(value, list):
        kind = _SIGNED if isinstance(value[0], int) else typed(value[0])[0]
        body = b"".join(typed(one)[1] for one in value)
        return _ARRAY, struct.pack("<IQ", kind, len(value)) + body
    return _UNSIGNED, struct.pack("<I", value)


def padded(data):
    return data + bytes(-len(data) % ALIGNMENT)


def model(facts=FACTS, shapes=SHAPES, version=3):
    """Return the bytes of a GGUF file, 0.11 MB."""
    rng = np.random.default_rng(0)
    head = b"GGUF" + struct.pack("<IQQ", version, len(shapes), len(facts))
    for name, value in facts.items():
        kind, body = typed(value)
        head += text(name) + struct.pack("<I", kind) + body
    data = b""
    for name, shape in shapes.items():
        sizes = struct.pack(f"<I{len(shape)}Q", len(shape), *reversed(shape))
        head += text(name) + sizes + struct.pack("<IQ", 0, len(data))
        data += padded(rng.normal(size=shape).astype("<f4").tobytes())
    return padded(head) + data
