//! Whether the first line of a training file names its columns, and which is first.

use unicode_normalization::UnicodeNormalization;

use super::{HeaderRow, cells};

/// Rows that are needed to tell a header line by what is below it.
const MIN_ROWS_BELOW_HEADER: usize = 2;

/// Rows below a first one of unknown words from which it is told to be a header line.
const MIN_ROWS_TO_GUESS: usize = 8;

/// Longest name of a column that is made of several words, in characters.
const MAX_HEADER_CHARS: usize = 24;

/// Words of such a name beside a plain one.
const MAX_HEADER_WORDS: usize = 5;

/// What people call the column of labels in a header line, in the languages that are written most.
const LABEL_HEADERS: &str = "annotation answer category categories class classes intent label labels sentiment tag tags \
    target topic type y kategorie klasse etikett thema étiquette etiquette catégorie categorie classe sujet etiqueta \
    categoría categoria clase tema rótulo rotulo etichetta категория класс метка тема etykieta kategoria klasa etiket \
    kategori sınıf 标签 標籤 类别 類別 分类 分類 ラベル カテゴリ カテゴリー クラス 라벨 레이블 카테고리 분류 فئة تصنيف \
    štítek štítok třída téma kategória luokka tunniste aihe etichetă eticheta clasă címke osztály típus мітка категорія клас \
    nhãn danhmục phânloại thểloại loại chủđề kelas topik jenis ετικέτα κατηγορία תווית קטגוריה श्रेणी लेबल หมวดหมู่ برچسب";

/// Names of the label column that are hardly the name of a class.
const SURE_LABEL_HEADERS: &str = "category categories class classes intent label labels sentiment tag tags kategorie klasse \
    etikett étiquette etiquette catégorie categorie classe etiqueta categoría categoria rótulo rotulo etichetta \
    категория метка etykieta kategoria etiket kategori 标签 標籤 类别 類別 分类 分類 ラベル カテゴリ カテゴリー 라벨 레이블 카테고리 تصنيف \
    štítek štítok kategória luokka etichetă eticheta címke мітка категорія nhãn danhmục phânloại ετικέτα κατηγορία תווית \
    קטגוריה श्रेणी लेबल หมวดหมู่ برچسب";

/// What people call the column of texts in a header line.
const TEXT_HEADERS: &str = "anliegen article beschreibung body comment content description doc document headline input message news phrase \
    question review sentence text texts title utterance x artikel inhalt nachricht satz titel überschrift \
    texte phrase titre contenu texto frase título titulo contenido conteúdo testo titolo contenuto текст заголовок \
    сообщение tekst treść tytuł metin başlık 文本 文字 内容 內容 标题 標題 テキスト 本文 文章 텍스트 내용 نص \
    popis zpráva správa obsah komentář dotaz věta teksti kuvaus viesti sisältö kommentti kysymys lause otsikko descriere mesaj \
    conținut comentariu întrebare szöveg leírás üzenet tartalom megjegyzés kérdés mondat опис описание повідомлення вміст зміст \
    коментар питання відгук vănbản nộidung môtả tinnhắn bìnhluận câuhỏi teks deskripsi pesan isi konten komentar ulasan keluhan \
    κείμενο μήνυμα περιγραφή טקסט הודעה पाठ संदेश ข้อความ متن رسالة";

/// A header line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Header {
    LabelFirst,
    TextFirst,
}

/// Returns what kind of header line the first row is, if it is one.
///
/// Either column may be called by several words, such as `news_text` or, beside a plain name, `Customer message`; the text
/// column by anything beside a sure name of labels that no other row has for a label; or the label column by a word that is not known, if
/// no other row has it for a label, and no other text could name a column. A single letter is a text as well: `x` names a column only beside a name of labels.
pub(super) fn header(rows: &[csv::ByteRecord]) -> Option<Header> {
    let row = rows.first().filter(|row| row.len() == 2)?;
    let word = |column: usize| Some(bare(std::str::from_utf8(row.get(column)?).ok()?));
    let (first, second) = (word(0)?, word(1)?);
    // Where files were joined, it comes again.
    let again = HeaderRow::of(&cells(row)?);
    let is_again = |other: &csv::ByteRecord| cells(other).is_some_and(|cells| again.again(&cells).is_some());
    let others: Vec<&csv::ByteRecord> = rows[1..].iter().filter(|other| !is_again(other)).collect();
    let others = || others.iter();
    let is_only_there = |column: usize| others().all(|other| other.get(column) != row.get(column));
    if names_column(&first, LABEL_HEADERS) && names_column(&second, TEXT_HEADERS) {
        return Some(Header::LabelFirst);
    }
    if names_column(&first, TEXT_HEADERS) && names_column(&second, LABEL_HEADERS) {
        return Some(Header::TextFirst);
    }
    if is_plain(&first, LABEL_HEADERS) && holds_word(&second, TEXT_HEADERS) {
        return Some(Header::LabelFirst);
    }
    if holds_word(&first, TEXT_HEADERS) && is_plain(&second, LABEL_HEADERS) {
        return Some(Header::TextFirst);
    }
    let has_more = rows.len() > MIN_ROWS_BELOW_HEADER;
    if has_more && is_plain(&first, SURE_LABEL_HEADERS) && is_only_there(0) && is_only_there(1) {
        return Some(Header::LabelFirst);
    }
    let is_text = second.chars().count() > 1 && TEXT_HEADERS.split_whitespace().any(|known| known == second);
    let is_label = is_text
        && has_more
        && is_only_there(0)
        && !first.contains(' ')
        && others()
            .filter_map(|other| other.get(1))
            .all(is_longer_than_a_name);
    is_label.then_some(Header::LabelFirst)
}

