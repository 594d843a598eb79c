//! `cxengage check`: parses patterns and says what is wrong with them, and where.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use domain::dsl::{Diagnostic, Limits, Place, then, when};
use domain::json::{self, Json};

use super::{Failure, Outcome};

#[derive(clap::Args)]
pub(super) struct Options {
    /// JSON files: an array of {"id", "when", "then"}. None: bare `when` or `then` text from standard input.
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// One JSON line a problem, instead of text for a person.
    #[arg(long, env = "CXENGAGE_JSON")]
    json: bool,
}

/// A problem, and the text in which it stands.
struct Problem {
    place: String,
    source: String,
    diagnostic: Diagnostic,
}

pub(super) fn run(options: &Options) -> Outcome {
    let mut problems = Vec::new();
    let mut checked = 0;
    if options.files.is_empty() {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes)?;
        checked += 1;
        problems.extend(bare(text(bytes)?));
    }
    for file in &options.files {
        let patterns = read_patterns(file)?;
        checked += patterns.len();
        problems.extend(patterns.iter().flat_map(|pattern| check(file, pattern)));
    }
    let failed = problems.iter().any(|problem| !problem.diagnostic.code.is_warning());
    let mut out = super::out();
    for problem in &problems {
        writeln!(out, "{}", if options.json { problem.json() } else { problem.text() })?;
    }
    super::say(&format!("{checked} checked, {} problems", problems.len()));
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

impl Problem {
    fn severity(&self) -> &'static str {
        if self.diagnostic.code.is_warning() { "warning" } else { "error" }
    }

    fn text(&self) -> String {
        format!("{}: {}: {}", self.place, self.severity(), self.diagnostic.render(&self.source))
    }

    fn json(&self) -> String {
        let at = Place::of(&self.source, self.diagnostic.span.start);
        let mut object = json::Object::new();
        object.set("place", self.place.as_str());
        object.set("severity", self.severity());
        object.set("line", at.line as u64);
        object.set("column", at.column as u64);
        object.set("message", self.diagnostic.message.as_str());
        if let Some(hint) = &self.diagnostic.hint {
            object.set("hint", hint.as_str());
        }
        object.to_string()
    }
}

fn read_patterns(file: &Path) -> Result<Vec<Json>, Failure> {
    let name = file.display();
    let bytes = std::fs::read(file).map_err(|e| Failure::Failed(format!("{name}: {e}")))?;
    let limits = json::Limits { duplicates: json::Duplicates::LastCounts, ..json::Limits::BODY };
    match json::parse(&bytes, limits).map_err(|e| Failure::Failed(format!("{name}: {e}")))? {
        Json::Array(patterns) => Ok(patterns),
        other => Err(Failure::Failed(format!(
            "{name}: expected an array of {{\"id\", \"when\"}}, found {}",
            other.kind()
        ))),
    }
}

fn check(file: &Path, pattern: &Json) -> Vec<Problem> {
    let id = pattern.get("id").and_then(Json::as_text).unwrap_or("(no id)");
    let limits = Limits::default();
    let mut problems = Vec::new();
    for field in ["when", "then"] {
        let place = format!("{}: {id}: {field}", file.display());
        let source = match pattern.get(field) {
            Some(Json::Text(source)) => source.clone(),
            None if field == "then" => continue,
            _ => String::new(),
        };
        let diagnostics = if field == "when" {
            when::parse(&source, &limits).map_or_else(|errors| errors, |when| when.warnings)
        } else {
            then::parse(&source, &limits).map_or_else(|errors| errors, |then| then.warnings)
        };
        problems.extend(diagnostics.into_iter().map(|diagnostic| Problem {
            place: place.clone(),
            source: source.clone(),
            diagnostic,
        }));
    }
    problems
}

/// What came in by standard input, which has to be UTF-8.
fn text(bytes: Vec<u8>) -> Result<String, Failure> {
    String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        // Up to there it is UTF-8: nothing is replaced.
        let before = String::from_utf8_lossy(error.as_bytes().get(..good).unwrap_or_default()).into_owned();
        let at = Place::of(&before, good);
        Failure::Failed(format!(
            "(standard input): line {}, column {}: this is not UTF-8",
            at.line, at.column
        ))
    })
}

/// Text of either language: what reads as one of them is good; else the one that was understood further speaks.
fn bare(source: String) -> Vec<Problem> {
    let limits = Limits::default();
    let (language, diagnostics) = match (when::parse(&source, &limits), then::parse(&source, &limits)) {
        (Ok(when), _) => ("when", when.warnings),
        (_, Ok(then)) => ("then", then.warnings),
        (Err(when), Err(then)) => {
            let reach = |errors: &[Diagnostic]| errors.first().map_or(0, |d| d.span.start);
            if reach(&then) > reach(&when) { ("then", then) } else { ("when", when) }
        }
    };
    let place = format!("(standard input): {language}");
    let problem = |diagnostic| Problem { place: place.clone(), source: source.clone(), diagnostic };
    diagnostics.into_iter().map(problem).collect()
}
