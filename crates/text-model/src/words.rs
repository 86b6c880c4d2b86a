//! The words of a text that drove a prediction: a linear model's weights of the text's own n-grams, word by word.

use std::collections::HashMap;

use crate::{
    Model,
    features::{self, CHARACTERS, GROUPS, PAIRS, is_unsegmented},
};

/// Words that say less than this share of what the first one says are left out.
const LEAST_SHARE: f32 = 0.2;

impl Model {
    /// Returns the words of a text whose n-grams speak most for these labels, the weightiest first and at most `limit`.
    ///
    /// What a word says is the sum of the weights of its own n-grams, and half of those of its pairs, above what
    /// they say of all labels on average. A word that occurs often counts as where it says most: else the most common
    /// words would come first. Words are spelt as in the text, without the signs around them; of scripts that
    /// do not separate words each character is one. Of a model that looks at vectors too only the n-grams are asked;
    /// nothing where no word speaks for a label, or no label is the model's.
    #[must_use]
    pub fn words_for<'t>(&self, text: &'t str, labels: &[&str], limit: usize) -> Vec<&'t str> {
        let wanted: Vec<usize> = (self.labels().iter().enumerate())
            .filter(|(_, label)| labels.contains(&label.as_str()))
            .map(|(class, _)| class)
            .collect();
        if wanted.is_empty() {
            return Vec::new();
        }

        let mut weights: HashMap<String, (f32, &'t str)> = HashMap::new();
        for (word, weight) in self.weigh(text, &wanted) {
            let bare = word.trim_matches(|sign: char| !sign.is_alphanumeric());
            let shown = if bare.is_empty() { word } else { bare };
            let most = &mut weights.entry(shown.to_lowercase()).or_insert((weight, shown)).0;
            *most = most.max(weight);
        }

        let mut weights: Vec<(f32, &str)> = weights.into_values().collect();
        weights.sort_by(|left, right| right.0.total_cmp(&left.0).then_with(|| left.1.cmp(right.1)));
        let least = weights.first().map_or(0.0, |first| first.0) * LEAST_SHARE;
        let driving = weights
            .iter()
            .filter(|(weight, _)| *weight > 0.0 && *weight >= least);
        driving.take(limit).map(|(_, word)| *word).collect()
    }

    /// Returns each word of the text in order, with what it says for the classes.
    fn weigh<'t>(&self, text: &'t str, wanted: &[usize]) -> Vec<(&'t str, f32)> {
        let scales = self.scales_in(text);
        let weight = |group: usize, hash: u32| scales[group] * self.margin(hash, wanted);
        let mut weighed: Vec<(&str, f32)> = Vec::new();
        let mut pairs_before = 0;
        for word in words(text) {
            let (mut own, mut pairs) = (0.0, 0);
            features::visit(word, self.revision, |group, hash| {
                pairs += usize::from(group == PAIRS);
                if group != CHARACTERS || !word.starts_with(is_unsegmented) {
                    own += weight(group, hash);
                }
            });

            if let Some((before, sum)) = weighed.last_mut() {
                let (mut place, mut between) = (0, 0.0);
                features::visit(&format!("{before} {word}"), self.revision, |group, hash| {
                    if group == PAIRS {
                        between += if place == pairs_before {
                            weight(group, hash)
                        } else {
                            0.0
                        };
                        place += 1;
                    }
                });
                // Words without a letter make no pair.
                if place == pairs_before + pairs + 1 {
                    *sum += between / 2.0;
                    own += between / 2.0;
                }
            }
            weighed.push((word, own));
            pairs_before = pairs;
        }
        weighed
    }

    /// Returns what an n-gram of each group counts in the text.
    fn scales_in(&self, text: &str) -> [f32; GROUPS] {
        let mut sizes = [0_u32; GROUPS];
        features::visit(text, self.revision, |group, _| sizes[group] += 1);
        let mut scales = self.scales;
        for (scale, size) in scales.iter_mut().zip(sizes) {
            *scale /= (size.max(1) as f32).sqrt();
        }
        scales
    }

    /// Returns how much more an n-gram weighs for some classes than for all on average.
    fn margin(&self, hash: u32, wanted: &[usize]) -> f32 {
        let classes = self.labels().len();
        let Some(row) = self.rows.find(hash, classes) else {
            return 0.0;
        };
        let all: f32 = row.iter().map(|weight| f32::from(*weight)).sum();
        let own: f32 = wanted.iter().map(|class| f32::from(row[*class])).sum();
        own / wanted.len() as f32 - all / classes as f32
    }
}

/// Cuts a text at its spaces, and scripts that do not separate words at each character.
fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    for word in text.split_whitespace() {
        let mut start = 0;
        for (at, letter) in word.char_indices().filter(|(_, letter)| is_unsegmented(*letter)) {
            let end = at + letter.len_utf8();
            words.extend([&word[start..at], &word[at..end]]);
            start = end;
        }
        words.push(&word[start..]);
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_end_at_spaces_and_with_each_character_of_an_unsegmented_script() {
        assert_eq!(words(" a  b-c\nd "), ["a", "b-c", "d"]);
        assert_eq!(words("iPhone手机 ok"), ["iPhone", "手", "机", "ok"]);
    }
}
