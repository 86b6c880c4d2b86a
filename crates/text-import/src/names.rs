//! What people call the columns of texts, labels and annotators, in several languages.

use unicode_normalization::UnicodeNormalization;

use crate::machine::is_of_machine;

/// Names of columns of texts, the surest first. Folded: see [`folded`].
const TEXT_NAMES: &[&str] = &[
    "text",
    "texts",
    "sentence",
    "sentences",
    "utterance",
    "texto",
    "texte",
    "testo",
    "tekst",
    "teksti",
    "metin",
    "текст",
    "テキスト",
    "文本",
    "本文",
    "内容",
    "내용",
    "nộidung",
    "noidung",
    "szöveg",
    "szoveg",
    "vănbản",
    "vanban",
    "teks",
    "κείμενο",
    "טקסט",
    "पाठ",
    "ข้อความ",
    "نص",
    "النص",
    "متن",
    "텍스트",
    "본문",
    "textcontent",
    "plaintext",
    "body",
    "ticketbody",
    "messagebody",
    "emailbody",
    "plainbody",
    "description",
    "ticketdescription",
    "descriptionplain",
    "beschreibung",
    "descripcion",
    "descripción",
    "descrizione",
    "descrição",
    "descricao",
    "omschrijving",
    "beschrijving",
    "opis",
    "описание",
    "popis",
    "kuvaus",
    "descriere",
    "leírás",
    "leiras",
    "опис",
    "môtả",
    "mota",
    "deskripsi",
    "περιγραφή",
    "תיאור",
    "विवरण",
    "รายละเอียด",
    "وصف",
    "الوصف",
    "설명",
    "message",
    "messages",
    "messagetext",
    "nachricht",
    "mensaje",
    "messaggio",
    "mensagem",
    "bericht",
    "wiadomość",
    "wiadomosc",
    "сообщение",
    "meddelande",
    "besked",
    "viesti",
    "mesaj",
    "zpráva",
    "zprava",
    "správa",
    "üzenet",
    "uzenet",
    "повідомлення",
    "tinnhắn",
    "tinnhan",
    "pesan",
    "μήνυμα",
    "הודעה",
    "संदेश",
    "رسالة",
    "پیام",
    "메시지",
    "content",
    "inhalt",
    "contenido",
    "contenu",
    "contenuto",
    "conteúdo",
    "conteudo",
    "treść",
    "obsah",
    "sisältö",
    "sisalto",
    "conținut",
    "conţinut",
    "continut",
    "tartalom",
    "вміст",
    "зміст",
    "konten",
    "isi",
    "περιεχόμενο",
    "תוכן",
    "محتوى",
    "tresc",
    "文章",
    "comment",
    "comments",
    "commenttext",
    "kommentar",
    "comentario",
    "commentaire",
    "commento",
    "comentário",
    "komentář",
    "komentar",
    "kommentti",
    "comentariu",
    "megjegyzés",
    "hozzászólás",
    "коментар",
    "bìnhluận",
    "binhluan",
    "review",
    "reviewtext",
    "reviewbody",
    "bewertung",
    "reseña",
    "avis",
    "recensione",
    "opinia",
    "відгук",
    "отзыв",
    "ulasan",
    "phảnhồi",
    "đánhgiá",
    "vélemény",
    "arvostelu",
    "recenze",
    "recenzie",
    "feedbacktext",
    "complaint",
    "anliegen",
    "stížnost",
    "valitus",
    "plângere",
    "reclamație",
    "panasz",
    "скарга",
    "жалоба",
    "khiếunại",
    "keluhan",
    "reclamo",
    "reclamação",
    "reclamacao",
    "reclamación",
    "reclamacion",
    "réclamation",
    "klacht",
    "zgłoszenie",
    "zgloszenie",
    "ärende",
    "verbatim",
    "meldung",
    "rückmeldung",
    "consulta",
    "tekstas",
    "poruka",
    "anfrage",
    "question",
    "query",
    "frage",
    "pregunta",
    "dotaz",
    "kysymys",
    "întrebare",
    "intrebare",
    "kérdés",
    "kerdes",
    "питання",
    "câuhỏi",
    "pertanyaan",
    "document",
    "documents",
    "doc",
    "dokument",
    "article",
    "artikel",
    "phrase",
    "satz",
    "frase",
    "věta",
    "lause",
    "propoziție",
    "propoziţie",
    "mondat",
    "речення",
    "предложение",
    "câu",
    "kalimat",
    "news",
    "input",
    "headline",
    "title",
    "titel",
    "título",
    "titulo",
    "titre",
    "titolo",
    "název",
    "otsikko",
    "titlu",
    "cím",
    "заголовок",
    "tiêuđề",
    "judul",
    "subject",
    "betreff",
    "asunto",
    "sujet",
    "oggetto",
    "assunto",
    "onderwerp",
    "temat",
    "předmět",
    "subiect",
    "tárgy",
    "тема",
    "summary",
    "source",
    "x",
];

