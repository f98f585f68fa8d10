//! The C side of a plugin: the only place of the SDK with `unsafe`.
#![expect(unsafe_code, reason = "raw pointers cross the C boundary here, and nowhere else in the SDK")]

use std::{
    ffi::c_void,
    panic::{AssertUnwindSafe, catch_unwind},
};

use super::{Plugin, Runtime};
use crate::abi::{ABI_VERSION, HostV1, MAGIC, PluginV1};

#[cfg(panic = "abort")]
compile_error!("build plugins with panic = \"unwind\": with any other setting, a panic ends the plugin process");

struct Ctx<P> {
    host: *const HostV1,
    runtime: Runtime<P>,
    /// Set by a panic that escaped from the runtime, whose state is then unreliable.
    poisoned: bool,
}

/// The table for `P`, which [`export_plugin!`](crate::export_plugin) exports.
pub const fn table<P: Plugin>() -> PluginV1 {
    PluginV1 {
        magic: MAGIC,
        abi_version: ABI_VERSION,
        struct_size: size_of::<PluginV1>() as u32,
        open: open::<P>,
        deliver: deliver::<P>,
        close: close::<P>,
    }
}

/// # Safety
/// `host` is null or points to a [`HostV1`] that outlives the context.
unsafe extern "C" fn open<P: Plugin>(host: *const HostV1) -> *mut c_void {
    // SAFETY: the caller promises that a host that is not null can be read.
    let accepted = !host.is_null() && unsafe { (*host).struct_size } as usize >= size_of::<HostV1>();
    if !accepted {
        return std::ptr::null_mut();
    }
    Box::into_raw(Box::new(Ctx::<P> { host, runtime: Runtime::default(), poisoned: false })).cast()
}

/// # Safety
/// `ctx` comes from [`open`] of the same `P` and is not closed; `ptr` and `len` are readable for this call;
/// no other call with `ctx` is running.
unsafe extern "C" fn deliver<P: Plugin>(ctx: *mut c_void, ptr: *const u8, len: usize) -> i32 {
    if ctx.is_null() {
        return -1;
    }
    // SAFETY: the caller promises that `ctx` comes from `open` and that no other call uses it now.
    let ctx = unsafe { &mut *ctx.cast::<Ctx<P>>() };
    if ctx.poisoned {
        return -2;
    }
    // An empty slice may come as (null, 0), which must not reach `from_raw_parts`.
    // SAFETY: the caller promises that the bytes are readable for this call.
    let bytes = if len == 0 { &[] } else { unsafe { std::slice::from_raw_parts(ptr, len) } };
    match catch_unwind(AssertUnwindSafe(|| ctx.runtime.deliver_bytes(bytes))) {
        Ok(messages) => {
            for message in messages {
                // SAFETY: `open` saw a complete table, which outlives the context; we are inside `deliver`.
                unsafe { ((*ctx.host).emit)((*ctx.host).ctx, message.as_ptr(), message.len()) };
            }
            0
        }
        Err(payload) => {
            // Dropping the payload could panic again, and nothing would catch that.
            std::mem::forget(payload);
            ctx.poisoned = true;
            -3
        }
    }
}

/// # Safety
/// `ctx` comes from [`open`] of the same `P`, and this is the last call with it.
unsafe extern "C" fn close<P: Plugin>(ctx: *mut c_void) {
    if !ctx.is_null() {
        // SAFETY: the caller gives the context back.
        let ctx = unsafe { Box::from_raw(ctx.cast::<Ctx<P>>()) };
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(ctx))) {
            // Dropping the payload could panic again, and nothing would catch that.
            std::mem::forget(payload);
        }
    }
}

/// Exports a [`Plugin`](crate::sdk::Plugin) as the library's entry.
#[macro_export]
macro_rules! export_plugin {
    ($plugin:ty) => {
        const _: () = {
            static TABLE: $crate::abi::PluginV1 = $crate::sdk::export::table::<$plugin>();

            // The name is `abi::SYMBOL`. Two plugins linked into one binary would clash here, so no crate may depend on
            // a plugin.
            #[unsafe(export_name = "flowswap_plugin_v1")]
            extern "C" fn entry() -> *const $crate::abi::PluginV1 {
                &raw const TABLE
            }
        };
    };
}
