/// Largest value of a vector as it is stored.
const MAX_STORED: f32 = i8::MAX as f32;

/// The direction of a text's meaning, by a sentence encoder, in a byte a dimension.
///
/// Rounded, so that what is learned or chosen by vectors does not hang on the last digits of the arithmetic: processors
/// differ in these. Its length says nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vector(Box<[i8]>);

impl Vector {
    /// Rounds what an encoder gives; the largest value becomes 127.
    #[must_use]
    pub fn of(values: &[f32]) -> Self {
        let largest = values
            .iter()
            .fold(0.0_f32, |largest, value| largest.max(value.abs()));
        let factor = if largest > 0.0 { MAX_STORED / largest } else { 0.0 };
        Self(
            values
                .iter()
                .map(|value| (value * factor).round() as i8)
                .collect(),
        )
    }

    /// Takes a vector as [`Vector::bytes`] wrote it.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self(bytes.iter().map(|byte| byte.cast_signed()).collect())
    }

    /// Returns the values, one a byte.
    pub fn bytes(&self) -> impl Iterator<Item = u8> {
        self.0.iter().map(|value| value.cast_unsigned())
    }

    /// Returns how many values it has.
    #[must_use]
    pub fn dimensions(&self) -> usize {
        self.0.len()
    }

    /// Returns the values, scaled to a length of 1; all 0 of a text that the encoder knows nothing of.
    pub fn unit(&self) -> impl Iterator<Item = f32> {
        let length = (self.dot(self) as f32).sqrt();
        let factor = if length > 0.0 { 1.0 / length } else { 0.0 };
        self.0.iter().map(move |&value| f32::from(value) * factor)
    }

    /// Returns how alike two texts are by their vectors: the cosine, from -1 to 1; 0 where one says nothing.
    #[must_use]
    pub fn cosine(&self, other: &Self) -> f32 {
        let lengths = self.dot(self) as f64 * other.dot(other) as f64;
        if lengths > 0.0 {
            (f64::from(self.dot(other)) / lengths.sqrt()) as f32
        } else {
            0.0
        }
    }

    fn dot(&self, other: &Self) -> i32 {
        let products = self.0.iter().zip(&other.0);
        products
            .map(|(&left, &right)| i32::from(left) * i32::from(right))
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_keeps_the_direction() {
        let vector = Vector::of(&[0.03, -0.06, 0.0, 0.015]);

        assert_eq!(vector, Vector::of(&[3.0, -6.0, 0.0, 1.5]));
        assert_eq!(Vector::from_bytes(&vector.bytes().collect::<Vec<_>>()), vector);
        assert!((vector.unit().map(|value| value * value).sum::<f32>() - 1.0).abs() < 1e-6);
    }

    #[test]
    fn likeness_is_the_cosine() {
        let [right, up, left, none] =
            [[1.0, 0.0], [0.0, 1.0], [-2.0, 0.0], [0.0, 0.0]].map(|v| Vector::of(&v));

        assert_eq!(right.cosine(&right), 1.0);
        assert_eq!(right.cosine(&up), 0.0);
        assert_eq!(right.cosine(&left), -1.0);
        assert_eq!(right.cosine(&none), 0.0);
    }
}
