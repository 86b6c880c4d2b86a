//! Texts that are of no class of the model: people are to see them.

use std::{fs::File, sync::LazyLock};

use active_learning_core::text::Vector;
use text_encoder::Encoder;
use text_model::{Model, TrainingSet, train};

const SEED: u64 = 1;
/// Confidence up to which people look by default.
const THRESHOLD: f32 = 0.5;
/// Confidence above which a prediction is a sure one.
const SURE: f32 = 0.75;

/// Of several kinds; the sample that is shipped is of news.
const OF_NO_CLASS: [&str; 15] = [
    // Chit-chat.
    "I am not sure about it",
    "hello, how are you today?",
    "please call me back when you can",
    // Gibberish.
    "asdf",
    "qwerty asdf",
    "lorem ipsum dolor sit amet",
    "sdlkfj weoiru xcvmn qpwoei zmxncb",
    // Other languages.
    "Ich weiß nicht, was ich sagen soll.",
    "¿Dónde está la biblioteca?",
    "我不知道你在说什么",
    // Hardly anything.
    "...",
    "N/A",
    // Numbers.
    "12345",
    "+49 170 1234567",
    // Another topic.
    "How do I reset my password?",
];

/// News as in the sample, and their classes.
const OF_A_CLASS: [(&str, &str); 8] = [
    (
        "Business",
        "Shares of the carmaker fell nine percent after it warned that profit would miss its forecast this year.",
    ),
    (
        "Business",
        "The central bank raised interest rates by a quarter point to bring inflation down.",
    ),
    (
        "SciTech",
        "Astronomers have found a planet the size of Earth around a small star, the observatory said.",
    ),
    (
        "SciTech",
        "A flaw in the web browser lets attackers read stored passwords; an update of the software closes it.",
    ),
    (
        "Sports",
        "The striker scored twice in the second half as the hosts won the cup final by three goals to one.",
    ),
    (
        "Sports",
        "She won the tournament in straight sets and will be second in the world ranking on Monday.",
    ),
    (
        "World",
        "The president and the rebels signed a ceasefire after weeks of fighting near the border.",
    ),
    (
        "World",
        "Thousands of protesters marched to the parliament and asked the prime minister to resign before the election.",
    ),
];

static SAMPLE: LazyLock<TrainingSet> = LazyLock::new(|| {
    let file = File::open(concat!(env!("CARGO_MANIFEST_DIR"), "/../cli/data/news.csv"))
        .expect("sample data is in the repository");
    TrainingSet::read_csv(file).expect("sample data is good")
});

fn encode(texts: &[&str]) -> Vec<Vector> {
    let vectors = Encoder::built_in().encode(texts);
    vectors.iter().map(|vector| Vector::of(vector)).collect()
}

static WITH_ENCODER: LazyLock<Model> = LazyLock::new(|| {
    let mut set = SAMPLE.clone();
    let vectors = encode(&set.texts().expect("few texts"));
    set.set_vectors(Encoder::built_in_identity(), vectors);
    let names: Vec<&str> = set.labels.iter().map(String::as_str).collect();
    set.set_name_vectors(encode(&names));
    train(&set, SEED).model
});

/// Returns the best class and its probability.
fn best<'a>(model: &'a Model, text: &str) -> (&'a str, f32) {
    let vector = model.encoder().map(|_| encode(&[text]).remove(0));
    let best = &model.predict_with(text, vector.as_ref())[0];
    (best.label, best.score)
}

#[test]
fn people_see_texts_that_are_of_no_class() {
    for text in OF_NO_CLASS {
        let (label, score) = best(&WITH_ENCODER, text);

        assert!(score < THRESHOLD, "{text:?} is {label} by {score}");
    }
}

#[test]
fn texts_of_a_class_are_as_sure_as_before() {
    for (label, text) in OF_A_CLASS {
        let (given, score) = best(&WITH_ENCODER, text);

        assert!(given == label && score > SURE, "{text:?} is {given} by {score}");
    }
}

