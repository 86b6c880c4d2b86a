//! The BERT architecture: layers of attention over all tokens of a text.
//!
//! Source: Devlin et al., "BERT: Pre-training of deep bidirectional transformers" (NAACL 2019), as the
//! `transformers` library runs it. Texts of a batch follow one another without padding; only attention looks
//! at them one by one.

use crate::{
    EncoderError,
    folder::{CONFIG, Config, DEFAULT_EPSILON},
    matrix::{View, gelu, multiply, normalise_layer, softmax},
    weights::{Table, Weights},
};

/// Most tokens of a text that are followed: each looks at each, which takes a number for every two of them.
const MOST_TOKENS: usize = 8_192;

/// A model of the kind, ready to run.
pub(crate) struct Bert {
    words: Table,
    /// Of the first positions, with the one token type already added.
    positions: Vec<f32>,
    norm: Norm,
    layers: Vec<Layer>,
    heads: usize,
    hidden: usize,
}

struct Layer {
    /// Queries, keys and values side by side.
    attention: Linear,
    attended: Linear,
    attended_norm: Norm,
    inner: Linear,
    outer: Linear,
    norm: Norm,
}

/// Rows of inputs, columns of outputs.
struct Linear {
    weights: Vec<f32>,
    biases: Vec<f32>,
}

struct Norm {
    weights: Vec<f32>,
    biases: Vec<f32>,
    epsilon: f32,
}

impl Bert {
    /// Expands the weights; those of the words stay as they are in the file.
    pub(crate) fn read(config: &Config, weights: &Weights, max_tokens: usize) -> Result<Self, EncoderError> {
        let lacking = |name| EncoderError::invalid(CONFIG, format!("it has no {name}"));
        let hidden = config.hidden_size.ok_or_else(|| lacking("hidden_size"))?;
        let heads = config
            .num_attention_heads
            .ok_or_else(|| lacking("num_attention_heads"))?;
        let layers = config
            .num_hidden_layers
            .ok_or_else(|| lacking("num_hidden_layers"))?;
        let inner = config
            .intermediate_size
            .ok_or_else(|| lacking("intermediate_size"))?;
        if heads == 0 || hidden == 0 || !hidden.is_multiple_of(heads) {
            return Err(EncoderError::invalid(
                CONFIG,
                format!("{hidden} values in {heads} heads"),
            ));
        }
        let positions = config.position_embedding_type.as_deref().unwrap_or("absolute");
        if positions != "absolute" {
            return Err(EncoderError::Unsupported(format!(
                "positions that are {positions}"
            )));
        }
        if config.is_decoder {
            return Err(EncoderError::Unsupported(
                "tokens that see only those before them (is_decoder)".to_owned(),
            ));
        }
        if layers == 0 {
            return Err(EncoderError::invalid(CONFIG, "num_hidden_layers is 0".to_owned()));
        }
        let activation = config.hidden_act.as_deref().unwrap_or("gelu");
        if activation != "gelu" {
            return Err(EncoderError::Unsupported(format!("the activation {activation}")));
        }
        if max_tokens > MOST_TOKENS {
            return Err(EncoderError::Unsupported(format!(
                "texts of {max_tokens} tokens (more than {MOST_TOKENS})"
            )));
        }
        let words = "embeddings.word_embeddings.weight";
        let reader = Reader {
            weights,
            // Models with a head of their own have their encoder one level down.
            prefix: if weights.has(words) { "" } else { "bert." },
            epsilon: config.layer_norm_eps.unwrap_or(DEFAULT_EPSILON),
        };
        Ok(Self {
            words: reader.table(words, hidden)?,
            positions: reader.positions(hidden, max_tokens)?,
            norm: reader.norm("embeddings.LayerNorm", hidden)?,
            layers: (0..layers)
                .map(|layer| reader.layer(layer, hidden, inner))
                .collect::<Result<_, _>>()?,
            heads,
            hidden,
        })
    }

