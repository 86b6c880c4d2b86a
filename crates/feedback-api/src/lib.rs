//! Lambda: likes, dislikes and corrections.
