//! Words that negate what stands beside them: a mark there decides what is denied.
//!
//! `No, me gusta` says the opposite of `No me gusta`, and `Cancel, not refund` of `Cancel not, refund`. A word too many here costs
//! one question where a mark beside it was left out; one too few gives a text the answer to its opposite.

use std::{collections::HashSet, sync::LazyLock};

/// Negations as they stand in a plain text, by language.
const NEGATIONS: [&str; 33] = [
    // English, also as it is typed without the apostrophe; with it the ending tells.
    "no not never cannot nor neither none nothing nobody dont doesnt didnt cant wont isnt wasnt",
    // German, Dutch, Afrikaans.
    "nicht nichts nie niemals niemand kein keine keinen keiner keinem keines nein weder nee niet niets geen nooit",
    // French, Catalan.
    "non ne pas jamais rien aucun aucune ni",
    // Spanish, Galician, Portuguese, Italian.
    "nunca jamás nada nadie ningún ninguna tampoco não nao jamais ninguém nem nenhum nenhuma niente nulla nessuno nessuna neanche",
    // Swedish, Danish, Norwegian, Icelandic.
    "nej nei inte icke ikke ikkje ekki aldrig aldri ingen inget inga",
    // Finnish, Estonian, Hungarian, Basque.
    "ei eivät emme ette älä pole nem nincs soha semmi ez",
    // Polish, Czech, Slovak, Slovene, Croatian.
    "nie nigdy nic ani není nikdy nič nije nema nikad",
    // Latvian, Lithuanian.
    "nē nav nekad nėra niekada",
    // Romanian, Albanian.
    "nu niciodată nimic nuk",
    // Russian, Ukrainian, Belarusian, Bulgarian, Serbian, Macedonian.
    "не нет нельзя никогда ничего никто ни ні ніколи нічого немає нельга няма нема никога никад",
    // Greek.
    "όχι δεν δε μη μην ποτέ ούτε",
    // Turkish, Azerbaijani.
    "değil hayır hayir yok asla yox xeyr deyil",
    // Kazakh, Kyrgyz, Mongolian.
    "жоқ емес жок эмес үгүй биш",
    // Uzbek.
    "yo'q emas",
    // Arabic, also as it is spoken.
    "لا ليس ليست لم لن كلا مش مو",
    // Persian, Urdu, Pashto.
    "نه نیست نخیر هرگز نہیں نہ مت",
    // Hebrew.
    "לא אין",
    // Hindi, Marathi, Nepali.
    "नहीं नही मत न ना नाही नको होइन छैन",
    // Bengali, Assamese.
    "না নয় নেই নি নহয়",
    // Gujarati, Punjabi, Odia.
    "ના નહીં નથી ਨਹੀਂ ਨਾ ନା ନାହିଁ",
    // Tamil, Telugu, Kannada, Malayalam, Sinhala.
    "இல்லை வேண்டாம் లేదు కాదు వద్దు ಇಲ್ಲ ಬೇಡ ഇല്ല അല്ല വേണ്ട නැහැ නැත එපා",
    // Indonesian, Malay, Javanese.
    "tidak bukan jangan tak nggak enggak gak tdk",
    // Tagalog, Cebuano.
    "hindi wala huwag dili",
    // Vietnamese.
    "không chưa đừng chẳng khong ko",
    // Thai, Lao, Khmer, Burmese.
    "ไม่ ບໍ່ ទេ မဟုတ်",
    // Korean.
    "안 못 아니 아니요 아뇨",
    // Chinese and Japanese, where spaces stand beside them.
    "不 没 沒 没有 不是 别 いいえ",
    // Armenian, Georgian.
    "ոչ չի არა არ ვერ",
    // Amharic.
    "አይ አይደለም የለም",
    // Swahili, Hausa, Zulu.
    "hapana siyo sio a'a cha",
    // Welsh, Irish.
    "nid nac níl ní",
    // Maltese.
    "mhux",
    // Swiss German, Luxembourgish.
    "nöd keng",
];

/// The same, to look one up.
static LISTED: LazyLock<HashSet<&str>> =
    LazyLock::new(|| NEGATIONS.iter().flat_map(|words| words.split(' ')).collect());

/// What English negations end with.
const ENGLISH_ENDING: &str = "n't";

/// Returns whether a word of a plain text negates what stands beside it.
pub(super) fn is_negation(word: &str) -> bool {
    word.ends_with(ENGLISH_ENDING) || LISTED.contains(word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::normal_form;

    #[test]
    fn negations_are_listed_as_the_normal_form_writes_them() {
        for negation in NEGATIONS.iter().flat_map(|words| words.split(' ')) {
            assert_eq!(normal_form(negation), negation);
        }
    }

    #[test]
    fn words_that_hold_a_negation_are_none() {
        for word in ["", "notice", "northern", "niece", "kind", "нетто", "нота"] {
            assert!(!is_negation(word), "{word}");
        }
        assert!(is_negation("don't") && is_negation("tidak"));
    }
}
