//! Plans that people approve with their SSH keys before `flowswap apply` carries them out.

pub(crate) mod people;
mod refused;
mod started;
