//! A node's configuration, from an object of JavaScript.

use js_sys::Reflect;
use overlay_core::wire::OverlayName;
use overlay_core::{Config, Epoch, Policy, Position, SlowPolicy, Start};
use wasm_bindgen::{JsError, JsValue};

use crate::object::{duration, number};

/// The configuration with these options; those that are not there have their defaults.
pub(crate) fn config(options: &JsValue) -> Result<Config, JsError> {
    let mut config = Config {
        start: start(options)?,
        ..Config::default()
    };
    if let Some(name) = text(options, "overlay") {
        config.overlay = OverlayName::new(name)?;
    }
    if let Some(degree) = count(options, "maxDegree")? {
        config.max_degree = u16::try_from(degree).unwrap_or(u16::MAX);
    }
    if let Some(history) = count(options, "history")? {
        config.history = usize::try_from(history).unwrap_or(usize::MAX);
    }
    if let Some(max) = count(options, "maxMessage")? {
        config.max_message = usize::try_from(max).unwrap_or(usize::MAX);
    }
    if let Some(policy) = text(options, "policy") {
        config.policy = policy.parse::<Policy>()?;
    }
    if let Some(slow) = text(options, "slow") {
        config.slow = slow.parse::<SlowPolicy>()?;
    }
    if let Some(milliseconds) = count(options, "retryMin")? {
        #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
        let min = duration(milliseconds as f64);
        config.retry_min = min;
        config.retry_max = config.retry_max.max(min);
    }
    Ok(config)
}

fn start(options: &JsValue) -> Result<Start, JsError> {
    let from = field(options, "from");
    match from.as_string().as_deref() {
        Some("oldest") => return Ok(Start::Oldest),
        Some("live") => return Ok(Start::Live),
        None if from.is_undefined() => return Ok(Start::Live),
        _ => {}
    }
    let wrong = || JsError::new("from is \"live\", \"oldest\" or a position");
    let root = text(&from, "root").and_then(|root| root.parse().ok());
    let epoch = field(&from, "epoch").as_f64();
    let offset = field(&from, "offset").as_f64();
    match (root, epoch, offset) {
        (Some(root), Some(epoch), Some(offset)) => Ok(Start::At(Position {
            root,
            epoch: Epoch(number(epoch)),
            offset: number(offset),
        })),
        _ => Err(wrong()),
    }
}

fn field(object: &JsValue, name: &str) -> JsValue {
    // It fails only of what is no object.
    Reflect::get(object, &name.into()).unwrap_or_default()
}

fn text(object: &JsValue, name: &str) -> Option<String> {
    field(object, name).as_string()
}

fn count(object: &JsValue, name: &str) -> Result<Option<u64>, JsError> {
    let value = field(object, name);
    if value.is_undefined() {
        return Ok(None);
    }
    match value.as_f64() {
        Some(value) if value >= 0.0 && value.fract() == 0.0 => Ok(Some(number(value))),
        _ => Err(JsError::new(&format!(
            "{name} is a whole number, not below 0"
        ))),
    }
}
