//! Vectors of the texts of late, in the memory of this process.
//!
//! A text that is chosen among is classified first and encoded then, by other requests; one that is asked about again is
//! classified again. Each of these would encode it. Vectors that outlive the process are in [`crate::vectors`].

use std::{
    collections::HashMap,
    mem,
    sync::{Arc, Mutex, PoisonError},
};

use active_learning_core::text::{Vector, VectorId};

/// Vectors of one generation. Two are kept: some 8 MB with 384 values a vector.
const GENERATION: usize = 10_000;

/// Vectors of one encoder by their texts, bounded: what was not wanted for long is forgotten.
#[derive(Debug, Clone, Default)]
pub(crate) struct Recent(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    /// Identity of the encoder that made them.
    encoder: String,
    young: HashMap<VectorId, Vector>,
    old: HashMap<VectorId, Vector>,
}

impl Recent {
    /// Returns the vector that this encoder made of a text, if it is remembered.
    pub(crate) fn find(&self, encoder: &str, text: &VectorId) -> Option<Vector> {
        self.with(encoder, |kept| {
            if let Some(vector) = kept.young.get(text) {
                return Some(vector.clone());
            }
            let vector = kept.old.remove(text)?;
            kept.keep(*text, vector.clone());
            Some(vector)
        })
    }

    /// Remembers the vector that this encoder made of a text.
    pub(crate) fn keep(&self, encoder: &str, text: VectorId, vector: Vector) {
        self.with(encoder, |kept| kept.keep(text, vector));
    }

    fn with<T>(&self, encoder: &str, job: impl FnOnce(&mut Kept) -> T) -> T {
        // It is whole between two steps, also where a thread has panicked.
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.encoder != encoder {
            *kept = Kept {
                encoder: encoder.to_owned(),
                ..Kept::default()
            };
        }
        job(&mut kept)
    }
}

impl Kept {
    fn keep(&mut self, text: VectorId, vector: Vector) {
        if self.young.len() >= GENERATION {
            self.old = mem::take(&mut self.young);
        }
        self.young.insert(text, vector);
    }
}

#[cfg(test)]
mod tests {
    use active_learning_core::text::vector_id;

    use super::*;

    fn vector(value: f32) -> Vector {
        Vector::of(&[value, 1.0])
    }

    #[test]
    fn a_vector_is_remembered_of_its_own_encoder_only() {
        let (recent, text) = (Recent::default(), vector_id("a text"));
        recent.keep("a", text, vector(0.5));

        assert_eq!(recent.find("a", &text), Some(vector(0.5)));
        assert_eq!(recent.find("a", &vector_id("another text")), None);
        assert_eq!(recent.find("b", &text), None);
        // An encoder that was exchanged has made all anew.
        assert_eq!(recent.find("a", &text), None);
    }

    #[test]
    fn what_is_wanted_again_outlives_what_is_not_and_no_more_than_two_generations_are_kept() {
        let recent = Recent::default();
        let (wanted, unwanted) = (vector_id("wanted"), vector_id("unwanted"));
        recent.keep("a", wanted, vector(0.1));
        recent.keep("a", unwanted, vector(0.2));
        for n in 0..4 * GENERATION {
            recent.keep("a", vector_id(&n.to_string()), vector(0.3));
            if n % 1_000 == 0 {
                assert_eq!(recent.find("a", &wanted), Some(vector(0.1)), "{n}");
            }
        }

        assert_eq!(recent.find("a", &unwanted), None);
        let kept = recent.0.lock().expect("not poisoned");
        assert!(kept.young.len() + kept.old.len() <= 2 * GENERATION);
    }
}
