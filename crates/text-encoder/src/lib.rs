//! Turns texts into vectors with a pretrained sentence encoder: texts that mean something alike get vectors
//! of one direction.
//!
//! [`Encoder::built_in`] is all-MiniLM-L6-v2 in 8 bits, part of the program; [`Encoder::load`] reads any
//! folder in the layout of sentence-transformers (BERT architecture) or model2vec. Plain Rust on one kind of
//! arithmetic, `f32`: no download, no graphics card.
//!
//! Deterministic: a text gets the same vector alone and in a batch. Other processors multiply in another
//! order, and vectors differ from the seventh digit on.

mod bert;
mod bounds;
mod folder;
mod matrix;
mod patterns;
mod static_model;
mod tokenizer;
mod weights;

use std::{
    borrow::Cow,
    fmt, io,
    num::NonZero,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use sha2::{Digest, Sha256};

use crate::{
    bert::Bert,
    folder::{Architecture, Config, Pooling, Settings, TOKENIZER},
    static_model::Static,
    tokenizer::Cutter,
    weights::Weights,
};

pub use folder::{FILES, Files, read_folder};

/// Texts that a core takes at once.
const TEXTS_AT_ONCE: usize = 16;
/// Most tokens that go through the layers together, unless one text has more: their states stay near the
/// core.
const TOKENS_AT_ONCE: usize = 512;
/// Identity of [`Encoder::built_in`]; held by a test.
const BUILT_IN: &str = "5b9dd6bb8c9220a3d87452e9f64a8415e9ffc3ebce263df76fa1678532cc7749";

/// What [`Config::computation`] says of it.
const BUILT_IN_COMPUTATION: &str = "6 layers of 12 heads, epsilon 1e-12";

/// Earlier roundings of the same weights: models that learned from their vectors go on with today's.
///
/// The cosine of their vectors to today's is 0.9995 at least, of 200 texts in many scripts.
const BUILT_IN_BEFORE: [&str; 1] = ["14633fc61b438e0c2e0f2832b51caa07691b27d3d341beef4624d1e8af7e4496"];

/// Why a folder is no encoder. Messages name files and settings, never texts.
#[derive(Debug, thiserror::Error)]
pub enum EncoderError {
    /// The folder is not there.
    #[error("there is no folder {}", .0.display())]
    NoFolder(PathBuf),
    /// A file that must be there is not.
    #[error("the encoder has no {0}{instead}", instead = folder::instead_of(.0))]
    Missing(&'static str),
    /// The source failed, not the data.
    #[error("the encoder's {file} could not be read")]
    Read {
        /// Path in the folder.
        file: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file contradicts itself or another one.
    #[error("the encoder's {file} cannot be used: {reason}")]
    Invalid {
        /// Path in the folder.
        file: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// Another kind of model.
    #[error(
        "the encoder's architecture is {0}; supported are BertModel (all-MiniLM, bge, e5, gte, arctic-embed and \
         their multilingual kin), StaticModel (model2vec) and StaticEmbedding (sentence-transformers)"
    )]
    Architecture(String),
    /// A setting that this release cannot follow.
    #[error("the encoder needs {0}, which is not supported")]
    Unsupported(String),
}

impl EncoderError {
    fn invalid(file: &'static str, reason: String) -> Self {
        Self::Invalid { file, reason }
    }
}

/// A sentence encoder, ready to use; from several threads at once as well.
pub struct Encoder {
    tokenizer: Cutter,
    /// Tokens of the tokenizer.
    vocabulary: usize,
    settings: Settings,
    model: Model,
    identity: String,
    /// What earlier releases called it, who did not look at how the weights are used.
    earlier: Option<String>,
}

enum Model {
    Bert(Bert),
    Static(Static),
}

impl Encoder {
    /// Returns the encoder that is part of the program: all-MiniLM-L6-v2, 384 values, 256 tokens, English.
    ///
    /// Takes 50 MB; loaded when it is first asked for and kept.
    #[must_use]
    pub fn built_in() -> Arc<Self> {
        static ENCODER: OnceLock<Arc<Encoder>> = OnceLock::new();
        let encoder = ENCODER.get_or_init(|| {
            let built_in = Self::of(built_in_files(), Some(BUILT_IN));
            Arc::new(built_in.expect("held by a test: the files fit together"))
        });
        Arc::clone(encoder)
    }

    /// Returns the identity of [`Encoder::built_in`] without loading it.
    #[must_use]
    pub fn built_in_identity() -> &'static str {
        BUILT_IN
    }

    /// Loads a folder in the hub's layout, as it is; see [`FILES`].
    ///
    /// # Errors
    ///
    /// [`EncoderError`]: a file is missing, unreadable or damaged, or the model is of another kind.
    pub fn load(folder: &Path) -> Result<Self, EncoderError> {
        if !folder.is_dir() {
            return Err(EncoderError::NoFolder(folder.to_owned()));
        }
        Self::from_files(read_folder(folder)?)
    }

    /// Loads the files of such a folder.
    ///
    /// # Errors
    ///
    /// As [`Encoder::load`].
    pub fn from_files(files: Files) -> Result<Self, EncoderError> {
        Self::of(files, None)
    }

    /// What can be refused quickly comes first: the identity of large weights takes a second.
    fn of(mut files: Files, identity: Option<&str>) -> Result<Self, EncoderError> {
        folder::refuse_pointers(&files)?;
        folder::put_static_files(&mut files);
        let config = Config::read(&files)?;
        let architecture = config.architecture()?;
        let settings = Settings::read(&files, &config)?;
        let take = |files: &mut Files, name| files.remove(name).ok_or(EncoderError::Missing(name));
        let weights = Weights::read(take(&mut files, weights::FILE)?)?;
        let tokens = take(&mut files, TOKENIZER)?;
        let tokenizer = Cutter::read(&tokens, &settings, architecture)?;
        let vocabulary = match identity {
            Some(_) => tokenizer.named(),
            None => tokenizer.vocabulary(),
        };

        let model = match architecture {
            Architecture::Bert => Model::Bert(Bert::read(&config, &weights, settings.max_tokens)?),
            Architecture::Static { keeps_all } => {
                Model::Static(Static::read(&weights, vocabulary, keeps_all)?)
            }
        };
        let (identity, earlier) = match identity {
            Some(identity) => (identity.to_owned(), None),
            None => identify(
                identify_files(weights.file(), &tokens, &settings, architecture),
                config.computation()?,
            ),
        };
        let encoder = Self {
            tokenizer,
            vocabulary,
            settings,
            model,
            identity,
            earlier,
        };
        if encoder.weights_for() < vocabulary {
            let reason = format!(
                "it has {vocabulary} tokens, the weights {}",
                encoder.weights_for()
            );
            return Err(EncoderError::invalid(TOKENIZER, reason));
        }
        Ok(encoder)
    }

    /// Returns what tells this encoder from all others: SHA-256, in hexadecimal, over weights, tokenizer and
    /// the settings that vectors depend on, how many layers and heads there are among them. Vectors of different
    /// encoders cannot be compared.
    #[must_use]
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// Returns whether a model that learned from vectors of the encoder with this identity can read this one's.
    ///
    /// An identity that an earlier release gave says nothing of layers and heads: it is taken whatever they are.
    #[must_use]
    pub fn serves(&self, identity: &str) -> bool {
        self.identity == identity || self.earlier().any(|earlier| earlier == identity)
    }

    /// Returns the identities that earlier releases gave it.
    pub fn earlier(&self) -> impl Iterator<Item = &str> {
        let built_in: &[&str] = match self.identity == BUILT_IN {
            true => &BUILT_IN_BEFORE,
            false => &[],
        };
        self.earlier
            .as_deref()
            .into_iter()
            .chain(built_in.iter().copied())
    }

    /// Returns how many values a vector has.
    #[must_use]
    pub fn dimensions(&self) -> usize {
        match &self.model {
            Model::Bert(bert) => bert.dimensions(),
            Model::Static(model) => model.dimensions(),
        }
    }

    /// Returns the most tokens of a text that count; what comes after is not looked at.
    #[must_use]
    pub fn max_tokens(&self) -> usize {
        self.settings.max_tokens
    }

    /// Returns how many tokens the tokenizer has, and for how many there are weights. A model's own tokenizer has
    /// nearly as many; of another model's, vectors would say nothing.
    #[must_use]
    pub fn vocabulary(&self) -> (usize, usize) {
        (self.vocabulary, self.weights_for())
    }

    /// Returns a vector for each text, in order; on all cores where there are many.
    #[must_use]
    pub fn encode(&self, texts: &[&str]) -> Vec<Vec<f32>> {
        let parts: Vec<&[&str]> = texts.chunks(TEXTS_AT_ONCE).collect();
        let done: Vec<Mutex<Vec<Vec<f32>>>> = parts.iter().map(|_| Mutex::default()).collect();
        let next = AtomicUsize::new(0);
        let work = || {
            while let Some((part, done)) = {
                let number = next.fetch_add(1, Ordering::Relaxed);
                parts.get(number).zip(done.get(number))
            } {
                *done.lock().expect("a panic in a thread ends the scope") = self.encode_part(part);
            }
        };
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        thread::scope(|scope| {
            for _ in 1..cores.min(parts.len()) {
                scope.spawn(work);
            }
            work();
        });
        let all = done
            .into_iter()
            .map(|part| part.into_inner().expect("no thread panicked"));
        all.flatten().collect()
    }

    /// Returns the numbers of a text's tokens, those that mark its start and end included.
    #[must_use]
    pub fn tokens(&self, text: &str) -> Vec<u32> {
        let cut = text
            .char_indices()
            .nth(self.settings.most_characters())
            .map_or(text, |(end, _)| &text[..end]);
        let mut text = Cow::Borrowed(cut);
        if !self.settings.prefix.is_empty() {
            text = Cow::Owned(format!("{}{text}", self.settings.prefix));
        }
        if self.settings.lower_case {
            text = Cow::Owned(text.to_lowercase());
        }
        let mut tokens = self.tokenizer.encode(&text);
        if matches!(&self.model, Model::Static(model) if !model.keeps_all()) {
            let unknown = self.tokenizer.unknown();
            tokens.retain(|&token| Some(token) != unknown);
        }
        tokens.truncate(self.settings.max_tokens);
        tokens
    }

    fn encode_part(&self, texts: &[&str]) -> Vec<Vec<f32>> {
        let texts: Vec<Vec<u32>> = texts.iter().map(|text| self.tokens(text)).collect();
        let mut vectors = Vec::with_capacity(texts.len());
        let mut rest = texts.as_slice();
        while !rest.is_empty() {
            let mut tokens = 0;
            let fitting = rest.iter().take_while(|text| {
                tokens += text.len();
                tokens <= TOKENS_AT_ONCE
            });
            let (batch, after) = rest.split_at(fitting.count().max(1));
            rest = after;
            match &self.model {
                Model::Bert(bert) => self.pool(batch, &bert.run(batch), &mut vectors),
                Model::Static(model) => vectors.extend(batch.iter().map(|text| model.run(text))),
            }
        }
        if self.settings.normalise {
            vectors.iter_mut().for_each(|vector| matrix::normalise(vector));
        }
        vectors
    }

    /// Makes one vector of the states of each text's tokens.
    fn pool(&self, texts: &[Vec<u32>], states: &[f32], vectors: &mut Vec<Vec<f32>>) {
        let size = self.dimensions();
        let mut states = states;
        for text in texts {
            let (own, after) = states.split_at(text.len() * size);
            states = after;
            let mut rows = own.chunks_exact(size);
            let mut vector = rows.next().map_or_else(|| vec![0.0; size], <[f32]>::to_vec);
            match self.settings.pooling {
                Pooling::First => {}
                Pooling::Mean => {
                    for row in rows {
                        vector.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
                    }
                    let count = text.len().max(1) as f32;
                    vector.iter_mut().for_each(|sum| *sum /= count);
                }
                Pooling::Max => {
                    for row in rows {
                        vector
                            .iter_mut()
                            .zip(row)
                            .for_each(|(most, &value)| *most = most.max(value));
                    }
                }
            }
            vectors.push(vector);
        }
    }

    /// Returns how many tokens there are weights for.
    fn weights_for(&self) -> usize {
        match &self.model {
            Model::Bert(bert) => bert.vocabulary(),
            Model::Static(model) => model.vocabulary(),
        }
    }
}

/// The weights would fill the screen.
impl fmt::Debug for Encoder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Encoder")
            .field("identity", &self.identity)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// Returns the files of [`Encoder::built_in`], which [`Encoder::from_files`] takes as well.
#[must_use]
pub fn built_in_files() -> Files {
    macro_rules! file {
        ($name:literal) => {
            (
                $name,
                Cow::Borrowed(&include_bytes!(concat!("../model/", $name))[..]),
            )
        };
    }
    Files::from([
        file!("config.json"),
        file!("tokenizer.json"),
        file!("model.safetensors"),
        file!("modules.json"),
        file!("1_Pooling/config.json"),
        file!("sentence_bert_config.json"),
        file!("config_sentence_transformers.json"),
    ])
}

/// Returns an encoder's identity, and what earlier releases called it if that is another one.
fn identify(files: String, computation: Option<String>) -> (String, Option<String>) {
    match computation {
        Some(computation) if files != BUILT_IN || computation != BUILT_IN_COMPUTATION => {
            let identity = hex::encode(Sha256::digest(format!("{files} {computation}")));
            (identity, Some(files))
        }
        _ => (files, None),
    }
}

/// Returns what stands for the files of an encoder.
fn identify_files(
    weights: &[u8],
    tokenizer: &[u8],
    settings: &Settings,
    architecture: Architecture,
) -> String {
    let mut settings = format!("{settings:?}");
    // The others were identified before there was this one.
    if architecture == (Architecture::Static { keeps_all: true }) {
        settings += "keeps all";
    }
    let mut hash = Sha256::new();
    for part in [weights, tokenizer, settings.as_bytes()] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hex::encode(hash.finalize())
}
