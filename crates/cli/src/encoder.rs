//! The text encoder that `simulate` and `advise` look through, and what it makes of texts.

use std::{collections::HashMap, path::PathBuf, str::FromStr, sync::Arc};

use active_learning_core::text::Vector;
use text_encoder::{Encoder, EncoderError};
use text_model::{MAX_ENCODED, Prediction, TrainingSet};

/// Texts between two lines about the progress.
const PROGRESS_EVERY: usize = 2_000;

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
}

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
            eprintln!("{} of {} texts are encoded", by_text.len(), texts.len());
        }
        Self { encoder, by_text }
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
