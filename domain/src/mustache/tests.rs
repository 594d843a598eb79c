//! The official specification's tests, what it leaves open, and bombs.
#![expect(clippy::disallowed_methods, clippy::disallowed_types, reason = "the tests read files and a clock")]

use std::time::{Duration, Instant};

use super::*;
use crate::json::{Json, Limits, parse as json};

fn object(text: &str) -> Object {
    match json(text.as_bytes(), Limits::STORED).unwrap() {
        Json::Object(object) => object,
        other => panic!("{other}"),
    }
}

fn rendered(template: &str, data: &str, escape: Escape) -> String {
    Template::parse(template).unwrap().render(&[&object(data)], &BTreeMap::new(), escape).unwrap()
}

/// The specification's files ship with the `mustache` crate, a dev-dependency for their sake alone.
fn specification() -> Vec<Json> {
    let output = std::process::Command::new(env!("CARGO"))
        // One platform's packages: the others' need not have been downloaded.
        .args(["metadata", "--format-version", "1", "--filter-platform", "x86_64-unknown-linux-gnu"])
        .arg("--manifest-path")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .output()
        .unwrap();
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let package = packages.iter().find(|package| package["name"] == "mustache").unwrap();
    let folder =
        std::path::Path::new(package["manifest_path"].as_str().unwrap()).with_file_name("spec/specs");
    ["interpolation", "sections", "inverted", "comments", "delimiters", "partials"]
        .into_iter()
        .flat_map(|name| {
            let text = std::fs::read(folder.join(name).with_extension("json")).unwrap();
            json(&text, Limits::STORED).unwrap().get("tests").unwrap().as_array().unwrap().to_vec()
        })
        .collect()
}

#[test]
fn the_official_specification_is_met() {
    let tests = specification();
    assert!(tests.len() > 100);
    for test in tests {
        let text = |name: &str| test.get(name).and_then(Json::as_text).unwrap();
        // An unknown partial is an error here, not nothing.
        if text("name") == "Failed Lookup" {
            continue;
        }
        let partials =
            test.get("partials").and_then(Json::as_object).map_or_else(BTreeMap::new, |partials| {
                let parsed = |text: &Json| Template::parse(text.as_text().unwrap()).unwrap();
                partials.iter().map(|(id, text)| (TemplateId::from(id), parsed(text))).collect()
            });
        let data = test.get("data").and_then(Json::as_object).cloned().unwrap_or_default();
        let result =
            Template::parse(text("template")).map_err(|error| error.to_string()).and_then(|template| {
                template.render(&[&data], &partials, Escape::Html).map_err(|error| error.to_string())
            });
        assert_eq!(result.as_deref(), Ok(text("expected")), "{}: {}", text("name"), text("desc"));
    }
}

#[test]
fn values_print_as_their_own_text_and_escape_by_channel() {
    let data = r#"{"t":"O'Neil & <b>","n":1.50,"big":12345678901234567890,"yes":true,"no":false,"nil":null,
        "list":[1,"a"],"map":{"k":"v"},"a.b":"whole","a":{"b":"walked","c":"walked"}}"#;
    for (template, plain, html) in [
        ("{{t}}", "O'Neil & <b>", "O&#39;Neil &amp; &lt;b&gt;"),
        ("{{{t}}}{{&t}}", "O'Neil & <b>O'Neil & <b>", "O'Neil & <b>O'Neil & <b>"),
        ("{{n}} {{big}} {{yes}} {{no}} [{{nil}}{{missing}}]", "1.50 12345678901234567890 true false []", ""),
        ("{{list}} {{map}}", r#"[1,"a"] {"k":"v"}"#, "[1,&quot;a&quot;] {&quot;k&quot;:&quot;v&quot;}"),
        ("{{a.b}} {{a.c}} {{a.d}}{{t.x}}", "whole walked ", "whole walked "),
    ] {
        assert_eq!(rendered(template, data, Escape::None), plain);
        if !html.is_empty() {
            assert_eq!(rendered(template, data, Escape::Html), html);
        }
    }
}

#[test]
fn what_is_false_skips_a_section_and_takes_its_inverse() {
    let data = r#"{"nil":null,"no":false,"empty":"","none":[],"zero":0,"text":"x","map":{},"list":[false]}"#;
    for (name, truth) in [
        ("missing", false),
        ("nil", false),
        ("no", false),
        ("empty", false),
        ("none", false),
        ("zero", true),
        ("text", true),
        ("map", true),
        ("list", true),
    ] {
        let template = format!("{{{{#{name}}}}}yes{{{{/{name}}}}}{{{{^{name}}}}}no{{{{/{name}}}}}");
        assert_eq!(rendered(&template, data, Escape::None), if truth { "yes" } else { "no" }, "{name}");
    }
}

