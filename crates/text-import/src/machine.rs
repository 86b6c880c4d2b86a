//! Names of columns that hold what a machine says, or what was said before: no labels of people.

use unicode_normalization::UnicodeNormalization;

/// Words of such names in lower case. Long ones also begin others: `Modellkategorie`.
const WORDS: &[&str] = &[
    "predicted",
    "prediction",
    "predictions",
    "predict",
    "pred",
    "preds",
    "model",
    "models",
    "modell",
    "auto",
    "automatic",
    "automated",
    "automatically",
    "machine",
    "suggested",
    "suggestion",
    "suggestions",
    "estimated",
    "guessed",
    "inferred",
    "llm",
    "gpt",
    "vorhergesagt",
    "vorhergesagte",
    "vorhersage",
    "maschine",
    "maschinelle",
    "automatisch",
    "automatische",
    "vorgeschlagene",
    "vorschlag",
    "prédit",
    "prédite",
    "predit",
    "prédiction",
    "modèle",
    "modele",
    "suggéré",
    "suggérée",
    "automatique",
    "predicho",
    "predicha",
    "predicción",
    "prediccion",
    "modelo",
    "sugerido",
    "sugerida",
    "automático",
    "automática",
    "previsto",
    "prevista",
    "predição",
    "predicao",
    "predetto",
    "predetta",
    "predizione",
    "modello",
    "suggerito",
    "suggerita",
    "automatico",
    "automatica",
    "voorspeld",
    "voorspelde",
    "voorspelling",
    "przewidziana",
    "przewidywana",
    "sugerowana",
    "automatyczna",
    "predikce",
    "predikovaná",
    "navržená",
    "tahmin",
    "tahmini",
    "предсказанная",
    "предсказанный",
    "предсказание",
    "прогноз",
    "модель",
    "модели",
    "автоматическая",
    "передбачена",
    "ennustettu",
    "ennuste",
    "förutsagd",
    "förutspådd",
    "forudsagt",
    "predikert",
    "prediksi",
    "ai",
    "ia",
    "ki",
    "ии",
    "bot",
    "algorithm",
    "baseline",
    "not",
    "nicht",
    "old",
    "previous",
    "former",
    "alt",
    "alte",
    "alter",
    "altes",
    "ancien",
    "ancienne",
    "anterior",
    "vecchio",
    "vecchia",
    "oud",
    "oude",
    "stara",
    "stary",
    "старая",
    "старый",
    "стара",
    "eski",
    "gammal",
    "gammel",
    "vanha",
    "antigo",
    "antiga",
    "antigua",
    "antiguo",
];

/// Letters of [`WORDS`] that only count by themselves: they begin many others.
const SHORT: usize = 5;

/// The same in scripts without spaces between words.
const PARTS: &[&str] = &[
    "予測",
    "推定",
    "モデル",
    "自動",
    "機械",
    "预测",
    "預測",
    "模型",
    "自动",
    "机器",
    "機器",
    "예측",
    "모델",
    "자동",
    "旧",
];

/// Returns whether a name, or the path to a field, says that a machine gave what is in it, or that it is out of date:
/// `predicted_label`, `label (model)`, `prediction.label`, `Kategorie KI`, `old_label`.
pub(crate) fn is_of_machine(name: &str) -> bool {
    let name: String = name.nfc().collect();
    let words = words(&name);
    let is_one = |word: &String| {
        // A version stands behind a name: `gpt4`.
        let plain = word.trim_end_matches(char::is_numeric);
        let begins = |known: &&str| known.chars().count() > SHORT && word.starts_with(known);
        WORDS.contains(&plain) || WORDS.iter().any(begins)
    };
    words.iter().any(is_one) || PARTS.iter().any(|part| name.contains(part))
}

/// Cuts a name into its words in lower case, also where a capital letter begins one: `predictedLabel`.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_small = false;
    for c in name.chars() {
        if !c.is_alphanumeric() || (c.is_uppercase() && was_small) {
            words.push(String::new());
        }
        was_small = c.is_lowercase() || c.is_numeric();
        if let Some(word) = words.last_mut().filter(|_| c.is_alphanumeric()) {
            word.extend(c.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_what_a_machine_says_are_told_from_those_of_people() {
        for name in [
            "predicted_label",
            "Predicted Label",
            "predictedLabel",
            "label_model",
            "auto_label",
            "AI label",
            "prediction.label",
            "Kategorie (KI)",
            "old_label",
            "not_label",
            "suggested_label",
            "Vorhergesagte Kategorie",
            "categoría predicha",
            "étiquette prédite",
            "預測標籤",
            "予測ラベル",
            "predicted_category",
            "gpt4_label",
            "Modellkategorie",
            "label_pred",
            "categoria_modelo",
        ] {
            assert!(is_of_machine(name), "{name}");
        }
        for name in [
            "label",
            "true_label",
            "human_label",
            "Corrected Label",
            "gold_label",
            "label_reviewer",
            "kategorie_mensch",
            "Label final",
            "Kategorie",
            "notes label",
            "alternative label",
            "botany class",
            "Nota",
            "kind",
        ] {
            assert!(!is_of_machine(name), "{name}");
        }
    }
}
