//! What the files of a model's folder say, as the hub lays them out.

use std::{borrow::Cow, collections::BTreeMap, io, path::Path};

use serde::{Deserialize, de::DeserializeOwned};

use crate::EncoderError;

pub(crate) const CONFIG: &str = "config.json";
pub(crate) const TOKENIZER: &str = "tokenizer.json";
const MODULES: &str = "modules.json";
const POOLING: &str = "1_Pooling/config.json";
const SENTENCES: &str = "sentence_bert_config.json";
const PROMPTS: &str = "config_sentence_transformers.json";
const TOKENIZER_CONFIG: &str = "tokenizer_config.json";

/// Module of sentence-transformers that is a whole static model; its folder has no `config.json`.
const STATIC_EMBEDDING: &str = "StaticEmbedding";
const STATIC_TOKENIZER: &str = "0_StaticEmbedding/tokenizer.json";
const STATIC_WEIGHTS: &str = "0_StaticEmbedding/model.safetensors";

/// The files of a folder that count, by their path in it; the first three must be there.
///
/// Of a `StaticEmbedding` of sentence-transformers `modules.json` stands for the first, and the other two may
/// lie in a folder of their own: the last two.
pub const FILES: [&str; 10] = [
    CONFIG,
    TOKENIZER,
    crate::weights::FILE,
    MODULES,
    POOLING,
    SENTENCES,
    PROMPTS,
    TOKENIZER_CONFIG,
    STATIC_TOKENIZER,
    STATIC_WEIGHTS,
];

/// Tokens of a text that count where no file says how many.
const DEFAULT_LENGTH: usize = 512;

/// Fewer would leave no token between those that mark start and end.
const LEAST_LENGTH: usize = 3;

/// Characters of a text that can matter, for each token that counts: far more than a token has.
const CHARACTERS_A_TOKEN: usize = 40;

/// Of normalisation, where `config.json` has none.
pub(crate) const DEFAULT_EPSILON: f32 = 1e-12;

/// How a file begins that stands for another one, which Git LFS did not get.
const POINTER: &[u8] = b"version https://git-lfs.github.com/spec/";

/// A model's files by their path in its folder.
pub type Files = BTreeMap<&'static str, Cow<'static, [u8]>>;

/// How tokens become one vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pooling {
    Mean,
    /// The first token stands for the text.
    First,
    Max,
}

/// What is done around the model itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settings {
    pub pooling: Pooling,
    pub normalise: bool,
    pub lower_case: bool,
    /// Most tokens of a text, those that mark its start and end included.
    pub max_tokens: usize,
    /// Put before each text.
    pub prefix: String,
}

/// The part of `config.json` that counts.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Config {
    #[serde(default)]
    model_type: String,
    #[serde(default)]
    architectures: Vec<String>,
    pub hidden_size: Option<usize>,
    pub num_attention_heads: Option<usize>,
    pub num_hidden_layers: Option<usize>,
    pub intermediate_size: Option<usize>,
    pub max_position_embeddings: Option<usize>,
    pub layer_norm_eps: Option<f32>,
    pub hidden_act: Option<String>,
    pub position_embedding_type: Option<String>,
    #[serde(default)]
    pub is_decoder: bool,
    /// Static models say here whether vectors have the length 1.
    pub normalize: Option<bool>,
}

/// Kinds of models that can be run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Architecture {
    Bert,
    Static {
        /// Whether what the vocabulary lacks is a token like others, and every token of a text counts.
        keeps_all: bool,
    },
}

#[derive(Deserialize)]
struct Module {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    path: String,
}

impl Module {
    /// Releases differ in the path before the name.
    fn name(&self) -> &str {
        self.kind.rsplit('.').next().unwrap_or_default()
    }
}

#[derive(Default, Deserialize)]
struct Sentences {
    max_seq_length: Option<usize>,
    #[serde(default)]
    do_lower_case: bool,
}

#[derive(Default, Deserialize)]
struct TokenizerConfig {
    /// An absurdly large one stands for none.
    model_max_length: Option<f64>,
}

#[derive(Default, Deserialize)]
struct Prompts {
    #[serde(default)]
    prompts: BTreeMap<String, String>,
    default_prompt_name: Option<String>,
}

