//! Input: one byte for the limit, then the text.

use omni_types::{TextLimit, screen};

use crate::Seed;

const LIMITS: [TextLimit; 4] = [
    TextLimit::TITLE,
    TextLimit::PURPOSE,
    TextLimit::QUERY,
    TextLimit {
        characters: 8,
        lines: 2,
    },
];

/// What passes the screen is within its limit, shows nothing in disguise, and passes again unchanged.
pub fn text(data: &[u8]) -> bool {
    let [which, bytes @ ..] = data else {
        return false;
    };
    let limit = LIMITS[usize::from(*which) % LIMITS.len()];
    let text = String::from_utf8_lossy(bytes);
    let shown = match screen(&text, limit) {
        Ok(shown) => shown,
        Err(refusal) => {
            assert!(refusal.code().starts_with("text-"));
            assert!(refusal.to_string().ends_with('.'));
            return false;
        }
    };
    assert_eq!(screen(shown.as_str(), limit).as_ref(), Ok(&shown));
    let shown = shown.as_str();
    assert!(!shown.is_empty() && shown.trim() == shown);
    assert!(shown.chars().count() <= limit.characters && shown.lines().count() <= limit.lines);
    for character in shown.chars() {
        let hidden = matches!(
            character,
            '\u{AD}' | '\u{61C}' | '\u{180E}' | '\u{200B}' | '\u{200E}' | '\u{200F}'
                | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{E000}'..='\u{F8FF}'
                | '\u{FEFF}' | '\u{E0000}'..='\u{E0FFF}' | '\u{F0000}'..
        );
        assert!(!hidden && (character == '\n' || !character.is_control()));
    }
    true
}

pub(crate) fn seeds() -> Vec<Seed> {
    let texts = [
        (0, "german", "Störungen früh erkennen: Größe, Maß"),
        (0, "hindi", "निम्न स्वसहसंबंध, श्री क्‍ष"),
        (0, "persian", "کتاب‌های می‌خواهم"),
        (0, "hebrew", "בְּרֵאשִׁ֖ית"),
        (0, "thai", "น้ำดื่มที่สะอาด"),
        (0, "japanese", "ﾊﾝｶｸ 二値系列"),
        (0, "korean", "낮은 ᄒᆞᆫ글"),
        (0, "mongolian", "ᠮᠣᠩᠭᠣᠯ ᠪᠢᠴᠢᠭ᠌"),
        (0, "emoji", "👩🏽‍🔬 ❤️‍🔥 1️⃣ 🇩🇪 ™️"),
        (1, "lines", "first\nsecond\n\nthird"),
        (2, "compatibility", "ﬁ ² ① ｆｕｌｌ ﷺ Å"),
        (3, "marks", "Zo\u{0308}\u{0304}\u{0323}"),
    ];
    let seed = |(limit, name, text): (u8, &str, &str)| {
        let bytes = [&[limit], text.as_bytes()].concat();
        (name.to_owned(), bytes)
    };
    texts.into_iter().map(seed).collect()
}
