//! Text from outside that people will read: a campaign's title and purpose, a search query.
//!
//! ```text
//!   &str ── bytes ── characters ── NFKC ── characters again ──▶ ScreenedText
//! ```
//!
//! Such text is shown and never grants anything. The screen keeps out what would make it look like
//! something else than it is: control characters, changes of the reading direction, invisible
//! characters, unassigned ones, and heaps of marks on one letter. Whether it is true or friendly, or
//! written in letters that look like others, is not decided here.
//!
//! Ordinary text of every language passes. Three kinds of invisible character are part of it and
//! are let through only where they do their work:
//! - the joiners U+200C and U+200D between letters or marks of scripts without capitals (Persian,
//!   Hindi), after a virama (Sinhala, older Malayalam), and U+200D between emoji;
//! - the presentation selectors U+FE0E and U+FE0F, one right after an emoji or a keycap's digit;
//! - the Mongolian selectors, one right after a Mongolian letter.
//!
//! Flags of regions made of tag characters, ideographic variation sequences, the Mongolian vowel
//! separator and U+200E/U+200F are not let through. Compatibility forms become plain ones (`ﬁ` is `fi`, `²` is `2`), except that Thai
//! and Lao AM stay whole: taken apart, a tone mark before them would be drawn in the wrong place.

use std::fmt;

use serde::Serialize;
use thiserror::Error;
use unicode_normalization::{
    UnicodeNormalization as _,
    char::{canonical_combining_class, decompose_compatible},
};
use unicode_properties::{
    GeneralCategory, GeneralCategoryGroup, UnicodeEmoji as _, UnicodeGeneralCategory as _,
};

/// Most combining marks on one letter. Burmese and Tibetan use up to six.
pub const MAX_MARKS: usize = 6;

/// Combining class of viramas.
const VIRAMA: u8 = 9;
const ZWNJ: char = '\u{200C}';
const ZWJ: char = '\u{200D}';

/// How long a text may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TextLimit {
    /// Most characters (Unicode scalar values) after normalisation.
    pub characters: usize,
    /// Most lines, at least 1.
    pub lines: usize,
}

impl TextLimit {
    /// Title of a campaign.
    pub const TITLE: Self = Self {
        characters: 120,
        lines: 1,
    };
    /// Purpose of a campaign.
    pub const PURPOSE: Self = Self {
        characters: 2000,
        lines: 20,
    };
    /// Query for a search or a summary.
    pub const QUERY: Self = Self {
        characters: 400,
        lines: 1,
    };

    /// Most bytes before normalisation: what as many of the widest characters take.
    pub const fn bytes(self) -> usize {
        self.characters.saturating_mul(4)
    }
}

/// Why a text is not shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum TextRefusal {
    /// Nothing in it, or white space only.
    #[error("The text is empty.")]
    Empty,
    /// More characters than this, or more bytes than so many characters take.
    #[error("The text is longer than {0} characters.")]
    TooLong(usize),
    /// More lines than this.
    #[error("The text has more than {0} lines.")]
    TooManyLines(usize),
    /// White space at the start or the end.
    #[error("The text begins or ends with blank space.")]
    Untrimmed,
    /// A control character or a line separator other than the plain newline.
    #[error("The text contains a control character (U+{code:04X}).", code = *.0 as u32)]
    Control(char),
    /// A character that changes the reading direction.
    #[error("The text contains a character that changes the reading direction (U+{code:04X}).", code = *.0 as u32)]
    Direction(char),
    /// A character that cannot be seen, or a selector where it has nothing to select.
    #[error("The text contains an invisible character (U+{code:04X}).", code = *.0 as u32)]
    Invisible(char),
    /// A private or unassigned character.
    #[error("The text contains a character that has no meaning (U+{code:04X}).", code = *.0 as u32)]
    Unassigned(char),
    /// More than [`MAX_MARKS`] marks on one letter.
    #[error("The text has too many marks on one letter.")]
    TooManyMarks,
    /// A mark at the start of the text or of a line.
    #[error("The text has a mark without a letter to carry it.")]
    LooseMark,
}