/// Names of columns of labels, the surest first.
const LABEL_NAMES: &[&str] = &[
    "label",
    "labels",
    "category",
    "categories",
    "class",
    "classes",
    "tag",
    "tags",
    "intent",
    "intents",
    "sentiment",
    "topic",
    "topics",
    "etiqueta",
    "etiquetas",
    "categoría",
    "categoria",
    "categorías",
    "categorias",
    "clase",
    "clases",
    "classe",
    "étiquette",
    "etiquette",
    "étiquettes",
    "etiquettes",
    "catégorie",
    "categorie",
    "catégories",
    "kategorie",
    "kategorien",
    "klasse",
    "klassen",
    "etikett",
    "etiketten",
    "schlagwort",
    "schlagworte",
    "schlagwörter",
    "thema",
    "thème",
    "thèmes",
    "theme",
    "tema",
    "etichetta",
    "etichette",
    "rótulo",
    "rotulo",
    "kategori",
    "kategoria",
    "etykieta",
    "etiket",
    "sınıf",
    "метка",
    "категория",
    "класс",
    "тег",
    "ラベル",
    "カテゴリ",
    "カテゴリー",
    "分類",
    "分类",
    "标签",
    "类别",
    "štítek",
    "štítky",
    "stitek",
    "štítok",
    "třída",
    "trida",
    "kategória",
    "luokka",
    "luokat",
    "etichetă",
    "eticheta",
    "etichete",
    "clasă",
    "címke",
    "cimke",
    "címkék",
    "osztály",
    "osztaly",
    "мітка",
    "мітки",
    "категорія",
    "клас",
    "nhãn",
    "danhmục",
    "danhmuc",
    "phânloại",
    "phanloai",
    "thểloại",
    "loại",
    "kelas",
    "ετικέτα",
    "κατηγορία",
    "תווית",
    "קטגוריה",
    "श्रेणी",
    "लेबल",
    "หมวดหมู่",
    "ป้ายกำกับ",
    "تصنيف",
    "التصنيف",
    "فئة",
    "الفئة",
    "برچسب",
    "دسته",
    "라벨",
    "레이블",
    "카테고리",
    "분류",
    "類別",
    "类目",
    "标注",
    "標籤",
    "標註",
    "témakör",
    "temakor",
    "nhan",
    "ticketcategory",
    "druh",
    "druhpožadavku",
    "oddělení",
    "oddeleni",
    "phòngban",
    "abteilung",
    "department",
    "tickettags",
    "einstufung",
    "einordnung",
    "zuordnung",
    "motif",
    "motivo",
    "reparto",
    "rubriek",
    "rubrik",
    "dział",
    "dzial",
    "ämne",
    "oznaka",
    "žyma",
    "issuetype",
    "tickettype",
    "target",
    "téma",
    "aihe",
    "topik",
    "chủđề",
    "jenis",
    "típus",
    "classification",
    "classifications",
    "textclassifications",
    "classificationannotations",
    "displayname",
    "annotation",
    "annotations",
    "cats",
    "queue",
    "group",
    "type",
    "typ",
    "tipo",
    "tip",
    // A tag or an identifier.
    "tunniste",
    "answer",
    "y",
];

/// Names of columns that say who gave a label.
const ANNOTATOR_NAMES: &[&str] = &[
    "annotator",
    "annotatorid",
    "annotatedby",
    "completedby",
    "annotationapprover",
    "labeledby",
    "labelledby",
    "labeler",
    "labeller",
    "rater",
    "raterid",
    "worker",
    "workerid",
    "user",
];

/// Names of fields of a label that say who gave it, and of a column by itself nothing.
const OF_LABEL: [&str; 4] = ["by", "author", "createdby", "created_by"];

/// The first of [`TEXT_NAMES`] by which a column may be called that says little: another column may hold the texts.
const FIRST_WEAK: &str = "document";

/// The first of [`TEXT_NAMES`] that is no word for a text itself.
const FIRST_BESIDE_TEXT: &str = "body";

/// Words by which a column holds something about texts or labels, not these: `Comment ID`, `Label confidence`.
const ABOUT: &[&str] = &[
    "id",
    "ids",
    "nr",
    "no",
    "num",
    "number",
    "nummer",
    "count",
    "anzahl",
    "date",
    "datum",
    "fecha",
    "time",
    "zeit",
    "timestamp",
    "length",
    "länge",
    "lang",
    "language",
    "sprache",
    "url",
    "link",
    "score",
    "scores",
    "confidence",
    "konfidenz",
    "probability",
    "probabilities",
    "prob",
    "proba",
    "author",
    "autor",
    "user",
    "email",
    "status",
    "by",
    "at",
    "hash",
    "key",
    "version",
    "source",
    "type",
    "typ",
];

