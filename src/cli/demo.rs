//! demo
use super::args::Global;
use super::output::Output;
use crate::error::Result;
pub(super) fn run(_: &Global, _: Output) -> Result<u8> {
    Ok(0)
}