impl TextRefusal {
    /// Stable code, kebab case.
    pub fn code(self) -> &'static str {
        match self {
            Self::Empty => "text-empty",
            Self::TooLong(_) => "text-too-long",
            Self::TooManyLines(_) => "text-too-many-lines",
            Self::Untrimmed => "text-untrimmed",
            Self::Control(_) => "text-control-character",
            Self::Direction(_) => "text-direction-character",
            Self::Invisible(_) => "text-invisible-character",
            Self::Unassigned(_) => "text-unassigned-character",
            Self::TooManyMarks => "text-too-many-marks",
            Self::LooseMark => "text-loose-mark",
        }
    }
}

/// A text that may be shown, in its normalised form; made by [`screen`] only.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct ScreenedText(String);

impl ScreenedText {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text.
    pub fn into_string(self) -> String {
        self.0
    }
}

impl fmt::Display for ScreenedText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for ScreenedText {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// Screens `text` and normalises it (NFKC, see the module). Screening what came out gives the same
/// again. Takes time in proportion to the bytes, and none for more bytes than the limit.
///
/// # Errors
/// The first [`TextRefusal`] found, sizes first.
pub fn screen(text: &str, limit: TextLimit) -> Result<ScreenedText, TextRefusal> {
    if text.len() > limit.bytes() {
        return Err(TextRefusal::TooLong(limit.characters));
    }
    check(text, limit)?;
    let normal: String = without_idle_selectors(text)
        .nfkc()
        // One compatibility character can become eighteen.
        .take(limit.characters.saturating_mul(2).saturating_add(1))
        .collect();
    let whole = normal
        .replace("\u{0E4D}\u{0E32}", "\u{0E33}")
        .replace("\u{0ECD}\u{0EB2}", "\u{0EB3}");
    if whole.chars().count() > limit.characters {
        return Err(TextRefusal::TooLong(limit.characters));
    }
    check(&whole, limit)?;
    Ok(ScreenedText(whole))
}

/// `text` without the presentation selectors of emoji that normalisation makes letters of (`™` is
/// `TM`).
fn without_idle_selectors(text: &str) -> impl Iterator<Item = char> {
    let mut before = None;
    text.chars().filter(move |&character| {
        let base = before.replace(character);
        !(is_presentation_selector(character) && base.is_some_and(has_plain_form))
    })
}

/// Whether normalisation replaces the character.
fn has_plain_form(character: char) -> bool {
    let mut same = true;
    decompose_compatible(character, |part| same &= part == character);
    !same
}

fn check(text: &str, limit: TextLimit) -> Result<(), TextRefusal> {
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Err(TextRefusal::Empty);
    }
    if trimmed.len() != text.len() {
        return Err(TextRefusal::Untrimmed);
    }
    let mut lines = 1;
    let mut marks = 0;
    let mut before = None;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let sort = Sort::of(character);
        match sort {
            Sort::Newline => {
                lines += 1;
                if lines > limit.lines {
                    return Err(TextRefusal::TooManyLines(limit.lines));
                }
            }
            Sort::Control => return Err(TextRefusal::Control(character)),
            Sort::Direction => return Err(TextRefusal::Direction(character)),
            Sort::Unassigned => return Err(TextRefusal::Unassigned(character)),
            Sort::Invisible => return Err(TextRefusal::Invisible(character)),
            Sort::Joiner => {
                if !joins(before, character, characters.peek().copied()) {
                    return Err(TextRefusal::Invisible(character));
                }
            }
            Sort::Selector => {
                if !before.is_some_and(|base| selects(base, character)) {
                    return Err(TextRefusal::Invisible(character));
                }
            }
            Sort::Mark => {
                if before.is_none_or(|base| base == '\n') {
                    return Err(TextRefusal::LooseMark);
                }
                marks += 1;
                if marks > MAX_MARKS {
                    return Err(TextRefusal::TooManyMarks);
                }
            }
            Sort::Base => {}
        }
        // A joiner or selector among marks begins no new letter.
        if matches!(sort, Sort::Base | Sort::Newline) {
            marks = 0;
        }
        before = Some(character);
    }
    Ok(())
}

/// What a character is to the screen.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sort {
    Newline,
    Control,
    Direction,
    Unassigned,
    Invisible,
    Joiner,
    Selector,
    Mark,
    Base,
}