    pub(crate) fn dimensions(&self) -> usize {
        self.hidden
    }

    pub(crate) fn vocabulary(&self) -> usize {
        self.words.rows
    }

    /// Returns a row for each token of all texts.
    pub(crate) fn run(&self, texts: &[Vec<u32>]) -> Vec<f32> {
        let mut states = self.embed(texts);
        let tokens = states.len() / self.hidden;
        let mut attended = vec![0.0; states.len()];
        for layer in &self.layers {
            let projected = layer.attention.apply(&states, tokens);
            self.attend(texts, &projected, &mut attended);
            layer
                .attended_norm
                .join(&mut states, layer.attended.apply(&attended, tokens));
            let mut inner = layer.inner.apply(&states, tokens);
            gelu(&mut inner);
            layer.norm.join(&mut states, layer.outer.apply(&inner, tokens));
        }
        states
    }

    fn embed(&self, texts: &[Vec<u32>]) -> Vec<f32> {
        let tokens: usize = texts.iter().map(Vec::len).sum();
        let mut states = Vec::with_capacity(tokens * self.hidden);
        let mut word = Vec::new();
        for text in texts {
            for (&token, position) in text.iter().zip(self.positions.chunks_exact(self.hidden)) {
                self.words.row(token as usize, &mut word);
                states.extend(word.iter().zip(position).map(|(word, position)| word + position));
            }
        }
        for row in states.chunks_exact_mut(self.hidden) {
            self.norm.apply(row);
        }
        states
    }

    /// Mixes the values of each text's tokens by how well their keys fit the queries.
    fn attend(&self, texts: &[Vec<u32>], projected: &[f32], attended: &mut [f32]) {
        let (hidden, size) = (self.hidden, self.hidden / self.heads);
        let factor = 1.0 / (size as f32).sqrt();
        let mut scores = Vec::new();
        let mut first = 0;
        for text in texts {
            let count = text.len();
            // Only a tokenizer that marks neither start nor end makes no token of a text.
            if count == 0 {
                continue;
            }
            scores.resize(count * count, 0.0);
            for head in 0..self.heads {
                let part = |which: usize| {
                    let start = first * 3 * hidden + which * hidden + head * size;
                    View::rows(&projected[start..], count, size, 3 * hidden)
                };
                multiply(part(0), part(1).transposed(), factor, &mut scores, count);
                scores.chunks_exact_mut(count).for_each(softmax);
                let out = &mut attended[first * hidden + head * size..];
                multiply(
                    View::rows(&scores, count, count, count),
                    part(2),
                    1.0,
                    out,
                    hidden,
                );
            }
            first += count;
        }
    }
}

impl Linear {
    fn apply(&self, input: &[f32], rows: usize) -> Vec<f32> {
        let columns = self.biases.len();
        let inputs = self.weights.len() / columns;
        let mut output = vec![0.0; rows * columns];
        multiply(
            View::rows(input, rows, inputs, inputs),
            View::rows(&self.weights, inputs, columns, columns),
            1.0,
            &mut output,
            columns,
        );
        for row in output.chunks_exact_mut(columns) {
            row.iter_mut()
                .zip(&self.biases)
                .for_each(|(value, bias)| *value += bias);
        }
        output
    }
}

impl Norm {
    fn apply(&self, row: &mut [f32]) {
        normalise_layer(row, &self.weights, &self.biases, self.epsilon);
    }

    /// Adds what a layer made to what went into it.
    fn join(&self, states: &mut [f32], added: Vec<f32>) {
        let size = self.weights.len();
        for (row, added) in states.chunks_exact_mut(size).zip(added.chunks_exact(size)) {
            row.iter_mut()
                .zip(added)
                .for_each(|(value, added)| *value += added);
            self.apply(row);
        }
    }
}

/// What other programs quantise has its scales elsewhere: read as it is, each weight would be another one.
fn without_scales(name: &str) -> EncoderError {
    let reason = format!(
        "{name} is in whole numbers without scales that are known here; save the model in 32 or 16 bits"
    );
    EncoderError::invalid(crate::weights::FILE, reason)
}