/// Returns whether the first row is a header line of words that are not known: each label of the rows below comes again among
/// them and its own does not, and it has a word or a few where they have texts, all of which are longer.
pub(super) fn stands_apart(rows: &[csv::ByteRecord]) -> bool {
    let Some((first, rows)) = rows.split_first().filter(|(first, _)| first.len() == 2) else {
        return false;
    };
    let text = |row: &csv::ByteRecord| String::from_utf8_lossy(&row[1]).trim().to_owned();
    let mut times = std::collections::HashMap::<String, usize>::new();
    for row in rows.iter().filter(|row| row.len() == 2) {
        *times.entry(bare(&String::from_utf8_lossy(&row[0]))).or_default() += 1;
    }
    let is_name = |name: &str| {
        let is_part = |c: char| c.is_alphabetic() || matches!(c, ' ' | '_' | '-');
        !name.is_empty()
            && name.chars().all(is_part)
            && name.chars().count() <= MAX_HEADER_CHARS
            && name.split_whitespace().count() <= 3
    };
    let (label, name) = (String::from_utf8_lossy(&first[0]).trim().to_owned(), text(first));
    let is_longer = |row: &csv::ByteRecord| {
        let text = text(row);
        text.chars().count() > name.chars().count() && text.contains(' ')
    };
    rows.len() >= MIN_ROWS_TO_GUESS
        && is_name(&label)
        && is_name(&name)
        && times.len() > 1
        && times.values().all(|times| *times > 1)
        && !times.contains_key(&bare(&label))
        && rows.iter().filter(|row| row.len() == 2).all(is_longer)
}

/// Returns what kind of header line a row within the file is, if it is one: both columns have the plain names of columns, the
/// one of labels a sure one.
pub(super) fn header_within(row: &csv::ByteRecord) -> Option<Header> {
    let is_short = |column: &[u8]| column.len() <= 2 * MAX_HEADER_CHARS;
    if row.len() != 2 || !row.iter().all(is_short) {
        return None;
    }
    let word = |column: usize| Some(bare(std::str::from_utf8(row.get(column)?).ok()?));
    let (first, second) = (word(0)?, word(1)?);
    let is_label = |name: &str| is_plain(name, SURE_LABEL_HEADERS);
    let is_text = |name: &str| name.chars().count() > 1 && is_plain(name, TEXT_HEADERS);
    match () {
        () if is_label(&first) && is_text(&second) => Some(Header::LabelFirst),
        () if is_text(&first) && is_label(&second) => Some(Header::TextFirst),
        () => None,
    }
}

/// Returns whether a text is no name of a column: it has several words, or a very long one.
fn is_longer_than_a_name(text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    text.split_whitespace().nth(1).is_some() || text.chars().count() > MAX_HEADER_CHARS
}

/// Returns whether the name of a column holds one of these words.
fn names_column(name: &str, words: &str) -> bool {
    let mut parts = name.split(['_', '-', '.']);
    let is_short = name.chars().count() <= MAX_HEADER_CHARS && parts.clone().count() <= 2;
    let is_word = |part: &str| words.split_whitespace().any(|known| known == part);
    is_plain(name, words) || (is_short && parts.any(is_word))
}

/// Returns whether a name is one of these words, and nothing else; some are written with a space: `nội dung`.
fn is_plain(name: &str, words: &str) -> bool {
    let joined = name.replace(' ', "");
    words.split_whitespace().any(|known| known == joined)
}

/// Returns whether a name of a few words holds one of these: `customer message`, `message of the customer`.
fn holds_word(name: &str, words: &str) -> bool {
    let parts: Vec<&str> = name
        .split(|c: char| !c.is_alphanumeric())
        .filter(|part| !part.is_empty())
        .collect();
    let is_long = |word: &str| word.chars().count() > 1;
    (2..=MAX_HEADER_WORDS).contains(&parts.len())
        && name.chars().count() <= 2 * MAX_HEADER_CHARS
        && !parts.contains(&"a")
        && parts.iter().any(|part| is_long(part) && is_plain(part, words))
}

/// Returns a name without its case and the signs around it: `Label.`, `Text *`.
fn bare(name: &str) -> String {
    let is_around = |c: char| !c.is_alphanumeric();
    // Composed first: a mark of its own would count as a sign around the name.
    let name: String = name.nfc().collect();
    name.trim_matches(is_around).to_lowercase()
}
