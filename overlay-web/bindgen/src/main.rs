//! `overlay-web-bindgen WASM DIR`: writes the module and its JavaScript to a directory, as `wasm-bindgen --target web` does.
//!
//! The official command does the same and much more, and takes three times as long to build.
#![forbid(unsafe_code)]

use std::env::args_os;
use std::error::Error;
use std::path::PathBuf;

use wasm_bindgen_cli_support::Bindgen;

fn main() -> Result<(), Box<dyn Error>> {
    let mut paths = args_os().skip(1).map(PathBuf::from);
    let (Some(input), Some(output)) = (paths.next(), paths.next()) else {
        return Err("usage: overlay-web-bindgen WASM DIR".into());
    };
    let mut bindgen = Bindgen::new();
    bindgen.input_path(input).web(true)?.typescript(true);
    bindgen.omit_default_module_path(true);
    bindgen.generate(output)?;
    Ok(())
}
