//! Loads a plugin's library, with most of the `unsafe` code of this crate. Outside of simulations, only the plugin process
//! runs this code.
#![expect(unsafe_code, reason = "loading a library and calling through its table of C functions")]

use std::{
    cell::{Cell, RefCell},
    ffi::c_void,
    mem::offset_of,
    path::Path,
    thread::{self, ThreadId},
};

use flowswap_contract::abi::{ABI_VERSION, Entry, HostV1, MAGIC, PluginV1, SYMBOL};
use libloading::os::unix::{Library as Dl, RTLD_LOCAL, RTLD_NOW};

use crate::budget::{MESSAGE, REACTION};

/// A loaded plugin with its only context. The raw pointers make it `!Send`, so it stays on the thread that loaded it.
pub(crate) struct Library {
    table: &'static PluginV1,
    ctx: *mut c_void,
    outbox: &'static Outbox,
}

/// Why a file is not loaded as a plugin.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    #[error("failed to load it as a library")]
    Open(#[source] libloading::Error),
    #[error("it is a library, but not a flowswap plugin: it has no `{SYMBOL}`")]
    Symbol(#[source] libloading::Error),
    #[error("it is not a flowswap plugin: its table is {0}")]
    Table(&'static str),
    #[error("it was built for another flowswap: its ABI version is {found}, this one is {ABI_VERSION}")]
    Version { found: u32 },
    #[error("it was built for an older flowswap: its table has {found} bytes, {} are needed", size_of::<PluginV1>())]
    Size { found: u32 },
    #[error("it refused to start")]
    Refused,
}

/// Why a message was not handled.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DeliverError {
    #[error("the plugin cannot continue (code {0})")]
    Unusable(i32),
    #[error("{MESSAGE}")]
    TooLong,
    #[error("{REACTION}")]
    TooMuch,
}

/// What a message counts for beside its length. Messages are held in memory until `deliver` returns, and a plugin that floods
/// the host may never return.
const COST_OF_MESSAGE: usize = 64;

/// Where `emit` puts messages.
#[derive(Debug)]
struct Outbox {
    thread: ThreadId,
    /// The messages of the running `deliver`; `None` while no `deliver` runs.
    emitted: RefCell<Option<Result<Vec<Vec<u8>>, DeliverError>>>,
    /// The total size of these messages in bytes.
    size: Cell<usize>,
}

impl Library {
    /// Loads the file and makes the plugin's context. Never unloads it: thread-local destructors of the library may
    /// run as late as at the end of the process (rust-lang/rust#59629), so unloading is never safe.
    pub(crate) fn load(path: &Path) -> Result<Self, LoadError> {
        // `RTLD_NOW`: a missing symbol must fail now, not in the middle of a migration. `RTLD_LOCAL`: a plugin's symbols
        // must not become visible to other libraries.
        // SAFETY: this runs the library's initializers. They can do anything to this process, which has nothing to lose: its
        // cage is closed. Without the cage, the operator trusts the library.
        let library = unsafe { Dl::open(Some(path), RTLD_NOW | RTLD_LOCAL) }.map_err(LoadError::Open)?;
        // SAFETY: the symbol is only called after this, and its type is fixed by its name, which has the version.
        let entry = unsafe { library.get::<Entry>(SYMBOL) }.map(|symbol| *symbol);
        // Dropping the library would unload it.
        let _ = library.into_raw();
        // SAFETY: a library that exports this name promises that it has this type.
        let table = unsafe { (entry.map_err(LoadError::Symbol)?)() };
        // SAFETY: by the contract, the table lives as long as the library is loaded, and it is never unloaded.
        unsafe { Self::start(table) }
    }

    /// # Safety
    /// `table` is null, or points to memory that never changes and is as long as its `struct_size` says.
    unsafe fn start(table: *const PluginV1) -> Result<Self, LoadError> {
        if table.is_null() {
            return Err(LoadError::Table("missing"));
        }
        if !table.is_aligned() {
            return Err(LoadError::Table("misaligned"));
        }
        // Reads field by field: it is not known to be a `PluginV1` until the magic, the version, and the size are checked.
        // SAFETY: the caller promises readable memory, and every table of this symbol starts with these fields.
        let (magic, version, size) = unsafe {
            (
                (&raw const (*table).magic).read(),
                (&raw const (*table).abi_version).read(),
                (&raw const (*table).struct_size).read(),
            )
        };
        if magic != MAGIC {
            return Err(LoadError::Table("something else"));
        }
        if version != ABI_VERSION {
            return Err(LoadError::Version { found: version });
        }
        if (size as usize) < size_of::<PluginV1>() {
            return Err(LoadError::Size { found: size });
        }
        for function in [offset_of!(PluginV1, open), offset_of!(PluginV1, deliver), offset_of!(PluginV1, close)] {
            // A null function pointer must not be read as a function pointer.
            // SAFETY: the offsets lie within the size that was just checked, and hold pointers.
            if unsafe { table.byte_add(function).cast::<*const c_void>().read() }.is_null() {
                return Err(LoadError::Table("incomplete"));
            }
        }
        // SAFETY: all fields were checked, and the memory never changes.
        let table: &'static PluginV1 = unsafe { &*table };

        let outbox: &'static Outbox = Box::leak(Box::new(Outbox {
            thread: thread::current().id(),
            emitted: RefCell::new(None),
            size: Cell::new(0),
        }));
        let host: &'static HostV1 = Box::leak(Box::new(HostV1 {
            struct_size: size_of::<HostV1>() as u32,
            reserved: 0,
            ctx: (&raw const *outbox).cast_mut().cast(),
            emit,
        }));
        // SAFETY: the host table lives forever, and every later call is made on this thread.
        let ctx = unsafe { (table.open)(host) };
        if ctx.is_null() { Err(LoadError::Refused) } else { Ok(Self { table, ctx, outbox }) }
    }

    /// Lets the plugin handle one message and returns what it emits.
    pub(crate) fn deliver(&mut self, message: &[u8]) -> Result<Vec<Vec<u8>>, DeliverError> {
        self.outbox.emitted.replace(Some(Ok(Vec::new())));
        self.outbox.size.set(0);
        // SAFETY: the context comes from `open` of the same table and is not closed. This thread made it, because the
        // value is not `Send`. `&mut self` prevents a second `deliver`. The bytes outlive the call.
        let code = unsafe { (self.table.deliver)(self.ctx, message.as_ptr(), message.len()) };
        let emitted = self.outbox.emitted.take().unwrap_or(Ok(Vec::new()));
        if code == 0 { emitted } else { Err(DeliverError::Unusable(code)) }
    }
}

