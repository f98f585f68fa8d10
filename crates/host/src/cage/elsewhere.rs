//! Where there is no cage.

use std::{os::fd::BorrowedFd, path::Path};

use super::CageError;

pub(super) const EXISTS: bool = false;

const NONE: &str = "flowswap has a cage only on Linux, on x86_64 and aarch64";

pub(super) fn describe() -> Result<String, String> {
    Err(NONE.to_owned())
}

pub(crate) fn close_inherited(_: &Path) -> Result<(), CageError> {
    Err(CageError { what: NONE, source: None })
}

pub(crate) fn close(_: &Path, _: BorrowedFd<'_>) -> Result<(), CageError> {
    Err(CageError { what: NONE, source: None })
}

pub(crate) fn finish_loading() -> Result<(), CageError> {
    Err(CageError { what: NONE, source: None })
}
