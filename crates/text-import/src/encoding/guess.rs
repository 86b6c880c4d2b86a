//! Which of the encodings with a byte or two a letter a file has, by its letters.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, MACINTOSH, UTF_8, WINDOWS_1250, WINDOWS_1252, WINDOWS_1254};

use crate::names::{is_label_name, is_text_name};

/// Bytes beyond ASCII from which an encoding is told by its letters where it has one byte a letter; with fewer, many fit.
const ENOUGH: usize = 20;

/// Letters of Turkish beyond ASCII as Windows-1254 has them, those of Windows-1252 and its own.
const TURKISH: &[u8] = b"\xC2\xC7\xCE\xD6\xDB\xDC\xE2\xE7\xEE\xF6\xFB\xFC\xD0\xDD\xDE\xF0\xFD\xFE";
/// Those that no other language has together: in Windows-1252 they are Icelandic, in Windows-1250 of three languages.
const TURKISH_ONLY: &[u8] = b"\xD0\xDD\xDE\xF0\xFD\xFE";

/// Letters of Romanian beyond ASCII as Windows-1250 has them, and ISO-8859-16.
const ROMANIAN: &[u8] = b"\xC2\xC3\xCE\xAA\xDE\xE2\xE3\xEE\xBA\xFE";

/// Small letters as the old encoding of the Macintosh has them: of French, German, Italian, Portuguese and Spanish.
const MACINTOSH_SMALL: &[u8] = b"\x87\x88\x89\x8A\x8B\x8C\x8D\x8E\x8F\x90\x91\x92\x93\x94\x95\x96\x97\x98\x99\x9A\x9B\x9C\x9D\x9E\x9F\xA7";
/// Those that are signs or capital letters in Windows-1252, so that they stand in no word there.
const MACINTOSH_ONLY: &[u8] = b"\x87\x88\x89\x8A\x8B\x8D\x8E\x8F\x90\x98\x99\x9B\x9D\x9F";

/// Tells an encoding by how likely its letters are: one of East Asia that fits without an error, or, where there are enough
/// of them, one with a byte a letter. Nothing where the file is UTF-8, at least most lines of it, or Western.
pub(super) fn by_letters(sample: &[u8]) -> Option<&'static Encoding> {
    let foreign = sample.iter().filter(|byte| !byte.is_ascii()).count();
    let lines = || {
        sample
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_ascii())
    };
    let utf_8 = lines().filter(|line| std::str::from_utf8(line).is_ok()).count();
    // The last line may be cut off.
    if foreign == 0 || 2 * utf_8 > lines().count() || (utf_8 > 0 && lines().count() - utf_8 <= 1) {
        return None;
    }
    if let Some(told) = by_one_language(sample).or_else(|| by_names(sample)) {
        return Some(told);
    }
    // The sample of a long file may end within a letter, which would speak against every encoding of several bytes a letter.
    let end = sample
        .iter()
        .rposition(|byte| *byte == b'\n')
        .unwrap_or(sample.len());
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(&sample[..end], true);
    let guess = detector.guess(None, Utf8Detection::Deny);
    let fits = guess
        .decode_without_bom_handling_and_without_replacement(&sample[..end])
        .is_some();
    let is_sure = !guess.is_single_byte() || foreign >= ENOUGH || has_signs_in_words(sample);
    (guess != WINDOWS_1252 && guess != UTF_8 && fits && is_sure).then_some(guess)
}

/// Tells the encodings that the detector does not know or mistakes, by letters that only one language has: Turkish,
/// Romanian, and what the Macintosh wrote of Western Europe.
fn by_one_language(sample: &[u8]) -> Option<&'static Encoding> {
    let foreign = || sample.iter().filter(|byte| !byte.is_ascii());
    let own = |byte: u8| usize::from(foreign().any(|other| *other == byte));
    let kinds: usize = TURKISH_ONLY.iter().map(|byte| own(*byte)).sum();
    if kinds >= 2 && foreign().all(|byte| TURKISH.contains(byte)) {
        return Some(WINDOWS_1254);
    }
    // An `ş` within a word is the sign of Portuguese ordinal numbers in Windows-1252, a `ţ` an Icelandic letter.
    let is_romanian = in_words(sample).any(|byte| byte == 0xBA) || own(0xE3) == 1 && own(0xFE) == 1;
    if is_romanian && foreign().all(|byte| ROMANIAN.contains(byte)) {
        return Some(WINDOWS_1250);
    }
    let mut inside = in_words(sample);
    let is_macintosh = 2 * in_words(sample).count() >= foreign().count()
        && in_words(sample).any(|byte| MACINTOSH_ONLY.contains(&byte))
        && inside.all(|byte| MACINTOSH_SMALL.contains(&byte));
    is_macintosh.then_some(MACINTOSH)
}

/// Tells an encoding by the names of the columns: `Treść` is one in Windows-1250 only.
fn by_names(sample: &[u8]) -> Option<&'static Encoding> {
    let line = sample.split(|byte| matches!(byte, b'\n' | b'\r')).next()?;
    let names = |encoding: &'static Encoding| {
        let (text, _) = encoding.decode_without_bom_handling(line);
        let cells = text
            .split([';', ',', '\t', '|'])
            .map(|cell| cell.trim_matches(['"', ' ']));
        cells
            .filter(|cell| !cell.is_ascii() && is_of_letters(cell))
            .filter(|cell| is_text_name(cell) || is_label_name(cell))
            .count()
    };
    let western = names(WINDOWS_1252);
    let others = [WINDOWS_1250, WINDOWS_1254, MACINTOSH];
    let best = others.into_iter().rev().max_by_key(|encoding| names(encoding))?;
    (names(best) > western).then_some(best)
}

