//! Text that people will read: ordinary text of every language passes, disguises do not.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use omni_types::{TextLimit, TextRefusal, screen, text::MAX_MARKS};
use proptest::prelude::*;
use unicode_normalization::UnicodeNormalization as _;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory as _};

const LIMITS: [TextLimit; 3] = [TextLimit::TITLE, TextLimit::PURPOSE, TextLimit::QUERY];

/// What a title becomes: its shown form or the code of the refusal.
fn title(text: &str) -> Result<String, &'static str> {
    screen(text, TextLimit::TITLE)
        .map(|text| text.to_string())
        .map_err(TextRefusal::code)
}

#[test]
fn ordinary_text_of_many_languages_stays_as_it_is() {
    for text in [
        "Better radar signals from short sequences",
        "Störungen früh erkennen: Größe, Maß und Übung (2026)",
        "L’été à Besançon : « cœur », naïveté",
        "Žluťoučký kůň úpěl ďábelské ódy",
        "Tìm chuỗi nhị phân có tự tương quan thấp nhất",
        "Βέλτιστες ακολουθίες, ἀρχὴ ἥμισυ παντός",
        "Поиск двоичных последовательностей",
        "البحث عن متتاليات ذات ارتباط ذاتي منخفض",
        "بِسْمِ ٱللَّهِ",
        "کتاب‌های می‌خواهم",
        "חיפוש סדרות בינאריות",
        "בְּרֵאשִׁ֖ית בָּרָ֣א אֱלֹהִ֑ים",
        "निम्न स्वसहसंबंध वाले अनुक्रम, श्री क्‍ष र्‍य",
        "শব্দ খোঁজা, র‍্যাব",
        "ශ්‍රී ලංකාව",
        "അവന്‍ വന്നു",
        "தமிழ் சொற்கள்",
        "การค้นหาน้ำดื่มที่สะอาด",
        "ນ້ຳ ພາສາລາວ",
        "မြန်မာဘာသာ ကျွန်ုပ်",
        "ភាសាខ្មែរ",
        "བོད་ཡིག་ བསྒྲུབས",
        "低自相关二进制序列的搜索",
        "低い自己相関を持つ二値系列の探索",
        "낮은 자기상관을 가지는 이진 수열",
        "ᠮᠣᠩᠭᠣᠯ ᠪᠢᠴᠢᠭ᠌",
        "Amharic: ዝቅተኛ",
        "Emoji 👩🏽‍🔬 👨‍👩‍👧‍👦 ❤️‍🔥 🏳️‍🌈 🐈‍⬛ 1️⃣ 🇩🇪 ☀︎",
        "x",
        "!",
        "a \u{0301} b",
    ] {
        assert_eq!(title(text).as_deref(), Ok(text), "{text}");
    }
}

#[test]
fn text_is_shown_in_one_form() {
    for (text, shown) in [
        ("Gro\u{0308}ße", "Größe"),
        ("ｆｕｌｌ　ｗｉｄｔｈ", "full width"),
        ("ﬁne m²", "fine m2"),
        ("wide\u{00A0}space\u{2003}x", "wide space x"),
        ("Omni™️ ℹ️ ‼️", "OmniTM i !!"),
        ("™\u{FE0F}\u{0301}", "TḾ"),
        ("น\u{0E49}\u{0E4D}\u{0E32}", "น้ำ"),
        ("한국", "한국"),
    ] {
        assert_eq!(title(text).as_deref(), Ok(shown), "{text}");
    }
}