impl Sort {
    fn of(character: char) -> Self {
        match character {
            '\n' => return Self::Newline,
            ' '..='~' => return Self::Base,
            ZWNJ | ZWJ => return Self::Joiner,
            '\u{061C}'
            | '\u{200E}'..='\u{200F}'
            | '\u{202A}'..='\u{202E}'
            | '\u{2066}'..='\u{2069}' => return Self::Direction,
            '\u{180B}'..='\u{180D}' | '\u{180F}' | '\u{FE0E}'..='\u{FE0F}' => {
                return Self::Selector;
            }
            _ if is_blank(character) => return Self::Invisible,
            _ => {}
        }
        match character.general_category() {
            GeneralCategory::Control
            | GeneralCategory::LineSeparator
            | GeneralCategory::ParagraphSeparator => Self::Control,
            GeneralCategory::Format => Self::Invisible,
            GeneralCategory::PrivateUse
            | GeneralCategory::Unassigned
            | GeneralCategory::Surrogate => Self::Unassigned,
            GeneralCategory::NonspacingMark
            | GeneralCategory::SpacingMark
            | GeneralCategory::EnclosingMark => Self::Mark,
            _ => Self::Base,
        }
    }
}

/// Characters that show nothing though their category is a letter's, a mark's or a symbol's: those
/// that Unicode lists as default ignorable, and a few blank glyphs.
fn is_blank(character: char) -> bool {
    matches!(
        character,
        '\u{034F}' // combining grapheme joiner
            | '\u{115F}'..='\u{1160}' // Hangul fillers
            | '\u{17B4}'..='\u{17B5}' // Khmer inherent vowels
            | '\u{2065}'
            | '\u{2800}' // blank Braille pattern
            | '\u{3164}' // Hangul filler
            | '\u{FE00}'..='\u{FE0D}' // variation selectors
            | '\u{FFA0}' // halfwidth Hangul filler
            | '\u{FFF0}'..='\u{FFFC}' // reserved, annotation, object replacement
            | '\u{16FE4}' // Khitan filler
            | '\u{1D159}' // null note head
            | '\u{E0000}'..='\u{E0FFF}' // tags, variation selectors, reserved
    )
}

fn is_presentation_selector(character: char) -> bool {
    matches!(character, '\u{FE0E}'..='\u{FE0F}')
}

/// Whether `selector` may follow `base`.
fn selects(base: char, selector: char) -> bool {
    if is_presentation_selector(selector) {
        base.is_emoji_char()
    } else {
        matches!(base, '\u{1820}'..='\u{1878}' | '\u{1880}'..='\u{18AA}')
    }
}

/// Whether `joiner` does its work between its neighbours.
fn joins(before: Option<char>, joiner: char, after: Option<char>) -> bool {
    let Some(before) = before else { return false };
    if canonical_combining_class(before) == VIRAMA {
        return true;
    }
    let Some(after) = after else { return false };
    let emoji = is_pictograph(after)
        && (is_pictograph(before) || matches!(before, '\u{FE0F}' | '\u{1F3FB}'..='\u{1F3FF}'));
    (is_joinable(before) && is_joinable(after)) || (joiner == ZWJ && emoji)
}

/// Letters and marks, other than letters of scripts with capitals: those have no joined forms, and a
/// joiner among them would only make two words look the same.
fn is_joinable(character: char) -> bool {
    match character.general_category() {
        GeneralCategory::UppercaseLetter
        | GeneralCategory::LowercaseLetter
        | GeneralCategory::TitlecaseLetter => false,
        _ if matches!(Sort::of(character), Sort::Invisible | Sort::Selector) => false,
        category => matches!(
            category,
            GeneralCategory::OtherLetter
                | GeneralCategory::ModifierLetter
                | GeneralCategory::NonspacingMark
                | GeneralCategory::SpacingMark
                | GeneralCategory::EnclosingMark
        ),
    }
}

fn is_pictograph(character: char) -> bool {
    !character.is_ascii()
        && character.is_emoji_char()
        && character.general_category_group() == GeneralCategoryGroup::Symbol
}
