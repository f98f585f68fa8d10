//! Loads a plugin's library. The only file of this crate with `unsafe`. Outside of simulations only the plugin process
//! runs it.
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

use crate::frame::MAX_FRAME;

/// A loaded plugin with its one context. Raw pointers keep it on the thread that loaded it.
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
    #[error("it is a library and no flowswap plugin: it has no `{SYMBOL}`")]
    Symbol(#[source] libloading::Error),
    #[error("it is no flowswap plugin: its table is {0}")]
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
    #[error("the plugin cannot go on (code {0})")]
    Unusable(i32),
    #[error("the plugin emitted a message that is longer than {MAX_FRAME} bytes")]
    TooLong,
    #[error("the plugin answered one message with more than {MAX_EMITTED} bytes")]
    TooMuch,
}

/// The most that a plugin may emit in answer to one message: it is held in memory until `deliver` returns, which a
/// plugin that floods may never do. Every message counts for a little more than its length.
const MAX_EMITTED: usize = 4 * MAX_FRAME;
const COST_OF_MESSAGE: usize = 64;

/// Where `emit` puts messages.
#[derive(Debug)]
struct Outbox {
    thread: ThreadId,
    /// Messages of the `deliver` that runs; none while no `deliver` does.
    emitted: RefCell<Option<Result<Vec<Vec<u8>>, DeliverError>>>,
    /// How many bytes they have.
    size: Cell<usize>,
}

impl Library {
    /// Loads the file and makes the plugin's context. Never unloads it: thread-local destructors of the library may
    /// run as late as at the end of the process (rust-lang/rust#59629), so there is no moment at which that is safe.
    pub(crate) fn load(path: &Path) -> Result<Self, LoadError> {
        // A missing symbol must show now, not in the middle of a migration, and a plugin's symbols must not become
        // visible to anything else.
        // SAFETY: the initializers of the library run, which is what the operator trusts it with: the file was
        // checked against its pin before this process was started.
        let library = unsafe { Dl::open(Some(path), RTLD_NOW | RTLD_LOCAL) }.map_err(LoadError::Open)?;
        // SAFETY: the symbol is only called after this, and its type is fixed by its name, which has the version.
        let entry = unsafe { library.get::<Entry>(SYMBOL) }.map(|symbol| *symbol);
        // Dropping it would unload it.
        let _ = library.into_raw();
        // SAFETY: a library that exports this name promises that it has this type.
        let table = unsafe { (entry.map_err(LoadError::Symbol)?)() };
        // SAFETY: as the contract has it, the table lives as long as the library is loaded, which is for ever.
        unsafe { Self::start(table) }
    }