#[test]
fn without_an_encoder_people_see_texts_of_few_known_words() {
    let model = train(&SAMPLE, SEED).model;

    for text in [
        "asdf",
        "I am tired",
        "...",
        "ok sounds good",
        "我不知道你在说什么",
        "12345",
    ] {
        let (label, score) = best(&model, text);

        assert!(score < THRESHOLD, "{text:?} is {label} by {score}");
    }
}

#[test]
fn what_is_doubted_survives_the_file_and_takes_little_of_it() {
    let file = WITH_ENCODER.to_bytes();

    let read = Model::from_bytes(&file).expect("its own file");

    assert!(read == *WITH_ENCODER);
    assert_eq!(file[8], 7, "the format with doubt");
    // 64 directions and a mean of 384 values each.
    assert!(file.len() < 140_000, "{} bytes", file.len());
}

/// One of three directions, and some noise.
fn noisy(n: usize) -> Vector {
    let mut values: Vec<f32> = (0..12)
        .map(|at| ((n * 37 + at * at * 11) % 23) as f32 / 60.0)
        .collect();
    values[n % 3] += 2.0;
    Vector::of(&values)
}

/// Texts of the same words in three classes that only their vectors tell apart.
fn told_apart_by_vectors() -> TrainingSet {
    let row = |n: usize| format!("{},{} {n}\n", ["a", "b", "c"][n % 3], says_nothing());
    let rows: String = (0..60).map(row).collect();
    let mut set = TrainingSet::read_csv(rows.as_bytes()).expect("good rows");
    set.set_vectors("an encoder", (0..60).map(noisy).collect());
    set
}

fn says_nothing() -> String {
    "some words that say nothing ".repeat(6)
}

/// Writes a model's file as the format before has it: it doubts by vectors alone, and down to 0.6.
fn of_format_6(file: &[u8]) -> Vec<u8> {
    let end = 16 + u32::from_le_bytes(file[12..16].try_into().expect("four bytes")) as usize;
    let mut header: serde_json::Value = serde_json::from_slice(&file[16..end]).expect("JSON");
    let doubt = header["doubt"].as_object_mut().expect("it doubts");
    doubt.remove("least").expect("of this format");
    let far = doubt["far"].as_object_mut().expect("it has vectors");
    far.remove("middle_words").expect("of this format");
    far.remove("half_of_words").expect("of this format");
    let mut header = serde_json::to_vec(&header).expect("it was JSON");
    header.resize(header.len().next_multiple_of(8), b' ');
    let mut old = [
        &file[..8],
        &6_u32.to_le_bytes(),
        &(header.len() as u32).to_le_bytes(),
    ]
    .concat();
    old.extend(header);
    old.extend(&file[end..file.len() - 4]);
    let checksum = crc32fast::hash(&old);
    old.extend(checksum.to_le_bytes());
    old
}

#[test]
fn a_model_of_the_format_before_doubts_as_it_did() {
    let new = train(&told_apart_by_vectors(), SEED).model;
    let old = Model::from_bytes(&of_format_6(&new.to_bytes())).expect("format 6 is read");
    let strange = Vector::of(&[2.0, 0.0, 0.0, 0.0, 1.5, -1.5, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    let score = |model: &Model, text: &str, vector: &Vector| model.predict_with(text, Some(vector))[0].score;
    let in_doubt = |model: &Model, text: &str| {
        let vectors = (0..60).map(noisy);
        vectors
            .filter(|vector| score(model, text, vector) <= THRESHOLD)
            .count()
    };
    let known = &says_nothing();

    let [by_vector, by_words] = [&old, &new].map(|model| score(model, known, &strange));

    assert!((by_vector - 0.6).abs() < 1e-5, "{by_vector}");
    assert!((by_words - 0.45).abs() < 1e-5, "{by_words}");
    assert_eq!([&old, &new].map(|model| in_doubt(model, known)), [0, 0]);
    assert_eq!(in_doubt(&old, "asdf"), 0);
    assert!(in_doubt(&new, "asdf") > 0, "{}", in_doubt(&new, "asdf"));
}