/// Folds a name's case, composes its letters and drops what separates its words.
pub(crate) fn folded(name: &str) -> String {
    let kept = |c: &char| !matches!(c, '_' | '-' | ' ' | '\u{a0}' | '\u{feff}' | '\u{0}');
    name.trim().to_lowercase().nfc().filter(kept).collect()
}

fn place(name: &str, names: &[&str]) -> Option<usize> {
    // Composed first: a mark of its own would count as a sign around the name.
    let name = &name.nfc().collect::<String>();
    let find = |name: &str| {
        let folded = folded(name.trim_matches(|c: char| !c.is_alphanumeric()));
        names.iter().position(|known| *known == folded)
    };
    // The field of an inner object is called by its path.
    let path = || name.rsplit_once('.').filter(|_| !name.trim().contains(' '));
    find(name).or_else(|| find(path()?.1))
}

/// Returns how sure a name is one of texts: smaller is surer.
pub(crate) fn text_place(name: &str) -> Option<usize> {
    place(name, TEXT_NAMES)
}

/// Returns how sure a name is one of labels of people: smaller is surer.
pub(crate) fn label_place(name: &str) -> Option<usize> {
    place(name, LABEL_NAMES).filter(|_| !is_of_machine(name))
}

/// Returns whether columns of texts are called so.
pub(crate) fn is_text_name(name: &str) -> bool {
    text_place(name).is_some()
}

/// Returns whether columns of labels are called so.
pub(crate) fn is_label_name(name: &str) -> bool {
    label_place(name).is_some()
}

/// Returns whether a name of texts says little, such as `title`.
pub(crate) fn is_weak_text_name(name: &str) -> bool {
    let first = TEXT_NAMES.iter().position(|known| *known == FIRST_WEAK);
    text_place(name).is_some_and(|place| first.is_some_and(|first| place >= first))
}

/// Returns whether a name holds a word for texts: `Customer message (verbatim)`.
pub(crate) fn holds_text_name(name: &str) -> bool {
    holds(name, TEXT_NAMES, FIRST_WEAK)
}

/// Returns whether a name holds a word for labels: `Welche Kategorie passt?`.
pub(crate) fn holds_label_name(name: &str) -> bool {
    holds(name, LABEL_NAMES, "ticketcategory")
}

/// Returns whether a word of a name is one of those before `end`, or ends with a long one, and none says that it is about them.
fn holds(name: &str, names: &[&str], end: &str) -> bool {
    let name: String = name.to_lowercase().nfc().collect();
    let words = || {
        name.split(|c: char| !c.is_alphanumeric())
            .filter(|word| !word.is_empty())
    };
    let known = || names.iter().take_while(|known| **known != end);
    let is_one = |word: &str| {
        known().any(|known| word == *known || known.chars().count() > 6 && word.ends_with(known))
    };
    let is_joined = || {
        known()
            .any(|known| !known.is_ascii() && known.len() > known.chars().count() * 2 && name.contains(known))
    };
    !words().any(|word| ABOUT.contains(&word)) && (words().any(is_one) || is_joined())
}

/// Returns whether a name is one of texts in some language, and of nothing else.
pub(crate) fn is_plain_text_name(name: &str) -> bool {
    let end = TEXT_NAMES.iter().position(|known| *known == FIRST_BESIDE_TEXT);
    text_place(name).is_some_and(|place| end.is_none_or(|end| place < end))
}

/// Returns whether a name is one of labels in some language, and of nothing else.
pub(crate) fn is_plain_label_name(name: &str) -> bool {
    let end = LABEL_NAMES.iter().position(|name| *name == "ticketcategory");
    label_place(name).is_some_and(|place| end.is_none_or(|end| place < end))
}

/// Returns whether columns that say who gave a label are called so.
pub(crate) fn is_annotator_name(name: &str) -> bool {
    let path = || name.rsplit_once('.');
    let is_of_label =
        || path().is_some_and(|(label, by)| OF_LABEL.contains(&by.trim()) && is_label_name(label));
    place(name, ANNOTATOR_NAMES).is_some() || is_of_label()
}

/// Returns whether the column that names the classifier of each text is called so, as in batch files.
pub(crate) fn is_classifier_name(name: &str) -> bool {
    place(name, &["classifier"]).is_some()
}

/// Finds a column by what somebody calls it: its name, its name but for case and spaces, or its number from
/// 1.
pub(crate) fn find(columns: &[String], wanted: &str) -> Option<usize> {
    let exact = columns.iter().position(|name| name.trim() == wanted.trim());
    let same = || columns.iter().position(|name| folded(name) == folded(wanted));
    let number = || {
        wanted
            .trim()
            .parse::<usize>()
            .ok()?
            .checked_sub(1)
            .filter(|index| *index < columns.len())
    };
    exact.or_else(same).or_else(number)
}
