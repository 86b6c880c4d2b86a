//! The text encoder that `simulate` and `advise` look through, and what it makes of texts.

mod in_use;

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fmt, fs, io,
    path::{Path, PathBuf},
    process::Command,
    str::FromStr,
    sync::Arc,
    time::Instant,
};

use active_learning_aws::bucket::{BINARY, Bucket, BucketError};
use active_learning_core::text::{Vector, VectorId, pack_vectors, unpack_vectors, vector_id};
use serde::Serialize;
use text_encoder::{Encoder, EncoderError, FILES, read_folder};
use text_model::{MAX_ENCODED, Prediction, TrainingSet};

use crate::{
    phases,
    wording::{counted, counted_as},
};

pub use in_use::{OfStack, print};

/// Texts between two lines about the progress.
const PROGRESS_EVERY: usize = 2_000;

/// Parameter of the template that says which encoder the built-in classifier looks through.
pub const PARAMETER: &str = "TextEncoder";

/// Which encoder is looked through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// The one that is part of the program.
    BuiltIn,
    /// None.
    None,
    /// One in a folder.
    Folder(PathBuf),
}

impl FromStr for Choice {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "built-in" => Self::BuiltIn,
            "none" => Self::None,
            folder => Self::Folder(folder.into()),
        })
    }
}

impl Choice {
    /// Loads the encoder.
    ///
    /// # Errors
    ///
    /// What is in the folder is none.
    pub fn load(&self) -> Result<Option<Arc<Encoder>>, EncoderError> {
        match self {
            Self::BuiltIn => Ok(Some(Encoder::built_in())),
            Self::None => Ok(None),
            Self::Folder(folder) => Encoder::load(folder).map(|encoder| Some(Arc::new(encoder))),
        }
    }

    /// Returns the value of [`PARAMETER`] that means the same.
    pub fn parameter(&self) -> &'static str {
        match self {
            Self::BuiltIn => "built-in",
            Self::None => "none",
            Self::Folder(_) => "s3",
        }
    }

    /// Checks a folder by `encoder FOLDER`, and tells what that has to complain of.
    ///
    /// A process of its own: a large encoder leaves hundreds of MB behind in the one that loaded it.
    ///
    /// # Errors
    ///
    /// What is in the folder is none that can be used.
    pub fn check(&self) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let Self::Folder(folder) = self else { return Ok(()) };
        let checked = Command::new(std::env::current_exe()?)
            .arg("encoder")
            .arg(folder)
            .output()?;
        if !checked.status.success() {
            let words = String::from_utf8_lossy(&checked.stderr);
            let reason = words.trim();
            let reason = reason.strip_prefix("error: ").unwrap_or(reason);
            return Err(format!("--encoder {}: {reason}", folder.display()).into());
        }
        let words = String::from_utf8_lossy(&checked.stdout);
        words
            .lines()
            .filter(|line| line.starts_with('!'))
            .for_each(|line| eprintln!("{line}"));
        Ok(())
    }

    /// Puts the files of a folder where the classifier reads them, over those of another one; nothing but a folder
    /// has any.
    ///
    /// # Errors
    ///
    /// [`PlaceError`].
    pub async fn place(&self, training: &Bucket) -> Result<(), PlaceError> {
        let Self::Folder(folder) = self else { return Ok(()) };
        let mut files = read_folder(folder)?;
        for name in FILES {
            let key = format!("{FOLDER}{name}");
            match files.remove(name) {
                Some(file) => training.put(&key, BINARY, file.into_owned()).await?,
                None => training.delete(&key).await?,
            }
        }
        Ok(())
    }
}

/// Why an encoder is not where the classifier reads it.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// The folder cannot be read.
    #[error(transparent)]
    Folder(#[from] EncoderError),
    /// The bucket cannot be written.
    #[error("the text encoder cannot be stored")]
    Storage(#[from] BucketError),
}

/// What an encoder is, and how quick.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Described {
    /// Folder that it was read from; `None` for the one that is part of the program.
    pub folder: Option<PathBuf>,
    /// SHA-256 over weights and tokenizer: models of another encoder are refused.
    pub identity: String,
    /// Values of a vector.
    pub dimensions: usize,
    /// Tokens of a text that are looked at.
    pub max_tokens: usize,
    /// Tokens that the tokenizer knows.
    pub tokens: usize,
    /// Tokens that there are weights for.
    pub weights_for_tokens: usize,
    /// Whether texts of different words get different vectors; of the same one nothing can be learned.
    pub tells_texts_apart: bool,
    /// Most memory that this program has taken so far, the encoder included, in MB; where the system tells.
    pub megabytes: Option<u64>,
    /// Tokens of the text that the speed was measured on.
    pub sample_tokens: usize,
    /// Milliseconds for such a text on this machine, many at a time.
    pub milliseconds_per_text: f64,
}

