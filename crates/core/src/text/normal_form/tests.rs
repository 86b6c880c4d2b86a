use proptest::prelude::*;

use super::*;

#[test]
fn what_carries_no_meaning_folds() {
    for (text, same) in [
        ("Rates rise", "  rates\u{a0}RISE.  "),
        ("Rates rise", "\u{feff}rates\u{200b} rise!"),
        ("Rates rise", "“Rates” rise …"),
        ("AT&T's rates", "at&amp;t#39;s   RATES!"),
        ("It’s a bold move", "it's a BOLD move"),
        ("the fine profit of 5 firms", "The ﬁne PROFIT of ５ firms"),
        ("100 €", "100€"),
        ("I love it 👍", "i love it👍!"),
        ("❤️", "❤"),
        ("Was it good?", "was it good ？！"),
        ("هل هو جيد؟", "هل هو جيد?"),
        ("Café", "Cafe\u{301}"),
        (
            "well-known, red; and (rather) big",
            "well known red and rather big",
        ),
        ("temperature −12", "temperature -12."),
        ("a 2–1 win", "a 2-1 win"),
        ("he said \"top 10\" twice", "he said top 10 twice"),
        ("ｶﾞ", "ガ"),
        ("good :-)", "good :)"),
        ("he said: (a) yes", "he said a yes"),
        ("he said “top 10” twice", "he said »top 10« twice"),
        ("the 'top 5' of '90s pop", "the top 5 of 90s pop"),
        ("‘top 5’ it is", "top 5 it is"),
        ("ΟΔΟΣ", "οδος"),
        ("ΟΔΌΣ ΦΊΛΟΣ.", "οδός φίλος"),
        ("Straße", "STRASSE"),
        ("İstanbul", "istanbul"),
        ("İSTANBUL", "i\u{307}stanbul"),
        ("Πού είναι;", "πού είναι\u{37e}"),
        ("Πού είναι ;", "ΠΟΎ ΕΊΝΑΙ?"),
        ("red; blue", "red blue"),
        ("What‽", "what?"),
        ("What⁈", "what?"),
        ("What!?", "WHAT ?!"),
        ("¿Vienes?", "vienes?"),
        ("good :))", "good :)"),
        ("good:)", "good :)"),
        ("“good :)”", "good :)"),
        ("5 - 10 km", "5–10 km"),
        ("5  −  10 km", "5-10 km"),
        ("½ cup", "1/2 cup"),
        ("50 ㎡", "50 m²"),
        ("10⁻³", "10^-3"),
        ("5'11\" tall", "5′11″ tall"),
        ("5'' pipe", "5\" pipe"),
        ("&euro;12 &ndash; caf&eacute;", "€12 – Café"),
        ("it&rsquo;s &ldquo;new&rdquo;&hellip;", "it's new"),
        ("Rates rise — and fall", "rates rise - and fall"),
        ("I was thinking-", "I was thinking"),
        ("in 2004, 5 of them", "in 2004 — 5 of them"),
        ("see (the note):", "see the note"),
        ("a well–known fact", "a well-known fact"),
    ] {
        assert_eq!(normal_form(text), normal_form(same), "{text} {same}");
    }
}

