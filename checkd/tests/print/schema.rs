//! JSON is what packaging/schema says, and nothing stands there that is never printed.

use serde_json::Value;
use std::collections::BTreeSet;

/// The schema of this version.
pub fn schema() -> Value {
    serde_json::from_str(include_str!("../../../packaging/schema/print-config-1.schema.json")).unwrap()
}

/// Checks a document. `seen` collects the places in the schema of every member that was there.
pub fn check(schema: &Value, document: &Value, seen: &mut BTreeSet<String>) -> Result<(), String> {
    Check { root: schema, seen }.value(schema, "#", document, "")
}

/// The places of all members that the schema describes.
pub fn members(schema: &Value) -> BTreeSet<String> {
    fn walk(node: &Value, place: &str, all: &mut BTreeSet<String>) {
        let Some(object) = node.as_object() else { return };
        for (key, child) in object {
            if matches!(key.as_str(), "properties" | "$defs") {
                for (name, child) in child.as_object().unwrap() {
                    let place = format!("{place}/{key}/{name}");
                    if key == "properties" {
                        all.insert(place.clone());
                    }
                    walk(child, &place, all);
                }
            } else if let Some(list) = child.as_array() {
                list.iter().enumerate().for_each(|(n, child)| walk(child, &format!("{place}/{key}/{n}"), all));
            } else {
                walk(child, &format!("{place}/{key}"), all);
            }
        }
    }
    let mut all = BTreeSet::new();
    walk(schema, "#", &mut all);
    all
}

/// What of JSON Schema (2020-12) the schema uses; another word in it is an error.
struct Check<'s> {
    root: &'s Value,
    seen: &'s mut BTreeSet<String>,
}

impl Check<'_> {
    fn value(&mut self, schema: &Value, place: &str, value: &Value, at: &str) -> Result<(), String> {
        let wrong = |why: String| Err(format!("{at}: {why}"));
        for (word, rule) in schema.as_object().unwrap() {
            match word.as_str() {
                "$schema" | "$id" | "$defs" | "title" | "description" | "required" | "additionalProperties" => {}
                "$ref" => {
                    let target = rule.as_str().unwrap();
                    let there = self.root.pointer(&target[1..]).unwrap_or_else(|| panic!("{target} leads nowhere"));
                    self.value(there, target, value, at)?;
                }
                "type" => {
                    let is = |name: &Value| match name.as_str().unwrap() {
                        "object" => value.is_object(),
                        "array" => value.is_array(),
                        "string" => value.is_string(),
                        "boolean" => value.is_boolean(),
                        "number" => value.is_number(),
                        "integer" => {
                            value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|n| n.fract() == 0.0)
                        }
                        other => panic!("type {other}"),
                    };
                    if !rule.as_array().map_or_else(|| is(rule), |any| any.iter().any(is)) {
                        return wrong(format!("{value} is not of type {rule}"));
                    }
                }
                "const" if value != rule => return wrong(format!("{value} is not {rule}")),
                "enum" if !rule.as_array().unwrap().contains(value) => {
                    return wrong(format!("{value} is not in {rule}"));
                }
                "const" | "enum" => {}
                "minimum" if value.as_f64().is_some_and(|n| n < rule.as_f64().unwrap()) => {
                    return wrong(format!("{value} is below {rule}"));
                }
                "minItems" if value.as_array().is_some_and(|a| (a.len() as u64) < rule.as_u64().unwrap()) => {
                    return wrong("too few items".to_owned());
                }
                "minimum" | "minItems" => {}
                "pattern" => {
                    // The only one there is.
                    assert_eq!(rule, "^([0-9a-f]{2})*$");
                    let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
                    if value.as_str().is_some_and(|text| !text.len().is_multiple_of(2) || !text.bytes().all(hex)) {
                        return wrong(format!("{value} is not hexadecimal"));
                    }
                }
                "items" => {
                    for (n, item) in value.as_array().into_iter().flatten().enumerate() {
                        self.value(rule, &format!("{place}/items"), item, &format!("{at}/{n}"))?;
                    }
                }
                "properties" => self.object(schema, rule, place, value, at)?,
                "oneOf" => self.one_of(rule, place, value, at)?,
                other => panic!("the schema uses `{other}`, which this test does not know"),
            }
        }
        Ok(())
    }

    fn object(&mut self, schema: &Value, known: &Value, place: &str, value: &Value, at: &str) -> Result<(), String> {
        assert_eq!(schema["additionalProperties"], Value::Bool(false), "{place}: what is unknown must be refused");
        let Some(members) = value.as_object() else { return Ok(()) };
        for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !members.contains_key(name) {
                return Err(format!("{at}: `{name}` is missing"));
            }
        }
        for (name, member) in members {
            let Some(rule) = known.get(name) else { return Err(format!("{at}: `{name}` is not in the schema")) };
            let place = format!("{place}/properties/{name}");
            self.value(rule, &place, member, &format!("{at}/{name}"))?;
            self.seen.insert(place);
        }
        Ok(())
    }

    fn one_of(&mut self, rules: &Value, place: &str, value: &Value, at: &str) -> Result<(), String> {
        let mut problems = Vec::new();
        let mut fitting = 0;
        for (n, rule) in rules.as_array().unwrap().iter().enumerate() {
            match self.value(rule, &format!("{place}/oneOf/{n}"), value, at) {
                Ok(()) => fitting += 1,
                Err(why) => problems.push(why),
            }
        }
        if fitting == 1 { Ok(()) } else { Err(format!("{at}: {fitting} choices fit: {problems:#?}")) }
    }
}

#[test]
fn what_is_unknown_or_missing_is_refused() {
    let bundle = super::common::read(
        b"vrrp_instance A {\ninterface eth0\nvirtual_router_id 1\nvirtual_ipaddress {\n192.0.2.1\n}\n}\n",
    )
    .bundle
    .unwrap();
    let text = super::common::json(&bundle);
    let good: Value = serde_json::from_slice(&text).unwrap();
    let schema = schema();
    let mut seen = BTreeSet::new();
    assert_eq!(check(&schema, &good, &mut seen), Ok(()));
    let instance = |change: fn(&mut serde_json::Map<String, Value>)| {
        let mut document = good.clone();
        change(document["vrrp_instance"][0].as_object_mut().unwrap());
        check(&schema, &document, &mut BTreeSet::new())
    };
    assert!(instance(|i| drop(i.insert("x".into(), Value::Null))).is_err());
    assert!(instance(|i| drop(i.remove("priority"))).is_err());
    assert!(instance(|i| drop(i.insert("priority".into(), "100".into()))).is_err());
    assert!(instance(|i| drop(i.insert("state".into(), "SLAVE".into()))).is_err());
}