/// Finds a model's weights by their names in the `transformers` library.
struct Reader<'a> {
    weights: &'a Weights,
    prefix: &'a str,
    epsilon: f32,
}

impl Reader<'_> {
    fn layer(&self, number: usize, hidden: usize, inner: usize) -> Result<Layer, EncoderError> {
        let name = |part: &str| format!("encoder.layer.{number}.{part}");
        let attention = ["query", "key", "value"].map(|part| name(&format!("attention.self.{part}")));
        Ok(Layer {
            attention: self.linear(&attention, hidden, hidden)?,
            attended: self.linear(&[name("attention.output.dense")], hidden, hidden)?,
            attended_norm: self.norm(&name("attention.output.LayerNorm"), hidden)?,
            inner: self.linear(&[name("intermediate.dense")], hidden, inner)?,
            outer: self.linear(&[name("output.dense")], inner, hidden)?,
            norm: self.norm(&name("output.LayerNorm"), hidden)?,
        })
    }

    /// Puts the columns of several parts side by side.
    fn linear(&self, parts: &[String], inputs: usize, outputs: usize) -> Result<Linear, EncoderError> {
        let mut tables = Vec::with_capacity(parts.len());
        for part in parts {
            let table = self.table(&format!("{part}.weight"), inputs)?;
            if table.rows != outputs {
                let found = table.rows;
                let reason = format!("{part}.weight has {found} rows, not {outputs}");
                return Err(EncoderError::invalid(crate::weights::FILE, reason));
            }
            tables.push(table);
        }

        // Only now are the sizes those of the file, and not what a folder says.
        let columns = parts.len() * outputs;
        let mut weights = vec![0.0; inputs * columns];
        let mut biases = Vec::with_capacity(columns);
        for (number, (part, table)) in parts.iter().zip(&tables).enumerate() {
            table.transpose_into(&mut weights, columns, number * outputs);
            biases.extend(self.vector(&format!("{part}.bias"), outputs)?);
        }
        Ok(Linear { weights, biases })
    }

    fn positions(&self, hidden: usize, max_tokens: usize) -> Result<Vec<f32>, EncoderError> {
        let positions = self.table("embeddings.position_embeddings.weight", hidden)?;
        let types = self.table("embeddings.token_type_embeddings.weight", hidden)?;
        if positions.rows < max_tokens || types.rows == 0 {
            let reason = format!("{} positions for {max_tokens} tokens", positions.rows);
            return Err(EncoderError::invalid(crate::weights::FILE, reason));
        }
        let (mut row, mut kind) = (Vec::new(), Vec::new());
        types.row(0, &mut kind);
        let mut joined = Vec::with_capacity(max_tokens * hidden);
        for position in 0..max_tokens {
            positions.row(position, &mut row);
            joined.extend(row.iter().zip(&kind).map(|(position, kind)| position + kind));
        }
        Ok(joined)
    }

    fn norm(&self, name: &str, size: usize) -> Result<Norm, EncoderError> {
        Ok(Norm {
            weights: self.vector(&format!("{name}.weight"), size)?,
            biases: self.vector(&format!("{name}.bias"), size)?,
            epsilon: self.epsilon,
        })
    }

    fn table(&self, name: &str, columns: usize) -> Result<Table, EncoderError> {
        let name = format!("{}{name}", self.prefix);
        let table = self.weights.table(&name, Some(columns))?;
        match table.lacks_scales() {
            true => Err(without_scales(&name)),
            false => Ok(table),
        }
    }

    fn vector(&self, name: &str, length: usize) -> Result<Vec<f32>, EncoderError> {
        let name = format!("{}{name}", self.prefix);
        match self.weights.is_of_integers(&name) {
            true => Err(without_scales(&name)),
            false => self.weights.vector(&name, length),
        }
    }
}