#[test]
fn what_carries_meaning_stays() {
    for (text, other) in [
        ("👍", "👎"),
        ("great 👍", "great 👎"),
        ("great 👍🏻", "great 👍🏿"),
        ("👨‍👩‍👧", "👨👩👧"),
        ("🇦🇹", "🇦🇺"),
        ("F", "F#"),
        ("C", "C++"),
        ("100 €", "100 %"),
        ("100 €", "100 $"),
        ("(12)", "-12"),
        ("(12)", "12"),
        ("-12", "12"),
        ("+5", "5"),
        ("1.5", "15"),
        ("1,5", "15"),
        ("10²", "102"),
        ("1½", "11/2"),
        ("2-1", "2 1"),
        ("12:30", "12 30"),
        ("5\"", "5'"),
        ("It was good.", "It was good?"),
        ("a < b", "a > b"),
        ("a = b", "a != b"),
        ("we're", "were"),
        ("କ", "କି"),
        ("कल", "कला"),
        ("หมา", "หม้า"),
        ("क्ष", "कष"),
        ("20 °C", "20 °F"),
        ("→", "←"),
        ("♂", "♀"),
        ("@home", "home"),
        ("☀", "☂"),
        ("x^2", "x2"),
        ("good :)", "good :("),
        ("good", "good :-)"),
        ("I <3 it", "I 3 it"),
        ("!!!", "..."),
        ("1️⃣", "2️⃣"),
        ("-€12", "€12"),
        ("−£5", "£5"),
        ("-$.5", "$.5"),
        ("€-12", "€12"),
        ("€−12", "€12"),
        ("-.5", ".5"),
        ("-.5", "5"),
        (".5", "5"),
        ("-½", "½"),
        ("-∞", "∞"),
        ("-x", "x"),
        ("(1,-5)", "(1,5)"),
        ("($12)", "$12"),
        ("(€12)", "€12"),
        ("(12 €)", "12 €"),
        ("(12 %)", "12 %"),
        ("(12.5%)", "12.5%"),
        ("($1.5bn)", "$1.5bn"),
        ("(EUR 12)", "EUR 12"),
        ("12-", "12"),
        ("12€-", "12€"),
        ("blood group O-", "blood group O"),
        ("blood group O-", "blood group O+"),
        ("AB−", "AB"),
        ("Rh–", "Rh"),
        ("Grade A-.", "Grade A."),
        ("A-, then B", "A, then B"),
        ("A-", "A+"),
        ("B+", "B"),
        ("i--", "i++"),
        ("Πού είναι;", "Πού είναι."),
        ("Πού είναι\u{37e}", "Πού είναι"),
        ("Is it good‽", "Is it good"),
        ("Is it good⁈", "Is it good"),
        ("Is it good？", "Is it good"),
        ("Is it good⁇", "Is it good"),
        ("Is it good﹖", "Is it good"),
        ("هل هو جيد؟", "هل هو جيد"),
        ("Ի՞նչ է", "Ինչ է"),
        ("ሰላም ነው፧", "ሰላም ነው"),
        ("¿Vienes", "Vienes"),
        ("5″", "5"),
        ("5″", "5′"),
        ("5′", "5"),
        ("5'", "5"),
        ("5\"", "5"),
        ("5”", "5"),
        ("f′", "f"),
        ("οδός", "οδος"),
        ("sıkıldım", "sikildim"),
        ("5-10", "510"),
        ("5-10", "5 10"),
        ("5 - 10", "5 10"),
        ("1,5", "15"),
        ("10:30", "1030"),
        ("v1.2", "v12"),
        ("1.2.3", "1.23"),
        ("C++", "C"),
        ("C#", "C"),
        (".NET", "NET"),
        ("#tag", "tag"),
        ("1/2", "12"),
        ("½", "12"),
        ("½", "1 2"),
        ("x²", "x2"),
        ("km²", "km2"),
        ("km²", "km³"),
        ("10⁻³", "10³"),
        ("good :)", "good"),
        ("good:)", "good:("),
        ("good :))", "good :(("),
        ("“good :)”", "“good :(”"),
        ("good (:", "good ):"),
        ("</3", "<3"),
        ("=-3", "=3"),
        ("!true", "true"),
        ("±5", "5"),
        ("~5", "5"),
        ("≤5", "≥5"),
        ("5 °", "5"),
        ("١٫٥", "١٥"),
    ] {
        assert_ne!(normal_form(text), normal_form(other), "{text} {other}");
    }
}

#[test]
fn signs_are_what_words_do_not_tell() {
    assert_eq!(
        signs("Is it -12 or (12)? 👍🏻 100 €, F#"),
        ["-12", "(", ")", "?", "👍🏻", "€", "#"]
    );
    assert!(signs("Rates rise, he said: it's \"done\". Now!").is_empty());
}

proptest! {
    #[test]
    fn a_text_that_is_seen_to_hold_no_sign_holds_none(text in "[a-zA-Z0-9 .,:;'\"()!?$=<>-]{0,24}") {
        prop_assert_eq!(signs(&text), tokens(&plain(&text), Kept::Signs));
    }

    #[test]
    fn words_and_signs_stand_one_space_apart(text in "\\PC{0,40}") {
        let form = normal_form(&text);

        prop_assert!(!form.contains("  "));
        prop_assert_eq!(form.trim(), form.as_str());
    }

    #[test]
    fn case_and_spacing_fold(words in proptest::collection::vec("[a-z]{1,8}|[0-9]{1,3}|[€%#?👍]", 1..8)) {
        let text = words.join(" ");

        prop_assert_eq!(normal_form(&text), normal_form(&text.to_uppercase().replace(' ', " \u{a0}\t")));
    }
}
