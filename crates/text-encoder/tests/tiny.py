"""Makes the folder `tiny`: a BERT of random weights in F32, and its vectors by the reference implementation.

    pip install sentence-transformers==6.2.0 tokenizers==0.23.3
    python3 crates/text-encoder/tests/tiny.py
"""

import json
import shutil
from pathlib import Path

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.models import Pooling, Transformer
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

TEXTS = [
    "query: how is the weather",
    "Wie ist das Wetter?",
    "今天天气很好",
    "Погода сегодня хорошая",
    "อากาศดี",
    "the weather is fine " * 20,
]
folder = Path(__file__).parent / "tiny"
bare = folder.with_name("bare")

# A unigram over pieces with a mark for spaces, as XLM-R's.
tokenizer = Tokenizer(models.Unigram())
tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace("  ", " ")])
tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
specials = ["<s>", "<pad>", "</s>", "<unk>"]
trainer = trainers.UnigramTrainer(vocab_size=120, special_tokens=specials, unk_token="<unk>")
tokenizer.train_from_iterator(TEXTS, trainer)
tokenizer.post_processor = processors.TemplateProcessing(
    single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
)
fast = PreTrainedTokenizerFast(
    tokenizer_object=tokenizer, bos_token="<s>", pad_token="<pad>", eos_token="</s>", unk_token="<unk>",
    cls_token="<s>", sep_token="</s>", model_max_length=48,
)

torch.manual_seed(1)
config = BertConfig(
    vocab_size=tokenizer.get_vocab_size(), hidden_size=24, num_hidden_layers=3, num_attention_heads=3,
    intermediate_size=40, max_position_embeddings=48, initializer_range=0.3,
)
BertModel(config).save_pretrained(bare)
fast.save_pretrained(bare)
words = Transformer(str(bare), max_seq_length=40)
model = SentenceTransformer(modules=[words, Pooling(24, pooling_mode="cls")], device="cpu")
model.save(str(folder))
shutil.rmtree(bare)
rows = [
    {
        "text": text,
        "tokens": fast(text, truncation=True, max_length=40)["input_ids"],
        "vector": [round(float(value), 6) for value in model.encode(text)],
    }
    for text in TEXTS
]
for name in ["README.md", "special_tokens_map.json"]:
    (folder / name).unlink(missing_ok=True)
lines = ",\n".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in rows)
(folder / "reference.json").write_text(f"[\n{lines}\n]\n")
