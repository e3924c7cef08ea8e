//! What the command prints with `--json`, held against the schema that the documentation gives.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;

use jsonschema::Validator;
use serde_json::Value;

use crate::overlay;
use crate::process::Server;

pub(crate) struct Schema {
    validator: Validator,
    events: BTreeSet<String>,
}

impl Schema {
    pub(crate) fn read() -> Self {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/events.schema.json");
        let schema: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        let names = schema["$defs"].as_object().unwrap().keys();
        let events = names.filter(|name| *name != "time").cloned().collect();
        let validator = jsonschema::validator_for(&schema).unwrap();
        Self { validator, events }
    }

    /// The names of the events in this output, each of which is as the schema says.
    pub(crate) fn names(&self, output: &str) -> BTreeSet<String> {
        let name = |line: &str| {
            let event: Value = serde_json::from_str(line).unwrap();
            assert!(self.validator.is_valid(&event), "not in the schema: {line}");
            event["event"].as_str().unwrap().to_owned()
        };
        output.lines().map(name).collect()
    }
}

#[test]
fn every_event_is_as_the_schema_says() {
    let schema = Schema::read();
    let server = Server::start();
    let mut root = server.root(1, &["--wait-for", "2", "--history", "0"]);
    let mut relay = server.join(1);
    relay.fact("joined");
    let mut orphan = server.join(1);
    assert_eq!(orphan.fact("joined")["depth"], 2);
    let mut standby = server.root(1, &[]);
    standby.fact("standby");
    standby.fact("joined");
    let mut stdin = root.stdin();
    stdin.write_all(b"one\n").unwrap();
    orphan.wait_for_line("one");
    relay.kill();
    stdin.write_all(b"two\n").unwrap();
    orphan.fact("reattached");
    root.fact("resumed");
    drop(stdin);
    let mut up = overlay(&["up", "--nodes", "2", "--json"]);
    up.fact("flow");
    up.signal("-INT");
    let outputs = [
        root.finish().1,
        orphan.finish().2,
        standby.finish().1,
        up.finish().1,
        server.stop(),
    ];
    let seen: BTreeSet<String> = outputs.iter().flat_map(|text| schema.names(text)).collect();
    assert!(seen.is_subset(&schema.events));
    for name in [
        "tree",
        "finished",
        "gap",
        "ended",
        "paused",
        "summary",
        "flow",
        "stream_ended",
        "join_passed",
    ] {
        assert!(seen.contains(name), "`{name}` did not happen: {seen:?}");
    }
}

#[test]
fn what_is_no_event_is_not_as_the_schema_says() {
    let schema = Schema::read();
    let time = "2026-01-02T03:04:05.678Z";
    for text in [
        r#"{"event":"resumed"}"#.to_owned(),
        r#"{"event":"resumed","time":"now"}"#.to_owned(),
        format!(r#"{{"event":"resumed","time":"{time}","more":1}}"#),
        format!(r#"{{"event":"unheard_of","time":"{time}"}}"#),
    ] {
        let event = serde_json::from_str(&text).unwrap();
        assert!(!schema.validator.is_valid(&event), "{text}");
    }
}

#[test]
fn the_documentation_names_every_event() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/events.md");
    let text = std::fs::read_to_string(file).unwrap();
    for event in Schema::read().events {
        assert!(text.contains(&format!("| `{event}` |")), "{event}");
    }
}
