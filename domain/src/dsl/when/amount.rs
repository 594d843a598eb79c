//! Whole numbers and spans of time (when.md §1, §4).
//!
//! A number that is out of bounds is refused with the bound; a unit is read without regard to case.

use crate::dsl::diagnostic::{nearest, quoted};
use crate::dsl::reader::{Form, FormKind};
use crate::dsl::{Code, Diagnostic, Limits};
use crate::time::{self, Unit};

/// The units as they may be written.
const UNITS: [(&str, Unit); 8] = [
    ("seconds", Unit::Seconds),
    ("second", Unit::Seconds),
    ("minutes", Unit::Minutes),
    ("minute", Unit::Minutes),
    ("hours", Unit::Hours),
    ("hour", Unit::Hours),
    ("days", Unit::Days),
    ("day", Unit::Days),
];

/// A whole number from `least` to `most`; `of` names what takes it.
pub(super) fn whole(form: &Form, of: &str, least: u64, most: u64) -> Result<u64, Diagnostic> {
    let digits = match &form.kind {
        FormKind::Number(number) if number.as_str().bytes().all(|b| b.is_ascii_digit()) => number.as_str(),
        _ => {
            let message = format!("`{of}` takes a whole number, found {}", form.describe());
            return Err(Diagnostic::new(Code::Shape, form.span, message));
        }
    };
    // What does not fit is over any bound.
    let n = digits.parse().unwrap_or(u64::MAX);
    if n < least {
        return Err(Diagnostic::new(
            Code::Shape,
            form.span,
            format!("`{of}` takes at least {least}, found {n}"),
        ));
    }
    if n > most {
        let message = format!("`{of}` takes at most {most}, found {}", form.describe());
        return Err(Diagnostic::new(Code::Limit, form.span, message));
    }
    Ok(n)
}

/// A span of time, `amount unit`, at least 1 and no longer than `limits` say; `of` names what takes it.
///
/// # Errors
/// What is wrong with the amount, with the unit, or with both.
pub(super) fn span(
    amount: &Form,
    unit: &Form,
    of: &str,
    limits: &Limits,
) -> Result<time::Span, Vec<Diagnostic>> {
    let unit = match read_unit(unit, of) {
        Ok(unit) => unit,
        Err(problem) => {
            let amount = whole(amount, of, 1, u64::MAX).err();
            return Err(amount.into_iter().chain([problem]).collect());
        }
    };
    let most = u64::try_from(limits.span / unit.millis()).unwrap_or(0);
    let amount = whole(amount, of, 1, most).map_err(|problem| {
        let over = problem.code == Code::Limit;
        vec![if over { problem.hint(format!("that is in {unit}")) } else { problem }]
    })?;
    Ok(time::Span { amount, unit })
}

fn read_unit(form: &Form, of: &str) -> Result<Unit, Diagnostic> {
    let FormKind::Word(word) = &form.kind else {
        let message = format!(
            "`{of}` takes seconds, minutes, hours or days after the number, found {}",
            form.describe()
        );
        return Err(Diagnostic::new(Code::Shape, form.span, message));
    };
    if let Some((_, unit)) = UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)) {
        return Ok(*unit);
    }
    let problem = Diagnostic::new(Code::UnknownWord, form.span, format!("unknown unit {}", quoted(word)));
    Err(match nearest(word, UNITS.iter().map(|(name, _)| *name)) {
        Some(name) => problem.hint(format!("did you mean {name:?}?")),
        None => problem.hint("a unit is one of seconds, minutes, hours, days"),
    })
}