/// Says what the encoder of the program is, or that of a folder, and how quick.
///
/// # Errors
///
/// What is in the folder is none that can be used.
pub fn describe(folder: Option<&Path>) -> Result<Described, EncoderError> {
    let encoder = match folder {
        Some(folder) => Arc::new(Encoder::load(folder)?),
        None => Encoder::built_in(),
    };
    let start = Instant::now();
    let vectors = encoder.encode(&[SAMPLE; SAMPLES]);
    let milliseconds_per_text = start.elapsed().as_secs_f64() * 1e3 / vectors.len() as f64;
    if vectors.iter().flatten().any(|value| !value.is_finite()) {
        return Err(EncoderError::Invalid {
            file: WEIGHTS,
            reason: "its vectors are no numbers".to_owned(),
        });
    }
    let different: HashSet<Vec<u8>> = encoder
        .encode(&DIFFERENT)
        .iter()
        .map(|vector| Vector::of(vector).bytes().collect())
        .collect();
    let (tokens, weights_for_tokens) = encoder.vocabulary();
    Ok(Described {
        folder: folder.map(Path::to_owned),
        identity: encoder.identity().to_string(),
        dimensions: encoder.dimensions(),
        max_tokens: encoder.max_tokens(),
        tokens,
        weights_for_tokens,
        tells_texts_apart: different.len() > 1,
        megabytes: fs::read_to_string("/proc/self/status")
            .ok()
            .and_then(|status| most_memory(&status)),
        sample_tokens: encoder.tokens(SAMPLE).len(),
        milliseconds_per_text,
    })
}

/// Reads the most memory of a process, in MB, from what Linux says of it.
fn most_memory(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes.div_ceil(1024))
}

impl fmt::Display for Described {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.folder {
            None => writeln!(f, "all-MiniLM-L6-v2, part of the program (TextEncoder=built-in)")?,
            Some(folder) => writeln!(
                f,
                "{} can be used: put it under {FOLDER} and set TextEncoder=s3",
                folder.display()
            )?,
        }
        writeln!(f, "identity: {}", self.identity)?;
        let part = match self.max_tokens {
            usize::MAX => "all".to_owned(),
            tokens => format!("the first {tokens}"),
        };
        let values = self.dimensions;
        writeln!(f, "vectors of {values} values, of {part} tokens of a text")?;
        writeln!(
            f,
            "{:.1} ms for a text of {} tokens here, many at a time",
            self.milliseconds_per_text, self.sample_tokens
        )?;
        if let Some(megabytes) = self.megabytes {
            writeln!(f, "{megabytes} MB of memory at most, with this program")?;
        }
        // Tables are often padded, but not by a tenth.
        if self.tokens < self.weights_for_tokens / 10 * 9 {
            writeln!(
                f,
                "! The tokenizer knows {} tokens, the weights {}: is tokenizer.json that of this model?",
                self.tokens, self.weights_for_tokens
            )?;
        }
        if !self.tells_texts_apart {
            writeln!(
                f,
                "! Texts in six scripts all get the same vector: nothing can be learned from it. Is the prompt \
                 (default_prompt_name) longer than the {} tokens that count, or model.safetensors empty?",
                self.max_tokens
            )?;
        }
        Ok(())
    }
}

/// Where an own encoder lies, in the training bucket.
const FOLDER: &str = "encoder/";
/// The file of an encoder that is wrong where its vectors are.
const WEIGHTS: &str = "model.safetensors";
/// What its speed is measured on.
const SAMPLE: &str = "Rates rise for the third time this year, says the central bank, and shares fall on both \
                      sides of the ocean.";