/// Reads the files that count of a folder; those that are not there are left out.
///
/// # Errors
///
/// [`EncoderError::Read`].
pub fn read_folder(folder: &Path) -> Result<Files, EncoderError> {
    let mut files = Files::new();
    for name in FILES {
        match std::fs::read(folder.join(name)) {
            Ok(file) => {
                files.insert(name, Cow::Owned(file));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(EncoderError::Read { file: name, source }),
        }
    }
    Ok(files)
}

/// Returns what to do where a file is not there, to go on after its name; nothing where its name says it all.
pub(crate) fn instead_of(file: &str) -> &'static str {
    match file {
        crate::weights::FILE => {
            "; weights in another form (pytorch_model.bin, model.onnx) or in parts are not read: \
             `SentenceTransformer(NAME).save(FOLDER)` of sentence-transformers writes this one"
        }
        TOKENIZER => {
            "; vocab.txt or sentencepiece.bpe.model alone are not read: `AutoTokenizer.from_pretrained(NAME)\
             .save_pretrained(FOLDER)` of transformers writes this one"
        }
        CONFIG => {
            "; a model in a folder of its own, such as 0_Transformer, is not read: put its files one level up"
        }
        _ => "",
    }
}

/// Puts the files of a static model in their own folder where those of others are.
pub(crate) fn put_static_files(files: &mut Files) {
    for (path, name) in [
        (STATIC_TOKENIZER, TOKENIZER),
        (STATIC_WEIGHTS, crate::weights::FILE),
    ] {
        if let Some(file) = files.remove(path) {
            files.entry(name).or_insert(file);
        }
    }
}

/// Refuses a folder that was cloned without its large files.
pub(crate) fn refuse_pointers(files: &Files) -> Result<(), EncoderError> {
    match files.iter().find(|(_, file)| file.starts_with(POINTER)) {
        Some((name, _)) => Err(EncoderError::invalid(
            name,
            "it is a pointer of Git LFS, not the file itself: run `git lfs pull`".to_owned(),
        )),
        None => Ok(()),
    }
}

impl Config {
    pub(crate) fn read(files: &Files) -> Result<Self, EncoderError> {
        if let Some(config) = json(files, CONFIG)? {
            return Ok(config);
        }
        let modules: Vec<Module> = json(files, MODULES)?.unwrap_or_default();
        match modules.first().map(Module::name) {
            Some(STATIC_EMBEDDING) => Ok(Self {
                architectures: vec![STATIC_EMBEDDING.to_owned()],
                ..Self::default()
            }),
            _ => Err(EncoderError::Missing(CONFIG)),
        }
    }

    pub(crate) fn architecture(&self) -> Result<Architecture, EncoderError> {
        let is = |wanted: &str| self.architectures.iter().any(|name| name == wanted);
        match self.model_type.as_str() {
            "bert" => Ok(Architecture::Bert),
            "model2vec" => Ok(Architecture::Static { keeps_all: false }),
            "" if is("StaticModel") => Ok(Architecture::Static { keeps_all: false }),
            "" if is(STATIC_EMBEDDING) => Ok(Architecture::Static { keeps_all: true }),
            other => {
                let name = self.architectures.first().map_or(other, String::as_str);
                Err(EncoderError::Architecture(if name.is_empty() {
                    "one without a name".to_owned()
                } else {
                    name.to_owned()
                }))
            }
        }
    }
}

impl Config {
    /// Returns how the weights are used, as far as they do not say it themselves; `None` where they do.
    pub(crate) fn computation(&self) -> Result<Option<String>, EncoderError> {
        if self.architecture()? != Architecture::Bert {
            return Ok(None);
        }
        let number = |number: Option<usize>| number.map_or_else(String::new, |number| number.to_string());
        let (layers, heads) = (number(self.num_hidden_layers), number(self.num_attention_heads));
        let epsilon = self.layer_norm_eps.unwrap_or(DEFAULT_EPSILON);
        Ok(Some(format!(
            "{layers} layers of {heads} heads, epsilon {epsilon:?}"
        )))
    }
}