/// Returns whether a name holds letters, and what stands between words: what another encoding made of it holds signs as well.
fn is_of_letters(name: &str) -> bool {
    name.chars()
        .all(|c| c.is_alphanumeric() || " _-./()?".contains(c))
}

/// Returns whether a byte that is a sign in Windows-1252, and no apostrophe, stands between small letters.
fn has_signs_in_words(sample: &[u8]) -> bool {
    in_words(sample).any(|byte| {
        let (text, _) = WINDOWS_1252.decode_without_bom_handling(std::slice::from_ref(&byte));
        !text.chars().all(char::is_alphabetic)
            && !matches!(byte, 0x91 | 0x92 | 0x96 | 0x97 | 0xAD | 0xB4 | 0xB7)
    })
}

/// Returns the bytes beyond ASCII between two small letters.
fn in_words(sample: &[u8]) -> impl Iterator<Item = u8> + '_ {
    let is_inside = |three: &&[u8]| {
        three[0].is_ascii_lowercase() && !three[1].is_ascii() && three[2].is_ascii_lowercase()
    };
    sample.windows(3).filter(is_inside).map(|three| three[1])
}

#[cfg(test)]
mod tests {
    use encoding_rs::{ISO_8859_2, WINDOWS_1251};

    use super::*;

    fn told(text: &str, encoding: &'static Encoding) -> Option<&'static Encoding> {
        by_letters(&encoding.encode(text).0)
    }

    #[test]
    fn turkish_polish_and_what_a_macintosh_wrote_are_told_apart_from_western_text() {
        let turkish = "Metin;Etiket\nŞifremi unuttum ve giriş yapamıyorum;giriş\n";
        assert_eq!(told(turkish, WINDOWS_1254), Some(WINDOWS_1254));
        let macintosh = b"text;label\nDie Lieferung ist f\x9fr mich zu sp\x8at;Geb\x9fhr\n";
        assert_eq!(by_letters(macintosh), Some(MACINTOSH));
        let polish = "Treść;Etykieta\nGdzie jest paczka?;dostawa\nNie mogę się zalogować;logowanie\n";
        assert_eq!(told(polish, WINDOWS_1250), Some(WINDOWS_1250));
        for western in [
            "text;label\nDie Gebühr für die Lieferung ist zu hoch;Gebühr\n",
            "text;label\nI don’t know — it’s “late”;other\nHe can’t pay 5 €;billing\n",
            "texte;étiquette\nLe cœur a reçu la pièce à l’été;été\n",
            "texto;categoría\n¿Dónde está mi año?;envío\n",
        ] {
            assert_eq!(told(western, WINDOWS_1252), None, "{western}");
        }
    }

    #[test]
    fn romanian_is_told_and_portuguese_ordinals_are_not_taken_for_it() {
        let romanian = "Mesaj;Etichetă\nFactura este greşită şi nu ţine cont de plată;facturi\n";
        assert_eq!(told(romanian, WINDOWS_1250), Some(WINDOWS_1250));
        assert_eq!(
            told("text;label\nAm aşteptat;livrare\n", WINDOWS_1250),
            Some(WINDOWS_1250)
        );
        let comma_below = encoding_rs::ISO_8859_16
            .encode("Mesaj;Tip\nFactura este greșită și nu ține cont;x\n")
            .0;
        assert_eq!(by_letters(&comma_below), Some(WINDOWS_1250));
        for portuguese in [
            "texto;categoria\nNão recebi o 1º pedido nem a 2ª via;entrega\n",
            "texto;categoria\nO nº da encomenda não está cá;entrega\n",
        ] {
            assert_eq!(told(portuguese, WINDOWS_1252), None, "{portuguese}");
        }
    }

    #[test]
    fn a_file_of_east_asia_is_told_wherever_its_sample_ends() {
        let chinese =
            "text,label\n发票金额不对，请帮我检查一下,账单\n包裹还没有送到,物流\n登录不了账号,登录\n";
        let bytes = encoding_rs::GBK.encode(chinese).0;
        let last = bytes.len() - 1;

        for end in [last, last - 1, last - 2, last - 3] {
            assert_eq!(
                by_letters(&bytes[..end]),
                Some(encoding_rs::GBK),
                "{end} of {last}"
            );
        }
    }

    #[test]
    fn names_in_east_asian_encodings_are_no_words_of_windows_1250() {
        let japanese = "文章,ラベル\n荷物が届きません,Shipping\n請求が間違っています,Billing\n";
        for encoding in [encoding_rs::SHIFT_JIS, encoding_rs::EUC_JP] {
            assert_eq!(told(japanese, encoding), Some(encoding));
        }
        let chinese = "文本,标签\n发票金额不对，请帮我检查一下,账单\n包裹还没有送到,物流\n";
        assert_eq!(told(chinese, encoding_rs::GBK), Some(encoding_rs::GBK));
        let korean = "텍스트,라벨\n소포가 아직 도착하지 않았습니다,배송\n로그인할 수 없습니다,로그인\n";
        assert_eq!(told(korean, encoding_rs::EUC_KR), Some(encoding_rs::EUC_KR));
    }

    #[test]
    fn long_polish_czech_and_russian_files_are_told_as_before() {
        let polish =
            "zażółć gęślą jaźń, nie mogę się zalogować, proszę o łatwą pomoc w sprawie płatności\n".repeat(4);
        assert_eq!(told(&polish, WINDOWS_1250), Some(WINDOWS_1250));
        assert_eq!(told(&polish, ISO_8859_2), Some(ISO_8859_2));
        let russian = "Где моя посылка и когда она придёт\n".repeat(4);
        assert_eq!(told(&russian, WINDOWS_1251), Some(WINDOWS_1251));
    }
}