const SAMPLES: usize = 64;
/// A model of whichever language knows some of these.
const DIFFERENT: [&str; 12] = [
    "Rates rise again.",
    "The team won the final, two to one.",
    "Ставки снова растут.",
    "Команда выиграла финал.",
    "利率再次上升。",
    "球队赢得了决赛。",
    "أسعار الفائدة ترتفع مجددا.",
    "فاز الفريق بالنهائي.",
    "ब्याज दरें फिर बढ़ीं।",
    "टीम ने फ़ाइनल जीता।",
    "อัตราดอกเบี้ยขึ้นอีกครั้ง",
    "ทีมชนะรอบชิงชนะเลิศ",
];

/// Vectors of texts, made once.
#[derive(Debug)]
pub struct Vectors {
    encoder: Arc<Encoder>,
    by_text: HashMap<String, Vector>,
}

impl Vectors {
    /// Encodes texts on all cores, with its progress on stderr.
    pub fn of<'a>(encoder: Arc<Encoder>, texts: impl IntoIterator<Item = &'a str>) -> Self {
        let texts: Vec<&str> = texts.into_iter().collect();
        let mut by_text = HashMap::with_capacity(texts.len());
        for part in texts.chunks(PROGRESS_EVERY) {
            let vectors = encoder.encode(part);
            let vectors = vectors.iter().map(|vector| Vector::of(vector));
            by_text.extend(part.iter().map(|text| (*text).to_owned()).zip(vectors));
            let all = counted_as(texts.len(), "text is", "texts are");
            phases::note(&format!("{} of {all} encoded", by_text.len()));
        }
        Self { encoder, by_text }
    }

    /// Encodes what a file in the folder does not hold of an earlier run, and keeps all there; without a folder everything.
    ///
    /// A file that cannot be read or written costs time only, and is told.
    pub fn kept<'a>(
        encoder: Arc<Encoder>,
        texts: impl Iterator<Item = &'a str>,
        folder: Option<&Path>,
    ) -> Self {
        let Some(folder) = folder else {
            return Self::of(encoder, texts);
        };
        let file = folder.join(format!("vectors-{}.bin", encoder.identity()));
        let dimensions = encoder.dimensions();
        let known: HashMap<VectorId, Vector> = unpack_vectors(&fs::read(&file).unwrap_or_default())
            .filter(|(_, vector)| vector.dimensions() == dimensions)
            .collect();
        let (old, new): (Vec<&str>, Vec<&str>) = texts.partition(|text| known.contains_key(&vector_id(text)));
        let mut vectors = Self::of(encoder, new.iter().copied());
        let reused = old
            .iter()
            .map(|text| ((*text).to_owned(), known[&vector_id(text)].clone()));
        vectors.by_text.extend(reused);
        if !old.is_empty() {
            phases::note(&format!(
                "vectors of {} are taken from {}",
                counted(old.len(), "text"),
                file.display()
            ));
        }
        if !new.is_empty()
            && let Err(error) = vectors.keep(folder, &file)
        {
            eprintln!("the vectors are not kept for the next run: {error}");
        }
        vectors
    }

    fn keep(&self, folder: &Path, file: &Path) -> io::Result<()> {
        let by_id: BTreeMap<VectorId, &Vector> = self
            .by_text
            .iter()
            .map(|(text, vector)| (vector_id(text), vector))
            .collect();
        let pairs = by_id.iter().map(|(id, vector)| (id, *vector));
        fs::create_dir_all(folder)?;
        fs::write(file, pack_vectors(self.encoder.dimensions(), pairs))
    }

    /// Returns the vector of a text; `None` if it was not among them.
    pub fn get(&self, text: &str) -> Option<&Vector> {
        self.by_text.get(text)
    }

    /// Has a model learn from its texts' vectors too, unless there are more than it learns from.
    pub fn give_to(&self, set: &mut TrainingSet) {
        let Some(texts) = set.texts() else {
            eprintln!("more than {MAX_ENCODED} texts: trained without the text encoder");
            return;
        };
        // Reading may have repaired a text.
        let vector = |text: &str| self.get(text).cloned().unwrap_or_else(|| self.encode(text));
        let vectors = texts.into_iter().map(vector).collect();
        set.set_vectors(self.encoder.identity(), vectors);
        let names: Vec<&str> = set.labels.iter().map(String::as_str).collect();
        let names = self.encoder.encode(&names);
        set.set_name_vectors(names.iter().map(|name| Vector::of(name)).collect());
    }

    fn encode(&self, text: &str) -> Vector {
        Vector::of(&self.encoder.encode(&[text])[0])
    }
}