impl Settings {
    pub(crate) fn read(files: &Files, config: &Config) -> Result<Self, EncoderError> {
        let architecture = config.architecture()?;
        let is_static = matches!(architecture, Architecture::Static { .. });
        let default_length = match architecture {
            Architecture::Static { keeps_all: true } => usize::MAX,
            Architecture::Bert | Architecture::Static { .. } => DEFAULT_LENGTH,
        };
        let mut settings = Self {
            pooling: Pooling::Mean,
            normalise: is_static && config.normalize.unwrap_or(false),
            lower_case: false,
            max_tokens: config.max_position_embeddings.unwrap_or(default_length),
            prefix: String::new(),
        };
        for module in json::<Vec<Module>>(files, MODULES)?.unwrap_or_default() {
            match module.name() {
                "Transformer" | STATIC_EMBEDDING => {}
                "Normalize" => settings.normalise = true,
                "Pooling" if format!("{}/config.json", module.path) == POOLING => {
                    settings.pooling = Pooling::read(files)?;
                }
                other => {
                    return Err(EncoderError::Unsupported(format!(
                        "the module {other} ({})",
                        module.path
                    )));
                }
            }
        }
        let sentences: Sentences = json(files, SENTENCES)?.unwrap_or_default();
        settings.lower_case = sentences.do_lower_case;
        // Newer releases have the length with the tokenizer.
        let tokenizer: TokenizerConfig = json(files, TOKENIZER_CONFIG)?.unwrap_or_default();
        let length = sentences
            .max_seq_length
            .or(tokenizer.model_max_length.map(|length| length as usize));
        if let Some(length) = length {
            let is_known = config.max_position_embeddings.is_some();
            let most = if is_known { settings.max_tokens } else { length };
            if length < LEAST_LENGTH {
                return Err(EncoderError::Unsupported(format!(
                    "texts of {length} tokens (max_seq_length or model_max_length), those that mark start and end included"
                )));
            }
            settings.max_tokens = length.min(most);
        }
        let prompts: Prompts = json(files, PROMPTS)?.unwrap_or_default();
        if let Some(name) = prompts.default_prompt_name {
            let prompt = prompts.prompts.get(&name);
            settings.prefix = prompt
                .cloned()
                .ok_or_else(|| EncoderError::invalid(PROMPTS, format!("it has no prompt {name:?}")))?;
            let (found, most) = (settings.prefix.chars().count(), settings.most_characters());
            if found > most {
                let reason =
                    format!("its prompt {name:?} has {found} characters; no more than {most} can count");
                return Err(EncoderError::invalid(PROMPTS, reason));
            }
            if found > 0 && Pooling::leaves_out_prompts(files)? {
                let without = "pooling without the tokens of the prompt (include_prompt)";
                return Err(EncoderError::Unsupported(without.to_owned()));
            }
        }
        Ok(settings)
    }

    /// Returns how many characters of a text can matter.
    pub(crate) fn most_characters(&self) -> usize {
        self.max_tokens.saturating_mul(CHARACTERS_A_TOKEN)
    }
}

impl Pooling {
    fn read(files: &Files) -> Result<Self, EncoderError> {
        let modes: serde_json::Map<String, serde_json::Value> =
            json(files, POOLING)?.ok_or(EncoderError::Missing(POOLING))?;
        // Newer releases write one name, older ones a flag a mode.
        if let Some(name) = modes.get("pooling_mode").and_then(|mode| mode.as_str()) {
            return Self::named(name);
        }
        let given = modes
            .iter()
            .filter(|(_, value)| **value == serde_json::Value::Bool(true))
            .filter_map(|(key, _)| key.strip_prefix("pooling_mode_"))
            .collect::<Vec<_>>();
        match given.as_slice() {
            [one] => Self::named(one),
            _ => Err(EncoderError::Unsupported(format!("pooling by {given:?}"))),
        }
    }

    fn leaves_out_prompts(files: &Files) -> Result<bool, EncoderError> {
        let modes: Option<serde_json::Value> = json(files, POOLING)?;
        Ok(modes.is_some_and(|modes| modes["include_prompt"] == false))
    }

    fn named(name: &str) -> Result<Self, EncoderError> {
        match name {
            "mean" | "mean_tokens" => Ok(Self::Mean),
            "cls" | "cls_token" => Ok(Self::First),
            "max" | "max_tokens" => Ok(Self::Max),
            other => Err(EncoderError::Unsupported(format!("pooling by {other}"))),
        }
    }
}

fn json<T: DeserializeOwned>(files: &Files, name: &'static str) -> Result<Option<T>, EncoderError> {
    let read = |file: &Cow<'static, [u8]>| {
        serde_json::from_slice(file).map_err(|error| EncoderError::invalid(name, error.to_string()))
    };
    files.get(name).map(read).transpose()
}