#[test]
fn what_would_disguise_is_refused_by_name() {
    let zalgo = format!("Z{}", "\u{0301}".repeat(MAX_MARKS + 1));
    let split_zalgo = format!("क{}\u{200D}{}", "\u{0941}".repeat(4), "\u{0941}".repeat(4));
    for (text, code) in [
        ("", "text-empty"),
        (" ", "text-empty"),
        ("\u{3000}\u{00A0}", "text-empty"),
        (" a", "text-untrimmed"),
        ("a ", "text-untrimmed"),
        ("a\n", "text-untrimmed"),
        ("\u{00A8}a", "text-untrimmed"), // a space and a mark, once normalised
        ("a\nb", "text-too-many-lines"),
        ("a\tb", "text-control-character"),
        ("a\r\nb", "text-control-character"),
        ("a\0b", "text-control-character"),
        ("a\u{0085}b", "text-control-character"),
        ("a\u{1B}[31mb", "text-control-character"),
        ("a\u{2028}b", "text-control-character"),
        ("pay\u{202E}gpj.exe", "text-direction-character"),
        ("a\u{2066}b\u{2069}", "text-direction-character"),
        ("a\u{200E}b", "text-direction-character"),
        ("a\u{061C}b", "text-direction-character"),
        ("a\u{200B}b", "text-invisible-character"),
        ("pass\u{00AD}word", "text-invisible-character"),
        ("a\u{2060}b", "text-invisible-character"),
        ("\u{FEFF}a", "text-invisible-character"),
        ("a\u{034F}b", "text-invisible-character"),
        ("a\u{3164}b", "text-invisible-character"),
        ("a\u{2800}b", "text-invisible-character"),
        ("a\u{E0041}b", "text-invisible-character"),
        ("a\u{E0100}b", "text-invisible-character"),
        ("a\u{FE00}b", "text-invisible-character"),
        ("a\u{FE0F}b", "text-invisible-character"),
        ("❤\u{FE0F}\u{FE0F}", "text-invisible-character"),
        ("a\u{180B}b", "text-invisible-character"),
        ("a\u{200D}b", "text-invisible-character"),
        ("a\u{200C}b", "text-invisible-character"),
        ("\u{200D}क", "text-invisible-character"),
        ("क\u{200C}", "text-invisible-character"),
        ("क\u{200C}\u{200D}ख", "text-invisible-character"),
        ("1\u{200D}2", "text-invisible-character"),
        ("👩\u{200C}🔬", "text-invisible-character"),
        ("a\u{E000}b", "text-unassigned-character"),
        ("a\u{0378}b", "text-unassigned-character"),
        ("a\u{FDD0}b", "text-unassigned-character"),
        ("a\u{10FFFF}b", "text-unassigned-character"),
        (&zalgo, "text-too-many-marks"),
        (&split_zalgo, "text-too-many-marks"),
        ("\u{0301}a", "text-loose-mark"),
    ] {
        assert_eq!(title(text), Err(code), "{text:?}");
    }
    let loose = screen("a\n\u{0301}b", TextLimit::PURPOSE);
    assert_eq!(loose, Err(TextRefusal::LooseMark));
}

#[test]
fn lengths_are_counted_in_characters_and_lines() {
    for limit in LIMITS {
        for letter in ["a", "語", "🦀"] {
            let full = letter.repeat(limit.characters);
            assert_eq!(screen(&full, limit).unwrap().as_str(), full);
            let over = letter.repeat(limit.characters + 1);
            let refused = Err(TextRefusal::TooLong(limit.characters));
            assert_eq!(screen(&over, limit), refused);
        }
        let lines = vec!["a"; limit.lines].join("\n");
        assert!(screen(&lines, limit).is_ok());
        let refused = Err(TextRefusal::TooManyLines(limit.lines));
        assert_eq!(screen(&format!("{lines}\na"), limit), refused);
    }
    // One character of these becomes eighteen.
    let wide = |count: usize| title(&"\u{FDFA}".repeat(count));
    assert!(wide(6).is_ok());
    assert_eq!(wide(7), Err("text-too-long"));
    // AM counts once, though it is taken apart on the way.
    assert!(title(&"ำ".repeat(120).replacen('ำ', "น", 1)).is_ok());
    let huge = "a".repeat(10 << 20);
    assert_eq!(title(&huge), Err("text-too-long"));
}

#[test]
fn a_refusal_says_in_a_sentence_what_is_wrong() {
    let refusal = screen("a\u{202E}b", TextLimit::TITLE).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "The text contains a character that changes the reading direction (U+202E)."
    );
    let long = screen(&"a".repeat(121), TextLimit::TITLE).unwrap_err();
    assert_eq!(long.to_string(), "The text is longer than 120 characters.");
}

