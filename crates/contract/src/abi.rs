//! The C layout: one exported function, two tables of functions, integers, and borrowed bytes.
//!
//! Bytes are borrowed for the duration of a call, so no memory changes owner and nothing needs to be freed.
//! An empty slice may be passed as `(null, 0)`. Tables grow only at their end; `struct_size` gives their length.

use core::ffi::c_void;

/// The symbol that a plugin library exports; its type is [`Entry`].
pub const SYMBOL: &str = "flowswap_plugin_v1";

/// The first field of [`PluginV1`], to recognize a foreign library that has the same symbol.
pub const MAGIC: u64 = u64::from_be_bytes(*b"FLOWSWAP");

/// Must be equal on both sides.
pub const ABI_VERSION: u32 = 1;

/// The type of [`SYMBOL`]. It is a function, because looking up a symbol is reliable only for functions.
/// The table that it returns lives as long as the library is loaded, that is, as long as the process.
pub type Entry = unsafe extern "C" fn() -> *const PluginV1;

/// What a plugin gives the host.
#[repr(C)]
pub struct PluginV1 {
    /// Always [`MAGIC`].
    pub magic: u64,
    /// Always [`ABI_VERSION`].
    pub abi_version: u32,
    /// The size of this table when the plugin was compiled. The host accepts its own size or more.
    pub struct_size: u32,
    /// Makes a plugin context. `host` outlives the context. Null means that the plugin refuses to start.
    /// Called once, on the thread that makes every later call.
    pub open: unsafe extern "C" fn(host: *const HostV1) -> *mut c_void,
    /// Handles one message: emits any number of messages, then returns. Copies the bytes that it keeps.
    /// Never called while another `deliver` runs. Returns 0, or a negative number if the context is unusable.
    pub deliver: unsafe extern "C" fn(ctx: *mut c_void, ptr: *const u8, len: usize) -> i32,
    /// Closes the context. This is the last call with the context, and it emits nothing.
    pub close: unsafe extern "C" fn(ctx: *mut c_void),
}

/// What the host gives a plugin.
#[repr(C)]
pub struct HostV1 {
    /// The size of this table when the host was compiled. A plugin accepts its own size or more.
    pub struct_size: u32,
    /// Zero.
    pub reserved: u32,
    /// Passed back in every call to the host.
    pub ctx: *mut c_void,
    /// Takes one message from the plugin and copies it. May be called only inside `deliver`, on the same thread.
    pub emit: unsafe extern "C" fn(ctx: *mut c_void, ptr: *const u8, len: usize),
}