impl Drop for Library {
    fn drop(&mut self) {
        // SAFETY: this is the last call with the context, on its thread.
        unsafe { (self.table.close)(self.ctx) };
    }
}

/// Takes a message from the plugin. Drops a message from another thread, or from outside of `deliver`, because it breaks
/// the contract.
///
/// # Safety
/// `ctx` is the one that the host handed out; `ptr` and `len` are readable for this call.
unsafe extern "C" fn emit(ctx: *mut c_void, ptr: *const u8, len: usize) {
    // SAFETY: the context that the host hands out is an `Outbox` that lives forever. Other threads may read its
    // `thread`, which never changes.
    let outbox = unsafe { &*ctx.cast::<Outbox>().cast_const() };
    if outbox.thread != thread::current().id() {
        return;
    }
    let Ok(mut emitted) = outbox.emitted.try_borrow_mut() else { return };
    let Some(messages) = emitted.as_mut() else { return };
    if len > MESSAGE.limit {
        *messages = Err(DeliverError::TooLong);
        return;
    }
    outbox.size.set(outbox.size.get().saturating_add(len + COST_OF_MESSAGE));
    if outbox.size.get() > REACTION.limit {
        *messages = Err(DeliverError::TooMuch);
        return;
    }
    // SAFETY: the plugin promises readable bytes. An empty slice may come as (null, 0), which must not reach
    // `from_raw_parts`.
    let bytes = if len == 0 { &[] } else { unsafe { std::slice::from_raw_parts(ptr, len) } };
    if let Ok(messages) = messages {
        messages.push(bytes.to_vec());
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::{fs, ptr};

    use super::*;
    use crate::chain;

    fn load_error(path: &Path) -> String {
        Library::load(path).map(drop).map_err(|error| chain(&error)).unwrap_err()
    }

    #[test]
    fn a_file_that_is_not_a_library_and_a_library_that_is_not_a_plugin_give_different_errors() {
        let dir = crate::testing::folder();
        let path = dir.path().join("text.so");
        fs::write(&path, "text").unwrap();
        let error = load_error(&path);
        assert!(error.starts_with("failed to load it as a library: "), "{error}");
        // The C library that this test is linked with.
        let maps = fs::read_to_string("/proc/self/maps").unwrap_or_default();
        if let Some(libc) = maps.lines().filter_map(|l| l.split_whitespace().last()).find(|p| p.contains("/libc.so")) {
            let error = load_error(Path::new(libc));
            assert!(
                error.starts_with("it is a library, but not a flowswap plugin: it has no `flowswap_plugin_v1`: "),
                "{error}"
            );
        }
    }

    unsafe extern "C" fn open(host: *const HostV1) -> *mut c_void {
        host.cast_mut().cast()
    }

    unsafe extern "C" fn refuse(_: *const HostV1) -> *mut c_void {
        ptr::null_mut()
    }

    /// Emits the message twice, then an empty one; fails for an empty message.
    unsafe extern "C" fn deliver(ctx: *mut c_void, message: *const u8, len: usize) -> i32 {
        // SAFETY: `open` makes a context of the host's table, which lives forever.
        let host = unsafe { &*ctx.cast::<HostV1>().cast_const() };
        for (message, len) in [(message, len), (message, len), (ptr::null(), 0)] {
            // SAFETY: the message is lent for this call, and (null, 0) is an empty slice.
            unsafe { (host.emit)(host.ctx, message, len) };
        }
        if len == 0 { -2 } else { 0 }
    }

    unsafe extern "C" fn close(_: *mut c_void) {}

    const TABLE: PluginV1 = PluginV1 {
        magic: MAGIC,
        abi_version: ABI_VERSION,
        struct_size: size_of::<PluginV1>() as u32,
        open,
        deliver,
        close,
    };

    fn start(table: PluginV1) -> Result<Library, LoadError> {
        // SAFETY: the table is leaked, and complete.
        unsafe { Library::start(Box::leak(Box::new(table))) }
    }

    #[test]
    fn emitted_messages_are_returned_in_order() {
        let mut library = start(TABLE).unwrap();
        assert_eq!(library.deliver(b"ab").unwrap(), [&b"ab"[..], b"ab", b""]);
        assert_eq!(library.deliver(b"c").unwrap(), [&b"c"[..], b"c", b""]);
        assert!(matches!(library.deliver(b""), Err(DeliverError::Unusable(-2))));
    }

    #[test]
    fn a_message_emitted_outside_of_deliver_is_dropped() {
        let mut library = start(TABLE).unwrap();
        // SAFETY: the context of `open` above is the host's table.
        let host = unsafe { &*library.ctx.cast::<HostV1>().cast_const() };
        // SAFETY: the bytes are readable.
        unsafe { (host.emit)(host.ctx, b"x".as_ptr(), 1) };
        assert_eq!(library.deliver(b"c").unwrap().len(), 3);
    }

    /// Emits 16 KiB for every byte of the message.
    unsafe extern "C" fn flood(ctx: *mut c_void, _: *const u8, len: usize) -> i32 {
        let message = [b'x'; 16 * 1024];
        for _ in 0..len {
            // SAFETY: `open` makes a context of the host's table, which lives forever.
            let host = unsafe { &*ctx.cast::<HostV1>().cast_const() };
            // SAFETY: the bytes are readable.
            unsafe { (host.emit)(host.ctx, message.as_ptr(), message.len()) };
        }
        0
    }

    /// The error of a flood of messages.
    pub(crate) fn flood_beyond_the_budget() -> String {
        let mut library = start(PluginV1 { deliver: flood, ..TABLE }).unwrap();
        assert_eq!(library.deliver(&[b' '; 4000]).unwrap().len(), 4000);
        let error = library.deliver(&[b' '; 5000]).unwrap_err();
        assert_eq!(library.deliver(&[b' '; 4000]).unwrap().len(), 4000, "the limit applies to each message");
        error.to_string()
    }

    /// Emits from another thread during `deliver`.
    unsafe extern "C" fn deliver_elsewhere(ctx: *mut c_void, _: *const u8, _: usize) -> i32 {
        let ctx = ctx.expose_provenance();
        thread::spawn(move || {
            // SAFETY: `open` makes a context of the host's table, which lives forever.
            let host = unsafe { &*ptr::with_exposed_provenance::<HostV1>(ctx) };
            // SAFETY: the bytes are readable.
            unsafe { (host.emit)(host.ctx, b"x".as_ptr(), 1) };
        })
        .join()
        .map_or(-1, |()| 0)
    }

    #[test]
    fn a_message_emitted_by_another_thread_is_dropped() {
        let mut library = start(PluginV1 { deliver: deliver_elsewhere, ..TABLE }).unwrap();
        assert_eq!(library.deliver(b"c").unwrap(), [b""; 0]);
    }

    #[test]
    fn a_plugin_made_with_the_sdk_is_loaded() {
        use flowswap_contract::*;

        struct Nothing;
        impl sdk::Plugin for Nothing {
            fn hello() -> PluginHello {
                PluginHello {
                    name: "nothing".into(),
                    version: "1".into(),
                    protocol: PROTOCOL,
                    features: vec![],
                    roles: vec![],
                    config: vec![],
                    origins: vec![],
                    token_paths: vec![],
                    headers: None,
                }
            }
            fn open(_: Open) -> Result<Self, Error> {
                Ok(Self)
            }
            async fn detect(&self, _: &sdk::Host) -> Result<Inventory, Error> {
                Err(sdk::unsupported("detect"))
            }
            fn plan(&self, _: PlanParams) -> Result<Vec<StepProposal>, Error> {
                Ok(vec![])
            }
            async fn observe(&self, _: &sdk::Host, _: StepParams) -> Result<ObserveReply, Error> {
                Err(sdk::unsupported("observe"))
            }
            async fn apply(&self, _: &sdk::Host, _: StepParams) -> Result<ApplyReply, Error> {
                Err(sdk::unsupported("apply"))
            }
            async fn undo(&self, _: &sdk::Host, _: StepParams) -> Result<ApplyReply, Error> {
                Err(sdk::unsupported("undo"))
            }
            async fn test(&self, _: &sdk::Host, _: TestParams) -> Result<TestReply, Error> {
                Err(sdk::unsupported("test"))
            }
        }

        let mut library = start(sdk::export::table::<Nothing>()).unwrap();
        let hello = serde_json::to_vec(&ToPlugin::Hello { protocol: PROTOCOL, features: vec![] }).unwrap();
        let emitted = library.deliver(&hello).unwrap();
        let greeting: FromPlugin = serde_json::from_slice(&emitted[0]).unwrap();
        assert!(matches!(greeting, FromPlugin::Hello(hello) if hello.name == "nothing"));
    }

    #[test]
    fn tables_that_do_not_fit_are_refused() {
        let check = |table: PluginV1, expect: &str| {
            assert_eq!(start(table).map(drop).unwrap_err().to_string(), expect);
        };
        check(PluginV1 { magic: 7, ..TABLE }, "it is not a flowswap plugin: its table is something else");
        check(
            PluginV1 { abi_version: 2, ..TABLE },
            "it was built for another flowswap: its ABI version is 2, this one is 1",
        );
        check(
            PluginV1 { struct_size: 16, ..TABLE },
            "it was built for an older flowswap: its table has 16 bytes, 40 are needed",
        );
        check(PluginV1 { open: refuse, ..TABLE }, "it refused to start");
        // A newer plugin may have a longer table.
        assert!(start(PluginV1 { struct_size: 4096, ..TABLE }).is_ok());
        // SAFETY: null is refused before anything is read.
        let missing = unsafe { Library::start(ptr::null()) };
        assert_eq!(missing.map(drop).unwrap_err().to_string(), "it is not a flowswap plugin: its table is missing");
        let words = [MAGIC, u64::from(ABI_VERSION) | (40 << 32), 0, 0, 0];
        // SAFETY: forty bytes that live forever, as their size field says (little-endian, or the version is wrong).
        let incomplete = unsafe { Library::start(Box::leak(Box::new(words)).as_ptr().cast()) };
        assert!(incomplete.is_err());
    }
}