/// Written without the screen's own tables.
fn assert_harmless(text: &str, limit: TextLimit) {
    assert!(!text.is_empty() && text.trim() == text);
    assert!(text.chars().count() <= limit.characters);
    assert!(text.matches('\n').count() < limit.lines);
    let mut marks = 0;
    for character in text.chars() {
        assert!(character == '\n' || !character.is_control(), "{text:?}");
        let invisible = matches!(
            character,
            '\u{AD}' | '\u{61C}' | '\u{180E}' | '\u{200B}' | '\u{200E}' | '\u{200F}'
                | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}'
                | '\u{E0000}'..='\u{E0FFF}'
        );
        assert!(!invisible, "{text:?}");
        match character.general_category() {
            GeneralCategory::PrivateUse | GeneralCategory::Unassigned => panic!("{text:?}"),
            GeneralCategory::Format => {
                assert!(matches!(character, '\u{200C}' | '\u{200D}'), "{text:?}");
            }
            GeneralCategory::NonspacingMark
            | GeneralCategory::SpacingMark
            | GeneralCategory::EnclosingMark => {
                // A selector is a mark as well, at most one to an emoji.
                marks += 1;
                assert!(marks <= MAX_MARKS + 1, "{text:?}");
            }
            _ => marks = 0,
        }
    }
    let apart = text.replace('\u{0E33}', "\u{0E4D}\u{0E32}");
    let apart = apart.replace('\u{0EB3}', "\u{0ECD}\u{0EB2}");
    assert!(apart.nfkc().eq(apart.chars()), "{text:?}");
}

/// Characters that mean something to the screen, among ordinary ones.
fn pieces() -> impl Strategy<Value = String> {
    let telling = prop::sample::select(vec![
        "a",
        "Z",
        "é",
        "ß",
        "1",
        "#",
        " ",
        "\n",
        "क",
        "्",
        "ि",
        "ी",
        "ا",
        "ه",
        "ש",
        "ׁ",
        "น",
        "้",
        "ำ",
        "\u{0E4D}",
        "\u{0E32}",
        "中",
        "ᄒ",
        "ᅡ",
        "ᆫ",
        "한",
        "❤",
        "™",
        "ℹ",
        "👩",
        "🏽",
        "🔬",
        "\u{FE0F}",
        "\u{FE0E}",
        "\u{200C}",
        "\u{200D}",
        "\u{0301}",
        "\u{0323}",
        "\u{20E3}",
        "\u{202E}",
        "\u{200B}",
        "\u{00A0}",
        "\u{00A8}",
        "\u{FDFA}",
        "ﬁ",
        "ᠮ",
        "\u{180B}",
        "\u{1D15E}",
        "\u{0344}",
        "\u{2126}",
    ]);
    let piece = prop_oneof![
        6 => telling.prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn what_passes_is_harmless_and_passes_again_unchanged(text in pieces(), which in 0..3_usize) {
        let limit = LIMITS[which];
        if let Ok(shown) = screen(&text, limit) {
            assert_harmless(shown.as_str(), limit);
            prop_assert_eq!(screen(shown.as_str(), limit), Ok(shown));
        }
    }

    #[test]
    fn no_text_breaks_the_screen(text in any::<String>(), characters in 0..200_usize, lines in 0..5_usize) {
        let limit = TextLimit { characters, lines };
        if let Ok(shown) = screen(&text, limit) {
            prop_assert_eq!(screen(shown.as_str(), limit), Ok(shown));
        }
    }
}

#[test]
fn each_character_there_is_alone_and_between_letters() {
    for character in '\0'..=char::MAX {
        for text in [format!("{character}"), format!("न{character}ा")] {
            if let Ok(shown) = screen(&text, TextLimit::TITLE) {
                assert_harmless(shown.as_str(), TextLimit::TITLE);
                assert_eq!(screen(shown.as_str(), TextLimit::TITLE), Ok(shown));
            }
        }
    }
}
