//! Static models: the weighted mean of a vector a token, as model2vec and sentence-transformers make them.

use crate::{
    EncoderError,
    weights::{FILE, Table, Weights},
};

/// A model of the kind, ready to run.
pub(crate) struct Static {
    vectors: Table,
    /// Number of each token's vector; its own where there is no mapping.
    mapping: Option<Vec<f32>>,
    weights: Option<Vec<f32>>,
    tokens: usize,
    keeps_all: bool,
}

impl Static {
    pub(crate) fn read(weights: &Weights, tokens: usize, keeps_all: bool) -> Result<Self, EncoderError> {
        let names = ["embeddings", "embedding.weight"];
        let name = names.into_iter().find(|name| weights.has(name));
        let vectors = weights.table(name.unwrap_or(names[0]), None)?;
        let optional = |name| {
            weights
                .has(name)
                .then(|| weights.vector(name, tokens))
                .transpose()
        };
        let read = Self {
            mapping: optional("mapping")?,
            weights: optional("weights")?,
            vectors,
            tokens,
            keeps_all,
        };
        let is_place = |place: &f32| *place >= 0.0 && place.fract() == 0.0;
        if !read.mapping.iter().flatten().all(is_place) {
            return Err(EncoderError::invalid(
                FILE,
                "mapping has what is no number of a vector".to_owned(),
            ));
        }
        let largest = match &read.mapping {
            Some(mapping) => mapping.iter().copied().fold(0.0, f32::max) as usize,
            None => tokens.saturating_sub(1),
        };
        if largest < read.vectors.rows {
            Ok(read)
        } else {
            let rows = read.vectors.rows;
            Err(EncoderError::invalid(
                FILE,
                format!("{rows} vectors for token {largest}"),
            ))
        }
    }

    pub(crate) fn dimensions(&self) -> usize {
        self.vectors.columns
    }

    pub(crate) fn vocabulary(&self) -> usize {
        self.tokens
    }

    /// Returns whether what the vocabulary lacks is a token like others; model2vec leaves it out.
    pub(crate) fn keeps_all(&self) -> bool {
        self.keeps_all
    }

    /// Returns the mean of the tokens' vectors; all 0 where there is no token.
    pub(crate) fn run(&self, text: &[u32]) -> Vec<f32> {
        let mut mean = vec![0.0; self.vectors.columns];
        let mut row = Vec::new();
        for &token in text {
            let token = token as usize;
            let vector = self
                .mapping
                .as_ref()
                .map_or(token, |mapping| mapping[token] as usize);
            let weight = self.weights.as_ref().map_or(1.0, |weights| weights[token]);
            self.vectors.row(vector, &mut row);
            mean.iter_mut()
                .zip(&row)
                .for_each(|(mean, value)| *mean += weight * value);
        }
        mean.iter_mut().for_each(|mean| *mean /= text.len().max(1) as f32);
        mean
    }
}