    /// # Safety
    /// `table` is null, or points to memory that stays as it is for ever and is as long as its `struct_size` says.
    unsafe fn start(table: *const PluginV1) -> Result<Self, LoadError> {
        if table.is_null() {
            return Err(LoadError::Table("missing"));
        }
        if !table.is_aligned() {
            return Err(LoadError::Table("misaligned"));
        }
        // Field by field, because until the magic, the version and the size are right it is no `PluginV1`.
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
            // A null function pointer must not even be read as one.
            // SAFETY: the offsets lie within the size that was just checked, and hold pointers.
            if unsafe { table.byte_add(function).cast::<*const c_void>().read() }.is_null() {
                return Err(LoadError::Table("incomplete"));
            }
        }
        // SAFETY: all of the fields were found to be what they must be, and the memory stays as it is.
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
        // SAFETY: the host table lives for ever, and every later call is made on this thread.
        let ctx = unsafe { (table.open)(host) };
        if ctx.is_null() { Err(LoadError::Refused) } else { Ok(Self { table, ctx, outbox }) }
    }

    /// Lets the plugin handle one message and returns what it emits.
    pub(crate) fn deliver(&mut self, message: &[u8]) -> Result<Vec<Vec<u8>>, DeliverError> {
        self.outbox.emitted.replace(Some(Ok(Vec::new())));
        self.outbox.size.set(0);
        // SAFETY: the context comes from `open` of the same table and is not closed; this thread made it, as the
        // value is not `Send`; `&mut self` keeps a second `deliver` out; the bytes outlive the call.
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

/// Takes a message from the plugin. What comes from another thread, or from outside of `deliver`, breaks the contract
/// and is dropped.
///
/// # Safety
/// `ctx` is the one that the host handed out; `ptr` and `len` are readable for this call.
unsafe extern "C" fn emit(ctx: *mut c_void, ptr: *const u8, len: usize) {
    // SAFETY: the context that the host hands out is an `Outbox` that lives for ever. Other threads may look at its
    // `thread`, which never changes.
    let outbox = unsafe { &*ctx.cast::<Outbox>().cast_const() };
    if outbox.thread != thread::current().id() {
        return;
    }
    let Ok(mut emitted) = outbox.emitted.try_borrow_mut() else { return };
    let Some(messages) = emitted.as_mut() else { return };
    if len > MAX_FRAME {
        *messages = Err(DeliverError::TooLong);
        return;
    }
    outbox.size.set(outbox.size.get().saturating_add(len + COST_OF_MESSAGE));
    if outbox.size.get() > MAX_EMITTED {
        *messages = Err(DeliverError::TooMuch);
        return;
    }
    // SAFETY: the plugin promises readable bytes; an empty slice may come as (null, 0), which must not get there.
    let bytes = if len == 0 { &[] } else { unsafe { std::slice::from_raw_parts(ptr, len) } };
    if let Ok(messages) = messages {
        messages.push(bytes.to_vec());
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, ptr};

    use super::*;
    use crate::scope::chain;

    fn load_error(path: &Path) -> String {
        Library::load(path).map(drop).map_err(|error| chain(&error)).unwrap_err()
    }

    #[test]
    fn a_file_that_is_no_library_and_a_library_that_is_no_plugin_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("text.so");
        fs::write(&path, "text").unwrap();
        let error = load_error(&path);
        assert!(error.starts_with("failed to load it as a library: "), "{error}");
        // Whatever library this test itself is linked with.
        let maps = fs::read_to_string("/proc/self/maps").unwrap_or_default();
        if let Some(libc) = maps.lines().filter_map(|l| l.split_whitespace().last()).find(|p| p.contains("/libc.so")) {
            let error = load_error(Path::new(libc));
            assert!(
                error.starts_with("it is a library and no flowswap plugin: it has no `flowswap_plugin_v1`: "),
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

    /// Emits the message twice and an empty one; of an empty message it makes a failure.
    unsafe extern "C" fn deliver(ctx: *mut c_void, message: *const u8, len: usize) -> i32 {
        // SAFETY: `open` makes a context of the host's table, which lives for ever.
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
    fn what_is_emitted_comes_back_in_order() {
        let mut library = start(TABLE).unwrap();
        assert_eq!(library.deliver(b"ab").unwrap(), [&b"ab"[..], b"ab", b""]);
        assert_eq!(library.deliver(b"c").unwrap(), [&b"c"[..], b"c", b""]);
        assert!(matches!(library.deliver(b""), Err(DeliverError::Unusable(-2))));
    }

    #[test]
    fn what_is_emitted_outside_of_deliver_is_dropped() {
        let mut library = start(TABLE).unwrap();
        // SAFETY: the context of `open` above is the host's table.
        let host = unsafe { &*library.ctx.cast::<HostV1>().cast_const() };
        // SAFETY: the bytes are readable.
        unsafe { (host.emit)(host.ctx, b"x".as_ptr(), 1) };
        assert_eq!(library.deliver(b"c").unwrap().len(), 3);
    }

    /// Emits as many times 16 KiB as the message says, in letters.
    unsafe extern "C" fn flood(ctx: *mut c_void, _: *const u8, len: usize) -> i32 {
        let message = [b'x'; 16 * 1024];
        for _ in 0..len {
            // SAFETY: `open` makes a context of the host's table, which lives for ever.
            let host = unsafe { &*ctx.cast::<HostV1>().cast_const() };
            // SAFETY: the bytes are readable.
            unsafe { (host.emit)(host.ctx, message.as_ptr(), message.len()) };
        }
        0
    }

    #[test]
    fn a_flood_is_not_kept() {
        let mut library = start(PluginV1 { deliver: flood, ..TABLE }).unwrap();
        assert_eq!(library.deliver(&[b' '; 4000]).unwrap().len(), 4000);
        assert!(matches!(library.deliver(&[b' '; 5000]), Err(DeliverError::TooMuch)));
        assert_eq!(library.deliver(&[b' '; 4000]).unwrap().len(), 4000, "the next message has its own bound");
    }

    /// Emits from another thread while it is delivered to.
    unsafe extern "C" fn deliver_elsewhere(ctx: *mut c_void, _: *const u8, _: usize) -> i32 {
        let ctx = ctx.expose_provenance();
        thread::spawn(move || {
            // SAFETY: `open` makes a context of the host's table, which lives for ever.
            let host = unsafe { &*ptr::with_exposed_provenance::<HostV1>(ctx) };
            // SAFETY: the bytes are readable.
            unsafe { (host.emit)(host.ctx, b"x".as_ptr(), 1) };
        })
        .join()
        .map_or(-1, |()| 0)
    }

    #[test]
    fn what_is_emitted_by_another_thread_is_dropped() {
        let mut library = start(PluginV1 { deliver: deliver_elsewhere, ..TABLE }).unwrap();
        assert_eq!(library.deliver(b"c").unwrap(), [b""; 0]);
    }

    #[test]
    fn a_plugin_of_the_sdk_is_served() {
        use flowswap_contract::*;

        struct Nothing;
        impl sdk::Plugin for Nothing {
            fn hello() -> PluginHello {
                let name = "nothing".into();
                let (version, protocol) = ("1".into(), PROTOCOL);
                let (features, roles, config, origins) = (vec![], vec![], vec![], vec![]);
                PluginHello { name, version, protocol, features, roles, config, origins, headers: None }
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
        check(PluginV1 { magic: 7, ..TABLE }, "it is no flowswap plugin: its table is something else");
        check(
            PluginV1 { abi_version: 2, ..TABLE },
            "it was built for another flowswap: its ABI version is 2, this one is 1",
        );
        check(
            PluginV1 { struct_size: 16, ..TABLE },
            "it was built for an older flowswap: its table has 16 bytes, 40 are needed",
        );
        check(PluginV1 { open: refuse, ..TABLE }, "it refused to start");
        // A later plugin has a longer table.
        assert!(start(PluginV1 { struct_size: 4096, ..TABLE }).is_ok());
        // SAFETY: null is refused before anything is read.
        let missing = unsafe { Library::start(ptr::null()) };
        assert_eq!(missing.map(drop).unwrap_err().to_string(), "it is no flowswap plugin: its table is missing");
        let words = [MAGIC, u64::from(ABI_VERSION) | (40 << 32), 0, 0, 0];
        // SAFETY: forty bytes that live for ever, as their size field says (little-endian, or the version is wrong).
        let incomplete = unsafe { Library::start(Box::leak(Box::new(words)).as_ptr().cast()) };
        assert!(incomplete.is_err());
    }
}