/// Has a model classify a text.
pub fn predict<'a>(
    model: &'a text_model::Model,
    text: &str,
    vectors: Option<&Vectors>,
) -> Vec<Prediction<'a>> {
    model.predict_with(text, vectors.and_then(|vectors| vectors.get(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encoder_is_named_as_in_the_template_or_by_its_folder() {
        for (text, choice) in [
            ("built-in", Choice::BuiltIn),
            ("none", Choice::None),
            ("models/e5", Choice::Folder("models/e5".into())),
        ] {
            assert_eq!(text.parse(), Ok(choice));
        }
    }

    #[test]
    fn models_read_what_labels_are_called() {
        let encoder = Encoder::built_in();
        let mut set = TrainingSet::read_csv("food,one\nsport,two\n".as_bytes()).expect("good rows");

        Vectors::of(Arc::clone(&encoder), ["one", "two"]).give_to(&mut set);

        let names = encoder.encode(&["food", "sport"]);
        assert_eq!(
            set.names,
            names.iter().map(|name| Vector::of(name)).collect::<Vec<_>>()
        );
    }

    #[test]
    fn a_folder_is_described_or_refused_with_what_it_lacks() {
        let folder = tempfile::tempdir().expect("a temporary folder");

        let built_in = describe(None).expect("part of the program");
        let refusal = describe(Some(folder.path()))
            .expect_err("an empty folder")
            .to_string();

        assert_eq!(built_in.identity, Encoder::built_in_identity());
        assert!(built_in.to_string().contains(&built_in.identity), "{built_in}");
        assert_eq!(
            refusal,
            "the encoder has no config.json; a model in a folder of its own, such as 0_Transformer, is not read: put its \
             files one level up"
        );
    }

    #[test]
    fn a_tokenizer_of_another_model_is_told() {
        let own = describe(None).expect("part of the program");
        let other = Described {
            tokens: 1_000,
            ..own.clone()
        };

        assert!(!own.to_string().contains('!'), "{own}");
        assert!(
            other
                .to_string()
                .contains("is tokenizer.json that of this model?"),
            "{other}"
        );
    }

    #[test]
    fn an_encoder_that_tells_no_texts_apart_is_told_and_one_without_numbers_is_refused() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let tiny = read_folder(Path::new("../text-encoder/tests/tiny")).expect("the folder is there");
        let described = |weights: &dyn Fn(&[u8]) -> Vec<u8>| {
            for (name, file) in &tiny {
                let path = folder.path().join(name);
                fs::create_dir_all(path.parent().expect("it has one")).expect("a folder");
                let file = match *name {
                    WEIGHTS => weights(file),
                    _ => file.to_vec(),
                };
                fs::write(path, file).expect("a file");
            }
            describe(Some(folder.path()))
        };
        let filled = |with: [u8; 4]| {
            move |file: &[u8]| {
                let header = usize::try_from(u64::from_le_bytes(file[..8].try_into().expect("eight")));
                let (head, numbers) = file.split_at(8 + header.expect("it fits"));
                [head, &with.repeat(numbers.len() / 4)].concat()
            }
        };

        let as_it_is = described(&<[u8]>::to_vec).expect("an encoder");
        let zeros = described(&filled(0.0_f32.to_le_bytes())).expect("an encoder");
        let no_numbers = described(&filled(f32::NAN.to_le_bytes())).expect_err("no numbers");

        assert!(
            as_it_is.tells_texts_apart && !as_it_is.to_string().contains('!'),
            "{as_it_is}"
        );
        assert!(
            zeros
                .to_string()
                .contains("! Texts in six scripts all get the same vector"),
            "{zeros}"
        );
        assert_eq!(
            no_numbers.to_string(),
            "the encoder's model.safetensors cannot be used: its vectors are no numbers"
        );
    }

    #[test]
    fn the_most_memory_of_a_process_is_read() {
        let status = "Name:\tx\nVmPeak:\t  900000 kB\nVmHWM:\t  649000 kB\n";

        assert_eq!(most_memory(status), Some(634));
        assert_eq!(most_memory("VmHWM: much"), None);
    }
}