#[test]
fn later_layers_hide_earlier_ones() {
    let (context, variables) = (object(r#"{"a":1,"b":2,"c":{"d":3}}"#), object(r#"{"b":9,"c":{}}"#));
    let template = Template::parse("{{a}} {{b}} [{{c.d}}]").unwrap();
    let text = template.render(&[&context, &variables], &BTreeMap::new(), Escape::None);
    assert_eq!(text.as_deref(), Ok("1 9 []"));
}

#[test]
fn each_fault_names_its_place() {
    for (source, line, column, part) in [
        ("a\n b{{name", 2, 3, "never closed"),
        ("{{{name}}", 1, 1, "never closed"),
        ("{{a}", 1, 1, "never closed"),
        ("é{{a} {{b}}", 1, 2, "not a name"),
        ("{{}}", 1, 1, "no name"),
        ("x\n{{#a}}\n{{^b}}{{/b}}", 2, 1, "{{#a}} is opened but never closed"),
        ("{{/a}}", 1, 1, "not open"),
        ("{{#a}}\n  {{/b}}", 2, 3, "opened at line 1, column 1; found {{/b}}"),
        ("{{=<%=}}", 1, 1, "two delimiters"),
    ] {
        let error = Template::parse(source).unwrap_err();
        assert_eq!((error.line, error.column), (line, column), "{source:?}: {error}");
        assert!(error.message.contains(part), "{source:?}: {error}");
    }
}

#[test]
fn partials_are_found_by_id_and_unknown_ones_are_an_error() {
    let template = Template::parse("{{>TM3}}{{#a}}{{> TM2 }}{{>TM3}}{{/a}}").unwrap();
    assert_eq!(template.partials(), ["TM2".into(), "TM3".into()]);
    let partials = BTreeMap::from([("TM3".into(), Template::parse("x").unwrap())]);
    let data = object(r#"{"a":true}"#);
    let result = template.render(&[&data], &partials, Escape::None);
    assert_eq!(result, Err(RenderError::Unknown("TM2".into())));
}

#[test]
fn bombs_are_refused_quickly() {
    let start = Instant::now();
    let bound = |template: &str, data: &str, partials: &[(&str, &str)]| {
        let parsed = |text: &str| Template::parse(text).unwrap();
        let partials = partials.iter().map(|(id, text)| (TemplateId::from(*id), parsed(text))).collect();
        parsed(template).render(&[&object(data)], &partials, Escape::Html)
    };
    let list = |element: &str, n: usize| format!(r#"{{"l":[{}]}}"#, vec![element; n].join(","));
    let nested = |body: &str| format!("{0}{body}{1}", "{{#l}}".repeat(4), "{{/l}}".repeat(4));
    // 50 items, four loops deep: 62 MB of output; and the same with nothing written at all.
    let output = bound(&nested("0123456789"), &list("1", 50), &[]);
    assert_eq!(output, Err(RenderError::Bound("writes more than 256 KiB")));
    let work = bound(&nested("{{x}}"), &list("1", 100), &[]);
    assert_eq!(work, Err(RenderError::Bound("takes too much work")));
    let deep = bound("{{>TM1}}", "{}", &[("TM1", "{{>TM1}}")]);
    assert_eq!(deep, Err(RenderError::Bound("names partials that are nested too deep")));
    let wide = bound("{{>TM1}}", "{}", &[("TM1", "{{>TM1}}{{>TM1}}")]);
    assert!(matches!(wide, Err(RenderError::Bound(_))));

    for source in [
        "{{#a}}".repeat(40_000),
        "{{#a}}{{/a}}".repeat(20_000),
        "{{!a}} ".repeat(30_000),
        "{{".repeat(120_000),
        format!("{{{{a}}}}{}", " ".repeat(240_000)),
        "{{=a b=}}".to_owned() + &"a=a b=b".repeat(30_000),
    ] {
        let _ = Template::parse(&source);
    }
    assert!(Template::parse(&"{{#a}}".repeat(17)).unwrap_err().message.contains("nested"));
    assert!(Template::parse(&" ".repeat(MAX_SOURCE + 1)).unwrap_err().message.contains("longer"));
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
}

proptest::proptest! {
    #[test]
    fn parsing_and_rendering_never_panic(source in "([a\\n \\{\\}#/^>&!=.é]|\\{\\{|\\}\\}){0,40}") {
        if let Ok(template) = Template::parse(&source) {
            let data = object(r#"{"a":[{"a":"é"},1],"é":{"a":true}}"#);
            let _ = template.render(&[&data], &BTreeMap::new(), Escape::Html);
        }
    }
}

#[test]
fn partials_are_found_where_they_are_named() {
    let names = |source: &str| {
        let places = Template::partials_in(source).unwrap().into_iter();
        places.map(|place| source[place].to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(
        names("{{>TM1}} {{#a}}\n  {{> TM2 }}\n{{/a}}{{!> TM3}}{{=x xx=}}x>TM4 xx x> x xx"),
        ["TM1", "TM2", "TM4", "x"]
    );
    assert!(Template::partials_in("{{> a").is_err());
}
